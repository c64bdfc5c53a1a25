#![allow(clippy::disallowed_methods, clippy::print_stdout)]
//! Reads a request frame given as hex, such as one copied from a packet capture:
//! `cargo run -p zk-proto --example decode_frame -- 000000110000000800000004000000042f61707000`

use bytes::BytesMut;
use zk_proto::frame::{DEFAULT_MAX_BYTES, FrameDecoder};
use zk_proto::record::{Request, RequestHeader};
use zk_proto::{Decode, Reader};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hex = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "000000110000000800000004000000042f61707000".to_owned());
    let mut wire = BytesMut::new();
    for pair in hex.as_bytes().chunks(2) {
        wire.extend_from_slice(&[u8::from_str_radix(std::str::from_utf8(pair)?, 16)?]);
    }
    let payload = FrameDecoder::new(DEFAULT_MAX_BYTES)
        .decode(&mut wire)?
        .ok_or("the frame is not whole")?;
    let mut reader = Reader::new(&payload);
    let header = RequestHeader::decode(&mut reader)?;
    println!(
        "{header:?}\n{:#?}",
        Request::decode(header.opcode, &mut reader)?
    );
    Ok(())
}
