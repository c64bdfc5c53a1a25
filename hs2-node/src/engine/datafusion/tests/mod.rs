//! The engine from outside: statements in, rows out, as a person would see them.

#![allow(clippy::unwrap_used)]

mod expressions;
mod functions;
mod generators;
mod queries;
mod refused;
mod running;
mod statements;
mod tables;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;

use super::*;
use crate::engine::{Execution, HIVE_TYPE, TableKind};

/// An engine over a folder, and one session of it.
pub(super) struct Node {
    pub(super) engine: DataFusionEngine,
    session: Arc<dyn EngineSession>,
}

impl Node {
    pub(super) async fn start(warehouse: &Path) -> Self {
        let options = DataFusionOptions {
            target_partitions: 2,
            ..DataFusionOptions::new(warehouse)
        };
        let engine = DataFusionEngine::new(&options).expect("starts");
        let session = engine
            .open_session(SessionOptions {
                user: "me".into(),
                ..SessionOptions::default()
            })
            .await;
        Self {
            session: session.expect("opens"),
            engine,
        }
    }

    pub(super) async fn execute(&self, sql: &str) -> Result<Execution, EngineError> {
        self.session.execute(sql, &BTreeMap::new()).await
    }

    pub(super) async fn try_batches(
        &self,
        sql: &str,
    ) -> Result<(Execution, Vec<RecordBatch>), EngineError> {
        let mut execution = self.execute(sql).await?;
        let mut batches = Vec::new();
        while let Some(batch) = execution.batches.next().await {
            batches.push(batch?);
        }
        Ok((execution, batches))
    }

    /// Rows as text, columns parted by `|`.
    async fn try_rows(&self, sql: &str) -> Result<Vec<String>, EngineError> {
        let (_, batches) = self.try_batches(sql).await?;
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap())
                .collect();
            for i in 0..batch.num_rows() {
                rows.push(
                    columns
                        .iter()
                        .map(|c| c.value(i).to_string())
                        .collect::<Vec<_>>()
                        .join("|"),
                );
            }
        }
        Ok(rows)
    }

    async fn rows(&self, sql: &str) -> Vec<String> {
        self.try_rows(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"))
    }

    /// The one value of a query.
    async fn value(&self, expression: &str) -> String {
        let mut rows = self.rows(&format!("SELECT {expression}")).await;
        assert_eq!(rows.len(), 1, "{expression}");
        rows.remove(0)
    }

    async fn run(&self, sql: &str) {
        let (execution, batches) = self
            .try_batches(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        assert!(
            execution.schema.is_none() && batches.is_empty(),
            "{sql} has a result"
        );
    }

    async fn error(&self, sql: &str) -> EngineError {
        match self.try_rows(sql).await {
            Ok(rows) => panic!("{sql}: {rows:?}"),
            Err(e) => {
                assert!(!e.message.contains('\n'), "{sql}: {}", e.message);
                e
            }
        }
    }

    /// Names and Hive types of a query's columns.
    async fn columns(&self, sql: &str) -> Vec<String> {
        let execution = self
            .execute(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        let schema = execution.schema.expect("has a result");
        let show = |f: &arrow_schema::Field| sql::types::HiveType::of_field(f).unwrap().to_string();
        schema
            .fields()
            .iter()
            .map(|f| format!("{} {}", f.name(), show(f)))
            .collect()
    }
}

pub(super) async fn node() -> (Node, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Node::start(folder.path()).await, folder)
}

/// Waits until `condition` holds.
pub(super) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
