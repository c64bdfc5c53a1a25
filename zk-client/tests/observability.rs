//! What a subscriber of `tracing` sees of a session: stable names, levels and fields.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::timeout;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_default;
use tracing::{Event, Level, Metadata, Subscriber};
use zk_client::{AddWatchMode, Client, ConnectOptions, CreateMode, SessionState, ZnodeVersion};
use zk_server::{Server, ServerOptions};

const T: Duration = Duration::from_secs(10);

/// From connect through a cut, an attempt that fails and a reconnect to the close. The runtime has one thread, so that what the
/// driver says goes to this test's subscriber.
#[tokio::test]
async fn each_step_of_a_session_has_a_name() {
    let seen = Seen::default();
    let _guard = set_default(seen.clone());
    let server = Server::start("127.0.0.1:0", ServerOptions::default())
        .await
        .unwrap();
    let client = Client::connect(&server.connect_string()).await.unwrap();
    let session = client.session_id().to_string();
    assert_eq!(seen.names(Level::INFO), ["zookeeper.session.state"]);
    let connected = seen.last("zookeeper.session.state");
    assert_eq!(connected["session"], session);
    assert_eq!(connected["state"], "Connected");
    assert_eq!(connected["host"], server.connect_string());
    assert!(seen.has("zookeeper.connect.start"));

    // The span is the session's own, and learns its number.
    let spans = seen.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].name, spans[0].root), ("zookeeper.session", true));
    assert_eq!(spans[0].fields["session"], session);

    // A watch that servers before 3.6 do not have, so that the version is asked for.
    let mut watch = client
        .add_watch("/", AddWatchMode::PERSISTENT_RECURSIVE)
        .await
        .unwrap();
    assert!(
        seen.last("zookeeper.server.version")
            .contains_key("version")
    );
    assert!(seen.last("zookeeper.call").is_empty(), "it has no error");
    let missing = client.get_data("/missing").await.unwrap_err();
    let told = seen.last("zookeeper.call")["error"].clone();
    assert_eq!(told, format!("Server({:?})", missing.code().unwrap()));

    // Refused for a while, so that an attempt fails.
    server.refuse_connections(true);
    server.drop_connections();
    wait_for(&client, |state| *state == SessionState::Disconnected).await;
    let failed = async {
        while !seen.has("zookeeper.connect.failed") && seen.count("zookeeper.connection.lost") < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(T, failed).await.expect("an attempt fails");
    assert!(!seen.last("zookeeper.connection.lost")["reason"].is_empty());
    server.refuse_connections(false);
    wait_for(&client, SessionState::is_connected).await;
    timeout(T, watch.next()).await.expect("the gap").unwrap();
    assert_eq!(seen.last("zookeeper.watches.gap")["watchers"], "1");

    // Nobody reads the watch.
    client
        .create("/busy", b"", CreateMode::PERSISTENT)
        .await
        .unwrap();
    for _ in 0..=zk_client::PersistentWatch::QUEUE_MAX {
        client
            .set_data("/busy", b"", ZnodeVersion::ANY)
            .await
            .unwrap();
    }
    assert_eq!(seen.last("zookeeper.watch.overrun")["path"], "/busy");
    assert_eq!(seen.count("zookeeper.watch.overrun"), 1);

    client.close().await;
    assert_eq!(
        seen.last("zookeeper.session.state")["state"],
        "Ended(Closed)"
    );
    assert_eq!(seen.count("zookeeper.session.state"), 4);
    assert!(seen.outside().is_empty(), "{:?}", seen.outside());
}

/// A connection that the client gives up by itself is told of as one that breaks.
#[tokio::test]
async fn a_silent_server_is_named_with_the_silence() {
    let seen = Seen::default();
    let _guard = set_default(seen.clone());
    let server = Server::start("127.0.0.1:0", ServerOptions::default())
        .await
        .unwrap();
    let options = ConnectOptions::new().session_timeout(Duration::from_secs(4));
    let client = Client::connect_with(&server.connect_string(), options)
        .await
        .unwrap();
    server.pause(true);
    wait_for(&client, |state| *state == SessionState::Disconnected).await;
    let lost = seen.last("zookeeper.connection.lost");
    assert!(
        lost["reason"].starts_with("the server was silent for"),
        "{lost:?}"
    );
    assert_eq!(lost["host"], server.connect_string());
}

