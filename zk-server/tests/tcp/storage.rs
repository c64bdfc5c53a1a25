use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zk_proto::ErrorCode;
use zk_proto::record::{CreateMode, DeleteRequest, Request, SetDataRequest};
use zk_proto::{SessionId, ZnodeVersion};
use zk_server::{Durability, Server, ServerOptions, StorageError};

use crate::client::Client;

fn options(folder: &Path) -> ServerOptions {
    ServerOptions {
        data_dir: Some(folder.to_owned()),
        ..ServerOptions::default()
    }
}

async fn start_in(folder: &Path) -> io::Result<Server> {
    Server::start("127.0.0.1:0", options(folder)).await
}

/// The error that a folder was refused with.
async fn refusal(folder: &Path) -> StorageError {
    let error = start_in(folder).await.unwrap_err();
    *error.into_inner().unwrap().downcast().unwrap()
}

fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with(kind)
    });
    paths.sort();
    paths
}

fn the_file(folder: &Path, kind: &str) -> PathBuf {
    let mut files = files(folder, kind);
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

fn copy_of(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for path in [the_file(folder, "snapshot."), the_file(folder, "log.")] {
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

async fn delete(client: &mut Client, path: &str) -> Option<ErrorCode> {
    let version = ZnodeVersion::ANY;
    client
        .call(&Request::Delete(DeleteRequest { path, version }))
        .await
}

#[tokio::test]
async fn a_client_goes_on_with_its_session_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for durability in [Durability::Process, Durability::Disk] {
        let options = ServerOptions {
            durability,
            ..options(&folder.path().join("deep/down"))
        };
        let server = Server::start("127.0.0.1:0", options.clone()).await.unwrap();
        let mut client = Client::connect(&server).await;
        let made = client.create("/e", CreateMode::EPHEMERAL).await;
        assert_eq!(made, Some(ErrorCode::OK));
        // Dropped, not shut down: nothing is left to be done at the end.
        drop(server);
        let server = Server::start("127.0.0.1:0", options).await.unwrap();
        let again = Client::attach(&server, client.session, &client.password).await;
        let mut again = again.unwrap();
        assert!(again.exists("/e").await);
        again.call(&Request::CloseSession).await;
        let mut other = Client::connect(&server).await;
        assert!(!other.exists("/e").await);
        server.shutdown().await;
    }
}

#[tokio::test]
async fn a_folder_belongs_to_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let first = start_in(folder.path()).await.unwrap();
    let error = refusal(folder.path()).await;
    assert!(matches!(error, StorageError::Locked { .. }));
    assert!(error.to_string().contains("in use by another server"));
    let mut client = Client::connect(&first).await;
    client.create("/a", CreateMode::PERSISTENT).await;
    first.shutdown().await;
    let second = start_in(folder.path()).await.unwrap();
    assert!(Client::connect(&second).await.exists("/a").await);
}

/// What the process leaves when it is killed is a beginning of the log, at whatever byte. What was acknowledged before
/// that byte was written is there.
#[tokio::test]
async fn nothing_acknowledged_is_lost_wherever_the_log_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_in(folder.path()).await.unwrap();
    let log = the_file(folder.path(), "log.");
    let length = || fs::metadata(&log).unwrap().len();
    let empty = length();
    let mut client = Client::connect(&server).await;
    // What is there once the log is so long.
    let mut acknowledged = vec![(empty, None), (length(), Some(Vec::new()))];
    let mut paths: Vec<String> = Vec::new();
    for number in 0..6 {
        let path = format!("/a{number}");
        let mode = [CreateMode::PERSISTENT, CreateMode::EPHEMERAL][number % 2];
        assert_eq!(client.create(&path, mode).await, Some(ErrorCode::OK));
        paths.push(path);
        acknowledged.push((length(), Some(paths.clone())));
    }
    assert_eq!(delete(&mut client, "/a1").await, Some(ErrorCode::OK));
    paths.remove(1);
    acknowledged.push((length(), Some(paths.clone())));
    // A write that fails takes a transaction.
    assert_eq!(delete(&mut client, "/a1").await, Some(ErrorCode::NO_NODE));
    acknowledged.push((length(), Some(paths.clone())));
    drop(server);
    let whole = fs::read(&log).unwrap();
    assert_eq!(acknowledged.last().unwrap().0, whole.len() as u64);

    let copy = copy_of(folder.path());
    let log = the_file(copy.path(), "log.");
    for end in 0..=whole.len() {
        fs::write(&log, &whole[..end]).unwrap();
        let server = start_in(copy.path()).await.unwrap();
        let known = acknowledged
            .iter()
            .rev()
            .find(|(length, _)| *length <= end as u64);
        let session = Client::attach(&server, client.session, &client.password).await;
        match known {
            Some((_, Some(paths))) => {
                let mut client = session.expect("the session");
                for path in ["/a0", "/a1", "/a2", "/a3", "/a4", "/a5"] {
                    let is_known = paths.iter().any(|known| known == path);
                    assert_eq!(client.exists(path).await, is_known, "{path} at byte {end}");
                }
            }
            _ => assert!(session.is_none(), "a session at byte {end}"),
        }
        // It goes on from there.
        let mut client = Client::connect(&server).await;
        let made = client.create("/more", CreateMode::PERSISTENT).await;
        assert_eq!(made, Some(ErrorCode::OK));
        drop(server);
        let server = start_in(copy.path()).await.unwrap();
        assert!(Client::connect(&server).await.exists("/more").await);
        drop(server);
    }
}

