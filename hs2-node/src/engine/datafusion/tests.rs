//! The engine from outside: statements in, rows out, as a person would see them.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;

use super::*;
use crate::engine::{Execution, HIVE_TYPE, TableKind};

/// An engine over a folder, and one session of it.
struct Node {
    engine: DataFusionEngine,
    session: Arc<dyn EngineSession>,
}

impl Node {
    async fn start(warehouse: &Path) -> Self {
        let options = DataFusionOptions {
            target_partitions: 2,
            ..DataFusionOptions::new(warehouse)
        };
        let engine = DataFusionEngine::new(&options).expect("starts");
        let session = engine
            .open_session(SessionOptions {
                user: "me".into(),
                ..SessionOptions::default()
            })
            .await;
        Self {
            session: session.expect("opens"),
            engine,
        }
    }

    async fn execute(&self, sql: &str) -> Result<Execution, EngineError> {
        self.session.execute(sql, &BTreeMap::new()).await
    }

    async fn try_batches(&self, sql: &str) -> Result<(Execution, Vec<RecordBatch>), EngineError> {
        let mut execution = self.execute(sql).await?;
        let mut batches = Vec::new();
        while let Some(batch) = execution.batches.next().await {
            batches.push(batch?);
        }
        Ok((execution, batches))
    }

