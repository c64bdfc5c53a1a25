//! Functions that make and look into arrays, maps and structs. Values of different types come to their common one.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, MapArray, MapBuilder, MapFieldNames,
    StringBuilder, StructArray, UInt32Array, make_comparator, new_null_array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{SortOptions, interleave, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::cast::cast_array;
use super::pattern::Patterns;
use super::regexp::split_parts;
use super::udf::{Args, Fixed, apply};
use crate::engine::datafusion::error;
use crate::engine::datafusion::operators::common_type;
use crate::engine::datafusion::sql::types::HiveType;

/// The most bytes that one call makes of one batch of rows.
pub(super) const BATCH_BYTES_MAX: usize = 256 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Array,
    Map,
    MapKeys,
    MapValues,
    Contains,
    Sort,
}

/// A function whose type follows its arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Collection {
    kind: Kind,
    name: &'static str,
    signature: Signature,
}

/// All of them.
pub(crate) fn udfs() -> Vec<ScalarUDF> {
    let mut udfs: Vec<ScalarUDF> = [
        (Kind::Array, "hive array"),
        (Kind::Map, "hive map"),
        (Kind::MapKeys, "hive map_keys"),
        (Kind::MapValues, "hive map_values"),
        (Kind::Contains, "hive array_contains"),
        (Kind::Sort, "hive sort_array"),
    ]
    .into_iter()
    .map(|(kind, name)| {
        ScalarUDF::new_from_impl(Collection {
            kind,
            name,
            signature: Signature::variadic_any(Volatility::Immutable),
        })
    })
    .collect();
    let text = HiveType::String;
    let map = HiveType::Map(Box::new(text.clone()), Box::new(text)).arrow();
    let three: &[DataType] = &[DataType::Utf8, DataType::Utf8, DataType::Utf8];
    udfs.push(Fixed::udf("hive str_to_map", &[three], map, str_to_map));
    udfs
}

impl Collection {
    fn wrong<T>(&self, needs: &str) -> Result<T> {
        let name = self.name.trim_start_matches("hive ");
        Err(error::external(error::semantic(
            10016,
            format!("Argument type mismatch: {name} needs {needs}"),
        )))
    }

    fn common(&self, types: impl Iterator<Item = Option<HiveType>>) -> Result<HiveType> {
        let types: Option<Vec<_>> = types.collect();
        let Some(types) = types else {
            return self.wrong("values that Hive has");
        };
        if types.iter().any(|hive| matches!(hive, HiveType::Char(_))) {
            return Err(error::external(error::unsupported(
                None,
                format!(
                    "{} of char values is not supported: CAST them to string",
                    self.name.trim_start_matches("hive ")
                ),
            )));
        }
        match common_type(&types) {
            Some(hive) => Ok(hive),
            None => {
                let types: Vec<String> = types.iter().map(ToString::to_string).collect();
                Err(error::external(error::unsupported(
                    None,
                    format!(
                        "{} of {} is not supported: CAST them to one type",
                        self.name.trim_start_matches("hive "),
                        types.join(" and ")
                    ),
                )))
            }
        }
    }
}

