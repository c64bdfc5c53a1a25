//! Statements that make and remove databases, tables and views.

use std::sync::Arc;

use super::progress::PlanProgress;
use super::query::{QueryPlanner, bare_names, find, storable};
use super::session::SessionInner;
use super::sql::cursor::TableName;
use super::sql::statement::{ColumnDef, CreateTable, FileFormat};
use super::sql::types::HiveType;
use super::warehouse::metadata::{ColumnMeta, DatabaseMeta, Format, Kind, TableMeta, ViewMeta};
use super::warehouse::text_table;
use super::warehouse::writer::DataFile;
use super::{error, stream};
use crate::engine::{EngineError, Execution};
use datafusion::sql::sqlparser::ast::Query;

/// A view to make.
pub(crate) struct NewView {
    pub(crate) name: TableName,
    pub(crate) if_not_exists: bool,
    pub(crate) or_replace: bool,
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) comment: Option<String>,
    pub(crate) query: Box<Query>,
    pub(crate) text: String,
}

/// `CREATE DATABASE`.
pub(crate) fn create_database(
    session: &Arc<SessionInner>,
    name: String,
    if_not_exists: bool,
    comment: Option<String>,
) -> Execution {
    let inner = Arc::clone(session);
    session.deferred(async move {
        let meta = DatabaseMeta {
            comment,
            ..DatabaseMeta::new(&inner.user)
        };
        if inner.shared.warehouse.create_database(&name, &meta)? || if_not_exists {
            return Ok(());
        }
        Err(error::ddl(format!("Database {name} already exists")))
    })
}

/// `DROP DATABASE`.
pub(crate) fn drop_database(
    session: &Arc<SessionInner>,
    name: String,
    if_exists: bool,
    cascade: bool,
) -> Execution {
    let inner = Arc::clone(session);
    session.deferred(async move {
        if if_exists && !inner.shared.warehouse.has_database(&name) {
            return Ok(());
        }
        inner.shared.warehouse.drop_database(&name, cascade)
    })
}

/// `CREATE TABLE`, with or without a query.
///
/// # Errors
/// What is known before it runs.
pub(crate) async fn create_table(
    session: &Arc<SessionInner>,
    create: CreateTable,
    planner: &QueryPlanner<'_>,
) -> Result<Execution, EngineError> {
    let (database, table) = resolve(&create.name, planner);
    let warehouse = &session.shared.warehouse;
    if create.if_not_exists && find(warehouse, &database, &table)?.is_some() {
        return Ok(super::session::nothing());
    }
    let compiled = match create.query.clone() {
        Some(query) => Some(planner.compile(planner.plan(*query)?).await?),
        None => None,
    };
    let meta = new_table(
        session,
        &create,
        planner,
        compiled.as_ref().map(|c| c.columns.as_slice()),
    )?;
    let inner = Arc::clone(session);
    let progress = compiled.as_ref().map(|compiled| {
        let progress = PlanProgress::of_insert(Some(&compiled.plan));
        (Arc::new(progress), compiled.stop.clone())
    });
    let inserted = progress.clone().map(|(progress, _)| progress);
    let work = async move {
        let staged = inner
            .shared
            .warehouse
            .stage_table(&database, &table, &meta)?;
        if let Some(compiled) = compiled {
            let mut file = DataFile::create(staged.data(), meta.schema()?, meta.types()?)?;
            let written = &mut file;
            stream::for_each(compiled, |batch| {
                if let Some(inserted) = &inserted {
                    inserted.inserted(batch.num_rows());
                }
                std::future::ready(written.write(&batch).map(|()| true))
            })
            .await?;
            file.commit(staged.data())?;
        }
        if staged.commit()? || create.if_not_exists {
            return Ok(());
        }
        Err(exists(&database, &table))
    };
    Ok(match progress {
        Some((progress, stop)) => session.deferred_write(progress, stop, work),
        None => session.deferred(work),
    })
}

fn new_table(
    session: &SessionInner,
    create: &CreateTable,
    planner: &QueryPlanner<'_>,
    selected: Option<&[(String, HiveType)]>,
) -> Result<TableMeta, EngineError> {
    let columns = match (selected, &create.like) {
        (Some(selected), _) => selected_columns(selected)?,
        (None, Some(like)) => {
            let (database, table) = resolve(like, planner);
            let meta = find(&session.shared.warehouse, &database, &table)?
                .ok_or_else(|| error::no_such_table(Some(like.at), &database, &table))?;
            meta.columns
        }
        (None, None) => create
            .columns
            .iter()
            .map(|c| ColumnMeta {
                name: c.name.clone(),
                hive_type: c.hive_type.to_string(),
                comment: c.comment.clone(),
            })
            .collect(),
    };
    if columns.is_empty() {
        return Err(error::semantic(40000, "CREATE TABLE needs columns"));
    }
    let mut meta = TableMeta::managed(columns, &session.user);
    meta.comment.clone_from(&create.comment);
    meta.properties.clone_from(&create.properties);
    if create.external {
        if create.query.is_some() {
            return Err(error::semantic(
                10070,
                "CREATE-TABLE-AS-SELECT cannot create external table",
            ));
        }
        let Some(location) = &create.location else {
            return Err(error::unsupported(
                Some(create.name.at),
                "CREATE EXTERNAL TABLE without LOCATION is not supported",
            ));
        };
        meta.kind = Kind::External;
        meta.location = Some(local_path(location)?);
        meta.format = match create.format {
            FileFormat::Parquet => Format::Parquet,
            FileFormat::Csv => Format::Csv,
            FileFormat::Text => Format::Text,
            FileFormat::Json => Format::Json,
        };
        check_readable(&meta)?;
    } else if create.location.is_some() {
        return Err(error::unsupported(
            Some(create.name.at),
            "LOCATION is supported for external tables only: a managed table lives in the warehouse",
        ));
    }
    Ok(meta)
}

