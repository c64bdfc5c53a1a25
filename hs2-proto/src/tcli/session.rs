//! OpenSession, CloseSession, GetInfo and SetClientInfo.

use super::handle::SessionHandle;
use super::status::Status;
use super::version::ProtocolVersion;
use crate::thrift::{
    Decode, DecodeError, Encode, Reader, StringMap, Value, WireType, open_enum, record, write_field,
};

record! {
    /// Opens a session. The password is in it only where the transport does not authenticate (NOSASL).
    pub struct OpenSessionReq = "TOpenSessionReq" {
        /// The newest version the client speaks; see [`ProtocolVersion::negotiate`].
        1: required client_protocol: ProtocolVersion = "client_protocol",
        /// The user, believed only where the transport does not authenticate.
        2: optional username: String = "username",
        /// The password for `username`.
        3: optional password: String = "password",
        /// Settings: `set:hiveconf:k`, `set:hivevar:k`, `use:database`, or plain names; applied in their order.
        4: optional configuration: StringMap = "configuration",
    }
}

record! {
    /// The session, or why there is none.
    pub struct OpenSessionResp = "TOpenSessionResp" {
        /// Whether the session is open.
        1: required status: Status = "status",
        /// What both sides speak from now on. There also in a failure.
        2: required server_protocol_version: ProtocolVersion = "serverProtocolVersion",
        /// The session; absent in a failure.
        3: optional session_handle: SessionHandle = "sessionHandle",
        /// What the server tells about the session, such as the fetch size. JDBC 3 and later read it without
        /// looking whether it is there: [`OpenSessionResp::opened`] and [`OpenSessionResp::failed`] set it always.
        4: optional configuration: StringMap = "configuration",
    }
}

impl OpenSessionResp {
    /// The answer for an open session.
    #[must_use]
    pub const fn opened(
        version: ProtocolVersion,
        session: SessionHandle,
        configuration: StringMap,
    ) -> Self {
        Self {
            status: Status::SUCCESS,
            server_protocol_version: version,
            session_handle: Some(session),
            configuration: Some(configuration),
        }
    }

    /// The answer when there is no session.
    #[must_use]
    pub fn failed(version: ProtocolVersion, status: Status) -> Self {
        Self {
            status,
            server_protocol_version: version,
            session_handle: None,
            configuration: Some(StringMap::default()),
        }
    }
}

record! {
    /// Closes a session and its operations.
    #[derive(Copy)]
    pub struct CloseSessionReq = "TCloseSessionReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
    }
}

open_enum! {
    /// What GetInfo asks for: numbers of ODBC's SQLGetInfo.
    pub struct GetInfoType = "TGetInfoType" {
        MAX_DRIVER_CONNECTIONS = 0 "CLI_MAX_DRIVER_CONNECTIONS",
        MAX_CONCURRENT_ACTIVITIES = 1 "CLI_MAX_CONCURRENT_ACTIVITIES",
        DATA_SOURCE_NAME = 2 "CLI_DATA_SOURCE_NAME",
        FETCH_DIRECTION = 8 "CLI_FETCH_DIRECTION",
        SERVER_NAME = 13 "CLI_SERVER_NAME",
        SEARCH_PATTERN_ESCAPE = 14 "CLI_SEARCH_PATTERN_ESCAPE",
        DBMS_NAME = 17 "CLI_DBMS_NAME",
        DBMS_VER = 18 "CLI_DBMS_VER",
        ACCESSIBLE_TABLES = 19 "CLI_ACCESSIBLE_TABLES",
        ACCESSIBLE_PROCEDURES = 20 "CLI_ACCESSIBLE_PROCEDURES",
        CURSOR_COMMIT_BEHAVIOR = 23 "CLI_CURSOR_COMMIT_BEHAVIOR",
        DATA_SOURCE_READ_ONLY = 25 "CLI_DATA_SOURCE_READ_ONLY",
        DEFAULT_TXN_ISOLATION = 26 "CLI_DEFAULT_TXN_ISOLATION",
        IDENTIFIER_CASE = 28 "CLI_IDENTIFIER_CASE",
        IDENTIFIER_QUOTE_CHAR = 29 "CLI_IDENTIFIER_QUOTE_CHAR",
        MAX_COLUMN_NAME_LEN = 30 "CLI_MAX_COLUMN_NAME_LEN",
        MAX_CURSOR_NAME_LEN = 31 "CLI_MAX_CURSOR_NAME_LEN",
        MAX_SCHEMA_NAME_LEN = 32 "CLI_MAX_SCHEMA_NAME_LEN",
        MAX_CATALOG_NAME_LEN = 34 "CLI_MAX_CATALOG_NAME_LEN",
        MAX_TABLE_NAME_LEN = 35 "CLI_MAX_TABLE_NAME_LEN",
        SCROLL_CONCURRENCY = 43 "CLI_SCROLL_CONCURRENCY",
        TXN_CAPABLE = 46 "CLI_TXN_CAPABLE",
        USER_NAME = 47 "CLI_USER_NAME",
        TXN_ISOLATION_OPTION = 72 "CLI_TXN_ISOLATION_OPTION",
        INTEGRITY = 73 "CLI_INTEGRITY",
        GETDATA_EXTENSIONS = 81 "CLI_GETDATA_EXTENSIONS",
        NULL_COLLATION = 85 "CLI_NULL_COLLATION",
        ALTER_TABLE = 86 "CLI_ALTER_TABLE",
        ORDER_BY_COLUMNS_IN_SELECT = 90 "CLI_ORDER_BY_COLUMNS_IN_SELECT",
        SPECIAL_CHARACTERS = 94 "CLI_SPECIAL_CHARACTERS",
        MAX_COLUMNS_IN_GROUP_BY = 97 "CLI_MAX_COLUMNS_IN_GROUP_BY",
        MAX_COLUMNS_IN_INDEX = 98 "CLI_MAX_COLUMNS_IN_INDEX",
        MAX_COLUMNS_IN_ORDER_BY = 99 "CLI_MAX_COLUMNS_IN_ORDER_BY",
        MAX_COLUMNS_IN_SELECT = 100 "CLI_MAX_COLUMNS_IN_SELECT",
        MAX_COLUMNS_IN_TABLE = 101 "CLI_MAX_COLUMNS_IN_TABLE",
        MAX_INDEX_SIZE = 102 "CLI_MAX_INDEX_SIZE",
        MAX_ROW_SIZE = 104 "CLI_MAX_ROW_SIZE",
        MAX_STATEMENT_LEN = 105 "CLI_MAX_STATEMENT_LEN",
        MAX_TABLES_IN_SELECT = 106 "CLI_MAX_TABLES_IN_SELECT",
        MAX_USER_NAME_LEN = 107 "CLI_MAX_USER_NAME_LEN",
        OJ_CAPABILITIES = 115 "CLI_OJ_CAPABILITIES",
        XOPEN_CLI_YEAR = 10000 "CLI_XOPEN_CLI_YEAR",
        CURSOR_SENSITIVITY = 10001 "CLI_CURSOR_SENSITIVITY",
        DESCRIBE_PARAMETER = 10002 "CLI_DESCRIBE_PARAMETER",
        CATALOG_NAME = 10003 "CLI_CATALOG_NAME",
        COLLATION_SEQ = 10004 "CLI_COLLATION_SEQ",
        MAX_IDENTIFIER_LEN = 10005 "CLI_MAX_IDENTIFIER_LEN",
        ODBC_KEYWORDS = 10006 "CLI_ODBC_KEYWORDS",
    }
}

