use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use hs2_client::tcli::ProtocolVersion;
use hs2_client::{Session, SessionOptions};

use crate::Server;

/// A value, its Arrow type, the Hive type in the field's metadata, and the value as Arrow shows it.
struct Expected {
    sql: &'static str,
    data_type: DataType,
    hive_type: Option<&'static str>,
    shown: &'static str,
}

const fn plain(sql: &'static str, data_type: DataType, shown: &'static str) -> Expected {
    Expected {
        sql,
        data_type,
        hive_type: None,
        shown,
    }
}

const fn text(sql: &'static str, hive_type: &'static str, shown: &'static str) -> Expected {
    Expected {
        sql,
        data_type: DataType::Utf8,
        hive_type: Some(hive_type),
        shown,
    }
}

/// What both servers have, in every version of the protocol.
fn common() -> Vec<Expected> {
    vec![
        plain("true", DataType::Boolean, "true"),
        plain("cast(-1 as tinyint)", DataType::Int8, "-1"),
        plain("cast(300 as smallint)", DataType::Int16, "300"),
        plain("70000", DataType::Int32, "70000"),
        plain(
            "cast(-5000000000 as bigint)",
            DataType::Int64,
            "-5000000000",
        ),
        plain("cast(0.1 as float)", DataType::Float32, "0.1"),
        plain("cast('-1e300' as double)", DataType::Float64, "-1e300"),
        plain("cast('NaN' as double)", DataType::Float64, "NaN"),
        plain("'řádek 行 🐎'", DataType::Utf8, "\"řádek 行 🐎\""),
        plain("cast('2024-02-29' as date)", DataType::Date32, "2024-02-29"),
        plain("cast('0001-01-01' as date)", DataType::Date32, "0001-01-01"),
        plain(
            "cast('2024-01-02 03:04:05.123456' as timestamp)",
            DataType::Timestamp(TimeUnit::Microsecond, None),
            "2024-01-02T03:04:05.123456",
        ),
        plain("null", DataType::Null, ""),
        text("array(1, null)", "array", "\"[1,null]\""),
        text(
            "named_struct('f', 1, 'g', 'x')",
            "struct",
            r#""{\"f\":1,\"g\":\"x\"}""#,
        ),
        text("map('k', 1)", "map", r#""{\"k\":1}""#),
    ]
}

/// Decimals have their digits since V4 on our node, always on Spark.
fn decimals() -> Vec<Expected> {
    vec![
        plain(
            "cast(1.5 as decimal(10,2))",
            DataType::Decimal128(10, 2),
            "150",
        ),
        plain(
            "cast('-12345678901234567890123456789012345678' as decimal(38,0))",
            DataType::Decimal128(38, 0),
            "-12345678901234567890123456789012345678",
        ),
    ]
}

/// What came after V5.
fn later() -> Vec<Expected> {
    vec![plain("cast('ab' as binary)", DataType::Binary, "[97, 98]")]
}

/// An interval as a value is what our node does not have.
fn of_spark() -> Vec<Expected> {
    vec![
        plain(
            "interval '1-2' year to month",
            DataType::Interval(IntervalUnit::YearMonth),
            "14",
        ),
        plain(
            "interval '1 02:03:04.5' day to second",
            DataType::Duration(TimeUnit::Microsecond),
            "93784500000",
        ),
    ]
}

pub(crate) async fn in_columns_and_in_rows(server: &Server) {
    let mut all = [common(), decimals(), later()].concat_all();
    if server.is_spark {
        all.extend(of_spark());
    }
    let session = server.session().await;
    assert!(session.protocol_version() >= ProtocolVersion::V10);
    check(&session, &all).await;
    session.close().await.unwrap();

    let options = SessionOptions {
        protocol_version: ProtocolVersion::V5,
        ..Default::default()
    };
    let session = server.session_with(&options).await;
    assert_eq!(session.protocol_version(), ProtocolVersion::V5);
    check(&session, &[common(), decimals()].concat_all()).await;
    session.close().await.unwrap();

    // Nanoseconds where they are wanted.
    let options = SessionOptions {
        timestamp_unit: TimeUnit::Nanosecond,
        ..Default::default()
    };
    let session = server.session_with(&options).await;
    let expected = plain(
        "cast('2024-01-02 03:04:05.123456' as timestamp)",
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        "2024-01-02T03:04:05.123456",
    );
    check(&session, &[expected]).await;
    session.close().await.unwrap();
}

/// Two rows: the values, and a NULL of each type.
async fn check(session: &Session, expected: &[Expected]) {
    let columns: Vec<_> = expected
        .iter()
        .zip(0..)
        .map(|(expected, n)| match expected.data_type {
            DataType::Null => format!("null AS c{n}"),
            _ => format!("CASE WHEN x = 1 THEN {} END AS c{n}", expected.sql),
        })
        .collect();
    let sql = format!(
        "SELECT {} FROM (SELECT 1 AS x UNION ALL SELECT 2 AS x) t ORDER BY x",
        columns.join(", ")
    );
    let stream = session.query(sql).await.unwrap();
    let batches = stream.collect().await.unwrap();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 2);
    let first = &batches[0];
    let last = &batches[batches.len() - 1];
    for (index, expected) in expected.iter().enumerate() {
        let sql = expected.sql;
        let schema = first.schema();
        let field = schema.field(index);
        assert_eq!(field.name(), &format!("c{index}"));
        assert_eq!(field.data_type(), &expected.data_type, "{sql}");
        let hive_type = field.metadata().get("hive.type").map(String::as_str);
        assert_eq!(hive_type, expected.hive_type, "{sql}");
        if expected.data_type != DataType::Null {
            assert_eq!(shown(first.column(index)), expected.shown, "{sql}");
            let nulls = last.column(index);
            assert!(nulls.is_null(nulls.len() - 1), "{sql}");
        }
    }
}

/// The first value of an array, as Arrow's `Debug` shows it.
fn shown(array: &dyn Array) -> String {
    let text = format!("{:?}", array.slice(0, 1));
    let (_, values) = text.split_once("\n[\n").unwrap();
    let value = values.trim_end_matches(']').trim();
    value.trim_end_matches(',').to_owned()
}

trait ConcatAll {
    fn concat_all(self) -> Vec<Expected>;
}

impl<const N: usize> ConcatAll for [Vec<Expected>; N] {
    fn concat_all(self) -> Vec<Expected> {
        self.into_iter().flatten().collect()
    }
}
