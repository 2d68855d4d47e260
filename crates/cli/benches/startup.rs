//! How long `check` and `tags` take as whole processes, side by side with upstream's prebuilt `featuretags`.
//!
//! Run it with `cargo bench --package xtask --bench startup`. Each round runs every program once, in turn, so
//! that a machine that slows down slows all of them; medians and the ratio within one run are printed. It fails
//! if a median is not under 50 ms.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark reports to a person"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tailscale_featureset::cache::Cache;
use tailscale_featureset::tools::go;
use tailscale_featureset::{process, upstream};

const ROUNDS: usize = 40;
const LIMIT: Duration = Duration::from_millis(50);

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_tailscale-featureset"));
    let policy = root.join("featureset.yaml");
    let theirs = featuretags(&Cache::of_user());
    let command = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let named = policy.to_str().unwrap();
    let mut commands = [
        ("tailscale-featureset check", command(&ours, &["--policy", named, "check"])),
        ("tailscale-featureset tags", command(&ours, &["--policy", named, "tags"])),
        ("featuretags --min --add=…", command(&theirs, &["--min", "--add=advertiseexitnode,cli,dns,netstack"])),
    ];
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); commands.len()];
    for round in 0..=ROUNDS {
        for (command, times) in commands.iter_mut().zip(&mut times) {
            let start = Instant::now();
            assert!(command.1.status().unwrap().success(), "{} failed", command.0);
            // The first round warms the page cache.
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
    for ((name, _), median) in commands.iter().zip(&medians) {
        let ratio = median.as_secs_f64() / medians[2].as_secs_f64();
        println!("{name:28} median {:6.2} ms   {ratio:4.1} × featuretags", median.as_secs_f64() * 1e3);
    }
    assert!(medians[..2].iter().all(|median| *median < LIMIT), "a median is not under {LIMIT:?}");
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Upstream's own program, built once.
fn featuretags(cache: &Cache) -> PathBuf {
    let go = go::find_or_provide(cache).unwrap();
    let upstream = upstream::fetch(&go, cache, "1.102.5".parse().unwrap(), None).unwrap();
    upstream.featuretags(&go).unwrap_or_else(|error| panic!("{error}: {:?}", process::on_path("go")))
}
