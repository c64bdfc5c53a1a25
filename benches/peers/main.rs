//! zk-client beside its peers: the same work, the same server, the same minute.
//!
//! Every client is a process of its own, so that its CPU time is known; rounds alternate between the clients, so that
//! whatever else the machine does hits them alike. See the README for the options.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that prints a table and stops at the first surprise"
)]

mod clients;
mod process;
mod raw;
mod rows;
mod server;
mod table;
mod worker;

use std::collections::BTreeMap;
use std::error::Error;

use process::Process;
use rows::{Cost, Places, Row};
use server::Server;
use tokio::runtime::Runtime;
use zk_client::{Client, CreateMode, ZnodeVersion};

/// The costs of all rounds, by row and client.
pub(crate) type Costs = BTreeMap<(usize, &'static str), Vec<Cost>>;

struct Options {
    rounds: usize,
    rows: Vec<Row>,
    clients: Option<Vec<String>>,
    threads: usize,
    /// Every body once, against the embedded server: that it works.
    test: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, client, server, root, threads] = arguments.as_slice()
        && word == "worker"
    {
        let places = Places::new(server.parse()?, root.clone());
        worker::work(client, &places, threads.parse()?);
        return Ok(());
    }
    let options = options(&arguments)?;
    let runtime = worker::runtime(2);
    let server = Server::find_or_start(&runtime, options.test)?;
    let places = Places::new(server.address(), format!("/peers-{}", std::process::id()));
    let fixture = runtime.block_on(prepare(&places))?;
    let costs = measure(&options, &runtime, &places)?;
    println!(
        "\nServer: {}. {} rounds of each client in turn, {} runtime thread(s).\n",
        server.kind(),
        options.rounds,
        options.threads
    );
    print!("{}", table::render(&options.rows, &costs));
    runtime.block_on(clean(&fixture, &places))?;
    Ok(())
}

fn options(arguments: &[String]) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        rounds: 15,
        rows: Row::ALL.to_vec(),
        clients: None,
        threads: 1,
        test: false,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            // What cargo says to every bench.
            "--bench" => {}
            "--test" => (options.test, options.rounds) = (true, 1),
            "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
            "--threads" => options.threads = value()?.parse()?,
            "--clients" => options.clients = Some(list(value()?)),
            "--rows" => {
                let parse = |name: &String| Row::parse(name).ok_or(format!("no row {name}"));
                options.rows = list(value()?).iter().map(parse).collect::<Result<_, _>>()?;
            }
            _ => return Err(format!("no option {word}; see benches/README.md").into()),
        }
    }
    Ok(options)
}

fn list(words: &str) -> Vec<String> {
    words.split(',').map(str::to_owned).collect()
}

fn measure(options: &Options, runtime: &Runtime, places: &Places) -> Result<Costs, Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let wanted = |name: &str| {
        let asked = options.clients.as_ref();
        asked.is_none_or(|clients| clients.iter().any(|client| client == name))
    };
    let mut processes = Vec::new();
    for name in worker::CLIENTS.into_iter().filter(|name| wanted(name)) {
        processes.push(Process::rust(name, places, options.threads)?);
    }
    let others = [
        ("kazoo", Process::kazoo as fn(&Places, &_) -> _),
        ("C client", Process::c),
    ];
    for (name, start) in others.into_iter().filter(|(name, _)| wanted(name)) {
        match start(places, scratch.path()) {
            Ok(process) => processes.push(process),
            Err(reason) => println!("{name}: left out: {reason}"),
        }
    }
    let mut costs = Costs::new();
    for (index, row) in options.rows.iter().enumerate() {
        let count = if options.test {
            row.count().min(rows::IN_FLIGHT)
        } else {
            row.count()
        };
        eprintln!("{}", row.title());
        for round in 0..options.rounds {
            // Each round begins with another client: none always runs behind the same neighbour's leftovers.
            let first = round % processes.len().max(1);
            processes.rotate_left(first);
            for process in &mut processes {
                let cost = process
                    .round(runtime, places, *row, count)
                    .map_err(|error| format!("{}, {}: {error}", process.name, row.title()))?;
                costs.entry((index, process.name)).or_default().push(cost);
            }
        }
    }
    Ok(costs)
}

/// Makes the znodes that the rows read.
async fn prepare(places: &Places) -> Result<Client, Box<dyn Error>> {
    let client = Client::connect(&places.server.to_string()).await?;
    let data = [7; 100];
    for place in [
        places.root().to_owned(),
        places.instances(),
        places.short(),
        places.long(),
        places.ephemerals(),
    ] {
        client.create(&place, b"", CreateMode::PERSISTENT).await?;
    }
    let mut calls = vec![client.create(&places.node(), &data, CreateMode::PERSISTENT)];
    for number in 0..10_000 {
        let path = format!("{}/member-{number:09}", places.short());
        calls.push(client.create(&path, b"", CreateMode::PERSISTENT));
    }
    for number in 0..1_000 {
        // As Hive writes them.
        let path = format!(
            "{}/serverUri=hs-{number:04}.test.org:10000;version=3.1.3;sequence={number:010}",
            places.long()
        );
        calls.push(client.create(&path, b"", CreateMode::PERSISTENT));
    }
    for number in 0..3 {
        let path = format!("{}/instance-{number}", places.instances());
        calls.push(client.create(&path, &data, CreateMode::PERSISTENT));
    }
    for call in calls {
        call.await?;
    }
    Ok(client)
}

/// A server that outlives the run is left as it was.
async fn clean(client: &Client, places: &Places) -> Result<(), Box<dyn Error>> {
    for place in [
        places.instances(),
        places.short(),
        places.long(),
        places.ephemerals(),
        places.root().to_owned(),
    ] {
        let children = client.get_children(&place).await?;
        let paths = children.to_vec();
        let calls: Vec<_> = paths
            .iter()
            .map(|name| client.delete(&format!("{place}/{name}"), ZnodeVersion::ANY))
            .collect();
        for call in calls {
            call.await?;
        }
    }
    client.delete(places.root(), ZnodeVersion::ANY).await?;
    client.close().await;
    Ok(())
}
