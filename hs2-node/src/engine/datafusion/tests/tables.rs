//! Tables: what they keep, who sees it, how they change.

use super::*;

#[tokio::test]
async fn tables_keep_every_type() {
    let (node, folder) = node().await;
    node.run(
        "CREATE TABLE types (b BOOLEAN, t TINYINT, s SMALLINT, i INT, l BIGINT, f FLOAT, d DOUBLE, x DECIMAL(10,2), \
         str STRING, v VARCHAR(3), c CHAR(3), bin BINARY, dt DATE, ts TIMESTAMP, a ARRAY<INT>, st STRUCT<p:INT,q:STRING>, m MAP<STRING,INT>)",
    )
    .await;
    node.run(
        "INSERT INTO types SELECT true, 1, 2, 3, 4, 0.5, 1.5, '12.345', 'é', 'abcd', 'a', cast('xy' as binary), '2024-02-29', \
         '2024-02-29 01:02:03.000004', array(1, NULL), named_struct('p', 1, 'q', 'z'), NULL",
    )
    .await;
    node.run("INSERT INTO types (i, str) VALUES (7, NULL)")
        .await;
    let expected = [
        "true|1|2|3|4|0.5|1.5|12.35|é|abc|a  |7879|2024-02-29|2024-02-29T01:02:03.000004|[1, NULL]|{p: 1, q: z}|NULL",
        "NULL|NULL|NULL|7|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL",
    ];
    assert_eq!(node.rows("SELECT * FROM types").await, expected);
    // Another engine over the same folder, after a restart of the first.
    drop(node);
    let again = Node::start(folder.path()).await;
    assert_eq!(again.rows("SELECT * FROM types").await, expected);
    assert_eq!(
        again
            .rows("SELECT st.q, a[0], v FROM types WHERE l = 4 AND x > 12.3 AND dt = '2024-02-29'")
            .await,
        ["z|1|abc"]
    );
    assert_eq!(
        again.rows("DESCRIBE types").await,
        [
            "b|boolean|",
            "t|tinyint|",
            "s|smallint|",
            "i|int|",
            "l|bigint|",
            "f|float|",
            "d|double|",
            "x|decimal(10,2)|",
            "str|string|",
            "v|varchar(3)|",
            "c|char(3)|",
            "bin|binary|",
            "dt|date|",
            "ts|timestamp|",
            "a|array<int>|",
            "st|struct<p:int,q:string>|",
            "m|map<string,int>|"
        ]
    );
    assert!(again.columns("SELECT v, c FROM types").await == ["v varchar(3)", "c char(3)"]);
    assert_eq!(
        again
            .rows("SELECT v, count(*) FROM types GROUP BY v ORDER BY v")
            .await,
        ["NULL|1", "abc|1"]
    );
}

#[tokio::test]
async fn every_node_of_a_warehouse_sees_the_same() {
    let (one, folder) = node().await;
    let two = Node::start(folder.path()).await;
    one.run("CREATE DATABASE Sales COMMENT 'c'").await;
    two.run("USE `sales`").await;
    assert_eq!(two.session.current_database(), "sales");
    two.run("CREATE TABLE t AS SELECT 1 AS a").await;
    assert_eq!(one.rows("SHOW TABLES IN sales").await, ["t"]);
    one.run("INSERT INTO sales.t VALUES (2), (3)").await;
    assert_eq!(
        two.rows("SELECT a FROM t ORDER BY a").await,
        ["1", "2", "3"]
    );
    assert_eq!(
        two.rows("SELECT a FROM t").await,
        ["1", "2", "3"],
        "rows keep the order of their inserts"
    );
    one.run("DROP TABLE sales.t").await;
    assert_eq!(two.error("SELECT a FROM t").await.sqlstate, "42S02");
    let catalog = two.session.catalog().await.unwrap();
    assert_eq!(
        catalog.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(),
        ["default", "sales"]
    );
    one.run("DROP DATABASE sales").await;
    assert_eq!(two.error("SHOW TABLES IN sales").await.code, 10072);
    assert_eq!(two.error("CREATE TABLE x (a INT)").await.code, 10072);
}