    /// Rows as text, columns parted by `|`.
    async fn try_rows(&self, sql: &str) -> Result<Vec<String>, EngineError> {
        let (_, batches) = self.try_batches(sql).await?;
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap())
                .collect();
            for i in 0..batch.num_rows() {
                rows.push(
                    columns
                        .iter()
                        .map(|c| c.value(i).to_string())
                        .collect::<Vec<_>>()
                        .join("|"),
                );
            }
        }
        Ok(rows)
    }

    async fn rows(&self, sql: &str) -> Vec<String> {
        self.try_rows(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"))
    }

    /// The one value of a query.
    async fn value(&self, expression: &str) -> String {
        let mut rows = self.rows(&format!("SELECT {expression}")).await;
        assert_eq!(rows.len(), 1, "{expression}");
        rows.remove(0)
    }

    async fn run(&self, sql: &str) {
        let (execution, batches) = self
            .try_batches(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        assert!(
            execution.schema.is_none() && batches.is_empty(),
            "{sql} has a result"
        );
    }

    async fn error(&self, sql: &str) -> EngineError {
        match self.try_rows(sql).await {
            Ok(rows) => panic!("{sql}: {rows:?}"),
            Err(e) => {
                assert!(!e.message.contains('\n'), "{sql}: {}", e.message);
                e
            }
        }
    }

    /// Names and Hive types of a query's columns.
    async fn columns(&self, sql: &str) -> Vec<String> {
        let execution = self
            .execute(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        let schema = execution.schema.expect("has a result");
        let show = |f: &arrow_schema::Field| sql::types::HiveType::of_field(f).unwrap().to_string();
        schema
            .fields()
            .iter()
            .map(|f| format!("{} {}", f.name(), show(f)))
            .collect()
    }
}

async fn node() -> (Node, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Node::start(folder.path()).await, folder)
}

/// Waits until `condition` holds.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn expressions_mean_what_they_mean_in_hive() {
    let (node, _folder) = node().await;
    for (expression, value) in [
        ("1/2", "0.5"),
        ("1/0", "NULL"),
        ("1 % 0", "NULL"),
        ("-7 % 3", "-1"),
        ("7 DIV 2", "3"),
        ("7 DIV 0", "NULL"),
        ("pmod(-7, 3)", "2"),
        ("cast('abc' as int)", "NULL"),
        ("cast('1.9' as int)", "1"),
        ("cast('2023-02-30' as date)", "NULL"),
        ("cast(1.5 as string)", "1.5"),
        ("cast(1e10 as string)", "1.0E10"),
        (
            "cast(cast('2024-01-02 03:04:05.50' as timestamp) as string)",
            "2024-01-02 03:04:05.5",
        ),
        ("cast(300 as tinyint)", "44"),
        ("cast('abcdef' as varchar(3))", "abc"),
        ("cast('ab' as char(4))", "ab  "),
        ("concat(cast('ab' as char(4)), '.')", "ab."),
        ("'10' + 5", "15.0"),
        ("'x' + 5", "NULL"),
        ("'10' = 10", "true"),
        ("'9' > 10", "false"),
        ("'it\\'s'", "it's"),
        ("'\\' OR 1=1 -- '", "' OR 1=1 -- "),
        ("'\\'\\''", "''"),
        ("\"a\" 'b'", "ab"),
        ("concat('a', NULL)", "NULL"),
        ("concat('a', 1, 2.50)", "a12.5"),
        ("concat_ws('-', 'a', NULL, 'b')", "a-b"),
        ("'a' || 1", "a1"),
        ("NULL <=> NULL", "true"),
        ("1 == 1", "true"),
        ("NULL = 1", "NULL"),
        ("nvl(NULL, 2)", "2"),
        ("coalesce(NULL, NULL, 'x')", "x"),
        ("if(1 > 2, 'a', 'b')", "b"),
        ("nullif(1, 1)", "NULL"),
        ("case 2 when 1 then 'one' when 2 then 'two' end", "two"),
        ("greatest(1, NULL, 3)", "NULL"),
        ("greatest(1, 5, 3)", "5"),
        ("substr('hello', -3)", "llo"),
        ("substring('hello', 2, 3)", "ell"),
        ("lpad('7', 3, '0')", "007"),
        ("length('é中')", "2"),
        ("upper('straße')", "STRASSE"),
        ("trim('  a ')", "a"),
        ("instr('abc', 'c')", "3"),
        ("locate('b', 'abcb', 3)", "4"),
        ("round(2.5)", "3"),
        ("round(1.005, 2)", "1.01"),
        ("round(25e-1)", "3.0"),
        ("floor(-1.5)", "-2"),
        ("ceil(1.2)", "2"),
        ("ln(0)", "NULL"),
        ("sqrt(-1)", "NULL"),
        ("log(2, 8)", "3.0"),
        ("year('2024-05-06')", "2024"),
        ("date_add('2024-02-28', 2)", "2024-03-01"),
        ("datediff('2024-03-01', '2024-02-28')", "2"),
        ("date_format('2024-05-06 07:08:09', 'yyyyMM')", "202405"),
        ("to_date('2024-05-06 07:08:09')", "2024-05-06"),
        ("extract(month from date '2024-05-06')", "5"),
        ("hour(timestamp '2024-05-06 07:08:09')", "7"),
        ("date '2024-01-01' < '2024-01-02'", "true"),
        ("array(10, 20, 30)[0]", "10"),
        ("array(10, 20, 30)[3]", "NULL"),
        ("array(10, 20, 30)[-1]", "NULL"),
        ("named_struct('A', 1, 'b', 'x').b", "x"),
        ("split('a,b,,c', ',')[3]", "c"),
        ("'a_c' like 'a\\_c'", "true"),
        ("'abc' like 'a\\_c'", "false"),
        ("'a\\\\b' like 'a\\\\b'", "true"),
        ("'abc' like '%b%'", "true"),
        ("5 between 1 and 5", "true"),
        ("5 not between 1 and 5", "false"),
        ("2 in (1, 2)", "true"),
        ("NULL in (1, 2)", "NULL"),
        ("3 not in (1, NULL)", "NULL"),
        ("1 in ('1.0', 'x')", "true"),
        ("'1.0' in (1, 2)", "true"),
        ("date '2024-01-02' in ('2024-01-01', '2024-01-02')", "true"),
        ("1 in (2, 1.0)", "true"),
        ("cast(0.1 as float) = 0.1", "true"),
        ("cast(0.1 as double) = 0.1", "true"),
        ("size(array(1, 2))", "2"),
        ("1 + 2 * 3", "7"),
        ("5 & 3 | 8", "9"),
        ("5 ^ 1", "4"),
        ("~5", "-6"),
        ("- 5 + 2", "-3"),
        ("2147483647 + 1", "-2147483648"),
        ("2147483648 + 1", "2147483649"),
        ("1.5 + 1", "2.5"),
        ("1.1 * 1.1", "1.21"),
        ("10.0 / 4", "2.50000000000"),
        ("5.5 % 2", "1.5"),
        ("true and NULL", "NULL"),
        ("not (1 = 2)", "true"),
        ("isnull(NULL)", "true"),
        ("1 IS DISTINCT FROM NULL", "true"),
        ("current_database()", "default"),
        ("10L", "10"),
        ("1.5BD", "1.5"),
        ("interval_is_no_word", ""),
    ] {
        if value.is_empty() {
            assert_eq!(
                node.error(&format!("select {expression}")).await.code,
                10004
            );
        } else {
            assert_eq!(node.value(expression).await, value, "{expression}");
        }
    }
}

