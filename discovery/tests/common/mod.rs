//! What the tests against a server share. The bodies need nothing of the embedded server but its
//! address, where they do not say so.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its part of this module"
)]

pub mod proxy;

use std::time::{Duration, Instant};

use discovery::{
    DeregisteredBy, Endpoint, Ensemble, InstanceData, Namespace, NewInstance, RegisterError,
    Registration, RegistrationState, View,
};
use tokio::sync::watch;
use zk_client::{Client, ConnectOptions, CreateMode, SessionId, path};
use zk_server::{Server, ServerOptions};

/// How long anything may take that should be quick.
pub const SOON: Duration = Duration::from_secs(10);

/// A server with short session timeouts: a second is allowed.
pub async fn server() -> Server {
    Server::start("127.0.0.1:0", options()).await.unwrap()
}

pub fn options() -> ServerOptions {
    ServerOptions {
        tick: Duration::from_millis(500),
        ..ServerOptions::default()
    }
}

pub fn ensemble(servers: &str) -> Ensemble {
    Ensemble::new(servers)
        .unwrap()
        .with_timeout(SOON)
        .with_options(ConnectOptions::new().session_timeout(Duration::from_secs(1)))
}

pub fn namespace(text: &str) -> Namespace {
    text.parse().unwrap()
}

pub fn instance(endpoint: &str, version: &str) -> NewInstance {
    let endpoint: Endpoint = endpoint.parse().unwrap();
    NewInstance {
        data: InstanceData::HostPort(endpoint.clone()),
        endpoint,
        version: version.to_owned(),
    }
}

/// Registers `h:10000` of version 1.0 in `/hs2`.
pub async fn register(servers: &str) -> Registration {
    try_register(&ensemble(servers)).await.unwrap()
}

pub async fn try_register(ensemble: &Ensemble) -> Result<Registration, RegisterError> {
    let instance = instance("h:10000", "1.0");
    Registration::register(ensemble, &namespace("hs2"), &instance).await
}

/// A view of `/hs2`.
pub async fn view(servers: &str) -> View {
    let view = View::open(&ensemble(servers), &namespace("hs2")).await;
    view.unwrap()
}

/// As [`view`], with what the instances publish.
pub async fn view_with_data(servers: &str) -> View {
    let view = View::open_with_data(&ensemble(servers), &namespace("hs2")).await;
    view.unwrap()
}

/// Somebody else, who looks at `/hs2` and meddles with it.
pub struct Admin {
    pub client: Client,
}

impl Admin {
    pub async fn connect(servers: &str) -> Self {
        let client = Client::connect(servers).await.unwrap();
        Self { client }
    }

    pub async fn children(&self) -> Vec<String> {
        let mut names = self.client.get_children("/hs2").await.unwrap().to_vec();
        names.sort();
        names
    }

    pub async fn owner(&self, path: &str) -> Option<SessionId> {
        let stat = self.client.exists(path).await.unwrap();
        stat.map(|stat| stat.ephemeral_owner)
    }

    pub async fn delete(&self, path: &str) {
        let any = zk_client::ZnodeVersion::ANY;
        self.client.delete(path, any).await.unwrap();
    }

    /// A znode that stays, in `/hs2`.
    pub async fn put(&self, name: &str, data: &[u8]) {
        self.client.create_all("/hs2").await.unwrap();
        let created = self
            .client
            .create(&path::join("/hs2", name), data, CreateMode::PERSISTENT);
        created.await.unwrap();
    }

    /// Waits until `/hs2` has exactly this many children; says which.
    pub async fn count(&self, count: usize) -> Vec<String> {
        let deadline = Instant::now() + SOON;
        loop {
            let children = self.children().await;
            if children.len() == count {
                return children;
            }
            assert!(Instant::now() < deadline, "{count} expected: {children:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The path of the registered znode.
pub fn path_of(registration: &Registration) -> String {
    match &*registration.state().borrow() {
        RegistrationState::Registered { path } => path.clone(),
        other => panic!("registered expected: {other:?}"),
    }
}

/// Waits for a state.
pub async fn state(
    states: &mut watch::Receiver<RegistrationState>,
    wanted: impl Fn(&RegistrationState) -> bool,
) -> RegistrationState {
    let found = tokio::time::timeout(SOON, states.wait_for(wanted)).await;
    found.expect("in time").expect("a state").clone()
}

pub async fn deregistered_by_another(states: &mut watch::Receiver<RegistrationState>) {
    let over = |state: &RegistrationState| matches!(state, RegistrationState::Deregistered { .. });
    let by = DeregisteredBy::Other;
    assert_eq!(
        state(states, over).await,
        RegistrationState::Deregistered { by }
    );
}
