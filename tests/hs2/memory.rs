use std::pin::pin;

use futures::future::{Either, select};
use tests::node::Node;

use crate::fixture::{assert_serves, rows, session};

/// Half a gigabyte of text in one value, twice what the engine may take.
const GREEDY: &str =
    "SELECT size(collect_list(concat(cast(id AS string), repeat('x', 200)))) FROM range(2500000)";

/// More than the engine's 256 MiB and the program, and less than what the query asks for.
const RSS_MAX: u64 = 640 << 20;

#[tokio::test]
async fn a_query_out_of_memory_fails_alone() {
    let node = Node::options().start().await;
    let (greedy, small) = (session(node.address()).await, session(node.address()).await);
    let ended = async {
        let operation = greedy.execute(GREEDY).await.unwrap();
        operation.wait().await.unwrap_err()
    };
    let mut ended = pin!(ended);
    let (mut answered, mut peak) = (0, 0);
    let error = loop {
        match select(ended, pin!(rows(&small, "SELECT 1"))).await {
            Either::Left((error, _)) => break error,
            Either::Right((count, unended)) => {
                assert_eq!(count, 1);
                (answered, ended) = (answered + 1, unended);
                peak = peak.max(node.rss_bytes());
            }
        }
        assert!(answered < 100_000, "the query does not end");
    };
    eprintln!(
        "{answered} small queries beside it, at most {} MiB: {error}",
        peak >> 20
    );
    assert_eq!(error.sql_state(), Some("08S01"), "{error}");
    assert!(error.to_string().contains("memory"), "{error}");
    assert!(answered > 0 && peak < RSS_MAX);
    // Its memory is free again, and its session goes on.
    assert_eq!(rows(&greedy, "SELECT 1").await, 1);
    assert_serves(node.address()).await;
}
