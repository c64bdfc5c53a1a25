use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hs2_client::{ConnectOptions, Error, SessionOptions, connect};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::certificates::Authority;
use tests::command::run;
use tests::node::{Node, NodeOptions};
use tests::peers::{beeline, jdbc_connections, python_connections};
use tokio::process::Command;

const SQL: &str = "SELECT id, id + 1 AS next FROM range(3) ORDER BY id";
const ROWS: &str = "[[0,1],[1,2],[2,3]]";
const ROWS_AS_TEXT: &str = r#"[["0","1"],["1","2"],["2","3"]]"#;

/// A node that speaks binary and HTTP on one port.
pub(crate) fn on_one_port(options: NodeOptions) -> NodeOptions {
    options
        .set("hive.server2.transport.mode", "all")
        .set("hive.server2.thrift.http.port", "0")
}

#[tokio::test]
async fn one_port_serves_every_client_by_binary_sasl_and_http() {
    let node = on_one_port(Node::options()).start().await;
    let cases = python_cases(node.address(), None);
    for client in ["impyla", "pyhive"] {
        for (case, told) in cases
            .iter()
            .zip(python_connections(client, &json!(cases)).await)
        {
            assert_eq!(told.as_deref(), Ok(ROWS), "{client}, {case}");
        }
    }
    let url = format!("jdbc:hive2://{}/default", node.address());
    let http = format!("{url};transportMode=http;httpPath=cliservice");
    let slashes = format!("{url};transportMode=http;httpPath=/cliservice/");
    let plain = format!("{url};auth=noSasl");
    let urls = [&url, &http, &slashes, &plain];
    for (told, url) in jdbc_connections(&jdbc_cases(&urls)).await.iter().zip(urls) {
        assert_eq!(told.as_deref(), Ok(ROWS_AS_TEXT), "{url}");
    }
    for url in urls {
        assert_eq!(ours(url).await.unwrap(), ROWS, "{url}");
    }
    let shown = beeline(&http, SQL).await.success();
    assert_eq!(shown.stdout, "id\tnext\n0\t1\n1\t2\n2\t3\n", "{shown}");
}

#[tokio::test]
async fn tls_carries_every_client_by_binary_and_http() {
    let tls = Tls::new().await;
    let node = on_one_port(tls.node()).start().await;
    let port = node.address().port();
    let mut cases = python_cases(node.address(), Some(&tls.ca));
    for client in ["impyla", "pyhive"] {
        // PyHive has no TLS on sockets but under SASL.
        cases.retain(|case| client == "impyla" || case["auth"] != "NOSASL" || case["http"] == true);
        for (case, told) in cases
            .iter()
            .zip(python_connections(client, &json!(cases)).await)
        {
            assert_eq!(told.as_deref(), Ok(ROWS), "{client}, {case}");
        }
    }
    let http = ";transportMode=http;httpPath=cliservice";
    let java = format!("jdbc:hive2://localhost:{port}/default{}", tls.of_java());
    let java_http = format!("{java}{http}");
    let urls = [&java, &java_http];
    for (told, url) in jdbc_connections(&jdbc_cases(&urls)).await.iter().zip(urls) {
        assert_eq!(told.as_deref(), Ok(ROWS_AS_TEXT), "{url}");
    }
    let shown = beeline(&java_http, SQL).await.success();
    assert_eq!(shown.stdout, "id\tnext\n0\t1\n1\t2\n2\t3\n", "{shown}");
    for host in ["localhost", "127.0.0.1"] {
        let ours_tls = format!(
            "jdbc:hive2://{host}:{port}/;ssl=true;sslTrustStore={}",
            tls.ca.display()
        );
        for url in [&ours_tls, &format!("{ours_tls}{http}")] {
            assert_eq!(ours(url).await.unwrap(), ROWS, "{url}");
        }
    }
}

