//! Rows as text: a table for people, CSV, TSV and JSON for programs.

use clap::ValueEnum;
use comfy_table::{Table, presets};
use console::{Alignment, measure_text_width, pad_str, truncate_str};
use hs2_proto::rowset::arrow::encode_batch;
use hs2_proto::rowset::{Cell, ColumnSlice};
use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::Schema;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people, cut to fit the terminal; NULL is NULL
    Table,
    /// For people, a value a line; NULL is NULL
    Vertical,
    /// RFC 4180 with a header; NULL is nothing, an empty string ""
    Csv,
    /// Tabs between the columns, with a header; NULL is \N, a tab in a value \t
    Tsv,
    /// An object a line
    Json,
}

/// Rows that a table shows under one header.
const TABLE_ROWS: usize = 1000;

/// A table whose columns would have to be narrower is printed a value a line.
const COLUMN_WIDTH_MIN: usize = 6;

/// Prints one result, batch by batch.
pub(super) struct Printer<W> {
    out: W,
    format: Format,
    names: Vec<String>,
    table: Vec<Vec<String>>,
    /// Columns of the terminal, if it is one.
    width: Option<usize>,
    printed: Printed,
}

/// What was printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) rows: u64,
    /// Values were cut to fit the terminal.
    pub(super) cut: bool,
}

impl<W: Write> Printer<W> {
    /// Begins a result with these columns; a table is cut to `width`.
    pub(super) fn new(
        mut out: W,
        format: Format,
        schema: &Schema,
        width: Option<usize>,
    ) -> io::Result<Self> {
        let names: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        match format {
            Format::Csv => write_line(&mut out, ",", names.iter().map(|name| csv(Some(name))))?,
            Format::Tsv => write_line(&mut out, "\t", names.iter().map(|name| tsv(Some(name))))?,
            Format::Table | Format::Vertical | Format::Json => {}
        }
        Ok(Self {
            out,
            format,
            names,
            table: Vec::new(),
            width,
            printed: Printed::default(),
        })
    }

