//! The result path: Arrow batches into the spool's pages, and pages into row sets, beside plain copies of the same bytes.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::Field;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hs2_node::spool::{PAGE_ROWS_MAX, SpoolDir};
use hs2_proto::rowset::arrow::{column_kinds, encode_array, encode_batch};
use hs2_proto::rowset::{ColumnSlice, RowSetLayout, WireBatch, row_set_len, write_row_set};
use tokio::runtime::Runtime;

const BATCH_ROWS: usize = 8192;
const BATCHES: usize = 128;
const ROWS: u64 = (BATCH_ROWS * BATCHES) as u64;

fn batch() -> RecordBatch {
    benches::hs2::batch(0..i64::try_from(BATCH_ROWS).unwrap())
}

fn conversion(c: &mut Criterion) {
    let batch = batch();
    let wire = encode_batch(&batch).unwrap();
    let bytes: usize = wire.columns.iter().map(|column| column.values.len()).sum();
    let flat = vec![7_u8; bytes];

    let mut group = c.benchmark_group("8,192 rows of bigint, bigint, double, 20-byte string");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("memcpy of the wire's bytes (floor)", |b| {
        b.iter(|| black_box(flat.clone()))
    });
    group.bench_function("Arrow to the wire's columns", |b| {
        b.iter(|| encode_batch(black_box(&batch)).unwrap())
    });
    let mut out = Vec::new();
    group.bench_function("columns to a row set, all rows", |b| {
        b.iter(|| row_set(&mut out, &wire, 0..BATCH_ROWS))
    });
    group.bench_function("columns to row sets, 1,000 rows each", |b| {
        b.iter(|| {
            for start in (0..BATCH_ROWS).step_by(1000) {
                row_set(&mut out, &wire, start..(start + 1000).min(BATCH_ROWS));
            }
        });
    });
    group.finish();
}

fn row_set(out: &mut Vec<u8>, wire: &WireBatch, rows: std::ops::Range<usize>) {
    out.clear();
    let count = rows.len();
    let columns = wire.slice(rows).unwrap();
    write_row_set(out, 0, count, &columns, RowSetLayout::Columnar).unwrap();
    black_box(&out);
}

/// Pages of one column each, so many that neither sources nor targets stay in a cache. The last targets are kept, so
/// that memory goes round instead of back to the operating system.
fn conversion_of_a_column(c: &mut Criterion) {
    const PAGES: usize = 96;
    const TARGETS: usize = 64;
    let page = |page: usize| {
        let first = i64::try_from(page * PAGE_ROWS_MAX).unwrap();
        first..first + i64::try_from(PAGE_ROWS_MAX).unwrap()
    };
    let of =
        |array: fn(std::ops::Range<i64>) -> ArrayRef| (0..PAGES).map(page).map(array).collect();
    let columns: [(&str, Vec<ArrayRef>); 4] = [
        ("bigint", of(|n| Arc::new(n.collect::<Int64Array>()))),
        (
            "double",
            of(|n| Arc::new(Float64Array::from_iter_values(n.map(|n| n as f64 / 3.0)))),
        ),
        (
            "string of 20 bytes",
            of(|n| Arc::new(StringArray::from_iter_values(n.map(|n| format!("{n:020}"))))),
        ),
        (
            "string of 4 to 36 bytes",
            of(|n| {
                Arc::new(StringArray::from_iter_values(n.map(|n| {
                    let length = 4 + usize::try_from(n * 7919 % 33).unwrap();
                    format!("{n:0length$}")
                })))
            }),
        ),
    ];
    for (name, arrays) in columns {
        let field = Field::new("c", arrays[0].data_type().clone(), false);
        let encode = |array: &ArrayRef| encode_array(array, &field).unwrap().values;
        let wire: Vec<_> = arrays.iter().map(encode).collect();
        let mut group = c.benchmark_group(format!("65,536 rows of {name}, out of cache"));
        group.throughput(Throughput::Bytes(wire[0].len() as u64));
        let mut kept = VecDeque::from_iter((0..TARGETS).map(|_| Vec::new()));
        let mut pages = (0..PAGES).cycle();
        group.bench_function("memcpy of the wire's bytes (floor)", |b| {
            b.iter(|| {
                kept.pop_front();
                kept.push_back(black_box(&wire[pages.next().unwrap()]).clone());
            });
        });
        group.bench_function("Arrow to the wire's column", |b| {
            b.iter(|| {
                kept.pop_front();
                kept.push_back(encode(black_box(&arrays[pages.next().unwrap()])));
            });
        });
        group.finish();
    }
}

fn spool(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let root = tempfile::tempdir().unwrap();
    let dir = SpoolDir::open(root.path()).unwrap();
    let batch = batch();
    let kinds = column_kinds(&batch.schema()).unwrap();
    let wire = encode_batch(&batch).unwrap();

    let (mut writer, result) = dir.create("result", kinds.clone()).unwrap();
    for _ in 0..BATCHES {
        writer.write(&wire).unwrap();
    }
    writer.finish().unwrap();
    let (_, bytes) = result.written();

    let mut group = c.benchmark_group("a result of 1,048,576 rows");
    group.sample_size(20).throughput(Throughput::Bytes(bytes));
    group.bench_function("read the file in 1 MiB pieces (floor)", |b| {
        b.iter(|| {
            use std::io::Read;
            let mut file = std::fs::File::open(result.path()).unwrap();
            let mut piece = vec![0_u8; 1 << 20];
            let mut total = 0;
            loop {
                let count = file.read(&mut piece).unwrap();
                if count == 0 {
                    break;
                }
                total += count;
            }
            assert_eq!(total as u64, bytes);
        });
    });
    for rows_max in [1000, 10_000, 65_536] {
        let mut out = Vec::new();
        group.bench_function(format!("fetch {rows_max} rows at a time"), |b| {
            b.iter(|| runtime.block_on(fetch_all(&result, rows_max, &mut out)));
        });
    }
    group.bench_function("write", |b| {
        b.iter(|| {
            let (mut writer, written) = dir.create("written", kinds.clone()).unwrap();
            for _ in 0..BATCHES {
                writer.write(&wire).unwrap();
            }
            writer.finish().unwrap();
            written.remove();
        });
    });
    group.finish();
}

/// What the server does for FetchResults, as often as it takes: a page's rows become a row set.
async fn fetch_all(result: &hs2_node::spool::Spool, rows_max: usize, out: &mut Vec<u8>) {
    let mut reader = result.reader().unwrap();
    let mut seen = 0;
    while let Some(rows) = reader.next(rows_max).await.unwrap() {
        let columns: Vec<ColumnSlice<'_>> = rows.columns().unwrap();
        out.clear();
        out.reserve(row_set_len(&columns));
        let first = i64::try_from(rows.first_row()).unwrap();
        write_row_set(out, first, rows.len(), &columns, RowSetLayout::Columnar).unwrap();
        seen += rows.len() as u64;
        black_box(&out);
    }
    assert_eq!(seen, ROWS);
}

criterion_group!(benches, conversion, conversion_of_a_column, spool);
criterion_main!(benches);
