use serde_json::{Value, json};
use tests::directory::Directory;
use tests::node::Node;
use tests::peers::{beeline_as, jdbc_connections, python_connections};

use crate::transports::on_one_port;

/// Made by `htpasswd -nbB scott tiger`.
const SCOTT: &str = "scott:$2y$05$.tDltKS9P6ePyxzXq9vnDe4Ww9ixnHNGFHEGsrhHJRJeSUuY/txEe\n";
const SQL: &str = "SELECT 1 AS one";

#[tokio::test]
async fn a_password_file_lets_in_whom_it_names_by_every_client_and_transport() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwords");
    std::fs::write(&file, SCOTT).unwrap();
    let node = on_one_port(Node::options())
        .set("hive.server2.authentication", "FILE")
        .set("hive.server2.authentication.file", file.to_str().unwrap())
        .start()
        .await;
    check_every_client(&node).await;
}

#[tokio::test]
async fn a_directory_lets_in_whom_it_knows_by_every_client_and_transport() {
    let directory = Directory::start().await;
    let ldap = "hive.server2.authentication.ldap";
    let by_ldap = || {
        on_one_port(Node::options())
            .set("hive.server2.authentication", "LDAP")
            // The first one does not answer.
            .set(
                &format!("{ldap}.url"),
                &format!("ldap://127.0.0.1:1 {}", directory.url),
            )
            .set(&format!("{ldap}.baseDN"), Directory::BASE)
    };
    let (all, analysts) = tokio::join!(
        by_ldap().start(),
        by_ldap()
            .set(&format!("{ldap}.groupFilter"), "managers,analysts")
            .start()
    );
    check_every_client(&all).await;
    let come_in = async |node: &Node, user: &str, password: &str| {
        let url = format!("{}", node.address());
        one(&format!(
            "jdbc:hive2://{url}/;user={user};password={password}"
        ))
        .await
    };
    come_in(&all, "king", "kong").await.unwrap();
    come_in(&analysts, "scott", "tiger").await.unwrap();
    for (node, user, password) in [
        // Not in the group.
        (&analysts, "king", "kong"),
        (&all, "scott,dc=example,dc=org", "tiger"),
        (&all, "nobody", "tiger"),
    ] {
        let error = come_in(node, user, password).await.unwrap_err();
        assert!(error.contains("refused the login"), "{user}: {error}");
    }
}

/// The right password by every client on both transports, and a wrong one; nobody comes in without one.
pub(crate) async fn check_every_client(node: &Node) {
    let port = node.address().port();
    let python = |auth: &str, http: bool, password: &str| {
        json!({
            "host": "127.0.0.1", "port": port, "auth": auth, "http": http,
            "user": "scott", "password": password, "sql": SQL,
        })
    };
    let cases: Vec<Value> = [false, true]
        .into_iter()
        .flat_map(|http| ["tiger", "lion"].map(|password| python("LDAP", http, password)))
        .collect();
    let url = format!("jdbc:hive2://127.0.0.1:{port}/default");
    let http = format!("{url};transportMode=http;httpPath=cliservice");
    let java: Vec<Value> = [&url, &http]
        .into_iter()
        .flat_map(|url| {
            ["tiger", "lion"].map(
                |password| json!({"url": url, "user": "scott", "password": password, "sql": SQL}),
            )
        })
        .collect();
    let (java, cases) = (json!(java), json!(cases));
    let (impyla, pyhive, jdbc) = tokio::join!(
        python_connections("impyla", &cases),
        python_connections("pyhive", &cases),
        jdbc_connections(&java)
    );
    for (client, told) in [("impyla", impyla), ("pyhive", pyhive), ("jdbc", jdbc)] {
        let [right, wrong, right_by_http, wrong_by_http] = told.try_into().unwrap();
        let one = if client == "jdbc" {
            r#"[["1"]]"#
        } else {
            "[[1]]"
        };
        assert_eq!(
            (right.as_deref(), right_by_http.as_deref()),
            (Ok(one), Ok(one)),
            "{client}"
        );
        let (wrong, by_http) = (wrong.unwrap_err(), wrong_by_http.unwrap_err());
        assert!(
            wrong.contains("Error validating the login"),
            "{client}: {wrong}"
        );
        // Python's Thrift looks at no status and takes the text for a reply.
        let status = client != "pyhive";
        assert!(!status || by_http.contains("401"), "{client}: {by_http}");
    }
    for (url, said) in [
        (
            &url,
            "refused the login of scott: Error validating the login",
        ),
        (
            &http,
            "refused the login of scott: Authentication Error: Error validating the login",
        ),
    ] {
        let ours = |password: &str| format!("{url};user=scott;password={password}");
        assert_eq!(one(&ours("tiger")).await, Ok(1), "{url}");
        assert!(
            one(&ours("lion")).await.unwrap_err().contains(said),
            "{url}"
        );
    }
    let without = one(&format!("{url};auth=noSasl;user=scott"))
        .await
        .unwrap_err();
    assert!(without.contains("this node checks passwords"), "{without}");
    let shown = beeline_as("scott", "lion", &url, SQL).await;
    assert!(
        shown.stderr.contains("Error validating the login"),
        "{shown}"
    );
    let shown = beeline_as("scott", "tiger", &http, SQL).await.success();
    assert_eq!(shown.stdout, "one\n1\n", "{shown}");
    let log = node.log();
    let refused = log
        .iter()
        .filter(|line| line.contains("login refused") && line.contains("scott"));
    assert!(refused.clone().count() >= 8, "{log:?}");
    assert!(refused.clone().all(|line| line.contains("127.0.0.1:")));
    assert!(
        log.iter()
            .all(|line| !line.contains("lion") && !line.contains("tiger"))
    );
}

/// What our client reads.
async fn one(url: &str) -> Result<usize, String> {
    let (options, session) = Default::default();
    let read = async {
        let session = hs2_client::connect(url, &options, &session).await?;
        let mut rows = session.query(SQL).await?;
        let batch = rows.next().await?;
        session.close().await?;
        Ok::<_, hs2_client::Error>(batch.map_or(0, |batch| batch.num_rows()))
    };
    read.await.map_err(|error| error.to_string())
}