record! {
    /// Asks for one fact about the server.
    #[derive(Copy)]
    pub struct GetInfoReq = "TGetInfoReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// Which fact.
        2: required info_type: GetInfoType = "infoType",
    }
}

/// The fact: a union of the service definition (`TGetInfoValue`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GetInfoValue {
    /// Names, versions, lists of words.
    String(String),
    /// A 16-bit number.
    SmallInt(i16),
    /// Bits of ODBC's own.
    Bitmask(i32),
    /// A 32-bit number.
    Flag(i32),
    /// A 32-bit number.
    Binary(i32),
    /// Longest names and such, in characters; 0 means no limit.
    Length(i64),
}

impl Value for GetInfoValue {
    const TYPE: WireType = WireType::STRUCT;
}

impl Decode for GetInfoValue {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const RECORD: &str = "TGetInfoValue";
        let mut value = None;
        while let Some((code, id)) = reader.field()? {
            value = Some(match id {
                1 => Self::String(reader.value(code, RECORD, "stringValue")?),
                2 => Self::SmallInt(reader.value(code, RECORD, "smallIntValue")?),
                3 => Self::Bitmask(reader.value(code, RECORD, "integerBitmask")?),
                4 => Self::Flag(reader.value(code, RECORD, "integerFlag")?),
                5 => Self::Binary(reader.value(code, RECORD, "binaryValue")?),
                6 => Self::Length(reader.value(code, RECORD, "lenValue")?),
                _ => {
                    reader.skip(code)?;
                    continue;
                }
            });
        }
        value.ok_or(DecodeError::Invalid {
            record: RECORD,
            field: "union",
            reason: "no known member is set",
        })
    }
}

impl Encode for GetInfoValue {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::String(text) => write_field(out, 1, text),
            Self::SmallInt(number) => write_field(out, 2, number),
            Self::Bitmask(bits) => write_field(out, 3, bits),
            Self::Flag(number) => write_field(out, 4, number),
            Self::Binary(number) => write_field(out, 5, number),
            Self::Length(length) => write_field(out, 6, length),
        }
        out.push(WireType::STOP.0);
    }
}

record! {
    /// The answer to GetInfo. The value is required even in a failure: where it was missing, servers had to drop
    /// the connection.
    pub struct GetInfoResp = "TGetInfoResp" {
        /// Whether the server knows.
        1: required status: Status = "status",
        /// The fact.
        2: required info_value: GetInfoValue = "infoValue",
    }
}

record! {
    /// Tells the server about the client, for instance its application's name (3.0+).
    pub struct SetClientInfoReq = "TSetClientInfoReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// Names and values.
        2: optional configuration: StringMap = "configuration",
    }
}
