//! Which functions a statement may call, and what each becomes. Only functions whose Hive meaning was checked are here;
//! every other name is refused, so that none answers differently from Hive in silence.

use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, Value};

use super::{cast, generate};

/// What a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar,
    /// Also with `OVER`.
    Aggregate,
    /// An aggregate without `OVER`.
    Collector,
    /// Only with `OVER`.
    Window,
}

/// How an argument is converted before the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    /// As it is.
    Any,
    /// To this type, or by this rule of [`cast`], as Hive does without `CAST`.
    To(&'static str),
    /// A whole constant that the planner reads itself, not negative.
    Raw,
    /// A whole constant that the planner reads itself.
    Signed,
    /// A regular expression.
    Pattern,
    /// How a time is written: see [`super::time_pattern`].
    TimePattern,
}

/// An argument that may be left out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Omitted {
    Int(i32),
    Text(&'static str),
}

impl Omitted {
    /// As an argument.
    pub(crate) fn expr(self) -> Expr {
        match self {
            Self::Int(value) => Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(Expr::Value(Value::Number(value.to_string(), false).into())),
                data_type: DataType::Int(None),
                array: false,
                format: None,
            },
            Self::Text(text) => Expr::Value(Value::SingleQuotedString(text.to_owned()).into()),
        }
    }
}

/// One function.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Hive's name.
    pub(crate) name: &'static str,
    /// The name under which it is planned; empty where the converted argument is the result.
    pub(crate) target: &'static str,
    pub(crate) kind: Kind,
    /// The fewest and the most arguments.
    pub(crate) count: (usize, usize),
    /// Conversions; the last one serves all further arguments.
    pub(crate) arguments: &'static [Argument],
    /// What stands for arguments that are left out.
    pub(crate) defaults: &'static [Omitted],
    /// The Hive type of the result where the target gives another.
    pub(crate) result: Option<&'static str>,
}

/// The rule for a name in lower case.
pub(crate) fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// Every name that a statement may call, sorted.
pub(crate) fn names() -> Vec<&'static str> {
    let rules = RULES.iter().map(|rule| rule.name);
    let mut names: Vec<&str> = rules.chain(SPECIAL).chain(generate::NAMES).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Functions that the rewriter handles one by one.
pub(crate) const SPECIAL: [&str; 29] = [
    "avg",
    "cast",
    "ceil",
    "ceiling",
    "count",
    "current_database",
    "current_date",
    "current_timestamp",
    "current_user",
    "e",
    "floor",
    "greatest",
    "grouping",
    "if",
    "isnotnull",
    "isnull",
    "least",
    "log",
    "logged_in_user",
    "negative",
    "nullif",
    "pi",
    "pmod",
    "positive",
    "range",
    "struct",
    "sum",
    "unix_timestamp",
    "version",
];

/// Functions of Hive that this engine has not. Any other name is nobody's.
pub(crate) const REFUSED: [&str; 55] = [
    "aes_decrypt",
    "aes_encrypt",
    "array_distinct",
    "array_except",
    "array_intersect",
    "array_join",
    "array_max",
    "array_min",
    "array_remove",
    "array_slice",
    "array_union",
    "assert_true",
    "chr",
    "context_ngrams",
    "decode",
    "elt",
    "encode",
    "field",
    "format_string",
    "from_utc_timestamp",
    "histogram_numeric",
    "in_file",
    "index",
    "java_method",
    "likeall",
    "likeany",
    "mask",
    "mask_first_n",
    "mask_hash",
    "mask_last_n",
    "mask_show_first_n",
    "mask_show_last_n",
    "murmur_hash",
    "ngrams",
    "parse_url",
    "parse_url_tuple",
    "printf",
    "reflect",
    "reflect2",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "sentences",
    "shiftleft",
    "shiftright",
    "shiftrightunsigned",
    "sort_array_by",
    "surrogate_key",
    "to_utc_timestamp",
];

/// Whether a function is one of Hive's.
pub(crate) fn is_hives(name: &str) -> bool {
    REFUSED.contains(&name) || name.starts_with("xpath")
}

const MANY: usize = 10_000;
const TEXT: Argument = Argument::To("string");
const BYTES: Argument = Argument::To("binary");
const INT: Argument = Argument::To("int");
const DOUBLE: Argument = Argument::To("double");
const NUMBER: Argument = Argument::To(cast::NUMBER);
const DATE: Argument = Argument::To("date");
const TIMESTAMP: Argument = Argument::To("timestamp");

