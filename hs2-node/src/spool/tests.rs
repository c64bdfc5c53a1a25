//! Writing and reading as an operation does both, on a real folder.

use super::builder::tests::{numbers_and_words, words_of};
use super::room::Room;
use super::*;
use hs2_proto::rowset::{ColumnKind, WireBatch, WireColumn};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

const KINDS: [ColumnKind; 2] = [ColumnKind::I32, ColumnKind::String];

struct Folder {
    root: tempfile::TempDir,
    dir: SpoolDir,
}

fn folder() -> Folder {
    let root = tempfile::tempdir().unwrap();
    let dir = SpoolDir::open(root.path()).unwrap();
    Folder { root, dir }
}

impl Folder {
    fn create(&self, name: &str) -> (SpoolWriter, Spool) {
        self.dir.create(name, KINDS.to_vec()).unwrap()
    }
}

/// A batch of one STRING column whose values have these lengths.
fn texts(lengths: &[usize]) -> WireBatch {
    let mut column = WireColumn {
        kind: ColumnKind::String,
        values: vec![],
        offsets: vec![0],
        nulls: vec![],
    };
    for length in lengths {
        column
            .values
            .extend(u32::try_from(*length).unwrap().to_be_bytes());
        column.values.resize(column.values.len() + length, b'x');
        column
            .offsets
            .push(u32::try_from(column.values.len()).unwrap());
    }
    WireBatch {
        rows: lengths.len(),
        columns: vec![column],
    }
}

async fn all_words(reader: &mut SpoolReader, rows_max: usize) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(rows) = reader.next(rows_max).await.unwrap() {
        assert_eq!(rows.first_row(), words.len() as u64);
        assert!(!rows.is_empty() && rows.len() <= rows_max);
        words.extend(words_of(&rows.columns().unwrap()[1]));
        assert_eq!(reader.position(), words.len() as u64);
    }
    words
}

#[tokio::test]
async fn any_fetch_size_gives_every_row_once_and_rewinding_gives_them_again() {
    let folder = folder();
    let (mut writer, spool) = folder.create("q");
    for _ in 0..3 {
        writer.write(&numbers_and_words(1000)).unwrap();
    }
    writer.finish().unwrap();
    let expected: Vec<String> = (0..3000)
        .map(|row| row % 1000)
        .map(|n| {
            if n % 5 == 0 {
                String::new()
            } else {
                format!("w{n}")
            }
        })
        .collect();
    let mut reader = spool.reader().unwrap();
    for rows_max in [1, 7, 999, 1000, 100_000, usize::MAX] {
        assert_eq!(all_words(&mut reader, rows_max).await, expected);
        assert!(
            reader.next(1).await.unwrap().is_none(),
            "the end stays the end"
        );
        reader.rewind();
    }
    // Nor does it matter when the page is let go.
    let mut words = Vec::new();
    while let Some(rows) = reader.next(70).await.unwrap() {
        words.extend(words_of(&rows.columns().unwrap()[1]));
        reader.release();
        assert_eq!(reader.position(), words.len() as u64);
    }
    assert_eq!(words, expected);
    assert_eq!(spool.written().0, 3000);
}

#[tokio::test]
async fn the_first_batch_is_there_at_once_and_later_ones_when_they_are_flushed() {
    let folder = folder();
    let (mut writer, spool) = folder.create("q");
    let mut reader = spool.reader().unwrap();
    let long = Duration::from_secs(20);
    assert!(
        timeout(Duration::from_millis(20), reader.next(10))
            .await
            .is_err(),
        "nothing is there yet"
    );

    writer.write(&numbers_and_words(10)).unwrap();
    timeout(long, spool.ready()).await.unwrap();
    let rows = timeout(long, reader.next(100))
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!((rows.len(), rows.more()), (10, true), "more may follow");

    writer.write(&numbers_and_words(20)).unwrap();
    assert!(writer.has_pending_rows());
    assert!(
        timeout(Duration::from_millis(20), reader.next(10))
            .await
            .is_err(),
        "gathered, not written"
    );
    writer.flush().unwrap();
    let rows = timeout(long, reader.next(100))
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!((rows.first_row(), rows.len()), (10, 20));

    let waiting = tokio::spawn(async move { reader.next(1).await.map(|rows| rows.is_none()) });
    writer.finish().unwrap();
    assert!(
        timeout(long, waiting).await.unwrap().unwrap().unwrap(),
        "the end wakes who waits"
    );
}

