//! The ZooKeeper wire protocol: a hand-written jute codec, frames, records and errors, without IO.
