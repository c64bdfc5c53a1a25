use zk_proto::Zxid;
use zk_proto::four_letter::{ServerVersion, parse_srvr};
use zk_proto::record::CreateMode;

use super::lab::Lab;

fn ask(lab: &mut Lab, word: &[u8]) -> String {
    let connection = lab.dial();
    lab.send_bytes(connection, word);
    assert!(lab.core.is_over(connection), "{word:?}");
    let answer = lab.output(connection);
    lab.core.disconnected(connection);
    String::from_utf8(answer.to_vec()).unwrap()
}

#[test]
fn words_are_answered_in_text() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create_as(client, "/e", CreateMode::EPHEMERAL).unwrap();
    lab.watch(client, "/e");
    assert_eq!(ask(&mut lab, b"ruok"), "imok");
    assert_eq!(ask(&mut lab, b"ruok\n"), "imok");
    assert_eq!(ask(&mut lab, b"isro"), "rw");
    let session = client.session;
    for (word, expected) in [
        (b"stat", "\nMode: standalone\n"),
        (b"mntr", "zk_znode_count\t6\n"),
        (b"mntr", "zk_watch_count\t1\n"),
        (b"mntr", "zk_ephemerals_count\t1\n"),
        (b"cons", "lop=EXIS"),
        (b"wchs", "1 connections watching 1 paths\nTotal watches:1\n"),
        (b"conf", "tickTime=2000\n"),
        (b"envi", "Environment:\nzookeeper.version=3.9"),
        (
            b"wchp",
            "wchp is not executed because it is not in the whitelist.\n",
        ),
    ] {
        let answer = ask(&mut lab, word);
        assert!(answer.contains(expected), "{word:?}: {answer}");
    }
    let dump = ask(&mut lab, b"dump");
    assert!(dump.contains(&format!("{session}:\n\t/e\n")), "{dump}");
}

#[test]
fn srvr_tells_a_version_that_clients_understand() {
    let mut lab = Lab::new();
    let srvr = parse_srvr(&ask(&mut lab, b"srvr")).unwrap();
    assert!(srvr.version >= ServerVersion::new(3, 9, 0));
    assert_eq!(srvr.mode.as_deref(), Some("standalone"));
    assert_eq!(srvr.zxid, Some(Zxid(0)));
    let text = ask(&mut lab, b"srvr");
    // As on a real server that is empty: the root counts twice.
    assert!(text.contains("Node count: 5\n"), "{text}");
}

#[test]
fn a_word_in_a_session_is_a_broken_frame() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.send_bytes(client.connection, b"ruok");
    assert!(lab.core.is_over(client.connection));
    assert!(lab.output(client.connection).is_empty());
}

#[test]
fn four_bytes_that_are_no_word_and_no_length_are_closed_without_an_answer() {
    let mut lab = Lab::new();
    let connection = lab.dial();
    lab.send_bytes(connection, b"zzz");
    assert!(!lab.core.is_over(connection));
    lab.send_bytes(connection, b"z");
    assert!(lab.core.is_over(connection));
    assert!(lab.output(connection).is_empty());
}
