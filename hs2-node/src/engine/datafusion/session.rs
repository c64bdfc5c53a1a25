//! A session: where statements are parsed and sent to what runs them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::arrow::array::StringArray;
use futures::StreamExt;
use futures::stream;

use super::cancel::Stop;
use super::functions::{allow, generate};
use super::progress::PlanProgress;
use super::query::QueryPlanner;
use super::settings::{self, Command, GROUP_BY_POSITION, SUBSTITUTE, Settings, UNIQUE_NAMES};
use super::sql::cursor::Cursor;
use super::sql::lexer;
use super::sql::rewrite::Context;
use super::sql::statement::{self, Statement};
use super::sql::variables::SourceText;
use super::warehouse::metadata::TableMeta;
use super::{Shared, ddl, dml, error, show, stream as batches};
use crate::engine::{
    COMMENT, Database, EngineError, EngineSession, Execution, Function, SessionOptions, Table,
};

/// A session of the embedded engine.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) inner: Arc<SessionInner>,
}

/// What a session's statements share.
#[derive(Debug)]
pub(crate) struct SessionInner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) user: String,
    changing: Mutex<Changing>,
    opened_with: Settings,
}

#[derive(Debug, Clone)]
struct Changing {
    database: String,
    settings: Settings,
}

impl Session {
    /// A session with this current database, which exists.
    pub(crate) fn new(shared: Arc<Shared>, options: SessionOptions, database: String) -> Self {
        let settings = Settings {
            conf: options.conf,
            vars: options.vars,
        };
        let changing = Mutex::new(Changing {
            database,
            settings: settings.clone(),
        });
        let inner = SessionInner {
            shared,
            user: options.user,
            changing,
            opened_with: settings,
        };
        Self {
            inner: Arc::new(inner),
        }
    }
}

#[async_trait]
impl EngineSession for Session {
    async fn execute(
        &self,
        statement: &str,
        overlay: &BTreeMap<String, String>,
    ) -> Result<Execution, EngineError> {
        let inner = Arc::clone(&self.inner);
        let (statement, overlay) = (statement.to_owned(), overlay.clone());
        let work = async move { inner.execute(&statement, &overlay).await };
        self.inner.shared.runtime.run(work).await
    }

    fn current_database(&self) -> String {
        self.inner.changing().database
    }

    async fn catalog(&self) -> Result<Vec<Database>, EngineError> {
        let inner = Arc::clone(&self.inner);
        self.inner
            .shared
            .runtime
            .run(async move { inner.catalog() })
            .await
    }

    fn functions(&self) -> Vec<Function> {
        let function = |name: &str| Function {
            name: name.to_owned(),
            table: name == "range" || generate::NAMES.contains(&name),
        };
        allow::names().into_iter().map(function).collect()
    }
}

impl SessionInner {
    async fn execute(
        self: &Arc<Self>,
        text: &str,
        overlay: &BTreeMap<String, String>,
    ) -> Result<Execution, EngineError> {
        let changing = self.changing();
        let settings = changing.settings.overlaid(overlay);
        if let Some(command) = settings::command(text)? {
            return self.command(command, &settings);
        }
        let source = if settings.is_on(SUBSTITUTE) {
            SourceText::substitute(text, &settings.conf, &settings.vars)?
        } else {
            SourceText::plain(text)
        };
        let mut cursor = Cursor::new(lexer::tokenize(&source)?, source.end());
        let statement = statement::parse(&mut cursor, &source.text)?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let context = Context {
            database: changing.database,
            user: self.user.clone(),
            now_us: i64::try_from(now.as_micros()).unwrap_or_default(),
            group_by_position: settings.is_on(GROUP_BY_POSITION),
        };
        let planner = QueryPlanner::new(
            &self.shared,
            context,
            cursor.tokens(),
            settings.is_on(UNIQUE_NAMES),
        );
        self.dispatch(statement, &planner).await
    }

