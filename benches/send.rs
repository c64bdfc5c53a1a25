//! From the spool to the socket: a node's answers to FetchResults, beside a plain copy of the same file to a socket.
//!
//! The floor reads the node's own result file in pieces of 1 MiB and writes them; on the other side both are read and
//! forgotten. Rounds alternate, ratios are those within a round. See the README.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that prints a table and stops at the first surprise"
)]

use std::error::Error;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::hs2::{BATCH_ROWS, RawSession, RowsEngine, read_to_the_end};
use hs2_node::Node;
use hs2_node::config::Config;
use rustix::time::{ClockId, clock_gettime};

/// Fetch sizes, and how many requests are on their way at a time.
const WAYS: [(i64, u64); 6] = [
    (1000, 1),
    (1000, 2),
    (1000, 16),
    (10_000, 1),
    (10_000, 2),
    (10_000, 16),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut rounds = 15;
    let mut batches = 128;
    let mut arguments = std::env::args().skip(1);
    while let Some(word) = arguments.next() {
        match word.as_str() {
            // What cargo says to every bench.
            "--bench" => {}
            "--test" => (rounds, batches) = (1, 8),
            "--rounds" => rounds = arguments.next().ok_or("--rounds needs a value")?.parse()?,
            _ => return Err(format!("no option {word}; see benches/README.md").into()),
        }
    }
    let results = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut config = Config::default();
    config.port = 0;
    config.scratch = Some(results.path().to_owned());
    let engine = RowsEngine {
        rows: batches * BATCH_ROWS,
    };
    let node = runtime.block_on(Node::start(config, "1.0", Arc::new(engine)))?;

    let mut session = RawSession::open(node.address())?;
    let operation = session.execute("rows, please")?;
    let (bytes, _) = session.drain(operation, 10_000, 1)?;
    let file = spool_file(results.path()).ok_or("the node has no result file")?;
    println!(
        "{} rows: {:.1} MB in the file, {:.1} MB of answers",
        engine.rows,
        mega(std::fs::metadata(&file)?.len()),
        mega(bytes)
    );

    let mut floors = Vec::new();
    let mut ours = WAYS.map(|_| Vec::new());
    for _ in 0..rounds {
        floors.push(Rate::of(|| copy(&file)));
        for (way, rates) in WAYS.iter().zip(&mut ours) {
            rates.push(Rate::of(|| {
                session.drain(operation, way.0, way.1).unwrap().0
            }));
        }
    }
    println!(
        "| | MB/s: median (best) | share of the floor | MB a CPU second: median | share of the floor |"
    );
    println!("| --- | --- | --- | --- | --- |");
    let floor = "file to socket in pieces of 1 MiB (floor)".to_owned();
    let ways = WAYS.iter().zip(&ours).map(|((rows, asked), rates)| {
        let title = format!("{rows} rows an answer, {asked} asked at a time");
        (title, rates)
    });
    for (title, rates) in std::iter::once((floor, &floors)).chain(ways) {
        println!(
            "| {title} | {:.0} ({:.0}) | {:.2} | {:.0} | {:.2} |",
            middle(rates.iter().map(|rate| rate.wall)),
            rates.iter().map(|rate| rate.wall).fold(0.0, f64::max),
            middle(rates.iter().zip(&floors).map(|(a, b)| a.wall / b.wall)),
            middle(rates.iter().map(|rate| rate.cpu)),
            middle(rates.iter().zip(&floors).map(|(a, b)| a.cpu / b.cpu)),
        );
    }
    drop(session);
    runtime.block_on(node.drain());
    Ok(())
}

/// The floor: returns the bytes.
fn copy(file: &Path) -> u64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let file = file.to_owned();
    let sender = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut file = File::open(file).unwrap();
        let mut piece = vec![0; 1 << 20];
        loop {
            match file.read(&mut piece).unwrap() {
                0 => break,
                count => stream.write_all(&piece[..count]).unwrap(),
            }
        }
    });
    let bytes = read_to_the_end(&mut TcpStream::connect(address).unwrap()).unwrap();
    sender.join().unwrap();
    bytes
}

fn spool_file(folder: &Path) -> Option<PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return spool_file(&path);
        }
        path.extension()
            .is_some_and(|ending| ending == "spool")
            .then_some(path)
    })
}

/// MB/s, by the clock and by the CPU time of this process, which is both sides.
struct Rate {
    wall: f64,
    cpu: f64,
}

impl Rate {
    fn of(work: impl FnOnce() -> u64) -> Self {
        let (start, cpu) = (Instant::now(), cpu_time());
        let bytes = mega(work());
        let least = Duration::from_nanos(1);
        Self {
            wall: bytes / start.elapsed().max(least).as_secs_f64(),
            cpu: bytes / cpu_time().saturating_sub(cpu).max(least).as_secs_f64(),
        }
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}

#[allow(clippy::cast_precision_loss)]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
