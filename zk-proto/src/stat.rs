//! What the server knows about a znode besides its data.

use bytes::{BufMut, BytesMut};

use crate::jute::{Decode, Encode, Reader};
use crate::{DecodeError, SessionId, Zxid};

/// A znode's metadata (jute `Stat`, 68 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stat {
    /// The transaction that created the znode.
    pub czxid: Zxid,
    /// The transaction that last changed its data.
    pub mzxid: Zxid,
    /// When it was created, in milliseconds since 1970 by the server's clock.
    pub ctime_ms: i64,
    /// When its data was last changed, likewise.
    pub mtime_ms: i64,
    /// How often its data was changed.
    pub version: i32,
    /// How often its list of children was changed.
    pub cversion: i32,
    /// How often its ACL was changed.
    pub aversion: i32,
    /// The session that an ephemeral znode belongs to; [`SessionId::NONE`] for every other znode.
    pub ephemeral_owner: SessionId,
    /// Bytes of data.
    pub data_length: i32,
    /// How many children it has.
    pub num_children: i32,
    /// The transaction that last changed its list of children.
    pub pzxid: Zxid,
}

impl Encode for Stat {
    fn encode(&self, out: &mut BytesMut) {
        out.put_i64(self.czxid.0);
        out.put_i64(self.mzxid.0);
        out.put_i64(self.ctime_ms);
        out.put_i64(self.mtime_ms);
        out.put_i32(self.version);
        out.put_i32(self.cversion);
        out.put_i32(self.aversion);
        out.put_i64(self.ephemeral_owner.0);
        out.put_i32(self.data_length);
        out.put_i32(self.num_children);
        out.put_i64(self.pzxid.0);
    }
}

impl<'a> Decode<'a> for Stat {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("Stat");
        // In nearly every answer: one look at the length instead of eleven.
        if let Some(whole) = r.next_array::<{ Self::BYTES }>() {
            return Ok(Self::from_bytes(whole));
        }
        Ok(Self {
            czxid: Zxid(r.long("czxid")?),
            mzxid: Zxid(r.long("mzxid")?),
            ctime_ms: r.long("ctime")?,
            mtime_ms: r.long("mtime")?,
            version: r.int("version")?,
            cversion: r.int("cversion")?,
            aversion: r.int("aversion")?,
            ephemeral_owner: SessionId(r.long("ephemeralOwner")?),
            data_length: r.int("dataLength")?,
            num_children: r.int("numChildren")?,
            pzxid: Zxid(r.long("pzxid")?),
        })
    }
}

impl Stat {
    const BYTES: usize = 68;

    fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        fn long(bytes: &mut &[u8]) -> i64 {
            bytes.split_first_chunk().map_or(0, |(first, rest)| {
                *bytes = rest;
                i64::from_be_bytes(*first)
            })
        }
        fn int(bytes: &mut &[u8]) -> i32 {
            bytes.split_first_chunk().map_or(0, |(first, rest)| {
                *bytes = rest;
                i32::from_be_bytes(*first)
            })
        }
        let mut bytes = &bytes[..];
        let b = &mut bytes;
        Self {
            czxid: Zxid(long(b)),
            mzxid: Zxid(long(b)),
            ctime_ms: long(b),
            mtime_ms: long(b),
            version: int(b),
            cversion: int(b),
            aversion: int(b),
            ephemeral_owner: SessionId(long(b)),
            data_length: int(b),
            num_children: int(b),
            pzxid: Zxid(long(b)),
        }
    }
}
