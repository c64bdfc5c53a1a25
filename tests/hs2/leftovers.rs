use tests::node::Node;
use tests::wait;

use crate::damage::result_files;
use crate::fixture::{SOON, assert_serves, numbered_rows, session};

#[tokio::test]
async fn results_of_a_killed_node_are_gone_after_the_next_start() {
    let scratch = tempfile::tempdir().unwrap();
    let start = async || {
        let folder = scratch.path().to_str().unwrap();
        Node::options()
            .set("hive.exec.scratchdir", folder)
            .start()
            .await
    };
    let mut dead = start().await;
    let neighbour = start().await;
    let mut open = Vec::new();
    for node in [&dead, &neighbour] {
        let session = session(node.address()).await;
        let mut rows = session.query(numbered_rows(100_000)).await.unwrap();
        rows.next().await.unwrap().unwrap();
        open.push((session, rows));
    }
    assert_eq!(result_files(scratch.path()).len(), 2);
    dead.kill();
    dead.exit_code(SOON).await;
    assert_eq!(result_files(scratch.path()).len(), 2);

    let next = start().await;
    assert_serves(next.address()).await;
    // The neighbour lives, and so does its result.
    let (session, mut rows) = open.pop().unwrap();
    let left = || result_files(scratch.path());
    assert_eq!(left().len(), 1, "{:?}", left());
    let mut count = 0;
    while let Some(batch) = rows.next().await.unwrap() {
        count += batch.num_rows();
    }
    assert!(count > 0);
    rows.close().await.unwrap();
    wait::until("a closed result's file is gone", SOON, async || {
        left().is_empty()
    })
    .await;
    session.close().await.unwrap();
}
