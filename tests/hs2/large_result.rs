use std::time::Duration;

use tests::node::Node;
use tokio::time::timeout;

use crate::fixture::{check_numbered, numbered_rows, session};

const ROWS: i64 = 20_000_000;
const PEAK_BYTES_MAX: u64 = 512 << 20;

/// 560 MB of values alone; the client holds one batch at a time.
#[tokio::test]
async fn twenty_million_rows_pass_through_bounded_memory() {
    let node = Node::options().start().await;
    let session = session(node.address()).await;
    let mut rows = session.query(numbered_rows(ROWS)).await.unwrap();
    let mut next = 0;
    while let Some(batch) = rows.next().await.unwrap() {
        next = check_numbered(&batch, next);
    }
    assert_eq!(next, ROWS);
    let peak = node.peak_rss_bytes();
    eprintln!("{ROWS} rows, peak resident memory {} MiB", peak >> 20);
    assert!(peak < PEAK_BYTES_MAX, "{} MiB", peak >> 20);
}

#[tokio::test]
async fn the_first_rows_come_before_the_query_ends() {
    let node = Node::options().start().await;
    let session = session(node.address()).await;
    // It would take days.
    let sql = numbered_rows(1_000_000_000_000);
    let mut rows = session.query(sql).await.unwrap();
    let first = timeout(Duration::from_secs(60), rows.next()).await;
    let batch = first.expect("the first rows").unwrap().unwrap();
    check_numbered(&batch, 0);
    rows.operation().cancel().await.unwrap();
    rows.close().await.unwrap();
    session.close().await.unwrap();
}
