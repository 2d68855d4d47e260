//! Every file of the corpus, replayed: an input that failed once does not fail again.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::path::Path;

use fuzz::{LONGEST, TARGETS};

#[test]
fn the_properties_hold_for_the_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in TARGETS {
        if target.needs_program && std::env::var_os("FUZZ_PROGRAM").is_none() {
            eprintln!("{} needs a Go program: `cargo xtask fuzz` builds it and replays the corpus", target.name);
            continue;
        }
        let mut files = 0;
        for file in std::fs::read_dir(corpus.join(target.name)).unwrap().map(|entry| entry.unwrap().path()) {
            let input = std::fs::read(&file).unwrap();
            assert!(input.len() <= LONGEST, "{} is too long", file.display());
            let held = std::panic::catch_unwind(|| target.run(&input));
            assert!(held.is_ok(), "{} fails on {}", target.name, file.display());
            files += 1;
        }
        assert!(files > 0, "{} has no corpus", target.name);
    }
}
