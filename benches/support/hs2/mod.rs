//! What the benches of HiveServer2 share: rows, an engine that has them ready, and a client that does not look at them.

mod engine;
mod raw;
mod rows;

pub use engine::{RowsEngine, rows_of};
pub use raw::{RawSession, read_to_the_end};
pub use rows::{BATCH_ROWS, batch, schema};
