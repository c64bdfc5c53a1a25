//! Function calls: only names on the list, with their arguments converted as Hive converts them.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, NullTreatment, UnaryOperator, Value,
    ValueWithSpan, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::Rewriter;
use super::expr::{binary, call, cast, function_name, string_constant};
use crate::engine::EngineError;
use crate::engine::datafusion::error;
use crate::engine::datafusion::functions::allow::{self, Argument, Kind, Rule};
use crate::engine::datafusion::functions::arithmetic::{AVERAGE, Operator};
use crate::engine::datafusion::functions::cast::{AVERAGED, IMPLICIT, NUMBER, SUMMED};
use crate::engine::datafusion::functions::time_pattern::TimePattern;
use crate::engine::datafusion::functions::{generate, text};

/// A call taken apart.
struct Call {
    name: String,
    args: Vec<Expr>,
    /// `count(*)`.
    star: bool,
    distinct: bool,
    over: Option<WindowType>,
    at: Location,
}

impl Rewriter<'_> {
    /// A call that the parser has syntax of its own for.
    pub(super) fn named(
        &mut self,
        name: &str,
        args: Vec<Expr>,
        at: Location,
    ) -> Result<Expr, EngineError> {
        self.call(Call {
            name: name.to_owned(),
            args,
            star: false,
            distinct: false,
            over: None,
            at,
        })
    }

    pub(super) fn function(
        &mut self,
        function: Function,
        at: Location,
    ) -> Result<Expr, EngineError> {
        let shown = function.name.to_string();
        let refuse = |what: &str| {
            Err(error::unsupported(
                Some(at),
                format!("function {shown}: {what} is not supported"),
            ))
        };
        let Some(name) = function_name(&function.name) else {
            return Err(error::unsupported(
                Some(at),
                format!("function '{shown}' is not supported"),
            ));
        };
        if function.filter.is_some() {
            return refuse("FILTER");
        }
        if function.null_treatment.is_some() {
            return refuse("IGNORE NULLS");
        }
        if !function.within_group.is_empty()
            || !matches!(function.parameters, FunctionArguments::None)
        {
            return refuse("WITHIN GROUP");
        }
        let mut taken = Call {
            name,
            args: Vec::new(),
            star: false,
            distinct: false,
            over: function.over,
            at,
        };
        match function.args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) => return refuse("a subquery as argument"),
            FunctionArguments::List(FunctionArgumentList {
                duplicate_treatment,
                args,
                clauses,
            }) => {
                if !clauses.is_empty() {
                    return refuse("a clause in the brackets");
                }
                taken.distinct = duplicate_treatment == Some(DuplicateTreatment::Distinct);
                for arg in args {
                    match arg {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => taken.args.push(expr),
                        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => taken.star = true,
                        _ => return refuse("a named argument"),
                    }
                }
            }
        }
        self.call(taken)
    }

    fn call(&mut self, mut c: Call) -> Result<Expr, EngineError> {
        if c.star && c.name != "count" {
            return Err(error::unsupported(
                Some(c.at),
                format!("function {}: * is not supported", c.name),
            ));
        }
        if let Some(over) = c.over.take() {
            c.over = Some(self.window(over, c.at)?);
        }
        if let Some(rule) = allow::rule(&c.name) {
            return self.by_rule(rule, c);
        }
        self.special(c)
    }

    fn by_rule(&mut self, rule: &Rule, mut c: Call) -> Result<Expr, EngineError> {
        let at = c.at;
        let refuse = |what: String| {
            Err(error::unsupported(
                Some(at),
                format!("function {}: {what}", rule.name),
            ))
        };
        arity(rule.name, &c, rule.count)?;
        match rule.kind {
            Kind::Scalar if c.over.is_some() || c.distinct => {
                return refuse("it takes neither OVER nor DISTINCT".to_owned());
            }
            Kind::Collector if c.over.is_some() => {
                return refuse("OVER is not supported".to_owned());
            }
            Kind::Window if c.over.is_none() => return refuse("it needs OVER".to_owned()),
            Kind::Window if c.distinct => return refuse("DISTINCT is not supported".to_owned()),
            Kind::Aggregate if c.over.is_some() && c.distinct => {
                return refuse("DISTINCT with OVER is not supported".to_owned());
            }
            _ => {}
        }
        // Hive's second argument of these says whether NULLs are skipped.
        let mut skip_nulls = false;
        if matches!(rule.name, "first_value" | "last_value") && c.args.len() == 2 {
            match c.args.pop() {
                Some(Expr::Value(ValueWithSpan {
                    value: Value::Boolean(skip),
                    ..
                })) => skip_nulls = skip,
                _ => return refuse("the second argument must be true or false".to_owned()),
            }
        }
        let mut args = Vec::with_capacity(c.args.len());
        for (i, arg) in c.args.into_iter().enumerate() {
            let how = rule
                .arguments
                .get(i)
                .or(rule.arguments.last())
                .copied()
                .unwrap_or(Argument::Any);
            args.push(match how {
                Argument::Any => self.expr(arg)?,
                Argument::Pattern => self.pattern(arg, c.at)?,
                Argument::TimePattern => {
                    known_pattern(rule.name, &arg, TimePattern::new, c.at)?;
                    self.text(arg)?
                }
                Argument::To(hive_type) => cast(self.expr(arg)?, hive_type, Some(IMPLICIT)),
                Argument::Raw if is_whole(&arg) => arg,
                Argument::Signed if is_whole(&arg) || is_negated_whole(&arg) => arg,
                Argument::Raw | Argument::Signed => {
                    return refuse("this argument must be a whole constant".to_owned());
                }
            });
        }
        if rule.target == "coalesce" {
            self.mark(args.iter_mut().collect())?;
        }
        if rule.name == "named_struct" {
            // Field names are lower case like every name.
            for name in args.iter_mut().step_by(2) {
                let Some(text) = string_constant(name) else {
                    return refuse("field names must be constant strings".to_owned());
                };
                *name = Expr::Value(Value::SingleQuotedString(text.to_lowercase()).into());
            }
            if args.len() % 2 != 0 {
                return refuse("it takes pairs of a name and a value".to_owned());
            }
        }
        for default in rule
            .defaults
            .iter()
            .skip(args.len().saturating_sub(rule.count.0))
        {
            args.push(default.expr());
        }
        if rule.target.is_empty() {
            return Ok(args.swap_remove(0));
        }
        let mut result = aggregate(rule.target, args, c.distinct, c.over);
        if skip_nulls && let Expr::Function(function) = &mut result {
            function.null_treatment = Some(NullTreatment::IgnoreNulls);
        }
        Ok(match rule.result {
            Some(hive_type) => cast(result, hive_type, None),
            None => result,
        })
    }

    fn special(&mut self, mut c: Call) -> Result<Expr, EngineError> {
        let at = c.at;
        let name = c.name.clone();
        let aggregates = matches!(name.as_str(), "count" | "sum" | "avg");
        if !aggregates && (c.over.is_some() || c.distinct) {
            return Err(error::unsupported(
                Some(at),
                format!("function {name}: it takes neither OVER nor DISTINCT"),
            ));
        }
        if c.over.is_some() && c.distinct {
            return Err(error::unsupported(
                Some(at),
                format!("function {name}: DISTINCT with OVER is not supported"),
            ));
        }
        let mut args = Vec::with_capacity(c.args.len());
        for arg in std::mem::take(&mut c.args) {
            args.push(self.expr(arg)?);
        }
        let count = args.len();
        let wrong = |takes: &str| {
            Err(error::semantic(
                10015,
                format!("Arguments length mismatch: {name} takes {takes}"),
            ))
        };
        match (name.as_str(), count) {
            ("count", 0) if c.star => Ok(star_count(c.over)),
            ("count", 1) => Ok(aggregate("count", args, c.distinct, c.over)),
            ("count", 2..) => {
                // Rows in which none of them is NULL.
                let known = self.copies.all(&args)?.into_iter();
                let known = known
                    .map(|arg| Expr::IsNotNull(Box::new(arg)))
                    .reduce(|l, r| binary(l, BinaryOperator::And, r));
                let fields = args
                    .into_iter()
                    .enumerate()
                    .flat_map(|(i, arg)| [string(&format!("c{i}")), arg]);
                let row = call("named_struct", fields.collect());
                let row = match known {
                    Some(known) => case(vec![(known, row)], None),
                    None => row,
                };
                Ok(aggregate("count", vec![row], c.distinct, c.over))
            }
            ("sum", 1) => {
                let arg = cast(args.swap_remove(0), SUMMED, Some(IMPLICIT));
                Ok(aggregate("sum", vec![arg], c.distinct, c.over))
            }
            ("avg", 1) => {
                let arg = cast(args.swap_remove(0), AVERAGED, Some(IMPLICIT));
                let mut part = |function: &str, distinct| {
                    let over = c
                        .over
                        .as_ref()
                        .map(|over| self.copies.of(over))
                        .transpose()?;
                    let args = vec![self.copies.of(&arg)?];
                    Ok(aggregate(function, args, distinct, over))
                };
                Ok(call(
                    AVERAGE,
                    vec![
                        part("sum", c.distinct)?,
                        part("count", c.distinct)?,
                        part("min", false)?,
                    ],
                ))
            }
            ("sum" | "avg", _) => wrong("one argument"),
            ("isnull", 1) => Ok(Expr::IsNull(Box::new(args.swap_remove(0)))),
            ("isnotnull", 1) => Ok(Expr::IsNotNull(Box::new(args.swap_remove(0)))),
            ("nullif", 2) => {
                let (right, left) = (args.pop(), args.pop());
                let (Some(left), Some(right)) = (left, right) else {
                    return wrong("two arguments");
                };
                let equal = binary(self.copies.of(&left)?, BinaryOperator::Eq, right);
                Ok(case(
                    vec![(equal, Expr::Value(Value::Null.into()))],
                    Some(left),
                ))
            }
            ("if", 3) => {
                let mut args = args.into_iter();
                match (args.next(), args.next(), args.next()) {
                    (Some(condition), Some(mut yes), Some(mut no)) => {
                        self.mark(vec![&mut yes, &mut no])?;
                        Ok(case(vec![(condition, yes)], Some(no)))
                    }
                    _ => wrong("three arguments"),
                }
            }
            ("pmod", 2) => {
                // An operator to the planner, which knows the types.
                let (right, left) = (args.pop(), args.pop());
                let (Some(left), Some(right)) = (left, right) else {
                    return wrong("two arguments");
                };
                Ok(binary(
                    left,
                    BinaryOperator::Custom("pmod".to_owned()),
                    right,
                ))
            }
            ("greatest" | "least", 2..) => {
                // NULL as soon as one argument is NULL.
                let null = self.copies.all(&args)?.into_iter();
                let null = null
                    .map(|arg| Expr::IsNull(Box::new(arg)))
                    .reduce(|l, r| binary(l, BinaryOperator::Or, r));
                let whole = call(&name, args);
                Ok(match null {
                    Some(null) => case(vec![(null, Expr::Value(Value::Null.into()))], Some(whole)),
                    None => whole,
                })
            }
            ("floor", 1) => Ok(call(
                "hive floor",
                vec![cast(args.swap_remove(0), NUMBER, None)],
            )),
            ("ceil" | "ceiling", 1) => Ok(call(
                "hive ceil",
                vec![cast(args.swap_remove(0), NUMBER, None)],
            )),
            ("log", 1) => Ok(call(
                "hive ln",
                vec![cast(args.swap_remove(0), "double", Some(IMPLICIT))],
            )),
            ("log", 2) => {
                let mut logs = args
                    .into_iter()
                    .map(|arg| call("hive ln", vec![cast(arg, "double", Some(IMPLICIT))]));
                match (logs.next(), logs.next()) {
                    (Some(base), Some(value)) => {
                        Ok(call(&Operator::Divide.function(), vec![value, base]))
                    }
                    _ => wrong("two arguments"),
                }
            }
            ("struct", 1..) => {
                let fields = args
                    .into_iter()
                    .enumerate()
                    .flat_map(|(i, arg)| [string(&format!("col{}", i + 1)), arg]);
                Ok(call("named_struct", fields.collect()))
            }
            ("positive", 1) => Ok(cast(args.swap_remove(0), NUMBER, None)),
            ("negative", 1) => Ok(Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr: Box::new(cast(args.swap_remove(0), NUMBER, None)),
            }),
            ("pi", 0) => Ok(cast(
                string(&std::f64::consts::PI.to_string()),
                "double",
                None,
            )),
            ("e", 0) => Ok(cast(
                string(&std::f64::consts::E.to_string()),
                "double",
                None,
            )),
            ("unix_timestamp", 0) => {
                let seconds = self.context.now_us.div_euclid(1_000_000);
                Ok(Expr::Value(
                    Value::Number(seconds.to_string(), false).into(),
                ))
            }
            ("unix_timestamp", 1) => Ok(call("hive unix_timestamp", args)),
            ("unix_timestamp", 2) => {
                known_pattern(&name, &args[1], TimePattern::to_read, at)?;
                let args = args
                    .into_iter()
                    .map(|arg| cast(arg, "string", Some(IMPLICIT)));
                Ok(call("hive parse_unix_timestamp", args.collect()))
            }
            ("grouping", 1..) => {
                let keys = self.grouped.as_ref().map_or(&[][..], |g| &g.keys);
                if let Some(other) = args.iter().find(|arg| !keys.contains(arg)) {
                    return Err(error::semantic(
                        10409,
                        format!(
                            "grouping() needs keys of GROUPING SETS, ROLLUP or CUBE, not {other}"
                        ),
                    ));
                }
                Ok(cast(call("grouping", args), "bigint", None))
            }
            (generator, _) if generate::NAMES.contains(&generator) => Err(error::semantic(
                10081,
                format!(
                    "UDTF's are not supported outside the SELECT clause, nor nested in expressions: {generator}"
                ),
            )),
            ("current_database", 0) => Ok(string(&self.context.database)),
            ("current_user" | "logged_in_user", 0) => Ok(string(&self.context.user)),
            ("version", 0) => Ok(string(concat!("hs2-node ", env!("CARGO_PKG_VERSION")))),
            ("current_date", 0) => {
                let mut now = String::new();
                text::write_timestamp(self.context.now_us, &mut now);
                now.truncate(10);
                Ok(cast(string(&now), "date", None))
            }
            ("current_timestamp", 0) => {
                let mut now = String::new();
                text::write_timestamp(self.context.now_us, &mut now);
                Ok(cast(string(&now), "timestamp", None))
            }
            (known, _) if allow::SPECIAL.contains(&known) => wrong("another number of arguments"),
            (known, _) if allow::is_hives(known) => Err(error::unsupported(
                Some(at),
                format!("function '{name}' is not supported"),
            )),
            _ => Err(error::no_such_function(at, &name)),
        }
    }

    fn named_window(&mut self, name: &Ident, at: Location) -> Result<WindowSpec, EngineError> {
        match self.windows.get(&name.value.to_lowercase()) {
            Some(spec) if spec.window_name.is_none() => self.copies.of(spec),
            Some(_) => Err(error::unsupported(
                Some(at),
                "a window that is another one's is not supported",
            )),
            None => Err(error::semantic(
                40000,
                format!("Window specification {} is not defined", name.value),
            )),
        }
    }

    fn window(&mut self, over: WindowType, at: Location) -> Result<WindowType, EngineError> {
        let (mut spec, mut named) = match over {
            WindowType::WindowSpec(spec) => (spec, false),
            WindowType::NamedWindow(name) => (self.named_window(&name, at)?, true),
        };
        // `OVER (w)` is `OVER w`; Hive lets nothing be added.
        if let Some(name) = spec.window_name.take() {
            let plain = spec.partition_by.is_empty()
                && spec.order_by.is_empty()
                && spec.window_frame.is_none();
            if !plain {
                return Err(error::unsupported(
                    Some(at),
                    "a named window with further clauses is not supported",
                ));
            }
            (spec, named) = (self.named_window(&name, at)?, true);
        }
        // A named window knows no named windows: it could hold itself.
        let outer = named.then(|| std::mem::take(&mut self.windows));
        let WindowSpec {
            partition_by,
            order_by,
            window_frame,
            ..
        } = &mut spec;
        for key in partition_by {
            self.expr_in_place(key)?;
        }
        for key in order_by {
            self.order_key(key, false)?;
        }
        if let Some(outer) = outer {
            self.windows = outer;
        }
        if let Some(frame) = window_frame {
            let bounds = [Some(&frame.start_bound), frame.end_bound.as_ref()];
            for bound in bounds.into_iter().flatten() {
                let fine = match bound {
                    WindowFrameBound::CurrentRow
                    | WindowFrameBound::Preceding(None)
                    | WindowFrameBound::Following(None) => frame.units != WindowFrameUnits::Groups,
                    WindowFrameBound::Preceding(Some(rows))
                    | WindowFrameBound::Following(Some(rows)) => {
                        frame.units == WindowFrameUnits::Rows
                            && matches!(
                                rows.as_ref(),
                                Expr::Value(ValueWithSpan {
                                    value: Value::Number(..),
                                    ..
                                })
                            )
                    }
                };
                if !fine {
                    return Err(error::unsupported(
                        Some(at),
                        format!("the window frame {} {bound} is not supported", frame.units),
                    ));
                }
            }
        }
        Ok(WindowType::WindowSpec(spec))
    }
}

