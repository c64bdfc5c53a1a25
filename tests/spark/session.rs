use std::time::Instant;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use hs2_client::{Error, Event, Session, SessionOptions};

use crate::Server;

pub(crate) async fn settings_and_variables(server: &Server) {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = SessionOptions {
        vars: vec![pair("who", "world")],
        confs: vec![pair("my.setting", "seven")],
        ..Default::default()
    };
    let session = server.session_with(&options).await;
    let greeting = one_text(&session, "SELECT 'hello ${who}'").await;
    assert_eq!(greeting, "hello world");
    let batches = session.query("SET my.setting").await.unwrap();
    let shown = format!("{:?}", batches.collect().await.unwrap());
    assert!(shown.contains("seven"), "{shown}");

    let operation = session.execute("SELECT 1").await.unwrap();
    let mut lines = 0;
    let answer = operation
        .watch(|event| lines += usize::from(matches!(event, Event::Log(_))))
        .await
        .unwrap();
    // Spark has a log without lines, our node tells what it does.
    assert!(server.is_spark || lines > 0);
    let id = operation.query_id().await.unwrap();
    // Spark has the call, and no name for its queries.
    assert_eq!(id.is_some(), !server.is_spark, "{id:?}");
    operation.finished_results(&answer).await.unwrap();
    let info = [pair("ApplicationName", "tests")];
    assert!(session.set_client_info(info).await.unwrap());
    session.close().await.unwrap();
}

pub(crate) async fn rows_again_and_many(server: &Server) {
    const ROWS: i64 = 1_000_000;
    let session = server.session().await;
    let sql = format!(
        "SELECT id, id * 2 AS b, cast(id AS double) AS d, lpad(cast(id AS string), 20, '0') AS s FROM range({ROWS})"
    );
    let begun = Instant::now();
    let mut stream = session.query(sql).await.unwrap();
    let mut next = 0;
    while let Some(batch) = stream.next().await.unwrap() {
        for id in batch.column(0).as_primitive::<Int64Type>().values() {
            assert_eq!(*id, next);
            next += 1;
        }
        let last = batch.column(3).as_string::<i32>();
        let expected = format!("{:020}", next - 1);
        assert_eq!(last.value(last.len() - 1), expected);
    }
    assert_eq!(next, ROWS);
    eprintln!(
        "{}: {ROWS} rows in {:?}",
        server.either("Spark", "node"),
        begun.elapsed()
    );
    stream.rewind();
    let batch = stream.next().await.unwrap().unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), 0);
    // In the middle of a result, with an answer on its way.
    stream.close().await.unwrap();
    session.close().await.unwrap();
}

pub(crate) async fn the_end(server: &Server) {
    let session = server.session().await;
    let other = session.clone();
    session.close().await.unwrap();
    let error = other.query("SELECT 1").await.unwrap_err();
    assert!(
        matches!(error, Error::Server(_)) && error.to_string().contains("Invalid SessionHandle"),
        "{error}"
    );
}

pub(crate) async fn one_text(session: &Session, sql: &str) -> String {
    let stream = session.query(sql).await.unwrap();
    let batches = stream.collect().await.unwrap();
    batches[0].column(0).as_string::<i32>().value(0).to_owned()
}
