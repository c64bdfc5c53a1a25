use std::time::{Duration, Instant};

use tests::process::hs2_node;

#[tokio::test]
async fn each_step_is_printed_and_it_ends_well() {
    let start = Instant::now();
    let output = hs2_node(&["quickstart"]).await.success();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "it took {took:?}\n{output}");

    let steps = steps(&output.stdout);
    let [_, registered, picked, rows, deregistered, list] = &steps[..] else {
        panic!("six steps: {output}")
    };
    let znodes: Vec<&str> = registered.lines().skip(1).map(str::trim).collect();
    let [old, new] = znodes[..] else {
        panic!("two nodes register: {output}")
    };
    assert!(old.starts_with("/hiveserver2/serverUri=") && old.contains(";version=1.0;"));
    assert!(new.starts_with("/hiveserver2/serverUri=") && new.contains(";version=2.0;"));
    let is_one = [old, new].iter().any(|znode| {
        let server = endpoint(znode);
        picked.contains(&format!("It picked {server}."))
    });
    assert!(is_one, "{picked}");
    for cell in ["SELECT", "| Danube | 2        | 3.31    | 1823-01-01 |"] {
        assert!(rows.contains(cell), "{rows}");
    }
    for done in [
        "Version 1.0 is deregistered",
        old,
        "still answers",
        "drained",
    ] {
        assert!(deregistered.contains(done), "no {done:?} in {deregistered}");
    }
    assert!(
        list.contains(endpoint(new)) && !list.contains(endpoint(old)),
        "{list}"
    );
}

/// The parts of the text that begin with a number and a full stop.
fn steps(text: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with(|first: char| first.is_ascii_digit()) {
            steps.push(String::new());
        }
        if let Some(step) = steps.last_mut() {
            step.push_str(line);
            step.push('\n');
        }
    }
    steps
}

/// The `host:port` in a znode's path.
fn endpoint(znode: &str) -> &str {
    let (_, rest) = znode.split_once("serverUri=").unwrap();
    rest.split(';').next().unwrap()
}
