//! Reading from bytes that are all there.

use super::scan::{Walk, length_of};
use super::{Decode, DecodeError, Value, WireType};
use bytes::Bytes;

/// A cursor over one message or a part of one.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// What `rest` is a part of, when it can be shared instead of copied.
    frame: Option<&'a Bytes>,
}

impl<'a> Reader<'a> {
    /// A reader of borrowed bytes; binary values are copied out of them.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            frame: None,
        }
    }

    /// A reader of a frame; binary values share its memory.
    #[must_use]
    pub fn of_frame(frame: &'a Bytes) -> Self {
        Self {
            rest: frame,
            frame: Some(frame),
        }
    }

    /// The bytes not read yet.
    #[must_use]
    pub const fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when there are fewer.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.truncated(length))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| self.truncated(N))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A length or count, and proof that so many bytes are there: nothing has elements of no bytes.
    ///
    /// # Errors
    /// [`DecodeError::NegativeLength`] or [`DecodeError::Truncated`].
    pub fn length(&mut self) -> Result<usize, DecodeError> {
        let length = length_of(self.array()?)?;
        if length > self.rest.len() {
            Err(self.truncated(length))
        } else {
            Ok(length)
        }
    }

    /// A binary value: its length, then its bytes.
    ///
    /// # Errors
    /// As [`Reader::length`].
    pub fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length()?;
        self.take(length)
    }

    /// `bytes`, which this reader gave out, as shared memory: a part of the frame where there is one.
    #[must_use]
    pub fn share(&self, bytes: &'a [u8]) -> Bytes {
        match self.frame {
            Some(frame) => frame.slice_ref(bytes),
            None => Bytes::copy_from_slice(bytes),
        }
    }

    /// The type and id of the next field of a struct, or `None` at its end.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn field(&mut self) -> Result<Option<(WireType, i16)>, DecodeError> {
        let [code] = self.array()?;
        if WireType(code) == WireType::STOP {
            return Ok(None);
        }
        Ok(Some((WireType(code), i16::from_be_bytes(self.array()?))))
    }

    /// The value of a field that has come with type `actual`.
    ///
    /// # Errors
    /// [`DecodeError::WrongType`] when `T` is another type, or what is wrong inside the value.
    pub fn value<T: Decode>(
        &mut self,
        actual: WireType,
        record: &'static str,
        field: &'static str,
    ) -> Result<T, DecodeError> {
        expect(T::TYPE, actual, record, field)?;
        T::read(self).map_err(|error| match error {
            // A text does not know where it stands.
            DecodeError::NotUtf8 { record: "", .. } => DecodeError::NotUtf8 { record, field },
            DecodeError::WrongType {
                record: "",
                expected,
                actual,
                ..
            } => DecodeError::WrongType {
                record,
                field,
                expected,
                actual,
            },
            error => error,
        })
    }

    /// Passes over a value of any type.
    ///
    /// # Errors
    /// [`DecodeError::TooDeep`], [`DecodeError::UnknownType`], or lengths that do not fit.
    pub fn skip(&mut self, value: WireType) -> Result<(), DecodeError> {
        let mut walk = Walk::over(value);
        let (passed, needed) = walk.advance(self.rest)?;
        self.take(passed)?;
        if walk.ended() {
            Ok(())
        } else {
            Err(self.truncated(needed))
        }
    }

    /// Nothing more may come.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`].
    pub const fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(DecodeError::Trailing { bytes }),
        }
    }

    const fn truncated(&self, needed: usize) -> DecodeError {
        DecodeError::Truncated {
            needed,
            remaining: self.rest.len(),
        }
    }
}

/// Checks a field's type.
pub(crate) fn expect(
    expected: WireType,
    actual: WireType,
    record: &'static str,
    field: &'static str,
) -> Result<(), DecodeError> {
    if expected == actual {
        Ok(())
    } else {
        Err(DecodeError::WrongType {
            record,
            field,
            expected,
            actual,
        })
    }
}

macro_rules! fixed {
    ($($type:ty = $code:ident),*) => {$(
        impl Value for $type {
            const TYPE: WireType = WireType::$code;
        }
        impl Decode for $type {
            fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.array().map(Self::from_be_bytes)
            }
        }
    )*};
}
fixed!(i8 = BYTE, i16 = I16, i32 = I32, i64 = I64, f64 = DOUBLE);

impl Value for bool {
    const TYPE: WireType = WireType::BOOL;
}
impl Decode for bool {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array().map(|[byte]| byte != 0)
    }
}

impl Value for String {
    const TYPE: WireType = WireType::STRING;
}
impl Decode for String {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let text = std::str::from_utf8(reader.binary()?);
        text.map(str::to_owned).map_err(|_| DecodeError::NotUtf8 {
            record: "",
            field: "",
        })
    }
}

/// Binary values.
impl Value for Bytes {
    const TYPE: WireType = WireType::STRING;
}
impl Decode for Bytes {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.binary()?;
        Ok(reader.share(bytes))
    }
}

impl<T: Value> Value for Vec<T> {
    const TYPE: WireType = WireType::LIST;
}
impl<T: Decode> Decode for Vec<T> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [element] = reader.array()?;
        let count = reader.length()?;
        let mut list = Self::new();
        if count > 0 {
            expect(T::TYPE, WireType(element), "", "")?;
        }
        for _ in 0..count {
            list.push(T::read(reader)?);
        }
        Ok(list)
    }
}

/// A map with text keys, in the order of the wire: Hive applies settings in that order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringMap<V = String>(pub Vec<(String, V)>);

impl<V> StringMap<V> {
    /// The last value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&V> {
        self.0
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Keys and values in the order of the wire.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl<V> Default for StringMap<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Into<String>, T: Into<V>, V> FromIterator<(K, T)> for StringMap<V> {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl<V: Value> Value for StringMap<V> {
    const TYPE: WireType = WireType::MAP;
}
impl<V: Decode> Decode for StringMap<V> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [key, value] = reader.array()?;
        let count = reader.length()?;
        let mut map = Self::default();
        if count > 0 {
            expect(WireType::STRING, WireType(key), "", "")?;
            expect(V::TYPE, WireType(value), "", "")?;
        }
        for _ in 0..count {
            map.0.push((String::read(reader)?, V::read(reader)?));
        }
        Ok(map)
    }
}
