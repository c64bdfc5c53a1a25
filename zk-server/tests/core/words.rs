use zk_proto::Zxid;
use zk_proto::four_letter::{ServerVersion, parse_srvr};
use zk_proto::record::CreateMode;
use zk_server::ServerOptions;

use super::lab::Lab;

#[test]
fn words_are_answered_in_text() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create_as(client, "/e", CreateMode::EPHEMERAL).unwrap();
    lab.watch(client, "/e");
    assert_eq!(lab.word(b"ruok"), "imok");
    assert_eq!(lab.word(b"ruok\n"), "imok");
    assert_eq!(lab.word(b"isro"), "rw");
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
        let answer = lab.word(word);
        assert!(answer.contains(expected), "{word:?}: {answer}");
    }
    let dump = lab.word(b"dump");
    assert!(dump.contains(&format!("{session}:\n\t/e\n")), "{dump}");
}

#[test]
fn srvr_tells_a_version_that_clients_understand() {
    let mut lab = Lab::new();
    let srvr = parse_srvr(&lab.word(b"srvr")).unwrap();
    assert!(srvr.version >= ServerVersion::new(3, 9, 0));
    assert_eq!(srvr.mode.as_deref(), Some("standalone"));
    assert_eq!(srvr.zxid, Some(Zxid(0)));
    let text = lab.word(b"srvr");
    // As on a real server that is empty: the root counts twice.
    assert!(text.contains("Node count: 5\n"), "{text}");
}

#[test]
fn words_off_the_list_are_refused_in_text() {
    let mut lab = Lab::with(ServerOptions {
        four_letter_words: Some(vec!["isro".to_owned()]),
        ..ServerOptions::default()
    });
    assert_eq!(lab.word(b"isro"), "rw");
    for word in [b"srvr", b"ruok", b"stat", b"wchc"] {
        let name = std::str::from_utf8(word).unwrap();
        let refusal = format!("{name} is not executed because it is not in the whitelist.\n");
        assert_eq!(lab.word(word), refusal);
    }
    // What is no word at all is still a length.
    let client = lab.client();
    assert_eq!(lab.create(client, "/a").unwrap(), "/a");
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
