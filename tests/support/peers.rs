//! The clients people already have, each run as they run it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::command::{Output, run};
use crate::settings::{scripts, setting};

/// How long a client may take for everything it does.
const CLIENT_DEADLINE: Duration = Duration::from_secs(120);

/// How a Python client signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// SASL PLAIN, which servers call `NONE`: any name and password.
    Plain,
    /// A plain socket without SASL.
    NoSasl,
}

impl Auth {
    fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::NoSasl => "NOSASL",
        }
    }
}

/// Apache BeeLine on a JDBC URL. Standard output is the rows of `sql`, tab separated below a header line.
pub async fn beeline(url: &str, sql: &str) -> Output {
    beeline_as("tests", "tests", url, sql).await
}

/// Apache BeeLine as a user with a password.
pub async fn beeline_as(user: &str, password: &str, url: &str, sql: &str) -> Output {
    let arguments = [
        "--silent=true",
        "-u",
        url,
        "-n",
        user,
        "-p",
        password,
        "-e",
        sql,
    ];
    beeline_with(&arguments).await
}

/// Apache BeeLine that tells what it does: its log, and that of each statement, on standard error.
pub async fn beeline_aloud(url: &str, statements: &[&str]) -> Output {
    let mut arguments = vec!["-u", url, "-n", "tests", "-p", "tests"];
    for statement in statements {
        arguments.extend(["-e", statement]);
    }
    beeline_with(&arguments).await
}

/// Apache BeeLine as the principal whose tickets are in a file, in the realm of a krb5.conf.
pub async fn beeline_with_ticket(url: &str, sql: &str, config: &Path, tickets: &Path) -> Output {
    let mut java = Command::new("java");
    let config = format!("-Djava.security.krb5.conf={}", config.display());
    java.args([&config, "-Djavax.security.auth.useSubjectCredsOnly=false"])
        .env("KRB5CCNAME", tickets);
    // Among Spark's jars are those that Hive's driver needs for Kerberos alone.
    let jars = setting("HS2_TEST_SPARK_JARS");
    beeline_on(java, &jars, &["--silent=true", "-u", url, "-e", sql]).await
}

async fn beeline_with(arguments: &[&str]) -> Output {
    beeline_on(Command::new("java"), &setting("HS2_TEST_JARS"), arguments).await
}

async fn beeline_on(mut command: Command, jars: &str, arguments: &[&str]) -> Output {
    let jars = Path::new(jars).join("*");
    command
        .args([
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
        ])
        .arg(jars)
        .args(["org.apache.hive.beeline.BeeLine", "--outputformat=tsv2"])
        .args(arguments);
    let mut output = run(&mut command, CLIENT_DEADLINE).await;
    output.stdout = output
        .stdout
        .lines()
        .map(|line| without_prompt(line).to_owned() + "\n")
        .collect();
    output
}

/// Apache BeeLine as somebody at a terminal sees it: what it wrote there, with its control sequences. The terminal is that
/// of `script`, from util-linux.
pub async fn beeline_on_a_terminal(url: &str, sql: &str) -> Output {
    let jars = Path::new(&setting("HS2_TEST_JARS")).join("*");
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let line = [
        "java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp",
        &quoted(&jars.to_string_lossy()),
        "org.apache.hive.beeline.BeeLine -n tests -p tests -u",
        &quoted(url),
        "-e",
        &quoted(sql),
    ]
    .join(" ");
    let mut command = Command::new("script");
    command
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .env("TERM", "xterm");
    run(&mut command, CLIENT_DEADLINE).await
}

/// BeeLine prints its prompts, `0: jdbc:hive2://…> ` and `. . . .> `, before the header line, even when it is told to be
/// silent.
fn without_prompt(mut line: &str) -> &str {
    while line.starts_with("0: jdbc:hive2:") || line.starts_with(". . . .") {
        let Some((_, rest)) = line.split_once("> ") else {
            break;
        };
        line = rest;
    }
    line
}

/// Hive's JDBC driver, in one JVM: for each case, an object with url, user, password and sql, its rows as
/// `[["1"]]`, or the error's SQLSTATE and messages.
pub async fn jdbc_connections(cases: &Value) -> Vec<Result<String, String>> {
    told(python("jdbc_connections.py", &[&cases.to_string()]).await)
}

