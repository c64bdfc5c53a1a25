//! New handles. Whoever holds one may use what it names, so nobody must be able to guess it.

use hs2_proto::tcli::HandleId;

/// A fresh handle from the operating system's random numbers: a UUID of version 4, and a secret.
pub(crate) fn new_handle() -> Result<HandleId, getrandom::Error> {
    let (mut guid, mut secret) = ([0; 16], [0; 16]);
    getrandom::fill(&mut guid)?;
    getrandom::fill(&mut secret)?;
    guid[6] = guid[6] & 0x0f | 0x40;
    guid[8] = guid[8] & 0x3f | 0x80;
    Ok(HandleId { guid, secret })
}

/// Whether two secrets are the same, in a time that does not tell how far they agree.
pub(crate) fn same_secret(a: &[u8; 16], b: &[u8; 16]) -> bool {
    a.iter()
        .zip(b)
        .fold(0, |difference, (a, b)| difference | (a ^ b))
        == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_random_uuids_with_secrets() {
        let (one, other) = (new_handle().unwrap(), new_handle().unwrap());
        assert!(one.guid != other.guid && one.secret != other.secret);
        let text = one.to_string();
        assert_eq!((text.len(), &text[14..15]), (36, "4"));
        assert!(same_secret(&one.secret, &one.secret) && !same_secret(&one.secret, &other.secret));
    }
}
