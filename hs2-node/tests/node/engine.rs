//! An engine whose statements are orders.

use arrow_array::{Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use hs2_node::engine::{
    Database, Engine, EngineError, EngineSession, Execution, Progress, SessionOptions, Stage,
    Table, TableKind,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// What the sessions of an engine share with the test.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Streams that exist.
    streams: AtomicUsize,
    /// Statements that wait go on when there is a permit.
    gate: Semaphore,
    opened: Mutex<Vec<SessionOptions>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            streams: AtomicUsize::new(0),
            gate: Semaphore::new(0),
            opened: Mutex::default(),
        }
    }
}

impl Scripted {
    /// How many streams exist: statements that the engine still works on.
    pub(crate) fn streams(&self) -> usize {
        self.shared.streams.load(Ordering::SeqCst)
    }

    /// Lets one waiting statement go on.
    pub(crate) fn open_gate(&self) {
        self.shared.gate.add_permits(1);
    }

    /// How many statements could go on that nobody waits for.
    pub(crate) fn gates(&self) -> usize {
        self.shared.gate.available_permits()
    }

    /// What sessions were opened with.
    pub(crate) fn opened(&self) -> Vec<SessionOptions> {
        self.shared.opened.lock().unwrap().clone()
    }
}

#[async_trait]
impl Engine for Scripted {
    async fn open_session(
        &self,
        options: SessionOptions,
    ) -> Result<Arc<dyn EngineSession>, EngineError> {
        if options.database.as_deref() == Some("nowhere") {
            return Err(error("42000", 10072, "Database does not exist: nowhere"));
        }
        self.shared.opened.lock().unwrap().push(options);
        Ok(Arc::new(ScriptedSession {
            shared: self.shared.clone(),
        }))
    }
}

/// One stage of two is done.
#[derive(Debug)]
struct Half(i32);

impl Progress for Half {
    fn stages(&self) -> Vec<Stage> {
        let stage = |name: &str, tasks_done| Stage {
            name: name.to_owned(),
            tasks: 3,
            tasks_done,
            ..Stage::default()
        };
        vec![stage("Map 1", 3), stage("Reducer 2", 0)]
    }

    fn rows_modified(&self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }
}

#[derive(Debug)]
struct ScriptedSession {
    shared: Arc<Shared>,
}

/// Counts itself as long as a stream lives.
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) fn error(sqlstate: &'static str, code: i32, message: &str) -> EngineError {
    EngineError {
        sqlstate,
        code,
        message: message.to_owned(),
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int32, true),
        Field::new("word", DataType::Utf8, true),
    ]))
}

/// Rows `from .. from + count` of the one table there is: `n`, and `word n`; both NULL where `n` divides by 7.
fn batch(from: i32, count: i32) -> RecordBatch {
    let numbers = || from..from + count;
    let given = |n: i32| (n % 7 != 0).then_some(n);
    let words = numbers().map(|n| given(n).map(|n| format!("word {n}")));
    RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(Int32Array::from_iter(numbers().map(given))),
            Arc::new(StringArray::from_iter(words)),
        ],
    )
    .unwrap()
}

#[async_trait]
impl EngineSession for ScriptedSession {
    /// | statement | is |
    /// |---|---|
    /// | `rows N` | N rows in batches of 100 |
    /// | `gated N` | N rows, then a wait at the gate, then N more |
    /// | `failing N` | N rows, then an error |
    /// | `panicking N` | N rows, then a panic |
    /// | `ddl` | nothing, after a wait at the gate |
    /// | `insert N` | the same, and says that it inserts N rows in two stages |
    /// | `syntax`, `panic now`, `compile forever` | what they say |
    async fn execute(
        &self,
        statement: &str,
        _overlay: &BTreeMap<String, String>,
    ) -> Result<Execution, EngineError> {
        let (order, count) = statement.split_once(' ').unwrap_or((statement, "0"));
        let count = count.parse().unwrap_or(0);
        let shared = self.shared.clone();
        let rows = stream::iter(
            (0..count)
                .step_by(100)
                .map(move |from| Ok(batch(from, 100.min(count - from)))),
        );
        let gate = move || {
            let shared = shared.clone();
            async move {
                shared
                    .gate
                    .acquire()
                    .await
                    .expect("the gate is never closed")
                    .forget()
            }
        };
        let batches: BoxStream<'static, _> = match order {
            "rows" => rows.boxed(),
            "gated" => {
                let more = stream::once(async move {
                    gate().await;
                    Ok(batch(count, count))
                });
                rows.chain(more).boxed()
            }
            "failing" => rows
                .chain(stream::iter([Err(error(
                    "08S01",
                    2,
                    "the disk caught fire",
                ))]))
                .boxed(),
            "panicking" => rows
                .chain(stream::once(async { panic!("a bug of the engine") }))
                .boxed(),
            "ddl" | "insert" => stream::once(async move { gate().await })
                .filter_map(|()| async { None })
                .boxed(),
            "panic" => panic!("a bug of the compiler"),
            "compile" => std::future::pending().await,
            _ => return Err(error("42000", 40000, "that is no order")),
        };
        self.shared.streams.fetch_add(1, Ordering::SeqCst);
        let alive = Alive(self.shared.clone());
        let batches = batches.map(move |batch| {
            let _alive = &alive;
            batch
        });
        let rows = !matches!(order, "ddl" | "insert");
        Ok(Execution {
            schema: rows.then(schema),
            batches: batches.boxed(),
            progress: (order == "insert").then(|| Arc::new(Half(count)) as _),
        })
    }

    fn current_database(&self) -> String {
        "default".to_owned()
    }

    async fn catalog(&self) -> Result<Vec<Database>, EngineError> {
        let table = Table {
            name: "t".to_owned(),
            kind: TableKind::Managed,
            schema: schema(),
            comment: None,
        };
        Ok(vec![Database {
            name: "default".to_owned(),
            tables: vec![table],
        }])
    }
}
