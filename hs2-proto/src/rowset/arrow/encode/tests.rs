//! What each Arrow type becomes.

use super::super::HIVE_TYPE;
use super::*;
use arrow_array::builder::{ListBuilder, MapBuilder, StringBuilder, UnionBuilder};
use arrow_array::types::{Int32Type as Int32, UInt8Type as Key};
use arrow_array::*;
use arrow_buffer::{IntervalDayTime, IntervalMonthDayNano, i256};
use arrow_schema::{Fields, TimeUnit};
use proptest::prelude::*;
use std::sync::Arc;

fn encode_as(array: &dyn Array, hive_type: Option<&str>) -> WireColumn {
    let mut field = Field::new("c", array.data_type().clone(), true);
    if let Some(hive_type) = hive_type {
        field.set_metadata([(HIVE_TYPE.to_owned(), hive_type.to_owned())].into());
    }
    let column = encode_array(array, &field).unwrap();
    assert_eq!(Some(column.kind), column_kind(array.data_type()));
    assert_eq!(column.rows(), array.len());
    assert!(column.nulls.is_empty() || column.nulls.len() == array.len().div_ceil(8));
    column
}

fn encode(array: &dyn Array) -> WireColumn {
    encode_as(array, None)
}

/// The texts of a column, `None` at NULLs, where the element must be empty.
fn texts(column: &WireColumn) -> Vec<Option<String>> {
    let elements: Vec<_> = column
        .slice(0..column.rows())
        .unwrap()
        .elements()
        .map(Option::unwrap)
        .collect();
    let text = |row: usize| String::from_utf8(elements[row][4..].to_vec()).unwrap();
    (0..column.rows())
        .map(|row| {
            if column.is_null(row) {
                assert_eq!(text(row), "");
                None
            } else {
                Some(text(row))
            }
        })
        .collect()
}

fn assert_texts(array: &dyn Array, expected: &[Option<&str>]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|text| text.map(str::to_owned))
        .collect();
    assert_eq!(texts(&encode(array)), expected, "{:?}", array.data_type());
}

#[test]
fn numbers_are_big_endian_and_zero_at_null() {
    let column = encode(&Int32Array::from(vec![Some(1), None, Some(-1)]));
    assert_eq!(
        column.values,
        [0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]
    );
    assert_eq!(column.nulls, [0b010]);
    // Whatever Arrow holds under a NULL does not leave the process.
    let hidden = Int64Array::new(vec![7, 8].into(), Some(vec![true, false].into()));
    assert_eq!(
        encode(&hidden).values,
        [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(encode(&Int8Array::from(vec![-1])).values, [0xff]);
    assert_eq!(encode(&Int16Array::from(vec![-2])).values, [0xff, 0xfe]);
    assert_eq!(
        encode(&Float64Array::from(vec![1.5])).values,
        1.5f64.to_be_bytes()
    );
    assert_eq!(
        encode(&Float32Array::from(vec![0.1])).values,
        0.1f64.to_be_bytes()
    );
    assert_eq!(encode(&Int32Array::from(vec![1, 2])).nulls, [0u8; 0]);
}

#[test]
fn unsigned_numbers_are_widened() {
    assert_eq!(encode(&UInt8Array::from(vec![255])).values, [0, 255]);
    assert_eq!(
        encode(&UInt16Array::from(vec![65_535])).values,
        [0, 0, 255, 255]
    );
    assert_eq!(
        encode(&UInt32Array::from(vec![u32::MAX])).values,
        i64::from(u32::MAX).to_be_bytes()
    );
    assert_texts(
        &UInt64Array::from(vec![Some(u64::MAX), None]),
        &[Some("18446744073709551615"), None],
    );
}

#[test]
fn booleans_are_bytes_and_true_at_null() {
    let rows: Vec<Option<bool>> = (0..150)
        .map(|i| (i % 7 != 0).then_some(i % 3 == 0))
        .collect();
    let array = BooleanArray::from(rows.clone());
    for (offset, length) in [(0, 150), (3, 140), (65, 70), (149, 1), (10, 0)] {
        let column = encode(&array.slice(offset, length));
        let expected: Vec<u8> = rows[offset..offset + length]
            .iter()
            .map(|v| u8::from(v.unwrap_or(true)))
            .collect();
        assert_eq!(column.values, expected);
        for row in 0..length {
            assert_eq!(column.is_null(row), rows[offset + row].is_none());
        }
    }
}

#[test]
fn strings_of_all_representations() {
    let rows = vec![
        Some("a"),
        None,
        Some(""),
        Some("a text that is longer than one fixed move is"),
        Some("ü"),
    ];
    assert_texts(&StringArray::from(rows.clone()), &rows);
    assert_texts(&LargeStringArray::from(rows.clone()), &rows);
    assert_texts(&StringViewArray::from(rows.clone()), &rows);
    assert_texts(&StringArray::from(rows.clone()).slice(1, 3), &rows[1..4]);
    let bytes: Vec<_> = rows.iter().map(|row| row.map(str::as_bytes)).collect();
    assert_texts(&BinaryArray::from(bytes.clone()), &rows);
    assert_texts(&LargeBinaryArray::from(bytes.clone()), &rows);
    assert_texts(&BinaryViewArray::from(bytes), &rows);
    let fixed =
        FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some(b"ab"), None].into_iter(), 2)
            .unwrap();
    assert_texts(&fixed, &[Some("ab"), None]);
    assert_eq!(
        encode(&StringArray::from(rows)).offsets,
        [0, 5, 9, 13, 61, 67]
    );
    // A slice of a longer text, and bytes under a NULL.
    let hidden = StringArray::new(
        arrow_buffer::OffsetBuffer::new(vec![0, 3, 6].into()),
        arrow_buffer::Buffer::from(b"abcdef"),
        Some(vec![false, true].into()),
    );
    assert_texts(&hidden, &[None, Some("def")]);
}

