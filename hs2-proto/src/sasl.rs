//! SASL over TCP: the negotiation before the first call, and the frames after it.
//!
//! ```text
//!   client                                        server
//!     START "PLAIN"  ────────────────────────────►
//!     OK or COMPLETE "\0user\0password"  ────────►
//!        ◄──────────────────────────────────────── COMPLETE, or BAD/ERROR with a text and then the end
//!     length, message  ──────────────────────────►
//!        ◄──────────────────────────────────────── length, message
//! ```
//!
//! With the mechanism GSSAPI, which is Kerberos, tokens go both ways under OK until each side has proven itself; then the
//! server offers security layers and the client chooses one ([`SecurityLayer`]).
//!
//! A negotiation frame is a status byte, a length (u32) and a payload; a data frame a length (u32) and one message.
//! Everything here takes bytes from the front of a buffer when they are all there, and says so when they are not.

use bytes::{Buf, Bytes, BytesMut};

/// What a negotiation frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SaslStatus {
    /// The client names a mechanism.
    Start = 1,
    /// The exchange goes on. Python clients mark their PLAIN response so.
    Ok = 2,
    /// The negotiation failed: unknown mechanism, wrong password. The payload is a text.
    Bad = 3,
    /// The peer failed. The payload is a text.
    Error = 4,
    /// The exchange is done. Java clients mark their PLAIN response so.
    Complete = 5,
}

impl SaslStatus {
    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Start,
            2 => Self::Ok,
            3 => Self::Bad,
            4 => Self::Error,
            5 => Self::Complete,
            _ => return None,
        })
    }
}

/// Why the bytes are no negotiation. The texts are those of Java servers: send them with [`SaslStatus::Error`] and
/// close.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SaslError {
    /// The first byte is no status. Java prints it signed: a raw Thrift client (0x80) is -128.
    #[error("Invalid status {}", byte.cast_signed())]
    InvalidStatus {
        /// The byte.
        byte: u8,
    },
    /// A payload that is too long.
    #[error("Invalid payload header length: {actual}")]
    PayloadTooLong {
        /// Bytes allowed.
        limit: usize,
        /// Bytes claimed.
        actual: u32,
    },
    /// A PLAIN response that is not `[authzid] NUL user NUL password` in UTF-8.
    #[error("Error validating the login")]
    MalformedPlain,
    /// What should be an offer or a choice of security layers is not four bytes and a name in UTF-8.
    #[error("the message about security layers is none")]
    MalformedLayer,
}

/// A frame of the negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiation {
    /// What it says.
    pub status: SaslStatus,
    /// Mechanism name, challenge, response, or the text of a failure.
    pub payload: Bytes,
}

/// Longest payload that is sensible: a mechanism's name, a password, a Kerberos ticket.
pub const NEGOTIATION_BYTES_MAX: usize = 64 * 1024;

impl Negotiation {
    /// Takes a frame from the front of `buffer`, or nothing when it is not all there.
    ///
    /// # Errors
    /// [`SaslError::InvalidStatus`] by the first byte alone, [`SaslError::PayloadTooLong`] by the length alone.
    pub fn take(buffer: &mut BytesMut, payload_max: usize) -> Result<Option<Self>, SaslError> {
        let Some(&byte) = buffer.first() else {
            return Ok(None);
        };
        let status = SaslStatus::of(byte).ok_or(SaslError::InvalidStatus { byte })?;
        let Some(length) = buffer.get(1..5).and_then(<[u8]>::first_chunk) else {
            return Ok(None);
        };
        let actual = u32::from_be_bytes(*length);
        let length = usize::try_from(actual).unwrap_or(usize::MAX);
        if length > payload_max {
            return Err(SaslError::PayloadTooLong {
                limit: payload_max,
                actual,
            });
        }
        if buffer.len() < 5 + length {
            return Ok(None);
        }
        buffer.advance(5);
        Ok(Some(Self {
            status,
            payload: buffer.split_to(length).freeze(),
        }))
    }
}

/// Appends a negotiation frame. A payload beyond 32 bits, which nobody reads, is cut.
pub fn write_negotiation(out: &mut Vec<u8>, status: SaslStatus, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.push(status as u8);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend(
        payload
            .iter()
            .take(usize::try_from(length).unwrap_or(usize::MAX)),
    );
}

