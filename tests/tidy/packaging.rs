use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::repository::{assert_none, packages, read, root};

/// What issue and README promise: a client that brings few others.
const CRATES_MAX: usize = 40;

#[test]
fn documents_and_manifests_name_the_same_rust() {
    let mut wrong = Vec::new();
    let packages = packages();
    let client = packages
        .iter()
        .find(|package| package["name"] == "zk-client");
    let version = client.unwrap()["rust_version"].as_str().unwrap();
    for package in packages
        .iter()
        .filter(|package| !package["publish"].is_array())
    {
        if package["rust_version"] != version {
            wrong.push(format!("{}: {}", package["name"], package["rust_version"]));
        }
    }
    let expected = [
        ("README.md", format!("Rust {version} or newer")),
        ("zk-client/README.md", format!("It needs Rust {version},")),
        ("zk-client/README.md", format!("| needs | Rust {version} |")),
    ];
    for (file, words) in expected {
        if !read(Path::new(file)).contains(&words) {
            wrong.push(format!("{file}: no `{words}`"));
        }
    }
    assert_none(&format!("the oldest Rust is {version}"), &wrong);
}

#[test]
fn the_client_brings_as_few_crates_as_its_readme_says() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package=zk-client", "--edges=normal"])
        .args(["--prefix=none", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree: {error}");
    let text = String::from_utf8(output.stdout).unwrap();
    // What was shown before is marked.
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
    let crates: BTreeSet<&str> = lines.filter(|line| !line.is_empty()).collect();
    assert!(crates.len() <= CRATES_MAX, "{crates:#?}");
    let readme = read(Path::new("zk-client/README.md"));
    let expected = [
        format!("brings {} other crates without features", crates.len() - 1),
        format!(
            "| crates with default features, itself included | {} |",
            crates.len()
        ),
    ];
    for words in expected {
        assert!(readme.contains(&words), "no `{words}` in\n{crates:#?}");
    }
}
