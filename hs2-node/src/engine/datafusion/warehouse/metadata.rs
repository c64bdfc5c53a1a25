//! What the warehouse writes down about databases and tables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow_schema::{Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::unique;
use crate::engine::datafusion::error;
use crate::engine::datafusion::functions::cast::parse_type;
use crate::engine::datafusion::sql::types::HiveType;
use crate::engine::{EngineError, TableKind};

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DatabaseMeta {
    pub(crate) owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
}

impl DatabaseMeta {
    /// A database of `owner`.
    pub(crate) fn new(owner: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            comment: None,
        }
    }
}

/// What a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Managed,
    External,
    View,
}

/// How an external table's files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Parquet,
    Csv,
    Text,
    Json,
}

/// A table or view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableMeta {
    /// The version of this file's layout.
    pub(crate) layout: u32,
    pub(crate) kind: Kind,
    pub(crate) columns: Vec<ColumnMeta>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
    pub(crate) owner: String,
    /// Seconds since 1970.
    pub(crate) created_s: u64,
    /// The folder of a managed table's data, under the table's.
    pub(crate) generation: String,
    #[serde(default = "parquet")]
    pub(crate) format: Format,
    /// The folder of an external table's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) properties: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) view: Option<ViewMeta>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ColumnMeta {
    pub(crate) name: String,
    /// Hive's text, such as `decimal(10,2)`.
    #[serde(rename = "type")]
    pub(crate) hive_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
}

/// A view's query, and the database in which its names are looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ViewMeta {
    pub(crate) text: String,
    pub(crate) database: String,
}

fn parquet() -> Format {
    Format::Parquet
}

impl TableMeta {
    /// A managed table of `owner`, without data.
    pub(crate) fn managed(columns: Vec<ColumnMeta>, owner: &str) -> Self {
        let created = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            layout: 1,
            kind: Kind::Managed,
            columns,
            comment: None,
            owner: owner.to_owned(),
            created_s: created.as_secs(),
            generation: format!("data-{}", unique()),
            format: Format::Parquet,
            location: None,
            properties: BTreeMap::new(),
            view: None,
        }
    }

    /// The types of its columns.
    ///
    /// # Errors
    /// The description is damaged.
    pub(crate) fn types(&self) -> Result<Vec<HiveType>, EngineError> {
        self.columns
            .iter()
            .map(|column| {
                parse_type(&column.hive_type).map_err(|e| {
                    error::execution(format!(
                        "the type of column {} is damaged: {e}",
                        column.name
                    ))
                })
            })
            .collect()
    }

    /// Its columns as Arrow fields.
    ///
    /// # Errors
    /// The description is damaged.
    pub(crate) fn schema(&self) -> Result<SchemaRef, EngineError> {
        let types = self.types()?;
        let fields: Vec<_> = self
            .columns
            .iter()
            .zip(types)
            .map(|(column, hive)| hive.field(&column.name))
            .collect();
        Ok(Arc::new(Schema::new(fields)))
    }

    /// Its kind in the words of the metadata calls.
    pub(crate) fn table_kind(&self) -> TableKind {
        match self.kind {
            Kind::Managed => TableKind::Managed,
            Kind::External => TableKind::External,
            Kind::View => TableKind::View,
        }
    }
}