impl ScalarUDFImpl for Collection {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type follows the arguments")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<Option<HiveType>> = args
            .arg_fields
            .iter()
            .map(|field| HiveType::of_field(field))
            .collect();
        let result = match (self.kind, types.as_slice()) {
            (Kind::Array, types) => HiveType::Array(Box::new(self.common(types.iter().cloned())?)),
            (Kind::Map, types) => {
                if types.len() % 2 != 0 {
                    return self.wrong("pairs of a key and a value");
                }
                let key = self.common(types.iter().step_by(2).cloned())?;
                let value = self.common(types.iter().skip(1).step_by(2).cloned())?;
                if !key.is_primitive() {
                    return self.wrong("keys of a primitive type");
                }
                HiveType::Map(Box::new(key), Box::new(value))
            }
            (Kind::MapKeys, [Some(HiveType::Map(key, _))]) => HiveType::Array(key.clone()),
            (Kind::MapValues, [Some(HiveType::Map(_, value))]) => HiveType::Array(value.clone()),
            (Kind::MapKeys | Kind::MapValues, _) => return self.wrong("a map"),
            (Kind::Contains, [Some(HiveType::Array(element)), Some(value)]) => {
                self.common([Some(element.as_ref().clone()), Some(value.clone())].into_iter())?;
                HiveType::Boolean
            }
            (Kind::Contains, _) => return self.wrong("an array and a value"),
            (Kind::Sort, [Some(HiveType::Array(element))]) => HiveType::Array(element.clone()),
            (Kind::Sort, _) => return self.wrong("an array"),
        };
        Ok(Arc::new(result.field(self.name)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(result) = HiveType::of_field(&args.return_field) else {
            return exec_err!("{} of these types", self.name);
        };
        let kind = self.kind;
        apply(args, |args| match (kind, &result) {
            (Kind::Array, HiveType::Array(element)) => array(args, element, &result),
            (Kind::Map, HiveType::Map(key, value)) => map(args, key, value),
            (Kind::MapKeys, _) => parts(args, &result, true),
            (Kind::MapValues, _) => parts(args, &result, false),
            (Kind::Contains, _) => contains(args),
            _ => sort(args),
        })
    }
}

fn item(hive: &HiveType) -> FieldRef {
    match hive.arrow() {
        DataType::List(item) => item,
        _ => Arc::new(hive.field("item")),
    }
}

/// Arguments of type `hive` one behind the other for each row, NULL where `cells` names none.
///
/// # Errors
/// They are larger than the `bytes` that are left of [`BATCH_BYTES_MAX`].
pub(super) fn interleaved(
    args: &Args,
    cells: impl IntoIterator<Item = Option<usize>>,
    hive: &HiveType,
    bytes: &mut usize,
) -> Result<ArrayRef> {
    let null = new_null_array(&hive.arrow(), 1);
    let mut arrays = Vec::new();
    for cell in cells {
        let (array, constant) = match cell {
            Some(i) => {
                let (array, constant) = args.array(i);
                (cast_array(array, hive)?, constant)
            }
            None => (Arc::clone(&null), true),
        };
        let size = array.to_data().get_slice_memory_size()?;
        let times = if constant { args.rows } else { 1 };
        let places = args.rows.saturating_mul(size_of::<(usize, usize)>());
        let needed = size.saturating_mul(times).saturating_add(places);
        let Some(left) = bytes.checked_sub(needed) else {
            return exec_err!(
                "an array, a map or stacked rows for one batch of rows are larger than {BATCH_BYTES_MAX} bytes"
            );
        };
        *bytes = left;
        arrays.push((array, constant));
    }
    let mut order = Vec::with_capacity(args.rows * arrays.len());
    for row in 0..args.rows {
        let cells = arrays.iter().enumerate();
        order.extend(cells.map(|(i, (_, constant))| (i, if *constant { 0 } else { row })));
    }
    let arrays: Vec<&dyn Array> = arrays.iter().map(|(array, _)| array.as_ref()).collect();
    Ok(interleave(&arrays, &order)?)
}

fn array(args: &Args, element: &HiveType, result: &HiveType) -> Result<ArrayRef> {
    let mut left = BATCH_BYTES_MAX;
    Ok(Arc::new(ListArray::try_new(
        item(result),
        OffsetBuffer::from_lengths(std::iter::repeat_n(args.len(), args.rows)),
        interleaved(args, (0..args.len()).map(Some), element, &mut left)?,
        None,
    )?))
}

/// A key that comes twice has its last value, in its first place.
fn map(args: &Args, key: &HiveType, value: &HiveType) -> Result<ArrayRef> {
    let mut left = BATCH_BYTES_MAX;
    let each = |first: usize| (first..args.len()).step_by(2).map(Some);
    let (keys, values) = (
        interleaved(args, each(0), key, &mut left)?,
        interleaved(args, each(1), value, &mut left)?,
    );
    if keys.null_count() > 0 {
        return exec_err!("map: a key that is NULL is not supported");
    }
    let pairs = args.len() / 2;
    let same = make_comparator(&keys, &keys, SortOptions::default())?;
    let (mut kept_keys, mut kept_values, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..args.rows {
        let start = kept_keys.len();
        for pair in row * pairs..(row + 1) * pairs {
            let before = kept_keys[start..]
                .iter()
                .position(|&kept| same(kept as usize, pair).is_eq());
            match before {
                Some(at) => kept_values[start + at] = pair as u32,
                None => {
                    kept_keys.push(pair as u32);
                    kept_values.push(pair as u32);
                }
            }
        }
        lengths.push(kept_keys.len() - start);
    }
    let keys = take(&keys, &UInt32Array::from(kept_keys), None)?;
    let values = take(&values, &UInt32Array::from(kept_values), None)?;
    let whole = HiveType::Map(Box::new(key.clone()), Box::new(value.clone())).arrow();
    let DataType::Map(entries, _) = &whole else {
        return exec_err!("a map is a map");
    };
    let DataType::Struct(fields) = entries.data_type() else {
        return exec_err!("a map has entries");
    };
    let structs = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    Ok(Arc::new(MapArray::try_new(
        Arc::clone(entries),
        OffsetBuffer::from_lengths(lengths),
        structs,
        None,
        false,
    )?))
}

fn parts(args: &Args, result: &HiveType, keys: bool) -> Result<ArrayRef> {
    let container = args.expanded(0)?;
    let maps = container.as_map();
    let values = if keys { maps.keys() } else { maps.values() };
    let HiveType::Array(element) = result else {
        return exec_err!("keys and values are arrays");
    };
    Ok(Arc::new(ListArray::try_new(
        item(result),
        maps.offsets().clone(),
        cast_array(values, element)?,
        maps.nulls().cloned(),
    )?))
}

/// Whether an array holds a value; never NULL.
fn contains(args: &Args) -> Result<ArrayRef> {
    let container = args.expanded(0)?;
    let Some(lists) = container.as_list_opt::<i32>() else {
        return exec_err!("array_contains of {}", container.data_type());
    };
    let wanted = args.expanded(1)?;
    let types = [
        HiveType::of_arrow(lists.values().data_type()),
        HiveType::of_arrow(wanted.data_type()),
    ];
    let [Some(element), Some(value)] = types else {
        return exec_err!("array_contains of {}", container.data_type());
    };
    let Some(common) = common_type(&[element, value]) else {
        return exec_err!("array_contains of {}", container.data_type());
    };
    let (values, wanted) = (
        cast_array(lists.values(), &common)?,
        cast_array(&wanted, &common)?,
    );
    let same = make_comparator(&values, &wanted, SortOptions::default())?;
    let found: BooleanArray = (0..args.rows)
        .map(|row| {
            let range =
                lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
            let found = lists.is_valid(row)
                && wanted.is_valid(row)
                && range
                    .into_iter()
                    .any(|at| values.is_valid(at) && same(at, row).is_eq());
            Some(found)
        })
        .collect();
    Ok(Arc::new(found))
}

/// An array's values in ascending order, NULLs first.
fn sort(args: &Args) -> Result<ArrayRef> {
    let container = args.expanded(0)?;
    let Some(lists) = container.as_list_opt::<i32>() else {
        return exec_err!("sort_array of {}", container.data_type());
    };
    let values = lists.values();
    let compare = make_comparator(values, values, SortOptions::default())?;
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    for range in lists.value_offsets().windows(2) {
        order[range[0] as usize..range[1] as usize]
            .sort_by(|a, b| compare(*a as usize, *b as usize));
    }
    let DataType::List(element) = container.data_type() else {
        return exec_err!("sort_array of {}", container.data_type());
    };
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(element),
        lists.offsets().clone(),
        take(values, &UInt32Array::from(order), None)?,
        lists.nulls().cloned(),
    )?))
}