#[tokio::test]
async fn a_failed_insert_leaves_nothing() {
    let (node, folder) = node().await;
    node.run("CREATE TABLE t (s STRING)").await;
    node.run("INSERT INTO t VALUES ('kept')").await;
    // The third batch of rows asks for a string that is too long.
    let sql = "INSERT INTO t SELECT repeat('x', if(id < 20000, 1, 2000000000)) FROM range(30000)";
    let mut execution = node.execute(sql).await.unwrap();
    assert_eq!(
        node.rows("SELECT count(*) FROM t").await,
        ["1"],
        "nothing runs before the stream is polled"
    );
    let error = execution
        .batches
        .next()
        .await
        .expect("fails")
        .expect_err("fails");
    assert_eq!(error.sqlstate, "08S01");
    assert!(error.message.contains("longer than"), "{}", error.message);
    assert_eq!(node.rows("SELECT s FROM t").await, ["kept"]);
    assert_eq!(
        node.error(
            "CREATE TABLE u AS SELECT repeat('x', if(id < 20000, 1, 2000000000)) FROM range(30000)"
        )
        .await
        .sqlstate,
        "08S01"
    );
    assert_eq!(node.rows("SHOW TABLES").await, ["t"]);
    // No file is left beside the one of the first insert.
    let database = folder.path().join("default.db");
    let table = std::fs::read_dir(database.join("t"))
        .unwrap()
        .flatten()
        .find(|e| e.path().is_dir())
        .unwrap();
    assert_eq!(std::fs::read_dir(table.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(database).unwrap().count(), 2);
}

#[tokio::test]
async fn overwrite_truncate_and_views() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE t (a INT, b STRING)").await;
    node.run("INSERT INTO TABLE t VALUES (1, 'x'), (2, 'y')")
        .await;
    node.run("CREATE VIEW v (n, twice) AS SELECT a, a * 2 FROM t WHERE b <> 'none'")
        .await;
    assert_eq!(
        node.rows("SELECT * FROM v ORDER BY n").await,
        ["1|2", "2|4"]
    );
    assert_eq!(
        node.columns("SELECT * FROM v").await,
        ["v.n int", "v.twice int"]
    );
    node.run("INSERT OVERWRITE TABLE t SELECT a + 10, b FROM t WHERE a = 2")
        .await;
    assert_eq!(node.rows("SELECT n FROM v").await, ["12"]);
    node.run("TRUNCATE TABLE t").await;
    assert_eq!(node.rows("SELECT * FROM t").await, [""; 0]);
    assert_eq!(node.rows("SELECT count(*) FROM v").await, ["0"]);
    assert_eq!(node.rows("SHOW VIEWS").await, ["v"]);
    assert_eq!(node.rows("SHOW TABLES").await, ["t", "v"]);
    assert_eq!(node.error("DROP TABLE v").await.sqlstate, "08S01");
    assert_eq!(
        node.error("INSERT INTO v VALUES (1, 2)").await.sqlstate,
        "0A000"
    );
    node.run("DROP VIEW v").await;
    node.run("CREATE OR REPLACE VIEW w AS SELECT 1 a").await;
    node.run("CREATE OR REPLACE VIEW w AS SELECT 2 a").await;
    assert_eq!(node.rows("SELECT a FROM w").await, ["2"]);
    // A view that came to refer to itself is an error, not an endless descent.
    node.run("CREATE VIEW w2 AS SELECT a FROM w").await;
    node.run("CREATE OR REPLACE VIEW w AS SELECT a FROM w2")
        .await;
    assert!(
        node.error("SELECT a FROM w")
            .await
            .message
            .contains("views nest deeper")
    );
}

