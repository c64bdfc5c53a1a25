use tests::node::Node;
use tests::peers::{
    Auth, impyla_fetches_mixed_rows, impyla_first_row, mixed_rows_select, pyhive_fetches_mixed_rows,
};

use crate::fixture::Pair;

const ROWS: usize = 100_000;
const QUERY: &str = "SELECT * FROM mixed ORDER BY id";

/// Written by the one node, read from both, by SASL PLAIN and by plain sockets.
#[tokio::test]
async fn impyla_fetches_what_was_written() {
    let pair = Pair::start().await;
    write_mixed_rows(&pair.first).await;
    impyla_fetches_mixed_rows(pair.first.address(), Auth::NoSasl, ROWS, QUERY).await;
    impyla_fetches_mixed_rows(pair.second.address(), Auth::Plain, ROWS, QUERY).await;
}

#[tokio::test]
async fn pyhive_fetches_what_was_written() {
    let pair = Pair::start().await;
    write_mixed_rows(&pair.first).await;
    pyhive_fetches_mixed_rows(pair.first.address(), Auth::NoSasl, ROWS, QUERY).await;
    pyhive_fetches_mixed_rows(pair.second.address(), Auth::Plain, ROWS, QUERY).await;
}

#[tokio::test]
async fn impyla_gets_the_first_row_of_a_query_that_does_not_end() {
    let node = Node::options().start().await;
    // It would take days.
    let sql = "SELECT id, lpad(cast(id AS string), 20, '0') FROM range(1000000000000)";
    let row = impyla_first_row(node.address(), Auth::Plain, sql).await;
    assert_eq!(row, format!("[0, \"{:020}\"]", 0));
}

async fn write_mixed_rows(node: &Node) {
    let select = mixed_rows_select(&format!("range({ROWS})"));
    let address = node.address().to_string();
    let (options, session) = Default::default();
    let session = hs2_client::connect(&address, &options, &session).await;
    let create = format!("CREATE TABLE mixed AS {select}");
    let operation = session.unwrap().execute(create).await.unwrap();
    operation.wait().await.unwrap();
    operation.close().await.unwrap();
}