    /// Prints the rows of a batch.
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let wire = encode_batch(batch).map_err(io::Error::other)?;
        let slices = wire.slice(0..wire.rows).map_err(io::Error::other)?;
        let mut columns: Vec<_> = slices.iter().map(ColumnSlice::cells).collect();
        for _ in 0..wire.rows {
            self.printed.rows += 1;
            let cells = columns.iter_mut().map(|cells| cells.next());
            self.row(cells.map(|cell| Word::of(&cell.unwrap_or(Cell::Null))))?;
        }
        Ok(())
    }

    fn row(&mut self, cells: impl Iterator<Item = Word>) -> io::Result<()> {
        let shown = |cell: Word| match cell.text {
            Some(text) => one_line(&text),
            None => "NULL".to_owned(),
        };
        match self.format {
            Format::Vertical => {
                let cells: Vec<_> = cells.map(shown).collect();
                self.print_vertical(self.printed.rows, &cells)
            }
            Format::Table => {
                self.table.push(cells.map(shown).collect());
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

    /// Prints what is left, and says what was printed.
    pub(super) fn end(mut self) -> io::Result<Printed> {
        if self.format == Format::Table && (!self.table.is_empty() || self.printed.rows == 0) {
            self.print_table()?;
        }
        self.out.flush()?;
        Ok(self.printed)
    }

    fn print_table(&mut self) -> io::Result<()> {
        let mut rows = std::mem::take(&mut self.table);
        let mut names = self.names.clone();
        if let Some(width) = self.width {
            let widths = (0..names.len()).map(|column| {
                let cells = rows.iter().chain([&names]);
                let cells = cells.filter_map(|row| row.get(column));
                cells
                    .map(|cell| measure_text_width(cell))
                    .max()
                    .unwrap_or(0)
            });
            let widths: Vec<_> = widths.collect();
            match column_width(&widths, width) {
                // Nothing is too wide.
                None => {}
                Some(limit) if limit < COLUMN_WIDTH_MIN => {
                    let first = self.printed.rows + 1 - rows.len() as u64;
                    for (number, row) in (first..).zip(&rows) {
                        self.print_vertical(number, row)?;
                    }
                    return Ok(());
                }
                Some(limit) => {
                    for cell in rows.iter_mut().chain([&mut names]).flatten() {
                        if measure_text_width(cell) > limit {
                            *cell = truncate_str(cell, limit, "…").into_owned();
                            self.printed.cut = true;
                        }
                    }
                }
            }
        }
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        table.set_header(&names);
        table.add_rows(rows);
        writeln!(self.out, "{table}")
    }

    fn print_vertical(&mut self, number: u64, cells: &[String]) -> io::Result<()> {
        let widths = self.names.iter().map(|name| measure_text_width(name));
        let width = widths.max().unwrap_or(0);
        writeln!(self.out, "-[ row {number} ]-")?;
        for (name, cell) in self.names.iter().zip(cells) {
            let name = pad_str(name, width, Alignment::Left, None);
            writeln!(self.out, "{name} | {cell}")?;
        }
        Ok(())
    }
}

/// The widest that a column may be for a table of such columns to fit; `None` where it fits as it is.
fn column_width(widths: &[usize], terminal: usize) -> Option<usize> {
    // `| a | b |`
    let room = terminal.saturating_sub(3 * widths.len() + 1);
    let needed = |limit: usize| {
        widths
            .iter()
            .map(|width| (*width).min(limit))
            .sum::<usize>()
    };
    let widest = widths.iter().copied().max().unwrap_or(0);
    if needed(widest) <= room {
        return None;
    }
    (0..widest).rev().find(|limit| needed(*limit) <= room)
}

/// One value in words.
struct Word {
    /// `None` for NULL.
    text: Option<String>,
    /// A number or truth value, which JSON writes without quotes.
    bare: bool,
}

impl Word {
    fn of(cell: &Cell<'_>) -> Self {
        let (text, bare) = match *cell {
            Cell::Null => {
                return Self {
                    text: None,
                    bare: true,
                };
            }
            Cell::Bool(value) => (value.to_string(), true),
            Cell::Byte(number) => (number.to_string(), true),
            Cell::I16(number) => (number.to_string(), true),
            Cell::I32(number) => (number.to_string(), true),
            Cell::I64(number) => (number.to_string(), true),
            Cell::Double(f64::INFINITY) => ("Infinity".to_owned(), false),
            Cell::Double(f64::NEG_INFINITY) => ("-Infinity".to_owned(), false),
            Cell::Double(number) => (format!("{number:?}"), !number.is_nan()),
            Cell::String(bytes) => (String::from_utf8_lossy(bytes).into_owned(), false),
            Cell::Binary(bytes) => (
                bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
                false,
            ),
        };
        Self {
            text: Some(text),
            bare,
        }
    }

    fn json(&self) -> String {
        match &self.text {
            None => "null".to_owned(),
            Some(text) if self.bare => text.clone(),
            Some(text) => json_text(text),
        }
    }
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
    use arrow_array::{
        Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
        DurationMicrosecondArray, Float32Array, Float64Array, Int8Array, Int64Array,
        IntervalYearMonthArray, StringArray, TimestampMicrosecondArray,
    };
    use arrow_schema::{DataType, Field};
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
        let mut printer = Printer::new(&mut out, format, &batch.schema(), None).unwrap();
        printer.batch(&batch).unwrap();
        assert_eq!(printer.end().unwrap().rows, 2);
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
        let schema = Schema::new(vec![Field::new("id", DataType::Int64, true)]);
        let mut out = Vec::new();
        assert_eq!(
            Printer::new(&mut out, Format::Table, &schema, Some(80))
                .unwrap()
                .end()
                .unwrap(),
            Printed::default()
        );
        assert!(String::from_utf8(out).unwrap().contains("id"));
    }

    /// One column of each type, a value and a NULL: in CSV, in TSV and in JSON.
    #[test]
    fn every_type_in_every_format() {
        let words = |data_type: &DataType, words: &str| {
            let words = [("hive.type".to_owned(), words.to_owned())];
            Field::new("c", data_type.clone(), true).with_metadata(words.into())
        };
        let decimals = Decimal128Array::from(vec![Some(-150), None]);
        let decimals = decimals.with_precision_and_scale(10, 2).unwrap();
        let zoned = TimestampMicrosecondArray::from(vec![Some(1_500_000), None]);
        let zoned = zoned.with_timezone("UTC");
        let zoned_field = words(zoned.data_type(), "timestamp with local time zone");
        let list = r#"[1,null,"a,b"]"#;
        let table: Vec<(ArrayRef, Option<Field>, &str, &str, &str)> = vec![
            (
                Arc::new(BooleanArray::from(vec![Some(true), None])),
                None,
                "true",
                "true",
                "true",
            ),
            (
                Arc::new(Int8Array::from(vec![Some(-1), None])),
                None,
                "-1",
                "-1",
                "-1",
            ),
            (
                Arc::new(Int64Array::from(vec![Some(i64::MIN), None])),
                None,
                "-9223372036854775808",
                "-9223372036854775808",
                "-9223372036854775808",
            ),
            (
                Arc::new(Float32Array::from(vec![Some(0.1), None])),
                None,
                "0.1",
                "0.1",
                "0.1",
            ),
            (
                Arc::new(Float64Array::from(vec![Some(f64::INFINITY), None])),
                None,
                "Infinity",
                "Infinity",
                "\"Infinity\"",
            ),
            (Arc::new(decimals), None, "-1.50", "-1.50", "\"-1.50\""),
            (
                Arc::new(BinaryArray::from(vec![Some(&b"a\xff"[..]), None])),
                None,
                "61ff",
                "61ff",
                "\"61ff\"",
            ),
            (
                Arc::new(Date32Array::from(vec![Some(-1), None])),
                None,
                "1969-12-31",
                "1969-12-31",
                "\"1969-12-31\"",
            ),
            (
                Arc::new(TimestampMicrosecondArray::from(vec![Some(1_500_000), None])),
                None,
                "1970-01-01 00:00:01.5",
                "1970-01-01 00:00:01.5",
                "\"1970-01-01 00:00:01.5\"",
            ),
            (
                Arc::new(zoned),
                Some(zoned_field),
                "1970-01-01 00:00:01.5 UTC",
                "1970-01-01 00:00:01.5 UTC",
                "\"1970-01-01 00:00:01.5 UTC\"",
            ),
            (
                Arc::new(IntervalYearMonthArray::from(vec![Some(14), None])),
                None,
                "1-2",
                "1-2",
                "\"1-2\"",
            ),
            (
                Arc::new(DurationMicrosecondArray::from(vec![Some(-1_500_000), None])),
                None,
                "-0 00:00:01.500000000",
                "-0 00:00:01.500000000",
                "\"-0 00:00:01.500000000\"",
            ),
            (
                Arc::new(StringArray::from(vec![Some(list), None])),
                Some(words(&DataType::Utf8, "array")),
                r#""[1,null,""a,b""]""#,
                list,
                r#""[1,null,\"a,b\"]""#,
            ),
        ];
        for (array, field, csv, tsv, json) in table {
            let field = field.unwrap_or_else(|| Field::new("c", array.data_type().clone(), true));
            let schema = Arc::new(Schema::new(vec![field]));
            let batch = RecordBatch::try_new(schema, vec![array]).unwrap();
            for (format, expected) in [
                (Format::Csv, format!("c\n{csv}\n\n")),
                (Format::Tsv, format!("c\n{tsv}\n\\N\n")),
                (Format::Json, format!("{{\"c\":{json}}}\n{{\"c\":null}}\n")),
            ] {
                let mut out = Vec::new();
                let mut printer = Printer::new(&mut out, format, &batch.schema(), None).unwrap();
                printer.batch(&batch).unwrap();
                printer.end().unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), expected);
            }
        }
    }

    fn table_of(texts: &[&str], width: usize) -> (String, Printed) {
        let columns = texts.iter().enumerate().map(|(index, text)| {
            let array: ArrayRef = Arc::new(StringArray::from(vec![*text]));
            (format!("c{index}"), array)
        });
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut out = Vec::new();
        let mut printer =
            Printer::new(&mut out, Format::Table, &batch.schema(), Some(width)).unwrap();
        printer.batch(&batch).unwrap();
        let printed = printer.end().unwrap();
        (String::from_utf8(out).unwrap(), printed)
    }

    #[test]
    fn a_table_fits_its_terminal() {
        let long = "řádek ".repeat(20);
        let (text, printed) = table_of(&["1", &long, "行行"], 40);
        assert!(printed.cut && text.contains('…'), "{text}");
        assert!(
            text.lines().all(|line| measure_text_width(line) <= 40),
            "{text}"
        );
        let (text, printed) = table_of(&["1", "two"], 40);
        assert!(!printed.cut && text.contains("| 1  | two |"), "{text}");
        let many = ["some longer text"; 12];
        let (text, printed) = table_of(&many, 40);
        assert!(text.starts_with("-[ row 1 ]-\nc0  | some"), "{text}");
        assert!(!printed.cut);
    }

    /// They are counted through the headers of a long table.
    #[test]
    fn rows_that_do_not_fit_keep_their_numbers() {
        let columns = (0..12).map(|index| {
            let array: ArrayRef = Arc::new(StringArray::from(vec!["some longer text"; 2001]));
            (format!("c{index}"), array)
        });
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, Format::Table, &batch.schema(), Some(40)).unwrap();
        printer.batch(&batch).unwrap();
        printer.end().unwrap();
        let text = String::from_utf8(out).unwrap();
        let heads = text.lines().filter(|line| line.starts_with("-[ row "));
        assert!(heads.eq((1..=2001).map(|number| format!("-[ row {number} ]-"))));
    }

    #[test]
    fn a_limit_for_the_columns() {
        assert_eq!(column_width(&[3, 3], 13), None);
        assert_eq!(column_width(&[3, 30], 20), Some(10));
        assert_eq!(column_width(&[9, 9], 8), Some(0));
        assert_eq!(column_width(&[], 0), None);
    }
}
