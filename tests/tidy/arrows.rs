use serde_json::Value;

use crate::repository::{assert_none, packages};

/// What each library crate may build on among our own crates and the heavy ones of others; tests, examples and
/// benches may use anything.
const ALLOWED: [(&str, &[&str]); 7] = [
    ("zk-proto", &[]),
    ("zk-client", &["zk-proto", "tokio", "tokio-rustls"]),
    ("zk-server", &["zk-proto", "tokio"]),
    ("discovery", &["zk-client", "tokio"]),
    (
        "hs2-proto",
        &["arrow-array", "arrow-buffer", "arrow-schema"],
    ),
    (
        "hs2-client",
        &[
            "discovery",
            "hs2-proto",
            "arrow-array",
            "arrow-schema",
            "tokio",
            "tokio-rustls",
        ],
    ),
    (
        "hs2-node",
        &[
            "zk-client",
            "zk-server",
            "discovery",
            "hs2-proto",
            "hs2-client",
            "arrow-array",
            "arrow-schema",
            "datafusion",
            "datafusion-spark",
            "tokio",
            "tokio-rustls",
        ],
    ),
];

/// Of others' crates, those that decide what a crate is.
const HEAVY: [&str; 3] = ["tokio", "arrow", "datafusion"];

#[test]
fn arrows_point_down() {
    let packages = packages();
    let mut violations = Vec::new();
    for (name, allowed) in ALLOWED {
        let package = packages.iter().find(|package| package["name"] == name);
        let package = package.unwrap_or_else(|| panic!("no crate {name} in the workspace"));
        for dependency in dependencies(package, &Value::Null) {
            if is_watched(&dependency) && !allowed.contains(&dependency.as_str()) {
                violations.push(format!("{name} must not depend on {dependency}"));
            }
        }
    }
    assert_none("arrows between crates point down only", &violations);
}

/// A server that shares code with the client proves nothing about it, not even in tests.
#[test]
fn the_embedded_server_is_tested_without_our_client() {
    let packages = packages();
    let server = packages
        .iter()
        .find(|package| package["name"] == "zk-server");
    let tests_use = dependencies(server.unwrap(), &Value::from("dev"));
    assert!(
        !tests_use.contains(&"zk-client".to_owned()),
        "{tests_use:?}"
    );
}

#[test]
fn every_package_takes_the_lints_of_the_workspace() {
    let members = packages();
    let missing: Vec<String> = members
        .iter()
        .filter(|package| package["name"] != "fuzz" && package["name"] != "hs2-discovery-fuzz")
        .filter_map(|package| {
            let manifest = package["manifest_path"].as_str().unwrap();
            let text = std::fs::read_to_string(manifest).unwrap();
            (!text.contains("[lints]\nworkspace = true")).then(|| manifest.to_owned())
        })
        .collect();
    assert_none("a manifest without `[lints] workspace = true`", &missing);
}

/// The names of a package's dependencies of one kind; null is the ordinary kind.
fn dependencies(package: &Value, kind: &Value) -> Vec<String> {
    let all = package["dependencies"].as_array().unwrap();
    let of_kind = all.iter().filter(|dependency| dependency["kind"] == *kind);
    of_kind
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
        .collect()
}

fn is_watched(dependency: &str) -> bool {
    let ours = ALLOWED.iter().any(|(name, _)| *name == dependency);
    ours || HEAVY.iter().any(|heavy| dependency.starts_with(heavy))
}