    async fn dispatch(
        self: &Arc<Self>,
        statement: Statement,
        planner: &QueryPlanner<'_>,
    ) -> Result<Execution, EngineError> {
        match statement {
            Statement::Query(query) => {
                let compiled = planner.compile(planner.plan(*query)?).await?;
                let output = compiled.output();
                let schema = Some(Arc::clone(output.schema()));
                let progress = Arc::new(PlanProgress::of_query(&compiled.plan));
                let stop = compiled.stop.on_drop();
                let plan = progress.while_running();
                let running = self.shared.runtime.stream(|sender| async {
                    let _plan = plan;
                    batches::send(compiled, output, sender).await
                });
                // The engine stays while the rows are read, and the plan stops when they are no more.
                let shared = Arc::clone(&self.shared);
                let batches = running.map(move |batch| {
                    let _ = (&shared, &stop);
                    batch
                });
                Ok(Execution {
                    schema,
                    batches: batches.boxed(),
                    progress: Some(progress),
                })
            }
            Statement::Explain(query) => {
                let lines = planner.explain(planner.plan(*query)?).await?;
                rows(
                    &["Explain"],
                    lines.into_iter().map(|line| vec![line]).collect(),
                )
            }
            Statement::Use(database) => {
                if !self.shared.warehouse.has_database(&database) {
                    return Err(error::no_such_database(&database));
                }
                self.changing
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .database = database;
                Ok(nothing())
            }
            Statement::Insert(insert) => dml::insert(self, *insert, planner).await,
            Statement::Truncate { name, if_exists } => {
                dml::truncate(self, &name, if_exists, planner)
            }
            Statement::CreateTable(create) => ddl::create_table(self, *create, planner).await,
            Statement::CreateView {
                name,
                if_not_exists,
                or_replace,
                columns,
                comment,
                query,
                text,
            } => {
                let view = ddl::NewView {
                    name,
                    if_not_exists,
                    or_replace,
                    columns,
                    comment,
                    query,
                    text,
                };
                ddl::create_view(self, view, planner)
            }
            Statement::DropTable { name, if_exists } => {
                ddl::drop_table(self, &name, if_exists, false, planner)
            }
            Statement::DropView { name, if_exists } => {
                ddl::drop_table(self, &name, if_exists, true, planner)
            }
            Statement::Rename { name, to, view } => ddl::rename(self, &name, &to, view, planner),
            Statement::SetProperties { name, properties } => {
                ddl::alter(self, &name, planner, move |meta| {
                    meta.properties.extend(properties.clone());
                    Ok(())
                })
            }
            Statement::UnsetProperties {
                name,
                keys,
                if_exists,
            } => ddl::alter(self, &name, planner, move |meta| {
                for key in &keys {
                    if meta.properties.remove(key).is_none() && !if_exists {
                        return Err(error::semantic(
                            10215,
                            format!(
                                "Please use the following syntax if not sure whether the property existed or not: UNSET TBLPROPERTIES IF EXISTS ('{key}')"
                            ),
                        ));
                    }
                }
                Ok(())
            }),
            Statement::AddColumns { name, columns } => {
                ddl::alter(self, &name, planner, move |meta| {
                    ddl::add_columns(meta, &columns)
                })
            }
            Statement::CreateDatabase {
                name,
                if_not_exists,
                comment,
            } => Ok(ddl::create_database(self, name, if_not_exists, comment)),
            Statement::DropDatabase {
                name,
                if_exists,
                cascade,
            } => Ok(ddl::drop_database(self, name, if_exists, cascade)),
            other => show::show(&self.shared.warehouse, &planner.context().database, other),
        }
    }