#[tokio::test]
async fn external_tables_read_files_of_others() {
    let (node, _folder) = node().await;
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("with space & [x]");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.csv"), "1,one\n2,two\n").unwrap();
    std::fs::write(folder.join("_SUCCESS"), "").unwrap();
    let location = folder.display();
    node.run(&format!(
        "CREATE EXTERNAL TABLE c (id INT, word STRING) STORED AS CSV LOCATION '{location}'"
    ))
    .await;
    assert_eq!(
        node.rows("SELECT word, id FROM c ORDER BY id").await,
        ["one|1", "two|2"]
    );
    std::fs::write(folder.join("b.csv"), "3,three\n").unwrap();
    assert_eq!(node.rows("SELECT count(*) FROM c").await, ["3"]);
    node.run("DROP TABLE c").await;
    assert!(folder.join("a.csv").exists());
    let json = data.path().join("json");
    std::fs::create_dir(&json).unwrap();
    std::fs::write(
        json.join("a.json"),
        "{\"id\":1,\"word\":\"one\"}\n{\"id\":2}\n",
    )
    .unwrap();
    node.run(&format!(
        "CREATE EXTERNAL TABLE j (id BIGINT, word STRING) STORED AS JSON LOCATION 'file://{}'",
        json.display()
    ))
    .await;
    assert_eq!(
        node.rows("SELECT * FROM j ORDER BY id").await,
        ["1|one", "2|NULL"]
    );
}

#[tokio::test]
async fn values_are_converted_as_any_row() {
    let (node, _folder) = node().await;
    let columns =
        "(i INT, t TINYINT, s STRING, x DECIMAL(5,1), d DOUBLE, b BOOLEAN, dt DATE, v VARCHAR(2))";
    // Constants, and the same cells as expressions.
    for (table, open, close) in [("constants", "", ""), ("expressions", "(", ")")] {
        node.run(&format!("CREATE TABLE {table} {columns}")).await;
        let cell = |cell: &str| format!("{open}{cell}{close}");
        let row = |cells: &[&str]| {
            format!(
                "({})",
                cells.iter().map(|c| cell(c)).collect::<Vec<_>>().join(", ")
            )
        };
        let rows = [
            row(&[
                "1.9",
                "300",
                "1.50",
                "12.25",
                "'1e3'",
                "0",
                "'2024-02-30'",
                "'abc'",
            ]),
            row(&[
                "'7'",
                "-1",
                "1e7",
                "-0.05",
                "3",
                "1.5",
                "'2024-02-29'",
                "12345",
            ]),
            row(&[
                "3000000000",
                "NULL",
                "true",
                "99999",
                "NULL",
                "true",
                "NULL",
                "NULL",
            ]),
            row(&[
                "-1e10",
                "'x'",
                "'it\\'s'",
                "'1.25'",
                "-1.5",
                "NULL",
                "'2024-02-29 01:02:03'",
                "''",
            ]),
        ];
        node.run(&format!("INSERT INTO {table} VALUES {}", rows.join(", ")))
            .await;
        assert_eq!(
            node.rows(&format!("SELECT * FROM {table}")).await,
            [
                "1|44|1.5|12.3|1000.0|false|NULL|ab",
                "7|-1|1.0E7|-0.1|3.0|true|2024-02-29|12",
                "-1294967296|NULL|TRUE|NULL|NULL|true|NULL|NULL",
                "-2147483648|NULL|it's|1.3|-1.5|NULL|2024-02-29|",
            ],
            "{table}"
        );
        let error = node
            .error(&format!(
                "INSERT INTO {table} (b) VALUES ({open}'true'{close})"
            ))
            .await;
        assert_eq!(error.sqlstate, "0A000", "{}", error.message);
        assert_eq!(
            node.error(&format!("INSERT INTO {table} VALUES (1), (1, 2)"))
                .await
                .code,
            10044
        );
    }
}