#[tokio::test]
async fn more_is_false_with_the_last_row_and_only_there() {
    let folder = folder();
    let (mut writer, spool) = folder.create("q");
    writer.write(&numbers_and_words(10)).unwrap();
    writer.finish().unwrap();
    let mut reader = spool.reader().unwrap();
    let mut more = Vec::new();
    while let Some(rows) = reader.next(4).await.unwrap() {
        more.push(rows.more());
    }
    assert_eq!(more, [true, true, false]);
}

#[tokio::test]
async fn an_empty_result_and_one_given_up() {
    let folder = folder();
    let (writer, spool) = folder.create("empty");
    writer.finish().unwrap();
    assert!(spool.reader().unwrap().next(1).await.unwrap().is_none());

    let (mut writer, spool) = folder.create("given-up");
    writer.write(&numbers_and_words(3)).unwrap();
    drop(writer);
    let mut reader = spool.reader().unwrap();
    assert_eq!(reader.next(10).await.unwrap().unwrap().len(), 3);
    assert!(matches!(reader.next(10).await, Err(SpoolError::Abandoned)));
}

#[tokio::test]
async fn large_batches_are_cut_and_a_large_row_has_a_page_of_its_own() {
    let folder = folder();
    let (mut writer, spool) = folder.dir.create("q", vec![ColumnKind::String]).unwrap();
    let quarter = PAGE_BYTES_MAX / 4;
    let lengths = [quarter, quarter, quarter, quarter, 3 * PAGE_BYTES_MAX, 1, 1];
    writer.write(&texts(&lengths)).unwrap();
    writer.write(&texts(&vec![0; PAGE_ROWS_MAX + 10])).unwrap();
    writer.write(&texts(&vec![100; 20_000])).unwrap();
    writer.finish().unwrap();
    let mut reader = spool.reader().unwrap();
    let mut pages = Vec::new();
    while let Some(rows) = reader.next(usize::MAX).await.unwrap() {
        let bytes = rows.columns().unwrap()[0].values().len();
        assert!(bytes <= PAGE_BYTES_MAX || rows.len() == 1);
        pages.push(rows.len());
    }
    // The last ones are as many rows as clients fetch at a time, or half of it twice.
    assert_eq!(pages, [3, 1, 1, 60_000, 9_000, 9_000, 7_548]);
}

#[tokio::test]
async fn a_row_that_no_message_can_hold_is_refused() {
    let folder = folder();
    let (mut writer, _spool) = folder.dir.create("q", vec![ColumnKind::String]).unwrap();
    let error = writer.write(&texts(&[1, ROW_BYTES_MAX])).unwrap_err();
    assert!(
        matches!(error, SpoolError::RowTooLarge { row: 1, .. }),
        "{error}"
    );
    assert!(matches!(
        writer.write(&numbers_and_words(1)),
        Err(SpoolError::Columns)
    ));
}

/// What is not in the page cache comes by another way, one page ahead.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn pages_from_the_disk_are_the_same_as_those_in_memory() {
    let folder = folder();
    let (mut writer, spool) = folder.create("q");
    for _ in 0..5 {
        writer.write(&numbers_and_words(1000)).unwrap();
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
    let expected = all_words(&mut spool.reader().unwrap(), 300).await;
    for rows_max in [1, 300, 1000] {
        let file = fs::File::open(spool.path()).unwrap();
        file.sync_all().unwrap();
        // Where the file system keeps it in memory all the same, this is the way of the other tests.
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let mut reader = spool.reader().unwrap();
        assert_eq!(all_words(&mut reader, rows_max).await, expected);
        reader.rewind();
        assert_eq!(reader.next(10).await.unwrap().unwrap().first_row(), 0);
    }
}

#[tokio::test]
async fn a_flipped_byte_is_an_error_with_the_offset_of_its_page() {
    let folder = folder();
    let (mut writer, spool) = folder.create("q");
    writer.write(&numbers_and_words(50)).unwrap();
    let second = spool.written().1;
    writer.write(&numbers_and_words(7)).unwrap();
    writer.finish().unwrap();
    let good = fs::read(spool.path()).unwrap();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(spool.path())
        .unwrap();
    for (at, byte) in (0u64..).zip(&good) {
        file.write_all_at(&[byte ^ 0x10], at).unwrap();
        let mut reader = spool.reader().unwrap();
        let damaged = if at < second { 0 } else { second };
        if damaged > 0 {
            assert_eq!(reader.next(1000).await.unwrap().unwrap().len(), 50);
        }
        for _ in 0..2 {
            match reader.next(1000).await {
                Err(SpoolError::Damaged { offset, .. }) => assert_eq!(offset, damaged),
                other => panic!("byte {at}: {other:?}"),
            }
        }
        file.write_all_at(&[*byte], at).unwrap();
    }
    assert_eq!(
        all_words(&mut spool.reader().unwrap(), 1000).await.len(),
        57
    );
}

