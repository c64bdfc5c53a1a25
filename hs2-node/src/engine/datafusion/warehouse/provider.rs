//! A table of the warehouse as a table of DataFusion: the files that it has at this moment.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::datasource::ViewTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};

use super::metadata::{Format, Kind, TableMeta};
use super::{Warehouse, entries, text_table};
use crate::engine::EngineError;
use crate::engine::datafusion::error;

/// The table `database.table` with the files that it has now.
///
/// # Errors
/// Its folder cannot be read.
pub(crate) fn provider(
    warehouse: &Warehouse,
    database: &str,
    table: &str,
    meta: &TableMeta,
) -> Result<Arc<dyn TableProvider>, EngineError> {
    let folder = match (meta.kind, &meta.location) {
        (Kind::External, Some(location)) => PathBuf::from(location),
        _ => warehouse.data_path(database, table, meta),
    };
    let reading = |e: std::io::Error| error::io(&format!("reading {}", folder.display()), &e);
    let files: Vec<PathBuf> = if folder.is_file() {
        vec![folder.clone()]
    } else {
        entries(&folder)
            .map_err(reading)?
            .into_iter()
            .map(|name| folder.join(name))
            .filter(|p| p.is_file())
            .collect()
    };
    match text_table::schema(meta) {
        Some(schema) => {
            let plan = text_table::plan(listing(&files, meta, schema)?, table, meta)?;
            Ok(Arc::new(ViewTable::new(plan, None)))
        }
        None => listing(&files, meta, meta.schema()?),
    }
}

fn listing(
    files: &[PathBuf],
    meta: &TableMeta,
    schema: SchemaRef,
) -> Result<Arc<dyn TableProvider>, EngineError> {
    if files.is_empty() {
        return Ok(Arc::new(EmptyTable::new(schema)));
    }
    let urls = files
        .iter()
        .map(|file| url(file))
        .collect::<Result<Vec<_>, _>>()?;
    let format: Arc<dyn FileFormat> = match meta.format {
        Format::Parquet => Arc::new(
            ParquetFormat::default()
                .with_force_view_types(false)
                .with_skip_metadata(true),
        ),
        Format::Csv | Format::Text => {
            let property = |key: &str| meta.properties.get(key);
            let hives = meta.format == Format::Text;
            let delimiter = property("field.delim")
                .and_then(|d| d.bytes().next())
                .unwrap_or(if hives { 1 } else { b',' });
            let header = property("skip.header.line.count").is_some_and(|n| n == "1");
            Arc::new(
                CsvFormat::default()
                    .with_has_header(header)
                    .with_delimiter(delimiter)
                    // No byte of UTF-8: nothing quotes.
                    .with_quote(if hives { 0xff } else { b'"' }),
            )
        }
        Format::Json => Arc::new(JsonFormat::default()),
    };
    let options = ListingOptions::new(format).with_file_extension("");
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(schema);
    let table = ListingTable::try_new(config).map_err(|e| error::from_running(&e))?;
    Ok(Arc::new(table))
}

/// A file's URL. Every character of the path stands for itself: nothing in it is a pattern or an escape.
fn url(file: &Path) -> Result<ListingTableUrl, EngineError> {
    let mut url = "file://".to_owned();
    for byte in file.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                url.push(char::from(byte))
            }
            other => {
                let _ = write!(url, "%{other:02X}");
            }
        }
    }
    ListingTableUrl::parse(url).map_err(|e| error::from_running(&e))
}
