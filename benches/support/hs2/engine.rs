//! An engine that costs nothing: whatever it is asked, it hands out the same batch again and again.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use hs2_node::engine::{Database, Engine, EngineError, EngineSession, Execution, SessionOptions};

use super::rows::{BATCH_ROWS, batch, schema};

/// An engine whose every statement has so many rows, or as many as its `LIMIT` says.
#[derive(Debug, Clone, Copy)]
pub struct RowsEngine {
    /// Rows of each result.
    pub rows: i64,
}

/// How many rows a statement asks for: what stands behind `LIMIT`, or all.
#[must_use]
pub fn rows_of(statement: &str, all: i64) -> i64 {
    let limit = statement.rsplit_once("LIMIT ");
    limit
        .and_then(|(_, limit)| limit.trim().parse().ok())
        .unwrap_or(all)
}

#[async_trait]
impl Engine for RowsEngine {
    async fn open_session(
        &self,
        _options: SessionOptions,
    ) -> Result<Arc<dyn EngineSession>, EngineError> {
        Ok(Arc::new(*self))
    }
}

#[async_trait]
impl EngineSession for RowsEngine {
    async fn execute(
        &self,
        statement: &str,
        _overlay: &BTreeMap<String, String>,
    ) -> Result<Execution, EngineError> {
        let rows = rows_of(statement, self.rows);
        let ready = batch(0..BATCH_ROWS);
        let starts = (0..rows).step_by(BATCH_ROWS.unsigned_abs().try_into().unwrap_or(1));
        let batches = stream::iter(starts).map(move |start| {
            let length = BATCH_ROWS.min(rows - start).unsigned_abs();
            Ok(ready.slice(0, usize::try_from(length).unwrap_or(0)))
        });
        Ok(Execution::new(Some(schema()), batches.boxed()))
    }

    fn current_database(&self) -> String {
        "default".to_owned()
    }

    async fn catalog(&self) -> Result<Vec<Database>, EngineError> {
        Ok(Vec::new())
    }
}
