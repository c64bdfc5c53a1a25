//! Bytes that nobody sane sends: every decoder answers with a value or an error, never with a panic.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use zk_proto::frame::{DEFAULT_MAX_BYTES, FrameDecoder};
use zk_proto::record::*;
use zk_proto::{ConnectString, Decode, OpCode, Reader, four_letter, path};

proptest! {
    #[test]
    fn arbitrary_payloads(bytes in proptest::collection::vec(any::<u8>(), 0..256), opcode in -12..110_i32) {
        let payload = Bytes::from(bytes);
        let reader = Reader::new(&payload);
        let _ = Request::decode(OpCode(opcode), &mut reader.clone());
        let _ = ConnectRequest::decode(&mut reader.clone());
        let _ = ConnectResponse::decode(&mut reader.clone());
        let _ = MultiResponse::decode(&mut reader.clone());
        let _ = GetAclResponse::decode(&mut reader.clone());
        let _ = WhoAmIResponse::decode(&mut reader.clone());
        let _ = WatcherEvent::decode(&mut reader.clone());
        if let Ok(children) = Children::decode(&mut reader.clone()) {
            prop_assert!(children.iter().count() == children.len());
        }
    }

    #[test]
    fn arbitrary_streams_in_arbitrary_pieces(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..16), 0..32)) {
        let decoder = FrameDecoder::new(64);
        let mut input = BytesMut::new();
        for piece in pieces {
            input.extend_from_slice(&piece);
            loop {
                match decoder.decode(&mut input) {
                    Ok(Some(payload)) => prop_assert!(payload.len() <= 64),
                    Ok(None) => break,
                    Err(_) => return Ok(()),
                }
            }
        }
    }

    #[test]
    fn arbitrary_texts(text in "\\PC{0,40}") {
        if let Err(error) = text.parse::<ConnectString>() {
            prop_assert!(error.position <= text.len());
        }
        if let Err(error) = path::check(&text) {
            prop_assert!(error.position <= text.len());
        }
        let _ = path::check_sequential(&text);
        let _ = path::sequence(&text);
        let _ = four_letter::parse_srvr(&text);
        let _ = text.parse::<zk_proto::Acl>();
    }

    #[test]
    fn connect_strings_print_as_they_parse(hosts in proptest::collection::vec(("[a-z][a-z0-9.-]{0,10}", 1..=u16::MAX), 1..5), chroot in proptest::option::of("(/[a-z]{1,5}){1,3}")) {
        let parsed = ConnectString {
            hosts: hosts.into_iter().map(|(host, port)| zk_proto::HostPort { host, port }).collect(),
            chroot,
        };
        prop_assert_eq!(parsed.to_string().parse::<ConnectString>(), Ok(parsed));
    }
}

#[test]
fn a_list_that_promises_more_than_the_frame_holds_is_refused() {
    let mut payload = BytesMut::new();
    payload.extend_from_slice(&i32::MAX.to_be_bytes());
    let payload = payload.freeze();
    assert!(Children::decode(&mut Reader::new(&payload)).is_err());
    assert!(WhoAmIResponse::decode(&mut Reader::new(&payload)).is_err());
    assert!(GetAclResponse::decode(&mut Reader::new(&payload)).is_err());
    assert!(payload.len() < DEFAULT_MAX_BYTES);
}