#[test]
fn chars_are_padded_to_their_length_in_characters() {
    let array = StringArray::from(vec![Some("ü"), None, Some("abcd")]);
    assert_eq!(
        texts(&encode_as(&array, Some("char(3)"))),
        [Some("ü  ".to_owned()), None, Some("abcd".to_owned())]
    );
}

#[test]
fn decimals() {
    let array = Decimal128Array::from(vec![Some(150), None, Some(-7)])
        .with_precision_and_scale(10, 2)
        .unwrap();
    assert_texts(&array, &[Some("1.50"), None, Some("-0.07")]);
    let array = Decimal256Array::from(vec![i256::from_i128(-150)])
        .with_precision_and_scale(76, 2)
        .unwrap();
    assert_texts(&array, &[Some("-1.50")]);
    assert_texts(
        &Decimal64Array::from(vec![5])
            .with_precision_and_scale(9, 1)
            .unwrap(),
        &[Some("0.5")],
    );
}

#[test]
fn dates_times_and_intervals() {
    assert_texts(
        &Date32Array::from(vec![Some(0), None]),
        &[Some("1970-01-01"), None],
    );
    assert_texts(&Date64Array::from(vec![-1]), &[Some("1969-12-31")]);
    assert_texts(
        &TimestampMicrosecondArray::from(vec![1_500_000]),
        &[Some("1970-01-01 00:00:01.5")],
    );
    assert_texts(&Time32SecondArray::from(vec![3_661]), &[Some("01:01:01")]);
    assert_texts(
        &Time64NanosecondArray::from(vec![1]),
        &[Some("00:00:00.000000001")],
    );
    assert_texts(
        &DurationMillisecondArray::from(vec![86_400_000]),
        &[Some("1 00:00:00.000000000")],
    );
    assert_texts(&IntervalYearMonthArray::from(vec![14]), &[Some("1-2")]);
    assert_texts(
        &IntervalDayTimeArray::from(vec![IntervalDayTime::new(1, -500)]),
        &[Some("0 23:59:59.500000000")],
    );
    let mixed = IntervalMonthDayNanoArray::from(vec![
        IntervalMonthDayNano::new(14, 0, 0),
        IntervalMonthDayNano::new(0, 1, 0),
        IntervalMonthDayNano::new(1, 1, 1),
        IntervalMonthDayNano::new(0, 0, 0),
    ]);
    let [months, days, both] = ["1-2", "1 00:00:00.000000000", "0-1 1 00:00:00.000000001"];
    assert_texts(
        &mixed,
        &[
            Some(months),
            Some(days),
            Some(both),
            Some("0 00:00:00.000000000"),
        ],
    );
    assert_eq!(
        texts(&encode_as(&mixed, Some("INTERVAL_YEAR_MONTH")))[3].as_deref(),
        Some("0-0")
    );
}

