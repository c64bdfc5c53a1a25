//! What `zk-client` promises on several members, each with its own release, reach and mood.
#![allow(clippy::unwrap_used)]

/// The harness itself: faults are what they claim to be.
mod faults;
/// Members of different releases, as during an upgrade.
mod mixed;
/// A member that is left alone, and who it serves.
mod read_only;
