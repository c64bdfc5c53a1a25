//! `SHOW` and `DESCRIBE`: the catalog as rows of strings, with Hive's column names.

use super::error;
use super::functions::allow;
use super::functions::text;
use super::query::find;
use super::session::rows;
use super::sql::cursor::TableName;
use super::sql::statement::{Detail, Statement};
use super::warehouse::Warehouse;
use super::warehouse::metadata::{Format, Kind, TableMeta};
use crate::engine::{EngineError, Execution};

/// The property that holds what parts the fields of a text file.
const FIELD_DELIMITER: &str = "field.delim";

/// Runs a statement that only looks at the catalog.
///
/// # Errors
/// What it names does not exist.
pub(crate) fn show(
    warehouse: &Warehouse,
    current: &str,
    statement: Statement,
) -> Result<Execution, EngineError> {
    let single = |column: &str, names: Vec<String>| {
        rows(
            &[column],
            names.into_iter().map(|name| vec![name]).collect(),
        )
    };
    match statement {
        Statement::ShowDatabases { pattern } => single(
            "database_name",
            matching(warehouse.databases()?, pattern.as_deref()),
        ),
        Statement::ShowTables { database, pattern } => {
            let database = database.as_deref().unwrap_or(current);
            single(
                "tab_name",
                matching(warehouse.tables(database)?, pattern.as_deref()),
            )
        }
        Statement::ShowViews { database, pattern } => {
            let database = database.as_deref().unwrap_or(current);
            let mut names = matching(warehouse.tables(database)?, pattern.as_deref());
            names.retain(|name| matches!(warehouse.table(database, name), Ok(Some(meta)) if meta.kind == Kind::View));
            single("tab_name", names)
        }
        Statement::ShowFunctions { pattern } => {
            let names = allow::names().into_iter().map(str::to_owned).collect();
            single("tab_name", matching(names, pattern.as_deref()))
        }
        Statement::ShowColumns { table, pattern } => {
            let (_, _, meta) = table_meta(warehouse, current, &table)?;
            let names = meta.columns.into_iter().map(|column| column.name).collect();
            single("field", matching(names, pattern.as_deref()))
        }
        Statement::ShowCreateTable(table) => {
            let (database, name, meta) = table_meta(warehouse, current, &table)?;
            single("createtab_stmt", create_statement(&database, &name, &meta))
        }
        Statement::ShowPartitions(table) => {
            let (_, name, _) = table_meta(warehouse, current, &table)?;
            Err(error::semantic(
                10241,
                format!("Table {name} is not a partitioned table"),
            ))
        }
        Statement::DescribeFunction(name) => {
            let text = if allow::names().contains(&name.as_str()) {
                format!("{name} is a function of Hive; see its Language Manual")
            } else {
                format!("Function '{name}' does not exist.")
            };
            single("tab_name", vec![text])
        }
        Statement::ShowTableProperties { table, key } => {
            let (database, name, meta) = table_meta(warehouse, current, &table)?;
            // Hive answers so, in the column of the name.
            if let Some(key) = key
                .as_ref()
                .filter(|key| !meta.properties.contains_key(*key))
            {
                let text = format!("Table {database}.{name} does not have property: {key}");
                return rows(
                    &["prpt_name", "prpt_value"],
                    vec![vec![text, String::new()]],
                );
            }
            let properties = meta
                .properties
                .into_iter()
                .filter(|(name, _)| key.as_ref().is_none_or(|key| key == name));
            rows(
                &["prpt_name", "prpt_value"],
                properties.map(|(name, value)| vec![name, value]).collect(),
            )
        }
        Statement::Describe {
            table,
            column,
            detail,
        } => {
            let (database, name, meta) = table_meta(warehouse, current, &table)?;
            describe(
                warehouse,
                &database,
                &name,
                &meta,
                column.as_deref(),
                detail,
            )
        }
        Statement::DescribeDatabase(name) => {
            let meta = warehouse.database(&name)?;
            let location = format!("file:{}", warehouse.database_path(&name).display());
            let row = vec![
                name,
                meta.comment.unwrap_or_default(),
                location,
                meta.owner,
                "USER".to_owned(),
                String::new(),
            ];
            rows(
                &[
                    "db_name",
                    "comment",
                    "location",
                    "owner_name",
                    "owner_type",
                    "parameters",
                ],
                vec![row],
            )
        }
        other => Err(error::unsupported(
            None,
            format!("{other:?} is not supported"),
        )),
    }
}

