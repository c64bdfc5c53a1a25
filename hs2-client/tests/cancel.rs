//! Calls that stop and close things, while the connection waits for something else.
#![allow(clippy::unwrap_used)] // Helpers of tests, too, fail loudly.

mod support;

use hs2_client::tcli::*;
use hs2_client::{Auth, ConnectOptions, Connection, Error, Event, Session, SessionOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use support::{ID, Login, Reply, Server, numbers, ordinary, reply, rows};
use tokio::time::{Instant, timeout};

const PLAIN: Login = Login::Plain { check: false };

async fn connection(server: &Server) -> Connection {
    let options = ConnectOptions::default();
    Connection::connect("127.0.0.1", server.port(), &options)
        .await
        .unwrap()
}

async fn session(server: &Server) -> Session {
    let connection = connection(server).await;
    Session::open(&connection, &Auth::default(), &SessionOptions::default())
        .await
        .unwrap()
}

/// A server whose fetches, or whose status, never come.
async fn hanging(method: &'static str) -> Server {
    let inner = ordinary(vec![numbers(0..1)], false);
    Server::start(PLAIN, move |request, seqid| {
        if request.method() == method {
            return Reply::Never;
        }
        inner(request, seqid)
    })
    .await
}

/// Well below the call timeout of five minutes, well above what a busy machine needs.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_fetch_that_waits_for_its_first_row_holds_no_cancel_back() {
    let server = hanging("FetchResults").await;
    let session = session(&server).await;
    let mut stream = session.query("SELECT n").await.unwrap();
    let canceller = stream.operation().canceller();
    let fetching = tokio::spawn(async move { stream.next().await.map(|_| ()) });
    server.wait_for("FetchResults", 1).await;
    let begun = Instant::now();
    timeout(SOON, canceller.cancel()).await.unwrap().unwrap();
    println!("cancel answered after {:?}", begun.elapsed());
    // The second one finds the second connection.
    timeout(SOON, canceller.cancel()).await.unwrap().unwrap();
    assert_eq!(server.connections.load(Ordering::Relaxed), 2);
    assert!(!fetching.is_finished());
    fetching.abort();
    assert!(fetching.await.unwrap_err().is_cancelled());
    // Its stream closes its operation, over the second connection as well.
    server.wait_for("CloseOperation", 1).await;
    timeout(SOON, session.close()).await.unwrap().unwrap();
    assert_eq!(server.connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn everything_dropped_while_a_fetch_waits_is_closed() {
    let server = hanging("FetchResults").await;
    let session = session(&server).await;
    let mut stream = session.query("SELECT n").await.unwrap();
    assert!(
        timeout(Duration::from_millis(50), stream.next())
            .await
            .is_err()
    );
    drop((stream, session));
    server.wait_for("CloseSession", 1).await;
    assert_eq!(server.count("CloseOperation"), 1);
}

#[tokio::test]
async fn a_wait_for_the_end_is_cancelled_from_elsewhere() {
    let inner = ordinary(vec![numbers(0..1)], false);
    let cancelled = Arc::new(AtomicBool::new(false));
    let server = Server::start(PLAIN, move |request, seqid| match request {
        Request::CancelOperation(_) => {
            cancelled.store(true, Ordering::Relaxed);
            inner(request, seqid)
        }
        // Kept back, as servers do: for a time in which cancel would be too late.
        Request::GetOperationStatus(_) if !cancelled.load(Ordering::Relaxed) => {
            let state = GetOperationStatusResp::new(OperationState::CANCELED);
            let Reply::Message(bytes) = reply::<GetOperationStatusReq>(seqid, &state) else {
                unreachable!()
            };
            Reply::When(Arc::clone(&cancelled), bytes)
        }
        request => inner(request, seqid),
    })
    .await;
    let session = session(&server).await;
    let operation = session.execute("SELECT n").await.unwrap();
    let canceller = operation.canceller();
    let waiting = tokio::spawn(async move { operation.wait().await });
    server.wait_for("GetOperationStatus", 1).await;
    canceller.cancel().await.unwrap();
    let ended = timeout(SOON, waiting).await.unwrap().unwrap();
    assert!(matches!(ended, Err(Error::Cancelled { .. })), "{ended:?}");
}

#[tokio::test]
async fn quick_answers_need_no_second_connection() {
    let batches = (0..40).map(|n| numbers(n..n + 1)).collect();
    let server = Server::start(PLAIN, ordinary(batches, false)).await;
    let session = session(&server).await;
    for _ in 0..20 {
        let mut stream = session.query("SELECT n").await.unwrap();
        stream.next().await.unwrap();
        stream.operation().cancel().await.unwrap();
        stream.close().await.unwrap();
    }
    session.close().await.unwrap();
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn where_there_is_no_second_connection_a_cancel_waits_for_its_turn() {
    let inner = ordinary(vec![numbers(0..1)], false);
    let server = Server::start(PLAIN, move |request, seqid| {
        match (request, inner(request, seqid)) {
            (Request::GetOperationStatus(_), Reply::Message(bytes)) => {
                Reply::After(Duration::from_millis(400), bytes)
            }
            (_, reply) => reply,
        }
    })
    .await;
    let session = session(&server).await;
    server.refuse();
    let operation = Arc::new(session.execute("SELECT n").await.unwrap());
    let waiting = tokio::spawn({
        let operation = Arc::clone(&operation);
        async move { operation.status().await }
    });
    server.wait_for("GetOperationStatus", 1).await;
    operation.cancel().await.unwrap();
    assert!(waiting.await.unwrap().is_ok());
    assert_eq!(server.count("CancelOperation"), 1);
}

#[tokio::test]
async fn a_statement_whose_caller_has_given_up_is_closed() {
    let inner = ordinary(vec![numbers(0..1)], false);
    let opened = AtomicUsize::new(0);
    let server = Server::start(PLAIN, move |request, seqid| {
        match (request, inner(request, seqid)) {
            (Request::ExecuteStatement(_), Reply::Message(bytes)) => {
                Reply::After(Duration::from_millis(100), bytes)
            }
            (Request::OpenSession(_), Reply::Message(bytes))
                if opened.fetch_add(1, Ordering::Relaxed) > 0 =>
            {
                Reply::After(Duration::from_millis(100), bytes)
            }
            (_, reply) => reply,
        }
    })
    .await;
    let session = session(&server).await;
    let short = Duration::from_millis(20);
    assert!(timeout(short, session.execute("SELECT n")).await.is_err());
    server.wait_for("CloseOperation", 1).await;
    let Some(Request::CloseOperation(close)) = server.seen.lock().unwrap().last().cloned() else {
        panic!("{:?}", server.methods())
    };
    assert_eq!(close.operation_handle.operation_id, ID);
    let (auth, options) = (Auth::default(), SessionOptions::default());
    let second = Session::open(session.connection(), &auth, &options);
    assert!(timeout(short, second).await.is_err());
    server.wait_for("CloseSession", 1).await;
}

#[tokio::test]
async fn progress_and_log_lines_are_told_while_it_runs() {
    let inner = ordinary(vec![numbers(0..1)], false);
    let (asked, logged) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let server = Server::start(PLAIN, move |request, seqid| match request {
        Request::GetOperationStatus(status) => {
            assert_eq!(status.get_progress_update, Some(true));
            let n = asked.fetch_add(1, Ordering::Relaxed);
            let state = if n < 2 {
                OperationState::RUNNING
            } else {
                OperationState::FINISHED
            };
            let mut answer = GetOperationStatusResp::new(state);
            answer.progress_update_response = Some(ProgressUpdateResp {
                header_names: vec!["STAGES".into()],
                rows: vec![vec![format!("step {n}")]],
                progressed_percentage: 0.25,
                status: match n {
                    0 => JobExecutionStatus::NOT_AVAILABLE,
                    _ => JobExecutionStatus::IN_PROGRESS,
                },
                footer_summary: String::new(),
                start_time: 0,
            });
            reply::<GetOperationStatusReq>(seqid, &answer)
        }
        Request::FetchResults(fetch) if fetch.fetch_type == Some(FetchResultsReq::LOG) => {
            let n = logged.fetch_add(1, Ordering::Relaxed);
            let lines: &[&str] = match n {
                0 => &["INFO  : compiling"],
                1 => &[],
                2 => &["INFO  : one", "INFO  : two"],
                3 => &["INFO  : three"],
                _ => &[],
            };
            Reply::Message(rows(seqid, &support::texts(lines), false))
        }
        request => inner(request, seqid),
    })
    .await;
    let session = session(&server).await;
    let operation = session.execute("SELECT n").await.unwrap();
    let mut told = Vec::new();
    let answer = operation
        .watch(|event| {
            told.push(match event {
                Event::Progress(progress) => progress.rows[0][0].clone(),
                Event::Log(line) => line.to_owned(),
            });
        })
        .await
        .unwrap();
    assert_eq!(answer.operation_state, Some(OperationState::FINISHED));
    assert_eq!(
        told,
        [
            "INFO  : compiling",
            "step 1",
            "step 2",
            "INFO  : one",
            "INFO  : two",
            "INFO  : three"
        ]
    );
    let stream = operation.finished_results(&answer).await.unwrap();
    stream.close().await.unwrap();
}
