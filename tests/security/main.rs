//! How `zk-client` proves itself and whom it believes, on real servers with TLS.
#![allow(clippy::unwrap_used)]

/// Certificates, good and bad, made for a test.
mod certificates;
/// A real ZooKeeper configured as a test needs it.
mod server;
/// TLS: who is believed, who is refused and in which words, client certificates.
mod tls;
