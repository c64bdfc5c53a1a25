//! Rows as text: a table for people, CSV, TSV and JSON for programs.

use clap::ValueEnum;
use comfy_table::{Table, presets};
use hs2_proto::rowset::arrow::encode_array;
use hs2_proto::rowset::{ColumnKind, WireColumn};
use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::Schema;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people; NULL is NULL
    Table,
    /// RFC 4180 with a header; NULL is nothing, an empty string ""
    Csv,
    /// Tabs between the columns, with a header; NULL is \N, a tab in a value \t
    Tsv,
    /// An object a line
    Json,
}

/// Rows that a table shows under one header.
const TABLE_ROWS: usize = 1000;

/// Prints one result, batch by batch.
pub(super) struct Printer<W> {
    out: W,
    format: Format,
    names: Vec<String>,
    table: Vec<Vec<String>>,
    rows: u64,
}

impl<W: Write> Printer<W> {
    /// Begins a result with these columns.
    pub(super) fn new(mut out: W, format: Format, schema: &Schema) -> io::Result<Self> {
        let names: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        match format {
            Format::Csv => write_line(&mut out, ",", names.iter().map(|name| csv(Some(name))))?,
            Format::Tsv => write_line(&mut out, "\t", names.iter().map(|name| tsv(Some(name))))?,
            Format::Table | Format::Json => {}
        }
        Ok(Self {
            out,
            format,
            names,
            table: Vec::new(),
            rows: 0,
        })
    }

    /// Prints the rows of a batch.
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let schema = batch.schema();
        let columns = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, array)| encode_array(array, field));
        let columns = columns
            .collect::<Result<Vec<_>, _>>()
            .map_err(io::Error::other)?;
        for row in 0..batch.num_rows() {
            self.row(&columns, row)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn row(&mut self, columns: &[WireColumn], row: usize) -> io::Result<()> {
        let cells = columns.iter().map(|column| Cell::of(column, row));
        match self.format {
            Format::Table => {
                self.table.push(
                    cells
                        .map(|cell| {
                            cell.text
                                .map_or_else(|| "NULL".to_owned(), |text| one_line(&text))
                        })
                        .collect(),
                );
                if self.table.len() >= TABLE_ROWS {
                    self.print_table()
                } else {
                    Ok(())
                }
            }
            Format::Csv => write_line(
                &mut self.out,
                ",",
                cells.map(|cell| csv(cell.text.as_deref())),
            ),
            Format::Tsv => write_line(
                &mut self.out,
                "\t",
                cells.map(|cell| tsv(cell.text.as_deref())),
            ),
            Format::Json => {
                let pairs = self
                    .names
                    .iter()
                    .zip(cells)
                    .map(|(name, cell)| format!("{}:{}", json_text(name), cell.json()));
                let pairs: Vec<_> = pairs.collect();
                writeln!(self.out, "{{{}}}", pairs.join(","))
            }
        }
    }

    /// Prints what is left, and says how many rows there were.
    pub(super) fn end(mut self) -> io::Result<u64> {
        if self.format == Format::Table && (!self.table.is_empty() || self.rows == 0) {
            self.print_table()?;
        }
        self.out.flush()?;
        Ok(self.rows)
    }

    fn print_table(&mut self) -> io::Result<()> {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        table.set_header(&self.names);
        table.add_rows(self.table.drain(..));
        writeln!(self.out, "{table}")
    }
}

/// One value in words.
struct Cell {
    /// `None` for NULL.
    text: Option<String>,
    /// A number or truth value, which JSON writes without quotes.
    bare: bool,
}

impl Cell {
    fn of(column: &WireColumn, row: usize) -> Self {
        let text = if column.is_null(row) {
            None
        } else {
            value(column, row)
        };
        let bare = match column.kind {
            ColumnKind::String | ColumnKind::Binary => false,
            ColumnKind::Double => text
                .as_deref()
                .is_some_and(|text| !matches!(text, "NaN" | "Infinity" | "-Infinity")),
            _ => true,
        };
        Self { text, bare }
    }

    fn json(&self) -> String {
        match &self.text {
            None => "null".to_owned(),
            Some(text) if self.bare => text.clone(),
            Some(text) => json_text(text),
        }
    }
}

