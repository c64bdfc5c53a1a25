//! What a server has: the metadata calls, whose rows come as Arrow batches like those of a query, in the columns
//! that JDBC's `DatabaseMetaData` describes.
//!
//! Patterns are JDBC's: `%` is any run of characters, `_` any character, `\` before one of them takes it as it is.
//! What is left out is not asked for, so that all is found.

use crate::error::Error;
use crate::results::ResultStream;
use crate::session::Session;
use hs2_proto::tcli::{
    Call, GetCatalogsReq, GetColumnsReq, GetCrossReferenceReq, GetFunctionsReq, GetInfoType,
    GetInfoValue, GetPrimaryKeysReq, GetSchemasReq, GetTableTypesReq, GetTablesReq, GetTypeInfoReq,
    HandleResp,
};

/// Which tables [`Session::tables`] asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TablePattern {
    /// The catalog. Hive has none and ignores it.
    pub catalog: Option<String>,
    /// Pattern of the database.
    pub schema: Option<String>,
    /// Pattern of the table.
    pub table: Option<String>,
    /// Kinds of table, in the words of [`Session::table_types`]; empty for all.
    pub types: Vec<String>,
}

/// Which columns [`Session::columns`] asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnPattern {
    /// The catalog. Hive has none and ignores it.
    pub catalog: Option<String>,
    /// Pattern of the database.
    pub schema: Option<String>,
    /// Pattern of the table.
    pub table: Option<String>,
    /// Pattern of the column.
    pub column: Option<String>,
}

/// One table, for the calls that take no patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableName {
    /// The catalog. Hive has none and ignores it.
    pub catalog: Option<String>,
    /// The database.
    pub schema: Option<String>,
    /// The table.
    pub table: Option<String>,
}

/// # Metadata
/// The errors and the cancel safety of each of these calls are those of [`Session::query`].
#[allow(clippy::missing_errors_doc)] // Said once for all, above.
impl Session {
    /// The catalogs: `TABLE_CAT`. Hive and Spark have none.
    pub async fn catalogs(&self) -> Result<ResultStream, Error> {
        self.found(GetCatalogsReq {
            session_handle: self.handle(),
        })
        .await
    }

    /// The databases: `TABLE_SCHEM`, `TABLE_CATALOG`.
    pub async fn schemas(&self, pattern: Option<&str>) -> Result<ResultStream, Error> {
        self.found(GetSchemasReq {
            session_handle: self.handle(),
            catalog_name: None,
            schema_name: pattern.map(str::to_owned),
        })
        .await
    }

    /// The tables and views: `TABLE_CAT`, `TABLE_SCHEM`, `TABLE_NAME`, `TABLE_TYPE`, `REMARKS` and more.
    pub async fn tables(&self, pattern: &TablePattern) -> Result<ResultStream, Error> {
        let pattern = pattern.clone();
        self.found(GetTablesReq {
            session_handle: self.handle(),
            catalog_name: pattern.catalog,
            schema_name: pattern.schema,
            table_name: pattern.table,
            table_types: Some(pattern.types).filter(|types| !types.is_empty()),
        })
        .await
    }

    /// The kinds of table that the server has: `TABLE_TYPE`.
    pub async fn table_types(&self) -> Result<ResultStream, Error> {
        self.found(GetTableTypesReq {
            session_handle: self.handle(),
        })
        .await
    }

    /// The columns of tables: `TABLE_SCHEM`, `TABLE_NAME`, `COLUMN_NAME`, `DATA_TYPE` (a number of `java.sql.Types`),
    /// `TYPE_NAME`, `COLUMN_SIZE` and 17 more.
    pub async fn columns(&self, pattern: &ColumnPattern) -> Result<ResultStream, Error> {
        let pattern = pattern.clone();
        self.found(GetColumnsReq {
            session_handle: self.handle(),
            catalog_name: pattern.catalog,
            schema_name: pattern.schema,
            table_name: pattern.table,
            column_name: pattern.column,
        })
        .await
    }

    /// The functions: `FUNCTION_CAT`, `FUNCTION_SCHEM`, `FUNCTION_NAME`, `REMARKS`, `FUNCTION_TYPE`, `SPECIFIC_NAME`.
    /// `%` finds all.
    pub async fn functions(&self, pattern: &str) -> Result<ResultStream, Error> {
        self.found(GetFunctionsReq {
            session_handle: self.handle(),
            catalog_name: None,
            schema_name: None,
            function_name: pattern.to_owned(),
        })
        .await
    }

    /// The types that the server has: `TYPE_NAME`, `DATA_TYPE`, `PRECISION` and 15 more.
    pub async fn type_info(&self) -> Result<ResultStream, Error> {
        self.found(GetTypeInfoReq {
            session_handle: self.handle(),
        })
        .await
    }

    /// The primary key of a table: `COLUMN_NAME`, `KEY_SEQ`, `PK_NAME` behind the table's names.
    pub async fn primary_keys(&self, table: &TableName) -> Result<ResultStream, Error> {
        let table = table.clone();
        self.found(GetPrimaryKeysReq {
            session_handle: self.handle(),
            catalog_name: table.catalog,
            schema_name: table.schema,
            table_name: table.table,
        })
        .await
    }

    /// The foreign keys by which `foreign` points at `parent`: 14 columns.
    pub async fn cross_reference(
        &self,
        parent: &TableName,
        foreign: &TableName,
    ) -> Result<ResultStream, Error> {
        let (parent, foreign) = (parent.clone(), foreign.clone());
        self.found(GetCrossReferenceReq {
            session_handle: self.handle(),
            parent_catalog_name: parent.catalog,
            parent_schema_name: parent.schema,
            parent_table_name: parent.table,
            foreign_catalog_name: foreign.catalog,
            foreign_schema_name: foreign.schema,
            foreign_table_name: foreign.table,
        })
        .await
    }

    /// What the server is and its version, as beeline shows them: `Apache Hive`, `3.1.3`.
    pub async fn server_version(&self) -> Result<(String, String), Error> {
        let name = self.info(GetInfoType::DBMS_NAME).await?;
        let version = self.info(GetInfoType::DBMS_VER).await?;
        let text = |value| match value {
            GetInfoValue::String(text) => text,
            other => format!("{other:?}"),
        };
        Ok((text(name), text(version)))
    }

    async fn found<C>(&self, call: C) -> Result<ResultStream, Error>
    where
        C: Call<Reply = HandleResp> + Send + Sync + 'static,
    {
        self.operation(call).await?.into_results().await
    }
}
