use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::repository::{assert_none, files, packages, read, root};

const LINES_MAX: usize = 1500;

#[test]
fn every_rust_file_is_used() {
    let mut used = BTreeSet::new();
    for package in packages() {
        for target in package["targets"].as_array().unwrap() {
            let path = Path::new(target["src_path"].as_str().unwrap());
            let file = path.strip_prefix(root()).unwrap();
            let folder = file.parent().unwrap();
            follow(file, folder, &mut used);
        }
    }
    let dead: Vec<String> = files("", "rs")
        .iter()
        .filter(|file| !used.contains(*file))
        .map(|file| file.display().to_string())
        .collect();
    assert_none("no target and no `mod` leads to this file", &dead);
}

#[test]
fn no_file_is_endless() {
    let mut long = Vec::new();
    for file in files("", "rs") {
        let lines = read(&file).lines().count();
        if lines > LINES_MAX {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert_none(
        &format!("a file has at most {LINES_MAX} lines: one subject each"),
        &long,
    );
}

#[test]
fn nothing_is_left_to_do() {
    // In two parts, so that this file does not hold them.
    let marks = [
        concat!("to", "do!("),
        concat!("unim", "plemented!("),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("db", "g!("),
    ];
    let extensions = ["rs", "md", "toml", "py", "sh"];
    let mut found = Vec::new();
    for file in extensions.iter().flat_map(|extension| files("", extension)) {
        for (number, line) in (1..).zip(read(&file).lines()) {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                found.push(format!("{}:{number}: {mark}", file.display()));
            }
        }
    }
    assert_none("what is begun is finished before it lands", &found);
}

/// Marks a file and every file that its `mod` lines lead to. `folder` is where its modules are.
fn follow(file: &Path, folder: &Path, used: &mut BTreeSet<PathBuf>) {
    if !used.insert(file.to_owned()) {
        return;
    }
    for module in modules(&read(file)) {
        let candidates = match &module {
            Module::Named(name) => vec![
                folder.join(format!("{name}.rs")),
                folder.join(name).join("mod.rs"),
            ],
            Module::At(path) => vec![file.parent().unwrap().join(path)],
        };
        let present = candidates.iter().find(|path| root().join(path).is_file());
        let Some(next) = present else {
            // An inline module, or one that the compiler will miss louder.
            continue;
        };
        let inner = match next.file_stem().unwrap().to_str().unwrap() {
            "mod" => next.parent().unwrap().to_owned(),
            stem => next.parent().unwrap().join(stem),
        };
        follow(next, &inner, used);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Module {
    /// `mod name;`
    Named(String),
    /// The same below `#[path = "…"]`.
    At(String),
}

/// The modules that a file declares in other files.
fn modules(text: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let mut path = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("#[path = \"") {
            path = rest.split('"').next().map(str::to_owned);
            continue;
        }
        // `pub mod`, `pub(crate) mod`.
        let declared = line.strip_suffix(';').and_then(|line| {
            let (before, name) = line.rsplit_once("mod ")?;
            let before = before.trim_end();
            let is_item = before.is_empty() || (before.starts_with("pub") && !before.contains(' '));
            is_item.then(|| name.to_owned())
        });
        if let Some(name) = declared {
            found.push(path.take().map_or(Module::Named(name), Module::At));
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            path = None;
        }
    }
    found
}

#[test]
fn declared_modules_are_found() {
    let text = "mod a;\npub(crate) mod b;\n#[cfg(x)]\npub mod c;\nmod inline {\n}\n// mod no;\n#[path = \"x/d.rs\"]\nmod d;\n";
    let named = |name: &str| Module::Named(name.to_owned());
    let expected = [
        named("a"),
        named("b"),
        named("c"),
        Module::At("x/d.rs".to_owned()),
    ];
    assert_eq!(modules(text), expected);
}
