//! Statements that change a table's rows. Rows go to a new file that appears with its last byte.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, new_null_array};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::ddl::resolve;
use super::functions::cast::check;
use super::progress::PlanProgress;
use super::query::{QueryPlanner, find, is_managed};
use super::session::{SessionInner, nothing};
use super::sql::cursor::TableName;
use super::sql::rewrite::values::{self, Rows};
use super::sql::statement::Insert;
use super::sql::types::HiveType;
use super::warehouse::metadata::TableMeta;
use super::warehouse::writer::DataFile;
use super::warehouse::{Warehouse, unique};
use super::{error, stream};
use crate::engine::{EngineError, Execution};

/// `INSERT INTO` and `INSERT OVERWRITE`.
///
/// # Errors
/// What is known before it runs.
pub(crate) async fn insert(
    session: &Arc<SessionInner>,
    mut insert: Insert,
    planner: &QueryPlanner<'_>,
) -> Result<Execution, EngineError> {
    let (database, table) = resolve(&insert.table, planner);
    let at = Some(insert.table.at);
    let meta = target(&session.shared.warehouse, &database, &table, at)?;
    let types = meta.types()?;
    // For each column of the table, which column of the query it takes.
    let sources = sources(&meta, insert.columns.as_deref())?;
    let given: Vec<HiveType> = given_types(&types, &sources);
    let rows = match values::rows(&mut insert.query, &given, planner.context())? {
        Rows::Constants(batch) => Ok(batch),
        Rows::Expressions => Err(planner.plan_values(*insert.query)?),
        Rows::Query => Err(planner.plan(*insert.query)?),
    };
    let rows = match rows {
        Ok(batch) => Ok(batch),
        Err(planned) => {
            if planned.columns.len() != given.len() {
                return Err(values::arity(
                    Some(insert.table.at),
                    given.len(),
                    planned.columns.len(),
                ));
            }
            for ((_, from), to) in planned.columns.iter().zip(&given) {
                check(Some(from), &from.arrow(), to)
                    .map_err(|e| error::from_planning(&e, |_| None))?;
            }
            Err(planner.compile(planned).await?)
        }
    };
    let inner = Arc::clone(session);
    let compiled = rows.as_ref().err();
    let stop = compiled.map(|compiled| compiled.stop.clone());
    let plan = compiled.map(|compiled| &compiled.plan);
    let progress = Arc::new(PlanProgress::of_insert(plan));
    let inserted = Arc::clone(&progress);
    let work = async move {
        let warehouse = &inner.shared.warehouse;
        let schema = meta.schema()?;
        // Where the rows go now: the data may have been switched, and columns added, since the statement was compiled.
        let compiled = meta.columns;
        let meta = target(warehouse, &database, &table, None)?;
        if !meta.columns.starts_with(&compiled) {
            return Err(error::execution(format!(
                "the columns of {database}.{table} have changed since the statement was compiled: run it again"
            )));
        }
        let new = match insert.overwrite {
            true => Some(NewData::create(warehouse, &database, &table, meta.clone())?),
            false => None,
        };
        let into = match &new {
            Some(new) => new.path.clone(),
            None => warehouse.data_path(&database, &table, &meta),
        };
        let mut file = DataFile::create(&into, schema, types.clone())?;
        let mut write = |batch: &RecordBatch| {
            file.write(&arrange(batch, &sources, &types)?)?;
            inserted.inserted(batch.num_rows());
            Ok(())
        };
        match rows {
            Ok(batch) => write(&batch)?,
            Err(compiled) => {
                let each = |batch| std::future::ready(write(&batch).map(|()| true));
                stream::for_each(compiled, each).await?;
            }
        }
        file.commit(&into)?;
        match new {
            Some(new) => new.switch(warehouse, &database, &table),
            None => Ok(()),
        }
    };
    Ok(session.deferred_write(progress, stop.unwrap_or_default(), work))
}

/// `TRUNCATE TABLE`.
///
/// # Errors
/// There is no such table, or it is not managed.
pub(crate) fn truncate(
    session: &Arc<SessionInner>,
    name: &TableName,
    if_exists: bool,
    planner: &QueryPlanner<'_>,
) -> Result<Execution, EngineError> {
    let (database, table) = resolve(name, planner);
    if if_exists && session.shared.warehouse.table(&database, &table)?.is_none() {
        return Ok(nothing());
    }
    target(&session.shared.warehouse, &database, &table, Some(name.at))?;
    let inner = Arc::clone(session);
    Ok(session.deferred(async move {
        let warehouse = &inner.shared.warehouse;
        let meta = target(warehouse, &database, &table, None)?;
        NewData::create(warehouse, &database, &table, meta)?.switch(warehouse, &database, &table)
    }))
}

