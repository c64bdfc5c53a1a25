use std::time::Duration;

use discovery::zk_client::{Client, ConnectOptions, SessionId, ZnodeVersion, path};
use discovery::{
    DeregisteredBy, Ensemble, InstanceData, Namespace, NewInstance, Registration, RegistrationState,
};
use tests::wait;
use tests::zookeeper::unique_name;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long anything may take that should be quick, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A session timeout short enough to be waited for.
pub(crate) const SHORT: Duration = Duration::from_millis(1500);

/// An ensemble whose sessions have this timeout.
pub(crate) fn ensemble(servers: &str, session_timeout: Duration) -> Ensemble {
    let options = ConnectOptions::new().session_timeout(session_timeout);
    let ensemble = Ensemble::new(servers).unwrap();
    ensemble.with_timeout(SOON).with_options(options)
}

/// A namespace that no other test uses.
pub(crate) fn own_namespace(prefix: &str) -> Namespace {
    unique_name(prefix).parse().unwrap()
}

/// An instance that publishes its `host:port`.
pub(crate) fn instance(endpoint: &str, version: &str) -> NewInstance {
    NewInstance {
        endpoint: endpoint.parse().unwrap(),
        version: version.to_owned(),
        data: InstanceData::HostPort(endpoint.parse().unwrap()),
    }
}

/// An instance on the list, by itself in its namespace; it reaches ZooKeeper by an address of its own.
pub(crate) struct Listed {
    pub(crate) registration: Registration,
    pub(crate) admin: Admin,
}

impl Listed {
    /// Registers version 1.0 through `servers`; the administrator goes to `admin_servers`.
    pub(crate) async fn register(
        servers: &str,
        admin_servers: &str,
        session_timeout: Duration,
    ) -> Self {
        let namespace = own_namespace("listed");
        let ensemble = ensemble(servers, session_timeout);
        let instance = instance("h1.example.com:10000", "1.0");
        let registered = Registration::register(&ensemble, &namespace, &instance);
        Self {
            registration: registered.await.unwrap(),
            admin: Admin::connect(admin_servers, &namespace).await,
        }
    }

    /// The znode's path, as the registration knows it.
    pub(crate) fn path(&self) -> String {
        match &*self.registration.state().borrow() {
            RegistrationState::Registered { path } => path.clone(),
            other => panic!("registered expected: {other:?}"),
        }
    }

    /// Waits until it stands on the list with another znode than `old`; returns that znode's path.
    pub(crate) async fn registered_again(&self, old: &str) -> String {
        let again = |state: &RegistrationState| matches!(state, RegistrationState::Registered { path } if path != old);
        state(&mut self.registration.state(), again).await;
        self.path()
    }

    /// Somebody deletes the znode: the instance must take it as an order, for good.
    pub(crate) async fn obeys_deletion(&self) {
        self.admin.delete(&self.path()).await;
        let mut states = self.registration.state();
        let over =
            |state: &RegistrationState| matches!(state, RegistrationState::Deregistered { .. });
        let by = DeregisteredBy::Other;
        assert_eq!(
            state(&mut states, over).await,
            RegistrationState::Deregistered { by }
        );
        // Its task has ended, and nothing else could create the znode again.
        let ended = timeout(SOON, states.changed()).await;
        assert!(ended.expect("the task ends").is_err());
        assert!(self.admin.names().await.is_empty());
    }
}

/// Waits for a state.
pub(crate) async fn state(
    states: &mut watch::Receiver<RegistrationState>,
    wanted: impl Fn(&RegistrationState) -> bool,
) -> RegistrationState {
    let found = timeout(SOON, states.wait_for(wanted)).await;
    found.expect("the state is reached").unwrap().clone()
}

/// Somebody else, who looks at one namespace and meddles with it.
pub(crate) struct Admin {
    pub(crate) client: Client,
    namespace: String,
}

impl Admin {
    pub(crate) async fn connect(servers: &str, namespace: &Namespace) -> Self {
        Self {
            client: Client::connect(servers).await.unwrap(),
            namespace: namespace.path(),
        }
    }

    /// The names on the list, in order.
    pub(crate) async fn names(&self) -> Vec<String> {
        self.client.sync(&self.namespace).await.unwrap();
        let children = self.client.get_children(&self.namespace).await;
        let mut names = children.unwrap().to_vec();
        names.sort();
        names
    }

    /// The paths on the list, in order.
    pub(crate) async fn paths(&self) -> Vec<String> {
        let names = self.names().await;
        let paths = names.iter().map(|name| path::join(&self.namespace, name));
        paths.collect()
    }

    /// Waits until nothing is on the list.
    pub(crate) async fn list_is_empty(&self) {
        wait::until("the list is empty", SOON, async || {
            self.names().await.is_empty()
        })
        .await;
    }

    /// For this long, the list holds this znode and nothing else.
    pub(crate) async fn list_stays(&self, path: &str, time: Duration) {
        let other = wait::some(time, async || {
            Some(self.paths().await).filter(|paths| paths != &[path])
        });
        assert_eq!(other.await, None, "{path} is not alone on the list");
    }

    /// The session that owns a znode.
    pub(crate) async fn owner(&self, path: &str) -> SessionId {
        let stat = self.client.exists(path).await.unwrap();
        stat.expect("the znode exists").ephemeral_owner
    }

    pub(crate) async fn set_data(&self, path: &str, data: &[u8]) {
        let set = self.client.set_data(path, data, ZnodeVersion::ANY);
        set.await.unwrap();
    }

    pub(crate) async fn delete(&self, path: &str) {
        let deleted = self.client.delete(path, ZnodeVersion::ANY).await;
        deleted.unwrap();
    }
}