    fn command(&self, command: Command, settings: &Settings) -> Result<Execution, EngineError> {
        let single =
            |lines: Vec<String>| rows(&["set"], lines.into_iter().map(|line| vec![line]).collect());
        match command {
            Command::List { all } => single(settings.list(all)),
            Command::Show(key) => single(vec![settings.show(&key)]),
            Command::Assign(key, value) => {
                let value = SourceText::substitute(&value, &settings.conf, &settings.vars)?.text;
                self.changing
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .settings
                    .assign(&key, &value)?;
                Ok(nothing())
            }
            Command::Reset(key) => {
                let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
                match key {
                    None => changing.settings = self.opened_with.clone(),
                    Some(key) => match self.opened_with.conf.get(&key) {
                        Some(value) => drop(changing.settings.conf.insert(key, value.clone())),
                        None => drop(changing.settings.conf.remove(&key)),
                    },
                }
                Ok(nothing())
            }
        }
    }

    fn catalog(&self) -> Result<Vec<Database>, EngineError> {
        let warehouse = &self.shared.warehouse;
        let mut databases = Vec::new();
        for name in warehouse.databases()? {
            let mut tables = Vec::new();
            // What is dropped meanwhile is left out.
            for table in warehouse.tables(&name).unwrap_or_default() {
                let Some(meta) = warehouse.table(&name, &table)? else {
                    continue;
                };
                let (kind, schema) = (meta.table_kind(), commented(&meta)?);
                tables.push(Table {
                    name: table,
                    kind,
                    schema,
                    comment: meta.comment,
                });
            }
            databases.push(Database { name, tables });
        }
        Ok(databases)
    }

    fn changing(&self) -> Changing {
        self.changing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A statement without a result set: `work` runs when its stream is polled, and ends when the stream ends.
    pub(crate) fn deferred(
        self: &Arc<Self>,
        work: impl Future<Output = Result<(), EngineError>> + Send + 'static,
    ) -> Execution {
        let inner = Arc::clone(self);
        let run = stream::once(async move { inner.shared.runtime.run(work).await });
        let batches = run.filter_map(|ended| async move { ended.err().map(Err) });
        Execution::new(None, batches.boxed())
    }

    /// As [`Self::deferred`], for work that writes the rows of a query. It stops, whatever the query is in the middle
    /// of, when its stream is dropped.
    pub(crate) fn deferred_write(
        self: &Arc<Self>,
        progress: Arc<PlanProgress>,
        stop: Stop,
        work: impl Future<Output = Result<(), EngineError>> + Send + 'static,
    ) -> Execution {
        let (plan, stop) = (progress.while_running(), stop.on_drop());
        let execution = self.deferred(async move {
            let _plan = plan;
            work.await
        });
        let batches = execution.batches.map(move |batch| {
            let _ = &stop;
            batch
        });
        Execution {
            batches: batches.boxed(),
            progress: Some(progress),
            ..execution
        }
    }
}

/// A table's columns with their comments.
fn commented(meta: &TableMeta) -> Result<SchemaRef, EngineError> {
    let schema = meta.schema()?;
    let fields = schema.fields().iter().zip(&meta.columns);
    let fields = fields.map(|(field, column)| {
        let mut metadata = field.metadata().clone();
        metadata.extend(
            column
                .comment
                .clone()
                .map(|text| (COMMENT.to_owned(), text)),
        );
        field.as_ref().clone().with_metadata(metadata)
    });
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// A statement that is done and has no result set.
pub(crate) fn nothing() -> Execution {
    Execution::new(None, stream::empty().boxed())
}

/// A result of strings.
///
/// # Errors
/// None: every row has a value for each column.
pub(crate) fn rows(columns: &[&str], rows: Vec<Vec<String>>) -> Result<Execution, EngineError> {
    let schema = Arc::new(Schema::new(
        columns
            .iter()
            .map(|name| Field::new(*name, DataType::Utf8, true))
            .collect::<Vec<_>>(),
    ));
    let arrays = (0..columns.len())
        .map(|i| {
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|row| row[i].as_str()),
            )) as _
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)
        .map_err(|e| error::execution(e.to_string()))?;
    Ok(Execution::new(
        Some(schema),
        stream::iter([Ok(batch)]).boxed(),
    ))
}
