//! The bitmap of NULLs: bit `i % 8` of byte `i / 8`, least significant first, 1 = NULL.
//!
//! Servers drop zero bytes at the end and some send bytes too many, so a reader takes what is missing as "not
//! NULL" and ignores the rest. A writer sends at least one byte and never a bit past the row count (one client
//! indexes its rows by them).

/// True when row `row` is NULL; rows past the end of the bitmap are not.
pub(crate) fn is_null(nulls: &[u8], row: usize) -> bool {
    nulls
        .get(row / 8)
        .is_some_and(|byte| byte >> (row % 8) & 1 == 1)
}

/// Bytes that [`append`] writes for `rows` rows.
pub(crate) const fn written_len(rows: usize, has_nulls: bool) -> usize {
    match rows.div_ceil(8) {
        bytes if has_nulls && bytes > 1 => bytes,
        _ => 1,
    }
}

/// Appends the bits `bit_offset .. bit_offset + rows` of `nulls`, shifted so that the first is bit 0.
pub(crate) fn append(out: &mut Vec<u8>, nulls: &[u8], bit_offset: usize, rows: usize) {
    let start = out.len();
    let bytes = written_len(rows, !nulls.is_empty());
    let source = nulls.get(bit_offset / 8..).unwrap_or_default();
    let shift = bit_offset % 8;
    if shift == 0 {
        out.extend(source.iter().take(bytes));
    } else {
        let next = source.iter().skip(1).chain(std::iter::once(&0));
        out.extend(
            source
                .iter()
                .zip(next)
                .take(bytes)
                .map(|(low, high)| low >> shift | high << (8 - shift)),
        );
    }
    out.resize(start + bytes, 0);
    if rows < bytes * 8
        && let Some(last) = out.last_mut()
    {
        // `bytes` is the exact count or 1, so the rows end in the last byte.
        *last &= mask(rows - (bytes - 1) * 8);
    }
}

/// The lowest `bits` bits of a byte, `bits` at most 7.
const fn mask(bits: usize) -> u8 {
    (1u8 << bits) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn appended(nulls: &[u8], bit_offset: usize, rows: usize) -> Vec<u8> {
        let mut out = vec![0xaa];
        append(&mut out, nulls, bit_offset, rows);
        assert_eq!(out[0], 0xaa);
        out.split_off(1)
    }

    #[test]
    fn at_least_one_byte_and_nothing_past_the_rows() {
        assert_eq!(appended(&[], 0, 0), [0]);
        assert_eq!(appended(&[], 0, 100), [0]);
        assert_eq!(appended(&[0xff], 0, 0), [0]);
        assert_eq!(appended(&[0xff], 0, 3), [0b111]);
        assert_eq!(appended(&[0xff, 0xff], 0, 8), [0xff]);
        assert_eq!(appended(&[0xff, 0xff], 4, 10), [0xff, 0b11]);
        assert_eq!(
            appended(&[0x01], 0, 20),
            [1, 0, 0],
            "a short bitmap is padded"
        );
    }

    proptest! {
        #[test]
        fn equals_the_bit_by_bit_model(nulls in prop::collection::vec(any::<u8>(), 1..40), offset in 0usize..330, rows in 0usize..330) {
            let got = appended(&nulls, offset, rows);
            prop_assert_eq!(got.len(), rows.div_ceil(8).max(1));
            for row in 0..got.len() * 8 {
                prop_assert_eq!(is_null(&got, row), row < rows && is_null(&nulls, offset + row), "row {}", row);
            }
        }
    }
}