#[tokio::test]
async fn a_byte_that_changed_is_an_error_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_in(folder.path()).await.unwrap();
    let mut client = Client::connect(&server).await;
    for path in ["/a", "/b"] {
        client.create(path, CreateMode::PERSISTENT).await;
    }
    drop(server);
    for kind in ["log.", "snapshot."] {
        let copy = copy_of(folder.path());
        let file = the_file(copy.path(), kind);
        let whole = fs::read(&file).unwrap();
        for position in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[position] ^= 0x10;
            fs::write(&file, &bytes).unwrap();
            let error = refusal(copy.path()).await;
            let StorageError::Damaged {
                file: named,
                offset,
                ..
            } = &error
            else {
                panic!("{kind} byte {position}: {error}");
            };
            assert_eq!(named, &file);
            assert!(*offset <= position as u64);
            assert_eq!(fs::read(&file).unwrap(), bytes);
        }
    }
}

#[tokio::test]
async fn a_tail_of_zeros_is_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_in(folder.path()).await.unwrap();
    let mut client = Client::connect(&server).await;
    client.create("/a", CreateMode::PERSISTENT).await;
    drop(server);
    let log = the_file(folder.path(), "log.");
    let mut bytes = fs::read(&log).unwrap();
    let length = bytes.len();
    bytes.extend([0; 5000]);
    fs::write(&log, &bytes).unwrap();
    let server = start_in(folder.path()).await.unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), length as u64);
    assert!(Client::connect(&server).await.exists("/a").await);
    drop(server);
    // Something behind them is another matter.
    bytes.push(1);
    fs::write(&log, &bytes).unwrap();
    let error = refusal(folder.path()).await;
    assert!(error.to_string().contains("is damaged at byte"), "{error}");
}

#[tokio::test]
async fn a_log_that_has_grown_is_followed_by_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let small = ServerOptions {
        log_bytes_max: 2000,
        ..options(folder.path())
    };
    let server = Server::start("127.0.0.1:0", small).await.unwrap();
    let mut client = Client::connect(&server).await;
    client.create("/a", CreateMode::PERSISTENT).await;
    for number in 0..200_u32 {
        let request = Request::SetData(SetDataRequest {
            path: "/a",
            data: Some(&number.to_be_bytes()),
            version: ZnodeVersion(number.try_into().unwrap()),
        });
        assert_eq!(client.call(&request).await, Some(ErrorCode::OK));
    }
    server.shutdown().await;
    let log = the_file(folder.path(), "log.");
    assert!(fs::metadata(&log).unwrap().len() < 3000);
    let snapshot = the_file(folder.path(), "snapshot.");
    assert!(!snapshot.ends_with("snapshot.0000000000000001"));
    // A snapshot that was not finished is of no account.
    fs::write(folder.path().join("snapshot.new"), b"half").unwrap();
    // Neither is a log that was to be begun.
    let server = start_in(folder.path()).await.unwrap();
    let mut client = Client::attach(&server, client.session, &client.password)
        .await
        .unwrap();
    let last = Request::SetData(SetDataRequest {
        path: "/a",
        data: None,
        version: ZnodeVersion(200),
    });
    assert_eq!(client.call(&last).await, Some(ErrorCode::OK));
}

#[tokio::test]
async fn a_log_without_its_snapshot_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(start_in(folder.path()).await.unwrap());
    fs::remove_file(the_file(folder.path(), "snapshot.")).unwrap();
    let error = refusal(folder.path()).await;
    assert!(
        error.to_string().contains("a snapshot that is missing"),
        "{error}"
    );
    // And the other way round it is the moment between the two.
    let folder = tempfile::tempdir().unwrap();
    drop(start_in(folder.path()).await.unwrap());
    fs::remove_file(the_file(folder.path(), "log.")).unwrap();
    assert!(start_in(folder.path()).await.is_ok());
}

#[tokio::test]
async fn many_writers_share_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let options = ServerOptions {
        durability: Durability::Disk,
        log_bytes_max: 20_000,
        ..options(folder.path())
    };
    let server = Server::start("127.0.0.1:0", options).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let mut client = Client::connect(&server).await;
        tasks.spawn(async move {
            for count in 0..20 {
                let path = format!("/n{number}-{count}");
                let made = client.create(&path, CreateMode::PERSISTENT).await;
                assert_eq!(made, Some(ErrorCode::OK));
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    drop(server);
    let server = start_in(folder.path()).await.unwrap();
    let mut client = Client::connect(&server).await;
    for number in 0..20 {
        for count in 0..20 {
            assert!(client.exists(&format!("/n{number}-{count}")).await);
        }
    }
    assert_ne!(client.session, SessionId::NONE);
}
