use std::net::TcpListener;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tests::command::Output;
use tests::fleet::Fleet;
use tests::node::Node;
use tests::process::hs2_node;
use tests::zookeeper::{SharedZooKeeper, unique_name};

use crate::fixture::about;

const COMMANDS: [&str; 7] = [
    "quickstart",
    "serve",
    "zookeeper",
    "list",
    "deregister",
    "sql",
    "url",
];

#[tokio::test]
async fn a_wrong_command_line_is_code_2() {
    for arguments in [
        &[][..],
        &["serve", "--no-such-option"],
        &["serve", "--bind", "nowhere"],
        &["deregister"],
        &["list"],
        &["list", "--zookeeper", "127.0.0.1:1", "--format", "xml"],
        &["no-such-command"],
    ] {
        let output = hs2_node(arguments).await.exit(2);
        assert!(!output.stderr.is_empty(), "{arguments:?}: {output}");
    }
    for arguments in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        let output = hs2_node(arguments).await.success();
        assert!(!output.stdout.is_empty(), "{arguments:?}: {output}");
    }
}

#[tokio::test]
async fn help_has_an_example_of_each_command() {
    for command in COMMANDS {
        let output = hs2_node(&[command, "--help"]).await.success();
        let (_, examples) = output.stdout.split_once("Example").unwrap_or_default();
        let example = format!("hs2-node {command}");
        assert!(examples.contains(&example), "{output}");
    }
}

#[tokio::test]
async fn a_malformed_url_shows_the_position() {
    let url = "jdbc:hive2://h1:10000;user=me";
    let output = hs2_node(&["sql", url, "-e", "SELECT 1"]).await.exit(2);
    assert!(
        output
            .stderr
            .contains("malformed URL at byte 21 (before `;user=me`): a '/' is missing"),
        "{output}"
    );
    one_line(&output);
}

#[tokio::test]
async fn a_url_is_explained_and_leads_to_a_registered_node() {
    let zookeeper = SharedZooKeeper::get().await;
    let fleet = Fleet::new(zookeeper.connect_string()).await;
    let url = format!("{};user=me;password=x1y2", fleet.url());
    let empty = hs2_node(&["url", &url]).await.exit(1);
    assert!(
        empty.stderr.contains("does not exist in ZooKeeper"),
        "{empty}"
    );
    let node = fleet.node("1.0").start().await;
    let output = hs2_node(&["url", &url]).await.success();
    let reaches = format!(
        "reaches   jdbc:hive2://{}/;user=me;password=***",
        node.address()
    );
    assert!(output.stdout.contains(&reaches), "no {reaches:?}: {output}");
    assert!(!output.stdout.contains("x1y2"), "{output}");
    let unasked = hs2_node(&["url", &url, "--offline"]).await.success();
    assert!(!unasked.stdout.contains("reaches"), "{unasked}");
}

#[tokio::test]
async fn several_hosts_without_a_discovery_mode_are_a_warning() {
    let node = Node::options().start().await;
    let url = format!("jdbc:hive2://{},h2:10000/", node.address());
    let output = sql(&url).await.success();
    assert_eq!(output.stdout, "one\n1\n");
    assert!(
        output.stderr.contains("serviceDiscoveryMode"),
        "the missing parameter is not named: {output}"
    );
}

#[tokio::test]
async fn an_unreachable_ensemble_costs_the_connection_timeout_at_most() {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let hosts = format!("{},{}", free().unwrap(), free().unwrap());
    let url = format!("jdbc:hive2://{hosts}/;serviceDiscoveryMode=zooKeeper");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hive.conf");
    std::fs::write(&config, "hive.zookeeper.connection.timeout = 1s\n").unwrap();
    let config = config.to_str().unwrap();
    let serve = ["serve", "--bind", "127.0.0.1:0", "--config", config];
    let commands = [
        (vec!["list", "--zookeeper", &hosts], "within 15"),
        (
            vec!["deregister", "1.0", "--zookeeper", &hosts],
            "within 15",
        ),
        (vec!["sql", &url, "-e", "SELECT 1"], "within 15"),
        ([&serve[..], &["--zookeeper", &hosts]].concat(), "within 1"),
    ];
    let start = Instant::now();
    let tried = commands.iter().map(|(arguments, _)| hs2_node(arguments));
    let outputs = join_all(tried).await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(25), "{took:?}");
    for (output, (_, time)) in outputs.into_iter().zip(&commands) {
        let output = output.exit(1);
        let error = output.stderr.lines().last().unwrap_or_default();
        for said in hosts.split(',').chain([*time]) {
            assert!(error.contains(said), "no {said:?}: {output}");
        }
        assert!(error.starts_with("hs2-node: "), "{output}");
    }
}

