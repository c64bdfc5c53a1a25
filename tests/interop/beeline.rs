use std::collections::BTreeSet;

use tests::node::Node;
use tests::peers::{beeline, beeline_aloud, beeline_on_a_terminal};
use tests::process::Process;

use crate::fixture::{Pair, WATCHED, WATCHED_TABLE};

const QUERY: &str = "SELECT id, concat('row ', cast(id AS string)) AS name, id = 1 AS one FROM range(3) ORDER BY id";
const ROWS: &str = "id\tname\tone\n0\trow 0\tfalse\n1\trow 1\ttrue\n2\trow 2\tfalse\n";

/// Curator, inside Hive's driver, lists the namespace of the real ZooKeeper.
#[tokio::test]
async fn it_finds_a_node_through_zookeeper() {
    let pair = Pair::start().await;
    let output = beeline(&pair.fleet.url(), QUERY).await.success();
    assert_eq!(output.stdout, ROWS, "{output}");
}

#[tokio::test]
async fn it_connects_to_each_node_by_host_and_port() {
    let pair = Pair::start().await;
    for node in [&pair.first, &pair.second] {
        let url = format!("jdbc:hive2://{}/default", node.address());
        let output = beeline(&url, QUERY).await.success();
        assert_eq!(output.stdout, ROWS, "{output}");
    }
}

/// Here Curator talks to the embedded ZooKeeper.
#[tokio::test]
async fn it_takes_the_url_that_quickstart_prints() {
    let quickstart = Process::start(&["quickstart", "--serve"]);
    let url = quickstart
        .line_with("jdbc:hive2://")
        .await
        .split_whitespace()
        .find(|word| word.starts_with("jdbc:hive2://"))
        .unwrap()
        .trim_matches(['"', '\''])
        .to_owned();
    assert!(url.contains("serviceDiscoveryMode=zooKeeper"), "{url}");
    let output = beeline(&url, QUERY).await.success();
    assert_eq!(output.stdout, ROWS, "{output}");
    let tables = beeline(&url, "SHOW TABLES").await.success();
    let tables: BTreeSet<&str> = tables.stdout.lines().skip(1).collect();
    assert!(!tables.is_empty(), "quickstart has sample data");
}

/// Spark's beeline is this very program: both come from the same package.
#[tokio::test]
async fn it_shows_types_metadata_and_logs_as_on_hive() {
    let node = Node::options().start().await;
    let url = format!("jdbc:hive2://{}/default", node.address());
    let values = [
        ("true", "true"),
        ("cast(-128 as tinyint)", "-128"),
        ("32767S", "32767"),
        ("9223372036854775807L", "9223372036854775807"),
        ("cast('0.1' as float)", "0.1"),
        ("1e30", "1.0E30"),
        ("cast(1.5 as decimal(10,2))", "1.50"),
        ("'it\\'s'", "it's"),
        ("cast('abc' as varchar(2))", "ab"),
        ("cast('ab' as char(5))", "ab   "),
        ("cast('b' as binary)", "b"),
        ("cast('2024-02-29' as date)", "2024-02-29"),
        (
            "cast('2024-02-29 01:02:03.5' as timestamp)",
            "2024-02-29 01:02:03.5",
        ),
        (
            "cast('2024-02-29 01:02:03' as timestamp with local time zone)",
            "2024-02-29 01:02:03.0 UTC",
        ),
        ("array(1, null)", "[1,null]"),
        ("named_struct('a', 'x')", r#"{"a":"x"}"#),
        ("null", "NULL"),
    ];
    let [sql, shown] = [0, 1].map(|side| {
        let cells = values.map(|(sql, shown)| if side == 0 { sql } else { shown });
        cells.join(if side == 0 { ", " } else { "\t" })
    });
    let statements = [
        "CREATE TABLE t (c char(5) COMMENT 'a c')",
        &format!("SELECT {sql}"),
        "!tables",
        "!columns t",
        "!typeinfo",
    ];
    let output = beeline_aloud(&url, &statements).await.success();
    let lines: Vec<_> = output.stdout.lines().collect();
    let nulls = |count| ["NULL"].repeat(count).join("\t");
    for line in [
        shown,
        format!("\tdefault\tt\tTABLE\t{}", nulls(6)),
        format!(
            "NULL\tdefault\tt\tc\t1\tCHAR\t5\tNULL\tNULL\tNULL\t1\ta c\t{}\t1\tYES\t{}\tNO",
            nulls(4),
            nulls(4)
        ),
        format!(
            "DECIMAL\t3\t38\t{}\t1\tfalse\t3\tfalse\tfalse\tfalse\tNULL\t0\t0\tNULL\tNULL\t10",
            nulls(3)
        ),
    ] {
        assert!(lines.contains(&line.as_str()), "{line}\n{output}");
    }
    for told in [
        "Connected to: Apache Hive",
        "INFO  : Compiling command",
        "1 row selected",
    ] {
        assert!(output.stderr.contains(told), "{told}\n{output}");
    }
}

/// At a terminal it draws the stages of the plan, and how far each is.
#[tokio::test]
async fn its_progress_bar_moves_and_it_shows_the_log() {
    let pair = Pair::start().await;
    let url = format!("jdbc:hive2://{}/default", pair.first.address());
    let session = hs2_client::connect(
        &url,
        &hs2_client::ConnectOptions::default(),
        &hs2_client::SessionOptions::default(),
    )
    .await
    .unwrap();
    session
        .execute(WATCHED_TABLE)
        .await
        .unwrap()
        .wait()
        .await
        .unwrap();
    let sql = format!("{WATCHED};");
    let output = beeline_on_a_terminal(&url, &sql).await.success();
    let text = output.stdout.as_str();
    assert!(
        text.contains("VERTICES") && text.contains("Map 1 "),
        "{output}"
    );
    let percents: BTreeSet<&str> = text
        .split_whitespace()
        .filter_map(|word| word.strip_suffix('%'))
        .filter(|number| number.parse::<u8>().is_ok())
        .collect();
    assert!(
        percents.len() > 1,
        "the bar stands at {percents:?}: {output}"
    );
    assert!(
        text.contains("INFO  : Compiling command(queryId="),
        "{output}"
    );
    assert!(text.contains("INFO  : OK"), "{output}");
}
