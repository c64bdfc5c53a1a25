//! Decoding and encoding frames, beside a plain copy of the same bytes.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zk_proto::frame::{self, DEFAULT_MAX_BYTES};
use zk_proto::record::{
    Children, GetChildren2Response, GetDataRequest, GetDataResponse, Request, SetDataRequest,
};
use zk_proto::{Decode, Encode, Reader, Stat, Xid, ZnodeVersion};

fn children(c: &mut Criterion) {
    // 1,000 names as Hive writes them, 66 bytes each.
    let names = (0..1000)
        .map(|n| format!("serverUri=hs-{n:04}.test.org:10000;version=3.1.3;sequence={n:010}"));
    let response = GetChildren2Response {
        children: names.collect::<Children>(),
        stat: Stat::default(),
    };
    let mut payload = BytesMut::new();
    response.encode(&mut payload);
    let payload = payload.freeze();

    let mut group = c.benchmark_group("getChildren2 reply, 1,000 names");
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group.bench_function("memcpy (floor)", |b| b.iter(|| black_box(payload.to_vec())));
    group.bench_function("decode", |b| {
        b.iter(|| GetChildren2Response::decode(&mut Reader::new(black_box(&payload))).unwrap());
    });
    group.bench_function("decode and read every name as &str", |b| {
        b.iter(|| {
            let response =
                GetChildren2Response::decode(&mut Reader::new(black_box(&payload))).unwrap();
            response
                .children
                .iter()
                .map(|name| name.unwrap().len())
                .sum::<usize>()
        });
    });
    group.bench_function("decode into Vec<String>", |b| {
        b.iter(|| {
            GetChildren2Response::decode(&mut Reader::new(black_box(&payload)))
                .unwrap()
                .children
                .to_vec()
        });
    });
    group.finish();
}

fn small_frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("small frames");
    let mut wire = BytesMut::with_capacity(4096);
    group.bench_function("encode getData request", |b| {
        b.iter(|| {
            wire.clear();
            let request = Request::GetData(GetDataRequest {
                path: black_box("/hiveserver2/node"),
                watch: false,
            });
            frame::encode_request(&mut wire, Xid(1), &request, DEFAULT_MAX_BYTES).unwrap();
        });
    });
    let data = [7_u8; 100];
    group.bench_function("encode setData request of 100 bytes", |b| {
        b.iter(|| {
            wire.clear();
            let request = SetDataRequest {
                path: "/a/b",
                data: Some(black_box(&data)),
                version: ZnodeVersion::ANY,
            };
            frame::encode_request(
                &mut wire,
                Xid(1),
                &Request::SetData(request),
                DEFAULT_MAX_BYTES,
            )
            .unwrap();
        });
    });
    let mut reply = BytesMut::new();
    GetDataResponse {
        data: Some(&data),
        stat: Stat::default(),
    }
    .encode(&mut reply);
    let reply: Bytes = reply.freeze();
    group.bench_function("decode getData reply of 100 bytes", |b| {
        b.iter(|| {
            GetDataResponse::decode(&mut Reader::new(black_box(&reply)))
                .unwrap()
                .stat
                .mzxid
        });
    });
    group.finish();
}

criterion_group!(benches, children, small_frames);
criterion_main!(benches);
