//! Results, states, failures and the result file.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use hs2_client::{Error, ExecuteOptions, ResultStream, SessionOptions};
use hs2_proto::tcli::{
    CancelOperationReq, FetchOrientation, OperationState, ProtocolVersion, Status,
};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::raw::{Raw, execute};
use super::{Fixture, soon, until};

type Row = (Option<i32>, Option<String>);

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let (numbers, words) = (
        batch.column(0).as_primitive::<Int32Type>(),
        batch.column(1).as_string::<i32>(),
    );
    numbers
        .iter()
        .zip(words.iter())
        .map(|(n, word)| (n, word.map(str::to_owned)))
        .collect()
}

async fn all_rows(mut results: ResultStream) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    while let Some(batch) = soon(results.next()).await? {
        rows.extend(rows_of(&batch));
    }
    Ok(rows)
}

fn expected(count: i32) -> Vec<Row> {
    let given = |n: i32| (n % 7 != 0).then_some(n);
    (0..count)
        .map(|n| (given(n), given(n).map(|n| format!("word {n}"))))
        .collect()
}

fn state_of(status: &Status) -> &str {
    status.sql_state.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn every_row_arrives_once_in_every_layout_and_fetch_size() {
    let fixture = Fixture::start().await;
    for (version, fetch_rows) in [
        (ProtocolVersion::V11, 10_000),
        (ProtocolVersion::V6, 33),
        (ProtocolVersion::V5, 1000),
        (ProtocolVersion::V1, 7),
    ] {
        let options = SessionOptions {
            fetch_rows,
            protocol_version: version,
            ..SessionOptions::default()
        };
        let session = fixture.session_with(&options).await;
        assert_eq!(session.protocol_version(), version);
        let results = session.query("rows 2345").await.unwrap();
        assert_eq!(
            all_rows(results).await.unwrap(),
            expected(2345),
            "{version}, {fetch_rows} at a time"
        );
    }
}

#[tokio::test]
async fn the_first_rows_come_while_the_statement_runs() {
    let fixture = Fixture::start().await;
    let session = fixture.session().await;
    let mut results = soon(session.query("gated 50")).await.unwrap();
    let first = soon(results.next()).await.unwrap().unwrap();
    assert_eq!(
        (rows_of(&first), fixture.engine.streams()),
        (expected(50), 1)
    );
    fixture.engine.open_gate();
    let mut rows = rows_of(&first);
    rows.extend(all_rows(results).await.unwrap());
    assert_eq!(rows, expected(100));
    until("the stream is dropped", || fixture.engine.streams() == 0).await;
}

#[tokio::test]
async fn a_statement_without_rows_is_finished_at_its_true_end() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let operation = raw.start(session, "ddl").await;
    assert!(!operation.has_result_set);
    let asked = Instant::now();
    assert_eq!(
        raw.status(operation).await.operation_state,
        Some(OperationState::RUNNING)
    );
    assert!(
        asked.elapsed() >= Duration::from_millis(300),
        "a question waits for a change"
    );
    let error = raw.fetch(operation, 10).await.status;
    assert_eq!(
        error.error_message.as_deref(),
        Some("Expected state FINISHED, but found RUNNING")
    );
    fixture.engine.open_gate();
    let answer = raw.settled(operation).await;
    assert_eq!(
        (answer.operation_state, answer.has_result_set),
        (Some(OperationState::FINISHED), Some(false))
    );
    assert!(
        answer.operation_started.is_some()
            && answer.operation_completed >= answer.operation_started
    );
    assert_eq!(fixture.result_files().len(), 0, "there are no rows to keep");
}

#[tokio::test]
async fn offsets_are_exact_more_is_true_until_the_end_and_first_rewinds() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let operation = raw.start(session, "rows 250").await;
    raw.settled(operation).await;
    for _ in 0..2 {
        let mut next = 0;
        let mut orientation = FetchOrientation::FIRST;
        loop {
            let answer = raw.fetch_from(operation, orientation, 60).await;
            assert!(answer.status.is_success(), "{:?}", answer.status);
            let rows = answer.results.unwrap();
            assert_eq!(rows.start_row_offset, next);
            next += i64::try_from(rows.rows).unwrap();
            assert!(rows.rows > 0, "no empty batch before the end");
            assert_eq!(answer.has_more_rows, Some(next < 250));
            orientation = FetchOrientation::NEXT;
            if next == 250 {
                break;
            }
        }
        for _ in 0..2 {
            let answer = raw.fetch(operation, 60).await;
            let rows = answer.results.unwrap();
            assert_eq!(
                (answer.has_more_rows, rows.rows, rows.start_row_offset),
                (Some(false), 0, 250)
            );
        }
    }
    let nothing = raw.fetch_from(operation, FetchOrientation::FIRST, 0).await;
    assert_eq!(
        (nothing.has_more_rows, nothing.results.unwrap().rows),
        (Some(true), 0)
    );
    let refused = raw
        .fetch_from(operation, FetchOrientation::RELATIVE, 1)
        .await
        .status;
    assert_eq!(
        refused.error_message.as_deref(),
        Some("The fetch type FETCH_RELATIVE is not supported for this resultset")
    );
}

