//! Queries while they run: streams, cancellation, memory, long statements.

use super::*;

#[tokio::test]
async fn a_large_result_streams() {
    let (node, _folder) = node().await;
    let mut execution = node
        .execute("SELECT id, lpad(cast(id AS string), 20, '0') s FROM range(50000000)")
        .await
        .unwrap();
    let first = execution.batches.next().await.unwrap().unwrap();
    assert_eq!(first.num_rows(), BATCH_ROWS);
    assert_eq!(
        first
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().as_str())
            .collect::<Vec<_>>(),
        ["id", "s"]
    );
    drop(execution);
    let mut next = 0;
    let mut execution = node
        .execute("SELECT id FROM range(100000) WHERE id % 2 = 0")
        .await
        .unwrap();
    while let Some(batch) = execution.batches.next().await {
        let batch = batch.unwrap();
        let ids = datafusion::arrow::array::AsArray::as_primitive::<
            datafusion::arrow::datatypes::Int64Type,
        >(batch.column(0));
        for id in ids.values() {
            assert_eq!(*id, next);
            next += 2;
        }
    }
    assert_eq!(next, 100_000);
    assert_eq!(
        node.rows("SELECT * FROM range(1, 8, 3)").await,
        ["1", "4", "7"]
    );
    assert_eq!(
        node.rows("SELECT sum(id) FROM range(5, 0, -2)").await,
        ["9"]
    );
    assert_eq!(node.rows("SELECT count(*) FROM range(0)").await, ["0"]);
}

#[tokio::test]
async fn dropping_the_stream_stops_the_query() {
    let (node, _folder) = node().await;
    let metrics = node.engine.shared.runtime.metrics();
    let idle = metrics.num_alive_tasks();
    let mut executions = Vec::new();
    for _ in 0..3 {
        let mut execution = node
            .execute("SELECT id, id % 7 FROM range(1000000000000)")
            .await
            .unwrap();
        execution.batches.next().await.unwrap().unwrap();
        executions.push(execution);
    }
    let mut grouping = node
        .execute("SELECT id % 1000, count(*) FROM range(1000000000000) GROUP BY id % 1000")
        .await
        .unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(50), grouping.batches.next())
            .await
            .is_err()
    );
    assert!(metrics.num_alive_tasks() > idle);
    drop((executions, grouping));
    eventually("the tasks end", || metrics.num_alive_tasks() <= idle).await;
    let insert = node
        .execute("CREATE TABLE t AS SELECT id FROM range(1000000000000)")
        .await
        .unwrap();
    let mut batches = insert.batches;
    assert!(
        tokio::time::timeout(Duration::from_millis(50), batches.next())
            .await
            .is_err()
    );
    drop(batches);
    eventually("the tasks end", || metrics.num_alive_tasks() <= idle).await;
    assert_eq!(node.rows("SHOW TABLES").await, [""; 0]);
}

#[tokio::test]
async fn memory_is_limited_and_one_query_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let spill = tempfile::tempdir().unwrap();
    let options = DataFusionOptions {
        memory_limit_bytes: 4 << 20,
        spill_dir: spill.path().to_owned(),
        target_partitions: 2,
        ..DataFusionOptions::new(folder.path())
    };
    let engine = DataFusionEngine::new(&options).unwrap();
    let session = engine
        .open_session(SessionOptions::default())
        .await
        .unwrap();
    let node = Node { engine, session };
    let error = node.error("SELECT collect_list(concat(cast(id as string), 'xxxxxxxxxxxxxxxxxxxx')) FROM range(2000000)").await;
    assert_eq!(error.sqlstate, "08S01");
    assert!(error.message.contains("memory"), "{}", error.message);
    assert_eq!(node.rows("SELECT 1").await, ["1"]);
    drop(node);
    eventually("the spill folder is removed", || {
        // The lock file stays.
        std::fs::read_dir(spill.path()).unwrap().count() == 1
    })
    .await;
}

#[tokio::test]
async fn the_engine_stops_without_waiting() {
    let (node, _folder) = node().await;
    let mut execution = node
        .execute("SELECT id FROM range(1000000000000)")
        .await
        .unwrap();
    execution.batches.next().await.unwrap().unwrap();
    node.engine.shutdown();
    let mut last = None;
    while let Some(batch) = execution.batches.next().await {
        last = Some(batch);
    }
    assert_eq!(last.unwrap().expect_err("was stopped").sqlstate, "08S01");
    assert_eq!(node.error("SELECT 1").await.sqlstate, "08S01");
}

#[tokio::test]
async fn long_chains_of_operators_plan() {
    let (node, _folder) = node().await;
    let sum = format!("SELECT 0{}", " + 1".repeat(300));
    assert_eq!(node.rows(&sum).await, ["300"]);
    let list: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    let sql = format!(
        "SELECT count(*) FROM range(100000) WHERE id IN ({})",
        list.join(",")
    );
    assert_eq!(node.rows(&sql).await, ["20000"]);
}

#[tokio::test]
async fn as_many_joins_and_views_as_are_allowed_plan() {
    let (node, _folder) = node().await;
    let many = |count: usize, each: &dyn Fn(usize) -> String| {
        (0..count).map(each).collect::<Vec<_>>().join(" ")
    };
    let views = many(100, &|i| {
        format!("LATERAL VIEW explode(array(1)) e{i} AS c{i}")
    });
    let started = Instant::now();
    let sql = format!("SELECT sum(c0 + c99) FROM range(1) {views}");
    assert_eq!(node.rows(&sql).await, ["2"]);
    eprintln!("views: {:?}", started.elapsed());
    let started = Instant::now();
    let joins = many(100, &|i| format!("JOIN range(2) t{i} ON t{i}.id = t.id"));
    let sql = format!("SELECT count(*) FROM range(2) t {joins}");
    assert_eq!(node.rows(&sql).await, ["2"]);
    eprintln!("joins: {:?}", started.elapsed());
}

#[tokio::test]
async fn what_doubles_with_every_name_is_refused() {
    let (node, _folder) = node().await;
    node.run("CREATE VIEW v0 AS SELECT 1 a").await;
    for i in 1..=9 {
        let below = i - 1;
        node.run(&format!(
            "CREATE VIEW v{i} AS SELECT l.a FROM v{below} l JOIN v{below} r ON l.a = r.a"
        ))
        .await;
    }
    assert_eq!(node.rows("SELECT a FROM v5").await, ["1"]);
    let tables: Vec<String> = (1..=28)
        .map(|i| format!("t{i} AS (SELECT l.a FROM t{0} l, t{0} r)", i - 1))
        .collect();
    let with = format!("WITH t0 AS (SELECT 1 a), {}", tables.join(", "));
    let started = Instant::now();
    for (sql, of) in [
        (format!("{with} SELECT a FROM t28"), "tables"),
        (
            format!("{with} SELECT 1 WHERE EXISTS (SELECT a FROM t28)"),
            "tables",
        ),
        (
            "SELECT 1 FROM v9 a, v9 b, v9 c, v9 d, v9 e, v9 f, v9 g, v9 h, v9 i, v9 j, v9 k"
                .to_owned(),
            "operators",
        ),
    ] {
        let error = node.error(&sql).await;
        assert_eq!(error.sqlstate, "0A000", "{}", error.message);
        assert!(error.message.contains(of), "{}", error.message);
    }
    eprintln!("refused after {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(30));
}
