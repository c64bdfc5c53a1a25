//! Arrow batches through the wire and back, and the row sets of real servers as batches.
#![cfg(feature = "arrow")]
#![allow(clippy::unwrap_used)] // Helpers of tests, too, fail loudly.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Int32Type, TimestampMicrosecondType,
};
use arrow_array::*;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use hs2_proto::rowset::arrow::{
    BatchDecoder, BatchError, HIVE_TYPE, arrow_schema, decode_row_set, encode_batch, table_schema,
};
use hs2_proto::rowset::{RowSet, RowSetLayout, write_row_set};
use hs2_proto::tcli::{
    ColumnDesc, FetchResultsReq, GetResultSetMetadataReq, ProtocolVersion, TableSchema, TypeId,
    TypeQualifiers, decode_reply,
};
use hs2_proto::thrift::{Decode, Reader};
use proptest::prelude::*;
use std::sync::Arc;

fn read(bytes: Vec<u8>) -> RowSet {
    let frame = Bytes::from(bytes);
    let mut reader = Reader::of_frame(&frame);
    let rows = RowSet::read(&mut reader).unwrap();
    reader.finish().unwrap();
    rows
}

/// Rows `start..end` of a batch, written and read again.
fn through_the_wire(
    batch: &RecordBatch,
    start: usize,
    end: usize,
    version: ProtocolVersion,
) -> RecordBatch {
    let wire = encode_batch(batch).unwrap();
    let mut out = Vec::new();
    let columns = wire.slice(start..end).unwrap();
    write_row_set(&mut out, 0, end - start, &columns, version.row_set_layout()).unwrap();
    let schema = table_schema(&batch.schema(), version).unwrap();
    decode_row_set(&read(out), &schema).unwrap()
}

fn batch_of(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

type Row = (
    Option<bool>,
    Option<i8>,
    Option<i16>,
    Option<i32>,
    Option<i64>,
    Option<f32>,
    Option<f64>,
    Option<String>,
    Option<Vec<u8>>,
    (Option<i64>, Option<i32>, Option<i64>),
    (Option<i32>, Option<i64>, Option<i64>),
);

fn row() -> impl Strategy<Value = Row> {
    let seconds = -62_135_596_800_000_000i64..253_402_300_800_000_000;
    (
        any::<Option<bool>>(),
        any::<Option<i8>>(),
        any::<Option<i16>>(),
        any::<Option<i32>>(),
        any::<Option<i64>>(),
        prop::option::of(prop::num::f32::NORMAL),
        prop::option::of(prop::num::f64::ANY.prop_filter("equal to itself", |v| !v.is_nan())),
        prop::option::of(".{0,50}"),
        prop::option::of(prop::collection::vec(any::<u8>(), 0..9)),
        (
            prop::option::of(-99_999_999i64..99_999_999),
            prop::option::of(-700_000i32..2_900_000),
            prop::option::of(seconds.clone()),
        ),
        (
            any::<Option<i32>>(),
            any::<Option<i64>>(),
            prop::option::of(seconds),
        ),
    )
}

fn batch_of_rows(rows: &[Row]) -> RecordBatch {
    macro_rules! column {
        ($array:ty, $field:tt) => {
            Arc::new(
                rows.iter()
                    .map(|row| row.$field.clone())
                    .collect::<$array>(),
            ) as ArrayRef
        };
    }
    let decimals = rows
        .iter()
        .map(|row| row.9.0.map(i128::from))
        .collect::<Decimal128Array>();
    let batch = batch_of(vec![
        ("bool", column!(BooleanArray, 0)),
        ("byte", column!(Int8Array, 1)),
        ("i16", column!(Int16Array, 2)),
        ("i32", column!(Int32Array, 3)),
        ("i64", column!(Int64Array, 4)),
        ("f32", column!(Float32Array, 5)),
        ("f64", column!(Float64Array, 6)),
        ("text", column!(StringArray, 7)),
        ("bytes", column!(BinaryArray, 8)),
        (
            "decimal",
            Arc::new(decimals.with_precision_and_scale(10, 2).unwrap()),
        ),
        (
            "date",
            Arc::new(rows.iter().map(|row| row.9.1).collect::<Date32Array>()),
        ),
        (
            "time",
            Arc::new(
                rows.iter()
                    .map(|row| row.9.2)
                    .collect::<TimestampMicrosecondArray>(),
            ),
        ),
        (
            "months",
            Arc::new(
                rows.iter()
                    .map(|row| row.10.0)
                    .collect::<IntervalYearMonthArray>(),
            ),
        ),
        (
            "while",
            Arc::new(
                rows.iter()
                    .map(|row| row.10.1)
                    .collect::<DurationMicrosecondArray>(),
            ),
        ),
    ]);
    let instants = rows
        .iter()
        .map(|row| row.10.2)
        .collect::<TimestampMicrosecondArray>()
        .with_timezone("UTC");
    let words = [(
        HIVE_TYPE.to_owned(),
        "timestamp with local time zone".to_owned(),
    )];
    let field = Field::new("instant", instants.data_type().clone(), true);
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(field.with_metadata(words.into())));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(instants));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn any_type() -> impl Strategy<Value = TypeId> {
    (0..25i32).prop_map(TypeId)
}