/// impyla or PyHive, in one process: for each case, as `connections.py` describes them, its rows or the error.
pub async fn python_connections(client: &str, cases: &Value) -> Vec<Result<String, String>> {
    told(python("connections.py", &[client, &cases.to_string()]).await)
}

fn told(output: Output) -> Vec<Result<String, String>> {
    let answer = json(&output.success());
    let cases = answer.as_array().expect("an array");
    cases
        .iter()
        .map(|case| match case["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(case["rows"].to_string()),
        })
        .collect()
}

/// A znode as kazoo lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedZnode {
    /// Its name in the namespace.
    pub name: String,
    /// Its data.
    pub data: String,
    /// Whether it belongs to a session.
    pub ephemeral: bool,
}

/// Lists a namespace with kazoo, sorted by name.
pub async fn kazoo_list(connect_string: &str, namespace: &str) -> Vec<ListedZnode> {
    let answer = json(
        &python("kazoo_list.py", &[connect_string, namespace])
            .await
            .success(),
    );
    let text = |entry: &Value, key: &str| entry[key].as_str().expect("a string").to_owned();
    let entries = answer.as_array().expect("an array");
    entries
        .iter()
        .map(|entry| ListedZnode {
            name: text(entry, "name"),
            data: text(entry, "data"),
            ephemeral: entry["ephemeral_owner"] != "0x0",
        })
        .collect()
}

/// A SELECT of the mixed rows: int, bigint, double, decimal, string with unicode, boolean, date, timestamp and
/// an always NULL string; each of the middle seven is NULL in one row of eleven. `numbers` is a relation
/// with a column `id` that counts from 0. `mixed_rows.py` has the same formula in Python.
#[must_use]
pub fn mixed_rows_select(numbers: &str) -> String {
    let two_digits = |number: &str| format!("lpad(cast({number} as string), 2, '0')");
    let date = format!(
        "concat('20', {}, '-', {}, '-', {})",
        two_digits("id % 100"),
        two_digits("id % 12 + 1"),
        two_digits("id % 28 + 1")
    );
    let timestamp = format!(
        "concat({date}, ' ', {}, ':', {}, ':', {}, '.', lpad(cast(id * 10 % 1000000 as string), 6, '0'))",
        two_digits("id % 24"),
        two_digits("id % 60"),
        two_digits("59 - id % 60")
    );
    let columns = [
        (
            "big",
            "cast(id as bigint) * 1000003 - 50000000000".to_owned(),
        ),
        ("dbl", "cast(id as double) / 8".to_owned()),
        (
            "dcm",
            "cast(cast(id as double) / 8 as decimal(18,4))".to_owned(),
        ),
        (
            "txt",
            r"concat('řádek ', cast(id as string), ' 行 🐎 it\'s')".to_owned(),
        ),
        ("flag", "id % 2 = 0".to_owned()),
        ("day", format!("cast({date} as date)")),
        ("moment", format!("cast({timestamp} as timestamp)")),
    ];
    let columns: String = columns
        .iter()
        .zip(1..)
        .map(|((name, value), number)| {
            format!("case when id % 11 = {number} then null else {value} end as {name}, ")
        })
        .collect();
    format!("select cast(id as int) as id, {columns}cast(null as string) as nothing from {numbers}")
}

/// Fetches `count` mixed rows, ordered by `id`, with impyla, and compares every value.
pub async fn impyla_fetches_mixed_rows(server: SocketAddr, auth: Auth, count: usize, sql: &str) {
    fetch_mixed_rows("impyla_types.py", server, auth, count, sql).await;
}

/// Fetches `count` mixed rows, ordered by `id`, with PyHive, and compares every value.
pub async fn pyhive_fetches_mixed_rows(server: SocketAddr, auth: Auth, count: usize, sql: &str) {
    fetch_mixed_rows("pyhive_types.py", server, auth, count, sql).await;
}

async fn fetch_mixed_rows(script: &str, server: SocketAddr, auth: Auth, count: usize, sql: &str) {
    let (host, port, count) = (
        server.ip().to_string(),
        server.port().to_string(),
        count.to_string(),
    );
    let _ = python(script, &[&host, &port, auth.as_str(), &count, sql])
        .await
        .success();
}

