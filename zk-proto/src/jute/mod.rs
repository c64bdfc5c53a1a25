//! Jute, ZooKeeper's encoding: fields in declared order, big endian, no tags and no padding.

mod read;
mod write;

pub use read::{Decode, Reader};
pub use write::Encode;
pub(crate) use write::{put_buffer, put_count, put_string, put_strings};
