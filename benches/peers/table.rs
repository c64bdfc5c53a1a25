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
    let _ = write!(
        out,
        "| {caption}, µs: median (best), median ratio to raw in the same round |"
    );
    for name in &columns {
        let _ = write!(out, " {name} |");
    }
    let _ = writeln!(out, "\n| --- |{}", " --- |".repeat(columns.len()));
    for (index, row) in rows.iter().enumerate() {
        let _ = write!(out, "| {} |", row.title());
        let floor = costs.get(&(index, "raw"));
        for name in &columns {
            let Some(costs) = costs.get(&(index, *name)) else {
                let _ = write!(out, " |");
                continue;
            };
            let (middle, best) = summary(costs, measure);
            let _ = write!(out, " {} ({})", micros(middle), micros(best));
            if let Some(floor) = floor.filter(|_| *name != "raw") {
                let _ = write!(out, " {:.2}", ratio(costs, floor, measure));
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

/// Round by round, so that what the machine did meanwhile counts on both sides.
fn ratio(costs: &[Cost], floor: &[Cost], measure: fn(&Cost) -> f64) -> f64 {
    let rounds = costs.iter().zip(floor);
    let mut ratios: Vec<f64> = rounds
        .map(|(cost, floor)| measure(cost) / measure(floor))
        .collect();
    median(&mut ratios)
}

fn micros(ns: f64) -> String {
    let us = ns / 1_000.0;
    match us {
        ..10.0 => format!("{us:.2}"),
        ..100.0 => format!("{us:.1}"),
        _ => format!("{us:.0}"),
    }
}
