//! A node as its clients meet it, over sockets, with an engine that does what each test tells it.
//!
//! - `queries`: results, states, failures and the result file
//! - `calls`: every other call, and handles
//! - `connections`: what else may come to the port
//! - `drain`: leaving
//! - `http`: the HTTP transport, request by request
//! - `limits`: what one user, one address and all messages together may take
//! - `login`: passwords that are checked
//! - `room`: bounds of the result folder, and a full disk
#![allow(clippy::unwrap_used)] // A test fails where it finds what it does not expect.

mod calls;
mod connections;
mod drain;
mod engine;
mod http;
mod limits;
mod login;
mod queries;
mod raw;
mod room;

use engine::Scripted;
use hs2_client::{ConnectOptions, Session, SessionOptions, connect};
use hs2_node::config::Config;
use hs2_node::{Authenticator, Node};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take that should take no time.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node on a free port, with a result folder of its own.
struct Fixture {
    node: Node,
    engine: Arc<Scripted>,
    folder: tempfile::TempDir,
}

impl Fixture {
    async fn start() -> Self {
        Self::with("").await
    }

    /// With these settings, as lines of a settings file.
    async fn with(settings: &str) -> Self {
        Self::on(tempfile::tempdir().unwrap(), settings).await
    }

    /// With its results in this folder.
    async fn on(folder: tempfile::TempDir, settings: &str) -> Self {
        Self::started(folder, settings, None).await
    }

    /// With a check of passwords.
    async fn with_logins(settings: &str, logins: Arc<dyn Authenticator>) -> Self {
        let settings = format!("{settings}\nhive.server2.authentication = CUSTOM");
        Self::started(tempfile::tempdir().unwrap(), &settings, Some(logins)).await
    }

    async fn started(
        folder: tempfile::TempDir,
        settings: &str,
        logins: Option<Arc<dyn Authenticator>>,
    ) -> Self {
        let mut config = Config::default();
        config.apply_text(settings).unwrap();
        config.port = 0;
        config.http_port = 0;
        config.scratch = Some(folder.path().to_owned());
        let engine = Arc::new(Scripted::default());
        let node = Node::start_with(config, "1.0", engine.clone(), logins).await;
        let node = node.unwrap();
        Self {
            node,
            engine,
            folder,
        }
    }

    fn url(&self) -> String {
        format!("jdbc:hive2://{}/", self.node.address())
    }

    async fn session(&self) -> Session {
        self.session_with(&SessionOptions::default()).await
    }

    async fn session_with(&self, options: &SessionOptions) -> Session {
        connect(&self.url(), &ConnectOptions::default(), options)
            .await
            .unwrap()
    }

    /// The result files that exist.
    fn result_files(&self) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files = folders
            .filter(|path| path.is_dir())
            .flat_map(|path| std::fs::read_dir(path).unwrap());
        let files = files.map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.extension().is_some_and(|ending| ending == "spool"))
            .collect()
    }

    /// For whom sessions were opened, one after another.
    fn users(&self) -> Vec<String> {
        let opened = self.engine.opened();
        opened.into_iter().map(|options| options.user).collect()
    }

    fn sessions(&self) -> usize {
        *self.node.sessions().borrow()
    }
}

/// Waits until something is so.
async fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for something that should not take long.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("in time")
}
