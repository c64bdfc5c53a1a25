//! The calls that ask the catalog: GetTypeInfo, GetCatalogs, GetSchemas, GetTables, GetTableTypes, GetColumns,
//! GetFunctions, GetPrimaryKeys and GetCrossReference. Each makes an operation whose rows are fetched like a
//! query's. Patterns know `%`, `_` and `\`; clients also send regular expressions such as `.*`.

use super::handle::SessionHandle;
use crate::thrift::record;

record! {
    /// Asks which types there are.
    #[derive(Copy)]
    pub struct GetTypeInfoReq = "TGetTypeInfoReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
    }
}

record! {
    /// Asks for the catalogs.
    #[derive(Copy)]
    pub struct GetCatalogsReq = "TGetCatalogsReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
    }
}

record! {
    /// Asks for the databases.
    pub struct GetSchemasReq = "TGetSchemasReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// A catalog; ignored by Hive.
        2: optional catalog_name: String = "catalogName",
        /// A pattern; absent or empty means all.
        3: optional schema_name: String = "schemaName",
    }
}

record! {
    /// Asks for the tables.
    pub struct GetTablesReq = "TGetTablesReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// A catalog pattern; ignored by Hive.
        2: optional catalog_name: String = "catalogName",
        /// A pattern; absent or empty means all.
        3: optional schema_name: String = "schemaName",
        /// A pattern; absent or empty means all.
        4: optional table_name: String = "tableName",
        /// Words of GetTableTypes; absent means all.
        5: optional table_types: Vec<String> = "tableTypes",
    }
}

record! {
    /// Asks which kinds of table there are.
    #[derive(Copy)]
    pub struct GetTableTypesReq = "TGetTableTypesReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
    }
}

record! {
    /// Asks for the columns of tables.
    pub struct GetColumnsReq = "TGetColumnsReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// A catalog; ignored by Hive.
        2: optional catalog_name: String = "catalogName",
        /// A pattern; absent or empty means all.
        3: optional schema_name: String = "schemaName",
        /// A pattern; absent or empty means all.
        4: optional table_name: String = "tableName",
        /// A pattern; absent or empty means all.
        5: optional column_name: String = "columnName",
    }
}

record! {
    /// Asks for the functions.
    pub struct GetFunctionsReq = "TGetFunctionsReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// A catalog; Hive has no function in any that is named.
        2: optional catalog_name: String = "catalogName",
        /// A schema pattern; Hive has no function in any that is named.
        3: optional schema_name: String = "schemaName",
        /// A pattern, the only required one.
        4: required function_name: String = "functionName",
    }
}

record! {
    /// Asks for the primary key of a table (2.1+).
    pub struct GetPrimaryKeysReq = "TGetPrimaryKeysReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// A catalog, which the answer echoes.
        2: optional catalog_name: String = "catalogName",
        /// The table's database.
        3: optional schema_name: String = "schemaName",
        /// The table.
        4: optional table_name: String = "tableName",
    }
}

record! {
    /// Asks for the foreign keys between two tables (2.1+).
    pub struct GetCrossReferenceReq = "TGetCrossReferenceReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// Catalog of the table pointed at.
        2: optional parent_catalog_name: String = "parentCatalogName",
        /// Its database.
        3: optional parent_schema_name: String = "parentSchemaName",
        /// Its name.
        4: optional parent_table_name: String = "parentTableName",
        /// Catalog of the table that points.
        5: optional foreign_catalog_name: String = "foreignCatalogName",
        /// Its database.
        6: optional foreign_schema_name: String = "foreignSchemaName",
        /// Its name.
        7: optional foreign_table_name: String = "foreignTableName",
    }
}
