//! The committed inputs of every target, run with any compiler: `seeds/TARGET/` holds where fuzzing starts, and each
//! input that has ever broken a promise.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use fuzz::TARGETS;

#[test]
fn every_committed_input_keeps_every_promise() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut failed = vec![];
    for (name, target) in TARGETS {
        let folder =
            fs::read_dir(seeds.join(name)).unwrap_or_else(|error| panic!("seeds/{name}: {error}"));
        let mut count = 0;
        for file in folder {
            let file = file.expect("a readable folder").path();
            let input = fs::read(&file).expect("a readable seed");
            count += 1;
            // Every prefix too: what comes from a network ends anywhere.
            for end in (0..input.len())
                .step_by(1 + input.len() / 64)
                .chain([input.len()])
            {
                if catch_unwind(|| target(&input[..end])).is_err() {
                    failed.push(format!("{} (its first {end} bytes)", file.display()));
                    break;
                }
            }
        }
        assert!(count > 0, "seeds/{name} is empty");
    }
    assert!(failed.is_empty(), "{failed:#?}");
    let folders = fs::read_dir(&seeds).expect("seeds").count();
    assert_eq!(folders, TARGETS.len(), "a folder of seeds is no target's");
}
