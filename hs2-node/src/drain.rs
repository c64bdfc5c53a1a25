//! What a node tells ZooKeeper about itself, and how it leaves.
//!
//! ```text
//!             SIGTERM (drain)                   no session left, or
//!           ┌────────────────► leaving ──────── graceful.stop.timeout ──┐
//!           │                  no new sessions                         ▼
//!   serving ┤                                                        stopped, exit 0
//!           │                                                          ▲
//!           └────────────────► removed ──────── no session left ───────┘
//!             znode deleted    sessions by address as before,
//!                              those idle for graceful.stop.timeout closed
//! ```
//!
//! On both ways sessions that do something go on undisturbed. A deleted znode alone does not stop a node that has sessions, as
//! in Hive; SIGTERM then still does, and a second SIGTERM stops it at once.

use discovery::zk_client::ConnectOptions;
use discovery::{
    Endpoint, Ensemble, InstanceData, Namespace, NewInstance, Published, TransportMode,
};
use std::net::SocketAddr;

use crate::config::{Authentication, Config};
use crate::node::NodeError;

/// Where and as what to register.
pub(crate) struct NewRegistration {
    pub(crate) ensemble: Ensemble,
    pub(crate) namespace: Namespace,
    pub(crate) instance: NewInstance,
}

/// What the settings say about the registration of a node that listens on `address`.
pub(crate) fn register(
    config: &Config,
    version: &str,
    address: SocketAddr,
) -> Result<NewRegistration, NodeError> {
    let endpoint = published_endpoint(&config.bind_host, address)?;
    let data = if config.zookeeper_publish_configs {
        InstanceData::Configs(Box::new(published(config, &endpoint)))
    } else {
        InstanceData::HostPort(endpoint.clone())
    };
    let instance = NewInstance {
        endpoint,
        version: version.to_owned(),
        data,
    };
    Ok(NewRegistration {
        ensemble: ensemble(config)?,
        namespace: namespace(config)?,
        instance,
    })
}

/// Hive's pairs. They name one transport: where a node has both, that is the binary one.
fn published(config: &Config, endpoint: &Endpoint) -> Published {
    let common = Published {
        instance_uri: Some(endpoint.clone()),
        bind_host: Some(endpoint.host().to_owned()),
        authentication: Some(config.authentication.as_str().to_owned()),
        use_ssl: Some(config.tls),
        ..Published::default()
    };
    if config.transport_mode.has_binary() {
        Published {
            transport_mode: Some(TransportMode::Binary),
            thrift_port: Some(endpoint.port()),
            sasl_qop: Some("auth".to_owned()),
            principal: (config.authentication == Authentication::Kerberos)
                .then(|| config.kerberos_principal.clone()),
            ..common
        }
    } else {
        Published {
            transport_mode: Some(TransportMode::Http),
            http_port: Some(endpoint.port()),
            http_path: Some(config.http_path.trim_matches('/').to_owned()),
            ..common
        }
    }
}

/// The ensemble of the settings.
pub(crate) fn ensemble(config: &Config) -> Result<Ensemble, NodeError> {
    if config.zookeeper_quorum.trim().is_empty() {
        return Err(NodeError::Settings(
            "no ZooKeeper is given: set hive.zookeeper.quorum".to_owned(),
        ));
    }
    let servers = with_ports(&config.zookeeper_quorum, config.zookeeper_port);
    let ensemble = Ensemble::new(&servers).map_err(|error| {
        NodeError::Settings(format!(
            "hive.zookeeper.quorum = {}: {error}",
            config.zookeeper_quorum
        ))
    })?;
    let options = ConnectOptions::default().session_timeout(config.zookeeper_session_timeout);
    Ok(ensemble
        .with_options(options)
        .with_timeout(config.zookeeper_connection_timeout))
}

/// The namespace of the settings.
pub(crate) fn namespace(config: &Config) -> Result<Namespace, NodeError> {
    let text = &config.zookeeper_namespace;
    text.parse().map_err(|error| {
        NodeError::Settings(format!(
            "hive.server2.zookeeper.namespace = {text}: {error}"
        ))
    })
}

