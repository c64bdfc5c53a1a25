//! What stands in the place of Kerberos in a build without it.

use super::{Answer, AuthenticationError, KerberosError};
use crate::config::Config;
use std::sync::Arc;

/// There is none.
#[derive(Debug)]
pub(crate) enum Kerberos {}

impl Kerberos {
    pub(super) fn new(config: &Config) -> Result<Self, AuthenticationError> {
        Err(AuthenticationError {
            method: config.authentication.as_str(),
            problem: "this build has no Kerberos: build hs2-node with its feature gssapi, which needs libkrb5-dev and libclang-dev".to_owned(),
        })
    }

    pub(super) fn principal(&self) -> &str {
        match *self {}
    }

    pub(super) fn accept(self: &Arc<Self>) -> Option<Acceptor> {
        match **self {}
    }
}

/// There is none.
pub(crate) enum Acceptor {}

impl Acceptor {
    pub(super) fn step(&mut self, _token: &[u8]) -> Result<Answer, KerberosError> {
        match *self {}
    }
}
