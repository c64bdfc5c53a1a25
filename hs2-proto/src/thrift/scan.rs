//! Walking over values without reading them: to skip unknown fields, and to find where a message ends that comes
//! over a socket without framing (NOSASL).
//!
//! The walk keeps its own stack, so that nesting costs no call stack and a walk that ran out of bytes goes on
//! where it stopped. Every step is one header or one run of bytes, so the work is linear in what arrived.

use super::message::METHOD_NAME_BYTES_MAX;
use super::{DecodeError, WireType};

/// Levels of structs, lists and maps inside each other. `TCLIService` itself needs seven.
pub const DEPTH_MAX: usize = 64;

/// Something begun and not yet passed. Values of one level take two entries at most: the container and the
/// value or bytes now being walked in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    /// Fields until a stop.
    Struct,
    /// This many elements.
    List { element: WireType, left: usize },
    /// This many keys and values, a key whenever `left` is even.
    Map {
        key: WireType,
        value: WireType,
        left: usize,
    },
    /// A value of this type.
    Value(WireType),
    /// This many bytes.
    Bytes(usize),
}

/// A walk over one value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walk {
    stack: Vec<Pending>,
}

/// How a step went.
enum Step {
    Taken,
    /// So many bytes more are needed, or at least.
    Needs(usize),
}

impl Walk {
    pub(crate) fn over(value: WireType) -> Self {
        Self {
            stack: vec![Pending::Value(value)],
        }
    }

    /// Walks as far as the bytes go and returns how many were passed. The value has ended when [`Self::ended`];
    /// otherwise at least the second number of bytes more are needed.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<(usize, usize), DecodeError> {
        let mut rest = bytes;
        while let Some(top) = self.stack.pop() {
            match self.step(top, &mut rest)? {
                Step::Taken => {}
                Step::Needs(needed) => return Ok((bytes.len() - rest.len(), needed)),
            }
        }
        Ok((bytes.len() - rest.len(), 0))
    }

    pub(crate) const fn ended(&self) -> bool {
        self.stack.is_empty()
    }

    /// Takes one step from `top`, which is popped already and is pushed back as far as it is not done.
    fn step(&mut self, top: Pending, rest: &mut &[u8]) -> Result<Step, DecodeError> {
        let needed = match top {
            Pending::Bytes(left) => {
                let taken = left.min(rest.len());
                *rest = rest.get(taken..).unwrap_or_default();
                if taken == left {
                    return Ok(Step::Taken);
                }
                self.stack.push(Pending::Bytes(left - taken));
                return Ok(Step::Needs(left - taken));
            }
            Pending::Struct => match rest {
                [0, after @ ..] => {
                    *rest = after;
                    return Ok(Step::Taken);
                }
                [code, _, _, after @ ..] => {
                    *rest = after;
                    self.stack.push(top);
                    return self.begin(Pending::Value(WireType(*code)));
                }
                short => 3 - short.len(),
            },
            Pending::List { left: 0, .. } | Pending::Map { left: 0, .. } => return Ok(Step::Taken),
            Pending::List { element, left } => {
                self.stack.push(Pending::List {
                    element,
                    left: left - 1,
                });
                return self.begin(Pending::Value(element));
            }
            Pending::Map { key, value, left } => {
                self.stack.push(Pending::Map {
                    key,
                    value,
                    left: left - 1,
                });
                return self.begin(Pending::Value(if left % 2 == 0 { key } else { value }));
            }
            Pending::Value(WireType::STRUCT) => return self.begin(Pending::Struct),
            Pending::Value(WireType::STRING) => match rest.split_first_chunk() {
                Some((length, after)) => {
                    *rest = after;
                    return self.begin(Pending::Bytes(length_of(*length)?));
                }
                None => 4 - rest.len(),
            },
            Pending::Value(WireType::LIST | WireType::SET) => match rest {
                [code, a, b, c, d, after @ ..] => {
                    *rest = after;
                    let (element, left) = (WireType(*code), length_of([*a, *b, *c, *d])?);
                    return match element.width() {
                        // At most 8 bytes times 2^31.
                        Some(width) => self.begin(Pending::Bytes(left.saturating_mul(width))),
                        None => self.begin(Pending::List { element, left }),
                    };
                }
                short => 5 - short.len(),
            },
            Pending::Value(WireType::MAP) => match rest {
                [key, value, a, b, c, d, after @ ..] => {
                    *rest = after;
                    let left = length_of([*a, *b, *c, *d])?.saturating_mul(2);
                    return self.begin(Pending::Map {
                        key: WireType(*key),
                        value: WireType(*value),
                        left,
                    });
                }
                short => 6 - short.len(),
            },
            Pending::Value(fixed) => match fixed.width() {
                Some(width) => return self.begin(Pending::Bytes(width)),
                None => return Err(DecodeError::UnknownType { code: fixed.0 }),
            },
        };
        self.stack.push(top);
        Ok(Step::Needs(needed))
    }

    fn begin(&mut self, next: Pending) -> Result<Step, DecodeError> {
        // Below the top there are only containers.
        if self.stack.len() >= DEPTH_MAX && !matches!(next, Pending::Bytes(_) | Pending::Value(_)) {
            return Err(DecodeError::TooDeep { limit: DEPTH_MAX });
        }
        self.stack.push(next);
        Ok(Step::Taken)
    }

    /// Bytes that the value takes beyond what has been walked, as far as is known now.
    fn claimed(&self) -> usize {
        self.stack.iter().fold(0usize, |sum, pending| {
            sum.saturating_add(match pending {
                Pending::Bytes(bytes) => *bytes,
                // Each element takes a byte at least; and each entry itself, where it still has to be read.
                Pending::List { left, .. } | Pending::Map { left, .. } => *left,
                Pending::Struct | Pending::Value(_) => 1,
            })
        })
    }
}

