//! GetTables and GetTableTypes.

use hs2_proto::tcli::GetTablesReq;

use super::{Batch, batch, find, texts};
use crate::config::TableTypeMapping;
use crate::engine::{Database, Table, TableKind};

impl TableTypeMapping {
    /// The word for a kind of table.
    const fn word(self, kind: TableKind) -> &'static str {
        match (self, kind) {
            (Self::Classic, TableKind::Managed | TableKind::External) => "TABLE",
            (Self::Classic, TableKind::View) => "VIEW",
            (Self::Hive, TableKind::Managed) => "MANAGED_TABLE",
            (Self::Hive, TableKind::External) => "EXTERNAL_TABLE",
            (Self::Hive, TableKind::View) => "VIRTUAL_VIEW",
        }
    }

    /// Every word; Hive names those too of which there is no table.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Classic => &["TABLE", "VIEW", "MATERIALIZED_VIEW"],
            Self::Hive => &[
                "MANAGED_TABLE",
                "EXTERNAL_TABLE",
                "VIRTUAL_VIEW",
                "MATERIALIZED_VIEW",
            ],
        }
    }
}

pub(in crate::service) fn table_types(mapping: TableTypeMapping) -> Batch {
    let words = mapping.words().iter().map(|word| Some(*word));
    batch([("TABLE_TYPE", texts(words))])
}

pub(in crate::service) fn tables(
    databases: &[Database],
    req: &GetTablesReq,
    mapping: TableTypeMapping,
) -> Batch {
    let wanted = |table: &Table| {
        // The other mapping's words mean the same.
        let is = |asked: &String| {
            [TableTypeMapping::Classic, TableTypeMapping::Hive]
                .iter()
                .any(|mapping| asked.eq_ignore_ascii_case(mapping.word(table.kind)))
        };
        req.table_types
            .as_ref()
            .is_none_or(|types| types.is_empty() || types.iter().any(is))
    };
    let found = find(
        databases,
        req.schema_name.as_deref(),
        req.table_name.as_deref(),
    );
    let found: Vec<_> = found
        .into_iter()
        .filter(|(_, table)| wanted(table))
        .collect();
    let column = |value: fn(&str, &Table) -> Option<String>| {
        texts(found.iter().map(|(database, table)| value(database, table)))
    };
    let types = found
        .iter()
        .map(|(_, table)| Some(mapping.word(table.kind)));
    let null = || column(|_, _| None);
    batch([
        ("TABLE_CAT", column(|_, _| Some(String::new()))),
        (
            "TABLE_SCHEM",
            column(|database, _| Some(database.to_owned())),
        ),
        ("TABLE_NAME", column(|_, table| Some(table.name.clone()))),
        ("TABLE_TYPE", texts(types)),
        ("REMARKS", column(|_, table| table.comment.clone())),
        ("TYPE_CAT", null()),
        ("TYPE_SCHEM", null()),
        ("TYPE_NAME", null()),
        ("SELF_REFERENCING_COL_NAME", null()),
        ("REF_GENERATION", null()),
    ])
}
