//! Durations of `check`, `tags` and `audit` as whole processes, compared with upstream's prebuilt `featuretags`.
//!
//! Run it with `cargo bench --package tailscale-featureset --bench startup`. Each round runs every program once, in turn, so
//! that a machine that slows down slows all of them; medians and the ratio within one run are printed. It fails
//! if a median is not under its limit.

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

/// The limit of `check` and `tags`.
const LIMIT: Duration = Duration::from_millis(50);

/// The limit of an audit of a typical recipe.
const AUDIT_LIMIT: Duration = Duration::from_millis(20);

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_tailscale-featureset"));
    let policy = root.join("featureset.yaml");
    let theirs = featuretags(&Cache::of_user());
    let command = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let named = policy.to_str().unwrap();
    let recipe = |name: &str| root.join("tests/recipes").join(name).display().to_string();
    let (dockerfile, workflow) = (recipe("Dockerfile.router"), recipe("release.yml"));
    let mut commands = [
        ("tailscale-featureset check", command(&ours, &["--policy", named, "check"])),
        ("tailscale-featureset tags", command(&ours, &["--policy", named, "tags"])),
        ("tailscale-featureset audit Dockerfile", command(&ours, &["audit", &dockerfile])),
        ("tailscale-featureset audit workflow", command(&ours, &["audit", &workflow])),
        ("featuretags --min --add=…", command(&theirs, &["--min", "--add=advertiseexitnode,cli,dns,netstack"])),
    ];
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); commands.len()];
    for round in 0..=ROUNDS {
        for (command, times) in commands.iter_mut().zip(&mut times) {
            let start = Instant::now();
            // An audit with findings exits with 1.
            assert!(matches!(command.1.status().unwrap().code(), Some(0 | 1)), "{} failed", command.0);
            // The first round warms the page cache.
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
    let reference = *medians.last().unwrap();
    for ((name, _), median) in commands.iter().zip(&medians) {
        let ratio = median.as_secs_f64() / reference.as_secs_f64();
        println!("{name:37} median {:6.2} ms   {ratio:4.1} × featuretags", median.as_secs_f64() * 1e3);
    }
    assert!(medians[..2].iter().all(|median| *median < LIMIT), "a median is not under {LIMIT:?}");
    assert!(medians[2..4].iter().all(|median| *median < AUDIT_LIMIT), "a median is not under {AUDIT_LIMIT:?}");
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