const fn scalar(
    name: &'static str,
    target: &'static str,
    count: (usize, usize),
    arguments: &'static [Argument],
) -> Rule {
    Rule {
        name,
        target,
        kind: Kind::Scalar,
        count,
        arguments,
        defaults: &[],
        result: None,
    }
}

const fn gives(rule: Rule, result: &'static str) -> Rule {
    Rule {
        result: Some(result),
        ..rule
    }
}

const fn or(rule: Rule, defaults: &'static [Omitted]) -> Rule {
    Rule { defaults, ..rule }
}

const fn aggregate_as(
    name: &'static str,
    target: &'static str,
    arguments: &'static [Argument],
) -> Rule {
    Rule {
        name,
        target,
        kind: Kind::Aggregate,
        count: (arguments.len(), arguments.len()),
        arguments,
        defaults: &[],
        result: Some("double"),
    }
}

const fn text(name: &'static str, target: &'static str) -> Rule {
    scalar(name, target, (1, 1), &[TEXT])
}

const fn double(name: &'static str, target: &'static str) -> Rule {
    scalar(name, target, (1, 1), &[DOUBLE])
}

const fn date(name: &'static str, target: &'static str) -> Rule {
    scalar(name, target, (1, 1), &[DATE])
}

const fn of_kind(
    kind: Kind,
    name: &'static str,
    count: (usize, usize),
    arguments: &'static [Argument],
    result: Option<&'static str>,
) -> Rule {
    Rule {
        name,
        target: name,
        kind,
        count,
        arguments,
        defaults: &[],
        result,
    }
}

