//! Clauses of a query: names of columns, order, groups, joins, lists.

use super::*;

#[tokio::test]
async fn columns_are_named_as_in_hive() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE t (Id INT, Name STRING)").await;
    let names = async |sql: &str| {
        let columns = node.columns(sql).await;
        columns
            .iter()
            .map(|c| c.split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(
        names("SELECT 1, id, 1+1, upper(name) FROM t").await,
        "_c0,id,_c2,_c3"
    );
    assert_eq!(names("SELECT ID, `NAME` AS Foo FROM T").await, "id,foo");
    assert_eq!(
        names("SELECT t.id, x.name FROM t JOIN t x ON t.id = x.id").await,
        "t.id,x.name"
    );
    assert_eq!(names("SELECT * FROM t").await, "t.id,t.name");
    assert_eq!(names("SELECT *, id, 1 FROM t").await, "t.id,t.name,id,_c2");
    assert_eq!(
        names("SELECT s.* FROM (SELECT 1, 2 AS b) s").await,
        "s._c0,s.b"
    );
    assert_eq!(names("SELECT id, id FROM t").await, "id,id");
    assert_eq!(names("SELECT 1 a UNION ALL SELECT 2 b").await, "a");
    assert_eq!(names("SELECT named_struct('f', 1).f").await, "_c0");
    node.run("SET hive.resultset.use.unique.column.names=false")
        .await;
    assert_eq!(names("SELECT * FROM t").await, "id,name");
    assert_eq!(names("SELECT t.id FROM t").await, "id");
}

#[tokio::test]
async fn nulls_order_first_ascending_and_last_descending() {
    let (node, _folder) = node().await;
    let from = "FROM (SELECT 1 a UNION ALL SELECT NULL UNION ALL SELECT 2) t";
    assert_eq!(
        node.rows(&format!("SELECT a {from} ORDER BY a")).await,
        ["NULL", "1", "2"]
    );
    assert_eq!(
        node.rows(&format!("SELECT a {from} ORDER BY a DESC")).await,
        ["2", "1", "NULL"]
    );
    assert_eq!(
        node.rows(&format!("SELECT a {from} ORDER BY 1 DESC LIMIT 1"))
            .await,
        ["2"]
    );
    let windowed = format!("SELECT a, row_number() OVER (ORDER BY a) {from} ORDER BY 2");
    assert_eq!(node.rows(&windowed).await, ["NULL|1", "1|2", "2|3"]);
    assert_eq!(
        node.rows(&format!("SELECT a {from} ORDER BY a LIMIT 1, 1"))
            .await,
        ["1"]
    );
}

#[tokio::test]
async fn grouping_joins_and_subqueries() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE s (k STRING, n INT)").await;
    node.run("INSERT INTO s VALUES ('a', 1), ('a', 2), ('b', 4), (NULL, NULL)")
        .await;
    assert_eq!(
        node.rows("SELECT k, count(*), count(n), sum(n), avg(n) FROM s GROUP BY k ORDER BY k")
            .await,
        ["NULL|1|0|NULL|NULL", "a|2|2|3|1.5", "b|1|1|4|4.0"]
    );
    assert_eq!(
        node.rows(
            "SELECT k, sum(n) s FROM s WHERE n IS NOT NULL GROUP BY k WITH ROLLUP ORDER BY k, s"
        )
        .await,
        ["NULL|7", "a|3", "b|4"]
    );
    assert_eq!(
        node.rows("SELECT k, n, count(*) c FROM s WHERE n < 3 GROUP BY k, n GROUPING SETS ((k, n), k) ORDER BY k, n").await,
        ["a|NULL|2", "a|1|1", "a|2|1"]
    );
    assert_eq!(
        node.rows("SELECT k FROM s GROUP BY k HAVING count(*) > 1")
            .await,
        ["a"]
    );
    assert_eq!(
        node.rows("SELECT count(DISTINCT k), avg(DISTINCT n) FROM s")
            .await,
        ["2|2.3333333333333335"]
    );
    assert_eq!(
        node.rows("SELECT a.n FROM s a LEFT SEMI JOIN s b ON a.n = b.n * 2 ORDER BY a.n")
            .await,
        ["2", "4"]
    );
    assert_eq!(
        node.rows("SELECT n FROM s WHERE n NOT IN (SELECT n FROM s WHERE k = 'b' OR n IS NULL)")
            .await,
        [""; 0]
    );
    assert_eq!(
        node.rows("SELECT n FROM s WHERE n IN (SELECT n FROM s WHERE k = 'b')")
            .await,
        ["4"]
    );
    assert_eq!(
        node.rows("WITH q AS (SELECT n FROM s WHERE n > 1) SELECT sum(n) FROM q")
            .await,
        ["6"]
    );
    assert_eq!(
        node.rows("SELECT k FROM s WHERE n = (SELECT max(n) FROM s)")
            .await,
        ["b"]
    );
    assert_eq!(node.rows("SELECT count(*) FROM s, s t").await, ["16"]);
    assert_eq!(node.rows("SELECT 1 UNION SELECT 1").await, ["1"]);
    assert_eq!(node.rows("SELECT 1 INTERSECT SELECT 1").await, ["1"]);
    assert_eq!(
        node.rows("SELECT stddev(n) FROM s WHERE k = 'a'").await,
        ["0.5"]
    );
    assert_eq!(node.rows("SELECT sum(n) OVER (PARTITION BY k ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM s WHERE k = 'a'").await, ["1", "3"]);
    // `GROUP BY 1` is a constant in Hive unless the session says otherwise.
    assert_eq!(
        node.error("SELECT k, count(*) FROM s GROUP BY 1")
            .await
            .sqlstate,
        "0A000"
    );
    node.run("SET hive.groupby.position.alias=true").await;
    assert_eq!(
        node.rows("SELECT k, count(*) FROM s WHERE k = 'a' GROUP BY 1")
            .await,
        ["a|2"]
    );
}

