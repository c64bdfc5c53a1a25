//! What is fuzzed: one function a target. It takes any bytes and panics when a promise is broken.
//!
//! The targets of `fuzz_targets/` hand libFuzzer's inputs to these functions, and `tests/seeds.rs` the committed ones,
//! with any compiler.

mod proto;
mod sasl;
mod server;
mod session;
mod session_events;
mod spool;
mod texts;

pub use proto::{zk_frame, zk_reply, zk_request};
pub use sasl::zk_sasl;
pub use server::zk_server;
pub use session::zk_session;
pub use session_events::zk_session_events;
pub use spool::spool_page;
pub use texts::{http_text, jdbc_url, thrift_message, zk_text};

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("zk_frame", zk_frame),
    ("zk_request", zk_request),
    ("zk_reply", zk_reply),
    ("zk_text", zk_text),
    ("zk_session", zk_session),
    ("zk_session_events", zk_session_events),
    ("zk_sasl", zk_sasl),
    ("zk_server", zk_server),
    ("thrift_message", thrift_message),
    ("http_text", http_text),
    ("spool_page", spool_page),
    ("jdbc_url", jdbc_url),
];
