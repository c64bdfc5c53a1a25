//! Generators: `LATERAL VIEW`, and a call such as `explode(…)` alone in the `SELECT` list, which is the same with all
//! columns of the view selected.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, Join,
    JoinConstraint, JoinOperator, LateralView, ObjectName, ObjectNamePart, Select, SelectItem,
    SelectItemQualifiedWildcardKind, Spanned, TableAlias, TableFactor, TableWithJoins,
    WildcardAdditionalOptions,
};
use datafusion::sql::sqlparser::parser::Parser;

use super::expr::{call, cast, function_name};
use super::{Rewriter, lower, quoted};
use crate::engine::EngineError;
use crate::engine::datafusion::functions::cast::IMPLICIT;
use crate::engine::datafusion::functions::generate;
use crate::engine::datafusion::sql::dialect::HiveDialect;
use crate::engine::datafusion::{error, lateral};

/// How many lateral views may stand around each other: planning descends through them.
const VIEWS_MAX: usize = 100;
/// The view of a generator in the `SELECT` list.
const SELECTED: &str = "hive generated";

impl Rewriter<'_> {
    /// Wraps the tables of a `SELECT` into its lateral views, one around the other.
    pub(super) fn lateral_views(&mut self, select: &mut Select) -> Result<(), EngineError> {
        if select.lateral_views.len() > VIEWS_MAX {
            return Err(error::unsupported(
                Some(select.select_token.0.span.start),
                format!("more than {VIEWS_MAX} LATERAL VIEWs in one SELECT are not supported"),
            ));
        }
        for LateralView {
            lateral_view,
            lateral_view_name,
            lateral_col_alias,
            outer,
        } in std::mem::take(&mut select.lateral_views)
        {
            let at = lateral_view_name.span().start;
            let mut name = match lateral_view_name.0.as_slice() {
                [ObjectNamePart::Identifier(name)] => name.clone(),
                _ => return Err(error::parse(at, "a lateral view's name has one part")),
            };
            lower(&mut name);
            let mut columns = lateral_col_alias;
            columns.iter_mut().for_each(lower);
            self.unfold(select, lateral_view, name, columns, outer)?;
        }
        Ok(())
    }

    /// Makes a generator in the `SELECT` list a lateral view; says whether there was one.
    pub(super) fn generate(&mut self, select: &mut Select) -> Result<bool, EngineError> {
        let generates = |item: &SelectItem| {
            matches!(item, SelectItem::UnnamedExpr(expr)
                | SelectItem::ExprWithAlias { expr, .. }
                | SelectItem::ExprWithAliases { expr, .. } if generator_name(expr).is_some())
        };
        if !select.projection.iter().any(generates) {
            return Ok(false);
        }
        if select.projection.len() > 1 {
            return Err(error::semantic(
                10075,
                "Only a single expression in the SELECT clause is supported with UDTF's",
            ));
        }
        let grouped =
            !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
        if grouped || select.having.is_some() || select.distinct.is_some() {
            return Err(error::semantic(
                10077,
                "GROUP BY, HAVING and DISTINCT are not supported with a UDTF in the SELECT clause",
            ));
        }
        let (expr, mut columns) = match select.projection.remove(0) {
            SelectItem::UnnamedExpr(expr) => (expr, Vec::new()),
            SelectItem::ExprWithAlias { expr, alias } => (expr, vec![alias]),
            SelectItem::ExprWithAliases { expr, aliases } => (expr, aliases),
            _ => return Ok(false),
        };
        columns.iter_mut().for_each(lower);
        if select.from.is_empty() {
            select.from.push(one_row()?);
        }
        self.unfold(select, expr, quoted(SELECTED), columns, false)?;
        select.projection.push(SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![quoted(SELECTED)])),
            WildcardAdditionalOptions::default(),
        ));
        Ok(true)
    }

    fn unfold(
        &mut self,
        select: &mut Select,
        generator: Expr,
        name: Ident,
        columns: Vec<Ident>,
        outer: bool,
    ) -> Result<(), EngineError> {
        let generator = self.generator(generator)?;
        let input = all_tables(std::mem::take(&mut select.from));
        let Some(input) = input else {
            return Err(error::semantic(40000, "LATERAL VIEW needs a FROM clause"));
        };
        select.from.push(TableWithJoins {
            relation: lateral::view(input, generator, name, columns, outer),
            joins: Vec::new(),
        });
        Ok(())
    }

    fn generator(&mut self, expr: Expr) -> Result<Expr, EngineError> {
        let at = expr.span().start;
        let (Some(name), Expr::Function(function)) = (generator_name(&expr), expr) else {
            return Err(error::unsupported(
                Some(at),
                format!("LATERAL VIEW takes one of {}", generate::NAMES.join(", ")),
            ));
        };
        let plain = function.over.is_none()
            && function.filter.is_none()
            && function.null_treatment.is_none()
            && function.within_group.is_empty();
        let FunctionArguments::List(list) = function.args else {
            return Err(error::unsupported(
                Some(at),
                format!("{name} of this is not supported"),
            ));
        };
        if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return Err(error::unsupported(
                Some(at),
                format!("{name} takes arguments only"),
            ));
        }
        let mut args = Vec::with_capacity(list.args.len());
        for (i, arg) in list.args.into_iter().enumerate() {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) = arg else {
                return Err(error::unsupported(
                    Some(at),
                    format!("this argument of {name} is not supported"),
                ));
            };
            args.push(match name {
                // How many rows: read when planning.
                "stack" if i == 0 => arg,
                "json_tuple" => cast(self.expr(arg)?, "string", Some(IMPLICIT)),
                _ => self.expr(arg)?,
            });
        }
        let least = if matches!(name, "stack" | "json_tuple") {
            2
        } else {
            1
        };
        if args.len() < least {
            return Err(error::semantic(
                10015,
                format!("Arguments length mismatch: {name} takes at least {least}"),
            ));
        }
        Ok(call(&format!("hive {name}"), args))
    }
}

/// The generator that an expression calls.
pub(super) fn generator_name(expr: &Expr) -> Option<&'static str> {
    let Expr::Function(function) = expr else {
        return None;
    };
    let name = function_name(&function.name)?;
    generate::NAMES.into_iter().find(|known| *known == name)
}

/// Every table of `FROM` as one.
fn all_tables(from: Vec<TableWithJoins>) -> Option<TableFactor> {
    let mut tables = from.into_iter().map(|table| {
        if table.joins.is_empty() {
            table.relation
        } else {
            TableFactor::NestedJoin {
                table_with_joins: Box::new(table),
                alias: None,
            }
        }
    });
    let relation = tables.next()?;
    let joins: Vec<Join> = tables
        .map(|relation| Join {
            relation,
            global: false,
            join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
        })
        .collect();
    if joins.is_empty() {
        return Some(relation);
    }
    Some(TableFactor::NestedJoin {
        table_with_joins: Box::new(TableWithJoins { relation, joins }),
        alias: None,
    })
}

/// The table of one row that a `SELECT` without `FROM` reads.
fn one_row() -> Result<TableWithJoins, EngineError> {
    let query = Parser::new(&HiveDialect)
        .try_with_sql("SELECT 1 AS one")
        .and_then(|mut parser| parser.parse_query())
        .map_err(|e| error::execution(e.to_string()))?;
    Ok(TableWithJoins {
        relation: TableFactor::Derived {
            lateral: false,
            subquery: query,
            alias: Some(TableAlias {
                explicit: true,
                name: quoted("hive one"),
                columns: Vec::new(),
                at: None,
            }),
            sample: None,
        },
        joins: Vec::new(),
    })
}
