//! How `zk-client` proves itself and whom it believes, on real servers with TLS, passwords and Kerberos; and Kerberos of the
//! node and its clients.
#![allow(clippy::unwrap_used)]

/// Kerberos: a realm of the test's own, keytabs, a ZooKeeper and a node that know their principals.
#[cfg(feature = "gssapi")]
mod kerberos;
/// SASL with a user and a password.
mod sasl;
/// A real ZooKeeper configured as a test needs it.
mod server;
/// TLS: who is believed, who is refused and in which words, client certificates.
mod tls;
