use std::net::SocketAddr;
use std::time::Duration;

use arrow_array::RecordBatch;
use hs2_client::{ConnectOptions, Session, SessionOptions, connect};
use tests::command::Output;
use tests::fleet::Fleet;
use tests::process::hs2_node;

/// How long anything may take that should be quick, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A session timeout of ZooKeeper short enough to be waited for.
pub(crate) const SHORT: Duration = Duration::from_secs(2);

/// The setting of the same.
pub(crate) const SESSION_TIMEOUT: &str = "hive.zookeeper.session.timeout";

/// A session with one node.
pub(crate) async fn session(node: SocketAddr) -> Session {
    session_by(&node.to_string()).await
}

/// A session with whichever node the URL leads to.
pub(crate) async fn session_by(url: &str) -> Session {
    let (options, session) = (ConnectOptions::default(), SessionOptions::default());
    connect(url, &options, &session).await.unwrap()
}

/// Makes sure that a node answers.
pub(crate) async fn assert_serves(node: SocketAddr) {
    let session = session(node).await;
    let rows = rows(&session, "SELECT 1").await;
    assert_eq!(rows, 1, "{node}");
    session.close().await.unwrap();
}

/// How many rows a query has.
pub(crate) async fn rows(session: &Session, sql: &str) -> usize {
    let mut stream = session.query(sql).await.unwrap();
    let mut rows = 0;
    while let Some(batch) = stream.next().await.unwrap() {
        rows += batch.num_rows();
    }
    rows
}

/// Makes sure that a batch of `id, lpad(id)` goes on at row `next`; returns the row after it.
pub(crate) fn check_numbered(batch: &RecordBatch, next: i64) -> i64 {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    let ids = batch.column(0).as_primitive::<Int64Type>().values();
    let texts = batch.column(1).as_string::<i32>();
    let mut expected = next;
    for (id, text) in ids.iter().zip(texts.iter()) {
        let text = text.unwrap();
        let is_right = *id == expected && text.len() == 20 && text.parse() == Ok(expected);
        assert!(is_right, "row {expected} is {id}, {text:?}");
        expected += 1;
    }
    expected
}

/// The query of numbered rows: a bigint and 20 digits.
pub(crate) fn numbered_rows(count: i64) -> String {
    format!("SELECT id, lpad(cast(id AS string), 20, '0') AS digits FROM range({count})")
}

/// A command of the program about this fleet.
pub(crate) async fn about(fleet: &Fleet, arguments: &[&str]) -> Output {
    let place = [
        "--zookeeper",
        fleet.connect_string(),
        "--namespace",
        fleet.namespace(),
    ];
    hs2_node(&[arguments, &place].concat()).await
}
