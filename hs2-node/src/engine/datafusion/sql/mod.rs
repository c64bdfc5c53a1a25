//! Hive's SQL: text to tokens to statements, and queries rewritten until DataFusion means what Hive means.

pub(crate) mod cursor;
pub(crate) mod dialect;
pub(crate) mod lexer;
pub(crate) mod rewrite;
pub(crate) mod statement;
pub(crate) mod types;
pub(crate) mod variables;

#[cfg(test)]
mod soup;