/// The response of the mechanism PLAIN. `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Plain {
    /// As whom to act; every client leaves it empty. A server must refuse one that is not `user`.
    pub authzid: String,
    /// Who logs in.
    pub user: String,
    /// The password. Real servers refuse an empty one even where they check none, so clients send something.
    pub password: String,
}

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plain")
            .field("authzid", &self.authzid)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Plain {
    /// Name of the mechanism.
    pub const MECHANISM: &'static str = "PLAIN";

    /// Reads a response.
    ///
    /// # Errors
    /// [`SaslError::MalformedPlain`] when there are not three parts, or one is not UTF-8.
    pub fn parse(payload: &[u8]) -> Result<Self, SaslError> {
        let text = std::str::from_utf8(payload).map_err(|_| SaslError::MalformedPlain)?;
        let mut parts = text.split('\0').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(authzid), Some(user), Some(password), None) => Ok(Self {
                authzid,
                user,
                password,
            }),
            _ => Err(SaslError::MalformedPlain),
        }
    }

    /// The response's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [
            self.authzid.as_bytes(),
            self.user.as_bytes(),
            self.password.as_bytes(),
        ]
        .join(&0)
    }
}

/// The last message of each side in the mechanism GSSAPI (RFC 4752), as it is once unwrapped: what the server offers for
/// the frames behind the login, and what the client chooses of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityLayer<'a> {
    layers: u8,
    /// As whom to act, in the client's message; empty for the principal itself. A server must refuse another one.
    pub authzid: &'a str,
}

impl<'a> SecurityLayer<'a> {
    /// Name of the mechanism.
    pub const MECHANISM: &'static str = "GSSAPI";
    /// The offer, and the choice, of no layer (Hive's QOP `auth`): frames go as they are.
    pub const NONE: [u8; 4] = [Self::NO_LAYER, 0, 0, 0];
    const NO_LAYER: u8 = 1;

    /// Reads a message of either side.
    ///
    /// # Errors
    /// [`SaslError::MalformedLayer`].
    pub fn parse(message: &'a [u8]) -> Result<Self, SaslError> {
        // Behind the layers is the size of a wrapped message, which means nothing without one.
        let (&[layers, _, _, _], authzid) = message
            .split_first_chunk()
            .ok_or(SaslError::MalformedLayer)?;
        let authzid = std::str::from_utf8(authzid).map_err(|_| SaslError::MalformedLayer)?;
        Ok(Self { layers, authzid })
    }

    /// Whether no layer is among those offered.
    #[must_use]
    pub const fn offers_none(&self) -> bool {
        self.layers & Self::NO_LAYER != 0
    }

    /// Whether no layer is what was chosen.
    #[must_use]
    pub const fn chooses_none(&self) -> bool {
        self.layers == Self::NO_LAYER
    }
}

/// A frame that is larger than the reader allows. What follows it cannot be found: close.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {actual} bytes was announced, {limit} are allowed")]
pub struct FrameTooLarge {
    /// Bytes allowed.
    pub limit: usize,
    /// Bytes announced.
    pub actual: u32,
}

/// Takes a data frame's content from the front of `buffer`, or nothing when it is not all there. The buffer is
/// not made larger: reserve as the bytes come, not as the length says.
///
/// # Errors
/// [`FrameTooLarge`] by the length alone.
pub fn take_frame(buffer: &mut BytesMut, frame_max: usize) -> Result<Option<Bytes>, FrameTooLarge> {
    let Some(length) = buffer.first_chunk() else {
        return Ok(None);
    };
    let actual = u32::from_be_bytes(*length);
    let length = usize::try_from(actual).unwrap_or(usize::MAX);
    if length > frame_max {
        return Err(FrameTooLarge {
            limit: frame_max,
            actual,
        });
    }
    if buffer.len() - 4 < length {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// Appends a data frame whose content `write` appends.
///
/// # Errors
/// [`FrameTooLarge`] when the content is more than 32 bits can count; then nothing is appended.
pub fn write_frame(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>),
) -> Result<(), FrameTooLarge> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = u32::try_from(out.len() - start - 4);
    match (length, out.get_mut(start..start + 4)) {
        (Ok(length), Some(header)) => {
            header.copy_from_slice(&length.to_be_bytes());
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(FrameTooLarge {
                limit: 0xffff_ffff,
                actual: u32::MAX,
            })
        }
    }
}

/// What a peer speaks, guessed from the first byte of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FirstByte {
    /// A Thrift message without SASL: 0x80, or 0 in the older form.
    Thrift,
    /// A SASL status.
    Sasl,
    /// A TLS hello, or a TLS alert, with which a server answers what is none.
    Tls,
    /// The method of an HTTP request.
    Http,
    /// None of these.
    Unknown,
}

