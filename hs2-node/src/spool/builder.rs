//! Gathers batches until they make a page.

use hs2_proto::rowset::{ColumnKind, WireBatch, WireColumn};
use std::ops::Range;

/// Columns that grow by ranges of batches. Its memory is kept from page to page.
#[derive(Debug)]
pub(super) struct PageBuilder {
    columns: Vec<WireColumn>,
    rows: usize,
    bytes: usize,
}

impl PageBuilder {
    pub(super) fn new(kinds: &[ColumnKind]) -> Self {
        let column = |kind: &ColumnKind| WireColumn {
            kind: *kind,
            values: Vec::new(),
            offsets: if kind.width().is_none() {
                vec![0]
            } else {
                Vec::new()
            },
            nulls: Vec::new(),
        };
        Self {
            columns: kinds.iter().map(column).collect(),
            rows: 0,
            bytes: 0,
        }
    }

    /// What is gathered.
    pub(super) fn columns(&self) -> &[WireColumn] {
        &self.columns
    }

    /// Rows gathered.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes gathered, as [`bytes_of`] counts them.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// True when a batch has the columns of this builder, and each of them the rows it should have.
    pub(super) fn accepts(&self, batch: &WireBatch) -> bool {
        batch.columns.len() == self.columns.len()
            && batch
                .columns
                .iter()
                .zip(&self.columns)
                .all(|(theirs, ours)| {
                    theirs.kind == ours.kind
                        && theirs.rows() == batch.rows
                        && theirs.slice(0..batch.rows).is_ok()
                })
    }

    /// Adds rows of a batch that is [accepted](Self::accepts).
    pub(super) fn append(&mut self, batch: &WireBatch, rows: Range<usize>) {
        self.bytes += bytes_of(batch, rows.clone());
        for (column, source) in self.columns.iter_mut().zip(&batch.columns) {
            append_nulls(&mut column.nulls, self.rows, &source.nulls, rows.clone());
            match column.kind.width() {
                Some(width) => {
                    let range = rows.start * width..rows.end * width;
                    column
                        .values
                        .extend_from_slice(source.values.get(range).unwrap_or_default());
                }
                None => append_texts(column, source, rows.clone()),
            }
        }
        self.rows += rows.len();
    }

    /// Empties the builder for the next page.
    pub(super) fn clear(&mut self) {
        for column in &mut self.columns {
            column.values.clear();
            column.nulls.clear();
            column.offsets.truncate(1);
        }
        self.rows = 0;
        self.bytes = 0;
    }
}

/// Bytes that rows of a batch take in a page: their values, and an offset for each where they have one.
pub(super) fn bytes_of(batch: &WireBatch, rows: Range<usize>) -> usize {
    let bytes = |column: &WireColumn| match column.kind.width() {
        Some(width) => rows.len() * width,
        None => {
            let offset = |row: usize| column.offsets.get(row).map_or(0, |offset| *offset as usize);
            offset(rows.end).saturating_sub(offset(rows.start)) + rows.len() * 4
        }
    };
    batch.columns.iter().map(bytes).sum()
}

fn append_texts(column: &mut WireColumn, source: &WireColumn, rows: Range<usize>) {
    let offsets = source
        .offsets
        .get(rows.start..=rows.end)
        .unwrap_or_default();
    let [first, rest @ ..] = offsets else { return };
    let last = rest.last().unwrap_or(first);
    let begin = column.offsets.last().copied().unwrap_or_default();
    // A page is far below 4 GiB, so that these never wrap; decoding a page checks what they lead to.
    column.offsets.extend(
        rest.iter()
            .map(|offset| begin.wrapping_add(offset.wrapping_sub(*first))),
    );
    let values = source.values.get(*first as usize..*last as usize);
    column.values.extend_from_slice(values.unwrap_or_default());
}

