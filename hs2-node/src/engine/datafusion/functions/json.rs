//! `get_json_object` and `json_tuple`. Fields keep their order, as in Jackson's maps.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListArray, StringBuilder};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::generate::structs;
use super::text::write_double;
use super::udf::{Args, Fixed, apply};
use crate::engine::datafusion::sql::types::HiveType;

/// All of them.
pub(crate) fn udfs() -> Vec<ScalarUDF> {
    vec![
        Fixed::udf(
            "hive get_json_object",
            &[&[DataType::Utf8, DataType::Utf8]],
            DataType::Utf8,
            get_json_object,
        ),
        ScalarUDF::new_from_impl(Tuple {
            signature: Signature::variadic(vec![DataType::Utf8], Volatility::Immutable),
        }),
    ]
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
enum Json {
    Null,
    Bool(bool),
    Whole(i128),
    Double(f64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As the functions give it: text without quotes, the rest as JSON; `None` for `null`.
    fn shown(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text.clone()),
            other => {
                let mut out = String::new();
                other.write(&mut out);
                Some(out)
            }
        }
    }

    fn write(&self, out: &mut String) {
        let quoted = |text: &str, out: &mut String| {
            out.push_str(&serde_json::to_string(text).unwrap_or_default());
        };
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Whole(value) => out.push_str(&value.to_string()),
            Self::Double(value) => write_double(*value, out),
            Self::Text(text) => quoted(text, out),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (i, (name, value)) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    quoted(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Whole(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Whole(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Double(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::Text(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Json, E> {
                Ok(Json::Text(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut fields: Vec<(String, Json)> = Vec::new();
                let mut places: HashMap<String, usize> = HashMap::new();
                while let Some((name, value)) = map.next_entry::<String, Json>()? {
                    match places.entry(name) {
                        Entry::Occupied(place) => fields[*place.get()].1 = value,
                        Entry::Vacant(place) => {
                            fields.push((place.key().clone(), value));
                            place.insert(fields.len() - 1);
                        }
                    }
                }
                Ok(Json::Object(fields))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
    /// `[*]`.
    All,
}

/// Where a path is.
enum Found<'a> {
    Value(&'a Json),
    /// An array of what several values have.
    Values(Vec<&'a Json>),
}

/// Reads `$.a.b[0][*]`; `None` for what is no path.
fn path(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('.') {
            let end = behind.find(['.', '[']).unwrap_or(behind.len());
            if end == 0 {
                return None;
            }
            steps.push(Step::Field(behind[..end].to_owned()));
            rest = &behind[end..];
        } else {
            let (inner, behind) = rest.strip_prefix('[')?.split_once(']')?;
            let inner = inner.trim();
            steps.push(if inner == "*" {
                Step::All
            } else if let Ok(index) = inner.parse() {
                Step::Index(index)
            } else {
                let name = inner.strip_prefix('\'')?.strip_suffix('\'')?;
                Step::Field(name.to_owned())
            });
            rest = behind;
        }
    }
    Some(steps)
}

/// What a path leads to. A field of an array is the array of its elements' fields, as in Hive.
fn follow<'a>(value: &'a Json, steps: &[Step]) -> Option<Cow<'a, Json>> {
    let mut found = Found::Value(value);
    for step in steps {
        found = match (step, found) {
            (Step::Field(name), Found::Value(Json::List(items))) => fields(items, name)?,
            (Step::Field(name), Found::Values(items)) => fields(items, name)?,
            (Step::Field(name), Found::Value(value)) => Found::Value(value.field(name)?),
            (Step::Index(index), Found::Value(Json::List(items))) => {
                Found::Value(items.get(*index)?)
            }
            (Step::Index(index), Found::Values(items)) => Found::Value(items.get(*index)?),
            (Step::All, found @ (Found::Value(Json::List(_)) | Found::Values(_))) => found,
            _ => return None,
        };
    }
    Some(match found {
        Found::Value(value) => Cow::Borrowed(value),
        Found::Values(items) => Cow::Owned(Json::List(items.into_iter().cloned().collect())),
    })
}

/// A field of each of `items`; what is itself an array is flattened by one level.
fn fields<'a>(items: impl IntoIterator<Item = &'a Json>, name: &str) -> Option<Found<'a>> {
    let mut found = Vec::new();
    for item in items {
        match item.field(name) {
            Some(Json::List(inner)) => found.extend(inner),
            Some(Json::Null) | None => {}
            Some(other) => found.push(other),
        }
    }
    (!found.is_empty()).then_some(Found::Values(found))
}

fn get_json_object(args: &Args) -> Result<ArrayRef> {
    let (texts, paths) = (args.strings(0), args.strings(1));
    let mut last: Option<(&str, Option<Vec<Step>>)> = None;
    let mut out = StringBuilder::new();
    for row in 0..args.rows {
        let (Some(text), Some(wanted)) = (texts.get(row), paths.get(row)) else {
            out.append_null();
            continue;
        };
        if last.as_ref().is_none_or(|(text, _)| *text != wanted) {
            last = Some((wanted, path(wanted)));
        }
        let steps = last.as_ref().and_then(|(_, steps)| steps.as_deref());
        let found = steps.and_then(|steps| follow(&Json::parse(text)?, steps)?.shown());
        out.append_option(found);
    }
    Ok(Arc::new(out.finish()))
}

/// `json_tuple(text, name, …)`: one row of the fields.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Tuple {
    signature: Signature,
}

impl ScalarUDFImpl for Tuple {
    fn name(&self) -> &str {
        "hive json_tuple"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type follows the arguments")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let fields = (0..args.arg_fields.len().saturating_sub(1))
            .map(|i| (format!("c{i}"), HiveType::String))
            .collect();
        let rows = HiveType::Array(Box::new(HiveType::Struct(fields)));
        Ok(Arc::new(rows.field(self.name())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::List(element) = args.return_type().clone() else {
            return exec_err!("json_tuple gives rows");
        };
        apply(args, |args| {
            let texts = args.strings(0);
            let parsed: Vec<Option<Json>> = (0..args.rows)
                .map(|row| Json::parse(texts.get(row)?))
                .collect();
            let columns = (1..args.len())
                .map(|i| {
                    let names = args.strings(i);
                    let mut out = StringBuilder::new();
                    for (row, json) in parsed.iter().enumerate() {
                        let found = names.get(row).and_then(|name| json.as_ref()?.field(name));
                        out.append_option(found.and_then(Json::shown));
                    }
                    Arc::new(out.finish()) as ArrayRef
                })
                .collect();
            let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(1, args.rows));
            let values = structs(columns, &element)?;
            Ok(Arc::new(ListArray::try_new(
                Arc::clone(&element),
                offsets,
                values,
                None,
            )?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_hive_goes() {
        let store = r#"{"store":{"fruit":[{"weight":8,"type":"apple"},{"weight":9,"type":"pear"}],
            "bicycle":{"price":19.95,"color":"red"}},"email":"a@b","owner":"amy","z":null,"t":true,"b":[[1,2],[3]]}"#;
        let get = |wanted: &str| {
            path(wanted).and_then(|steps| follow(&Json::parse(store)?, &steps)?.shown())
        };
        for (wanted, found) in [
            ("$.owner", Some("amy")),
            ("$.store.fruit[0]", Some(r#"{"weight":8,"type":"apple"}"#)),
            ("$.store.fruit[0].weight", Some("8")),
            ("$.store.fruit[*].type", Some(r#"["apple","pear"]"#)),
            ("$.store.fruit.type", Some(r#"["apple","pear"]"#)),
            ("$.store.bicycle.price", Some("19.95")),
            ("$.t", Some("true")),
            ("$.b[1][0]", Some("3")),
            ("$['owner']", Some("amy")),
            ("$.z", None),
            ("$.non_exist_key", None),
            ("$.store.fruit[9]", None),
            ("owner", None),
            ("$..a", None),
            ("$[", None),
            ("$.b[*]", Some("[[1,2],[3]]")),
            ("$.store.fruit.weight[1]", Some("9")),
            ("$.store[*]", None),
        ] {
            assert_eq!(get(wanted).as_deref(), found, "{wanted}");
        }
        let long = format!("$.b{}[1]", "[*]".repeat(1_000_000));
        assert_eq!(get(&long).as_deref(), Some("[3]"));
        let deep = "[".repeat(100_000);
        assert_eq!(Json::parse(&deep), None);
    }
}
