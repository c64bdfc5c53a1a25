//! Where the peers are: what `tests/prepare` prepared and wrote down.

use std::path::{Path, PathBuf};

/// The value of a setting: from the environment, else from the file that `tests/prepare` left under `target/`,
/// so that a single test can be run by hand afterwards.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name)
        .ok()
        .or_else(|| written_by_run(name))
        .unwrap_or_else(|| panic!("{name} is not known: run ./tests/prepare, which prepares the real peers and says where they are"))
}

/// `tests/peers` of this checkout.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Folders that may be the target folder: the one this program was built into, and the checkout's own.
pub(crate) fn target_folders() -> Vec<PathBuf> {
    let program = std::env::current_exe().expect("a program knows its own path");
    let mut folders: Vec<PathBuf> = program.ancestors().skip(1).map(Path::to_owned).collect();
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"));
    folders
}

fn written_by_run(name: &str) -> Option<String> {
    let text = target_folders()
        .iter()
        .find_map(|folder| std::fs::read_to_string(folder.join("test-peers/settings")).ok())?;
    text.lines().find_map(|line| {
        line.strip_prefix(name)?
            .strip_prefix('=')
            .map(str::to_owned)
    })
}
