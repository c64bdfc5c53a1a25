//! `getChildren` (8) and `getChildren2` (12), and the list of names that they return.

use std::fmt;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{DecodeError, DecodeErrorKind};
use crate::jute::{Decode, Encode, Reader, put_count, put_string};
use crate::stat::Stat;

/// The request of both (jute `GetChildrenRequest`, `GetChildren2Request`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetChildrenRequest<'a> {
    /// Whose children.
    pub path: &'a str,
    /// Whether to leave a watch for the next child that comes or goes.
    pub watch: bool,
}

impl Encode for GetChildrenRequest<'_> {
    fn encode(&self, out: &mut BytesMut) {
        put_string(out, self.path);
        out.put_u8(u8::from(self.watch));
    }
}

impl<'a> Decode<'a> for GetChildrenRequest<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetChildrenRequest");
        Ok(Self {
            path: r.string("path")?,
            watch: r.boolean("watch")?,
        })
    }
}

/// The names of a znode's children, in no order, without the parent's path.
///
/// The list keeps the frame it came in and where each name starts; a name is read when it is asked for. Decoding checks
/// every length and allocates once, whatever the number of names. A name that is not UTF-8 is an error of that name
/// alone. Cloning copies the offsets, not the names.
#[derive(Clone, Default)]
pub struct Children {
    frame: Bytes,
    /// Where each name's length field stands in `frame`; the frames that a decoder admits are under 4 GiB.
    starts: Vec<u32>,
}

impl Children {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The name at `index`; `None` past the end.
    ///
    /// # Errors
    /// The name is not UTF-8.
    pub fn get(&self, index: usize) -> Option<Result<&str, DecodeError>> {
        self.starts.get(index).map(|start| self.name_at(*start))
    }

    /// The names. Each is an error where it is not UTF-8.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<&str, DecodeError>> + '_ {
        // Checked as one text, the lengths between the names included: many times faster than name by name. That fails
        // where a name is long or not UTF-8, and then each is checked alone.
        let first = self.starts.first().copied().unwrap_or(0);
        let text = std::str::from_utf8(self.names()).ok();
        self.starts.iter().map(move |start| {
            let at = (*start - first) as usize;
            text.and_then(|text| text.get(name_range(text.as_bytes(), at)))
                .map_or_else(|| self.name_at(*start), Ok)
        })
    }

    /// The part of the frame that holds the names and their lengths.
    fn names(&self) -> &[u8] {
        let (Some(first), Some(last)) = (self.starts.first(), self.starts.last()) else {
            return &[];
        };
        let end = name_range(&self.frame, *last as usize).end;
        self.frame.get(*first as usize..end).unwrap_or_default()
    }

    /// The names as owned texts; those that are not UTF-8 are left out.
    #[must_use]
    pub fn to_vec(&self) -> Vec<String> {
        self.iter()
            .filter_map(|name| name.ok().map(str::to_owned))
            .collect()
    }

    fn name_at(&self, start: u32) -> Result<&str, DecodeError> {
        let start = start as usize;
        let range = name_range(&self.frame, start);
        let name = self.frame.get(range).unwrap_or_default();
        std::str::from_utf8(name).map_err(|_| DecodeError {
            record: "GetChildrenResponse",
            field: "children",
            offset: start,
            kind: DecodeErrorKind::NotUtf8,
        })
    }
}

/// Where the name is whose length field stands at `start`. A null name reads as the empty name.
fn name_range(bytes: &[u8], start: usize) -> Range<usize> {
    let at = start.saturating_add(4);
    let length = bytes
        .get(start..at)
        .and_then(<[u8]>::first_chunk::<4>)
        .map_or(0, |length| i32::from_be_bytes(*length));
    at..at.saturating_add(usize::try_from(length).unwrap_or(0))
}