/// Each is told by its own client what it should have done.
#[tokio::test]
async fn clients_that_come_the_wrong_way_are_told_the_right_one() {
    let tls = Tls::new().await;
    let (secured, open, http) = tokio::join!(
        tls.node().start(),
        Node::options().start(),
        Node::options()
            .set("hive.server2.transport.mode", "http")
            .set("hive.server2.thrift.http.path", "hive")
            .start()
    );
    let of = |node: &Node, rest: &str| {
        format!(
            "jdbc:hive2://localhost:{}/default{rest}",
            node.address().port()
        )
    };
    let by_http = ";transportMode=http;httpPath=cliservice";
    let java = [
        (
            of(&secured, ""),
            "this HiveServer2 port speaks TLS: connect with ssl=true",
        ),
        (
            of(&secured, ";auth=noSasl"),
            "this HiveServer2 port speaks TLS: connect with ssl=true",
        ),
        (of(&open, &tls.of_java()), "handshake_failure"),
        (of(&open, by_http), "400"),
        (
            of(&http, ""),
            "connect with transportMode=http;httpPath=hive",
        ),
        (of(&http, by_http), "404"),
    ];
    let urls: Vec<_> = java.iter().map(|(url, _)| url).collect();
    for (told, (url, said)) in jdbc_connections(&jdbc_cases(&urls)).await.iter().zip(&java) {
        let error = told.as_ref().unwrap_err();
        assert!(
            error.trim_start().starts_with("08S01: ") && error.contains(said),
            "{url}: {error}"
        );
    }
    let trusted = format!(";ssl=true;sslTrustStore={}", tls.ca.display());
    let stranger = tls.folder.path().join("stranger.pem");
    std::fs::write(&stranger, Authority::new("Stranger").pem()).unwrap();
    let strange = format!(";ssl=true;sslTrustStore={}", stranger.display());
    let by_number = format!(
        "jdbc:hive2://127.0.0.2:{}/{trusted}",
        secured.address().port()
    );
    for (url, said) in [
        (
            of(&secured, ""),
            "this HiveServer2 port speaks TLS: connect with ssl=true",
        ),
        (of(&open, &trusted), "connect without ssl=true"),
        (of(&open, by_http), "connect without transportMode=http"),
        (
            of(&http, ""),
            "connect with transportMode=http;httpPath=hive",
        ),
        (of(&http, by_http), "check httpPath"),
        (of(&secured, &strange), "UnknownIssuer"),
        (by_number, "cannot connect"),
    ] {
        let error = ours(&url).await.unwrap_err().to_string();
        assert!(error.contains(said), "{url}: {error}");
    }
    assert_eq!(
        ours(&of(&http, ";transportMode=http;httpPath=hive"))
            .await
            .unwrap(),
        ROWS
    );
}

/// The certificate of a test's own, and what its clients need to believe it.
pub(crate) struct Tls {
    pub(crate) folder: TempDir,
    pub(crate) ca: PathBuf,
    java: PathBuf,
    pem: PathBuf,
}

impl Tls {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (ca, java, pem) = (at("ca.pem"), at("trust.jks"), at("node.pem"));
        let authority = Authority::new("Ours");
        std::fs::write(&ca, authority.pem()).unwrap();
        let issued = authority.server(&["localhost", "127.0.0.1"]);
        std::fs::write(&pem, issued.in_one()).unwrap();
        let mut keytool = Command::new("keytool");
        keytool.args([
            "-importcert",
            "-noprompt",
            "-alias",
            "ca",
            "-storepass",
            "changeit",
            "-file",
        ]);
        keytool.arg(&ca).arg("-keystore").arg(&java);
        let _ = run(&mut keytool, Duration::from_secs(60)).await.success();
        Self {
            folder,
            ca,
            java,
            pem,
        }
    }

    /// A node that speaks TLS only.
    pub(crate) fn node(&self) -> NodeOptions {
        Node::options()
            .set("hive.server2.use.SSL", "true")
            .set("hive.server2.keystore.path", self.pem.to_str().unwrap())
    }

    /// What to write behind a URL of Hive's driver.
    pub(crate) fn of_java(&self) -> String {
        format!(
            ";ssl=true;sslTrustStore={};trustStorePassword=changeit",
            self.java.display()
        )
    }
}

/// NOSASL and PLAIN, by sockets and by HTTP.
fn python_cases(node: SocketAddr, ca: Option<&Path>) -> Vec<Value> {
    let host = if ca.is_some() {
        "localhost"
    } else {
        "127.0.0.1"
    };
    let case = |(auth, http)| {
        json!({
            "host": host, "port": node.port(), "auth": auth, "http": http, "ca": ca,
            "user": "tests", "password": "tests", "sql": SQL,
        })
    };
    [
        ("NOSASL", false),
        ("PLAIN", false),
        ("NOSASL", true),
        ("PLAIN", true),
    ]
    .map(case)
    .to_vec()
}

fn jdbc_cases(urls: &[&String]) -> Value {
    let case =
        |url: &&String| json!({"url": url, "user": "tests", "password": "tests", "sql": SQL});
    urls.iter().map(case).collect()
}

/// The rows as our client reads them.
pub(crate) async fn ours(url: &str) -> Result<String, Error> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    let session = connect(url, &ConnectOptions::default(), &SessionOptions::default()).await?;
    let mut stream = session.query(SQL).await?;
    let mut rows = Vec::new();
    while let Some(batch) = stream.next().await? {
        let column = |index: usize| {
            batch
                .column(index)
                .as_primitive::<Int64Type>()
                .values()
                .to_vec()
        };
        rows.extend(
            column(0)
                .into_iter()
                .zip(column(1))
                .map(|(id, next)| json!([id, next])),
        );
    }
    session.close().await?;
    Ok(Value::from(rows).to_string())
}
