//! The parts of `ci` and their steps.

/// A command and the name under which messages report it. A line that begins with `xtask` runs this program.
pub(crate) type Step = (&'static str, &'static str);

/// A part of `ci --full` that can run by itself.
#[derive(Debug)]
pub(crate) struct Part {
    /// The name that `--part` takes.
    pub(crate) name: &'static str,
    /// The planned duration on two cores, in minutes.
    pub(crate) minutes: u32,
    /// The steps, in order. Every part builds what it needs: a build that is up to date takes a second.
    pub(crate) steps: &'static [Step],
}

/// The name of the part that `ci` without `--full` runs.
pub(crate) const GATE: &str = "gate";

const BUILD: Step = ("build", "xtask build-tailscale --target amd64");

/// The parts of `ci --full`. A part that outgrows 40 minutes is split; new long checks are new parts or new steps.
pub(crate) const PARTS: &[Part] = &[
    Part {
        name: GATE,
        minutes: 15,
        steps: &[
            ("format", "cargo fmt --all --check"),
            ("clippy", "cargo clippy --locked --workspace --all-targets -- -D warnings"),
            ("test", "cargo test --locked --workspace"),
            ("docs", "xtask docs --check"),
            ("policy", "xtask check --deny warnings"),
            // A real build with the real packer, executed, and its image, linted before it takes its place.
            BUILD,
            ("image", "xtask image --target amd64"),
            // The same order each time, so that a failure repeats; the part `fuzz` searches in another order each time.
            ("fuzz", "xtask fuzz --seconds 120 --seed 1"),
        ],
    },
    Part { name: "long-tests", minutes: 30, steps: &[("long tests", LONG_TESTS)] },
    // Nobody who edits featureset.yaml breaks the tests.
    Part { name: "other-policy", minutes: 30, steps: &[("tests", OTHER_POLICY)] },
    Part {
        name: "targets",
        minutes: 15,
        steps: &[
            // The checked-in loaders of packed files, and the entrypoint's helper, are built from their sources.
            ("loaders", "xtask execpack loaders --check"),
            ("helper", "xtask image helper --check"),
            ("build all", "xtask build-tailscale"),
            ("image all", "xtask image"),
            ("login on arm64", "xtask verify --target arm64 --check login --require-all"),
            ("login on armv5", "xtask verify --target armv5 --check login --require-all"),
        ],
    },
    // Packed programs on whole machines, with kernels of Debian.
    Part { name: "emulated", minutes: 25, steps: &[("machines", EMULATED)] },
    // Every claim on the running daemon, and every check on a binary that must fail it.
    Part {
        name: "verify",
        minutes: 25,
        steps: &[BUILD, ("verify", "xtask verify --target amd64 --mutants --require-all")],
    },
    Part {
        name: "hazards",
        minutes: 35,
        steps: &[BUILD, ("hazards", "xtask verify --target amd64 --hazards --require-all")],
    },
    // Fails if the shipped binary is certainly slower; an inconclusive result on a busy machine is not a failure.
    Part {
        name: "bench",
        minutes: 15,
        steps: &[
            BUILD,
            ("bench", "xtask bench --target amd64"),
            ("speed", "cargo bench --locked --package tailscale-featureset --bench startup"),
        ],
    },
    // Ten minutes of load in 96 MiB with the limit of the entrypoint, and ten without it for comparison.
    Part {
        name: "memory",
        minutes: 25,
        steps: &[BUILD, ("out of memory", "xtask measure --soak 10 --target amd64 --require-all")],
    },
    Part { name: "fuzz", minutes: 25, steps: &[("fuzz", "xtask fuzz --seconds 1200")] },
];

/// The tests that skip themselves unless [`FULL`](tailscale_featureset::test_variables::FULL) is set.
pub(super) const LONG_TESTS: &str = "cargo test --locked --package tailscale-featureset --package xtask --test it --test skipped -- action:: audit:: bench:: execpack:: \
    execpack_sharing:: go_packages:: image_real:: installed:: measure:: provided_tools:: publish:: real_builds:: several_devices:: verify:: \
    workflows::";

/// The tests that boot emulated machines, one after the other: a timer that an emulator without a processor misses stops a
/// machine for ever. They report measurements.
pub(super) const EMULATED: &str =
    "cargo test --locked --package tailscale-featureset --test it -- --nocapture --test-threads 1 emulated::";

/// The tests of the workspace in a copy of the repository with another featureset.yaml.
pub(super) const OTHER_POLICY: &str = "cargo test --locked --package tailscale-featureset --test it -- other_policy::";
