//! Protocol versions: what a session may send and must understand.

use crate::rowset::RowSetLayout;
use crate::thrift::open_enum;

open_enum! {
    /// The version of a session's protocol. The number on the wire is one less than the name's.
    pub struct ProtocolVersion = "TProtocolVersion" {
        V1 = 0 "HIVE_CLI_SERVICE_PROTOCOL_V1",
        /// Asynchronous execution.
        V2 = 1 "HIVE_CLI_SERVICE_PROTOCOL_V2",
        /// VARCHAR and type qualifiers.
        V3 = 2 "HIVE_CLI_SERVICE_PROTOCOL_V3",
        /// Precision and scale of DECIMAL, and CHAR.
        V4 = 3 "HIVE_CLI_SERVICE_PROTOCOL_V4",
        /// Error details in GetOperationStatus.
        V5 = 4 "HIVE_CLI_SERVICE_PROTOCOL_V5",
        /// Columnar row sets and the binary column.
        V6 = 5 "HIVE_CLI_SERVICE_PROTOCOL_V6",
        /// Delegation tokens.
        V7 = 6 "HIVE_CLI_SERVICE_PROTOCOL_V7",
        /// Interval types.
        V8 = 7 "HIVE_CLI_SERVICE_PROTOCOL_V8",
        /// Row sets serialised in tasks (`binaryColumns`).
        V9 = 8 "HIVE_CLI_SERVICE_PROTOCOL_V9",
        /// Progress in GetOperationStatus.
        V10 = 9 "HIVE_CLI_SERVICE_PROTOCOL_V10",
        /// TIMESTAMP WITH LOCAL TIME ZONE.
        V11 = 10 "HIVE_CLI_SERVICE_PROTOCOL_V11",
    }
}

impl ProtocolVersion {
    /// The newest version known here.
    pub const LATEST: Self = Self::V11;

    /// This version or the nearest known one: a client from the future is served as the newest.
    #[must_use]
    pub fn clamped(self) -> Self {
        self.clamp(Self::V1, Self::LATEST)
    }

    /// What a server of version `self` and a client that asks for `client` speak: the lower of both.
    #[must_use]
    pub fn negotiate(self, client: Self) -> Self {
        self.clamped().min(client.clamped())
    }

    /// How row sets of such a session are laid out.
    #[must_use]
    pub fn row_set_layout(self) -> RowSetLayout {
        if self >= Self::V6 {
            RowSetLayout::Columnar
        } else {
            RowSetLayout::RowBased
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_version_wins_and_unknown_numbers_are_clamped() {
        let server = ProtocolVersion::V11;
        assert_eq!(server.negotiate(ProtocolVersion::V6), ProtocolVersion::V6);
        assert_eq!(server.negotiate(ProtocolVersion(20)), ProtocolVersion::V11);
        assert_eq!(server.negotiate(ProtocolVersion(-1)), ProtocolVersion::V1);
        assert_eq!(
            ProtocolVersion::V10.negotiate(ProtocolVersion(11)),
            ProtocolVersion::V10
        );
        assert_eq!(ProtocolVersion(20).to_string(), "TProtocolVersion 20");
        assert_eq!(ProtocolVersion::V5.row_set_layout(), RowSetLayout::RowBased);
    }
}