#[tokio::test]
async fn failures_before_and_after_the_first_rows() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;

    let refused = raw.execute(session, "nonsense", true).await;
    assert_eq!(
        (
            state_of(&refused.status),
            refused.status.error_code,
            refused.operation_handle
        ),
        ("42000", Some(40000), None)
    );

    let before = raw.start(session, "failing 0").await;
    let answer = raw.settled(before).await;
    assert!(answer.status.is_success(), "the question was answered");
    assert_eq!(answer.operation_state, Some(OperationState::ERROR));
    assert_eq!(
        (answer.sql_state.as_deref(), answer.error_code),
        (Some("08S01"), Some(2))
    );
    assert_eq!(
        answer.error_message.as_deref(),
        Some("the disk caught fire")
    );

    let after = raw.start(session, "failing 10").await;
    raw.settled(after).await;
    let told = loop {
        let answer = raw.fetch(after, 1).await;
        match answer.results {
            Some(rows) => assert!(rows.rows > 0, "a failed result never just ends"),
            None => break answer.status,
        }
    };
    assert_eq!(
        (state_of(&told), told.error_message.as_deref()),
        ("08S01", Some("the disk caught fire"))
    );
}

#[tokio::test]
async fn a_synchronous_statement_is_answered_at_its_end() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let done = raw
        .execute(session, "rows 5", false)
        .await
        .operation_handle
        .unwrap();
    assert_eq!(
        raw.status(done).await.operation_state,
        Some(OperationState::FINISHED)
    );
    let failed = raw.execute(session, "failing 0", false).await;
    assert_eq!(
        (state_of(&failed.status), failed.operation_handle),
        ("08S01", None)
    );
    assert_eq!(
        fixture.result_files().len(),
        1,
        "the failed operation is gone, with its file"
    );

    raw.send(&execute(session, "ddl", false)).await;
    until("it runs", || fixture.engine.streams() == 1).await;
    drop(raw);
    until("a client that goes away takes its statement along", || {
        fixture.engine.streams() == 0
    })
    .await;
}

#[tokio::test]
async fn cancel_stops_the_engine_at_once_from_any_connection() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let mut other = Raw::connect(fixture.node.address()).await;
    for (statement, state) in [
        ("ddl", OperationState::RUNNING),
        ("gated 10", OperationState::FINISHED),
    ] {
        let operation = raw.start(session, statement).await;
        while raw.status(operation).await.operation_state != Some(state) {}
        let asked = Instant::now();
        assert!(
            other
                .call(&CancelOperationReq {
                    operation_handle: operation
                })
                .await
                .status
                .is_success()
        );
        let answer = raw.settled(operation).await;
        assert_eq!(answer.operation_state, Some(OperationState::CANCELED));
        assert_eq!((answer.sql_state, answer.error_message), (None, None));
        assert!(asked.elapsed() < Duration::from_secs(1));
        until("the engine has stopped", || fixture.engine.streams() == 0).await;
        let refused = raw.fetch(operation, 1).await.status;
        assert_eq!(
            refused.error_message.as_deref(),
            Some("Expected state FINISHED, but found CANCELED")
        );
    }
    let whole = raw.start(session, "rows 10").await;
    while raw.status(whole).await.operation_completed.is_none() {}
    assert!(
        other
            .call(&CancelOperationReq {
                operation_handle: whole
            })
            .await
            .status
            .is_success()
    );
    assert_eq!(
        raw.fetch(whole, 100).await.results.unwrap().rows,
        10,
        "a whole result stays"
    );
}

