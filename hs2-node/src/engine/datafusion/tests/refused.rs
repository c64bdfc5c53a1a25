//! What is refused, and how errors read.

use super::*;

#[tokio::test]
async fn what_hive_means_otherwise_is_refused_by_name() {
    let (node, _folder) = node().await;
    node.run(
        "CREATE TABLE t (a INT, b BIGINT, s STRING, d DATE, m MAP<STRING,INT>, x DECIMAL(5,2))",
    )
    .await;
    for (sql, name) in [
        ("SELECT date_format(d, 'ww') FROM t", "date_format"),
        ("SELECT unix_timestamp(s, 'hh:mm') FROM t", "'hh:mm'"),
        (
            "SELECT hash(cast(s AS varchar(3))) FROM t",
            "hash of varchar",
        ),
        ("SELECT hash(cast(s AS char(3))) FROM t", "char"),
        ("SELECT s RLIKE '(?=a)' FROM t", "look-around"),
        ("SELECT regexp_replace(s, 'a++', '') FROM t", "possessive"),
        (
            "SELECT percentile_approx(a, array(0.1, 0.9)) FROM t",
            "array<",
        ),
        (
            "SELECT s + INTERVAL '1' DAY FROM t",
            "an INTERVAL beside string",
        ),
        ("SELECT INTERVAL '1' DAY", "INTERVAL"),
        ("SELECT parse_url(s, 'HOST') FROM t", "parse_url"),
        ("SELECT hash(x) FROM t", "hash of decimal"),
        ("SELECT a FROM t CLUSTER BY a DISTRIBUTE BY a", "CLUSTER BY"),
        ("SELECT b = s FROM t", "bigint and string"),
        ("SELECT b IN ('1', '2') FROM t", "bigint and string"),
        ("SELECT d IN (s) FROM t", "date and string"),
        ("SELECT a IN ('1', 1.5) FROM t", "IN on int and"),
        (
            "SELECT a IN (SELECT s FROM t) FROM t",
            "IN (SELECT …) of int and string",
        ),
        (
            "SELECT coalesce(a, true) FROM t",
            "a value of int or boolean",
        ),
        (
            "SELECT if(a > 1, m, s) FROM t",
            "a value of map<string,int> or string",
        ),
        (
            "SELECT a FROM t UNION ALL SELECT s FROM t",
            "UNION of int and string",
        ),
        (
            "SELECT * FROM t JOIN t u ON t.a = u.s AND t.b = u.s",
            "bigint and string",
        ),
        (
            "SELECT cast(s AS boolean) FROM t",
            "CAST from string to boolean",
        ),
        ("SELECT cast(d AS int) FROM t", "CAST from date to int"),
        ("SELECT d + 1 FROM t", "date and int"),
        ("SELECT a AND true FROM t", "AND"),
        ("SELECT m[1] FROM t", "map<string,int>"),
        ("SELECT row_number() FROM t", "row_number"),
        ("SELECT a FROM t TABLESAMPLE (10 PERCENT)", "TABLESAMPLE"),
        ("VALUES (1)", "VALUES"),
        ("SELECT a FROM t QUALIFY a > 1", "QUALIFY"),
        ("ADD JAR /x.jar", "ADD JAR"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("SELECT a.b.c.d FROM a.b.c", "two parts"),
    ] {
        let error = node.error(sql).await;
        assert_eq!(error.sqlstate, "0A000", "{sql}: {}", error.message);
        assert!(error.message.contains(name), "{sql}: {}", error.message);
    }
}

#[tokio::test]
async fn errors_carry_hives_states_and_places() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE t (a INT)").await;
    for (sql, state, code, text) in [
        ("selec 1", "42000", 40000, "ParseException line 1:0 "),
        (
            "select 1\n from t where",
            "42000",
            40000,
            "ParseException line 2:13 ",
        ),
        (
            "select 'it\\'s' from t where",
            "42000",
            40000,
            "ParseException line 1:27 ",
        ),
        (
            "select * from nosuch",
            "42S02",
            10001,
            "Line 1:14 Table not found 'nosuch' in database 'default'",
        ),
        (
            "select * from nodb.t",
            "42000",
            10072,
            "Database does not exist: nodb",
        ),
        ("use nodb", "42000", 10072, "Database does not exist: nodb"),
        (
            "select '\\' b', b from t",
            "42000",
            10004,
            "Line 1:15 Invalid table alias or column reference 'b': (possible column names are: a)",
        ),
        (
            "select a from t x join t y on x.a = y.a",
            "42000",
            10007,
            "Ambiguous column reference a",
        ),
        ("drop database nodb", "42000", 10072, "nodb"),
        (
            "create table t (a int)",
            "08S01",
            1,
            "default.t already exists",
        ),
        (
            "insert into t select 1, 2",
            "42000",
            10044,
            "takes 1 columns, but the row has 2",
        ),
        ("describe nosuch", "42S02", 10001, "nosuch"),
        (
            "select date '2024-02-30'",
            "42000",
            40000,
            "'2024-02-30' is no date",
        ),
        (
            "select date '2024-01-31' - interval '-9223372036854775808' month",
            "42000",
            40000,
            "'-9223372036854775808' is no INTERVAL MONTH",
        ),
        ("select upper()", "21000", 10015, "upper"),
        (
            "select nosuch(1)",
            "42000",
            10011,
            "Line 1:7 Invalid function 'nosuch'",
        ),
        (
            "select `hive cast`(a, 'int') from t",
            "42000",
            10011,
            "Invalid function 'hive cast'",
        ),
        (
            "show partitions t",
            "42000",
            10241,
            "Table t is not a partitioned table",
        ),
    ] {
        let error = node.error(sql).await;
        assert_eq!(
            (error.sqlstate, error.code),
            (state, code),
            "{sql}: {}",
            error.message
        );
        assert!(error.message.contains(text), "{sql}: {}", error.message);
        let start = if state == "08S01" {
            "Error while processing statement: FAILED: "
        } else {
            "Error while compiling statement: FAILED: "
        };
        assert!(error.message.starts_with(start), "{sql}: {}", error.message);
    }
    node.run("SET hivevar:long=a very long value").await;
    let error = node.error("select '${long}', b from t").await;
    assert!(error.message.contains("Line 1:18 "), "{}", error.message);
}
