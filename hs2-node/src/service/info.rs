//! What GetInfo answers: one value for every type, for what is not known an empty one. Real servers drop the
//! connection there, and tools ask for a lot.

use hs2_proto::tcli::{GetInfoType, GetInfoValue};

pub(super) fn value(info: GetInfoType, version: &str) -> GetInfoValue {
    use GetInfoType as T;
    let text = |text: &str| GetInfoValue::String(text.to_owned());
    match info {
        T::SERVER_NAME => text("Hive"),
        T::DBMS_NAME => text("Apache Hive"),
        T::DBMS_VER => text(version),
        // 0 is "no limit, or unknown".
        T::MAX_DRIVER_CONNECTIONS | T::MAX_CONCURRENT_ACTIVITIES => GetInfoValue::SmallInt(0),
        T::MAX_COLUMN_NAME_LEN | T::MAX_SCHEMA_NAME_LEN | T::MAX_TABLE_NAME_LEN => {
            GetInfoValue::Length(128)
        }
        T::MAX_CATALOG_NAME_LEN
        | T::MAX_CURSOR_NAME_LEN
        | T::MAX_USER_NAME_LEN
        | T::MAX_IDENTIFIER_LEN => GetInfoValue::Length(0),
        T::MAX_COLUMNS_IN_GROUP_BY
        | T::MAX_COLUMNS_IN_INDEX
        | T::MAX_COLUMNS_IN_ORDER_BY
        | T::MAX_COLUMNS_IN_SELECT
        | T::MAX_COLUMNS_IN_TABLE
        | T::MAX_TABLES_IN_SELECT
        | T::TXN_CAPABLE => GetInfoValue::SmallInt(0),
        T::MAX_INDEX_SIZE | T::MAX_ROW_SIZE | T::MAX_STATEMENT_LEN => GetInfoValue::Length(0),
        T::FETCH_DIRECTION
        | T::DEFAULT_TXN_ISOLATION
        | T::SCROLL_CONCURRENCY
        | T::TXN_ISOLATION_OPTION
        | T::GETDATA_EXTENSIONS
        | T::ALTER_TABLE
        | T::OJ_CAPABILITIES
        | T::CURSOR_SENSITIVITY => GetInfoValue::Bitmask(0),
        T::SEARCH_PATTERN_ESCAPE => text("\\"),
        T::IDENTIFIER_QUOTE_CHAR => text("`"),
        T::ODBC_KEYWORDS => text(KEYWORDS),
        _ => text(""),
    }
}

/// Words that Hive reserves and ODBC does not.
const KEYWORDS: &str = "ADMIN,AFTER,ANALYZE,ARCHIVE,BEFORE,BUCKET,BUCKETS,CHANGE,CLUSTER,CLUSTERED,CLUSTERSTATUS,\
COLLECTION,COLUMNS,COMMENT,COMPACT,COMPACTIONS,COMPUTE,CONCATENATE,DATA,DATABASES,DATETIME,DBPROPERTIES,DEFERRED,\
DEFINED,DELIMITED,DEPENDENCY,DIRECTORIES,DIRECTORY,DISABLE,DISTRIBUTE,ELEM_TYPE,ENABLE,ESCAPED,EXCHANGE,EXCLUSIVE,\
EXPLAIN,EXPORT,EXTENDED,FIELDS,FILE,FILEFORMAT,FORMAT,FORMATTED,FUNCTIONS,HOLD_DDLTIME,IDXPROPERTIES,IGNORE,INDEXES,\
INPATH,INPUTDRIVER,INPUTFORMAT,ITEMS,JAR,KEYS,KEY_TYPE,LATERAL,LIMIT,LINES,LOAD,LOCATION,LOCK,LOCKS,LOGICAL,LONG,MACRO,\
MAP,MAPJOIN,MATERIALIZED,MINUS,MSCK,NOSCAN,NO_DROP,OFFLINE,OUTPUTDRIVER,OUTPUTFORMAT,OVERWRITE,OWNER,PARTITION,\
PARTITIONED,PARTITIONS,PERCENT,PLUS,PRETTY,PRINCIPALS,PROTECTION,PURGE,READONLY,REBUILD,RECORDREADER,RECORDWRITER,\
REDUCE,REGEXP,RELOAD,RENAME,REPAIR,REPLACE,REPLICATION,REWRITE,RLIKE,ROLE,ROLES,SCHEMAS,SEMI,SERDE,SERDEPROPERTIES,\
SERVER,SETS,SHARED,SHOW,SHOW_DATABASE,SKEWED,SORT,SORTED,SSL,STATISTICS,STORED,STREAMTABLE,STRING,STRUCT,TABLES,\
TABLESAMPLE,TBLPROPERTIES,TERMINATED,TINYINT,TOUCH,TRANSACTIONS,TRANSFORM,TRUNCATE,UNARCHIVE,UNDO,UNIONTYPE,UNLOCK,\
UNSET,UNSIGNED,URI,USE,UTC,VIEWS";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_recognise_hive_and_every_number_has_an_answer() {
        let text = |n| match value(GetInfoType(n), "3.1.3") {
            GetInfoValue::String(text) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (text(13), text(17), text(18)),
            ("Hive".into(), "Apache Hive".into(), "3.1.3".into())
        );
        assert!(
            text(10006)
                .split(',')
                .all(|word| !word.is_empty() && word == word.trim())
        );
        assert_eq!(text(99_999), "");
        assert_eq!(value(GetInfoType(35), ""), GetInfoValue::Length(128));
    }
}