/// Adds the bits `rows` of `source` behind the `have` bits of `nulls`. Either may be empty: no NULLs.
fn append_nulls(nulls: &mut Vec<u8>, have: usize, source: &[u8], rows: Range<usize>) {
    if nulls.is_empty() && source.is_empty() {
        return;
    }
    nulls.resize((have + rows.len()).div_ceil(8), 0);
    for (at, row) in (have..).zip(rows) {
        let bit = source.get(row / 8).map_or(0, |byte| byte >> (row % 8) & 1);
        if let Some(byte) = nulls.get_mut(at / 8) {
            *byte |= bit << (at % 8);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use hs2_proto::rowset::ColumnSlice;

    /// An INT column `0, 1, …`, every third NULL, and a STRING column `w0, w1, …`, every fifth NULL.
    pub(in crate::spool) fn numbers_and_words(rows: usize) -> WireBatch {
        let mut numbers = WireColumn {
            kind: ColumnKind::I32,
            values: vec![],
            offsets: vec![],
            nulls: vec![0; rows.div_ceil(8)],
        };
        let mut words = WireColumn {
            kind: ColumnKind::String,
            values: vec![],
            offsets: vec![0],
            nulls: vec![0; rows.div_ceil(8)],
        };
        for row in 0..rows {
            let (no_number, no_word) = (row % 3 == 0, row % 5 == 0);
            numbers.nulls[row / 8] |= u8::from(no_number) << (row % 8);
            words.nulls[row / 8] |= u8::from(no_word) << (row % 8);
            let number = if no_number {
                0
            } else {
                i32::try_from(row).unwrap()
            };
            numbers.values.extend(number.to_be_bytes());
            let word = if no_word {
                String::new()
            } else {
                format!("w{row}")
            };
            words
                .values
                .extend(u32::try_from(word.len()).unwrap().to_be_bytes());
            words.values.extend(word.as_bytes());
            words
                .offsets
                .push(u32::try_from(words.values.len()).unwrap());
        }
        WireBatch {
            rows,
            columns: vec![numbers, words],
        }
    }

    /// The texts of a string column.
    pub(in crate::spool) fn words_of(column: &ColumnSlice<'_>) -> Vec<String> {
        let mut rest = column.values();
        let mut words = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk() {
            let (word, after) = after.split_at(u32::from_be_bytes(*length) as usize);
            words.push(String::from_utf8(word.to_vec()).unwrap());
            rest = after;
        }
        words
    }

    #[test]
    fn pieces_put_together_are_the_whole() {
        let whole = numbers_and_words(100);
        let mut builder = PageBuilder::new(&[ColumnKind::I32, ColumnKind::String]);
        assert!(builder.accepts(&whole));
        for cuts in [
            vec![0, 100],
            vec![0, 1, 8, 9, 64, 71, 100],
            (0..=100).collect(),
        ] {
            for pair in cuts.windows(2) {
                builder.append(&whole, pair[0]..pair[1]);
            }
            assert_eq!(builder.columns(), whole.columns);
            assert_eq!(
                (builder.rows(), builder.bytes()),
                (100, bytes_of(&whole, 0..100))
            );
            builder.clear();
        }
    }

    #[test]
    fn a_batch_without_nulls_after_one_with_them_and_before() {
        let plain = |n: u8| WireBatch {
            rows: 3,
            columns: vec![WireColumn {
                kind: ColumnKind::Byte,
                values: vec![n; 3],
                offsets: vec![],
                nulls: vec![],
            }],
        };
        let mut nulls = plain(0);
        nulls.columns[0].nulls = vec![0b101];
        let mut builder = PageBuilder::new(&[ColumnKind::Byte]);
        for batch in [plain(1), nulls, plain(2)] {
            builder.append(&batch, 0..3);
        }
        assert_eq!(builder.columns()[0].values, [1, 1, 1, 0, 0, 0, 2, 2, 2]);
        assert_eq!(builder.columns()[0].nulls, [0b0010_1000, 0]);
    }

    #[test]
    fn a_batch_that_does_not_fit_together_is_not_accepted() {
        let builder = PageBuilder::new(&[ColumnKind::I32, ColumnKind::String]);
        let mut batch = numbers_and_words(4);
        batch.columns[0].values.pop();
        assert!(!builder.accepts(&batch));
        let mut batch = numbers_and_words(4);
        batch.columns[1].offsets[4] = 999;
        assert!(!builder.accepts(&batch));
        let mut batch = numbers_and_words(4);
        batch.columns.swap(0, 1);
        assert!(!builder.accepts(&batch));
    }
}