#[tokio::test]
async fn in_lists_are_converted_everywhere() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE t (a INT, d DATE)").await;
    node.run("INSERT INTO t VALUES (1, '2024-01-01'), (2, '2024-01-02'), (3, NULL)")
        .await;
    for (sql, rows) in [
        ("SELECT a FROM t WHERE d IN ('2024-01-01')", &["1"][..]),
        ("SELECT a FROM t WHERE d NOT IN ('2024-01-01')", &["2"]),
        (
            "SELECT a IN ('1'), count(*) FROM t GROUP BY a IN ('1') ORDER BY 1",
            &["false|2", "true|1"],
        ),
        (
            "SELECT sum(if(a IN ('1', '2'), 1, 0)) FROM t HAVING max(a) IN ('3')",
            &["2"],
        ),
        (
            "SELECT a FROM t WHERE a = (SELECT max(a) FROM t WHERE a IN ('1', '2'))",
            &["2"],
        ),
        (
            "SELECT t.a FROM t JOIN t u ON t.a = u.a AND u.a IN ('2')",
            &["2"],
        ),
    ] {
        assert_eq!(node.rows(sql).await, rows, "{sql}");
    }
}

#[tokio::test]
async fn one_process_is_one_reducer() {
    let (node, _folder) = node().await;
    let from = "FROM (SELECT 2 a UNION ALL SELECT NULL UNION ALL SELECT 1) t";
    for (sql, rows) in [
        (
            format!("SELECT a {from} SORT BY a DESC"),
            ["2", "1", "NULL"],
        ),
        (
            format!("SELECT a {from} DISTRIBUTE BY a SORT BY a"),
            ["NULL", "1", "2"],
        ),
        (format!("SELECT a {from} CLUSTER BY a"), ["NULL", "1", "2"]),
    ] {
        assert_eq!(node.rows(&sql).await, rows, "{sql}");
    }
    assert_eq!(
        node.error(&format!("SELECT a {from} DISTRIBUTE BY nosuch(a)"))
            .await
            .code,
        10011
    );
    assert!(
        node.error(&format!("SELECT a {from} SORT BY a ORDER BY a"))
            .await
            .message
            .contains("both ORDER BY and SORT BY")
    );
}

