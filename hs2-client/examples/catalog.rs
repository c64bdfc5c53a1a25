//! Prints the tables of a server and their columns, by its metadata calls:
//! `cargo run -p hs2-client --example catalog -- 'jdbc:hive2://host:10000/' [DATABASE]`
#![allow(clippy::print_stdout)]

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use hs2_client::{ColumnPattern, ConnectOptions, Error, SessionOptions, TablePattern, connect};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(error) = run().await {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

async fn run() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:10000".to_owned());
    let database = arguments.next();

    let session = connect(&url, &ConnectOptions::default(), &SessionOptions::default()).await?;
    let (name, version) = session.server_version().await?;
    println!("{name} {version} at {}", session.connection().server());
    let pattern = TablePattern {
        schema: database.clone(),
        ..Default::default()
    };
    let tables = session.tables(&pattern).await?.collect().await?;
    for (schema, table) in pairs(&tables, "TABLE_SCHEM", "TABLE_NAME") {
        println!("{schema}.{table}");
        let pattern = ColumnPattern {
            // Names are patterns here: what means something in a pattern is escaped.
            schema: Some(escaped(&schema)),
            table: Some(escaped(&table)),
            ..Default::default()
        };
        let columns = session.columns(&pattern).await?.collect().await?;
        for (column, data_type) in pairs(&columns, "COLUMN_NAME", "TYPE_NAME") {
            println!("  {column} {data_type}");
        }
    }
    session.close().await
}

/// Two text columns of a result.
fn pairs(batches: &[RecordBatch], first: &str, second: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for batch in batches {
        let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
        if let (Some(firsts), Some(seconds)) = (text(first), text(second)) {
            let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
            pairs.extend(
                firsts
                    .iter()
                    .zip(seconds)
                    .map(|(a, b)| (owned(a), owned(b))),
            );
        }
    }
    pairs
}

fn escaped(name: &str) -> String {
    name.replace('_', r"\_").replace('%', r"\%")
}
