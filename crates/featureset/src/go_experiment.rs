//! The experiments of the Go toolchain (`GOEXPERIMENT`) that a policy may set.
//!
//! Only those with a measured gain that pass the checks of `verify` are listed: docs/measurements/sizes.md.

use crate::policy::Build;
use crate::release::GoVersion;

/// An experiment of the Go toolchain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoExperiment {
    /// Its name, as `GOEXPERIMENT` has it.
    pub name: &'static str,
    /// The lines of Go in which it changes the build.
    pub lines: &'static [&'static str],
    /// Its effect, in one sentence.
    pub meaning: &'static str,
}

/// Every experiment that a policy may set.
///
/// Source: `internal/buildcfg/exp.go` of each line. In Go 1.25 and 1.26 the second version of the JSON package is off anyway.
pub const GO_EXPERIMENTS: &[GoExperiment] = &[GoExperiment {
    name: "nojsonv2",
    lines: &["1.27"],
    meaning: "Builds encoding/json as Go 1.26 had it, which makes the binary smaller.",
}];

impl GoExperiment {
    /// Returns the experiment with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        GO_EXPERIMENTS.iter().copied().find(|experiment| experiment.name == name)
    }

    /// Whether a version of Go has it.
    #[must_use]
    pub fn is_in(self, go: GoVersion) -> bool {
        self.lines.contains(&go.line().as_str())
    }
}

/// Returns the value of `GOEXPERIMENT` for a build with this version of Go, which is empty without an experiment.
#[must_use]
pub fn goexperiment(build: &Build, go: GoVersion) -> String {
    let is_in = |name: &&String| GoExperiment::find(name).is_some_and(|experiment| experiment.is_in(go));
    build.go_experiments.keys().filter(is_in).cloned().collect::<Vec<_>>().join(",")
}
