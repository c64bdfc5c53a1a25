//! Runs one statement, tells its progress and log, and cancels it after some seconds:
//! `cargo run -p hs2-client --example watch -- 'jdbc:hive2://host:10000/' 'SELECT …' SECONDS`
#![allow(clippy::print_stdout)]

use hs2_client::{ConnectOptions, Error, Event, SessionOptions, connect};
use std::time::{Duration, Instant};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(error) = run().await {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

async fn run() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let url = argument("127.0.0.1:10000");
    let statement = argument("SELECT 1");
    let limit = Duration::from_secs(argument("10").parse().unwrap_or(10));

    let session = connect(&url, &ConnectOptions::default(), &SessionOptions::default()).await?;
    let operation = session.execute(statement).await?;
    if let Some(id) = operation.query_id().await? {
        println!("query {id}");
    }
    // Another task stops it, while this one waits.
    let canceller = operation.canceller();
    tokio::spawn(async move {
        tokio::time::sleep(limit).await;
        let asked = Instant::now();
        match canceller.cancel().await {
            Ok(()) => println!("cancel was answered after {:?}", asked.elapsed()),
            Err(error) => println!("cancel: {error}"),
        }
    });
    let answer = operation
        .watch(|event| match event {
            Event::Progress(progress) => {
                println!("{:.0} %", progress.progressed_percentage * 100.0);
            }
            Event::Log(line) => println!("{line}"),
        })
        .await?;
    println!(
        "ended: {:?}",
        answer.operation_state.map(|state| state.to_string())
    );
    operation.close().await?;
    session.close().await
}
