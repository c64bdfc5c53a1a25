//! Pages of result files, which a disk or a person may have changed.

use hs2_node::spool::Page;
use hs2_proto::rowset::{RowSetLayout, row_set_len, write_row_set};

/// Any bytes as a page, and the same with a header and a checksum that are right, so that what the directory says is
/// all that is left to judge: what decodes gives any of its rows, or an error, and only bytes that are its own.
pub fn spool_page(input: &[u8]) {
    use_page(input.to_vec());
    let mut page = input.to_vec();
    if page.len() < Page::HEADER_BYTES {
        return;
    }
    let body = u32::try_from(page.len() - Page::HEADER_BYTES).expect("a short input");
    page[..4].copy_from_slice(b"HS2P");
    page[8..12].copy_from_slice(&1_u32.to_le_bytes());
    page[12..16].copy_from_slice(&body.to_le_bytes());
    let crc = crc32fast::hash(&page[8..]);
    page[4..8].copy_from_slice(&crc.to_le_bytes());
    use_page(page);
}

fn use_page(bytes: Vec<u8>) {
    let length = bytes.len();
    let Ok(page) = Page::decode(bytes.into()) else {
        return;
    };
    let rows = page.rows();
    assert_eq!(page.len(), length);
    assert!(page.columns(0..rows.saturating_add(1)).is_err());
    for range in [0..0, 0..rows, rows / 3..rows / 2, rows..rows] {
        let count = range.len();
        let Ok(columns) = page.columns(range) else {
            continue;
        };
        assert_eq!(columns.len(), page.kinds().len());
        for column in &columns {
            assert!(column.values().len() <= length);
            assert_eq!(column.cells().count(), count);
        }
        let mut answer = Vec::new();
        write_row_set(&mut answer, 0, count, &columns, RowSetLayout::Columnar).expect("a row set");
        assert_eq!(answer.len(), row_set_len(&columns));
        // A text that ends behind its column is found where rows are taken apart.
        let _ = write_row_set(&mut answer, 0, count, &columns, RowSetLayout::RowBased);
    }
}
