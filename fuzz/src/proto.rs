//! The decoders of `zk-proto`.

use bytes::{Bytes, BytesMut};
use zk_proto::frame::FrameDecoder;
use zk_proto::record::*;
use zk_proto::{Acl, Decode, Encode, Reader, Stat};

/// Reads each record from the payload; what can be read is written, read again, and written as the same bytes.
macro_rules! records {
    ($payload:expr; $($record:ident)*) => {$(
        if let Ok(record) = $record::decode(&mut Reader::new($payload)) {
            let once = encode(&record);
            let again = $record::decode(&mut Reader::new(&once)).expect("what was written can be read");
            assert_eq!(encode(&again), once, "{record:?}");
        }
    )*};
}

/// A stream, cut at any byte, gives the same payloads as in one piece. The first byte says where it is cut.
pub fn zk_frame(input: &[u8]) {
    const MAX: usize = 4096;
    let Some((&piece, stream)) = input.split_first() else {
        return;
    };
    let decoder = FrameDecoder::new(MAX);
    let payloads = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut wire, mut payloads) = (BytesMut::new(), vec![]);
        for piece in pieces {
            wire.extend_from_slice(piece);
            loop {
                match decoder.decode(&mut wire) {
                    Ok(Some(payload)) => payloads.push(payload),
                    Ok(None) => break,
                    Err(error) => return (payloads, Some(error)),
                }
            }
        }
        (payloads, None)
    };
    let whole = payloads(&mut std::iter::once(stream));
    assert!(whole.0.iter().all(|payload| payload.len() <= MAX));
    assert_eq!(
        payloads(&mut stream.chunks(usize::from(piece).max(1))),
        whole
    );
}

/// A request's payload: what decodes encodes to bytes that decode to the same, and to no more than was read.
pub fn zk_request(input: &[u8]) {
    let payload = Bytes::copy_from_slice(input);
    records!(&payload; ConnectRequest);
    let mut reader = Reader::new(&payload);
    let Ok(header) = RequestHeader::decode(&mut reader) else {
        return;
    };
    let Ok(request) = Request::decode(header.opcode, &mut reader) else {
        return;
    };
    assert_eq!(request.opcode(), header.opcode);
    let mut encoded = encode(&header).to_vec();
    encoded.extend_from_slice(&encode(&request));
    assert_eq!(encoded.len(), reader.offset());
    let again = Bytes::from(encoded).slice(8..);
    assert_eq!(
        Request::decode(header.opcode, &mut Reader::new(&again)).as_ref(),
        Ok(&request)
    );
}

/// A server's payload, as every record that it could be.
pub fn zk_reply(input: &[u8]) {
    let payload = Bytes::copy_from_slice(input);
    records!(&payload; ConnectResponse ReplyHeader);
    // Behind a reply header, and alone: a corpus of one helps the other.
    for body in [payload.slice(payload.len().min(16)..), payload] {
        records!(&body;
            CreateResponse Create2Response ExistsResponse GetDataResponse SetDataResponse GetAclResponse SetAclResponse
            GetChildrenResponse GetChildren2Response SyncResponse SaslResponse AddWatchResponse WatcherEvent
            WhoAmIResponse GetEphemeralsResponse GetAllChildrenNumberResponse MultiResponse Acl Stat
        );
        if let Ok(children) = Children::decode(&mut Reader::new(&body)) {
            assert_eq!(children.iter().count(), children.len());
            assert!(children.len() <= body.len() / 4);
        }
    }
}

fn encode(record: &impl Encode) -> Bytes {
    let mut out = BytesMut::new();
    record.encode(&mut out);
    out.freeze()
}