pub(crate) fn length_of(bytes: [u8; 4]) -> Result<usize, DecodeError> {
    let length = i32::from_be_bytes(bytes);
    usize::try_from(length).map_err(|_| DecodeError::NegativeLength { length })
}

/// Finds the end of messages that come back to back over a socket without framing.
///
/// Give it all bytes from the start of the message each time more have arrived; it goes on where it stopped.
///
/// ```
/// use hs2_proto::thrift::MessageScanner;
/// // A call `f` without arguments, and the first byte of another message.
/// let bytes = b"\x80\x01\0\x01\0\0\0\x01f\0\0\0\x07\0\x80";
/// let mut scanner = MessageScanner::new(1024);
/// assert_eq!(scanner.scan(&bytes[..10])?, None);
/// assert_eq!(scanner.scan(bytes)?, Some(14));
/// # Ok::<(), hs2_proto::thrift::DecodeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MessageScanner {
    limit: usize,
    passed: usize,
    /// `None` before the message's header has been passed.
    walk: Option<Walk>,
}

impl MessageScanner {
    /// A scanner that refuses messages of more than `limit` bytes as soon as their length fields say so.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            passed: 0,
            walk: None,
        }
    }

    /// The length of the message that `bytes` begin with, or `None` when more bytes are needed. After a length the
    /// scanner is at the start of the next message, which the caller gives it without the one found.
    ///
    /// # Errors
    /// The bytes are no Thrift message or it is too long. There is no way to find the next message then: close.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
        let walk = match &mut self.walk {
            Some(walk) => walk,
            None => {
                let Some(header) = header_length(bytes)? else {
                    return Ok(None);
                };
                self.passed = header;
                self.walk.insert(Walk::over(WireType::STRUCT))
            }
        };
        let (walked, _) = walk.advance(bytes.get(self.passed..).unwrap_or_default())?;
        self.passed += walked;
        let actual = self.passed.saturating_add(walk.claimed());
        if actual > self.limit {
            return Err(DecodeError::TooLong {
                limit: self.limit,
                actual,
            });
        }
        if !walk.ended() {
            return Ok(None);
        }
        let length = self.passed;
        *self = Self::new(self.limit);
        Ok(Some(length))
    }
}

/// The length of the one message that `bytes` begin with, or `None` when its end is not there yet. For repeated
/// calls on a growing buffer use [`MessageScanner`], which does not walk the same bytes twice.
///
/// # Errors
/// As [`MessageScanner::scan`].
pub fn message_length(bytes: &[u8], limit: usize) -> Result<Option<usize>, DecodeError> {
    MessageScanner::new(limit).scan(bytes)
}

