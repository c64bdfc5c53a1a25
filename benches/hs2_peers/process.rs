//! The parties as processes: three servers, three clients.

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A Spark Thrift Server takes 20 s to start, more on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(240);
/// What Spark's own launcher opens for it.
const OPENED: [&str; 9] = [
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "sun.nio.ch",
];

/// A process that ends with this value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server's process.
pub(crate) struct Server {
    pub(crate) address: String,
    process: Ended,
}

impl Server {
    /// This program again, or any other that says `listening on ADDRESS`.
    pub(crate) fn listening(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let mut process = Ended(command.stdout(Stdio::piped()).spawn()?);
        let output = process.0.stdout.take().ok_or("a process without output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ");
        let address = address
            .ok_or(format!("the server said: {line}"))?
            .to_owned();
        Ok(Self { address, process })
    }

    /// This program again, as a server of ready rows.
    pub(crate) fn ours(what: &str, rows: i64) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        Self::listening(command.args([what, &rows.to_string()]))
    }

    /// A Spark Thrift Server of 3 GB, which reads and writes tables under `folder`.
    pub(crate) fn spark(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let jars =
            setting("HS2_TEST_SPARK_JARS").ok_or("no jars of Spark: ./tests/prepare gets them")?;
        let folder = folder.display();
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("java");
        command.args(["-Xmx3g", "-Djdk.reflect.useDirectMethodHandle=false"]);
        command.arg(format!("-Dderby.system.home={folder}"));
        command.args(OPENED.map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED")));
        command.args([
            "-cp",
            &format!("{jars}/*"),
            "org.apache.spark.deploy.SparkSubmit",
        ]);
        command.args(["--master", "local[2]", "--class"]);
        command.arg("org.apache.spark.sql.hive.thriftserver.HiveThriftServer2");
        for conf in [
            "spark.ui.enabled=false".to_owned(),
            "spark.driver.bindAddress=127.0.0.1".to_owned(),
            "spark.driver.host=127.0.0.1".to_owned(),
            format!("spark.local.dir={folder}/spark"),
            format!("spark.sql.warehouse.dir={folder}/spark-warehouse"),
            "spark.hadoop.javax.jdo.option.ConnectionURL=jdbc:derby:memory:metastore;create=true"
                .to_owned(),
        ] {
            command.args(["--conf", &conf]);
        }
        command.arg("spark-internal");
        command.args(["--hiveconf", "hive.server2.thrift.bind.host=127.0.0.1"]);
        command.args(["--hiveconf", &format!("hive.server2.thrift.port={port}")]);
        let log = std::fs::File::create(format!("{folder}/spark.log"))?;
        command.stdout(log.try_clone()?).stderr(log);
        let mut process = Ended(command.spawn()?);
        let address = format!("127.0.0.1:{port}");
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(&address).is_err() {
            let ended = process.0.try_wait()?.is_some();
            if ended || Instant::now() > deadline {
                let log = std::fs::read_to_string(format!("{folder}/spark.log"))?;
                return Err(format!("the Spark Thrift Server did not start:\n{log}").into());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(Self { address, process })
    }

    /// The most memory that it has had, in MB.
    pub(crate) fn peak_rss(&self) -> Option<u64> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024 / 1_000_000)
    }
}

/// A client's process.
pub(crate) struct Client {
    _process: Ended,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Client {
    fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let mut process = Ended(
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?,
        );
        let (Some(orders), Some(answers)) = (process.0.stdin.take(), process.0.stdout.take())
        else {
            return Err("a process without pipes".into());
        };
        Ok(Self {
            _process: process,
            orders,
            answers: BufReader::new(answers),
        })
    }

    /// Hive JDBC, compiled into `scratch`.
    pub(crate) fn jdbc(scratch: &Path) -> Result<Self, Box<dyn Error>> {
        let jars =
            setting("HS2_TEST_JARS").ok_or("no jars of Hive JDBC: ./tests/prepare gets them")?;
        let compiled = Command::new("javac")
            .arg("-d")
            .arg(scratch)
            .arg(folder().join("Jdbc.java"))
            .status();
        if !compiled.is_ok_and(|status| status.success()) {
            return Err("no javac that compiles Jdbc.java: a JDK is needed".into());
        }
        let path = format!("{}:{jars}/*", scratch.display());
        Self::start(
            Command::new("java")
                .args(["-Xmx1g", "-cp", &path, "Jdbc"])
                .stderr(Stdio::null()),
        )
    }

    /// impyla.
    pub(crate) fn impyla() -> Result<Self, Box<dyn Error>> {
        let python =
            setting("HS2_TEST_PYTHON").ok_or("no Python with impyla: ./tests/prepare makes one")?;
        Self::start(Command::new(python).arg(folder().join("impyla_worker.py")))
    }

    /// hs2-client.
    pub(crate) fn ours() -> Result<Self, Box<dyn Error>> {
        Self::start(Command::new(std::env::current_exe()?).arg("client"))
    }

    /// Fetches all rows of a query; returns how many, the sum of their ids, and the seconds.
    pub(crate) fn round(&mut self, order: &[&str; 4]) -> Result<(i64, i64, f64), Box<dyn Error>> {
        writeln!(self.orders, "{}", order.join("\t"))?;
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line)? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["RESULT", rows, ids, nanos, ..] => {
                    return Ok((rows.parse()?, ids.parse()?, nanos.parse::<f64>()? / 1e9));
                }
                ["FAILED", ..] => return Err(line.into()),
                // A driver may have something to say.
                _ => {}
            }
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("hs2_peers")
}

/// What `tests/prepare` has written down, or the environment says.
fn setting(name: &str) -> Option<String> {
    if let Ok(value) = std::env::var(name) {
        return Some(value);
    }
    let program = std::env::current_exe().ok()?;
    let targets = program.ancestors().skip(1).map(Path::to_owned);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    targets.chain([own]).find_map(|target| {
        let text = std::fs::read_to_string(target.join("test-peers/settings")).ok()?;
        text.lines()
            .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    })
}
