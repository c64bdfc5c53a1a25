//! A real Spark Thrift Server: a HiveServer2 that nobody here wrote. It takes 12 to 30 seconds to start and half a
//! gigabyte, so a suite starts one for all that it asks.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::machine::free_address;
use crate::settings::setting;
use crate::wait;

/// How long it may take to start, on a machine that is busy with other tests.
const START_DEADLINE: Duration = Duration::from_secs(180);

/// What Java 17 keeps closed and Spark needs.
const OPENED: [&str; 13] = [
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "sun.nio.ch",
    "sun.nio.cs",
    "sun.security.action",
    "sun.util.calendar",
];

/// A running Spark Thrift Server, with SASL PLAIN that takes any password unless its settings say else. It is killed when
/// this value is dropped; the end of its log is shown if the test fails.
#[derive(Debug)]
pub struct SparkThriftServer {
    address: SocketAddr,
    folder: TempDir,
    _child: Child,
}

impl SparkThriftServer {
    /// Starts one with these settings of Spark; returns when it listens.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_in("", settings).await
    }

    /// Starts one with a system property of Java, as in `-Dname=value`.
    pub async fn start_in(property: &str, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = free_address();
        let mut child = command(folder.path(), address, settings)
            .env("JAVA_TOOL_OPTIONS", property)
            .spawn()
            .expect("Java starts");
        let listens = wait::some(START_DEADLINE, async || {
            let ended = child.try_wait().expect("Spark's state").is_some();
            (ended || TcpStream::connect(address).await.is_ok()).then_some(!ended)
        });
        let listens = listens.await;
        let server = Self {
            address,
            folder,
            _child: child,
        };
        assert_eq!(listens, Some(true), "the Spark Thrift Server did not start");
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SparkThriftServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("--- the end of the Spark Thrift Server's log");
            for line in lines.iter().skip(lines.len().saturating_sub(40)) {
                eprintln!("{line}");
            }
        }
    }
}

fn command(folder: &Path, address: SocketAddr, settings: &[(&str, &str)]) -> Command {
    const LOGGING: &str = "rootLogger.level = warn\n\
        rootLogger.appenderRef.stdout.ref = console\n\
        appender.console.type = Console\n\
        appender.console.name = console\n\
        appender.console.target = SYSTEM_ERR\n\
        appender.console.layout.type = PatternLayout\n\
        appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n\n";
    std::fs::write(folder.join("log4j2.properties"), LOGGING).expect("Spark's log settings");
    let log = File::create(folder.join("log")).expect("Spark's log");
    let shown = folder.display();
    let mut command = Command::new("java");
    command
        .args([
            "-Xmx1g",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djdk.reflect.useDirectMethodHandle=false",
        ])
        .args(OPENED.map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED")))
        .arg(format!("-Dderby.system.home={shown}"))
        .arg(format!("-Djava.io.tmpdir={shown}"))
        .arg("-cp")
        .arg(format!("{shown}:{}/*", setting("HS2_TEST_SPARK_JARS")))
        .args([
            "org.apache.spark.deploy.SparkSubmit",
            "--master",
            "local[2]",
        ])
        .args([
            "--class",
            "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2",
        ]);
    let warehouse = format!("{shown}/warehouse");
    let local = folder.to_str().expect("a path in UTF-8");
    let all = [
        ("spark.ui.enabled", "false"),
        ("spark.driver.bindAddress", "127.0.0.1"),
        ("spark.driver.host", "127.0.0.1"),
        ("spark.local.dir", local),
        ("spark.sql.warehouse.dir", &warehouse),
        (
            "spark.hadoop.javax.jdo.option.ConnectionURL",
            "jdbc:derby:memory:metastore;create=true",
        ),
        ("spark.sql.shuffle.partitions", "2"),
    ];
    for (name, value) in all.iter().chain(settings) {
        command.args(["--conf", &format!("{name}={value}")]);
    }
    command
        .arg("spark-internal")
        .args(["--hiveconf", "hive.server2.thrift.bind.host=127.0.0.1"])
        .arg("--hiveconf")
        .arg(format!("hive.server2.thrift.port={}", address.port()))
        .env("SPARK_LOCAL_IP", "127.0.0.1")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    command
}
