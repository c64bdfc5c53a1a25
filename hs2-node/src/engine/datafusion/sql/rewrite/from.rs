//! `FROM`: tables, joins and subqueries.

use datafusion::sql::sqlparser::ast::{
    Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Spanned, TableAlias,
    TableFactor, TableFunctionArgs, TableWithJoins,
};

use super::{Rewriter, TableReference, lower, quoted};
use crate::engine::EngineError;
use crate::engine::datafusion::error;

/// How many tables a statement may read, a table of `WITH` being all that it reads each time it is named: one that names
/// another twice doubles it.
const TABLES_MAX: usize = 5_000;

/// How many tables one `FROM` may join.
const JOINS_MAX: usize = 200;

impl Rewriter<'_> {
    pub(super) fn table_with_joins(
        &mut self,
        table: &mut TableWithJoins,
    ) -> Result<(), EngineError> {
        if table.joins.len() > JOINS_MAX {
            return Err(error::unsupported(
                None,
                format!("more than {JOINS_MAX} JOINs in one FROM are not supported"),
            ));
        }
        self.table_factor(&mut table.relation)?;
        for Join {
            relation,
            global,
            join_operator,
        } in &mut table.joins
        {
            if *global {
                return Err(error::unsupported(None, "GLOBAL JOIN is not supported"));
            }
            self.table_factor(relation)?;
            match join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint)
                | JoinOperator::LeftSemi(constraint)
                | JoinOperator::LeftAnti(constraint) => self.join_constraint(constraint)?,
                _ => {
                    return Err(error::unsupported(
                        None,
                        "this kind of JOIN is not supported",
                    ));
                }
            }
            // Without a condition it is a cross join in Hive.
            if matches!(
                join_operator,
                JoinOperator::Join(JoinConstraint::None)
                    | JoinOperator::Inner(JoinConstraint::None)
            ) {
                *join_operator = JoinOperator::CrossJoin(JoinConstraint::None);
            }
        }
        Ok(())
    }

    fn join_constraint(&mut self, constraint: &mut JoinConstraint) -> Result<(), EngineError> {
        match constraint {
            JoinConstraint::On(condition) => self.expr_in_place(condition),
            JoinConstraint::Using(columns) => {
                for column in columns {
                    for part in &mut column.0 {
                        if let ObjectNamePart::Identifier(ident) = part {
                            lower(ident);
                        }
                    }
                }
                Ok(())
            }
            JoinConstraint::None => Ok(()),
            JoinConstraint::Natural => {
                Err(error::unsupported(None, "NATURAL JOIN is not supported"))
            }
        }
    }

    fn table_factor(&mut self, factor: &mut TableFactor) -> Result<(), EngineError> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                let plain = with_hints.is_empty()
                    && version.is_none()
                    && !*with_ordinality
                    && partitions.is_empty()
                    && json_path.is_none()
                    && index_hints.is_empty();
                if sample.is_some() {
                    return Err(error::unsupported(
                        Some(name.span().start),
                        "TABLESAMPLE is not supported",
                    ));
                }
                if !plain {
                    return Err(error::unsupported(
                        Some(name.span().start),
                        "this table reference is not supported",
                    ));
                }
                lower_alias(alias)?;
                match args {
                    Some(args) => self.table_function(name, args, alias),
                    None => self.table(name, alias),
                }
            }
            TableFactor::Derived {
                lateral: false,
                subquery,
                alias,
                sample: None,
            } => {
                if alias.is_none() {
                    return Err(error::semantic(40000, "a subquery in FROM needs a name"));
                }
                lower_alias(alias)?;
                self.query(subquery)?;
                Ok(())
            }
            _ => Err(error::unsupported(
                None,
                "this table reference is not supported",
            )),
        }
    }

    /// A table by name: written out with its database, so that only the current one is ever implied.
    fn table(
        &mut self,
        name: &mut ObjectName,
        alias: &mut Option<TableAlias>,
    ) -> Result<(), EngineError> {
        let at = name.span().start;
        let mut parts = Vec::new();
        for part in &name.0 {
            match part {
                ObjectNamePart::Identifier(ident) => parts.push(ident.value.to_lowercase()),
                ObjectNamePart::Function(_) => {
                    return Err(error::unsupported(
                        Some(at),
                        "this table name is not supported",
                    ));
                }
            }
        }
        let (database, table) = match parts.as_slice() {
            [table] if let Some(reads) = self.of_with(table) => {
                *name = ObjectName::from(vec![quoted(table)]);
                return self.read(reads);
            }
            [table] => (self.context.database.clone(), table.clone()),
            [database, table] => (database.clone(), table.clone()),
            _ => {
                return Err(error::unsupported(
                    Some(at),
                    "a table's name has at most two parts: database.table",
                ));
            }
        };
        *name = ObjectName::from(vec![quoted(&database), quoted(&table)]);
        if alias.is_none() {
            *alias = Some(TableAlias {
                explicit: true,
                name: quoted(&table),
                columns: Vec::new(),
                at: None,
            });
        }
        self.tables.push(TableReference {
            database,
            table,
            at,
        });
        self.read(1)
    }

    /// How many tables a table of `WITH` reads.
    fn of_with(&self, table: &str) -> Option<usize> {
        let mut scopes = self.with.iter().rev();
        scopes.find_map(|scope| scope.get(table).copied())
    }

    fn read(&mut self, tables: usize) -> Result<(), EngineError> {
        self.reads += tables;
        if self.reads <= TABLES_MAX {
            return Ok(());
        }
        Err(error::unsupported(
            None,
            format!(
                "a query that reads more than {TABLES_MAX} tables, WITH tables written out, is not supported"
            ),
        ))
    }

    /// `range(…)`.
    fn table_function(
        &mut self,
        name: &mut ObjectName,
        args: &mut TableFunctionArgs,
        alias: &mut Option<TableAlias>,
    ) -> Result<(), EngineError> {
        let at = name.span().start;
        let lowered = name.to_string().to_lowercase();
        if lowered.trim_matches('`') != "range" {
            return Err(error::unsupported(
                Some(at),
                format!("table function '{lowered}' is not supported"),
            ));
        }
        *name = ObjectName::from(vec![quoted("range")]);
        if alias.is_none() {
            *alias = Some(TableAlias {
                explicit: true,
                name: quoted("range"),
                columns: Vec::new(),
                at: None,
            });
        }
        for argument in &args.args {
            let text = argument.to_string();
            let digits = text.strip_prefix('-').unwrap_or(&text);
            if digits.parse::<i64>().is_err() {
                return Err(error::unsupported(
                    Some(at),
                    "range takes whole numbers only",
                ));
            }
        }
        if args.args.is_empty() || args.args.len() > 3 || args.settings.is_some() {
            return Err(error::unsupported(
                Some(at),
                "range takes one to three whole numbers",
            ));
        }
        Ok(())
    }
}

fn lower_alias(alias: &mut Option<TableAlias>) -> Result<(), EngineError> {
    let Some(alias) = alias else { return Ok(()) };
    lower(&mut alias.name);
    if alias.columns.is_empty() && alias.at.is_none() {
        return Ok(());
    }
    Err(error::unsupported(
        Some(alias.name.span.start),
        "column names behind a table's name are not supported",
    ))
}
