//! The progress of a build's steps, shown or silent.

use featureset::policy::format_size;

use crate::progress;

/// Whether the steps of a build are shown.
#[derive(Debug, Clone, Copy)]
pub enum Steps<'a> {
    /// They are shown, with the name of the target.
    Shown(&'a str),
    /// They are not shown, because several builds run in parallel or a step around them is shown.
    Silent,
}

/// A running step.
pub(super) struct Step(Option<progress::Step>);

impl Steps<'_> {
    /// Begins a step; `detail` follows the name of the target.
    pub(super) fn begin(self, verb: &'static str, detail: &str) -> Step {
        match self {
            Self::Shown(target) => Step(Some(progress::step(verb, format!("{target}{detail}")))),
            Self::Silent => Step(None),
        }
    }
}

impl Step {
    /// Ends the step with the size of the file that it wrote.
    pub(super) fn done(self, verb: &'static str, bytes: u64) {
        self.done_with(verb, &format_size(bytes));
    }

    /// Ends the step with its result.
    pub(super) fn done_with(self, verb: &'static str, detail: &str) {
        if let Some(step) = self.0 {
            step.done(verb, detail);
        }
    }
}
