//! Which functions a statement may call, and what each becomes. Only functions whose Hive meaning was checked are here;
//! every other name is refused, so that none answers differently from Hive in silence.

use super::cast;

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
    /// To this type, but not from text, which Hive reads by another rule.
    NotText(&'static str),
    /// A whole constant that the planner reads itself, not negative.
    Raw,
    /// A whole constant that the planner reads itself.
    Signed,
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
    /// The Hive type of the result where the target gives another.
    pub(crate) result: Option<&'static str>,
}

/// The rule for a name in lower case.
pub(crate) fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// Every name that a statement may call, sorted.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).chain(SPECIAL).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Functions that the rewriter handles one by one.
pub(crate) const SPECIAL: [&str; 23] = [
    "avg",
    "cast",
    "ceil",
    "ceiling",
    "count",
    "current_database",
    "current_date",
    "current_timestamp",
    "current_user",
    "floor",
    "greatest",
    "if",
    "isnotnull",
    "isnull",
    "least",
    "log",
    "logged_in_user",
    "nullif",
    "pmod",
    "range",
    "split",
    "sum",
    "version",
];

const MANY: usize = 10_000;
const TEXT: Argument = Argument::To("string");
const INT: Argument = Argument::To("int");
const DOUBLE: Argument = Argument::To("double");
const NUMBER: Argument = Argument::To(cast::NUMBER);
const DATE: Argument = Argument::To("date");
const TIME: Argument = Argument::NotText("timestamp");

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
        result: None,
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
    // Dates.
    date("to_date", ""),
    date("year", "hive year"),
    date("month", "hive month"),
    date("day", "hive day"),
    date("dayofmonth", "hive day"),
    date("quarter", "hive quarter"),
    date("dayofweek", "hive dayofweek"),
    date("weekofyear", "hive weekofyear"),
    scalar("hour", "hive hour", (1, 1), &[TIME]),
    scalar("minute", "hive minute", (1, 1), &[TIME]),
    scalar("second", "hive second", (1, 1), &[TIME]),
    scalar("date_add", "hive date_add", (2, 2), &[DATE, INT]),
    scalar("date_sub", "hive date_sub", (2, 2), &[DATE, INT]),
    scalar("datediff", "hive datediff", (2, 2), &[DATE]),
    scalar(
        "date_format",
        "hive date_format",
        (2, 2),
        &[Argument::To("timestamp"), TEXT],
    ),
    // NULL.
    scalar("coalesce", "coalesce", (1, MANY), &[Argument::Any]),
    scalar("nvl", "coalesce", (2, 2), &[Argument::Any]),
    // Collections.
    scalar("size", "hive size", (1, 1), &[Argument::Any]),
    scalar("array", "make_array", (1, MANY), &[Argument::Any]),
    scalar("named_struct", "named_struct", (2, MANY), &[Argument::Any]),
    // Aggregates.
    of_kind(Kind::Aggregate, "min", (1, 1), &[Argument::Any], None),
    of_kind(Kind::Aggregate, "max", (1, 1), &[Argument::Any], None),
    of_kind(Kind::Aggregate, "stddev_pop", (1, 1), &[DOUBLE], None),
    of_kind(Kind::Aggregate, "var_pop", (1, 1), &[DOUBLE], None),
    Rule {
        name: "stddev",
        target: "stddev_pop",
        kind: Kind::Aggregate,
        count: (1, 1),
        arguments: &[DOUBLE],
        result: None,
    },
    Rule {
        name: "std",
        target: "stddev_pop",
        kind: Kind::Aggregate,
        count: (1, 1),
        arguments: &[DOUBLE],
        result: None,
    },
    Rule {
        name: "variance",
        target: "var_pop",
        kind: Kind::Aggregate,
        count: (1, 1),
        arguments: &[DOUBLE],
        result: None,
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
        (1, 2),
        &[Argument::Any, Argument::Raw],
        None,
    ),
    of_kind(
        Kind::Window,
        "lead",
        (1, 2),
        &[Argument::Any, Argument::Raw],
        None,
    ),
    of_kind(Kind::Window, "first_value", (1, 1), &[Argument::Any], None),
    of_kind(Kind::Window, "last_value", (1, 1), &[Argument::Any], None),
];

#[cfg(test)]
mod tests {
    use super::*;

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
