use tests::command::Output;
use tests::node::Node;
use tests::process::hs2_node;

async fn sql(node: &Node, arguments: &[&str]) -> Output {
    let address = node.address().to_string();
    let command = ["sql", &address, "--format", "csv"];
    hs2_node(&[&command, arguments].concat()).await
}

#[tokio::test]
async fn a_file_stops_at_its_first_error_unless_it_is_told_to_go_on() {
    let node = Node::options().start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.sql");
    let text = "-- one; two\nSELECT 1 AS a;\nSELECT * FROM\n  no_such_table;\nSELECT 3 AS c";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let output = sql(&node, &["-f", file]).await.exit(1);
    assert_eq!(output.stdout, "a\n1\n", "{output}");
    assert!(output.stderr.contains("42S02"), "{output}");
    let output = sql(&node, &["-f", file, "--force"]).await.exit(1);
    assert_eq!(output.stdout, "a\n1\nc\n3\n", "{output}");
    assert!(output.stderr.contains("42S02"), "{output}");
}

#[tokio::test]
async fn several_statements_with_variables_and_settings() {
    let node = Node::options().start().await;
    let arguments = [
        "-n",
        "scott",
        "-p",
        "tiger",
        "--hivevar",
        "who=world",
        "--hiveconf",
        "my.setting=seven",
        "-e",
        "SELECT 'hello ${who}' AS a; SELECT ';' AS b",
        "-e",
        "SET my.setting",
        "-e",
        "quit\nSELECT 'never' AS d",
    ];
    let output = sql(&node, &arguments).await.success();
    assert!(
        output.stdout.starts_with("a\nhello world\nb\n;\n") && output.stdout.contains("seven"),
        "{output}"
    );
    assert!(!output.stdout.contains("never"), "{output}");
    assert!(!output.stderr.contains("tiger"), "{output}");
}
