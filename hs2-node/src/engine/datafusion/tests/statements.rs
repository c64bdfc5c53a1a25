//! What tools send at startup and by menu, and variables.

use super::*;

#[tokio::test]
async fn statements_of_tools() {
    let (node, folder) = node().await;
    node.run("CREATE TABLE sales_2024 (Id INT COMMENT 'it\\'s', Name STRING) COMMENT 'sold'")
        .await;
    assert_eq!(node.rows("show tables like 'SALES*'").await, ["sales_2024"]);
    assert_eq!(
        node.columns("SHOW TABLES IN default LIKE 'x*'").await,
        ["tab_name string"]
    );
    assert_eq!(node.rows("SHOW SCHEMAS LIKE 'def*'").await, ["default"]);
    assert_eq!(
        node.columns("SHOW DATABASES").await,
        ["database_name string"]
    );
    assert_eq!(
        node.rows("SHOW COLUMNS IN sales_2024").await,
        ["id", "name"]
    );
    assert!(
        node.rows("SHOW FUNCTIONS")
            .await
            .contains(&"concat".to_owned())
    );
    assert_eq!(
        node.rows("DESC default.sales_2024;").await,
        ["id|int|it's", "name|string|"]
    );
    assert_eq!(
        node.rows("DESCRIBE sales_2024 name").await,
        ["name|string|"]
    );
    let formatted = node.rows("DESCRIBE FORMATTED sales_2024").await.join("\n");
    assert!(
        formatted.contains("# Detailed Table Information||") && formatted.contains("MANAGED_TABLE"),
        "{formatted}"
    );
    assert!(
        node.rows("DESCRIBE EXTENDED sales_2024")
            .await
            .join("\n")
            .contains("Detailed Table Information")
    );
    assert!(
        node.rows("DESCRIBE DATABASE default").await[0]
            .starts_with("default|Default Hive database|file:")
    );
    assert!(
        node.rows("EXPLAIN SELECT * FROM sales_2024")
            .await
            .join("\n")
            .contains("TableScan")
    );
    let made = node.rows("SHOW CREATE TABLE sales_2024").await.join("\n");
    node.run("DROP TABLE sales_2024").await;
    node.run(&made).await;
    assert_eq!(
        node.rows("DESCRIBE sales_2024").await,
        ["id|int|it's", "name|string|"]
    );
    assert_eq!(
        node.rows("SET hive.execution.engine").await,
        ["hive.execution.engine=datafusion"]
    );
    node.run("SET x.y = a b ").await;
    assert_eq!(node.rows("SET x.y").await, ["x.y=a b"]);
    assert!(node.rows("SET -v").await.contains(&"x.y=a b".to_owned()));
    node.run("RESET").await;
    assert_eq!(node.rows("SET x.y").await, ["x.y is undefined"]);
    node.run("DROP TABLE IF EXISTS nosuch").await;
    node.run("CREATE DATABASE IF NOT EXISTS default").await;
    node.run("CREATE TABLE IF NOT EXISTS sales_2024 (other INT)")
        .await;
    assert_eq!(
        node.rows("SELECT current_database(), current_user()").await,
        ["default|me"]
    );
    let table = &node.session.catalog().await.unwrap()[0].tables[0];
    assert_eq!(
        (table.name.as_str(), table.kind, table.comment.as_deref()),
        ("sales_2024", TableKind::Managed, Some("sold"))
    );
    for bad in [
        "CREATE DATABASE `../x`",
        "CREATE TABLE `../../x` (a INT)",
        "CREATE TABLE `a/b` (a INT)",
    ] {
        let error = node.error(bad).await;
        assert_eq!((error.sqlstate, error.code), ("08S01", 1), "{bad}");
    }
    assert_eq!(
        node.error("SELECT * FROM `../default`.`sales_2024`")
            .await
            .code,
        10072
    );
    assert!(!folder.path().parent().unwrap().join("x.db").exists());
}

#[tokio::test]
async fn variables_are_replaced_before_parsing() {
    let (node, _folder) = node().await;
    let options = SessionOptions {
        vars: BTreeMap::from([("n".to_owned(), "7".to_owned())]),
        conf: BTreeMap::from([("my.conf".to_owned(), "c".to_owned())]),
        ..SessionOptions::default()
    };
    let session = node.engine.open_session(options).await.unwrap();
    let node = Node {
        session,
        engine: node.engine.clone(),
    };
    assert_eq!(
        node.rows("SELECT ${n} + ${hivevar:n}, '${hiveconf:my.conf}', '${unknown}'")
            .await,
        ["14|c|${unknown}"]
    );
    node.run("SET hivevar:m=${n}8").await;
    assert_eq!(node.rows("SELECT ${m}").await, ["78"]);
    node.run("SET hive.variable.substitute=false").await;
    assert_eq!(node.rows("SELECT '${n}'").await, ["${n}"]);
    let unknown = SessionOptions {
        database: Some("nodb".into()),
        ..SessionOptions::default()
    };
    assert_eq!(
        node.engine
            .open_session(unknown)
            .await
            .expect_err("no such database")
            .code,
        10072
    );
}