#[tokio::test]
async fn a_setting_without_meaning_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hive.conf");
    std::fs::write(&config, "# ports\nhive.server2.thrift.port = many\n").unwrap();
    let config = config.to_str().unwrap();
    let output = hs2_node(&["serve", "--config", config]).await.exit(2);
    for said in [config, "line 2", "hive.server2.thrift.port", "many"] {
        assert!(output.stderr.contains(said), "no {said:?}: {output}");
    }
    one_line(&output);
}

/// The program begins anew, with the keytab where the Kerberos library looks for it; the tests' build has no such library.
#[tokio::test]
async fn kerberos_without_its_feature_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hive.conf");
    let settings = "hive.server2.authentication = KERBEROS\n\
        hive.server2.authentication.kerberos.keytab = /nonexistent/keytab\n";
    std::fs::write(&config, settings).unwrap();
    let config = config.to_str().unwrap();
    let serve = ["serve", "--bind", "127.0.0.1:0", "--config", config];
    let output = hs2_node(&serve).await.exit(1);
    assert!(output.stderr.contains("its feature gssapi"), "{output}");
    one_line(&output);
}

#[tokio::test]
async fn a_missing_namespace_names_those_beside_it() {
    let zookeeper = SharedZooKeeper::get().await;
    let top = unique_name("beside");
    let node = |namespace: &str| {
        let namespace = format!("{top}/{namespace}");
        Node::options()
            .zookeeper(zookeeper.connect_string())
            .namespace(&namespace)
            .version("1.0")
            .start()
    };
    let _sales = node("sales").await;
    let missing = format!("{top}/hive");
    let url = format!(
        "jdbc:hive2://{}/;serviceDiscoveryMode=zooKeeper;zooKeeperNamespace={missing}",
        zookeeper.connect_string()
    );
    let place = [
        "--zookeeper",
        zookeeper.connect_string(),
        "--namespace",
        &missing,
    ];
    for arguments in [
        [&["list"][..], &place].concat(),
        [&["deregister", "1.0"][..], &place].concat(),
        vec!["sql", &url, "-e", "SELECT 1"],
    ] {
        let output = hs2_node(&arguments).await.exit(1);
        assert!(
            output
                .stderr
                .contains(&format!("below /{top} there is sales")),
            "{output}"
        );
        one_line(&output);
    }
}

#[tokio::test]
async fn a_namespace_without_servers_says_so() {
    let zookeeper = SharedZooKeeper::get().await;
    let fleet = Fleet::new(zookeeper.connect_string()).await;
    let mut node = fleet.node("1.0").start().await;
    node.terminate();
    assert_eq!(node.exit_code(Duration::from_secs(30)).await, Some(0));
    let output = sql(&fleet.url()).await.exit(1);
    assert!(
        output.stderr.contains("no server is registered"),
        "{output}"
    );
    one_line(&output);
    // An empty list is an answer.
    let list = about(&fleet, &["list"]).await.success();
    assert!(!list.stdout.contains("serverUri"), "{list}");
}

#[tokio::test]
async fn a_failed_statement_is_code_1_with_its_sqlstate() {
    let node = Node::options().start().await;
    let address = node.address().to_string();
    let output = hs2_node(&["sql", &address, "-e", "SELECT * FROM no_such_table"]).await;
    let output = output.exit(1);
    assert!(
        output.stderr.contains("42S02") && output.stderr.contains("no_such_table"),
        "{output}"
    );
}

async fn sql(url: &str) -> Output {
    hs2_node(&["sql", url, "-e", "SELECT 1 AS one", "--format", "csv"]).await
}

fn one_line(output: &Output) {
    assert_eq!(
        output.stderr.trim().lines().count(),
        1,
        "one line: {output}"
    );
}