proptest! {
    #[test]
    fn batches_come_back_as_they_went(rows in prop::collection::vec(row(), 0..40), ends in (0usize..41, 0usize..41)) {
        let batch = batch_of_rows(&rows);
        let (start, end) = (ends.0.min(ends.1).min(rows.len()), ends.0.max(ends.1).min(rows.len()));
        let expected = batch.slice(start, end - start);
        prop_assert_eq!(&through_the_wire(&batch, start, end, ProtocolVersion::V11), &expected);
        // In rows, binary is text and must be UTF-8 to be read as such: the type says so.
        let without_binary = batch.project(&[0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11]).unwrap();
        let expected = without_binary.slice(start, end - start);
        prop_assert_eq!(&through_the_wire(&without_binary, start, end, ProtocolVersion::V5), &expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), type_id in any_type()) {
        let frame = Bytes::from(bytes);
        if let Ok(rows) = RowSet::read(&mut Reader::of_frame(&frame)) {
            let _ = decode_row_set(&rows, &TableSchema { columns: vec![ColumnDesc::new("c", 1, type_id, None)] });
        }
    }

    /// A server describes a column as one thing and sends another: values of every kind for every type.
    #[test]
    fn any_column_for_any_type_is_a_batch_or_an_error(
        texts in prop::collection::vec(prop::option::of("[-+0-9.: TZUC]{0,30}"), 0..20),
        numbers in prop::collection::vec(any::<Option<i64>>(), 0..20),
        type_id in any_type(),
        numbers_of in prop::option::of((any::<i32>(), any::<i32>())),
        row_based in any::<bool>(),
    ) {
        let qualifiers = numbers_of.map(|(precision, scale)| TypeQualifiers::from([
            (TypeQualifiers::PRECISION, precision), (TypeQualifiers::SCALE, scale),
        ]));
        let schema = TableSchema { columns: vec![ColumnDesc::new("c", 1, type_id, qualifiers)] };
        let layout = if row_based { RowSetLayout::RowBased } else { RowSetLayout::Columnar };
        let arrays: [ArrayRef; 2] = [Arc::new(StringArray::from(texts)), Arc::new(Int64Array::from(numbers))];
        for array in arrays {
            let rows = array.len();
            let wire = encode_batch(&batch_of(vec![("c", array)])).unwrap();
            let mut out = Vec::new();
            write_row_set(&mut out, 0, rows, &wire.slice(0..rows).unwrap(), layout).unwrap();
            let set = read(out);
            for unit in [TimeUnit::Microsecond, TimeUnit::Nanosecond] {
                let decoder = BatchDecoder::new(&schema, unit);
                if let Ok(batch) = decoder.decode(&set) {
                    prop_assert_eq!(batch.num_rows(), rows);
                    prop_assert_eq!(&batch.schema(), decoder.schema());
                }
            }
        }
    }

    #[test]
    fn damaged_row_sets_never_panic(rows in prop::collection::vec(row(), 1..6), layout in any::<bool>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let batch = batch_of_rows(&rows);
        let wire = encode_batch(&batch).unwrap();
        let layout = if layout { RowSetLayout::Columnar } else { RowSetLayout::RowBased };
        let mut out = Vec::new();
        write_row_set(&mut out, 0, rows.len(), &wire.slice(0..rows.len()).unwrap(), layout).unwrap();
        let at = at.index(out.len());
        out[at] = byte;
        let schema = table_schema(&batch.schema(), ProtocolVersion::V11).unwrap();
        for frame in [Bytes::from(out.clone()), Bytes::copy_from_slice(&out[..at])] {
            if let Ok(rows) = RowSet::read(&mut Reader::of_frame(&frame)) {
                let _ = decode_row_set(&rows, &schema);
            }
        }
    }
}

#[test]
fn types_without_an_arrow_type_are_text_with_their_hive_type() {
    let words = |words: &str| [(HIVE_TYPE.to_owned(), words.to_owned())].into();
    let fields = vec![
        Field::new("list", DataType::new_list(DataType::Int32, true), true),
        Field::new(
            "months",
            DataType::Interval(arrow_schema::IntervalUnit::YearMonth),
            true,
        ),
        Field::new("short", DataType::Utf8, true).with_metadata(words("char(3)")),
    ];
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None])]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(list),
        Arc::new(IntervalYearMonthArray::from(vec![14])),
        Arc::new(StringArray::from(vec!["a"])),
    ];
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let back = through_the_wire(&batch, 0, 1, ProtocolVersion::V11);
    let text = |column: usize| back.column(column).as_string::<i32>().value(0);
    assert_eq!((text(0), text(2)), ("[1,null]", "a  "));
    assert_eq!(back.column(1), batch.column(1));
    let words: Vec<_> = back
        .schema()
        .fields()
        .iter()
        .map(|field| field.metadata().get(HIVE_TYPE).cloned())
        .collect();
    assert_eq!(
        words,
        [Some("array".to_owned()), None, Some("char(3)".to_owned())]
    );
    // A session before V8 knows no intervals: they are strings there.
    let old = through_the_wire(&batch, 0, 1, ProtocolVersion::V7);
    assert_eq!(old.column(1).as_string::<i32>().value(0), "1-2");
}

