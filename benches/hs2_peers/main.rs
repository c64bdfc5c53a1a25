//! Fetching beside a real Spark Thrift Server: the same rows, the same clients, the same minute.
//!
//! Servers and clients are processes of their own; rounds alternate between the servers. See the README.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that prints a table and stops at the first surprise"
)]

mod process;
mod replay;
mod worker;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use benches::hs2::RowsEngine;
use hs2_client::{ConnectOptions, SessionOptions, connect};
use hs2_node::Node;
use hs2_node::config::Config;
use process::{Client, Server};

const QUERY: &str = "SELECT id, b, d, s FROM bench_rows";
/// Spark's way to hand out rows before it has all of them.
const INCREMENTAL: &str = "SET spark.sql.thriftServer.incrementalCollect=true";

/// A client, its fetch size, and of how many parts of all rows it fetches one: Python is slow.
#[derive(Clone, Copy)]
struct Case {
    client: &'static str,
    fetch_rows: &'static str,
    part: i64,
}

const fn case(client: &'static str, fetch_rows: &'static str, part: i64) -> Case {
    Case {
        client,
        fetch_rows,
        part,
    }
}

const CASES: [Case; 4] = [
    case("Hive JDBC", "1000", 1),
    case("Hive JDBC", "10000", 1),
    case("impyla", "10000", 10),
    case("hs2-client", "10000", 1),
];
/// The columns of the table.
const SPARK: &str = "Spark";
const SPARK_INCREMENTAL: &str = "Spark, incrementalCollect";
const NODE: &str = "hs2-node";
const REPLAY: &str = "replay";

/// Rows per second of each round, by case and server.
type Rates = BTreeMap<(usize, &'static str), Vec<f64>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["client"] => return worker::work(),
        ["replay", rows] => return replay::serve(rows.parse()?),
        ["node", rows] => return serve(rows.parse()?),
        _ => {}
    }
    let (mut rounds, mut rows, mut test) = (5, 5_000_000, false);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            // What cargo says to every bench.
            "--bench" => {}
            "--test" => (test, rounds, rows) = (true, 1, 50_000),
            "--rounds" => rounds = value()?.parse::<usize>()?.max(1),
            "--rows" => rows = value()?.parse()?,
            _ => return Err(format!("no option {word}; see benches/README.md").into()),
        }
    }
    let scratch = tempfile::tempdir()?;
    let (servers, engine) = servers(scratch.path(), rows, test)?;
    let clients = clients(scratch.path(), test);
    println!("{rows} rows, {rounds} rounds; hs2-node with {engine}");
    let rates = measure(&servers, clients, rounds, rows)?;
    print_rates(&servers, &rates);
    print_ratios(&rates);
    for (name, server) in &servers {
        if let Some(mb) = server.peak_rss() {
            println!("peak RSS of {name}: {mb} MB");
        }
    }
    Ok(())
}

type Servers = Vec<(&'static str, Server)>;

/// The servers, the rows as a table where they need one, and what the node's engine is.
fn servers(
    scratch: &Path,
    rows: i64,
    test: bool,
) -> Result<(Servers, &'static str), Box<dyn Error>> {
    let mut servers = vec![(REPLAY, Server::ours("replay", rows)?)];
    let spark = if test {
        Err("only a test".into())
    } else {
        Server::spark(scratch)
    };
    let table = scratch.join("rows");
    match spark {
        Ok(spark) => {
            let text = "lpad(CAST(id AS STRING), 20, '0')";
            run(
                &spark.address,
                &format!(
                    "CREATE TABLE bench_rows USING parquet LOCATION '{}' AS \
                 SELECT id, id * 7919 AS b, id / 3.0D AS d, {text} AS s FROM range({rows})",
                    table.display()
                ),
            )?;
            servers.push((SPARK, spark));
        }
        Err(reason) => println!("Spark: left out: {reason}"),
    }
    let program = std::env::var_os("HS2_NODE").filter(|_| table.exists());
    let (node, engine) = match program {
        Some(program) => {
            let mut command = Command::new(program);
            command.args(["serve", "--bind", "127.0.0.1:0", "--warehouse"]);
            command.arg(scratch.join("warehouse")).env("HOME", scratch);
            let node = Server::listening(&mut command)?;
            run(
                &node.address,
                &format!(
                    "CREATE EXTERNAL TABLE bench_rows (id bigint, b bigint, d double, s string) STORED AS PARQUET LOCATION '{}'",
                    table.display()
                ),
            )?;
            (node, "DataFusion, on the Parquet files that Spark wrote")
        }
        None => (
            Server::ours("node", rows)?,
            "an engine that has its rows ready (HS2_NODE names no program)",
        ),
    };
    servers.push((NODE, node));
    Ok((servers, engine))
}

fn run(address: &str, statement: &str) -> Result<(), Box<dyn Error>> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let url = format!("jdbc:hive2://{address}/");
        let session = connect(&url, &ConnectOptions::default(), &SessionOptions::default()).await?;
        session.run(statement).await?;
        session.close().await?;
        Ok(())
    })
}

