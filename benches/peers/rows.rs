//! What is measured, the same for every Rust client.

use std::collections::VecDeque;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The rows of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    Cold,
    Sequential,
    Window,
    Tasks,
    Ephemeral,
    ListShort,
    ListLong,
    Watch,
}

impl Row {
    pub(crate) const ALL: [Self; 8] = [
        Self::Cold,
        Self::Sequential,
        Self::Window,
        Self::Tasks,
        Self::Ephemeral,
        Self::ListShort,
        Self::ListLong,
        Self::Watch,
    ];

    /// The name on the command line and between the processes.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Sequential => "sequential",
            Self::Window => "window",
            Self::Tasks => "tasks",
            Self::Ephemeral => "ephemeral",
            Self::ListShort => "list10000",
            Self::ListLong => "list1000",
            Self::Watch => "watch",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Cold => "cold: connect, session, list of 3, data of one",
            Self::Sequential => "getData of 100 bytes, one after the other",
            Self::Window => "getData of 100 bytes, 256 in flight from one task",
            Self::Tasks => "getData of 100 bytes, 256 tasks",
            Self::Ephemeral => "create (ephemeral sequential) and delete, 64 tasks",
            Self::ListShort => "list of 10,000 names of 16 bytes",
            Self::ListLong => "list of 1,000 names of 66 bytes",
            Self::Watch => "watch: another client's setData until the event",
        }
    }

    /// Operations of one round.
    pub(crate) const fn count(self) -> usize {
        match self {
            Self::Cold => 20,
            Self::Sequential => 300,
            Self::Window | Self::Tasks => 4096,
            Self::Ephemeral => 512,
            Self::ListShort => 30,
            Self::ListLong => 150,
            Self::Watch => 50,
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|row| row.name() == name)
    }
}

/// Requests in flight from one task, and tasks with one request each.
pub(crate) const IN_FLIGHT: usize = 256;
/// Tasks that create and delete.
pub(crate) const CREATORS: usize = 64;

/// The znodes of a run.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) server: SocketAddr,
    root: String,
}

impl Places {
    pub(crate) const fn new(server: SocketAddr, root: String) -> Self {
        Self { server, root }
    }

    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    pub(crate) fn node(&self) -> String {
        format!("{}/node", self.root)
    }

    pub(crate) fn instances(&self) -> String {
        format!("{}/instances", self.root)
    }

    pub(crate) fn short(&self) -> String {
        format!("{}/short", self.root)
    }

    pub(crate) fn long(&self) -> String {
        format!("{}/long", self.root)
    }

    pub(crate) fn ephemerals(&self) -> String {
        format!("{}/ephemerals", self.root)
    }
}

/// What a Rust client does in the rows. Answers are reduced to what proves that they were read.
pub(crate) trait Peer: Clone + Send + Sync + Sized + 'static {
    /// Whether a request leaves when its method is called, not when its future is first polled.
    const EAGER: bool;

    fn connect(places: &Places) -> impl Future<Output = Self> + Send;

    /// The data's length.
    fn get_data(&self, path: &str) -> impl Future<Output = usize> + Send;

    /// The number of children and the bytes of their names, each name read as text.
    fn list(&self, path: &str) -> impl Future<Output = (usize, usize)> + Send;

    /// The path of a child, in whatever order, of a znode that has some.
    fn first_child(&self, path: &str) -> impl Future<Output = String> + Send;

    /// The path of a new ephemeral sequential znode.
    fn create(&self, prefix: &str) -> impl Future<Output = String> + Send;

    fn delete(&self, path: &str) -> impl Future<Output = ()> + Send;

    /// Sets a watch on a znode's data; the future that it gives ends with the event.
    fn watch(&self, path: &str) -> impl Future<Output = impl Future<Output = ()> + Send> + Send;

    fn close(self) -> impl Future<Output = ()> + Send;

    /// Connects, lists and reads one, as the client does it best.
    fn cold(places: &Places) -> impl Future<Output = (Self, usize)> + Send {
        async {
            let client = Self::connect(places).await;
            let child = client.first_child(&places.instances()).await;
            let length = client.get_data(&child).await;
            (client, length)
        }
    }
}

/// What one round cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// The time of one operation: the median where operations follow each other, else the round's time divided.
    pub(crate) wall_ns: f64,
    /// CPU time of the client's process, its threads and system calls included, for one operation.
    pub(crate) cpu_ns: f64,
}

/// The CPU time of this process so far.
pub(crate) fn cpu() -> Duration {
    clock_duration(ClockId::ProcessCPUTime)
}

/// The clock that all processes of this machine share.
pub(crate) fn monotonic() -> Duration {
    clock_duration(ClockId::Monotonic)
}

fn clock_duration(clock: ClockId) -> Duration {
    clock_gettime(clock)
        .try_into()
        .expect("a clock before 1970")
}

/// Measures a number of operations as one: the time of each is its share.
pub(crate) async fn together(count: usize, work: impl Future<Output = ()>) -> Cost {
    let (wall, cpu_before) = (Instant::now(), cpu());
    work.await;
    let (wall, cpu) = (wall.elapsed(), cpu() - cpu_before);
    Cost {
        wall_ns: wall.as_nanos() as f64 / count as f64,
        cpu_ns: cpu.as_nanos() as f64 / count as f64,
    }
}