fn target(
    warehouse: &Warehouse,
    database: &str,
    table: &str,
    at: Option<Location>,
) -> Result<TableMeta, EngineError> {
    let meta = find(warehouse, database, table)?
        .ok_or_else(|| error::no_such_table(at, database, table))?;
    if is_managed(&meta) {
        return Ok(meta);
    }
    Err(error::unsupported(
        at,
        format!(
            "{database}.{table} is a view or an external table: writing to it is not supported"
        ),
    ))
}

fn sources(meta: &TableMeta, named: Option<&[String]>) -> Result<Vec<Option<usize>>, EngineError> {
    let Some(named) = named else {
        return Ok((0..meta.columns.len()).map(Some).collect());
    };
    for (i, name) in named.iter().enumerate() {
        if !meta.columns.iter().any(|column| column.name == *name) {
            return Err(error::semantic(
                40000,
                format!(
                    "'[{name}]' in insert schema specification are not found among regular columns of the table"
                ),
            ));
        }
        if named[..i].contains(name) {
            return Err(error::semantic(
                10036,
                format!("Duplicate column name: {name}"),
            ));
        }
    }
    Ok(meta
        .columns
        .iter()
        .map(|column| named.iter().position(|name| *name == column.name))
        .collect())
}

/// The types of the query's columns, in its order.
fn given_types(types: &[HiveType], sources: &[Option<usize>]) -> Vec<HiveType> {
    let mut given: Vec<(usize, HiveType)> = sources
        .iter()
        .zip(types)
        .filter_map(|(source, hive)| Some(((*source)?, hive.clone())))
        .collect();
    given.sort_by_key(|(source, _)| *source);
    given.into_iter().map(|(_, hive)| hive).collect()
}

/// The table's columns out of the query's; what the query does not give is NULL.
fn arrange(
    batch: &RecordBatch,
    sources: &[Option<usize>],
    types: &[HiveType],
) -> Result<RecordBatch, EngineError> {
    let columns: Vec<_> = sources
        .iter()
        .zip(types)
        .map(|(source, hive)| match source {
            Some(source) => Arc::clone(batch.column(*source)),
            None => new_null_array(&hive.arrow(), batch.num_rows()),
        })
        .collect();
    let fields: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(i, c)| arrow_schema::Field::new(i.to_string(), c.data_type().clone(), true))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(
        Arc::new(arrow_schema::Schema::new(fields)),
        columns,
        &options,
    )
    .map_err(|e| error::execution(e.to_string()))
}

/// A folder that becomes a table's data. Dropped without a switch, it is gone again.
struct NewData {
    path: PathBuf,
    generation: String,
    switched: bool,
}

impl NewData {
    fn create(
        warehouse: &Warehouse,
        database: &str,
        table: &str,
        mut meta: TableMeta,
    ) -> Result<Self, EngineError> {
        meta.generation = format!("data-{}", unique());
        let path = warehouse.data_path(database, table, &meta);
        std::fs::create_dir(&path)
            .map_err(|e| error::io(&format!("writing table {database}.{table}"), &e))?;
        Ok(Self {
            path,
            generation: meta.generation,
            switched: false,
        })
    }

    /// Makes this the table's data, and removes what was.
    fn switch(
        mut self,
        warehouse: &Warehouse,
        database: &str,
        table: &str,
    ) -> Result<(), EngineError> {
        let old = warehouse.update(database, table, |meta| {
            meta.generation.clone_from(&self.generation);
            Ok(())
        })?;
        self.switched = true;
        remove(&warehouse.data_path(database, table, &old));
        Ok(())
    }
}

impl Drop for NewData {
    fn drop(&mut self) {
        if !self.switched {
            remove(&self.path);
        }
    }
}

fn remove(folder: &Path) {
    if let Err(e) = std::fs::remove_dir_all(folder) {
        tracing::warn!(path = %folder.display(), error = %e, "data that nobody reads any more could not be removed");
    }
}