fn value(column: &WireColumn, row: usize) -> Option<String> {
    fn bytes<const N: usize>(column: &WireColumn, row: usize) -> Option<[u8; N]> {
        column.values.get(row * N..)?.first_chunk().copied()
    }
    Some(match column.kind {
        ColumnKind::Bool => (bytes::<1>(column, row)? != [0]).to_string(),
        ColumnKind::Byte => i8::from_be_bytes(bytes(column, row)?).to_string(),
        ColumnKind::I16 => i16::from_be_bytes(bytes(column, row)?).to_string(),
        ColumnKind::I32 => i32::from_be_bytes(bytes(column, row)?).to_string(),
        ColumnKind::I64 => i64::from_be_bytes(bytes(column, row)?).to_string(),
        ColumnKind::Double => match f64::from_be_bytes(bytes(column, row)?) {
            number if number == f64::INFINITY => "Infinity".to_owned(),
            number if number == f64::NEG_INFINITY => "-Infinity".to_owned(),
            number => format!("{number:?}"),
        },
        ColumnKind::String | ColumnKind::Binary => {
            let (start, end) = (
                *column.offsets.get(row)? as usize,
                *column.offsets.get(row + 1)? as usize,
            );
            let text = column.values.get(start + 4..end)?;
            match std::str::from_utf8(text) {
                Ok(text) => text.to_owned(),
                Err(_) => text.iter().map(|byte| format!("{byte:02x}")).collect(),
            }
        }
    })
}

fn write_line(
    out: &mut impl Write,
    separator: &str,
    cells: impl Iterator<Item = String>,
) -> io::Result<()> {
    writeln!(out, "{}", cells.collect::<Vec<_>>().join(separator))
}

fn csv(text: Option<&str>) -> String {
    match text {
        None => String::new(),
        Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(text) => text.to_owned(),
    }
}

fn tsv(text: Option<&str>) -> String {
    text.map_or_else(
        || "\\N".to_owned(),
        |text| {
            text.replace('\\', "\\\\")
                .replace('\t', "\\t")
                .replace('\n', "\\n")
                .replace('\r', "\\r")
        },
    )
}

/// A table has one line a row, and its terminal obeys no value.
fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_debug().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
    use std::sync::Arc;

    fn printed(format: Format) -> String {
        let columns: [(&str, ArrayRef); 3] = [
            ("id", Arc::new(Int64Array::from(vec![Some(1), None]))),
            ("x", Arc::new(Float64Array::from(vec![0.5, f64::NAN]))),
            (
                "na,me",
                Arc::new(StringArray::from(vec![Some("a\t\"b\","), Some("")])),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, format, &batch.schema()).unwrap();
        printer.batch(&batch).unwrap();
        assert_eq!(printer.end().unwrap(), 2);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_format() {
        assert_eq!(
            printed(Format::Csv),
            "id,x,\"na,me\"\n1,0.5,\"a\t\"\"b\"\",\"\n,NaN,\"\"\n"
        );
        assert_eq!(
            printed(Format::Tsv),
            "id\tx\tna,me\n1\t0.5\ta\\t\"b\",\n\\N\tNaN\t\n"
        );
        assert_eq!(
            printed(Format::Json),
            "{\"id\":1,\"x\":0.5,\"na,me\":\"a\\t\\\"b\\\",\"}\n{\"id\":null,\"x\":\"NaN\",\"na,me\":\"\"}\n"
        );
        let table = printed(Format::Table);
        assert!(
            table.contains("| NULL | NaN |") && table.contains("a\\t\"b\","),
            "{table}"
        );
    }

    #[test]
    fn an_empty_result_still_shows_its_columns() {
        let schema = Schema::new(vec![arrow_schema::Field::new(
            "id",
            arrow_schema::DataType::Int64,
            true,
        )]);
        let mut out = Vec::new();
        assert_eq!(
            Printer::new(&mut out, Format::Table, &schema)
                .unwrap()
                .end()
                .unwrap(),
            0
        );
        assert!(String::from_utf8(out).unwrap().contains("id"));
    }
}
