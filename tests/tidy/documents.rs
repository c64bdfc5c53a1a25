use std::path::Path;

use crate::repository::{assert_none, files, packages, read, root};

#[test]
fn every_library_crate_has_a_readme_and_an_example() {
    let mut missing = Vec::new();
    for package in packages() {
        // Not published: the tests and the benches.
        if package["publish"].is_array() {
            continue;
        }
        let folder = Path::new(package["manifest_path"].as_str().unwrap())
            .parent()
            .unwrap();
        let name = package["name"].as_str().unwrap();
        let readme = std::fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        if readme.lines().count() < 5 {
            missing.push(format!("{name}: no README.md worth the name"));
        }
        let targets = package["targets"].as_array().unwrap();
        let has = |kind: &str| targets.iter().any(|target| target["kind"][0] == kind);
        // A program is its own example.
        if !has("example") && !has("bin") {
            missing.push(format!("{name}: no example"));
        }
    }
    assert_none("a library crate stands alone", &missing);
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for file in files("", "md") {
        let folder = root().join(file.parent().unwrap());
        for (number, line) in (1..).zip(read(&file).lines()) {
            for target in links(line) {
                if !folder.join(target).exists() {
                    broken.push(format!("{}:{number}: {target}", file.display()));
                }
            }
        }
    }
    assert_none("a link of a document leads to no file", &broken);
}

/// The targets of a line's links that are files of this checkout, without the place in the file.
fn links(line: &str) -> Vec<&str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| {
            let target = rest.split([')', ' ']).next()?;
            let file = target.split('#').next()?;
            (!file.is_empty() && !file.contains("://") && !file.starts_with("mailto:"))
                .then_some(file)
        })
        .collect()
}

#[test]
fn links_are_found() {
    let line = "[a](x/y.md#z), ![b](https://h/c) and [c](#here) or [d](../d \"title\")";
    assert_eq!(links(line), ["x/y.md", "../d"]);
}
