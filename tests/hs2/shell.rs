use tests::command::Output;
use tests::node::Node;
use tests::peers::Step::{Expect, Send};
use tests::peers::{Step, at_a_terminal};
use tests::process::program;

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const BACKSPACE: &str = "\x7f";
const UP: &str = "\x1b[A";

/// A query that takes hours.
const HOURS: &str = "SELECT count(*) FROM range(2000000000) a CROSS JOIN range(2000000000) b WHERE (a.id * b.id) % 7 = 3;\r";

async fn at_the_shell(node: &Node, columns: u16, steps: &[Step<'_>]) -> Output {
    let address = node.address().to_string();
    let program = program();
    let command = [program.to_str().unwrap(), "sql", &address];
    at_a_terminal(columns, steps, &command).await
}

#[tokio::test]
async fn lines_are_edited_and_remembered() {
    let node = Node::options().start().await;
    let typo = format!("SELECT 40 + 3{BACKSPACE}2 AS answer;\r");
    let steps = [
        Expect("hs2> "),
        Send(&typo),
        Expect("| answer |"),
        Expect("| 42 "),
        Expect("1 row, "),
        Expect("hs2> "),
        Send("SELECT 'semi;\r"),
        Expect("   > "),
        Send("colon' AS text -- no; end\r"),
        Expect("   > "),
        Send(";\r"),
        Expect("semi;\\ncolon"),
        Expect("hs2> "),
        // The third line before: the first statement.
        Send(UP),
        Send(UP),
        Send(UP),
        Send(UP),
        Send("\r"),
        Expect("| 42 "),
        Expect("hs2> "),
        Send("SELECT * FROM no_such_table;\r"),
        Expect("42S02"),
        Expect("hs2> "),
        Send("!help\r"),
        Expect("Ctrl-D"),
        Expect("hs2> "),
        Send("quit\r"),
    ];
    let _ = at_the_shell(&node, 120, &steps).await.success();
}

#[tokio::test]
async fn ctrl_c_cancels_the_statement_and_not_the_shell() {
    let node = Node::options().start().await;
    let steps = [
        Expect("hs2> "),
        Send(HOURS),
        Expect("running"),
        Send(CTRL_C),
        Expect("cancelled"),
        Expect("hs2> "),
        Send("SELECT 40 + 2 AS answer;\r"),
        Expect("| 42 "),
        Expect("hs2> "),
        Send("SELECT 1,\r"),
        Expect("   > "),
        // What was begun is thrown away.
        Send(CTRL_C),
        Expect("hs2> "),
        Send(CTRL_C),
        Expect("Ctrl-C again quits"),
        Expect("hs2> "),
        Send(CTRL_C),
    ];
    let _ = at_the_shell(&node, 120, &steps).await.success();
}

#[tokio::test]
async fn a_table_fits_the_terminal_and_tab_completes() {
    let node = Node::options().start().await;
    let steps = [
        Expect("hs2> "),
        Send("sel\t"),
        Expect("select"),
        Send(" 1 AS id, repeat('wide ', 30) AS text;\r"),
        Expect("…"),
        Expect("--format vertical"),
        Expect("hs2> "),
        Send(CTRL_D),
    ];
    let output = at_the_shell(&node, 60, &steps).await.success();
    let table = output.stdout.lines().filter(|line| line.contains('…'));
    for line in table {
        assert!(line.trim_end().chars().count() <= 60, "{output}");
    }
}

#[tokio::test]
async fn a_progress_bar_where_only_standard_error_is_a_terminal() {
    let node = Node::options().start().await;
    let (address, program) = (node.address(), program());
    let command = format!(
        "{} sql {address} --format csv -e 'SELECT id FROM range(2000000)' | wc -l >&2",
        program.display()
    );
    let steps = [Expect("rows/s"), Expect("2000001")];
    let output = at_a_terminal(100, &steps, &["sh", "-c", &command]).await;
    let _ = output.success();
}