/// Refuses a date pattern that is a constant and means nothing to `read`, before it runs.
fn known_pattern(
    function: &str,
    pattern: &Expr,
    read: fn(&str) -> Option<TimePattern>,
    at: Location,
) -> Result<(), EngineError> {
    match string_constant(pattern).filter(|pattern| read(pattern).is_none()) {
        Some(pattern) => Err(error::unsupported(
            Some(at),
            format!("function {function}: the date pattern '{pattern}' is not supported"),
        )),
        None => Ok(()),
    }
}

fn is_whole(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. })
        if text.bytes().all(|b| b.is_ascii_digit()))
}

fn is_negated_whole(expr: &Expr) -> bool {
    matches!(expr, Expr::UnaryOp { op: UnaryOperator::Minus, expr } if is_whole(expr))
}

fn arity(name: &str, c: &Call, (min, max): (usize, usize)) -> Result<(), EngineError> {
    if (min..=max).contains(&c.args.len()) {
        return Ok(());
    }
    let takes = if min == max {
        format!("{min}")
    } else {
        format!("at least {min}")
    };
    Err(error::semantic(
        10015,
        format!(
            "Line {}:{} Arguments length mismatch '{name}': {name} takes {takes} arguments, got {}",
            c.at.line,
            c.at.column.saturating_sub(1),
            c.args.len()
        ),
    ))
}

fn aggregate(name: &str, args: Vec<Expr>, distinct: bool, over: Option<WindowType>) -> Expr {
    let mut expr = call(name, args);
    if let Expr::Function(function) = &mut expr {
        function.over = over;
        if let FunctionArguments::List(list) = &mut function.args {
            list.duplicate_treatment = distinct.then_some(DuplicateTreatment::Distinct);
        }
    }
    expr
}

fn star_count(over: Option<WindowType>) -> Expr {
    let mut expr = aggregate("count", Vec::new(), false, over);
    if let Expr::Function(Function {
        args: FunctionArguments::List(list),
        ..
    }) = &mut expr
    {
        list.args
            .push(FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
    }
    expr
}

fn case(conditions: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: conditions
            .into_iter()
            .map(|(condition, result)| CaseWhen { condition, result })
            .collect(),
        else_result: otherwise.map(Box::new),
    }
}

fn string(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}
