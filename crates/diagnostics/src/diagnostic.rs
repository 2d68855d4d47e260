//! The diagnostic and its severity.

use std::borrow::Cow;
use std::fmt;

use crate::{Code, Edit, Label, NextStep, Span};

/// The severity of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Stops commands that ship a binary; exit status 1, or 2 if the command could not run.
    Error,
    /// Shown; exit status 1 only under `--deny warnings`.
    Warning,
    /// Shown only by commands that list everything.
    Note,
}

impl Severity {
    /// Returns the severity as a lowercase word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

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
    /// A replacement that resolves it.
    pub edit: Option<Edit>,
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
            edit: None,
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

    /// Sets the edit that resolves it.
    #[must_use]
    pub fn edit(mut self, edit: Edit) -> Self {
        self.edit = Some(edit);
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

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}
