//! Handles: how sessions and operations are named on the wire.

use super::operation::OperationType;
use crate::thrift::{Decode, DecodeError, Encode, Reader, Value, WireType, record, write_field};
use bytes::Bytes;

/// What a handle names, and the proof that its holder was given it.
///
/// `THandleIdentifier` of the service definition: two binary fields of 16 bytes each.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HandleId {
    /// The name; printed as a UUID.
    pub guid: [u8; 16],
    /// The proof; real servers compare it, so it is no part of any text.
    pub secret: [u8; 16],
}

impl std::fmt::Display for HandleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let n = u128::from_be_bytes(self.guid);
        let (a, b, c, d) = (
            n >> 96,
            n >> 80 & 0xffff,
            n >> 64 & 0xffff,
            n >> 48 & 0xffff,
        );
        write!(
            f,
            "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{:012x}",
            n & 0xffff_ffff_ffff
        )
    }
}

impl std::fmt::Debug for HandleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HandleId({self})")
    }
}

const RECORD: &str = "THandleIdentifier";

impl Value for HandleId {
    const TYPE: WireType = WireType::STRUCT;
}

impl Decode for HandleId {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut guid, mut secret) = (None, None);
        while let Some((code, id)) = reader.field()? {
            match id {
                1 => guid = Some(sixteen(reader.value(code, RECORD, "guid")?, "guid")?),
                2 => secret = Some(sixteen(reader.value(code, RECORD, "secret")?, "secret")?),
                _ => reader.skip(code)?,
            }
        }
        let missing = |field| DecodeError::MissingField {
            record: RECORD,
            field,
        };
        Ok(Self {
            guid: guid.ok_or(missing("guid"))?,
            secret: secret.ok_or(missing("secret"))?,
        })
    }
}

impl Encode for HandleId {
    fn write(&self, out: &mut Vec<u8>) {
        write_field(out, 1, &Bytes::copy_from_slice(&self.guid));
        write_field(out, 2, &Bytes::copy_from_slice(&self.secret));
        out.push(WireType::STOP.0);
    }
}

#[allow(clippy::needless_pass_by_value)]
fn sixteen(bytes: Bytes, field: &'static str) -> Result<[u8; 16], DecodeError> {
    <[u8; 16]>::try_from(&*bytes).map_err(|_| DecodeError::Invalid {
        record: RECORD,
        field,
        reason: "a handle has 16 bytes",
    })
}

record! {
    /// Names a session, on every connection of its server.
    #[derive(Copy, Eq, Hash)]
    pub struct SessionHandle = "TSessionHandle" {
        /// Its name and secret.
        1: required session_id: HandleId = "sessionId",
    }
}

record! {
    /// Names an operation, on every connection of its server. Clients send it back whole; a server looks it up by
    /// its id and ignores the rest.
    #[derive(Copy)]
    pub struct OperationHandle = "TOperationHandle" {
        /// Its name and secret.
        1: required operation_id: HandleId = "operationId",
        /// What kind of call made it.
        2: required operation_type: OperationType = "operationType",
        /// Whether there are rows to fetch. JDBC takes `false` as an update.
        3: required has_result_set: bool = "hasResultSet",
        /// Never set by Hive or Spark.
        4: optional modified_row_count: f64 = "modifiedRowCount",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_prints_as_a_uuid_and_hides_its_secret() {
        let id = HandleId {
            guid: std::array::from_fn(|i| u8::try_from(i).unwrap()),
            secret: [0xee; 16],
        };
        assert_eq!(id.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
        assert!(!format!("{:?}", SessionHandle { session_id: id }).contains("ee"));
    }

    #[test]
    fn an_id_of_another_length_is_an_error() {
        let error = HandleId::read(&mut Reader::new(b"\x0b\0\x01\0\0\0\x01a\0")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "THandleIdentifier.guid: a handle has 16 bytes"
        );
        let error = HandleId::read(&mut Reader::new(b"\0")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "THandleIdentifier lacks its required field guid"
        );
    }
}
