//! hs2-client as a process of its own.

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::time::Instant;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use hs2_client::{ConnectOptions, SessionOptions, connect};

/// Each line of the input is a round: address, fetch size, a statement to run before, the query; tabs between.
pub(crate) fn work() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split('\t').collect();
        match runtime.block_on(round(&words)) {
            Ok(result) => println!("{result}"),
            Err(error) => println!("FAILED {error}"),
        }
        io::stdout().flush()?;
    }
    Ok(())
}

async fn round(words: &[&str]) -> Result<String, Box<dyn Error>> {
    let &[address, fetch_rows, before, query] = words else {
        return Err("a round is four words".into());
    };
    let options = SessionOptions {
        fetch_rows: fetch_rows.parse()?,
        ..SessionOptions::default()
    };
    let url = format!("jdbc:hive2://{address}/");
    let session = connect(&url, &ConnectOptions::default(), &options).await?;
    if !before.is_empty() {
        let mut answer = session.query(before).await?;
        while answer.next().await?.is_some() {}
    }
    let start = Instant::now();
    let mut stream = session.query(query).await?;
    let (mut rows, mut ids) = (0, 0_i64);
    while let Some(batch) = stream.next().await? {
        rows += batch.num_rows();
        ids += batch
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .iter()
            .sum::<i64>();
    }
    let nanos = start.elapsed().as_nanos();
    stream.close().await?;
    session.close().await?;
    Ok(format!("RESULT {rows} {ids} {nanos}"))
}
