//! Lives in a realm, which the Kerberos library takes from the environment.
//!
//! - `kerberos-peer node FILE`: a node with these settings that answers every statement with the name of its user. It says
//!   `listening on HOST:PORT`, once it is registered if it is to be, and ends with its standard input.
//! - `kerberos-peer query URL`: our client, which prints that name, or the error.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // It belongs to a test.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use hs2_client::{ConnectOptions, Error, SessionOptions, connect};
use hs2_node::Node;
use hs2_node::config::Config;
use hs2_node::engine::{self, Database, Engine, EngineError, EngineSession, Execution};

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["node", settings] => node(Path::new(settings)).await,
        ["query", url] => match query(url).await {
            Ok(user) => println!("{user}"),
            Err(error) => println!("error: {error}"),
        },
        _ => panic!("{words:?}"),
    }
}

async fn node(settings: &Path) {
    let mut config = Config::default();
    let warnings = config.apply_file(settings).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let results = tempfile::tempdir().unwrap();
    config.port = 0;
    config.scratch = Some(results.path().to_owned());
    let registers = config.discovery;
    match Node::start(config, "1.0", Arc::new(WhoAmI)).await {
        Ok(mut node) => {
            if registers {
                node.register().await.unwrap();
            }
            println!("listening on {}", node.address());
            let end = || std::io::stdin().read_to_end(&mut Vec::new());
            tokio::task::spawn_blocking(end).await.unwrap().unwrap();
        }
        Err(error) => println!("error: {error}"),
    }
}

async fn query(url: &str) -> Result<String, Error> {
    let session = connect(url, &ConnectOptions::default(), &SessionOptions::default()).await?;
    let mut rows = session.query("SELECT current_user() AS user").await?;
    let batch = rows.next().await?.unwrap();
    let names = batch.column(0).as_any().downcast_ref::<StringArray>();
    Ok(names.unwrap().value(0).to_owned())
}

#[derive(Debug)]
struct WhoAmI;

#[derive(Debug)]
struct User(String);

#[async_trait]
impl Engine for WhoAmI {
    async fn open_session(
        &self,
        options: engine::SessionOptions,
    ) -> Result<Arc<dyn EngineSession>, EngineError> {
        Ok(Arc::new(User(options.user)))
    }
}

#[async_trait]
impl EngineSession for User {
    async fn execute(
        &self,
        _statement: &str,
        _overlay: &BTreeMap<String, String>,
    ) -> Result<Execution, EngineError> {
        let schema = Arc::new(Schema::new(vec![Field::new("user", DataType::Utf8, false)]));
        let name = Arc::new(StringArray::from(vec![self.0.as_str()]));
        let batch = RecordBatch::try_new(schema.clone(), vec![name]).unwrap();
        let batches = stream::iter([Ok(batch)]).boxed();
        Ok(Execution::new(Some(schema), batches))
    }

    fn current_database(&self) -> String {
        "default".to_owned()
    }

    async fn catalog(&self) -> Result<Vec<Database>, EngineError> {
        Ok(Vec::new())
    }
}
