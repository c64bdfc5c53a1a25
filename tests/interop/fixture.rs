use tempfile::TempDir;
use tests::fleet::Fleet;
use tests::node::Node;
use tests::zookeeper::SharedZooKeeper;

/// A query that takes seconds, over a table made for it, and so tells how far it is.
pub(crate) const WATCHED_TABLE: &str = "CREATE TABLE watched AS SELECT id, lpad(cast(id AS string), 20, '0') AS digits FROM range(400000)";
pub(crate) const WATCHED: &str =
    "SELECT max(sha2(concat(digits, 'x'), 512)) AS m FROM watched GROUP BY id % 2 ORDER BY m";

/// Two nodes of different versions in a namespace of their own, sharing a warehouse.
pub(crate) struct Pair {
    pub(crate) fleet: Fleet,
    pub(crate) first: Node,
    pub(crate) second: Node,
    _warehouse: TempDir,
}

impl Pair {
    pub(crate) async fn start() -> Self {
        let zookeeper = SharedZooKeeper::get().await;
        let fleet = Fleet::new(zookeeper.connect_string()).await;
        let warehouse = tempfile::tempdir().unwrap();
        let node = |version| fleet.node(version).warehouse(warehouse.path()).start();
        Self {
            first: node("1.0").await,
            second: node("2.0").await,
            fleet,
            _warehouse: warehouse,
        }
    }
}
