//! A node with an engine of your own: here one that counts, whatever it is asked.
//!
//! `cargo run -p hs2-node --no-default-features --example own_engine`

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use hs2_client::{ConnectOptions, SessionOptions, connect};
use hs2_node::Node;
use hs2_node::config::Config;
use hs2_node::engine::{self, Database, Engine, EngineError, EngineSession, Execution};

/// An engine is something that opens sessions, and a session something that runs statements.
#[derive(Debug)]
struct Counter;

#[async_trait]
impl Engine for Counter {
    async fn open_session(
        &self,
        _options: engine::SessionOptions,
    ) -> Result<Arc<dyn EngineSession>, EngineError> {
        Ok(Arc::new(Self))
    }
}

#[async_trait]
impl EngineSession for Counter {
    async fn execute(
        &self,
        _statement: &str,
        _overlay: &BTreeMap<String, String>,
    ) -> Result<Execution, EngineError> {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let columns = schema.clone();
        let batches = stream::iter(0..3).map(move |batch| {
            let numbers = Int64Array::from_iter_values(batch * 1000..(batch + 1) * 1000);
            RecordBatch::try_new(columns.clone(), vec![Arc::new(numbers)]).map_err(|error| {
                EngineError {
                    sqlstate: "HY000",
                    code: 0,
                    message: error.to_string(),
                }
            })
        });
        Ok(Execution::new(Some(schema), batches.boxed()))
    }

    fn current_database(&self) -> String {
        "default".to_owned()
    }

    async fn catalog(&self) -> Result<Vec<Database>, EngineError> {
        Ok(Vec::new())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let results = tempfile::tempdir()?;
    let mut config = Config::default();
    config.port = 0;
    config.scratch = Some(results.path().to_owned());
    let node = Node::start(config, "1.0", Arc::new(Counter)).await?;

    let url = format!("jdbc:hive2://{}/", node.address());
    let session = connect(&url, &ConnectOptions::default(), &SessionOptions::default()).await?;
    let mut results = session.query("count, please").await?;
    let mut rows = 0;
    while let Some(batch) = results.next().await? {
        rows += batch.num_rows();
    }
    eprintln!("{rows} rows from {url}");
    session.close().await?;
    node.drain().await;
    Ok(())
}