#[test]
fn timestamps_with_a_zone_are_utc_unless_hive_keeps_the_zone() {
    let local = |zone: &str| TimestampSecondArray::from(vec![0]).with_timezone(zone.to_owned());
    assert_texts(&local("+05:30"), &[Some("1970-01-01 00:00:00")]);
    let kept = |zone: &str| {
        texts(&encode_as(
            &local(zone),
            Some("timestamp with local time zone"),
        ))
        .remove(0)
    };
    assert_eq!(
        kept("+05:30").as_deref(),
        Some("1970-01-01 05:30:00.0 +05:30")
    );
    assert_eq!(
        kept("Europe/Berlin").as_deref(),
        Some("1970-01-01 00:00:00.0 UTC")
    );
    let field = Field::new("t", DataType::Timestamp(TimeUnit::Second, None), true).with_metadata(
        [(
            HIVE_TYPE.to_owned(),
            "timestamp with local time zone".to_owned(),
        )]
        .into(),
    );
    let column = encode_array(&TimestampSecondArray::from(vec![0]), &field).unwrap();
    assert_eq!(
        texts(&column)[0].as_deref(),
        Some("1970-01-01 00:00:00.0 UTC")
    );
}

#[test]
fn lists_and_structs() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("a\"b\\\n\u{1}"), None]);
    lists.append_null();
    lists.append_value([None::<&str>; 0]);
    let lists = lists.finish();
    let first = r#"["a\"b\\\n\u0001",null]"#;
    assert_texts(&lists, &[Some(first), None, Some("[]")]);
    assert_texts(&lists.slice(1, 2), &[None, Some("[]")]);
    let fixed = FixedSizeListArray::from_iter_primitive::<Int32, _, _>([Some([Some(1), None])], 2);
    assert_texts(&fixed, &[Some("[1,null]")]);
    let large = LargeListArray::from_iter_primitive::<Int32, _, _>([Some([Some(1), Some(2)])]);
    assert_texts(&large, &[Some("[1,2]")]);
    let fields = Fields::from(vec![
        Field::new("i", DataType::Float64, true),
        Field::new("d", DataType::Date32, true),
        Field::new("b", DataType::Boolean, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![1.0, 2.5])),
        Arc::new(Date32Array::from(vec![0, 1])),
        Arc::new(BooleanArray::from(vec![Some(true), None])),
    ];
    let array = StructArray::new(fields, columns, None);
    let expected = [
        Some(r#"{"i":1.0,"d":"1970-01-01","b":true}"#),
        Some(r#"{"i":2.5,"d":"1970-01-02","b":null}"#),
    ];
    assert_texts(&array, &expected);
}

#[test]
fn maps_and_unions() {
    let mut map = MapBuilder::new(None, builder::Int32Builder::new(), StringBuilder::new());
    map.keys().append_value(1);
    map.values().append_value("x");
    map.keys().append_value(2);
    map.values().append_null();
    map.append(true).unwrap();
    map.append(false).unwrap();
    assert_texts(&map.finish(), &[Some(r#"{1:"x",2:null}"#), None]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.keys().append_value("k\"");
    map.values().append_value("v");
    map.append(true).unwrap();
    assert_texts(&map.finish(), &[Some(r#"{"k\"":"v"}"#)]);
    // Of decimals inside others only the digits that count are shown, of binary what is text.
    let fields = Fields::from(vec![
        Field::new("a", DataType::Decimal128(5, 2), true),
        Field::new("b\"", DataType::Binary, true),
    ]);
    let decimals = Decimal128Array::from(vec![150, 12300, 5])
        .with_precision_and_scale(5, 2)
        .unwrap();
    let bytes = BinaryArray::from_iter_values([&b"q\"\n"[..], b"\xff", b""]);
    let array = StructArray::new(fields, vec![Arc::new(decimals), Arc::new(bytes)], None);
    let expected = [
        Some("{\"a\":1.5,\"b\"\":q\"\n}"),
        Some("{\"a\":123,\"b\"\":\u{fffd}}"),
        Some("{\"a\":0.05,\"b\"\":}"),
    ];
    assert_texts(&array, &expected);
    let mut union = UnionBuilder::new_dense();
    union.append::<Int32>("a", 5).unwrap();
    union.append::<Float64Type>("b", 0.5).unwrap();
    assert_texts(&union.build().unwrap(), &[Some("{0:5}"), Some("{1:0.5}")]);
}

#[test]
fn dictionaries_and_nulls() {
    let dictionary: DictionaryArray<Key> = vec![Some("x"), None, Some("y"), Some("x")]
        .into_iter()
        .collect();
    assert_texts(&dictionary, &[Some("x"), None, Some("y"), Some("x")]);
    let empty: DictionaryArray<Key> = vec![None::<&str>, None].into_iter().collect();
    assert_texts(&empty, &[None, None]);
    // A key that points at a NULL value.
    let values = Int32Array::from(vec![Some(9), None]);
    let numbers = DictionaryArray::new(UInt8Array::from(vec![1, 0]), Arc::new(values));
    let column = encode(&numbers);
    assert_eq!(
        (column.values.as_slice(), column.nulls.as_slice()),
        (&[0, 0, 0, 0, 0, 0, 0, 9][..], &[1][..])
    );
    assert_texts(&NullArray::new(3), &[None, None, None]);
}

#[test]
fn a_type_without_a_form_is_named() {
    let field = Field::new(
        "runs",
        DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            Arc::new(Field::new("values", DataType::Int32, true)),
        ),
        true,
    );
    let array = new_empty_array(field.data_type());
    let error = encode_array(&array, &field).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("column `runs` has the type RunEndEncoded"),
        "{error}"
    );
    assert!(column_kinds(&Schema::new(vec![field])).is_err());
}

#[test]
fn no_rows_and_no_columns() {
    assert_eq!(encode(&StringArray::from(Vec::<&str>::new())).offsets, [0]);
    assert_eq!(
        encode(&Int32Array::from(Vec::<i32>::new())).values,
        [0u8; 0]
    );
    let options = RecordBatchOptions::new().with_row_count(Some(5));
    let batch =
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    assert_eq!(
        encode_batch(&batch).unwrap(),
        WireBatch {
            rows: 5,
            columns: vec![]
        }
    );
}

proptest! {
    #[test]
    fn nulls_of_any_slice(bits in prop::collection::vec(any::<bool>(), 1..300), offset in 0usize..300, length in 0usize..300) {
        let offset = offset.min(bits.len());
        let length = length.min(bits.len() - offset);
        let array = Int32Array::new(vec![1; bits.len()].into(), Some(bits.clone().into())).slice(offset, length);
        let column = encode(&array);
        for row in 0..length {
            prop_assert_eq!(column.is_null(row), !bits[offset + row]);
            prop_assert_eq!(column.values[row * 4 + 3], u8::from(bits[offset + row]));
        }
        prop_assert!((length..column.nulls.len() * 8).all(|row| !column.is_null(row)));
    }

    #[test]
    fn strings_of_any_slice(rows in prop::collection::vec(prop::option::of(".{0,50}"), 0..60), offset in 0usize..60, length in 0usize..60) {
        let offset = offset.min(rows.len());
        let length = length.min(rows.len() - offset);
        let column = encode(&StringArray::from(rows.clone()).slice(offset, length));
        prop_assert_eq!(texts(&column), &rows[offset..offset + length]);
    }
}