#[tokio::test]
async fn a_fetch_that_waits_for_rows_ends_with_the_operation() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let operation = raw.query(session, "gated 10").await;
    assert_eq!(raw.fetch(operation, 100).await.results.unwrap().rows, 10);
    let address = fixture.node.address();
    let waiting =
        tokio::spawn(async move { Raw::connect(address).await.fetch(operation, 100).await });
    // It waits for rows that do not come, until the operation is canceled.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    raw.call(&CancelOperationReq {
        operation_handle: operation,
    })
    .await;
    assert_eq!(state_of(&soon(waiting).await.unwrap().status), "HY010");
}

#[tokio::test]
async fn timeouts_stop_statements_that_run_and_that_compile() {
    let fixture = Fixture::with("hive.query.timeout.seconds = 60s").await;
    let session = fixture.session().await;
    let limit = ExecuteOptions {
        time_limit: Some(Duration::from_secs(1)),
        ..ExecuteOptions::default()
    };
    let operation = session.execute_with("ddl", &limit).await.unwrap();
    assert!(matches!(
        soon(operation.wait()).await,
        Err(Error::QueryTimeout)
    ));
    until("the engine has stopped", || fixture.engine.streams() == 0).await;
    let error = soon(session.execute_with("compile forever", &limit))
        .await
        .unwrap_err();
    assert_eq!(error.sql_state(), Some("HYT00"));
}

#[tokio::test]
async fn a_panic_is_one_statements_failure() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let operation = raw.start(session, "panicking 0").await;
    let answer = raw.settled(operation).await;
    assert_eq!(
        (answer.operation_state, answer.sql_state.as_deref()),
        (Some(OperationState::ERROR), Some("HY000"))
    );
    let exception = raw
        .try_call(&execute(session, "panic now", true))
        .await
        .unwrap_err();
    assert!(
        exception.to_string().contains("the node failed"),
        "{exception}"
    );
    let operation = raw.start(session, "rows 3").await;
    assert_eq!(
        raw.settled(operation).await.operation_state,
        Some(OperationState::FINISHED)
    );
}

#[tokio::test]
async fn a_damaged_page_is_an_error_with_its_offset_and_harms_nobody_else() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let damaged = raw.start(session, "rows 100").await;
    raw.settled(damaged).await;
    let [path] = fixture.result_files().try_into().unwrap();
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 200).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 200).unwrap();
    let refused = raw.fetch(damaged, 10).await;
    assert_eq!(state_of(&refused.status), "58030");
    assert!(
        refused
            .status
            .error_message
            .unwrap()
            .contains("page at byte 0 "),
        "the offset"
    );
    assert!(refused.results.is_none());
    let other = raw.start(session, "rows 100").await;
    raw.settled(other).await;
    assert_eq!(raw.fetch(other, 1000).await.results.unwrap().rows, 100);
}

#[tokio::test]
async fn result_files_go_with_their_operation_and_session() {
    let fixture = Fixture::start().await;
    let session = fixture.session().await;
    let one = session.execute("rows 10").await.unwrap();
    let two = session.execute("gated 10").await.unwrap();
    one.wait().await.unwrap();
    two.wait().await.unwrap();
    assert_eq!(fixture.result_files().len(), 2);
    one.close().await.unwrap();
    assert_eq!(fixture.result_files().len(), 1);
    session.close().await.unwrap();
    assert_eq!(fixture.result_files().len(), 0);
    until("the engine has stopped", || fixture.engine.streams() == 0).await;
    drop(two);
    let folder = fixture.folder;
    fixture.node.stop().await;
    until("the node's folder is gone", || {
        std::fs::read_dir(folder.path()).unwrap().count() == 1
    })
    .await;
}

#[tokio::test]
async fn statements_beyond_the_limit_wait_and_then_are_refused() {
    let settings =
        "hive.server2.async.exec.threads = 1\nhive.server2.async.exec.wait.queue.size = 1";
    let fixture = Fixture::with(settings).await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let running = raw.start(session, "ddl").await;
    while raw.status(running).await.operation_state != Some(OperationState::RUNNING) {}
    let waiting = raw.start(session, "rows 1").await;
    assert_eq!(
        raw.status(waiting).await.operation_state,
        Some(OperationState::PENDING)
    );
    let refused = raw.execute(session, "rows 1", true).await.status;
    assert_eq!(state_of(&refused), "53300");
    fixture.engine.open_gate();
    assert_eq!(
        raw.settled(waiting).await.operation_state,
        Some(OperationState::FINISHED)
    );
}
