//! The figures as Markdown.

use std::fmt::Write as _;

use crate::Costs;
use crate::rows::{Cost, Row, median};

/// The order of the columns; the first is the floor.
const COLUMNS: [&str; 7] = [
    "raw",
    "raw-blocking",
    "zk-client",
    "zookeeper-client",
    "tokio-zookeeper",
    "kazoo",
    "C client",
];

pub(crate) fn render(rows: &[Row], costs: &Costs) -> String {
    let mut out = String::new();
    let wall: fn(&Cost) -> f64 = |cost| cost.wall_ns;
    let cpu: fn(&Cost) -> f64 = |cost| cost.cpu_ns;
    for (caption, measure) in [
        ("time of one operation", wall),
        ("client CPU of one operation", cpu),
    ] {
        section(&mut out, caption, rows, costs, measure);
    }
    out
}

fn section(
    out: &mut String,
    caption: &str,
    rows: &[Row],
    costs: &Costs,
    measure: fn(&Cost) -> f64,
) {
    let columns = COLUMNS.into_iter().filter(|name| {
        let mut clients = costs.keys().map(|(_, client)| client);
        clients.any(|client| client == name)
    });
    let columns: Vec<_> = columns.collect();
    let _ = write!(out, "| {caption}, µs: median (best), ratio to raw |");
    for name in &columns {
        let _ = write!(out, " {name} |");
    }
    let _ = writeln!(out, "\n| --- |{}", " --- |".repeat(columns.len()));
    for (index, row) in rows.iter().enumerate() {
        let _ = write!(out, "| {} |", row.title());
        let of = |name| {
            costs
                .get(&(index, name))
                .map(|costs| summary(costs, measure))
        };
        let floor = of("raw");
        for name in &columns {
            let Some((middle, best)) = of(name) else {
                let _ = write!(out, " |");
                continue;
            };
            let _ = write!(out, " {} ({})", micros(middle), micros(best));
            if let Some((floor, _)) = floor
                && *name != "raw"
            {
                let _ = write!(out, " {:.2}", middle / floor);
            }
            let _ = write!(out, " |");
        }
        let _ = writeln!(out);
    }
    let _ = writeln!(out);
}

fn summary(costs: &[Cost], measure: fn(&Cost) -> f64) -> (f64, f64) {
    let mut values: Vec<f64> = costs.iter().map(measure).collect();
    let middle = median(&mut values);
    (middle, values[0])
}

fn micros(ns: f64) -> String {
    let us = ns / 1_000.0;
    match us {
        ..10.0 => format!("{us:.2}"),
        ..100.0 => format!("{us:.1}"),
        _ => format!("{us:.0}"),
    }
}
