//! `hs2-node url`: what a URL means, and which server it leads to.

use discovery::{Discovery, Ensemble, Instance, JdbcUrl, ResolveError, Variables};

use super::{CliError, say};

/// Explains a URL: how the server is found, what the session begins with, which server it would reach now
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: hs2-node url 'jdbc:hive2://zk1:2181,zk2:2181/;serviceDiscoveryMode=zooKeeper;zooKeeperNamespace=hiveserver2'"
)]
pub(super) struct Arguments {
    /// A jdbc:hive2:// URL, or host:port
    #[arg(value_name = "URL")]
    url: String,
    /// Do not ask ZooKeeper
    #[arg(long)]
    offline: bool,
}

/// Passwords are shown nowhere, and nothing connects to a HiveServer2.
pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let url = JdbcUrl::parse_target(&arguments.url).map_err(CliError::usage)?;
    say(&meaning(&url));
    match url.discovery() {
        Discovery::ZooKeeper {
            connect_string,
            namespace,
            tls: false,
        } if !arguments.offline => {
            let ensemble = Ensemble::new(connect_string).map_err(CliError::usage)?;
            let found = discovery::resolve(&ensemble, namespace, None).await;
            say(&reached(&url, &found.map_err(CliError::failed)?)?);
            Ok(())
        }
        Discovery::ZooKeeper { tls: true, .. } if !arguments.offline => Err(CliError::Failed(
            "this program cannot ask a ZooKeeper over TLS (zooKeeperSSLEnable=true); --offline does not ask".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// One line for each thing that the URL says.
fn meaning(url: &JdbcUrl) -> String {
    let mut lines = Lines::default();
    lines.add("url", &url.to_string());
    let first = url.hosts().first().map(ToString::to_string);
    lines.add(
        "server",
        &match url.discovery() {
            Discovery::ZooKeeper {
                connect_string,
                namespace,
                tls,
            } => {
                let tls = if *tls { " over TLS" } else { "" };
                let namespace = namespace.path();
                format!("one of those registered in {namespace} of ZooKeeper at {connect_string}{tls}, at random")
            }
            _ => first.unwrap_or_default(),
        },
    );
    lines.add("database", url.database());
    let user = match (url.user(), url.password()) {
        (Some(user), Some(_)) => format!("{user}, with a password"),
        (Some(user), None) => user.to_owned(),
        (None, _) => "none: the client's own".to_owned(),
    };
    lines.add("user", &user);
    lines.add_all("session", url.session_vars());
    lines.add_all("hiveconf", url.hive_confs());
    lines.add_all("hivevar", url.hive_vars());
    for warning in url.warnings() {
        lines.add("warning", &warning.to_string());
    }
    lines.text()
}

/// The server that was drawn, and the URL that leads straight to it.
fn reached(url: &JdbcUrl, instance: &Instance) -> Result<String, CliError> {
    let direct = instance.data.direct_url(url).map_err(|source| {
        CliError::failed(ResolveError::Data {
            path: instance.path.clone(),
            source,
        })
    })?;
    let mut lines = Lines::default();
    lines.add("drawn", &instance.path);
    lines.add("reaches", &direct.to_string());
    Ok(lines.text())
}

/// A name and a text a line.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn add(&mut self, name: &str, text: &str) {
        self.0.push(format!("{name:<8}  {text}"));
    }

    fn add_all(&mut self, name: &str, variables: &Variables) {
        for (variable, value) in variables.masked() {
            self.add(name, &format!("{variable} = {value}"));
        }
    }

    fn text(&self) -> String {
        self.0.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_in_words() {
        let text = "jdbc:hive2://zk1,zk2/sales;serviceDiscoveryMode=zooKeeper;user=me;password=x1y2?a=b#day=1";
        let url = JdbcUrl::parse(text).unwrap();
        let said = meaning(&url);
        for line in [
            "server    one of those registered in /hiveserver2 of ZooKeeper at zk1:2181,zk2:2181, at random",
            "database  sales",
            "user      me, with a password",
            "session   password = ***",
            "hiveconf  a = b",
            "hivevar   day = 1",
        ] {
            assert!(said.lines().any(|said| said == line), "{line:?} in {said}");
        }
        assert!(!said.contains("x1y2"));
        let said = meaning(&JdbcUrl::parse_target("h").unwrap());
        assert!(said.contains("server    h:10000"), "{said}");
    }
}
