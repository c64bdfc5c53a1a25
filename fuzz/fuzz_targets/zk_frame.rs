//! Every ZooKeeper decoder on arbitrary bytes; what decodes as a request encodes to the same bytes.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use zk_proto::frame::FrameDecoder;
use zk_proto::record::*;
use zk_proto::{Decode, Encode, Reader};

fuzz_target!(|input: &[u8]| {
    let mut wire = BytesMut::from(input);
    while let Ok(Some(payload)) = FrameDecoder::new(4096).decode(&mut wire) {
        assert!(payload.len() <= 4096);
    }
    let payload = Bytes::copy_from_slice(input);
    let mut reader = Reader::new(&payload);
    if let Ok(header) = RequestHeader::decode(&mut reader)
        && let Ok(request) = Request::decode(header.opcode, &mut reader)
    {
        let mut once = BytesMut::new();
        request.encode(&mut once);
        let once = once.freeze();
        let again = Request::decode(header.opcode, &mut Reader::new(&once)).expect("what was encoded decodes");
        assert_eq!(again, request);
    }
    let reader = Reader::new(&payload);
    let _ = ConnectRequest::decode(&mut reader.clone());
    let _ = ConnectResponse::decode(&mut reader.clone());
    let _ = ReplyHeader::decode(&mut reader.clone());
    let _ = MultiResponse::decode(&mut reader.clone());
    let _ = GetAclResponse::decode(&mut reader.clone());
    let _ = WhoAmIResponse::decode(&mut reader.clone());
    let _ = GetDataResponse::decode(&mut reader.clone());
    let _ = WatcherEvent::decode(&mut reader.clone());
    if let Ok(children) = GetChildren2Response::decode(&mut reader.clone()) {
        for name in children.children.iter() {
            let _ = name;
        }
    }
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = text.parse::<zk_proto::ConnectString>();
        let _ = text.parse::<zk_proto::Acl>();
        let _ = zk_proto::path::check(text);
        let _ = zk_proto::path::check_sequential(text);
        let _ = zk_proto::path::sequence(text);
        let _ = zk_proto::four_letter::parse_srvr(text);
    }
});
