//! Queries rewritten until DataFusion means what Hive means. Every node of the tree is on a list: what is not known to
//! mean the same is changed into something that does, or refused by name.

mod common;
mod copy;
mod expr;
mod from;
mod function;
mod generator;
mod group;
mod interval;
mod literal;
pub(crate) mod values;

use std::collections::{HashMap, HashSet};

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Ident, LimitClause, NamedWindowExpr, ObjectNamePart, OrderBy, OrderByExpr,
    OrderByKind, Query, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetOperator, SetQuantifier, Value, ValueWithSpan, WildcardAdditionalOptions, WindowSpec,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use self::copy::Copies;
use self::group::Grouped;
use crate::engine::EngineError;
use crate::engine::datafusion::error;

/// How many queries one `UNION` may join.
const SET_OPERATIONS_MAX: usize = 500;

/// What a query's meaning depends on besides its text.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The current database.
    pub(crate) database: String,
    /// Who asks.
    pub(crate) user: String,
    /// The time at which the statement began, microseconds since 1970 in UTC.
    pub(crate) now_us: i64,
    /// `hive.groupby.position.alias`: whether `GROUP BY 1` means the first column.
    pub(crate) group_by_position: bool,
}

/// A table that a query reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableReference {
    pub(crate) database: String,
    pub(crate) table: String,
    pub(crate) at: Location,
}

/// How result columns are named, in the order of the `SELECT` list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OutputName {
    /// Exactly this.
    Named(String),
    /// All columns of a `*`: their own names.
    Star,
    /// All columns that a generator gives: their own names, without a table's.
    Generated,
}

/// A rewritten query.
#[derive(Debug)]
pub(crate) struct Rewritten {
    pub(crate) query: Query,
    /// Every table that it reads, views included.
    pub(crate) tables: Vec<TableReference>,
    pub(crate) names: Vec<OutputName>,
}

/// Rewrites a query.
///
/// # Errors
/// Everything that this engine does not do as Hive does.
pub(crate) fn query(mut query: Query, context: &Context) -> Result<Rewritten, EngineError> {
    let mut rewriter = Rewriter::new(context);
    let names = rewriter.query(&mut query)?;
    Ok(Rewritten {
        query,
        tables: rewriter.tables,
        names,
    })
}

struct Rewriter<'a> {
    context: &'a Context,
    tables: Vec<TableReference>,
    /// Names that `WITH` defines, innermost last, and how many tables each reads.
    with: Vec<HashMap<String, usize>>,
    /// How many tables were read until here.
    reads: usize,
    /// What `WINDOW` defines in the `SELECT` at hand.
    windows: HashMap<String, WindowSpec>,
    /// The keys of the `SELECT` at hand, if it groups by several sets of them.
    grouped: Option<Grouped>,
    copies: Copies,
}

impl<'a> Rewriter<'a> {
    fn new(context: &'a Context) -> Self {
        Self {
            context,
            tables: Vec::new(),
            with: Vec::new(),
            reads: 0,
            windows: HashMap::new(),
            grouped: None,
            copies: Copies::default(),
        }
    }
}