#[tokio::test]
async fn tables_are_altered() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE t (a INT)").await;
    node.run("INSERT INTO t VALUES (1)").await;
    node.run("ALTER TABLE t ADD COLUMNS (b STRING COMMENT 'new')")
        .await;
    node.run("INSERT INTO t VALUES (2, 'x')").await;
    assert_eq!(
        node.rows("SELECT * FROM t ORDER BY a").await,
        ["1|NULL", "2|x"]
    );
    assert_eq!(
        node.error("ALTER TABLE t ADD COLUMNS (a INT)").await.code,
        10036
    );
    node.run("CREATE DATABASE other").await;
    node.run("ALTER TABLE t RENAME TO other.u").await;
    assert_eq!(
        node.rows("SELECT a FROM other.u ORDER BY a").await,
        ["1", "2"]
    );
    assert_eq!(node.error("SELECT a FROM t").await.sqlstate, "42S02");
    assert_eq!(
        node.error("ALTER TABLE t RENAME TO v").await.sqlstate,
        "42S02"
    );
    node.run("CREATE TABLE t (a INT)").await;
    assert!(
        node.error("ALTER TABLE t RENAME TO other.u")
            .await
            .message
            .contains("already exists")
    );
    node.run("ALTER TABLE t SET TBLPROPERTIES ('comment'='c', 'k'='v')")
        .await;
    assert_eq!(
        node.rows("SHOW TBLPROPERTIES t").await,
        ["comment|c", "k|v"]
    );
    assert_eq!(node.rows("SHOW TBLPROPERTIES t('k')").await, ["k|v"]);
    assert!(node.rows("SHOW TBLPROPERTIES t('x')").await[0].contains("does not have property: x"));
    node.run("ALTER TABLE t UNSET TBLPROPERTIES ('k')").await;
    assert_eq!(
        node.error("ALTER TABLE t UNSET TBLPROPERTIES ('k')")
            .await
            .code,
        10215
    );
    node.run("ALTER TABLE t UNSET TBLPROPERTIES IF EXISTS ('k')")
        .await;
    assert_eq!(node.rows("SHOW TBLPROPERTIES t").await, ["comment|c"]);
    node.run("CREATE VIEW v AS SELECT a FROM t").await;
    assert_eq!(node.error("ALTER TABLE v RENAME TO w").await.code, 10131);
    assert_eq!(node.error("ALTER VIEW t RENAME TO w").await.code, 10132);
    node.run("ALTER VIEW v RENAME TO w").await;
    assert_eq!(node.rows("SELECT count(*) FROM w").await, ["0"]);
}

#[tokio::test]
async fn further_statements_of_tools() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE t (a INT)").await;
    for sql in [
        "EXPLAIN EXTENDED SELECT a FROM t",
        "EXPLAIN FORMATTED SELECT a FROM t",
    ] {
        assert!(
            node.rows(sql).await.join("\n").contains("TableScan"),
            "{sql}"
        );
    }
    assert!(node.rows("DESCRIBE FUNCTION upper").await[0].starts_with("upper "));
    assert!(node.rows("DESC FUNCTION EXTENDED `upper`").await[0].starts_with("upper "));
    assert!(node.rows("DESCRIBE FUNCTION '+'").await[0].contains("does not exist"));
    assert!(node.rows("DESCRIBE FUNCTION +").await[0].contains("does not exist"));
    assert_eq!(
        node.rows("SHOW FUNCTIONS LIKE 'get_json*'").await,
        ["get_json_object"]
    );
    assert_eq!(
        node.rows("SHOW TABLES IN default LIKE 'x*|t*'").await,
        ["t"]
    );
    node.run("CREATE TABLE IF NOT EXISTS u LIKE t").await;
    node.run("CREATE TABLE c STORED AS PARQUET TBLPROPERTIES ('x'='y') AS SELECT a, 'x' s FROM t")
        .await;
    assert_eq!(node.rows("DESCRIBE c").await, ["a|int|", "s|string|"]);
    let formatted = node.rows("DESCRIBE FORMATTED c").await.join("\n");
    for part in [
        "Table Parameters:||",
        "|x|y",
        "# Storage Information||",
        "ParquetHiveSerDe",
        "Location:|file:",
    ] {
        assert!(formatted.contains(part), "{part} in {formatted}");
    }
    node.run("CREATE VIEW v AS SELECT a FROM t").await;
    assert!(
        node.rows("DESCRIBE FORMATTED v")
            .await
            .contains(&"View Original Text:|SELECT a FROM t|".to_owned())
    );
    node.run("CREATE DATABASE d").await;
    node.run("CREATE TABLE d.t (a INT)").await;
    assert!(
        node.error("DROP DATABASE d")
            .await
            .message
            .contains("not empty")
    );
    node.run("DROP DATABASE IF EXISTS d CASCADE").await;
    node.run("DROP DATABASE IF EXISTS d").await;
    node.run("USE `default`").await;
}