/// The hosts of a quorum, each with a port, as Hive completes them.
fn with_ports(quorum: &str, port: u16) -> String {
    let (hosts, chroot) = match quorum.split_once('/') {
        Some((hosts, chroot)) => (hosts, format!("/{chroot}")),
        None => (quorum, String::new()),
    };
    let hosts = hosts
        .split(',')
        .map(str::trim)
        .filter(|host| !host.is_empty())
        .map(|host| {
            let bare = if host.starts_with('[') {
                host.ends_with(']')
            } else {
                !host.contains(':')
            };
            if bare {
                format!("{host}:{port}")
            } else {
                host.to_owned()
            }
        });
    hosts.collect::<Vec<_>>().join(",") + &chroot
}

/// What clients connect to: the host as it was given, or this machine's name where that is "every address".
fn published_endpoint(bind_host: &str, address: SocketAddr) -> Result<Endpoint, NodeError> {
    let host = if address.ip().is_unspecified() {
        host_name().ok_or_else(|| {
            NodeError::Settings("this machine does not know its name: set hive.server2.thrift.bind.host to an address that clients reach".to_owned())
        })?
    } else if bind_host.is_empty() {
        address.ip().to_string()
    } else {
        bind_host.to_owned()
    };
    Endpoint::new(&host, address.port())
        .map_err(|error| NodeError::Settings(format!("{host}: {error}")))
}

/// The machine's own name.
pub(crate) fn host_name() -> Option<String> {
    let from_file = |path: &str| std::fs::read_to_string(path).ok();
    let name = from_file("/proc/sys/kernel/hostname").or_else(|| from_file("/etc/hostname"))?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_of_a_quorum_gets_a_port() {
        assert_eq!(
            with_ports("a, b:1,[::1],[::1]:5", 2182),
            "a:2182,b:1,[::1]:2182,[::1]:5"
        );
        assert_eq!(with_ports("a,b/chroot", 2181), "a:2181,b:2181/chroot");
    }

    #[test]
    fn what_a_node_publishes() {
        let address = "127.0.0.1:10000".parse().unwrap();
        let mut config = Config {
            zookeeper_quorum: "zk".to_owned(),
            ..Config::default()
        };
        let plain = register(&config, "1.0", address).unwrap();
        assert_eq!(plain.instance.data.to_text().unwrap(), "127.0.0.1:10000");
        assert_eq!(
            (
                plain.ensemble.to_string().as_str(),
                plain.namespace.as_str()
            ),
            ("zk:2181", "hiveserver2")
        );
        config.zookeeper_publish_configs = true;
        let pairs = register(&config, "1.0", address)
            .unwrap()
            .instance
            .data
            .to_text()
            .unwrap();
        assert_eq!(
            pairs,
            "hive.server2.instance.uri=127.0.0.1:10000;hive.server2.authentication=NONE;hive.server2.transport.mode=binary;\
             hive.server2.thrift.sasl.qop=auth;hive.server2.thrift.bind.host=127.0.0.1;hive.server2.thrift.port=10000;\
             hive.server2.use.SSL=false"
        );
        config.authentication = Authentication::Kerberos;
        config.kerberos_principal = "hive/_HOST@R".to_owned();
        let kerberos = register(&config, "1.0", address).unwrap();
        let pairs = kerberos.instance.data.to_text().unwrap();
        // Clients put the host's name there, as the node does.
        let pair = "hive.server2.authentication.kerberos.principal=hive/_HOST@R";
        assert!(pairs.split(';').any(|one| one == pair), "{pairs}");
    }

    #[test]
    fn settings_that_name_nothing_are_errors_with_their_names() {
        let error = |config: Config| {
            register(&config, "1", "127.0.0.1:1".parse().unwrap())
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(Config::default()),
            "cannot register: no ZooKeeper is given: set hive.zookeeper.quorum"
        );
        let config = Config {
            zookeeper_quorum: "zk".to_owned(),
            zookeeper_namespace: "a//b".to_owned(),
            ..Config::default()
        };
        assert!(
            error(config).starts_with("cannot register: hive.server2.zookeeper.namespace = a//b: ")
        );
    }
}
