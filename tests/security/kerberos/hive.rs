//! A node with a principal of its own, and who is let in.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tests::command::run;
use tests::peers::beeline_with_ticket;
use tests::spark::SparkThriftServer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zk_server::{Server, ServerOptions};

use super::realm::Realm;
use crate::server::path;

const T: Duration = Duration::from_secs(60);
const PEER: &str = env!("CARGO_BIN_EXE_kerberos-peer");

/// A realm with a node in it, `hive/localhost`.
struct Fixture {
    realm: Realm,
    _node: Child,
    address: SocketAddr,
}

impl Fixture {
    async fn start() -> Self {
        Self::with("").await
    }

    /// With more settings of the node.
    async fn with(settings: &str) -> Self {
        let realm = Realm::start(&["hive/localhost", "other/localhost", "app", "app/host"]).await;
        let keytab = realm.keytab("hive/localhost");
        let settings = format!("{}{settings}", kerberos("hive/_HOST@EXAMPLE.COM", &keytab));
        let (node, line) = node(&realm, &settings, &keytab).await;
        let address = line.strip_prefix("listening on ");
        let address = address.unwrap_or_else(|| panic!("{line}"));
        Self {
            address: address.parse().unwrap(),
            realm,
            _node: node,
        }
    }

    fn url(&self, variables: &str) -> String {
        format!(
            "jdbc:hive2://localhost:{}/;{variables}",
            self.address.port()
        )
    }

    /// What our client says at a URL with these variables, as a principal whose keytab it has, or with no ticket.
    async fn query(&self, principal: Option<&str>, variables: &str) -> String {
        query(&self.realm, principal, &self.url(variables)).await
    }

    /// What the node answers to bytes.
    async fn told(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        timeout(T, read).await.unwrap().unwrap();
        answer
    }
}

/// What our client says at a URL.
async fn query(realm: &Realm, principal: Option<&str>, url: &str) -> String {
    let mut client = realm.command(PEER);
    client.args(["query", url]);
    let name = principal.unwrap_or("nobody").replace('/', "-");
    client.env("KRB5CCNAME", realm.file(&format!("{name}.tickets")));
    match principal {
        Some(principal) => client.env("KRB5_CLIENT_KTNAME", realm.keytab(principal)),
        None => client.env("KRB5_CLIENT_KTNAME", realm.file("nothing")),
    };
    let output = run(&mut client.into(), T).await.success();
    output.stdout.trim().to_owned()
}

/// The settings of a node that is this principal.
fn kerberos(principal: &str, keytab: &Path) -> String {
    format!(
        "hive.server2.thrift.bind.host = localhost\nhive.server2.authentication = KERBEROS\n\
         hive.server2.authentication.kerberos.principal = {principal}\n\
         hive.server2.authentication.kerberos.keytab = {}\nhadoop.proxyuser.app.users = king\n",
        keytab.display()
    )
}

/// A node with these settings and a keytab in its environment, and the first line that it says.
async fn node(realm: &Realm, settings: &str, keytab: &Path) -> (Child, String) {
    let file = realm.file("node.conf");
    std::fs::write(&file, settings).unwrap();
    let mut command = Command::from(realm.command(PEER));
    command
        .arg("node")
        .arg(&file)
        .env("KRB5_KTNAME", keytab)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut node = command.spawn().unwrap();
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
    let line = timeout(T, lines.next_line()).await.unwrap().unwrap();
    (node, line.unwrap_or_default())
}

const OURS: &str = "principal=hive/_HOST@EXAMPLE.COM";
const USER: &str = "SELECT current_user() AS user";

#[tokio::test]
async fn a_ticket_makes_the_session_of_its_user() {
    let fixture = Fixture::start().await;
    let app = async |variables: &str| fixture.query(Some("app"), variables).await;
    assert_eq!(app(OURS).await, "app");
    // From the tickets that are there now.
    assert_eq!(app("principal=hive/localhost@EXAMPLE.COM").await, "app");
    // The node finds a new key by itself.
    fixture.realm.new_key("hive/localhost");
    assert_eq!(fixture.query(Some("app/host"), OURS).await, "app");
    // More than there are threads that check.
    let many = (0..12).map(|_| fixture.query(Some("app"), OURS));
    let many = futures::future::join_all(many).await;
    assert!(many.iter().all(|user| user == "app"), "{many:?}");
    let king = app(&format!("{OURS};hive.server2.proxy.user=king")).await;
    assert_eq!(king, "king");
    let queen = app(&format!("{OURS};hive.server2.proxy.user=queen")).await;
    assert!(
        queen.contains("Failed to validate proxy privilege of app for queen"),
        "{queen}"
    );
}

#[tokio::test]
async fn who_has_no_ticket_for_this_node_is_told() {
    let fixture = Fixture::start().await;
    for (client, variables, said) in [
        // The client's library.
        (
            None,
            OURS,
            &[
                "no Kerberos login at localhost:",
                "No Kerberos credentials available",
                "kinit",
            ][..],
        ),
        (
            Some("app"),
            "principal=nothing/_HOST@EXAMPLE.COM",
            &[
                "as the principal nothing/localhost@EXAMPLE.COM",
                "not found in Kerberos database",
            ],
        ),
        // The node.
        (
            Some("app"),
            "principal=other/_HOST@EXAMPLE.COM",
            &[
                "refused the login of app@EXAMPLE.COM",
                "this node is hive/localhost@EXAMPLE.COM",
            ],
        ),
        (
            Some("app"),
            "user=app;password=x",
            &[
                "refused the login of app",
                "PLAIN",
                "this node wants Kerberos",
            ],
        ),
        (
            Some("app"),
            "auth=noSasl",
            &["connect with principal=hive/localhost@EXAMPLE.COM"],
        ),
    ] {
        let error = fixture.query(client, variables).await;
        for words in said {
            assert!(
                error.starts_with("error: ") && error.contains(words),
                "{variables}: {error}"
            );
        }
    }
    let start = b"\x01\0\0\0\x06GSSAPI";
    for token in [
        &b"\x02\0\0\0\0"[..],
        b"\x02\0\0\0\x03abc",
        b"\x05\0\0\0\x04\x01\0\0\0",
    ] {
        let answer = fixture.told(&[start, token].concat()).await;
        let text = String::from_utf8_lossy(&answer[5..]);
        assert!(answer[0] == 3 && text.starts_with("Kerberos: "), "{text}");
    }
    assert_eq!(fixture.query(Some("app"), OURS).await, "app");
}

