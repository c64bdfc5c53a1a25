//! Where row sets are written to: one buffer, or pieces of which the large ones are not copied.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Takes the bytes of a row set and of the answer around it.
pub trait Output {
    /// The end of what was written, to append to.
    fn bytes(&mut self) -> &mut Vec<u8>;
    /// Adds the values of a column, of which there may be many.
    fn values(&mut self, values: &[u8]);
    /// Where it ends now.
    fn mark(&mut self) -> Mark;
    /// Takes back what was written since.
    fn back_to(&mut self, mark: Mark);
}

/// A place in an [`Output`].
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    own: usize,
    shared: usize,
}

impl Output for Vec<u8> {
    fn bytes(&mut self) -> &mut Self {
        self
    }

    fn values(&mut self, values: &[u8]) {
        self.extend_from_slice(values);
    }

    fn mark(&mut self) -> Mark {
        Mark {
            own: self.len(),
            shared: 0,
        }
    }

    fn back_to(&mut self, mark: Mark) {
        self.truncate(mark.own);
    }
}

/// Shorter values are copied: a piece of its own costs more.
const SHARED_BYTES_MIN: usize = 4 << 10;

/// A message in pieces: bytes of its own, and between them parts of other memory, which are sent from where they are.
#[derive(Debug, Default)]
pub struct Pieces {
    own: Vec<u8>,
    /// How many of its own bytes have been sent.
    sent: usize,
    /// Each with how many of its own bytes stand before it.
    shared: VecDeque<(usize, Bytes)>,
    shared_bytes: usize,
    source: Bytes,
}

impl Pieces {
    /// From now values that lie in `source` are shared. All others are copied.
    pub fn share_from(&mut self, source: Bytes) {
        self.source = source;
    }

    /// All of it in one buffer.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<u8> {
        if self.shared.is_empty() && self.sent == 0 {
            return self.own;
        }
        let mut out = vec![0; self.remaining()];
        self.copy_to_slice(&mut out);
        out
    }

    /// Where in the source these bytes lie, if they do.
    fn part_of_source(&self, values: &[u8]) -> Option<Bytes> {
        let start = values.as_ptr().addr();
        let start = start.checked_sub(self.source.as_ptr().addr())?;
        let end = start.checked_add(values.len())?;
        let part = self.source.get(start..end)?;
        Some(self.source.slice_ref(part))
    }

    /// Its own bytes before the next shared ones.
    fn next_own(&self) -> &[u8] {
        let end = self.shared.front().map_or(self.own.len(), |(at, _)| *at);
        self.own.get(self.sent..end).unwrap_or_default()
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(own: Vec<u8>) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }
}

impl Output for Pieces {
    fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.own
    }

    fn values(&mut self, values: &[u8]) {
        let shared = if values.len() < SHARED_BYTES_MIN {
            None
        } else {
            self.part_of_source(values)
        };
        match shared {
            Some(part) => {
                self.shared_bytes += part.len();
                self.shared.push_back((self.own.len(), part));
            }
            None => self.own.extend_from_slice(values),
        }
    }

    fn mark(&mut self) -> Mark {
        Mark {
            own: self.own.len(),
            shared: self.shared.len(),
        }
    }

    fn back_to(&mut self, mark: Mark) {
        self.own.truncate(mark.own);
        self.shared.truncate(mark.shared);
        self.shared_bytes = self.shared.iter().map(|(_, part)| part.len()).sum();
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.own.len() - self.sent + self.shared_bytes
    }

    fn chunk(&self) -> &[u8] {
        match (self.next_own(), self.shared.front()) {
            ([], Some((_, part))) => part,
            (own, _) => own,
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        let mut fill = |bytes: &'a [u8]| {
            if let (false, Some(slice)) = (bytes.is_empty(), slices.get_mut(filled)) {
                *slice = IoSlice::new(bytes);
                filled += 1;
            }
        };
        let mut from = self.sent;
        for (at, part) in &self.shared {
            fill(self.own.get(from..*at).unwrap_or_default());
            fill(part);
            from = *at;
        }
        fill(self.own.get(from..).unwrap_or_default());
        filled
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let own = self.next_own().len().min(count);
            if own > 0 {
                self.sent += own;
                count -= own;
                continue;
            }
            let Some((_, part)) = self.shared.front_mut() else {
                return;
            };
            let taken = part.len().min(count);
            part.advance(taken);
            self.shared_bytes -= taken;
            count -= taken;
            if part.is_empty() {
                self.shared.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(source: &Bytes) -> Pieces {
        let mut pieces = Pieces::default();
        pieces.share_from(source.clone());
        pieces.bytes().extend_from_slice(b"head");
        pieces.values(&source[100..100 + SHARED_BYTES_MIN]);
        pieces.values(&source[..50]); // Too short to be shared.
        pieces.values(&vec![7; SHARED_BYTES_MIN]); // Other memory.
        pieces.values(&source[SHARED_BYTES_MIN..]);
        pieces.values(&source[SHARED_BYTES_MIN..]);
        pieces
    }

    fn source() -> Bytes {
        (0..3 * SHARED_BYTES_MIN)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect::<Vec<_>>()
            .into()
    }

    #[test]
    fn pieces_are_what_one_buffer_would_be_however_they_are_taken() {
        let source = source();
        let mut expected = b"head".to_vec();
        expected.values(&source[100..100 + SHARED_BYTES_MIN]);
        expected.values(&source[..50]);
        expected.values(&[7; SHARED_BYTES_MIN]);
        expected.values(&source[SHARED_BYTES_MIN..]);
        expected.values(&source[SHARED_BYTES_MIN..]);
        assert_eq!(written(&source).shared.len(), 3);
        assert_eq!(written(&source).into_vec(), expected);
        for step in [1, 3, 1000, SHARED_BYTES_MIN, usize::MAX] {
            for slices in [1, 2, 64] {
                let mut pieces = written(&source);
                let mut taken = Vec::new();
                while pieces.has_remaining() {
                    assert_eq!(taken.len() + pieces.remaining(), expected.len());
                    let mut room = vec![IoSlice::new(&[]); slices];
                    let filled = pieces.chunks_vectored(&mut room);
                    assert_eq!(&*room[0], pieces.chunk());
                    let mut bytes: Vec<u8> = room[..filled]
                        .iter()
                        .flat_map(|slice| slice.to_vec())
                        .collect();
                    bytes.truncate(step);
                    pieces.advance(bytes.len());
                    taken.extend(bytes);
                }
                assert_eq!(taken, expected);
            }
        }
    }

    #[test]
    fn what_was_taken_back_is_gone() {
        let source = source();
        let mut pieces = written(&source);
        let (mark, length) = (pieces.mark(), pieces.remaining());
        pieces.values(&source);
        pieces.bytes().push(1);
        pieces.back_to(mark);
        assert_eq!(pieces.remaining(), length);
        assert_eq!(pieces.into_vec(), written(&source).into_vec());
    }
}
