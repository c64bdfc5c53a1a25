use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The root of this checkout.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap().to_owned()
}

/// Every file below `folder` with this extension, in order, as a path from the root. Hidden folders and folders of
/// build results are left out.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join(folder), extension, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type().unwrap().is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, extension, found);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    }
}

/// The text of a file of this checkout.
pub(crate) fn read(file: &Path) -> String {
    let text = std::fs::read_to_string(root().join(file));
    text.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// What cargo knows of the packages: those of the workspace, and the fuzz targets, a workspace of their own.
pub(crate) fn packages() -> Vec<Value> {
    let manifests = ["Cargo.toml", "fuzz/Cargo.toml"].map(|manifest| root().join(manifest));
    let present = manifests.iter().filter(|manifest| manifest.is_file());
    present
        .flat_map(|manifest| {
            let output = Command::new(env!("CARGO"))
                .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
                .arg("--manifest-path")
                .arg(manifest)
                .output()
                .unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "cargo metadata: {error}");
            let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
            metadata["packages"].as_array().unwrap().clone()
        })
        .collect()
}

/// The lines of a Rust file that are code for users: with their numbers, without comments, and without the tests at
/// the end of the file.
pub(crate) fn code(text: &str) -> Vec<(usize, &str)> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let lines = (1..).zip(text.lines());
    lines
        .map(|(number, line)| (number, line.split("//").next().unwrap_or(line)))
        .filter(|(_, line)| !line.trim().is_empty())
        .collect()
}

/// Fails with the violations of a rule, one a line.
#[track_caller]
pub(crate) fn assert_none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n{}", violations.join("\n"));
}

#[test]
fn comments_and_tests_are_not_code() {
    let text = "//! tokio\nuse a; // tokio\n\n#[cfg(test)]\nmod tests {\n    use tokio;\n}\n";
    assert_eq!(code(text), [(2, "use a; ")]);
}
