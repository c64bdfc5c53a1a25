//! Runs one statement and prints what comes back, row by row:
//! `cargo run -p hs2-client --example query -- 'jdbc:hive2://host:10000/' 'SELECT 1'`
#![allow(clippy::print_stdout)]

use hs2_client::{ConnectOptions, Error, SessionOptions, connect};
use std::time::Instant;

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
    let statement = arguments.next().unwrap_or_else(|| "SELECT 1".to_owned());

    let session = connect(&url, &ConnectOptions::default(), &SessionOptions::default()).await?;
    println!(
        "connected to {}, protocol {}",
        session.connection().server(),
        session.protocol_version()
    );
    let begun = Instant::now();
    let mut rows = match session.query(statement).await {
        Ok(rows) => rows,
        Err(Error::NoResultSet) => {
            println!("done in {:?}", begun.elapsed());
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for field in rows.schema().fields() {
        println!(
            "{}: {} {:?}",
            field.name(),
            field.data_type(),
            field.metadata()
        );
    }
    let mut count = 0;
    while let Some(batch) = rows.next().await? {
        if count < 20 {
            for column in batch.columns() {
                println!("{:?}", column.slice(0, column.len().min(20)));
            }
        }
        count += batch.num_rows();
    }
    println!("{count} rows in {:?}", begun.elapsed());
    rows.close().await?;
    session.close().await?;
    Ok(())
}