/// Measures operations one by one: the time is the median's.
pub(crate) async fn each<F: Future<Output = ()>>(count: usize, work: impl Fn() -> F) -> Cost {
    let mut times = Vec::with_capacity(count);
    let cpu_before = cpu();
    for _ in 0..count {
        let start = Instant::now();
        work().await;
        times.push(start.elapsed());
    }
    let cpu = cpu() - cpu_before;
    Cost {
        wall_ns: median(&mut times).as_nanos() as f64,
        cpu_ns: cpu.as_nanos() as f64 / count as f64,
    }
}

pub(crate) fn median<T: PartialOrd + Copy>(values: &mut [T]) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("a time is a number"));
    values[values.len() / 2]
}

/// One round of a row.
pub(crate) async fn run<P: Peer>(row: Row, places: &Places, count: usize) -> Cost {
    if row == Row::Cold {
        return cold::<P>(places, count).await;
    }
    let client = P::connect(places).await;
    let node = places.node();
    // What the first call allocates is not the question.
    assert_eq!(client.get_data(&node).await, 100);
    let cost = match row {
        Row::Cold => Cost::default(),
        Row::Sequential => {
            each(count, || async {
                assert_eq!(client.get_data(&node).await, 100);
            })
            .await
        }
        Row::Window => together(count, window(&client, &node, count)).await,
        Row::Tasks => {
            together(
                count,
                tasks(IN_FLIGHT, || {
                    let (client, node) = (client.clone(), node.clone());
                    async move {
                        for _ in 0..count / IN_FLIGHT {
                            assert_eq!(client.get_data(&node).await, 100);
                        }
                    }
                }),
            )
            .await
        }
        Row::Ephemeral => {
            let prefix = format!("{}/e-", places.ephemerals());
            together(
                count,
                tasks(CREATORS, || {
                    let (client, prefix) = (client.clone(), prefix.clone());
                    async move {
                        for _ in 0..count / CREATORS {
                            let path = client.create(&prefix).await;
                            client.delete(&path).await;
                        }
                    }
                }),
            )
            .await
        }
        Row::ListShort => list(&client, &places.short(), (10_000, 160_000), count).await,
        Row::ListLong => list(&client, &places.long(), (1_000, 66_000), count).await,
        Row::Watch => watch(&client, &node, count).await,
    };
    client.close().await;
    cost
}

async fn cold<P: Peer>(places: &Places, count: usize) -> Cost {
    let mut times = Vec::with_capacity(count);
    let mut cpu_sum = Duration::ZERO;
    for _ in 0..count {
        let (start, cpu_before) = (Instant::now(), cpu());
        let (client, length) = P::cold(places).await;
        times.push(start.elapsed());
        cpu_sum += cpu() - cpu_before;
        assert_eq!(length, 100);
        client.close().await;
    }
    Cost {
        wall_ns: median(&mut times).as_nanos() as f64,
        cpu_ns: cpu_sum.as_nanos() as f64 / count as f64,
    }
}

async fn list<P: Peer>(client: &P, path: &str, expected: (usize, usize), count: usize) -> Cost {
    assert_eq!(client.list(path).await, expected);
    each(count, || async {
        assert_eq!(client.list(path).await, expected);
    })
    .await
}

/// Keeps requests in flight: the oldest answer is awaited, and a new request takes its place.
async fn window<P: Peer>(client: &P, path: &str, count: usize) {
    let mut flight = VecDeque::with_capacity(IN_FLIGHT);
    for _ in 0..count {
        if flight.len() == IN_FLIGHT {
            let oldest: Pin<Box<dyn Future<Output = usize> + Send>> =
                flight.pop_front().expect("it is full");
            assert_eq!(oldest.await, 100);
        }
        let mut call: Pin<Box<dyn Future<Output = usize> + Send>> = Box::pin(client.get_data(path));
        if !P::EAGER {
            // The first poll sends it.
            let early = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(early.is_pending(), "an answer before its request has left");
        }
        flight.push_back(call);
    }
    for call in flight {
        assert_eq!(call.await, 100);
    }
}

async fn tasks<F: Future<Output = ()> + Send + 'static>(count: usize, task: impl Fn() -> F) {
    let tasks: Vec<_> = (0..count).map(|_| tokio::spawn(task())).collect();
    for task in tasks {
        task.await.expect("a task's panic is this run's");
    }
}

/// Says when a watch is set; the parent process changes the znode then, and compares its clock with the event's.
async fn watch<P: Peer>(client: &P, path: &str, count: usize) -> Cost {
    let cpu_before = cpu();
    for _ in 0..count {
        let event = client.watch(path).await;
        say("armed");
        event.await;
        say(&format!("event {}", monotonic().as_nanos()));
    }
    let cpu = cpu() - cpu_before;
    Cost {
        wall_ns: 0.0,
        cpu_ns: cpu.as_nanos() as f64 / count as f64,
    }
}

/// A line for the parent process.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").expect("the parent listens");
    out.flush().expect("the parent listens");
}