#[test]
fn nulls_only_and_no_rows() {
    let batch = batch_of(vec![
        ("void", Arc::new(NullArray::new(3))),
        ("i", Arc::new(Int32Array::from(vec![None; 3]))),
    ]);
    for version in [ProtocolVersion::V11, ProtocolVersion::V1] {
        assert_eq!(through_the_wire(&batch, 0, 3, version), batch);
        assert_eq!(through_the_wire(&batch, 3, 3, version), batch.slice(3, 0));
    }
}

fn schema_of(types: &[(&str, TypeId)]) -> TableSchema {
    let columns = (1..)
        .zip(types)
        .map(|(position, (name, id))| ColumnDesc::new(*name, position, *id, None));
    TableSchema {
        columns: columns.collect(),
    }
}

/// A row set of one text column.
fn texts(rows: &[&str]) -> RowSet {
    let wire = encode_batch(&batch_of(vec![(
        "c",
        Arc::new(StringArray::from(rows.to_vec())),
    )]))
    .unwrap();
    let mut out = Vec::new();
    write_row_set(
        &mut out,
        0,
        rows.len(),
        &wire.slice(0..rows.len()).unwrap(),
        RowSetLayout::Columnar,
    )
    .unwrap();
    read(out)
}

#[test]
fn what_does_not_agree_with_the_schema_is_named() {
    let rows = texts(&["2024-01-01", "soon"]);
    let error = decode_row_set(&rows, &schema_of(&[("when", TypeId::DATE)])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 1 of column `when` holds \"soon\", which is no Date32"
    );
    let error = decode_row_set(&rows, &schema_of(&[("n", TypeId::INT)])).unwrap_err();
    assert_eq!(error.to_string(), "column `n` of type Int32 came as String");
    let two = schema_of(&[("a", TypeId::STRING), ("b", TypeId::STRING)]);
    assert!(matches!(
        decode_row_set(&rows, &two),
        Err(BatchError::ColumnCount {
            expected: 2,
            actual: 1
        })
    ));
    let decoder = BatchDecoder::new(
        &schema_of(&[("t", TypeId::TIMESTAMP)]),
        TimeUnit::Nanosecond,
    );
    assert!(matches!(
        decoder.decode(&texts(&["9999-12-31 00:00:00"])),
        Err(BatchError::Value { row: 0, .. })
    ));
}

/// The frame of a golden vector, without its length.
fn golden(name: &str) -> Bytes {
    let file: serde_json::Value = serde_json::from_str(include_str!("golden/frames.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    let hex = vectors.iter().find(|v| v["name"] == name).unwrap()["hex"]
        .as_str()
        .unwrap();
    (8..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn every_type_of_a_real_server() {
    let schema = decode_reply::<GetResultSetMetadataReq>(&golden("metadata_reply_all_types"), 0)
        .unwrap()
        .schema
        .unwrap();
    let arrow = arrow_schema(&schema, TimeUnit::Microsecond);
    assert_eq!(arrow.field(9).data_type(), &DataType::Decimal128(10, 2));
    for name in [
        "fetch_reply_columnar_all_kinds_with_nulls",
        "fetch_reply_row_based_all_kinds_with_nulls",
    ] {
        let rows = decode_reply::<FetchResultsReq>(&golden(name), 0)
            .unwrap()
            .results
            .unwrap();
        let batch = decode_row_set(&rows, &schema).unwrap();
        assert_eq!((batch.num_rows(), batch.num_columns()), (2, 12));
        assert!(
            batch
                .columns()
                .iter()
                .all(|column| column.is_valid(0) && column.is_null(1)),
            "{name}"
        );
        assert_eq!(batch.column(5).as_primitive::<Float32Type>().value(0), 5.5);
        assert_eq!(batch.column(8).as_binary::<i32>().value(0), b"8b");
        assert_eq!(
            batch.column(9).as_primitive::<Decimal128Type>().value(0),
            950
        );
        assert_eq!(
            batch
                .column(10)
                .as_primitive::<TimestampMicrosecondType>()
                .value(0),
            1_704_164_645_123_000
        );
        assert_eq!(
            batch.column(11).as_primitive::<Date32Type>().value(0),
            19_782
        );
    }
    let end = decode_reply::<FetchResultsReq>(&golden("fetch_reply_row_based_end"), 0)
        .unwrap()
        .results
        .unwrap();
    assert_eq!(decode_row_set(&end, &schema).unwrap().num_rows(), 0);
}
