use std::path::Path;

use crate::repository::{assert_none, code, files, read};

/// A protocol core gets bytes and the time as arguments, and draws from a seed.
const SANS_IO: [&str; 9] = [
    "tokio",
    "Instant::now",
    "SystemTime::now",
    "std::thread",
    "env::var",
    "env::args",
    "std::fs",
    "TcpStream",
    "Rng::new()",
];

#[test]
fn cores_have_neither_sockets_nor_clocks() {
    let folders = [
        "zk-proto/src",
        "hs2-proto/src",
        "zk-client/src/session",
        "zk-server/src/core",
    ];
    for folder in folders {
        let found = occurrences(folder, |line| {
            SANS_IO.into_iter().find(|word| line.contains(word))
        });
        assert_none(&format!("{folder} is sans-io"), &found);
    }
}

/// Engines know Arrow and SQL; the two worlds meet in the operation.
#[test]
fn engines_do_not_know_thrift() {
    let found = occurrences("hs2-node/src/engine", |line| {
        ["hs2_proto", "hs2_client", "crate::spool", "discovery::"]
            .into_iter()
            .find(|word| line.contains(word))
    });
    assert_none("an engine knows neither the wire nor the spool", &found);
}

/// The spool holds columns of the wire, and knows no call.
#[test]
fn the_spool_knows_row_sets_only() {
    let found = occurrences("hs2-node/src/spool", |line| {
        let mut uses = line.split("hs2_proto").skip(1);
        let other = uses.any(|rest| !rest.starts_with("::rowset"));
        other.then_some("of hs2_proto something else than rowset")
    });
    assert_none("the spool uses hs2_proto::rowset and no more of it", &found);
}

/// Where code for users below `folder` has something that it must not have.
fn occurrences(folder: &str, has: impl Fn(&str) -> Option<&'static str>) -> Vec<String> {
    let files = files(folder, "rs");
    assert!(!files.is_empty(), "{folder} is empty: has it moved?");
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !is_test(file)) {
        let text = read(file);
        for (number, line) in code(&text) {
            if let Some(what) = has(line) {
                found.push(format!("{}:{number}: {what}", file.display()));
            }
        }
    }
    found
}

/// A file of tests beside the code.
fn is_test(file: &Path) -> bool {
    file.iter()
        .any(|part| part == "tests.rs" || part == "tests")
}