#[tokio::test]
async fn grouping_sets_say_what_they_left_out() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE g (k1 INT, k2 INT)").await;
    node.run("INSERT INTO g VALUES (1, NULL), (1, 1), (2, 2), (3, 3), (3, NULL), (4, 5)")
        .await;
    // The example of Hive's manual, for versions from 2.3.
    assert_eq!(
        node.rows("SELECT k1, k2, grouping__id, count(*) FROM g GROUP BY k1, k2 WITH ROLLUP ORDER BY grouping__id, k1, k2")
            .await,
        [
            "1|NULL|0|1", "1|1|0|1", "2|2|0|1", "3|NULL|0|1", "3|3|0|1", "4|5|0|1",
            "1|NULL|1|2", "2|NULL|1|1", "3|NULL|1|2", "4|NULL|1|1", "NULL|NULL|3|6",
        ]
    );
    assert_eq!(
        node.rows("SELECT k1, grouping(k1), count(*) c FROM g WHERE k1 < 3 GROUP BY k1, k2 GROUPING SETS (k1, ()) ORDER BY c DESC, k1")
            .await,
        ["NULL|1|3", "1|0|2", "2|0|1"]
    );
    assert_eq!(
        node.columns("SELECT grouping__id g FROM g GROUP BY k1, k2 WITH CUBE")
            .await,
        ["g bigint"]
    );
    assert_eq!(
        node.rows("SELECT k1 FROM g GROUP BY CUBE(k1) HAVING grouping__id = 1")
            .await,
        ["NULL"]
    );
    assert_eq!(
        node.error("SELECT grouping(k1) FROM g GROUP BY k1")
            .await
            .code,
        10409
    );
    assert_eq!(node.error("SELECT grouping__id FROM g").await.code, 10004);
    let partly = "FROM g GROUP BY k1, k2 GROUPING SETS (k1, ())";
    assert_eq!(
        node.error(&format!("SELECT grouping(k2) {partly}"))
            .await
            .code,
        10409
    );
    assert_eq!(
        node.error(&format!("SELECT grouping__id {partly}"))
            .await
            .sqlstate,
        "0A000"
    );
}