impl FirstByte {
    /// The guess.
    #[must_use]
    pub const fn of(byte: u8) -> Self {
        match byte {
            0 | 0x80 => Self::Thrift,
            1..=5 => Self::Sasl,
            0x15 | 0x16 => Self::Tls,
            b'A'..=b'Z' => Self::Http,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_negotiation_frame_is_taken_when_it_is_whole() {
        let mut out = Vec::new();
        write_negotiation(&mut out, SaslStatus::Start, b"PLAIN");
        assert_eq!(out, b"\x01\0\0\0\x05PLAIN");
        for end in 0..out.len() {
            let mut part = BytesMut::from(&out[..end]);
            assert_eq!(Negotiation::take(&mut part, 100), Ok(None));
            assert_eq!(part.len(), end, "nothing is taken");
        }
        let mut buffer = BytesMut::from(&[&out[..], b"\x05next"].concat()[..]);
        let frame = Negotiation::take(&mut buffer, 5).unwrap().unwrap();
        assert_eq!(
            (frame.status, &frame.payload[..], &buffer[..]),
            (SaslStatus::Start, &b"PLAIN"[..], &b"\x05next"[..])
        );
    }

    #[test]
    fn what_is_no_negotiation_gets_the_texts_of_java() {
        let error = |bytes: &[u8]| {
            Negotiation::take(&mut BytesMut::from(bytes), 100)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(error(b"\x80"), "Invalid status -128");
        assert_eq!(error(b"P"), "Invalid status 80");
        assert_eq!(
            error(b"\x01\x7f\xff\xff\xff"),
            "Invalid payload header length: 2147483647"
        );
    }

    #[test]
    fn plain_has_three_parts() {
        let plain = Plain::parse(b"\0scott\0tiger").unwrap();
        assert_eq!(
            (
                plain.authzid.as_str(),
                plain.user.as_str(),
                plain.password.as_str()
            ),
            ("", "scott", "tiger")
        );
        assert_eq!(plain.to_bytes(), b"\0scott\0tiger");
        assert!(!format!("{plain:?}").contains("tiger"));
        for bad in [&b""[..], b"scott", b"\0scott", b"\0a\0b\0c", b"\0\xff\0x"] {
            assert_eq!(Plain::parse(bad), Err(SaslError::MalformedPlain), "{bad:?}");
        }
    }

    #[test]
    fn security_layers_are_offered_and_chosen() {
        let none = SecurityLayer::parse(&SecurityLayer::NONE).unwrap();
        assert!(none.offers_none() && none.chooses_none() && none.authzid.is_empty());
        // What Hive offers with auth-conf, and what Java chooses of it.
        let all = SecurityLayer::parse(b"\x07\x01\0\0").unwrap();
        assert!(all.offers_none() && !all.chooses_none());
        let secret = SecurityLayer::parse(b"\x04\x01\0\0app").unwrap();
        assert!(!secret.offers_none() && !secret.chooses_none());
        assert_eq!(secret.authzid, "app");
        for bad in [&b""[..], b"\x01\0\0", b"\x01\0\0\0\xff"] {
            assert_eq!(SecurityLayer::parse(bad), Err(SaslError::MalformedLayer));
        }
    }

    #[test]
    fn data_frames() {
        let mut out = Vec::new();
        write_frame(&mut out, |out| out.extend_from_slice(b"abc")).unwrap();
        assert_eq!(out, b"\0\0\0\x03abc");
        for end in 0..out.len() {
            assert_eq!(take_frame(&mut BytesMut::from(&out[..end]), 3), Ok(None));
        }
        let mut buffer = BytesMut::from(&out[..]);
        assert_eq!(
            take_frame(&mut buffer, 3),
            Ok(Some(Bytes::from_static(b"abc")))
        );
        let error = take_frame(&mut BytesMut::from(&out[..4]), 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a frame of 3 bytes was announced, 2 are allowed"
        );
    }

    #[test]
    fn first_bytes() {
        let guesses = [0x80, 0x00, 0x01, 0x16, b'P', b'G', 0xff].map(FirstByte::of);
        use FirstByte::*;
        assert_eq!(guesses, [Thrift, Thrift, Sasl, Tls, Http, Http, Unknown]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), max in 0usize..30) {
            let _ = Negotiation::take(&mut BytesMut::from(&bytes[..]), max);
            let _ = take_frame(&mut BytesMut::from(&bytes[..]), max);
            let _ = Plain::parse(&bytes);
            let _ = SecurityLayer::parse(&bytes);
        }
    }
}
