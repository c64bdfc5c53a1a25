//! The clients as processes: how each is started, and how it is asked for a round.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tokio::runtime::Runtime;

use crate::raw::{Kind, Raw};
use crate::rows::{Cost, Places, Row, monotonic};

/// A client's process.
pub(crate) struct Process {
    pub(crate) name: &'static str,
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(name: &'static str, command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a process without pipes"));
        };
        Ok(Self {
            name,
            child,
            orders,
            answers: BufReader::new(answers),
        })
    }

    /// This program again, as a Rust client.
    pub(crate) fn rust(name: &'static str, places: &Places, threads: usize) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["worker", name, &places.server.to_string(), places.root()])
            .arg(threads.to_string());
        Self::start(name, &mut command)
    }

    /// kazoo, in the Python that `tests/run` has prepared, or the one that `$PYTHON` names.
    pub(crate) fn kazoo(places: &Places, _scratch: &Path) -> Result<Self, String> {
        let program =
            python().ok_or("no Python with kazoo: ./tests/run prepares one, or set PYTHON")?;
        let script = folder().join("kazoo_worker.py");
        let mut command = Command::new(program);
        command
            .arg(script)
            .args([&places.server.to_string(), places.root()]);
        Self::start("kazoo", &mut command).map_err(|error| error.to_string())
    }

    /// The C client, compiled into `scratch`.
    pub(crate) fn c(places: &Places, scratch: &Path) -> Result<Self, String> {
        if !Path::new("/usr/include/zookeeper/zookeeper.h").exists() {
            return Err("no zookeeper.h: apt-get install libzookeeper-mt-dev".to_owned());
        }
        let program = scratch.join("c_worker");
        let compiled = Command::new("cc")
            .args(["-O2", "-DTHREADED", "-o"])
            .arg(&program)
            .arg(folder().join("c_worker.c"))
            .arg("-lzookeeper_mt")
            .status();
        if !compiled.is_ok_and(|status| status.success()) {
            return Err("cc did not compile c_worker.c".to_owned());
        }
        let mut command = Command::new(program);
        command.args([&places.server.to_string(), places.root()]);
        Self::start("C client", &mut command).map_err(|error| error.to_string())
    }

    /// One round. `set` runs in this process: it is the other client of the watch's row.
    pub(crate) fn round(
        &mut self,
        runtime: &Runtime,
        places: &Places,
        row: Row,
        count: usize,
    ) -> io::Result<Cost> {
        writeln!(self.orders, "{} {count}", row.name())?;
        let mut setter = None;
        if row == Row::Watch {
            setter = Some(runtime.block_on(Raw::connect(Kind::Blocking, places))?);
        }
        let mut latencies = Vec::new();
        let mut set_at = monotonic();
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line)? == 0 {
                return Err(io::Error::other("the client's process has ended"));
            }
            let words: Vec<_> = line.split_whitespace().collect();
            match (words.as_slice(), &mut setter) {
                (["done", wall, cpu], _) => {
                    if let Some(setter) = setter {
                        runtime.block_on(setter.close())?;
                    }
                    let wall_ns = if latencies.is_empty() {
                        number(wall)?
                    } else {
                        crate::rows::median(&mut latencies)
                    };
                    return Ok(Cost {
                        wall_ns,
                        cpu_ns: number(cpu)?,
                    });
                }
                (["armed"], Some(setter)) => {
                    set_at = monotonic();
                    runtime.block_on(setter.set_data(&places.node(), &[7; 100]))?;
                }
                (["event", at], Some(_)) => {
                    latencies.push(number(at)? - set_at.as_nanos() as f64);
                }
                _ => return Err(io::Error::other(format!("not understood: {line}"))),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(word: &str) -> io::Result<f64> {
    word.parse().map_err(io::Error::other)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn python() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    // target/release/deps/peers-0123456789abcdef
    let target = program.ancestors().nth(3);
    [
        std::env::var_os("PYTHON").map(PathBuf::from),
        target.map(|target| target.join("test-peers/venv/bin/python")),
        Some("python3".into()),
    ]
    .into_iter()
    .flatten()
    .find(|program| {
        let tried = Command::new(program)
            .args(["-c", "import kazoo"])
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    })
}
