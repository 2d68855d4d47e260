//! The diagnostic.

use std::borrow::Cow;
use std::fmt;

use crate::code::{Area, Code};
use crate::next_step::NextStep;
use crate::severity::Severity;
use crate::span::{Edit, Label, Span};

/// The location that a diagnostic is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// The input as a whole, or nothing in particular.
    Whole,
    /// A span of the text that was read.
    Text(Label),
    /// A path inside an archive.
    Member(String),
}

/// The effect of a finding on the device, such as `flash-wear`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EffectLabel {
    /// The position in the list of effects, worst first.
    pub rank: usize,
    /// The word that the hazard files use.
    pub word: &'static str,
}

/// One thing that a person must read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// Its severity: that of the code, or that of the hazard's effect.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where it is.
    pub location: Location,
    /// Other spans that explain it.
    pub related: Vec<Label>,
    /// Why it matters.
    pub why: Cow<'static, str>,
    /// The next step.
    pub next: NextStep,
    /// The effect on the device, if it is a hazard.
    pub effect: Option<EffectLabel>,
    /// Replacements that resolve it, each by itself.
    pub edits: Vec<Edit>,
    /// The targets of the policy that it concerns; empty if it concerns all of them. The message names them too.
    pub targets: Vec<String>,
}

impl Diagnostic {
    /// Creates a diagnostic with the severity and the reason of its code, without a location.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>, next: impl Into<NextStep>) -> Self {
        Self {
            severity: code.severity(),
            why: code.why().into(),
            code,
            message: message.into(),
            location: Location::Whole,
            related: Vec::new(),
            next: next.into(),
            effect: None,
            edits: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Creates the diagnostic of a command that could not run; `why` is the cause, in one or more lines.
    #[must_use]
    pub fn failure(code: Code, message: impl Into<String>, why: impl Into<String>, next: impl Into<NextStep>) -> Self {
        Self::new(code, message, next).because(why)
    }

    /// Sets the location to a span with its explanation.
    #[must_use]
    pub fn at(mut self, label: Label) -> Self {
        self.location = Location::Text(label);
        self
    }

    /// Sets the location to a path inside an archive.
    #[must_use]
    pub fn in_member(mut self, path: impl Into<String>) -> Self {
        self.location = Location::Member(path.into());
        self
    }

    /// Replaces the reason.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Cow::Owned(why.into());
        self
    }

    /// Appends a related span.
    #[must_use]
    pub fn related(mut self, label: Label) -> Self {
        self.related.push(label);
        self
    }

    /// Appends an edit that resolves it.
    #[must_use]
    pub fn edit(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }

    /// Sets the targets that it concerns, and names them in the message.
    #[must_use]
    pub fn for_targets(mut self, targets: Vec<String>) -> Self {
        if !targets.is_empty() {
            let noun = if targets.len() == 1 { "target" } else { "targets" };
            self.message = format!("{} ({noun} {})", self.message, targets.join(", "));
        }
        self.targets = targets;
        self
    }

    /// Returns the span of the location; an empty span at the start if it is not in a text.
    #[must_use]
    pub fn span(&self) -> Span {
        self.label().map(|label| label.span).unwrap_or_default()
    }

    /// Returns the label of the location, if it is a span of a text.
    #[must_use]
    pub fn label(&self) -> Option<&Label> {
        match &self.location {
            Location::Text(label) => Some(label),
            Location::Whole | Location::Member(_) => None,
        }
    }
}

/// Sorts findings: by severity, errors in the format first, then by effect, worst first, then by position and code.
pub fn sort(findings: &mut [Diagnostic]) {
    findings.sort_by(|a, b| a.order().cmp(&b.order()));
}

impl Diagnostic {
    /// Returns the sort key. An error in the format precedes the hazards because it can cause other findings.
    fn order(&self) -> (Severity, usize, usize, &str, &str) {
        let effect = match self.effect {
            Some(effect) => effect.rank + 1,
            None if self.code.area() == Area::Format => 0,
            None => usize::MAX,
        };
        (self.severity, effect, self.span().start, self.code.as_str(), &self.message)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}