/// Refuses what cannot be read in files that others write.
fn check_readable(meta: &TableMeta) -> Result<(), EngineError> {
    if meta.kind != Kind::External {
        return Ok(());
    }
    let types = meta.types()?;
    let limited = |hive: &HiveType| matches!(hive, HiveType::Char(_) | HiveType::Varchar(_));
    if types.iter().any(limited) {
        return Err(error::unsupported(
            None,
            "char and varchar in external tables are not supported: use string",
        ));
    }
    if text_table::schema(meta).is_none() {
        return Ok(());
    }
    for (column, hive) in meta.columns.iter().zip(types) {
        if !text_table::reads(&hive) {
            return Err(error::unsupported(
                None,
                format!(
                    "column {}: {hive} in text files is not supported",
                    column.name
                ),
            ));
        }
    }
    let delimiter = meta.properties.get("field.delim");
    if delimiter.is_some_and(|delimiter| delimiter.len() != 1) {
        return Err(error::unsupported(
            None,
            "field.delim of anything but one byte is not supported",
        ));
    }
    let lines = meta.properties.get("skip.header.line.count");
    if lines.is_some_and(|lines| lines != "0" && lines != "1")
        || meta.properties.contains_key("skip.footer.line.count")
        || meta.properties.contains_key("serialization.null.format")
    {
        return Err(error::unsupported(
            None,
            "skip.header.line.count above 1, skip.footer.line.count and serialization.null.format are not supported",
        ));
    }
    Ok(())
}

/// The path of a `LOCATION`: a local one.
fn local_path(location: &str) -> Result<String, EngineError> {
    let path = location
        .strip_prefix("file://")
        .or_else(|| location.strip_prefix("file:"))
        .unwrap_or(location);
    if path.starts_with('/') && !path.split('/').any(|part| part == "..") {
        return Ok(path.to_owned());
    }
    Err(error::unsupported(
        None,
        format!("LOCATION '{location}' is not supported: give an absolute path of this machine"),
    ))
}

fn selected_columns(selected: &[(String, HiveType)]) -> Result<Vec<ColumnMeta>, EngineError> {
    let mut columns: Vec<ColumnMeta> = Vec::new();
    for (name, (_, hive)) in bare_names(selected).into_iter().zip(selected) {
        if !storable(hive) {
            return Err(error::semantic(
                10305,
                format!("column {name} has type {hive}: CAST it to a type that a table can hold"),
            ));
        }
        if columns.iter().any(|column| column.name == name) {
            return Err(error::semantic(
                10036,
                format!("Duplicate column name: {name}"),
            ));
        }
        columns.push(ColumnMeta {
            name,
            hive_type: hive.to_string(),
            comment: None,
        });
    }
    Ok(columns)
}

/// `CREATE VIEW`.
///
/// # Errors
/// The view's query cannot be planned.
pub(crate) fn create_view(
    session: &Arc<SessionInner>,
    view: NewView,
    planner: &QueryPlanner<'_>,
) -> Result<Execution, EngineError> {
    let (database, table) = resolve(&view.name, planner);
    let planned = planner.plan(*view.query)?;
    let mut columns = selected_columns(&planned.columns)?;
    if !view.columns.is_empty() {
        if view.columns.len() != columns.len() {
            return Err(error::semantic(
                10089,
                "The number of columns produced by the SELECT clause does not match the number of column names specified by CREATE VIEW",
            ));
        }
        for (column, named) in columns.iter_mut().zip(&view.columns) {
            column.name.clone_from(&named.name);
            column.comment.clone_from(&named.comment);
        }
    }
    let mut meta = TableMeta::managed(columns, &session.user);
    meta.kind = Kind::View;
    meta.comment = view.comment;
    meta.view = Some(ViewMeta {
        text: view.text,
        database: planner.context().database.clone(),
    });
    let inner = Arc::clone(session);
    Ok(session.deferred(async move {
        let warehouse = &inner.shared.warehouse;
        match find(warehouse, &database, &table)? {
            Some(old) if view.or_replace && old.kind == Kind::View => {
                let replaced = warehouse.update(&database, &table, |old| {
                    *old = meta;
                    Ok(())
                });
                replaced.map(drop)
            }
            Some(_) if view.if_not_exists => Ok(()),
            Some(_) => Err(exists(&database, &table)),
            None => {
                if warehouse.stage_table(&database, &table, &meta)?.commit()? || view.if_not_exists
                {
                    return Ok(());
                }
                Err(exists(&database, &table))
            }
        }
    }))
}

