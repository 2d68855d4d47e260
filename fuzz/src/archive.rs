//! Packages and archives: looked through for programs.

use std::cell::Cell;

use image::scan::programs;

/// The most steps that an input may take. Decoding is limited by the bytes that come out; a step is at most one read.
const MOST_STEPS: usize = 4_000_000;

pub(crate) fn check(input: &[u8]) {
    let steps = Cell::new(0);
    let go_on = || {
        steps.set(steps.get() + 1);
        true
    };
    let looked = programs(input, &go_on, &mut |program| {
        printable(program.path);
        let _ = gobinary::classify(&program.bytes);
    });
    looked.faults.iter().for_each(|(place, _)| printable(place));
    assert!(steps.get() <= MOST_STEPS, "looking through {} bytes takes {} steps", input.len(), steps.get());
}

fn printable(place: &[String]) {
    assert!(!place.iter().any(|name| name.contains(char::is_control)), "{place:?} has control characters");
}
