//! Rules of style that matter are tests. Each names the file, the line where it can, and the rule.
#![allow(clippy::unwrap_used)]

/// Arrows between crates point down only.
mod arrows;
/// READMEs exist, and what they link to exists too.
mod documents;
/// No dead file, no endless file, no unfinished work.
mod files;
/// Folders that must not know something: sockets, clocks, Thrift.
mod folders;
/// What a manifest demands and brings is what the documents say.
mod packaging;
/// Walking this checkout.
mod repository;