/// `DROP TABLE` and `DROP VIEW`. What is not there is no error, as `hive.exec.drop.ignorenonexistent` has it.
///
/// # Errors
/// There is no such database, or it is the other kind of thing.
pub(crate) fn drop_table(
    session: &Arc<SessionInner>,
    name: &TableName,
    if_exists: bool,
    view: bool,
    planner: &QueryPlanner<'_>,
) -> Result<Execution, EngineError> {
    let (database, table) = resolve(name, planner);
    let warehouse = &session.shared.warehouse;
    if if_exists && !warehouse.has_database(&database) {
        return Ok(super::session::nothing());
    }
    let found = find(warehouse, &database, &table)?;
    if found.is_some_and(|meta| (meta.kind == Kind::View) != view) {
        let (a, b) = if view {
            ("base table", "VIEW")
        } else {
            ("view", "TABLE")
        };
        return Err(error::ddl(format!(
            "Cannot drop a {a} with DROP {b}: {database}.{table}"
        )));
    }
    let inner = Arc::clone(session);
    Ok(session.deferred(async move {
        inner
            .shared
            .warehouse
            .drop_table(&database, &table)
            .map(|_| ())
    }))
}

/// `ALTER TABLE … RENAME TO`.
///
/// # Errors
/// There is no such table, or it is the other kind of thing.
pub(crate) fn rename(
    session: &Arc<SessionInner>,
    name: &TableName,
    to: &TableName,
    view: bool,
    planner: &QueryPlanner<'_>,
) -> Result<Execution, EngineError> {
    let (from, to) = (resolve(name, planner), resolve(to, planner));
    let meta = existing(session, name, planner)?;
    match (meta.kind == Kind::View, view) {
        (true, false) => return Err(is_a_view()),
        (false, true) => {
            return Err(error::semantic(
                10132,
                "To alter a base table you need to use the ALTER TABLE command.",
            ));
        }
        _ => {}
    }
    let inner = Arc::clone(session);
    Ok(session.deferred(async move {
        let warehouse = &inner.shared.warehouse;
        warehouse.rename_table((&from.0, &from.1), (&to.0, &to.1))
    }))
}

fn is_a_view() -> EngineError {
    error::semantic(
        10131,
        "To alter a view you need to use the ALTER VIEW command.",
    )
}

/// `ALTER TABLE` of what is written down about a table. `change` is tried now, and made when the statement runs.
///
/// # Errors
/// There is no such table, it cannot be changed so, or its files could not be read any more.
pub(crate) fn alter(
    session: &Arc<SessionInner>,
    name: &TableName,
    planner: &QueryPlanner<'_>,
    change: impl Fn(&mut TableMeta) -> Result<(), EngineError> + Send + 'static,
) -> Result<Execution, EngineError> {
    let (database, table) = resolve(name, planner);
    let change = move |meta: &mut TableMeta| {
        change(meta)?;
        check_readable(meta)
    };
    change(&mut existing(session, name, planner)?)?;
    let inner = Arc::clone(session);
    Ok(session.deferred(async move {
        let warehouse = &inner.shared.warehouse;
        warehouse.update(&database, &table, change).map(drop)
    }))
}

/// `ADD COLUMNS`: the rows that are there have NULL in them.
///
/// # Errors
/// A column of that name is there, or the files cannot be read so.
pub(crate) fn add_columns(meta: &mut TableMeta, columns: &[ColumnDef]) -> Result<(), EngineError> {
    if meta.kind == Kind::View {
        return Err(is_a_view());
    }
    // The reader wants as many fields in each line as there are columns.
    if text_table::schema(meta).is_some() {
        return Err(error::unsupported(
            None,
            "ALTER TABLE … ADD COLUMNS of a table over text files is not supported: drop it and create it with all columns",
        ));
    }
    for column in columns {
        if meta.columns.iter().any(|c| c.name == column.name) {
            return Err(error::semantic(
                10036,
                format!("Duplicate column name: {}", column.name),
            ));
        }
        meta.columns.push(ColumnMeta {
            name: column.name.clone(),
            hive_type: column.hive_type.to_string(),
            comment: column.comment.clone(),
        });
    }
    Ok(())
}

fn existing(
    session: &SessionInner,
    name: &TableName,
    planner: &QueryPlanner<'_>,
) -> Result<TableMeta, EngineError> {
    let (database, table) = resolve(name, planner);
    find(&session.shared.warehouse, &database, &table)?
        .ok_or_else(|| error::no_such_table(Some(name.at), &database, &table))
}

/// A table's database and name.
pub(crate) fn resolve(name: &TableName, planner: &QueryPlanner<'_>) -> (String, String) {
    (
        name.database
            .clone()
            .unwrap_or_else(|| planner.context().database.clone()),
        name.table.clone(),
    )
}

fn exists(database: &str, table: &str) -> EngineError {
    error::ddl(format!(
        "AlreadyExistsException(message:Table {database}.{table} already exists)"
    ))
}