const RULES: &[Rule] = &[
    // Strings.
    text("upper", "hive upper"),
    text("ucase", "hive upper"),
    text("lower", "hive lower"),
    text("lcase", "hive lower"),
    text("initcap", "hive initcap"),
    text("reverse", "hive reverse"),
    text("trim", "hive trim"),
    text("ltrim", "hive ltrim"),
    text("rtrim", "hive rtrim"),
    text("length", "hive length"),
    text("char_length", "hive length"),
    text("character_length", "hive length"),
    text("ascii", "hive ascii"),
    scalar("substr", "hive substr", (2, 3), &[TEXT, INT]),
    scalar("substring", "hive substr", (2, 3), &[TEXT, INT]),
    scalar("instr", "hive instr", (2, 2), &[TEXT]),
    scalar("locate", "hive locate", (2, 3), &[TEXT, TEXT, INT]),
    scalar("replace", "hive replace", (3, 3), &[TEXT]),
    scalar("translate", "hive translate", (3, 3), &[TEXT]),
    scalar("repeat", "hive repeat", (2, 2), &[TEXT, INT]),
    scalar("space", "hive space", (1, 1), &[INT]),
    scalar("lpad", "hive lpad", (3, 3), &[TEXT, INT, TEXT]),
    scalar("rpad", "hive rpad", (3, 3), &[TEXT, INT, TEXT]),
    scalar("split", "hive split", (2, 2), &[TEXT, Argument::Pattern]),
    scalar(
        "regexp_replace",
        "hive regexp_replace",
        (3, 3),
        &[TEXT, Argument::Pattern, TEXT],
    ),
    or(
        scalar(
            "regexp_extract",
            "hive regexp_extract",
            (2, 3),
            &[TEXT, Argument::Pattern, INT],
        ),
        &[Omitted::Int(1)],
    ),
    scalar("regexp", "hive rlike", (2, 2), &[TEXT, Argument::Pattern]),
    scalar("rlike", "hive rlike", (2, 2), &[TEXT, Argument::Pattern]),
    scalar("get_json_object", "hive get_json_object", (2, 2), &[TEXT]),
    or(
        scalar(
            "str_to_map",
            "hive str_to_map",
            (1, 3),
            &[TEXT, Argument::Pattern],
        ),
        &[Omitted::Text(","), Omitted::Text(":")],
    ),
    scalar(
        "substring_index",
        "hive substring_index",
        (3, 3),
        &[TEXT, TEXT, INT],
    ),
    scalar("find_in_set", "hive find_in_set", (2, 2), &[TEXT]),
    gives(
        scalar("octet_length", "octet_length", (1, 1), &[TEXT]),
        "int",
    ),
    gives(scalar("soundex", "soundex", (1, 1), &[TEXT]), "string"),
    gives(scalar("sha", "sha1", (1, 1), &[BYTES]), "string"),
    gives(scalar("sha1", "sha1", (1, 1), &[BYTES]), "string"),
    gives(scalar("sha2", "sha2", (2, 2), &[BYTES, INT]), "string"),
    gives(scalar("crc32", "crc32", (1, 1), &[BYTES]), "bigint"),
    gives(scalar("base64", "base64", (1, 1), &[BYTES]), "string"),
    gives(scalar("unbase64", "unbase64", (1, 1), &[TEXT]), "binary"),
    gives(scalar("unhex", "unhex", (1, 1), &[TEXT]), "binary"),
    gives(scalar("uuid", "uuid", (0, 0), &[]), "string"),
    gives(scalar("md5", "md5", (1, 1), &[TEXT]), "string"),
    gives(scalar("levenshtein", "levenshtein", (2, 2), &[TEXT]), "int"),
    scalar("concat", "hive concat", (1, MANY), &[TEXT]),
    scalar("concat_ws", "hive concat_ws", (2, MANY), &[TEXT]),
    // Numbers.
    double("sqrt", "hive sqrt"),
    double("exp", "hive exp"),
    double("ln", "hive ln"),
    double("log2", "hive log2"),
    double("log10", "hive log10"),
    double("sin", "hive sin"),
    double("cos", "hive cos"),
    double("tan", "hive tan"),
    double("asin", "hive asin"),
    double("acos", "hive acos"),
    double("atan", "hive atan"),
    scalar("pow", "hive pow", (2, 2), &[DOUBLE]),
    scalar("power", "hive pow", (2, 2), &[DOUBLE]),
    scalar("abs", "hive abs", (1, 1), &[NUMBER]),
    scalar("round", "hive round", (1, 2), &[NUMBER, Argument::Signed]),
    double("sign", "hive sign"),
    double("cbrt", "hive cbrt"),
    double("degrees", "hive degrees"),
    double("radians", "hive radians"),
    scalar("bround", "hive bround", (1, 2), &[NUMBER, Argument::Signed]),
    scalar("conv", "hive conv", (3, 3), &[TEXT, INT, INT]),
    scalar("bin", "hive bin", (1, 1), &[Argument::To("bigint")]),
    scalar("hex", "hive hex", (1, 1), &[Argument::Any]),
    scalar("factorial", "hive factorial", (1, 1), &[INT]),
    scalar(
        "format_number",
        "hive format_number",
        (2, 2),
        &[DOUBLE, INT],
    ),
    scalar("hash", "hive hash", (1, MANY), &[Argument::Any]),
    scalar("rand", "random", (0, 0), &[]),
    // Dates.
    date("date", ""),
    date("to_date", ""),
    date("year", "hive year"),
    date("month", "hive month"),
    date("day", "hive day"),
    date("dayofmonth", "hive day"),
    date("quarter", "hive quarter"),
    date("dayofweek", "hive dayofweek"),
    date("weekofyear", "hive weekofyear"),
    scalar("hour", "hive hour", (1, 1), &[Argument::Any]),
    scalar("minute", "hive minute", (1, 1), &[Argument::Any]),
    scalar("second", "hive second", (1, 1), &[Argument::Any]),
    scalar("add_months", "hive add_months", (2, 2), &[DATE, INT]),
    date("last_day", "hive last_day"),
    scalar("next_day", "hive next_day", (2, 2), &[DATE, TEXT]),
    scalar("trunc", "hive trunc", (2, 2), &[DATE, TEXT]),
    scalar(
        "months_between",
        "hive months_between",
        (2, 3),
        &[TIMESTAMP, TIMESTAMP, Argument::Any],
    ),
    or(
        scalar(
            "from_unixtime",
            "hive from_unixtime",
            (1, 2),
            &[Argument::To("bigint"), Argument::TimePattern],
        ),
        &[Omitted::Text("yyyy-MM-dd HH:mm:ss")],
    ),
    scalar("date_add", "hive date_add", (2, 2), &[DATE, INT]),
    scalar("date_sub", "hive date_sub", (2, 2), &[DATE, INT]),
    scalar("datediff", "hive datediff", (2, 2), &[DATE]),
    scalar(
        "date_format",
        "hive date_format",
        (2, 2),
        &[TIMESTAMP, Argument::TimePattern],
    ),
    // NULL.
    scalar("coalesce", "coalesce", (1, MANY), &[Argument::Any]),
    scalar("nvl", "coalesce", (2, 2), &[Argument::Any]),
    // Collections.
    scalar("size", "hive size", (1, 1), &[Argument::Any]),
    scalar("array", "hive array", (1, MANY), &[Argument::Any]),
    scalar("map", "hive map", (2, MANY), &[Argument::Any]),
    scalar("map_keys", "hive map_keys", (1, 1), &[Argument::Any]),
    scalar("map_values", "hive map_values", (1, 1), &[Argument::Any]),
    scalar(
        "array_contains",
        "hive array_contains",
        (2, 2),
        &[Argument::Any],
    ),
    scalar("sort_array", "hive sort_array", (1, 1), &[Argument::Any]),
    scalar("named_struct", "named_struct", (2, MANY), &[Argument::Any]),
    // Aggregates.
    of_kind(Kind::Aggregate, "min", (1, 1), &[Argument::Any], None),
    of_kind(Kind::Aggregate, "max", (1, 1), &[Argument::Any], None),
    of_kind(Kind::Aggregate, "stddev_pop", (1, 1), &[DOUBLE], None),
    of_kind(Kind::Aggregate, "var_pop", (1, 1), &[DOUBLE], None),
    aggregate_as("stddev", "stddev_pop", &[DOUBLE]),
    aggregate_as("std", "stddev_pop", &[DOUBLE]),
    aggregate_as("variance", "var_pop", &[DOUBLE]),
    aggregate_as("stddev_samp", "stddev", &[DOUBLE]),
    aggregate_as("var_samp", "var", &[DOUBLE]),
    aggregate_as("covar_pop", "covar_pop", &[DOUBLE, DOUBLE]),
    aggregate_as("covar_samp", "covar", &[DOUBLE, DOUBLE]),
    aggregate_as("corr", "corr", &[DOUBLE, DOUBLE]),
    aggregate_as(
        "percentile",
        "percentile_cont",
        &[Argument::To("bigint"), DOUBLE],
    ),
    Rule {
        name: "percentile_approx",
        target: "approx_percentile_cont",
        kind: Kind::Collector,
        count: (2, 3),
        arguments: &[DOUBLE, DOUBLE, Argument::Raw],
        defaults: &[],
        result: Some("double"),
    },
    of_kind(
        Kind::Collector,
        "collect_list",
        (1, 1),
        &[Argument::Any],
        None,
    ),
    of_kind(
        Kind::Collector,
        "collect_set",
        (1, 1),
        &[Argument::Any],
        None,
    ),
    // Windows.
    of_kind(Kind::Window, "row_number", (0, 0), &[], Some("int")),
    of_kind(Kind::Window, "rank", (0, 0), &[], Some("int")),
    of_kind(Kind::Window, "dense_rank", (0, 0), &[], Some("int")),
    of_kind(Kind::Window, "ntile", (1, 1), &[Argument::Raw], Some("int")),
    of_kind(Kind::Window, "percent_rank", (0, 0), &[], Some("double")),
    of_kind(Kind::Window, "cume_dist", (0, 0), &[], Some("double")),
    of_kind(
        Kind::Window,
        "lag",
        (1, 3),
        &[Argument::Any, Argument::Raw, Argument::Any],
        None,
    ),
    of_kind(
        Kind::Window,
        "lead",
        (1, 3),
        &[Argument::Any, Argument::Raw, Argument::Any],
        None,
    ),
    of_kind(Kind::Window, "first_value", (1, 2), &[Argument::Any], None),
    of_kind(Kind::Window, "last_value", (1, 2), &[Argument::Any], None),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_not_allowed() {
        let names = names();
        assert!(REFUSED.iter().all(|name| !names.contains(name)));
    }

    #[test]
    fn each_name_has_one_rule() {
        let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(SPECIAL.iter().all(|special| rule(special).is_none()));
        assert!(SPECIAL.is_sorted());
    }

    #[test]
    fn no_statement_can_name_our_functions() {
        assert!(
            crate::engine::datafusion::functions::udfs()
                .iter()
                .all(|udf| udf.name().contains(' '))
        );
    }
}