/// A node whose engine has its rows ready.
fn serve(rows: i64) -> Result<(), Box<dyn Error>> {
    let results = tempfile::tempdir()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut config = Config::default();
        config.port = 0;
        config.scratch = Some(results.path().to_owned());
        let node = Node::start(config, "1.0", Arc::new(RowsEngine { rows })).await?;
        println!("listening on {}", node.address());
        std::future::pending::<()>().await;
        Ok(())
    })
}

fn clients(scratch: &Path, test: bool) -> BTreeMap<&'static str, Client> {
    let mut clients = BTreeMap::new();
    let mut add = |name, client: Result<Client, Box<dyn Error>>| match client {
        Ok(client) => drop(clients.insert(name, client)),
        Err(reason) => println!("{name}: left out: {reason}"),
    };
    add("hs2-client", Client::ours());
    if !test {
        add("Hive JDBC", Client::jdbc(scratch));
        add("impyla", Client::impyla());
    }
    clients
}

fn measure(
    servers: &Servers,
    mut clients: BTreeMap<&'static str, Client>,
    rounds: usize,
    rows: i64,
) -> Result<Rates, Box<dyn Error>> {
    let mut rates = Rates::new();
    // The first round warms up: JIT compilers, page cache.
    for round in 0..=rounds {
        for (index, case) in CASES.iter().enumerate() {
            let Some(client) = clients.get_mut(case.client) else {
                continue;
            };
            let count = rows / case.part;
            // To limit costs Spark a shuffle.
            let query = match case.part {
                1 => QUERY.to_owned(),
                _ => format!("{QUERY} LIMIT {count}"),
            };
            for (column, server, before) in columns(servers) {
                if !fits(case.client, column) {
                    continue;
                }
                let order = [server.address.as_str(), case.fetch_rows, before, &query];
                let (seen, _, seconds) = client
                    .round(&order)
                    .map_err(|error| format!("{}, {column}: {error}", case.client))?;
                if seen != count {
                    return Err(format!("{}, {column}: {seen} rows of {count}", case.client).into());
                }
                if round > 0 {
                    let rate = as_f64(seen) / seconds;
                    rates.entry((index, column)).or_default().push(rate);
                }
                eprintln!(
                    "round {round}: {} at {} on {column}: {seconds:.2} s",
                    case.client, case.fetch_rows
                );
            }
        }
    }
    Ok(rates)
}

/// The driver that Spark's users have is measured in every way; the replay answers no more calls than it needs.
fn fits(client: &str, column: &str) -> bool {
    match column {
        SPARK_INCREMENTAL => client == "Hive JDBC",
        REPLAY => client != "impyla",
        _ => true,
    }
}

/// Each column's server, and what is to be run before the query.
fn columns(servers: &Servers) -> impl Iterator<Item = (&'static str, &Server, &'static str)> {
    servers.iter().flat_map(|(name, server)| {
        let incremental = (*name == SPARK).then_some((SPARK_INCREMENTAL, server, INCREMENTAL));
        [(*name, server, "")].into_iter().chain(incremental)
    })
}

fn print_rates(servers: &Servers, rates: &Rates) {
    let names: Vec<_> = columns(servers).map(|(name, ..)| name).collect();
    println!(
        "| million rows a second: median (best) | {} |",
        names.join(" | ")
    );
    println!("| --- |{}", " --- |".repeat(names.len()));
    for (index, case) in CASES.iter().enumerate() {
        print!("| {}, fetch size {} |", case.client, case.fetch_rows);
        for name in &names {
            match rates.get(&(index, *name)) {
                Some(rates) => {
                    let best = rates.iter().copied().fold(0.0, f64::max);
                    print!(" {:.2} ({:.2}) |", median(rates.clone()) / 1e6, best / 1e6);
                }
                None => print!(" |"),
            }
        }
        println!();
    }
}

/// Ratios within a round, the median of them.
fn print_ratios(rates: &Rates) {
    println!(
        "\n| hs2-node's rows a second, as a multiple of | {SPARK} | {SPARK_INCREMENTAL} | {REPLAY} |\n| --- | --- | --- | --- |"
    );
    let ratio = |ours: (usize, &'static str), theirs: (usize, &'static str)| {
        let pairs = rates.get(&ours)?.iter().zip(rates.get(&theirs)?);
        Some(median(pairs.map(|(ours, theirs)| ours / theirs).collect()))
    };
    let cell = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    for (index, case) in CASES.iter().enumerate() {
        let cells = [SPARK, SPARK_INCREMENTAL, REPLAY]
            .map(|name| cell(ratio((index, NODE), (index, name))));
        println!(
            "| {}, fetch size {} | {} |",
            case.client,
            case.fetch_rows,
            cells.join(" | ")
        );
    }
    let ours = CASES.len() - 1;
    let cells = [SPARK, SPARK_INCREMENTAL, REPLAY].map(|name| cell(ratio((ours, NODE), (1, name))));
    println!(
        "| hs2-client on hs2-node, beside Hive JDBC, fetch size 10000 | {} |\n",
        cells.join(" | ")
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[allow(clippy::cast_precision_loss)]
fn as_f64(count: i64) -> f64 {
    count as f64
}
