//! The diagnostic.

use std::borrow::Cow;
use std::collections::BTreeMap;
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

/// The text of several findings that differ only in a name, such as that of the feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    /// The name in which this finding differs from the others.
    pub member: String,
    /// The message about all of them, after their number: "features have no reason".
    pub message: String,
    /// The next step for all of them.
    pub next: NextStep,
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
    /// The text for people if there are several findings that differ only in a name.
    pub grouping: Option<Box<Grouping>>,
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
            grouping: None,
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

    /// Sets the text with which it is shown together with findings that differ only in the name `member`: the message after
    /// their number, and the next step.
    #[must_use]
    pub fn grouped(mut self, member: impl Into<String>, message: impl Into<String>, next: impl Into<NextStep>) -> Self {
        self.grouping = Some(Box::new(Grouping { member: member.into(), message: message.into(), next: next.into() }));
        self
    }

    /// Sets the targets that it concerns, and names them in the messages.
    #[must_use]
    pub fn for_targets(mut self, targets: Vec<String>) -> Self {
        if !targets.is_empty() {
            let noun = if targets.len() == 1 { "target" } else { "targets" };
            let named = format!(" ({noun} {})", targets.join(", "));
            self.message += &named;
            if let Some(grouping) = &mut self.grouping {
                grouping.message += &named;
            }
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

/// Returns the findings in groups that a person reads as one, in the order of their first members. Findings of a group have the
/// same code, severity, effect and reason, and the same text for several.
#[must_use]
pub fn groups(findings: &[Diagnostic]) -> Vec<Vec<&Diagnostic>> {
    let mut groups: Vec<Vec<&Diagnostic>> = Vec::new();
    let mut known = BTreeMap::new();
    for finding in findings {
        let Some(grouping) = &finding.grouping else {
            groups.push(vec![finding]);
            continue;
        };
        let text = (&*grouping.message, grouping.next.to_string(), &*finding.why);
        let place = *known.entry((finding.code.as_str(), finding.severity, text)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_that_differ_in_the_name_are_one_group() {
        let open = |name: &str| {
            Diagnostic::new(Code::EmptyReason, format!("`{name}` has no reason"), "Write it.").grouped(
                name,
                "features have no reason",
                "Write them.",
            )
        };
        let other = Diagnostic::new(Code::UnsortedFeatures, "not sorted", "Sort them.");
        let on_one_target = open("dns").for_targets(vec!["arm64".to_owned()]);
        let findings = [open("ace"), other, open("acme"), on_one_target];
        let groups = groups(&findings);
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1]);
        let grouping = groups[2][0].grouping.as_ref().unwrap();
        assert_eq!(grouping.message, "features have no reason (target arm64)");
    }
}
