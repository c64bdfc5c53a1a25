use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tests::node::Node;
use tests::wait;

use crate::fixture::{SOON, assert_serves, check_numbered, numbered_rows, rows, session};

const ROWS: u64 = 500_000;

#[tokio::test]
async fn a_flipped_byte_is_an_error_of_that_result_and_of_nothing_else() {
    damaged_result(|file, page| flip_byte(file, page.offset + page.bytes / 2)).await;
}

#[tokio::test]
async fn a_truncated_page_is_an_error_of_that_result_and_of_nothing_else() {
    damaged_result(|file, page| {
        let file = OpenOptions::new().write(true).open(file).unwrap();
        file.set_len(page.offset + page.bytes / 2).unwrap();
    })
    .await;
}

/// Damages the page in the middle of a result that is being read.
async fn damaged_result(damage: impl FnOnce(&Path, &Page)) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().to_str().unwrap();
    let node = Node::options().set("hive.exec.scratchdir", folder);
    let node = node.start().await;
    let victim = session(node.address()).await;
    let bystander = session(node.address()).await;

    let mut result = victim.query(numbered_rows(ROWS as i64)).await.unwrap();
    let mut next = check_numbered(&result.next().await.unwrap().unwrap(), 0);
    let file = only_result(scratch.path());
    let mut pages = Vec::new();
    wait::until("the whole result is on disk", SOON, async || {
        pages = pages_of(&file);
        pages.iter().map(|page| page.rows).sum::<u64>() == ROWS
    })
    .await;
    assert!(pages.len() > 4, "{pages:?}");
    let page = &pages[pages.len() / 2];
    damage(&file, page);

    let error = loop {
        match result.next().await {
            Ok(Some(batch)) => next = check_numbered(&batch, next),
            Ok(None) => panic!("the result ended at row {next} as if nothing had happened"),
            Err(error) => break error,
        }
    };
    // Every row before the page, and none of it.
    assert_eq!(next.cast_unsigned(), page.first_row, "{page:?}");
    assert_eq!(error.sql_state(), Some("58030"), "{error}");
    let said = format!("page at byte {} ", page.offset);
    assert!(error.to_string().contains(&said), "no {said:?} in {error}");
    // It stays an error, and the session goes on.
    let again = result.next().await;
    assert!(!matches!(again, Ok(Some(_))), "{again:?}");
    assert_eq!(rows(&victim, "SELECT 1").await, 1);
    assert_eq!(rows(&bystander, &numbered_rows(100_000)).await, 100_000);
    assert_serves(node.address()).await;
}

/// The one result file below a scratch folder.
fn only_result(scratch: &Path) -> PathBuf {
    let mut files = result_files(scratch);
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// The result files below a scratch folder.
pub(crate) fn result_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(result_files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "spool")
        {
            found.push(path);
        }
    }
    found
}

#[derive(Debug)]
struct Page {
    offset: u64,
    bytes: u64,
    first_row: u64,
    rows: u64,
}

/// The pages of a result file so far: each begins with `HS2P`, and says how long it is.
fn pages_of(file: &Path) -> Vec<Page> {
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(file).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    let mut pages = Vec::new();
    let mut offset = 0;
    while let Some(header) = bytes.get(offset..offset + 32) {
        assert_eq!(&header[..4], b"HS2P", "at {offset}");
        let number =
            |at: usize| u64::from(u32::from_le_bytes(header[at..at + 4].try_into().unwrap()));
        let page = Page {
            offset: offset as u64,
            bytes: 32 + number(12),
            first_row: u64::from_le_bytes(header[16..24].try_into().unwrap()),
            rows: number(24),
        };
        if offset as u64 + page.bytes > bytes.len() as u64 {
            break;
        }
        offset += page.bytes as usize;
        pages.push(page);
    }
    pages
}

fn flip_byte(file: &Path, at: u64) {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 0x10]).unwrap();
}
