//! Bytes that are no message, or only part of one, or in pieces: an error or "need more", never a panic.

use bytes::Bytes;
use hs2_proto::tcli::{
    ExecuteStatementReq, GetOperationStatusReq, GetResultSetMetadataReq, HandleId, OpenSessionReq,
    ProtocolVersion, Request, SessionHandle, decode_call, decode_reply,
};
use hs2_proto::thrift::{DecodeError, MessageScanner, Reader, WireType, message_length};
use proptest::prelude::*;

/// A call, or the header of one with something else behind it: what arbitrary bytes alone would never become.
fn after_header(kind: u8, method: &str, body: &[u8]) -> Bytes {
    let name = method.as_bytes();
    let length = u8::try_from(name.len()).expect("a short name");
    [
        &[0x80, 1, 0, kind, 0, 0, 0, length][..],
        name,
        &[0, 0, 0, 7],
        body,
    ]
    .concat()
    .into()
}

fn request() -> impl Strategy<Value = (Request, i32)> {
    let text = || prop::option::of(".{0,20}");
    let pairs = prop::option::of(prop::collection::vec((".{0,9}", ".{0,9}"), 0..5));
    let open = (any::<i32>(), text(), text(), pairs.clone()).prop_map(
        |(version, username, password, pairs)| {
            Request::OpenSession(OpenSessionReq {
                client_protocol: ProtocolVersion(version),
                username,
                password,
                configuration: pairs.map(|pairs| pairs.into_iter().collect()),
            })
        },
    );
    let execute = (
        any::<([u8; 16], [u8; 16])>(),
        ".{0,99}",
        pairs,
        any::<(Option<bool>, Option<i64>)>(),
    )
        .prop_map(
            |((guid, secret), statement, pairs, (run_async, query_timeout))| {
                Request::ExecuteStatement(ExecuteStatementReq {
                    session_handle: SessionHandle {
                        session_id: HandleId { guid, secret },
                    },
                    statement,
                    conf_overlay: pairs.map(|pairs| pairs.into_iter().collect()),
                    run_async,
                    query_timeout,
                })
            },
        );
    (prop_oneof![open, execute], any::<i32>())
}

proptest! {
    #[test]
    fn a_call_is_read_as_it_was_written_and_every_prefix_is_too_short((request, seqid) in request()) {
        let mut out = Vec::new();
        request.write(&mut out, seqid);
        let message = Bytes::from(out);
        let call = decode_call(&message).expect("a whole call");
        prop_assert_eq!((call.request, call.seqid), (request, seqid));
        let mut scanner = MessageScanner::new(message.len());
        for end in 0..message.len() {
            prop_assert!(decode_call(&message.slice(..end)).is_err());
            prop_assert_eq!(message_length(&message[..end], message.len()), Ok(None));
            prop_assert_eq!(scanner.scan(&message[..end]), Ok(None));
        }
        prop_assert_eq!(scanner.scan(&message), Ok(Some(message.len())));
        let too_long = message_length(&message, message.len() - 1);
        prop_assert!(matches!(too_long, Err(DecodeError::TooLong { .. })), "{too_long:?}");
    }

    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200), code in any::<u8>()) {
        let bytes = Bytes::from(body.clone());
        let _ = decode_call(&bytes);
        let _ = decode_reply::<OpenSessionReq>(&bytes, 7);
        let _ = message_length(&body, 1 << 20);
        let _ = Reader::new(&body).skip(WireType(code));
        for method in ["OpenSession", "ExecuteStatement", "FetchResults", "GetTables", "UploadData"] {
            let _ = decode_call(&after_header(1, method, &body));
        }
        let _ = decode_reply::<OpenSessionReq>(&after_header(2, "OpenSession", &body), 7);
        let _ = decode_reply::<GetOperationStatusReq>(&after_header(2, "GetOperationStatus", &body), 7);
        let _ = decode_reply::<GetResultSetMetadataReq>(&after_header(2, "GetResultSetMetadata", &body), 7);
        let _ = decode_reply::<OpenSessionReq>(&after_header(3, "OpenSession", &body), 7);
    }

    /// Bytes that look like Thrift at every step, so that the walk goes deep.
    #[test]
    fn a_walk_in_pieces_ends_where_a_walk_at_once_does(
        body in prop::collection::vec(prop::sample::select(vec![0u8, 0, 0, 0, 1, 2, 3, 8, 10, 11, 12, 12, 13, 15, 15]), 0..300),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let message = after_header(1, "f", &body);
        let at_once = message_length(&message, 1 << 20);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(message.len() + 1)).collect();
        cuts.push(message.len());
        cuts.sort_unstable();
        let mut scanner = MessageScanner::new(1 << 20);
        let mut in_pieces = Ok(None);
        for cut in cuts {
            in_pieces = scanner.scan(&message[..cut]);
            if in_pieces != Ok(None) {
                break;
            }
        }
        match (&at_once, &in_pieces) {
            // In pieces a limit may be noticed before the bytes come that are wrong in another way.
            (Err(_), Err(_)) => {}
            _ => prop_assert_eq!(&at_once, &in_pieces),
        }
        // The reader skips exactly what the scanner finds.
        if let Ok(Some(length)) = at_once {
            let mut reader = Reader::new(&body);
            prop_assert_eq!(reader.skip(WireType::STRUCT), Ok(()));
            prop_assert_eq!(reader.remaining().len(), message.len() - length);
        }
    }
}