fn table_meta(
    warehouse: &Warehouse,
    current: &str,
    name: &TableName,
) -> Result<(String, String, TableMeta), EngineError> {
    let database = name.database.clone().unwrap_or_else(|| current.to_owned());
    let meta = find(warehouse, &database, &name.table)?
        .ok_or_else(|| error::no_such_table(Some(name.at), &database, &name.table))?;
    Ok((database, name.table.clone(), meta))
}

/// The names that a `SHOW … LIKE` pattern matches: `*` and `%` are any characters, `|` parts patterns, letter case does
/// not count.
fn matching(names: Vec<String>, pattern: Option<&str>) -> Vec<String> {
    let Some(pattern) = pattern else { return names };
    let patterns: Vec<String> = pattern
        .to_lowercase()
        .split('|')
        .map(|p| p.trim().to_owned())
        .collect();
    names
        .into_iter()
        .filter(|name| patterns.iter().any(|pattern| matches(name, pattern)))
        .collect()
}

fn matches(name: &str, pattern: &str) -> bool {
    let name = name.to_lowercase();
    let parts: Vec<&str> = pattern.split(['*', '%']).collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return name == pattern;
    };
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn describe(
    warehouse: &Warehouse,
    database: &str,
    table: &str,
    meta: &TableMeta,
    column: Option<&str>,
    detail: Detail,
) -> Result<Execution, EngineError> {
    let row = |a: &str, b: &str, c: &str| vec![a.to_owned(), b.to_owned(), c.to_owned()];
    let columns = ["col_name", "data_type", "comment"];
    let mut out: Vec<Vec<String>> = Vec::new();
    if detail == Detail::Formatted {
        out.push(row(
            "# col_name            ",
            "data_type           ",
            "comment             ",
        ));
        if column.is_none() {
            out.push(row("", "", ""));
        }
    }
    for c in meta
        .columns
        .iter()
        .filter(|c| column.is_none_or(|name| name == c.name))
    {
        out.push(row(
            &c.name,
            &c.hive_type,
            c.comment.as_deref().unwrap_or_default(),
        ));
    }
    if let Some(name) = column {
        if !meta.columns.iter().any(|c| c.name == name) {
            let names = meta
                .columns
                .iter()
                .map(|c| c.name.clone())
                .collect::<Vec<_>>();
            return Err(error::no_such_column(None, name, &names));
        }
        return rows(&columns, out);
    }
    let kind = match meta.kind {
        Kind::Managed => "MANAGED_TABLE",
        Kind::External => "EXTERNAL_TABLE",
        Kind::View => "VIRTUAL_VIEW",
    };
    let location = meta
        .location
        .clone()
        .unwrap_or_else(|| warehouse.table_path(database, table).display().to_string());
    let mut created = String::new();
    text::write_timestamp(
        i64::try_from(meta.created_s).unwrap_or_default() * 1_000_000,
        &mut created,
    );
    let mut facts = vec![
        ("Database:", database.to_owned()),
        ("OwnerType:", "USER".to_owned()),
        ("Owner:", meta.owner.clone()),
        ("CreateTime:", format!("{created} UTC")),
        ("LastAccessTime:", "UNKNOWN".to_owned()),
        ("Retention:", "0".to_owned()),
    ];
    if meta.view.is_none() {
        facts.push(("Location:", format!("file:{location}")));
    }
    facts.push(("Table Type:", kind.to_owned()));
    let mut parameters: Vec<(&str, &str)> = Vec::new();
    parameters.extend(meta.comment.as_deref().map(|comment| ("comment", comment)));
    parameters.extend(
        meta.properties
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str())),
    );
    match detail {
        Detail::Columns => {}
        Detail::Extended => {
            let mut text: Vec<String> = facts
                .into_iter()
                .map(|(name, value)| format!("{name}{value}"))
                .collect();
            text.extend(
                parameters
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            );
            text.extend(
                meta.view
                    .as_ref()
                    .map(|view| format!("viewOriginalText:{}", view.text)),
            );
            out.push(row("", "", ""));
            out.push(row(
                "Detailed Table Information",
                &format!("Table(tableName:{table}, {})", text.join(", ")),
                "",
            ));
        }
        Detail::Formatted => {
            out.push(row("", "", ""));
            out.push(row("# Detailed Table Information", "", ""));
            out.extend(facts.into_iter().map(|(name, value)| row(name, &value, "")));
            if !parameters.is_empty() {
                out.push(row("Table Parameters:", "", ""));
                out.extend(parameters.iter().map(|(name, value)| row("", name, value)));
            }
            out.push(row("", "", ""));
            match &meta.view {
                Some(view) => {
                    out.push(row("# View Information", "", ""));
                    out.push(row("View Original Text:", &view.text, ""));
                    out.push(row("View Expanded Text:", &view.text, ""));
                }
                None => {
                    let (serde, input, output) = classes(meta.format);
                    out.push(row("# Storage Information", "", ""));
                    out.push(row("SerDe Library:", serde, ""));
                    out.push(row("InputFormat:", input, ""));
                    out.push(row("OutputFormat:", output, ""));
                }
            }
        }
    }
    rows(&columns, out)
}

