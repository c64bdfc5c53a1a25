//! Replays the conversation that was captured from ZooKeeper 3.8.0, from the first create to the watches that a
//! second client set, and compares what comes back byte by byte. Only what 3.9 does otherwise, and what a real server leaves
//! open, is made alike first.

use std::collections::BTreeSet;

use bytes::Bytes;
use zk_proto::record::{
    GetChildren2Response, GetChildrenResponse, MultiResponse, MultiResult, ReplyHeader,
    WhoAmIResponse,
};
use zk_proto::{Decode, Encode, ErrorCode, Reader, Xid};

use super::lab::Lab;

struct Frame {
    from_client: bool,
    name: String,
    bytes: Vec<u8>,
}

/// What the clock of the real server showed at the requests that leave a time behind.
const TIMES_MS: [(&str, i64); 7] = [
    ("create_persistent_request", 0x1a2_019d_70f1),
    ("create2_persistent_request", 0x1a2_019d_7102),
    ("create_container_request", 0x1a2_019d_7106),
    ("create_ttl_null_data_request", 0x1a2_019d_710b),
    ("setdata_version0_request", 0x1a2_019d_7119),
    ("multi_ok_request", 0x1a2_019d_7141),
    ("multi_container_ttl_request", 0x1a2_019d_714a),
];

fn conversation() -> Vec<Frame> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../zk-proto/tests/golden/zookeeper-3.8.0.txt"
    );
    let text = std::fs::read_to_string(path).expect("the captured frames of zk-proto");
    let frames = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let from_client = match words.next()? {
            ">" => true,
            "<" => false,
            _ => return None,
        };
        let (name, hex) = (words.next()?.to_owned(), words.next()?);
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes = (0..hex.len()).step_by(2).map(byte).collect();
        Some(Frame {
            from_client,
            name,
            bytes,
        })
    });
    frames
        .skip_while(|frame| frame.name != "create_persistent_request")
        .take_while(|frame| frame.name != "delete_version0_request")
        .collect()
}

#[test]
fn a_captured_conversation_is_answered_as_the_real_server_did() {
    let mut lab = Lab::new();
    let mut client = lab.client();
    // The real server had served another client before: one transaction.
    lab.client();
    let frames = conversation();
    assert!(frames.len() > 60, "{}", frames.len());
    let mut compared = 0;
    for turn in frames.chunk_by(|_, next| !next.from_client) {
        let request = &turn[0];
        assert!(request.from_client, "{}", request.name);
        if let Some((_, time)) = TIMES_MS.iter().find(|(name, _)| *name == request.name) {
            lab.now.wall_ms = *time;
        }
        if request.name == "setwatches_request" {
            client = lab.client();
        }
        lab.send_bytes(client.connection, &request.bytes);
        let answers = lab.frames(client.connection);
        let names: Vec<_> = turn[1..].iter().map(|frame| &frame.name).collect();
        assert_eq!(answers.len(), names.len(), "{}: {names:?}", request.name);
        for (answer, expected) in answers.into_iter().zip(&turn[1..]) {
            let expected_payload = Bytes::copy_from_slice(&expected.bytes[4..]);
            assert_eq!(
                alike(&expected.name, answer),
                alike(&expected.name, expected_payload),
                "{}",
                expected.name
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 43);
}

/// A frame with what may differ taken out.
fn alike(name: &str, payload: Bytes) -> Vec<u8> {
    let mut reader = Reader::new(&payload);
    let header = ReplyHeader::decode(&mut reader).unwrap();
    let mut out = bytes::BytesMut::new();
    match name {
        // Since 3.9 an event carries its transaction.
        _ if header.xid == Xid::NOTIFICATION => {
            assert_eq!(header.err, ErrorCode::OK);
            Xid::NOTIFICATION
                .0
                .to_be_bytes()
                .into_iter()
                .chain(payload[12..].iter().copied())
                .collect()
        }
        // Children and identities come in no order.
        "getchildren_response" => {
            header.encode(&mut out);
            let names = GetChildrenResponse::decode(&mut reader).unwrap().children;
            let names: BTreeSet<_> = names.to_vec().into_iter().collect();
            GetChildrenResponse {
                children: names.iter().collect(),
            }
            .encode(&mut out);
            out.to_vec()
        }
        "getchildren2_watch_response" => {
            header.encode(&mut out);
            let mut response = GetChildren2Response::decode(&mut reader).unwrap();
            let names: BTreeSet<_> = response.children.to_vec().into_iter().collect();
            response.children = names.iter().collect();
            response.encode(&mut out);
            out.to_vec()
        }
        "whoami_response" => {
            header.encode(&mut out);
            let mut response = WhoAmIResponse::decode(&mut reader).unwrap();
            response.clients.sort_by_key(|client| client.scheme);
            response.encode(&mut out);
            out.to_vec()
        }
        "multiread_response" => {
            header.encode(&mut out);
            let mut response = MultiResponse::decode(&mut reader).unwrap();
            for result in &mut response.results {
                if let MultiResult::GetChildren(children) = result {
                    let names: BTreeSet<_> = children.to_vec().into_iter().collect();
                    *children = names.iter().collect();
                }
            }
            response.encode(&mut out);
            out.to_vec()
        }
        _ => payload.to_vec(),
    }
}