#[tokio::test]
async fn literals_and_results_have_hives_types() {
    let (node, _folder) = node().await;
    for (expression, hive) in [
        ("1", "int"),
        ("3000000000", "bigint"),
        ("1.50", "decimal(2,1)"),
        ("0.05", "decimal(2,2)"),
        ("1e3", "double"),
        ("'x'", "string"),
        ("NULL", "void"),
        ("true", "boolean"),
        ("date '2024-01-01'", "date"),
        ("timestamp '2024-01-01 00:00:00'", "timestamp"),
        ("1 + 1", "int"),
        ("1 + 1L", "bigint"),
        ("1 / 2", "double"),
        ("1.5 + 1", "decimal(12,1)"),
        ("1.5 / 2", "decimal(13,12)"),
        ("1.5 + 1e0", "double"),
        ("1.5 + cast(1 as float)", "float"),
        ("'1' + 1", "double"),
        ("cast(1 as smallint)", "smallint"),
        ("cast('a' as varchar(20))", "varchar(20)"),
        ("cast('a' as char(10))", "char(10)"),
        ("cast(1 as decimal)", "decimal(10,0)"),
        ("cast(1 as float)", "float"),
        ("cast('a' as binary)", "binary"),
        ("count(*)", "bigint"),
        ("sum(1)", "bigint"),
        ("sum(1.5)", "decimal(12,1)"),
        ("avg(1)", "double"),
        ("avg(1.5)", "decimal(6,5)"),
        ("max('a')", "string"),
        ("row_number() over (order by 1)", "int"),
        ("rank() over (order by 1)", "int"),
        ("length('a')", "int"),
        ("floor(1.5)", "decimal(2,0)"),
        ("floor(1.5e0)", "bigint"),
        ("year('2024-01-01')", "int"),
        ("array(1,2)", "array<int>"),
        ("named_struct('a', 1, 'b', 'x')", "struct<a:int,b:string>"),
        ("collect_list(1)", "array<int>"),
        ("case when true then 1 else 2L end", "bigint"),
        ("current_timestamp", "timestamp"),
    ] {
        assert_eq!(
            node.columns(&format!("SELECT {expression} x")).await,
            [format!("x {hive}")],
            "{expression}"
        );
    }
    let execution = node.execute("select cast('a' as char(3)) c").await.unwrap();
    let field = execution.schema.unwrap().field(0).clone();
    assert_eq!(
        field.metadata().get(HIVE_TYPE).map(String::as_str),
        Some("char(3)")
    );
}

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
async fn what_hive_means_otherwise_is_refused_by_name() {
    let (node, _folder) = node().await;
    node.run(
        "CREATE TABLE t (a INT, b BIGINT, s STRING, d DATE, m MAP<STRING,INT>, x DECIMAL(5,2))",
    )
    .await;
    for (sql, name) in [
        (
            "SELECT a FROM t LATERAL VIEW explode(array(1)) e AS v",
            "LATERAL VIEW",
        ),
        ("SELECT a FROM t SORT BY a", "SORT BY"),
        ("SELECT a FROM t DISTRIBUTE BY a", "DISTRIBUTE BY"),
        ("SELECT a FROM t CLUSTER BY a", "CLUSTER BY"),
        ("SELECT explode(array(1))", "explode"),
        ("SELECT percentile(a, 0.5) FROM t", "percentile"),
        ("SELECT from_unixtime(0)", "from_unixtime"),
        ("SELECT date_format(d, 'EEEE') FROM t", "date_format"),
        ("SELECT s RLIKE 'a' FROM t", "RLIKE"),
        ("SELECT b = s FROM t", "bigint and string"),
        ("SELECT b IN ('1', '2') FROM t", "bigint and string"),
        ("SELECT d IN (s) FROM t", "date and string"),
        ("SELECT a IN ('1', 1.5) FROM t", "IN on int and"),
        (
            "SELECT a IN (SELECT s FROM t) FROM t",
            "IN (SELECT …) of int and string",
        ),
        ("SELECT coalesce(a, s) FROM t", "coalesce of int and string"),
        (
            "SELECT if(a > 1, a, s) FROM t",
            "CASE or IF of int and string",
        ),
        (
            "SELECT a FROM t UNION ALL SELECT s FROM t",
            "UNION of int and string",
        ),
        (
            "SELECT * FROM t JOIN t u ON t.a = u.s AND t.b = u.s",
            "bigint and string",
        ),
        ("SELECT s LIKE concat(s, '%') FROM t", "LIKE"),
        (
            "SELECT cast(s AS boolean) FROM t",
            "CAST from string to boolean",
        ),
        ("SELECT cast(d AS int) FROM t", "CAST from date to int"),
        ("SELECT d + INTERVAL '1' DAY FROM t", "INTERVAL"),
        ("SELECT d + 1 FROM t", "date and int"),
        ("SELECT a AND true FROM t", "AND"),
        ("SELECT m[1] FROM t", "map<string,int>"),
        ("SELECT hash(a) FROM t", "hash"),
        ("SELECT `hive cast`(a, 'int') FROM t", "hive cast"),
        (
            "SELECT count(DISTINCT a, b) FROM t",
            "count of several columns",
        ),
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
        ("select upper()", "42000", 10015, "upper"),
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
        assert_eq!(node.error(bad).await.code, 10098, "{bad}");
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
        std::fs::read_dir(spill.path()).unwrap().count() == 0
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