impl fmt::Debug for Children {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Equal when the names are, in the same order.
impl PartialEq for Children {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Children {}

/// For servers: a list of the given names.
impl<S: AsRef<str>> FromIterator<S> for Children {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut frame = BytesMut::new();
        let mut starts = Vec::new();
        for name in names {
            starts.push(u32::try_from(frame.len()).unwrap_or(u32::MAX));
            put_string(&mut frame, name.as_ref());
        }
        Self {
            frame: frame.freeze(),
            starts,
        }
    }
}

impl Encode for Children {
    fn encode(&self, out: &mut BytesMut) {
        put_count(out, self.len());
        for name in self.iter() {
            put_string(out, name.unwrap_or_default());
        }
    }
}

impl<'a> Decode<'a> for Children {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = r.length("children")?.unwrap_or(0);
        let mut starts = Vec::with_capacity(count.min(r.remaining() / 4));
        for _ in 0..count {
            let start = r.skip_buffer("children")?;
            starts.push(u32::try_from(start).unwrap_or(u32::MAX));
        }
        Ok(Self {
            frame: r.payload().clone(),
            starts,
        })
    }
}

/// The answer to `getChildren` (jute `GetChildrenResponse`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetChildrenResponse {
    /// The names.
    pub children: Children,
}

impl Encode for GetChildrenResponse {
    fn encode(&self, out: &mut BytesMut) {
        self.children.encode(out);
    }
}

impl<'a> Decode<'a> for GetChildrenResponse {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetChildrenResponse");
        Ok(Self {
            children: Children::decode(r)?,
        })
    }
}

/// The answer to `getChildren2` (jute `GetChildren2Response`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetChildren2Response {
    /// The names.
    pub children: Children,
    /// The parent's stat.
    pub stat: Stat,
}

impl Encode for GetChildren2Response {
    fn encode(&self, out: &mut BytesMut) {
        self.children.encode(out);
        self.stat.encode(out);
    }
}

impl<'a> Decode<'a> for GetChildren2Response {
    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.record("GetChildren2Response");
        Ok(Self {
            children: Children::decode(r)?,
            stat: Stat::decode(r)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Children, DecodeError> {
        let payload = Bytes::copy_from_slice(bytes);
        Children::decode(&mut Reader::new(&payload))
    }

    #[test]
    fn a_bad_name_is_an_error_of_that_name() {
        let children = decode(b"\0\0\0\x03\0\0\0\x01a\0\0\0\x01\xff\0\0\0\x01b").unwrap();
        let names: Vec<_> = children.iter().collect();
        assert_eq!((names[0], names[2]), (Ok("a"), Ok("b")));
        assert_eq!(names[1].unwrap_err().offset, 9);
        assert_eq!(children.to_vec(), ["a", "b"]);
    }

    #[test]
    fn names_read_the_same_together_and_alone() {
        let long = "x".repeat(200);
        let accents = "é".repeat(30);
        // A length of 195 is the first byte of a letter of two bytes, 0xC3.
        let split = "y".repeat(195);
        for names in [
            vec!["a", "", "b"],
            vec![&long, "a"],
            vec![&accents, "ü", "z"],
            vec![&split, &accents],
            vec![],
        ] {
            let children: Children = names.iter().collect();
            assert!(children.iter().eq(names.iter().map(|name| Ok(*name))));
            let alone = (0..children.len()).map(|at| children.get(at).unwrap());
            assert!(alone.eq(children.iter()));
        }
        // Two halves of a letter are no text, although they stand beside one another nearly whole.
        let children = decode(b"\0\0\0\x02\0\0\0\x01\xc3\0\0\0\x01\xa9").unwrap();
        assert!(children.iter().all(|name| name.is_err()));
    }

    #[test]
    fn the_count_allocates_no_more_than_the_bytes_justify() {
        assert!(decode(b"\x7f\xff\xff\xff\0\0\0\x01a").is_err());
        assert!(decode(b"\0\0\0\x02\0\0\0\x01a").is_err());
        assert!(decode(b"\0\0\0\x01\x7f\xff\xff\xffa").is_err());
    }

    #[test]
    fn null_is_empty() {
        assert_eq!(decode(b"\xff\xff\xff\xff").unwrap().len(), 0);
    }
}