/// The first row, as a JSON array, that impyla gets of a query that never ends.
pub async fn impyla_first_row(server: SocketAddr, auth: Auth, sql: &str) -> String {
    let (host, port) = (server.ip().to_string(), server.port().to_string());
    let output = python("impyla_first_row.py", &[&host, &port, auth.as_str(), sql]).await;
    output.success().stdout.trim().to_owned()
}

/// An impyla session that stays open and answers one query after the other.
#[derive(Debug)]
pub struct HeldSession {
    child: Child,
    queries: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl HeldSession {
    /// Opens the session.
    pub async fn open(server: SocketAddr, auth: Auth) -> Self {
        let (host, port) = (server.ip().to_string(), server.port().to_string());
        let mut child = script("impyla_hold.py", &[&host, &port, auth.as_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python starts");
        let queries = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("a piped stream")).lines();
        let mut session = Self {
            child,
            queries,
            answers,
        };
        assert_eq!(
            session.answer().await["open"],
            true,
            "impyla did not open a session"
        );
        session
    }

    /// Runs one statement, on one line; its rows as a JSON array of arrays.
    ///
    /// # Errors
    /// What impyla raised, as text.
    pub async fn query(&mut self, sql: &str) -> Result<String, String> {
        let queries = self.queries.as_mut().expect("an open session");
        queries
            .write_all(format!("{sql}\n").as_bytes())
            .await
            .expect("impyla_hold.py reads its input");
        let answer = self.answer().await;
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["rows"].to_string()),
        }
    }

    /// Closes the session.
    pub async fn close(mut self) {
        drop(self.queries.take());
        let status = tokio::time::timeout(CLIENT_DEADLINE, self.child.wait()).await;
        let status = status
            .expect("impyla closes in time")
            .expect("an exit status");
        assert!(status.success(), "impyla_hold.py ended with {status}");
    }

    async fn answer(&mut self) -> Value {
        let line = tokio::time::timeout(CLIENT_DEADLINE, self.answers.next_line()).await;
        let line = line
            .expect("impyla answers in time")
            .expect("a line of text");
        let line = line.expect("impyla_hold.py goes on until its input ends");
        serde_json::from_str(&line).expect("JSON")
    }
}

/// What happens at a pseudo terminal.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// Waits until the program has printed this, after what was expected before.
    Expect(&'a str),
    /// Types this.
    Send(&'a str),
}

/// Runs a program at a terminal of so many columns, and returns what it has printed there, as standard output.
pub async fn at_a_terminal(columns: u16, steps: &[Step<'_>], program: &[&str]) -> Output {
    let steps: Vec<_> = steps
        .iter()
        .map(|step| match step {
            Step::Expect(text) => serde_json::json!(["expect", text]),
            Step::Send(text) => serde_json::json!(["send", text]),
        })
        .collect();
    let (columns, steps) = (columns.to_string(), Value::from(steps).to_string());
    let home = tempfile::tempdir().expect("a temporary folder");
    let arguments = [&[columns.as_str(), &steps], program].concat();
    let mut command = script("pty_session.py", &arguments);
    command.env("HOME", home.path());
    run(&mut command, CLIENT_DEADLINE).await
}

/// Runs a script of `tests/peers` to its end.
pub async fn python(name: &str, arguments: &[&str]) -> Output {
    run(&mut script(name, arguments), CLIENT_DEADLINE).await
}

fn script(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(setting("HS2_TEST_PYTHON"));
    command
        .arg(scripts().join(name))
        .args(arguments)
        .env("HS2_TEST_JARS", setting("HS2_TEST_JARS"))
        .env("PYTHONIOENCODING", "utf-8")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("not JSON ({error})\n{output}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zookeeper::{SharedZooKeeper, unique_name};

    #[tokio::test]
    async fn kazoo_lists_what_kazoo_made() {
        let zookeeper = SharedZooKeeper::get().await;
        assert_eq!(
            kazoo_list(zookeeper.connect_string(), "zookeeper")
                .await
                .len(),
            2
        );
        let missing = unique_name("missing");
        let output = python("kazoo_list.py", &[zookeeper.connect_string(), &missing])
            .await
            .exit(1);
        assert!(output.stderr.contains("NoNodeError"), "{output}");
    }
}