/// `str_to_map(text, pairs' separator, key's separator)`, both patterns. A key that comes twice has its last value.
fn str_to_map(args: &Args) -> Result<ArrayRef> {
    let (texts, pair, key) = (args.strings(0), args.strings(1), args.strings(2));
    let names = MapFieldNames {
        entry: "entries".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    let mut out = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
        .with_keys_field(Field::new("key", DataType::Utf8, false))
        .with_values_field(Field::new("value", DataType::Utf8, true));
    let mut compiled = Patterns::default();
    let failed = DataFusionError::Execution;
    for row in 0..args.rows {
        let (Some(text), Some(pair), Some(key)) = (texts.get(row), pair.get(row), key.get(row))
        else {
            out.append(false)?;
            continue;
        };
        let (pair, key) = (
            compiled.get(pair).map_err(failed)?,
            compiled.get(key).map_err(failed)?,
        );
        let mut pairs = split_parts(&pair, text, usize::MAX).map_err(failed)?;
        // As Java's `split` without a limit.
        while pairs.len() > 1 && pairs.last().is_some_and(|part| part.is_empty()) {
            pairs.pop();
        }
        let mut entries: Vec<(&str, Option<&str>)> = Vec::new();
        let mut places: HashMap<_, usize> = HashMap::new();
        for part in pairs {
            let named = split_parts(&key, part, 2).map_err(failed)?;
            let (name, value) = (named[0], named.get(1).copied());
            let place = *places.entry(name).or_insert(entries.len());
            if place == entries.len() {
                entries.push((name, value));
            } else {
                entries[place].1 = value;
            }
        }
        for (name, value) in entries {
            out.keys().append_value(name);
            out.values().append_option(value);
        }
        out.append(true)?;
    }
    Ok(Arc::new(out.finish()))
}