impl Rewriter<'_> {
    fn query(&mut self, query: &mut Query) -> Result<Vec<OutputName>, EngineError> {
        let outer = (std::mem::take(&mut self.windows), self.grouped.take());
        let names = self.whole_query(query);
        (self.windows, self.grouped) = outer;
        names
    }

    fn whole_query(&mut self, query: &mut Query) -> Result<Vec<OutputName>, EngineError> {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        let extra = fetch.is_some()
            || !locks.is_empty()
            || for_clause.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || !pipe_operators.is_empty();
        if extra {
            return Err(error::unsupported(
                None,
                "FETCH, FOR and SETTINGS in a query are not supported",
            ));
        }
        self.with.push(HashMap::new());
        if let Some(with) = with {
            if with.recursive {
                return Err(error::unsupported(
                    Some(with.with_token.0.span.start),
                    "WITH RECURSIVE is not supported",
                ));
            }
            for table in &mut with.cte_tables {
                if table.from.is_some()
                    || table.materialized.is_some()
                    || !table.alias.columns.is_empty()
                {
                    return Err(error::unsupported(
                        Some(table.alias.name.span.start),
                        "WITH takes a name and a query only",
                    ));
                }
                let before = self.reads;
                self.query(&mut table.query)?;
                lower(&mut table.alias.name);
                let name = table.alias.name.value.clone();
                let reads = (self.reads - before).max(1);
                let scope = self.with.last_mut();
                if scope
                    .and_then(|scope| scope.insert(name.clone(), reads))
                    .is_some()
                {
                    return Err(error::semantic(
                        10008,
                        format!("Ambiguous table alias '{name}'"),
                    ));
                }
            }
        }
        if let SetExpr::Select(select) = body.as_mut() {
            sort_within(select, order_by)?;
        }
        let output = self.set_expr(body, 0)?;
        if let Some(order_by) = order_by {
            let OrderByKind::Expressions(keys) = &mut order_by.kind else {
                return Err(error::unsupported(None, "ORDER BY ALL is not supported"));
            };
            if order_by.interpolate.is_some() {
                return Err(error::unsupported(None, "INTERPOLATE is not supported"));
            }
            for key in keys {
                self.order_key(key, true)?;
            }
        }
        if let Some(limit) = limit_clause {
            Self::limit(limit)?;
        }
        self.with.pop();
        Ok(output)
    }

    fn set_expr(
        &mut self,
        body: &mut SetExpr,
        depth: usize,
    ) -> Result<Vec<OutputName>, EngineError> {
        if depth > SET_OPERATIONS_MAX {
            return Err(error::unsupported(
                None,
                format!("more than {SET_OPERATIONS_MAX} queries in one UNION are not supported"),
            ));
        }
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => {
                match (&*op, &*set_quantifier) {
                    (
                        SetOperator::Union
                        | SetOperator::Except
                        | SetOperator::Intersect
                        | SetOperator::Minus,
                        SetQuantifier::None | SetQuantifier::All | SetQuantifier::Distinct,
                    ) => {}
                    _ => {
                        return Err(error::unsupported(
                            None,
                            format!("{op} {set_quantifier} is not supported"),
                        ));
                    }
                }
                if *op == SetOperator::Minus {
                    *op = SetOperator::Except;
                }
                let names = self.set_expr(left, depth + 1)?;
                self.set_expr(right, depth + 1)?;
                Ok(names)
            }
            SetExpr::Values(_) => Err(error::unsupported(
                None,
                "VALUES is supported in INSERT only",
            )),
            _ => Err(error::unsupported(None, "this query form is not supported")),
        }
    }

    fn select(&mut self, select: &mut Select) -> Result<Vec<OutputName>, EngineError> {
        self.refuse_clauses(select)?;
        match &select.distinct {
            None | Some(Distinct::Distinct | Distinct::All) => {}
            Some(_) => return Err(error::unsupported(None, "DISTINCT ON is not supported")),
        }
        for table in &mut select.from {
            self.table_with_joins(table)?;
        }
        // Both serve the `ORDER BY` behind this `SELECT` too.
        (self.windows, self.grouped) = (self.named_windows(select)?, None);
        self.lateral_views(select)?;
        self.columns(select)
    }

    /// What `WINDOW w AS (…)` defines.
    fn named_windows(
        &mut self,
        select: &mut Select,
    ) -> Result<HashMap<String, WindowSpec>, EngineError> {
        let mut windows = HashMap::new();
        for definition in std::mem::take(&mut select.named_window) {
            let name = definition.0.value.to_lowercase();
            let spec = match definition.1 {
                NamedWindowExpr::WindowSpec(spec) => spec,
                NamedWindowExpr::NamedWindow(other) => {
                    match windows.get(&other.value.to_lowercase()) {
                        Some(spec) => self.copies.of(spec)?,
                        None => {
                            return Err(error::semantic(
                                40000,
                                format!("no window is named {other}"),
                            ));
                        }
                    }
                }
            };
            if windows.insert(name.clone(), spec).is_some() {
                return Err(error::semantic(
                    40000,
                    format!("Duplicate definition of window {name} is not allowed"),
                ));
            }
        }
        Ok(windows)
    }

    /// Everything of a `SELECT` behind its tables.
    fn columns(&mut self, select: &mut Select) -> Result<Vec<OutputName>, EngineError> {
        self.group_by(&mut select.group_by)?;
        if self.generate(select)? {
            if let Some(condition) = &mut select.selection {
                self.expr_in_place(condition)?;
            }
            return Ok(vec![OutputName::Generated]);
        }
        let names = self.projection(&mut select.projection)?;
        if let Some(condition) = &mut select.selection {
            self.expr_in_place(condition)?;
        }
        if let Some(condition) = &mut select.having {
            self.expr_in_place(condition)?;
        }
        // Where rows go does not matter in one process; that the keys are expressions of Hive does.
        for mut key in std::mem::take(&mut select.distribute_by) {
            self.expr_in_place(&mut key)?;
        }
        Ok(names)
    }

    fn refuse_clauses(&self, select: &Select) -> Result<(), EngineError> {
        let at = Some(select.select_token.0.span.start);
        let refused = [
            (select.qualify.is_some(), "QUALIFY"),
            (select.top.is_some(), "TOP"),
            (select.into.is_some(), "SELECT INTO"),
            (select.exclude.is_some(), "EXCLUDE"),
            (select.prewhere.is_some(), "PREWHERE"),
            (!select.connect_by.is_empty(), "CONNECT BY"),
            (select.value_table_mode.is_some(), "SELECT AS"),
            (select.select_modifiers.is_some(), "a SELECT modifier"),
            (
                select.flavor != SelectFlavor::Standard,
                "FROM before SELECT",
            ),
        ];
        match refused.into_iter().find(|(present, _)| *present) {
            Some((_, name)) => Err(error::unsupported(at, format!("{name} is not supported"))),
            None => Ok(()),
        }
    }

    /// Names every column as Hive does: expressions without a name are `_c0`, `_c1` by their place.
    fn projection(&mut self, items: &mut [SelectItem]) -> Result<Vec<OutputName>, EngineError> {
        let mut names = Vec::with_capacity(items.len());
        let mut taken = HashSet::new();
        let stars = items.iter().any(|item| {
            matches!(
                item,
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
            )
        });
        for (i, item) in items.iter_mut().enumerate() {
            match item {
                SelectItem::Wildcard(options) => {
                    plain_star(options)?;
                    names.push(OutputName::Star);
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => {
                    plain_star(options)?;
                    for part in &mut name.0 {
                        if let ObjectNamePart::Identifier(ident) = part {
                            lower(ident);
                        }
                    }
                    names.push(OutputName::Star);
                }
                SelectItem::UnnamedExpr(expr) => {
                    let (name, column) = match expr {
                        Expr::Identifier(ident) => (ident.value.to_lowercase(), true),
                        Expr::CompoundIdentifier(idents) => {
                            let parts: Vec<String> =
                                idents.iter().map(|i| i.value.to_lowercase()).collect();
                            (parts.join("."), true)
                        }
                        _ => (format!("_c{i}"), false),
                    };
                    self.expr_in_place(expr)?;
                    let twice = !taken.insert(name.clone());
                    if !column || twice || stars {
                        // Two columns of one name, or a column beside `*`: DataFusion wants names of their own.
                        let alias = if twice || (column && stars) {
                            format!("{name} {i}")
                        } else {
                            name.clone()
                        };
                        *item = SelectItem::ExprWithAlias {
                            expr: take(expr),
                            alias: quoted(&alias),
                        };
                    }
                    names.push(OutputName::Named(name));
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    self.expr_in_place(expr)?;
                    lower(alias);
                    let name = alias.value.clone();
                    if !taken.insert(name.clone()) {
                        *alias = quoted(&format!("{name} {i}"));
                    }
                    names.push(OutputName::Named(name));
                }
                _ => {
                    return Err(error::unsupported(
                        None,
                        "this form of a SELECT column is not supported",
                    ));
                }
            }
        }
        Ok(names)
    }

    /// A key of `ORDER BY`; at a query's end a number is a column's place.
    fn order_key(&mut self, key: &mut OrderByExpr, positions: bool) -> Result<(), EngineError> {
        if key.with_fill.is_some() {
            return Err(error::unsupported(None, "WITH FILL is not supported"));
        }
        match &key.expr {
            Expr::Value(ValueWithSpan {
                value: Value::Number(..),
                ..
            }) if positions => Ok(()),
            _ => self.expr_in_place(&mut key.expr),
        }
    }

    /// `LIMIT` takes whole constants only.
    fn limit(limit: &LimitClause) -> Result<(), EngineError> {
        let constant = |expr: &Expr| match expr {
            Expr::Value(ValueWithSpan {
                value: Value::Number(text, _),
                ..
            }) => text.bytes().all(|b| b.is_ascii_digit()),
            _ => false,
        };
        let fine = match limit {
            LimitClause::LimitOffset {
                limit,
                offset,
                limit_by,
            } => {
                limit_by.is_empty()
                    && limit.as_ref().is_none_or(constant)
                    && offset.as_ref().is_none_or(|offset| constant(&offset.value))
            }
            LimitClause::OffsetCommaLimit { offset, limit } => constant(offset) && constant(limit),
        };
        if fine {
            Ok(())
        } else {
            Err(error::unsupported(None, "LIMIT takes whole numbers only"))
        }
    }
}