#[tokio::test]
async fn characters_of_fixed_length() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE t (id INT, v VARCHAR(3), c CHAR(5), s STRING)")
        .await;
    node.run("INSERT INTO t VALUES (1, 'abcd', 'ab  ', 'abcdef')")
        .await;
    assert_eq!(
        node.rows(
            "SELECT v, c, concat(c, '.'), length(c), c = 'ab', c LIKE 'ab', c < 'abc' FROM t"
        )
        .await,
        ["abc|ab   |ab.|2|true|true|true"]
    );
    for sql in [
        "SELECT c FROM (SELECT c FROM t) q",
        "SELECT c FROM t UNION ALL SELECT c FROM t LIMIT 1",
        "SELECT lag(c, 0) OVER (ORDER BY id) c FROM t",
        "SELECT c FROM t GROUP BY c",
    ] {
        assert_eq!(node.rows(sql).await, ["ab   "], "{sql}");
        assert!(node.columns(sql).await[0].ends_with("char(5)"), "{sql}");
    }
    assert_eq!(
        node.columns("SELECT coalesce(c, s) x, if(id = 1, s, c) y FROM t")
            .await,
        ["x string", "y string"]
    );
    for sql in [
        "SELECT max(c) FROM t",
        "SELECT min(c) OVER () FROM t",
        "SELECT collect_list(c) FROM t",
        "SELECT coalesce(c, NULL) FROM t",
        "SELECT CASE WHEN id = 1 THEN c END FROM t",
        "SELECT array(c) FROM t",
        "SELECT named_struct('c', c) FROM t",
        "SELECT v FROM t UNION ALL SELECT s FROM t",
        "CREATE TABLE x (a ARRAY<CHAR(3)>)",
        "CREATE EXTERNAL TABLE x (a VARCHAR(3)) STORED AS PARQUET LOCATION '/tmp'",
    ] {
        let error = node.error(sql).await;
        assert_eq!(error.sqlstate, "0A000", "{sql}: {}", error.message);
        assert!(error.message.contains("char"), "{sql}: {}", error.message);
    }
}

#[tokio::test]
async fn text_files_are_read_as_hive_reads_them() {
    let (node, _folder) = node().await;
    let data = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let folder = data.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("part"), text).unwrap();
        folder.display().to_string()
    };
    let tabs = write(
        "tabs",
        "id\tword\tn\tok\tday\n1\t\"one\"\t1.5\ttrue\t2024-02-29\n\\N\t\tx\tFALSE\tx\n",
    );
    node.run(&format!(
        "CREATE EXTERNAL TABLE tabs (id INT, word STRING, n DECIMAL(5,1), ok BOOLEAN, day DATE) \
         ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' LINES TERMINATED BY '\\n' STORED AS TEXTFILE \
         LOCATION '{tabs}' TBLPROPERTIES ('skip.header.line.count'='1')"
    ))
    .await;
    assert_eq!(
        node.rows("SELECT * FROM tabs").await,
        ["1|\"one\"|1.5|true|2024-02-29", "NULL||NULL|false|NULL"]
    );
    assert_eq!(
        node.rows("SELECT word FROM tabs WHERE id = 1 AND ok").await,
        ["\"one\""]
    );
    let made = node.rows("SHOW CREATE TABLE tabs").await.join("\n");
    node.run("DROP TABLE tabs").await;
    node.run(&made).await;
    assert_eq!(
        node.rows("SELECT count(*) FROM tabs WHERE word = ''").await,
        ["1"]
    );
    let plain = write("plain", "7\u{1}a,b\n");
    node.run(&format!(
        "CREATE EXTERNAL TABLE plain (id BIGINT, s STRING) STORED AS TEXTFILE LOCATION '{plain}'"
    ))
    .await;
    assert_eq!(node.rows("SELECT * FROM plain").await, ["7|a,b"]);
    let csv = write("csv", "\"a;b\";x\n");
    node.run(&format!(
        "CREATE EXTERNAL TABLE csv (s STRING, n INT) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' \
         WITH SERDEPROPERTIES ('separatorChar' = ';') LOCATION '{csv}'"
    ))
    .await;
    assert_eq!(node.rows("SELECT * FROM csv").await, ["a;b|NULL"]);
    for (sql, name) in [
        (
            "CREATE EXTERNAL TABLE x (a ARRAY<INT>) STORED AS TEXTFILE LOCATION '/tmp'",
            "array<int>",
        ),
        (
            "CREATE EXTERNAL TABLE x (a INT) STORED AS ORC LOCATION '/tmp'",
            "orc",
        ),
        ("CREATE TABLE x (a INT) STORED AS TEXTFILE", "textfile"),
        (
            "CREATE EXTERNAL TABLE x (a INT) ROW FORMAT SERDE 'a.RegexSerDe' LOCATION '/tmp'",
            "RegexSerDe",
        ),
    ] {
        let error = node.error(sql).await;
        assert_eq!(error.sqlstate, "0A000", "{sql}: {}", error.message);
        assert!(error.message.contains(name), "{sql}: {}", error.message);
    }
}

