//! Bounds of the result folder, and a full disk.

use hs2_proto::tcli::{OperationHandle, Status};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::raw::Raw;
use super::{Fixture, until};

/// About 24 MB of result.
const LARGE: &str = "rows 1000000";

/// Fetches until the result's error.
async fn error_of(raw: &mut Raw, operation: OperationHandle) -> Status {
    loop {
        let answer = raw.fetch(operation, 10_000).await;
        match answer.results {
            Some(rows) => assert!(rows.rows > 0, "a result that failed never just ends"),
            None => return answer.status,
        }
    }
}

/// Makes sure that a result has so many rows.
async fn has_rows(raw: &mut Raw, operation: OperationHandle, rows: usize) {
    let mut fetched = 0;
    loop {
        let answer = raw.fetch(operation, 10_000).await;
        match answer.results.expect("rows").rows {
            0 => break,
            more => fetched += more,
        }
    }
    assert_eq!(fetched, rows);
}

#[tokio::test]
async fn the_query_that_fills_the_room_fails_and_no_other() {
    let fixture = Fixture::with("hs2.node.results.size.max = 8mb").await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let first = raw.query(session, "rows 1000").await;
    let large = raw.query(session, LARGE).await;
    let error = error_of(&mut raw, large).await;
    assert_eq!(error.sql_state.as_deref(), Some("53100"));
    let text = error.error_message.unwrap();
    assert!(
        text.contains("8388608 are allowed (hs2.node.results.size.max)"),
        "{text}"
    );
    until("its file is gone", || fixture.result_files().len() == 1).await;
    // Its handle is still open, and takes no room.
    let second = raw.query(session, "rows 100000").await;
    has_rows(&mut raw, first, 1000).await;
    has_rows(&mut raw, second, 100_000).await;
}

#[tokio::test]
async fn a_result_has_a_bound_of_its_own() {
    let fixture = Fixture::with("hs2.node.result.size.max = 1mb").await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let large = raw.query(session, LARGE).await;
    let error = error_of(&mut raw, large).await;
    assert_eq!(error.sql_state.as_deref(), Some("53400"));
    raw.query(session, "rows 10000").await;
}

/// A file system of its own, taken away at the end.
struct Mounted(PathBuf);

impl Mounted {
    /// `None` where this user may not mount.
    fn tmpfs(at: &Path, size: &str) -> Option<Self> {
        let size = format!("size={size}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .output();
        mount
            .is_ok_and(|done| done.status.success())
            .then(|| Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_fails_one_query_and_the_node_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let Some(_mounted) = Mounted::tmpfs(&path, "16m") else {
        eprintln!(
            "skipped: mounting a small file system is not allowed here; the bounds above stand for it"
        );
        return;
    };
    let fixture = Fixture::on(folder, "").await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let first = raw.query(session, "rows 1000").await;
    let large = raw.query(session, LARGE).await;
    let error = error_of(&mut raw, large).await;
    assert_eq!(error.sql_state.as_deref(), Some("53100"));
    assert!(error.error_message.unwrap().contains("is full"));
    has_rows(&mut raw, first, 1000).await;
    let second = raw.query(session, "rows 1000").await;
    has_rows(&mut raw, second, 1000).await;

    // Filled to the last byte by somebody else: no query has room, and each says so.
    let filler = path.join("filler");
    let written = std::fs::write(&filler, vec![1; 32 << 20]);
    assert!(written.is_err(), "the disk is small");
    let operation = raw.start(session, "rows 100000").await;
    let refused = raw.settled(operation).await;
    let sql_state = match refused.sql_state {
        Some(sql_state) => sql_state,
        None => error_of(&mut raw, operation).await.sql_state.unwrap(),
    };
    assert_eq!(sql_state, "53100");
    std::fs::remove_file(&filler).unwrap();
    let third = raw.query(session, "rows 1000").await;
    has_rows(&mut raw, third, 1000).await;
}