/// Bytes of a message's header, strict or not, or `None` when they are not all there.
fn header_length(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
    let Some((word, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let (strict, name) = if word[0] & 0x80 == 0 {
        (false, *word)
    } else if word[..2] == [0x80, 1] {
        let Some(name) = rest.first_chunk::<4>() else {
            return Ok(None);
        };
        (true, *name)
    } else {
        return Err(DecodeError::BadVersion {
            word: u32::from_be_bytes(*word),
        });
    };
    let name = length_of(name)?;
    if name > METHOD_NAME_BYTES_MAX {
        return Err(DecodeError::TooLong {
            limit: METHOD_NAME_BYTES_MAX,
            actual: name,
        });
    }
    let length = if strict {
        4 + 4 + name + 4
    } else {
        4 + name + 1 + 4
    };
    Ok((bytes.len() >= length).then_some(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"\x80\x01\0\x01\0\0\0\x01f\0\0\0\x07";

    fn message(body: &[u8]) -> Vec<u8> {
        [HEADER, body].concat()
    }

    /// A struct with one field of each type, lists of lists and a map among them.
    fn every_type() -> Vec<u8> {
        [
            &b"\x02\0\x01\x01\x03\0\x02\x7f\x04\0\x03\0\0\0\0\0\0\0\0\x06\0\x04\0\0\x08\0\x05\0\0\0\0"[..],
            b"\x0a\0\x06\0\0\0\0\0\0\0\0\x0b\0\x07\0\0\0\x02ab\x0c\0\x08\x08\0\x01\0\0\0\0\0",
            b"\x0d\0\x09\x0b\x0c\0\0\0\x02\0\0\0\x01k\0\0\0\0\x01l\x02\0\x01\x01\0",
            b"\x0f\0\x0a\x0f\0\0\0\x02\x08\0\0\0\x01\0\0\0\0\x0b\0\0\0\0\x0e\0\x0b\x0a\0\0\0\x01\0\0\0\0\0\0\0\0\0",
        ]
        .concat()
    }

    #[test]
    fn the_end_is_found_however_the_bytes_arrive() {
        let bytes = message(&every_type());
        let mut with_next = bytes.clone();
        with_next.extend(HEADER);
        assert_eq!(message_length(&with_next, 1 << 20), Ok(Some(bytes.len())));
        let mut scanner = MessageScanner::new(1 << 20);
        for end in 0..bytes.len() {
            assert_eq!(
                message_length(&bytes[..end], 1 << 20),
                Ok(None),
                "prefix of {end} bytes"
            );
            assert_eq!(scanner.scan(&bytes[..end]), Ok(None));
        }
        assert_eq!(scanner.scan(&bytes), Ok(Some(bytes.len())));
        assert_eq!(
            scanner.scan(&bytes),
            Ok(Some(bytes.len())),
            "the scanner begins anew"
        );
    }

    #[test]
    fn a_non_strict_header() {
        assert_eq!(
            message_length(b"\0\0\0\x01f\x01\0\0\0\x07\0", 100),
            Ok(Some(11))
        );
    }

    #[test]
    fn nesting_ends_at_the_limit_and_does_not_recurse() {
        let nested =
            |levels: usize| message(&[b"\x0c\0\x01".repeat(levels - 1), vec![0; levels]].concat());
        assert_eq!(
            message_length(&nested(DEPTH_MAX), 1 << 20),
            Ok(Some(HEADER.len() + 4 * DEPTH_MAX - 3))
        );
        assert_eq!(
            message_length(&nested(DEPTH_MAX + 1), 1 << 20),
            Err(DecodeError::TooDeep { limit: DEPTH_MAX })
        );
        let lists = message(&[b"\x0f\0\x01".to_vec(), b"\x0f\0\0\0\x01".repeat(100_000)].concat());
        assert_eq!(
            message_length(&lists, 1 << 20),
            Err(DecodeError::TooDeep { limit: DEPTH_MAX })
        );
    }

    #[test]
    fn lengths_beyond_the_limit_are_refused_before_the_bytes_come() {
        let string = message(b"\x0b\0\x01\x7f\xff\xff\xff");
        assert!(matches!(
            message_length(&string, 1 << 20),
            Err(DecodeError::TooLong { .. })
        ));
        let list = message(b"\x0f\0\x01\x0b\x7f\xff\xff\xff");
        assert!(matches!(
            message_length(&list, 1 << 20),
            Err(DecodeError::TooLong { .. })
        ));
        let map = message(b"\x0d\0\x01\x0b\x0b\x7f\xff\xff\xff");
        assert!(matches!(
            message_length(&map, 1 << 20),
            Err(DecodeError::TooLong { .. })
        ));
        let negative = message(b"\x0b\0\x01\xff\xff\xff\xff");
        assert_eq!(
            message_length(&negative, 1 << 20),
            Err(DecodeError::NegativeLength { length: -1 })
        );
        assert_eq!(
            message_length(b"\x80\x01\0\x01\0\xff\0\0", 1 << 20),
            Err(DecodeError::TooLong {
                limit: METHOD_NAME_BYTES_MAX,
                actual: 0xff_0000
            })
        );
        assert_eq!(
            message_length(b"GET ", 1 << 20),
            Err(DecodeError::TooLong {
                limit: METHOD_NAME_BYTES_MAX,
                actual: 0x4745_5420
            })
        );
        assert_eq!(
            message_length(b"\x80\x02\0\x01", 1 << 20),
            Err(DecodeError::BadVersion { word: 0x8002_0001 })
        );
        assert_eq!(
            message_length(&message(b"\x01\0\x01"), 1 << 20),
            Err(DecodeError::UnknownType { code: 1 })
        );
    }
}