/// Between a statement's compilation and its turn, others may have changed the table.
#[tokio::test]
async fn what_changed_since_a_statement_was_compiled_is_kept() {
    let (node, folder) = node().await;
    let other = Node::start(folder.path()).await;
    let compiled = async |sql: &str| node.execute(sql).await.unwrap().batches;
    node.run("CREATE TABLE t (a INT)").await;
    node.run("INSERT INTO t VALUES (1)").await;

    let mut alter = compiled("ALTER TABLE t ADD COLUMNS (b INT)").await;
    other.run("INSERT OVERWRITE TABLE t VALUES (2)").await;
    assert!(alter.next().await.is_none());
    assert_eq!(node.rows("SELECT * FROM t").await, ["2|NULL"]);

    let mut insert = compiled("INSERT INTO t VALUES (3, 3)").await;
    let mut overwrite = compiled("INSERT OVERWRITE TABLE t VALUES (5, 5)").await;
    let mut truncate = compiled("TRUNCATE TABLE t").await;
    other.run("INSERT OVERWRITE TABLE t VALUES (4, 4)").await;
    other.run("ALTER TABLE t ADD COLUMNS (c INT)").await;
    assert!(insert.next().await.is_none());
    assert_eq!(node.rows("SELECT * FROM t").await, ["4|4|NULL", "3|3|NULL"]);
    assert!(overwrite.next().await.is_none());
    assert_eq!(node.rows("SELECT * FROM t").await, ["5|5|NULL"]);
    assert!(truncate.next().await.is_none());
    assert_eq!(node.rows("SELECT * FROM t").await, [""; 0]);
    assert_eq!(
        node.rows("DESCRIBE t").await,
        ["a|int|", "b|int|", "c|int|"]
    );
    // One data folder is left.
    let table = folder.path().join("default.db").join("t");
    let folders = std::fs::read_dir(table).unwrap().flatten();
    assert_eq!(folders.filter(|e| e.path().is_dir()).count(), 1);

    let mut insert = compiled("INSERT INTO t VALUES (1, 2, 3)").await;
    let mut alter = compiled("ALTER TABLE t SET TBLPROPERTIES ('k'='v')").await;
    other.run("DROP TABLE t").await;
    let error = alter.next().await.unwrap().unwrap_err();
    assert_eq!(error.sqlstate, "42S02", "{}", error.message);
    other.run("CREATE TABLE t (x STRING)").await;
    let error = insert.next().await.unwrap().unwrap_err();
    assert!(error.message.contains("run it again"), "{}", error.message);
}

#[tokio::test]
async fn an_altered_external_table_can_be_read() {
    let (node, _folder) = node().await;
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("part"), "1\n").unwrap();
    let location = data.path().display();
    for (name, format) in [("text", "TEXTFILE"), ("csv", "CSV"), ("json", "JSON")] {
        node.run(&format!(
            "CREATE EXTERNAL TABLE {name} (id INT) STORED AS {format} LOCATION '{location}'"
        ))
        .await;
    }
    for (sql, text) in [
        ("ALTER TABLE text ADD COLUMNS (b STRING)", "ADD COLUMNS"),
        ("ALTER TABLE csv ADD COLUMNS (b STRING)", "ADD COLUMNS"),
        ("ALTER TABLE json ADD COLUMNS (b VARCHAR(3))", "varchar"),
        (
            "ALTER TABLE text SET TBLPROPERTIES ('skip.header.line.count'='2')",
            "skip.header.line.count",
        ),
        (
            "ALTER TABLE csv SET TBLPROPERTIES ('skip.footer.line.count'='1')",
            "skip.footer.line.count",
        ),
        (
            "ALTER TABLE csv SET TBLPROPERTIES ('field.delim'='||')",
            "field.delim",
        ),
    ] {
        let error = node.error(sql).await;
        assert_eq!(error.sqlstate, "0A000", "{sql}: {}", error.message);
        assert!(error.message.contains(text), "{sql}: {}", error.message);
    }
    node.run("ALTER TABLE text SET TBLPROPERTIES ('skip.header.line.count'='1')")
        .await;
    assert_eq!(node.rows("SELECT * FROM text").await, [""; 0]);
    assert_eq!(node.rows("SELECT * FROM csv").await, ["1"]);
}