#[tokio::test]
async fn windows_have_names() {
    let (node, _folder) = node().await;
    let from = "FROM range(4)";
    for (sql, rows) in [
        (
            format!("SELECT sum(id) OVER w {from} WINDOW w AS (ORDER BY id)"),
            ["0", "1", "3", "6"],
        ),
        (
            format!("SELECT sum(id) OVER (w) {from} WINDOW w AS (ORDER BY id)"),
            ["0", "1", "3", "6"],
        ),
        (
            format!("SELECT lag(id, 1, -1) OVER (ORDER BY id) {from}"),
            ["-1", "0", "1", "2"],
        ),
        (
            format!(
                "SELECT first_value(id) OVER (PARTITION BY id % 2 ORDER BY id DESC) v {from} ORDER BY v"
            ),
            ["2", "2", "3", "3"],
        ),
    ] {
        assert_eq!(node.rows(&sql).await, rows, "{sql}");
    }
    let error = node.error("SELECT sum(id) OVER w FROM range(1)").await;
    assert!(
        error
            .message
            .contains("Window specification w is not defined"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn joins_of_every_kind() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE l (a INT)").await;
    node.run("CREATE TABLE r (a INT)").await;
    node.run("INSERT INTO l VALUES (1), (2), (NULL)").await;
    node.run("INSERT INTO r VALUES (2), (3), (NULL)").await;
    for (sql, rows) in [
        (
            "SELECT l.a, r.a FROM l FULL OUTER JOIN r ON l.a = r.a ORDER BY l.a, r.a",
            &["NULL|NULL", "NULL|NULL", "NULL|3", "1|NULL", "2|2"][..],
        ),
        (
            "SELECT a FROM l LEFT ANTI JOIN r ON l.a = r.a ORDER BY a",
            &["NULL", "1"],
        ),
        (
            "SELECT l.a FROM l JOIN r ON l.a <=> r.a ORDER BY l.a",
            &["NULL", "2"],
        ),
        (
            "SELECT l.a, r.a FROM l LEFT JOIN r ON l.a < r.a ORDER BY l.a, r.a",
            &["NULL|NULL", "1|2", "1|3", "2|3"],
        ),
        (
            "SELECT a FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.a = l.a) ORDER BY a",
            &["NULL", "1"],
        ),
        ("SELECT count(*) FROM l CROSS JOIN r", &["9"]),
    ] {
        assert_eq!(node.rows(sql).await, rows, "{sql}");
    }
}

#[tokio::test]
async fn values_of_several_types_come_to_one() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE m (n INT, s STRING, d DATE, x DECIMAL(5,2))")
        .await;
    node.run("INSERT INTO m VALUES (1, 'one', '2024-02-29', 1.5), (NULL, 'none', NULL, NULL)")
        .await;
    for (sql, rows) in [
        (
            "SELECT coalesce(n, s) FROM m ORDER BY s DESC",
            ["1", "none"],
        ),
        (
            "SELECT nvl(d, '-') FROM m ORDER BY s DESC",
            ["2024-02-29", "-"],
        ),
        ("SELECT nvl(n, '') FROM m ORDER BY s DESC", ["1", ""]),
        (
            "SELECT if(n = 1, n, 'x') FROM m ORDER BY s DESC",
            ["1", "x"],
        ),
        (
            "SELECT CASE WHEN n IS NULL THEN NULL WHEN n > 5 THEN 1.25 ELSE s END FROM m ORDER BY s DESC",
            ["one", "NULL"],
        ),
        (
            "SELECT concat(coalesce(x, 'y'), '!') FROM m ORDER BY s DESC",
            ["1.5!", "y!"],
        ),
        (
            "SELECT coalesce(x, 0) + 1 FROM m ORDER BY s DESC",
            ["2.50", "1.00"],
        ),
        (
            "SELECT upper(if(n = 1, if(n > 2, 1, 'a'), d)) FROM m ORDER BY s DESC",
            ["A", "NULL"],
        ),
        (
            "SELECT v || '.' FROM (SELECT coalesce(n, s) v FROM m) q ORDER BY v DESC",
            ["none.", "1."],
        ),
        (
            "SELECT coalesce(n, s) v FROM m GROUP BY coalesce(n, s) ORDER BY v",
            ["1", "none"],
        ),
        (
            "SELECT s FROM m WHERE CASE WHEN n = 1 THEN 0 ELSE 1.5 END >= 0 ORDER BY s DESC",
            ["one", "none"],
        ),
    ] {
        assert_eq!(node.rows(sql).await, rows, "{sql}");
    }
    assert_eq!(
        node.columns("SELECT coalesce(n, s) a, if(true, 1, 2.5) b, coalesce(d, timestamp '2024-01-01 00:00:00') c, nvl(n, 1L) e FROM m").await,
        ["a string", "b decimal(11,1)", "c timestamp", "e bigint"]
    );
    for sql in [
        "SELECT coalesce(n, true) FROM m",
        "SELECT if(n = 1, array(1), s) FROM m",
    ] {
        let error = node.error(sql).await;
        assert_eq!(error.sqlstate, "0A000", "{sql}: {}", error.message);
    }
}