#[tokio::test]
async fn a_server_that_proves_nothing_is_not_believed() {
    let realm = Realm::start(&["hive/localhost", "app"]).await;
    for (answer, said) in [
        (&b"\x05\0\0\0\0"[..], "before it has proven who it is"),
        (b"\x02\0\0\0\x03abc", "no Kerberos login at localhost:"),
        (b"\x02\0\0\0\0", "no Kerberos login at localhost:"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(answer).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let url = format!("jdbc:hive2://localhost:{port}/;{OURS}");
        let error = query(&realm, Some("app"), &url).await;
        assert!(
            error.starts_with("error: ") && error.contains(said),
            "{error}"
        );
        timeout(T, server).await.unwrap().unwrap();
    }
}

/// The node's own library, and its settings.
#[tokio::test]
async fn a_node_without_its_key_does_not_start() {
    let realm = Realm::start(&["hive/localhost"]).await;
    let keytab = realm.keytab("hive/localhost");
    let nothing = realm.file("nothing");
    for (principal, keytab, environment, said) in [
        (
            "hive/elsewhere@EXAMPLE.COM",
            &keytab,
            &keytab,
            "for the principal hive/elsewhere@EXAMPLE.COM",
        ),
        (
            "hive/_HOST@EXAMPLE.COM",
            &nothing,
            &nothing,
            "for the principal hive/localhost@EXAMPLE.COM",
        ),
        (
            "hive/_HOST@EXAMPLE.COM",
            &keytab,
            &nothing,
            "start this program with KRB5_KTNAME=",
        ),
    ] {
        let (_node, line) = node(&realm, &kerberos(principal, keytab), environment).await;
        let method = "error: hive.server2.authentication = KERBEROS: ";
        assert!(line.starts_with(method) && line.contains(said), "{line}");
    }
}

#[tokio::test]
async fn beeline_logs_in() {
    let fixture = Fixture::start().await;
    // It leaves the tickets in a file, as kinit does.
    assert_eq!(fixture.query(Some("app"), OURS).await, "app");
    let beeline = async |variables: &str| {
        let tickets = fixture.realm.file("app.tickets");
        let url = fixture.url(variables);
        beeline_with_ticket(
            &url,
            "SELECT current_user() AS user",
            fixture.realm.config(),
            &tickets,
        )
        .await
    };
    let output = beeline(OURS).await.success();
    assert_eq!(output.stdout, "user\napp\n", "{output}");
    let king = beeline(&format!("{OURS};hive.server2.proxy.user=king")).await;
    assert_eq!(king.success().stdout, "user\nking\n");
    let other = beeline("principal=other/_HOST@EXAMPLE.COM").await;
    assert!(
        other
            .stderr
            .contains("this node is hive/localhost@EXAMPLE.COM"),
        "{other}"
    );
}

/// The principal is among what the node publishes.
#[tokio::test]
async fn clients_need_to_know_the_zookeeper_only() {
    let zookeeper = Server::start("127.0.0.1:0", ServerOptions::default());
    let zookeeper = zookeeper.await.unwrap();
    let fixture = Fixture::with(&format!(
        "hive.server2.support.dynamic.service.discovery = true\nhive.zookeeper.quorum = {}\n\
         hive.server2.zookeeper.publish.configs = true\n",
        zookeeper.local_addr()
    ))
    .await;
    let url = format!(
        "jdbc:hive2://{}/;serviceDiscoveryMode=zooKeeper;zooKeeperNamespace=hiveserver2",
        zookeeper.local_addr()
    );
    assert_eq!(query(&fixture.realm, Some("app"), &url).await, "app");
    let tickets = fixture.realm.file("app.tickets");
    let output = beeline_with_ticket(&url, USER, fixture.realm.config(), &tickets).await;
    assert_eq!(output.success().stdout, "user\napp\n");
}

/// Here Java is the server: a HiveServer2 that nobody here wrote.
#[tokio::test]
async fn a_spark_thrift_server_takes_our_ticket() {
    let realm = Realm::start(&["hive/localhost", "app"]).await;
    let keytab = realm.keytab("hive/localhost");
    let property = format!("-Djava.security.krb5.conf={}", path(realm.config()));
    let settings = [
        ("spark.hadoop.hadoop.security.authentication", "kerberos"),
        ("spark.hadoop.hive.server2.authentication", "KERBEROS"),
        (
            "spark.hadoop.hive.server2.authentication.kerberos.principal",
            "hive/localhost@EXAMPLE.COM",
        ),
        (
            "spark.hadoop.hive.server2.authentication.kerberos.keytab",
            path(&keytab),
        ),
    ];
    let spark = SparkThriftServer::start_in(&property, &settings).await;
    let url = format!("jdbc:hive2://localhost:{}/;{OURS}", spark.address().port());
    assert_eq!(query(&realm, Some("app"), &url).await, "app");
}
