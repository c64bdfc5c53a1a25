use tests::peers::jdbc_prepared;

use crate::fixture::Pair;

/// The driver sends `'it\'s'`, with Hive's escape: it must neither break out of the literal nor lose its backslash.
#[tokio::test]
async fn a_bound_string_arrives_as_it_is() {
    let pair = Pair::start().await;
    let values = [
        "it's",
        "' OR 1=1 -- ",
        "''",
        "",
        "'; DROP TABLE t; --",
        "two\nlines\tand a tab",
        "řádek 行 🐎",
        "100% \"quoted\" ${x} $1 ?",
    ];
    for node in [&pair.first, &pair.second] {
        let url = format!("jdbc:hive2://{}/default", node.address());
        assert_eq!(jdbc_prepared(&url, &values).await, values);
    }
}
