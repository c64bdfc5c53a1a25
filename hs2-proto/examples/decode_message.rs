//! Prints what is in a message given as hex: a call, a reply's header or an exception, with or without the four
//! bytes of framing before it.
#![allow(clippy::print_stdout)]

use bytes::{Bytes, BytesMut};
use hs2_proto::sasl::take_frame;
use hs2_proto::tcli::{
    CallError, ExecuteStatementReq, FetchResultsReq, GetOperationStatusReq,
    GetResultSetMetadataReq, OpenSessionReq, decode_call, decode_reply,
};
use hs2_proto::thrift::{ApplicationException, Decode, MessageHeader, MessageKind, Reader};
use std::error::Error;

/// A GetOperationStatus reply: FINISHED, and nothing else.
const SAMPLE: &str = "\
    0000003580010002000000124765744f7065726174696f6e537461747573000000050c00000c0001 \
    0800010000000000080002000000020000";

fn main() -> Result<(), Box<dyn Error>> {
    let hex = std::env::args().nth(1).unwrap_or_else(|| SAMPLE.to_owned());
    let digits: Vec<u8> = hex
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect::<Result<_, Box<dyn Error>>>()?;

    // A frame begins with its own length, a message does not.
    let mut buffer = BytesMut::from(&bytes[..]);
    let message = match take_frame(&mut buffer, bytes.len()) {
        Ok(Some(frame)) if buffer.is_empty() => frame,
        _ => Bytes::from(bytes),
    };
    let header = MessageHeader::read(&mut Reader::new(&message))?;
    println!("{header:?}");
    if header.kind == MessageKind::CALL {
        match decode_call(&message) {
            Ok(call) => println!("{:#?}", call.request),
            Err(CallError::UnknownMethod { method, .. }) => {
                println!("{method} is no method of TCLIService")
            }
            Err(error) => return Err(error.into()),
        }
        return Ok(());
    }
    if header.kind == MessageKind::EXCEPTION {
        let mut reader = Reader::new(&message);
        MessageHeader::read(&mut reader)?;
        println!("{}", ApplicationException::read(&mut reader)?);
        return Ok(());
    }
    let seqid = header.seqid;
    match header.method.as_str() {
        "OpenSession" => println!("{:#?}", decode_reply::<OpenSessionReq>(&message, seqid)?),
        "ExecuteStatement" => println!(
            "{:#?}",
            decode_reply::<ExecuteStatementReq>(&message, seqid)?
        ),
        "GetOperationStatus" => println!(
            "{:#?}",
            decode_reply::<GetOperationStatusReq>(&message, seqid)?
        ),
        "GetResultSetMetadata" => println!(
            "{:#?}",
            decode_reply::<GetResultSetMetadataReq>(&message, seqid)?
        ),
        "FetchResults" => {
            let reply = decode_reply::<FetchResultsReq>(&message, seqid)?;
            println!("{:#?}, more rows: {:?}", reply.status, reply.has_more_rows);
            for column in reply.results.iter().flat_map(|rows| &rows.columns) {
                println!(
                    "{:?}: {:?}",
                    column.kind(),
                    column.cells().collect::<Vec<_>>()
                );
            }
        }
        other => println!("(this example does not print replies to {other})"),
    }
    Ok(())
}
