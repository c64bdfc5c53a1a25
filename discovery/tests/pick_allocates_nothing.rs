//! A pick takes no memory, at any length of the list.

#![allow(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod common;

use std::hint::black_box;

use allocation_counter::measure;
use common::{Admin, server, view};
use discovery::{Picker, Strategy};

#[tokio::test]
async fn a_warm_pick_allocates_nothing() {
    let server = server().await;
    let admin = Admin::connect(&server.connect_string()).await;
    admin.client.create_all("/hs2").await.unwrap();
    let mut made = 0;
    for size in [10, 1_000, 10_000] {
        let paths = (made..size).map(|number| {
            let (weight, zone) = (number % 5, number % 3);
            format!("/hs2/serverUri=h{number}:1;version=1;weight={weight};zone={zone};sequence={number:010}")
        });
        let mode = zk_client::CreateMode::PERSISTENT;
        let created: Vec<_> = paths
            .map(|path| admin.client.create(&path, b"", mode))
            .collect();
        for one in created {
            one.await.unwrap();
        }
        made = size;
        let view = view(&server.connect_string()).await;
        assert_eq!(view.snapshot().len(), size);
        let (host, zone) = (None, Some("1".to_owned()));
        for strategy in [
            Strategy::Random,
            Strategy::RoundRobin,
            Strategy::Weighted,
            Strategy::LeastSessions,
            Strategy::Nearest { host, zone },
        ] {
            let mut picker = Picker::new(&view, strategy.clone());
            // The first pick of a thread sets up what the thread has of its own.
            let held = picker.pick().unwrap();
            let info = measure(|| {
                for _ in 0..10_000 {
                    black_box(picker.pick().unwrap()).succeeded();
                }
                black_box(view.snapshot());
            });
            assert_eq!(info.count_total, 0, "{strategy:?} of {size}");
            drop(held);
        }
    }
    // That it would be seen.
    assert!(measure(|| drop(black_box(vec![0]))).count_total > 0);
}