/// Whoever listens to what matters only hears the states and nothing of what is done all the time.
#[tokio::test]
async fn a_quiet_session_says_little() {
    let seen = Seen::default();
    let _guard = set_default(seen.clone());
    let server = Server::start("127.0.0.1:0", ServerOptions::default())
        .await
        .unwrap();
    let options = ConnectOptions::new().session_timeout(Duration::from_secs(4));
    let client = Client::connect_with(&server.connect_string(), options)
        .await
        .unwrap();
    for _ in 0..100 {
        client.exists("/").await.unwrap();
    }
    assert_eq!(seen.count("zookeeper.call"), 100);
    client.close().await;
    assert_eq!(seen.names(Level::DEBUG), ["zookeeper.connect.start"]);
    assert_eq!(seen.names(Level::INFO).len(), 2);
    assert!(seen.names(Level::WARN).is_empty());
}

async fn wait_for(client: &Client, wanted: impl FnMut(&SessionState) -> bool) {
    let mut state = client.state();
    timeout(T, state.wait_for(wanted))
        .await
        .expect("the state")
        .unwrap();
}

type Fields = BTreeMap<&'static str, String>;

/// Keeps what `zk-client` says.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    spans: Vec<SeenSpan>,
    entered: Vec<u64>,
    events: Vec<SeenEvent>,
}

#[derive(Debug, Clone)]
struct SeenSpan {
    name: &'static str,
    root: bool,
    fields: Fields,
}

#[derive(Debug, Clone)]
struct SeenEvent {
    name: &'static str,
    level: Level,
    inside: bool,
    fields: Fields,
}

impl Seen {
    fn spans(&self) -> Vec<SeenSpan> {
        self.0.lock().unwrap().spans.clone()
    }

    fn events(&self) -> Vec<SeenEvent> {
        self.0.lock().unwrap().events.clone()
    }

    fn names(&self, level: Level) -> Vec<&'static str> {
        let events = self.events().into_iter();
        events
            .filter(|event| event.level == level)
            .map(|event| event.name)
            .collect()
    }

    fn count(&self, name: &str) -> usize {
        let events = self.events();
        events.iter().filter(|event| event.name == name).count()
    }

    fn has(&self, name: &str) -> bool {
        self.count(name) > 0
    }

    /// The fields of the last event of this name.
    #[track_caller]
    fn last(&self, name: &str) -> Fields {
        let events = self.events();
        let last = events.iter().rev().find(|event| event.name == name);
        last.unwrap_or_else(|| panic!("no {name}")).fields.clone()
    }

    /// The names of events that were not in the span.
    fn outside(&self) -> Vec<&'static str> {
        let events = self.events().into_iter();
        let outside = events.filter(|event| !event.inside);
        outside.map(|event| event.name).collect()
    }
}

impl Subscriber for Seen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("zk_client")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut seen = SeenSpan {
            name: span.metadata().name(),
            root: span.is_root(),
            fields: Fields::new(),
        };
        span.record(&mut Reader(&mut seen.fields));
        let mut kept = self.0.lock().unwrap();
        kept.spans.push(seen);
        Id::from_u64(kept.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut kept = self.0.lock().unwrap();
        let place = usize::try_from(span.into_u64()).unwrap() - 1;
        values.record(&mut Reader(&mut kept.spans[place].fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        fields.remove("message");
        let mut kept = self.0.lock().unwrap();
        let inside = !kept.entered.is_empty();
        kept.events.push(SeenEvent {
            name: event.metadata().name(),
            level: *event.metadata().level(),
            inside,
            fields,
        });
    }

    fn enter(&self, span: &Id) {
        self.0.lock().unwrap().entered.push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        let mut kept = self.0.lock().unwrap();
        let id = span.into_u64();
        if let Some(at) = kept.entered.iter().rposition(|entered| *entered == id) {
            kept.entered.remove(at);
        }
    }
}

struct Reader<'a>(&'a mut Fields);

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}
