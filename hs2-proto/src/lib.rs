//! The HiveServer2 wire protocol: Thrift binary protocol, TCLIService, SASL framing and row sets, without IO.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )
)]

pub mod rowset;
pub mod sasl;
pub mod tcli;
pub mod thrift;
