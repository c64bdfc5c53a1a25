//! Thrift messages, SASL frames and the scanner of unframed messages on arbitrary bytes.
#![no_main]

use bytes::{Bytes, BytesMut};
use hs2_proto::sasl::{Negotiation, Plain, take_frame};
use hs2_proto::thrift::message_length;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(Some(length)) = message_length(input, 1 << 16) {
        assert!(length <= input.len());
    }
    let _ = Plain::parse(input);
    let mut buffer = BytesMut::from(input);
    while let Ok(Some(_)) = Negotiation::take(&mut buffer, 4096) {}
    let mut buffer = BytesMut::from(input);
    while let Ok(Some(frame)) = take_frame(&mut buffer, 4096) {
        assert!(frame.len() <= 4096);
    }
    let message = Bytes::copy_from_slice(input);
    let _ = hs2_proto::tcli::decode_call(&message);
    let _ = hs2_proto::tcli::decode_reply::<hs2_proto::tcli::FetchResultsReq>(&message, 0);
    let _ = hs2_proto::tcli::decode_reply::<hs2_proto::tcli::OpenSessionReq>(&message, 0);
});
