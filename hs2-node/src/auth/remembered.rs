//! Logins that were checked lately. Neither passwords nor plain digests of them are kept: a digest has a key that
//! lives in this process only.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a checked login is taken again. So long a changed password may still work over HTTP
/// without a cookie.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Logins that are remembered; beyond that all are forgotten at once.
const LOGINS_MAX: usize = 4096;

type Digest = [u8; 32];

#[derive(Debug)]
pub(super) struct Remembered {
    key: Digest,
    logins: Mutex<HashMap<Digest, Instant>>,
}

impl Remembered {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut key = Digest::default();
        getrandom::fill(&mut key)?;
        Ok(Self {
            key,
            logins: Mutex::default(),
        })
    }

    pub(super) fn knows(&self, user: &str, password: &str) -> bool {
        let Some(digest) = self.digest(user, password) else {
            return false;
        };
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let checked = logins.get(&digest);
        checked.is_some_and(|checked| checked.elapsed() < REMEMBERED)
    }

    pub(super) fn remember(&self, user: &str, password: &str) {
        let Some(digest) = self.digest(user, password) else {
            return;
        };
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        if logins.len() >= LOGINS_MAX {
            logins.clear();
        }
        logins.insert(digest, Instant::now());
    }

    fn digest(&self, user: &str, password: &str) -> Option<Digest> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(&(user.len() as u64).to_be_bytes());
        mac.update(user.as_bytes());
        mac.update(password.as_bytes());
        Some(mac.finalize().into_bytes().into())
    }
}
