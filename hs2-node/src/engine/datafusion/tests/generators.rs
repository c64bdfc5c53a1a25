//! `LATERAL VIEW` and the functions that give several rows.

use super::*;

#[tokio::test]
async fn lateral_views_unfold_each_row() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE pages (id STRING, ads ARRAY<INT>, kinds MAP<STRING,INT>)")
        .await;
    node.run(
        "INSERT INTO pages SELECT 'front', array(1, 2, 3), map('x', 1, 'y', 2) UNION ALL SELECT 'back', array(3, 4), map('x', 5)",
    )
    .await;
    node.run("INSERT INTO pages (id) VALUES ('none')").await;
    for (sql, rows) in [
        (
            "SELECT id, ad FROM pages LATERAL VIEW explode(ads) a AS ad ORDER BY id, ad",
            &["back|3", "back|4", "front|1", "front|2", "front|3"][..],
        ),
        (
            "SELECT ad, count(1) FROM pages LATERAL VIEW explode(ads) a AS ad GROUP BY ad ORDER BY ad",
            &["1|1", "2|1", "3|2", "4|1"],
        ),
        (
            "SELECT id, ad FROM pages LATERAL VIEW OUTER explode(ads) a AS ad WHERE ad IS NULL OR ad > 3 ORDER BY id",
            &["back|4", "none|NULL"],
        ),
        (
            "SELECT id, k, v FROM pages LATERAL VIEW explode(kinds) m AS k, v ORDER BY id, k",
            &["back|x|5", "front|x|1", "front|y|2"],
        ),
        (
            "SELECT id, m.key FROM pages LATERAL VIEW explode(kinds) m WHERE m.value = 2",
            &["front|y"],
        ),
        (
            "SELECT p.id, pos, val FROM pages p LATERAL VIEW posexplode(ads) a AS pos, val WHERE pos = 1 ORDER BY p.id",
            &["back|1|4", "front|1|2"],
        ),
        (
            "SELECT id, a.ad, k FROM pages LATERAL VIEW explode(ads) a AS ad LATERAL VIEW explode(kinds) m AS k, v WHERE v = ad ORDER BY id, k",
            &["front|1|x", "front|2|y"],
        ),
        (
            "SELECT word FROM (SELECT 'a b' s) t LATERAL VIEW explode(split(s, ' ')) w AS word",
            &["a", "b"],
        ),
        (
            "SELECT p.id, ad FROM pages p JOIN (SELECT 'back' id) q ON p.id = q.id LATERAL VIEW explode(p.ads) a AS ad ORDER BY ad",
            &["back|3", "back|4"],
        ),
        (
            "SELECT p.id, q.x, ad FROM pages p, (SELECT 1 x) q LATERAL VIEW explode(ads) a AS ad WHERE ad = 4",
            &["back|1|4"],
        ),
        (
            "SELECT t.c0, t.c1 FROM (SELECT '{\"a\":1,\"b\":\"x\"}' j) s LATERAL VIEW json_tuple(j, 'a', 'b') t",
            &["1|x"],
        ),
        (
            "SELECT a, b FROM (SELECT array(named_struct('p', 1, 'q', 'x')) s) t LATERAL VIEW inline(s) i AS a, b",
            &["1|x"],
        ),
        (
            "SELECT sum(ad) FROM (SELECT ad FROM pages LATERAL VIEW explode(ads) a AS ad) q",
            &["13"],
        ),
    ] {
        assert_eq!(node.rows(sql).await, rows, "{sql}");
    }
    assert_eq!(
        node.columns("SELECT * FROM pages LATERAL VIEW explode(ads) a AS ad")
            .await,
        [
            "pages.id string",
            "pages.ads array<int>",
            "pages.kinds map<string,int>",
            "a.ad int"
        ]
    );
}

#[tokio::test]
async fn generators_stand_alone_in_the_select_list() {
    let (node, _folder) = node().await;
    for (sql, rows, columns) in [
        (
            "SELECT explode(array(1, 2))",
            &["1", "2"][..],
            &["col int"][..],
        ),
        ("SELECT explode(array('a')) AS x", &["a"], &["x string"]),
        (
            "SELECT explode(map('a', 1))",
            &["a|1"],
            &["key string", "value int"],
        ),
        (
            "SELECT explode(map('a', 1)) AS (k, v)",
            &["a|1"],
            &["k string", "v int"],
        ),
        (
            "SELECT posexplode(array('a', 'b'))",
            &["0|a", "1|b"],
            &["pos int", "val string"],
        ),
        (
            "SELECT stack(2, 'a', 1, 'b', 2) AS (s, n)",
            &["a|1", "b|2"],
            &["s string", "n int"],
        ),
        (
            "SELECT stack(2, 1, 2, 3)",
            &["1|2", "3|NULL"],
            &["col0 int", "col1 int"],
        ),
        (
            "SELECT explode(array(id, id * 10)) FROM range(3) WHERE id > 1 LIMIT 5",
            &["2", "20"],
            &["col bigint"],
        ),
        (
            "SELECT inline(array(struct(1, 'x')))",
            &["1|x"],
            &["col1 int", "col2 string"],
        ),
    ] {
        assert_eq!(node.rows(sql).await, rows, "{sql}");
        assert_eq!(node.columns(sql).await, columns, "{sql}");
    }
    for (sql, code) in [
        ("SELECT explode(array(1)), 2", 10075),
        ("SELECT explode(array(1)) FROM range(1) GROUP BY id", 10077),
        ("SELECT 1 + explode(array(1))", 10081),
        ("SELECT explode(array(1)) AS (a, b)", 10083),
        ("SELECT explode(1)", 10016),
        (
            "SELECT 1 FROM range(1) LATERAL VIEW explode(map('a', 1)) e AS x",
            10083,
        ),
    ] {
        let error = node.error(sql).await;
        assert_eq!(error.code, code, "{sql}: {}", error.message);
    }
}

/// A constant is not made as often as there are rows before it is known to be too much.
#[tokio::test]
async fn what_one_batch_makes_is_bounded() {
    let (node, _folder) = node().await;
    let text = "x".repeat(100_000);
    for sql in [
        format!("SELECT array(cast(id AS string), '{text}') FROM range(100000)"),
        format!("SELECT map(id, '{text}') FROM range(100000)"),
        format!("SELECT stack(2, cast(id AS string), '{text}') FROM range(100000)"),
        "SELECT stack(10000, id) FROM range(100000)".to_owned(),
    ] {
        let error = node.error(&sql).await;
        assert_eq!(error.sqlstate, "08S01", "{}", error.message);
        assert!(error.message.contains("larger than"), "{}", error.message);
    }
    let wide = vec!["id"; 1_000].join(",");
    let sql = format!("SELECT count(a[999]) FROM (SELECT array({wide}) a FROM range(20000)) t");
    assert_eq!(node.rows(&sql).await, ["20000"]);
    assert_eq!(
        node.rows("SELECT stack(3, id, 'x', NULL, NULL, 5L) FROM range(2)")
            .await,
        ["0|x", "NULL|NULL", "5|NULL", "1|x", "NULL|NULL", "5|NULL"]
    );
}