#[tokio::test]
async fn a_file_cut_short_and_a_page_in_another_place_are_errors() {
    let folder = folder();
    let (mut writer, spool) = folder.create("q");
    for _ in 0..2 {
        writer.write(&numbers_and_words(5)).unwrap();
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(spool.path())
        .unwrap();
    let good = fs::read(spool.path()).unwrap();
    let half = spool.written().1 / 2;
    // The second page over the first.
    file.write_all_at(&good[usize::try_from(half).unwrap()..], 0)
        .unwrap();
    let error = spool.reader().unwrap().next(1).await.unwrap_err();
    assert!(
        matches!(
            error,
            SpoolError::Damaged {
                offset: 0,
                problem: PageProblem::Row {
                    expected: 0,
                    actual: 5
                }
            }
        ),
        "{error}"
    );
    for length in [half - 1, 10, 0] {
        file.set_len(length).unwrap();
        let error = spool.reader().unwrap().next(1).await.unwrap_err();
        assert!(
            matches!(
                error,
                SpoolError::Damaged {
                    offset: 0,
                    problem: PageProblem::Truncated { .. }
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_full_disk_is_named() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let progress = tokio::sync::watch::Sender::new(Progress::default());
    let share = Room::new(Path::new("/"), SpoolLimits::default()).share();
    let mut writer = SpoolWriter::new(
        full.into(),
        "/results/q.spool".into(),
        &KINDS,
        progress,
        share,
    );
    let error = writer.write(&numbers_and_words(5)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the disk of the result folder /results is full: free space there, or set hive.exec.scratchdir to a larger one"
    );
    assert_eq!(writer.rows(), 0, "no reader sees what was not written");
}

fn files(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_file_goes_with_its_result_even_while_it_is_written_and_read() {
    let folder = folder();
    let (mut writer, spool) = folder.create("q");
    writer.write(&numbers_and_words(5)).unwrap();
    let mut reader = spool.reader().unwrap();
    assert_eq!(files(folder.dir.path()), ["lock", "q.spool"]);
    spool.remove();
    assert_eq!(files(folder.dir.path()), ["lock"]);
    assert!(spool.reader().is_err());
    writer.write(&numbers_and_words(5)).unwrap();
    writer.finish().unwrap();
    assert_eq!(
        all_words(&mut reader, 100).await.len(),
        10,
        "who was reading is not disturbed"
    );

    let (_writer, spool) = folder.create("dropped");
    drop(spool);
    assert_eq!(files(folder.dir.path()), ["lock"]);
    drop(folder.dir);
    assert_eq!(files(folder.root.path()), ["lock"]);
}

#[tokio::test]
async fn a_starting_node_removes_what_dead_nodes_left_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let living = SpoolDir::open(root.path()).unwrap();
    let (_writer, _spool) = living.create("q", KINDS.to_vec()).unwrap();
    // As a killed node leaves it: files, and a lock that nobody holds.
    let dead = root.path().join("hs2-node-1-deadbeef");
    fs::create_dir(&dead).unwrap();
    fs::write(dead.join("lock"), "").unwrap();
    fs::write(dead.join("old.spool"), "rows").unwrap();
    fs::create_dir(root.path().join("somebody-elses")).unwrap();

    let other = SpoolDir::open(root.path()).unwrap();
    let name = |dir: &SpoolDir| dir.path().file_name().unwrap().to_str().unwrap().to_owned();
    let mut expected = vec![
        "lock".to_owned(),
        name(&living),
        name(&other),
        "somebody-elses".to_owned(),
    ];
    expected.sort();
    assert_eq!(files(root.path()), expected);
    assert_eq!(files(living.path()), ["lock", "q.spool"]);
}

#[test]
fn what_may_be_somebody_elses_stays() {
    let root = tempfile::tempdir().unwrap();
    let others = root.path().join("hs2-node-projects");
    fs::create_dir(&others).unwrap();
    fs::write(others.join("work"), b"years of it").unwrap();
    let never_locked = root.path().join("hs2-node-1-deadbeef");
    fs::create_dir(&never_locked).unwrap();
    let _dir = SpoolDir::open(root.path()).unwrap();
    assert!(others.join("work").exists());
    assert!(
        !never_locked.exists(),
        "an empty folder without a lock goes"
    );
}