/// The Java classes by which tools tell a table's format.
fn classes(format: Format) -> (&'static str, &'static str, &'static str) {
    let text = (
        "org.apache.hadoop.mapred.TextInputFormat",
        "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    );
    match format {
        Format::Parquet => (
            "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        ),
        Format::Csv => ("org.apache.hadoop.hive.serde2.OpenCSVSerde", text.0, text.1),
        Format::Text => (
            "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
            text.0,
            text.1,
        ),
        Format::Json => ("org.apache.hadoop.hive.serde2.JsonSerDe", text.0, text.1),
    }
}

fn format_word(format: Format) -> &'static str {
    match format {
        Format::Parquet => "PARQUET",
        Format::Csv => "CSV",
        Format::Text => "TEXTFILE",
        Format::Json => "JSON",
    }
}

/// A statement that makes the table anew, line by line.
fn create_statement(database: &str, table: &str, meta: &TableMeta) -> Vec<String> {
    if let Some(view) = &meta.view {
        let names: Vec<String> = meta.columns.iter().map(|c| quoted(&c.name)).collect();
        let head = format!(
            "CREATE VIEW {}.{} ({}) AS",
            quoted(database),
            quoted(table),
            names.join(", ")
        );
        return std::iter::once(head)
            .chain(view.text.lines().map(str::to_owned))
            .collect();
    }
    let external = if meta.kind == Kind::External {
        "EXTERNAL "
    } else {
        ""
    };
    let mut lines = vec![format!(
        "CREATE {external}TABLE {}.{}(",
        quoted(database),
        quoted(table)
    )];
    for (i, column) in meta.columns.iter().enumerate() {
        let comment = column
            .comment
            .as_ref()
            .map(|c| format!(" COMMENT {}", literal(c)))
            .unwrap_or_default();
        let end = if i + 1 == meta.columns.len() {
            ")"
        } else {
            ","
        };
        lines.push(format!(
            "  {} {}{comment}{end}",
            quoted(&column.name),
            column.hive_type
        ));
    }
    if let Some(comment) = &meta.comment {
        lines.push(format!("COMMENT {}", literal(comment)));
    }
    let delimiter = meta.properties.get(FIELD_DELIMITER);
    if let (Format::Text, Some(delimiter)) = (meta.format, delimiter) {
        lines.push(format!(
            "ROW FORMAT DELIMITED FIELDS TERMINATED BY {}",
            literal(delimiter)
        ));
    }
    lines.push(format!("STORED AS {}", format_word(meta.format)));
    if let Some(location) = &meta.location {
        lines.push(format!("LOCATION {}", literal(location)));
    }
    let pairs: Vec<_> = meta
        .properties
        .iter()
        .filter(|(key, _)| meta.format != Format::Text || *key != FIELD_DELIMITER)
        .collect();
    if !pairs.is_empty() {
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(k, v)| format!("{}={}", literal(k), literal(v)))
            .collect();
        lines.push(format!("TBLPROPERTIES ({})", pairs.join(", ")));
    }
    lines
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn literal(text: &str) -> String {
    format!(
        "'{}'",
        text.replace('\\', "\\\\")
            .replace('\'', "\\'")
            .replace('\n', "\\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_show() {
        for (name, pattern, fits) in [
            ("sales", "s*", true),
            ("sales", "*l*", true),
            ("sales", "S%S", true),
            ("sales", "sale", false),
            ("sales", "a*", false),
            ("sales", "x|sales", true),
            ("sales", "*", true),
            ("s", "s*s", false),
            ("abab", "*ab*ab", true),
        ] {
            assert_eq!(
                !matching(vec![name.to_owned()], Some(pattern)).is_empty(),
                fits,
                "{name} {pattern}"
            );
        }
    }
}