/// `SORT BY` orders what one reducer of Hive writes, and here one writes all: it is the query's order. `CLUSTER BY` is
/// `DISTRIBUTE BY` and `SORT BY` of the same keys.
fn sort_within(select: &mut Select, order_by: &mut Option<OrderBy>) -> Result<(), EngineError> {
    let at = Some(select.select_token.0.span.start);
    let clustered = !select.cluster_by.is_empty();
    if clustered && (!select.sort_by.is_empty() || !select.distribute_by.is_empty()) {
        return Err(error::unsupported(
            at,
            "CLUSTER BY beside SORT BY or DISTRIBUTE BY is not supported",
        ));
    }
    let mut keys = std::mem::take(&mut select.sort_by);
    keys.extend(
        std::mem::take(&mut select.cluster_by)
            .into_iter()
            .map(|expr| OrderByExpr {
                expr,
                options: Default::default(),
                with_fill: None,
            }),
    );
    if keys.is_empty() {
        return Ok(());
    }
    if order_by.is_some() {
        return Err(error::semantic(
            40000,
            "Cannot have both ORDER BY and SORT BY or CLUSTER BY clauses",
        ));
    }
    *order_by = Some(OrderBy {
        kind: OrderByKind::Expressions(keys),
        interpolate: None,
    });
    Ok(())
}

fn plain_star(options: &WildcardAdditionalOptions) -> Result<(), EngineError> {
    let WildcardAdditionalOptions {
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
        ..
    } = options;
    let extra = opt_ilike.is_some()
        || opt_exclude.is_some()
        || opt_except.is_some()
        || opt_replace.is_some()
        || opt_rename.is_some()
        || opt_alias.is_some();
    if extra {
        Err(error::unsupported(
            None,
            "* with further words is not supported",
        ))
    } else {
        Ok(())
    }
}

/// Hive's names know no letter case, quoted or not.
fn lower(ident: &mut Ident) {
    ident.value = ident.value.to_lowercase();
    ident.quote_style = Some('`');
}

fn quoted(name: &str) -> Ident {
    Ident::with_quote('`', name)
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Value(Value::Null.into()))
}
