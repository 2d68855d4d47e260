//! A policy with decisions that its file does not have yet.
//!
//! Each step is a splice of the text ([`decide`]), so that a layout that can't be edited is reported at once, and the findings
//! have their positions. The text that is saved is made again from the file's text and the differences, so that
//! a decision that was changed and changed back leaves its entry as it is.

use crate::name::FeatureName;
use crate::policy::{Decision, NotEditable, Policy, Verdict, decide, read};

/// A policy with decisions that its file does not have yet.
#[derive(Debug, Clone)]
pub struct UnsavedPolicy {
    saved: Version,
    current: Version,
    past: Vec<Version>,
}

/// A text, and the policy that it contains.
#[derive(Debug, Clone, PartialEq)]
struct Version {
    text: String,
    policy: Policy,
}

/// A decision to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDecision {
    /// The feature.
    pub name: FeatureName,
    /// The decision.
    pub verdict: Verdict,
    /// The reason: what it changes on this device.
    pub reason: String,
}

/// A decision that differs from the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedDecision<'a> {
    /// The target that decides; `None` for the common section.
    pub target: Option<&'a str>,
    /// The feature.
    pub name: &'a FeatureName,
    /// The decision of the file; `None` if it has none.
    pub before: Option<&'a Decision>,
    /// The new decision.
    pub after: &'a Decision,
}

impl UnsavedPolicy {
    /// Returns the policy of a file without changes; `None` if the text is not a policy.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let saved = Version { text: text.to_owned(), policy: read(text).policy? };
        Some(Self { current: saved.clone(), saved, past: Vec::new() })
    }

    /// Returns the text of the file.
    #[must_use]
    pub fn saved_text(&self) -> &str {
        &self.saved.text
    }

    /// Returns the policy with the changes.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.current.policy
    }

    /// Returns the text of the policy with the changes, for its findings.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.current.text
    }

    /// Returns the decision of the file on a feature, in the common section or in that of a target.
    #[must_use]
    pub fn filed(&self, target: Option<&str>, name: &FeatureName) -> Option<&Decision> {
        stated(&self.saved.policy, target, name)
    }

    /// Whether the decision of a section on a feature differs from the file.
    #[must_use]
    pub fn is_changed(&self, target: Option<&str>, name: &FeatureName) -> bool {
        stated(&self.current.policy, target, name) != self.filed(target, name)
    }

    /// Writes decisions, as one step. A decision that is the same already, with this reason, is not a change.
    ///
    /// # Errors
    /// [`NotEditable`] if an entry can't be written without changing anything else; nothing is changed then.
    pub fn decide(&mut self, target: Option<&str>, decisions: &[NewDecision]) -> Result<(), NotEditable> {
        let mut text = self.current.text.clone();
        for NewDecision { name, verdict, reason } in decisions {
            let is_same = |old: &Decision| old.verdict == *verdict && old.reason == *reason;
            if !stated(&self.current.policy, target, name).is_some_and(is_same) {
                text = decide(&text, target, name, *verdict, reason)?;
            }
        }
        if text == self.current.text {
            return Ok(());
        }
        let policy = read(&text).policy.ok_or_else(|| NotEditable("the result can't be read".to_owned()))?;
        self.past.push(std::mem::replace(&mut self.current, Version { text, policy }));
        Ok(())
    }

    /// Reverts the last step. Returns `false` if there is none since the file was read or saved.
    pub fn undo(&mut self) -> bool {
        let last = self.past.pop();
        let is_undone = last.is_some();
        self.current = last.unwrap_or_else(|| self.current.clone());
        is_undone
    }

    /// Returns the number of steps that can be undone.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.past.len()
    }

    /// Returns the decisions that differ from the file.
    #[must_use]
    pub fn changes(&self) -> Vec<ChangedDecision<'_>> {
        let stated_now = self.current.policy.stated_decisions().filter_map(|now| {
            let before = stated(&self.saved.policy, now.target, now.name);
            let change = ChangedDecision { target: now.target, name: now.name, before, after: now.decision };
            (before != Some(now.decision)).then_some(change)
        });
        stated_now.collect()
    }

    /// Returns the text to save: that of the file with the changed entries.
    ///
    /// # Errors
    /// [`NotEditable`] if the result would not be exactly the policy with the changes.
    pub fn to_save(&self) -> Result<String, NotEditable> {
        let mut text = self.saved.text.clone();
        for ChangedDecision { target, name, after, .. } in self.changes() {
            text = decide(&text, target, name, after.verdict, &after.reason)?;
        }
        if text == self.saved.text || read(&text).policy.as_ref() == Some(&self.current.policy) {
            return Ok(text);
        }
        Err(NotEditable("the file would differ in more than the changed entries".to_owned()))
    }

    /// Records that the file has this text now, which [`UnsavedPolicy::to_save`] returned. The steps before can't be undone.
    pub fn saved(&mut self, text: String) {
        self.saved = Version { text, policy: self.current.policy.clone() };
        self.current = self.saved.clone();
        self.past.clear();
    }
}

/// Returns the decision of the common section, or of a target's own section.
fn stated<'p>(policy: &'p Policy, target: Option<&str>, name: &FeatureName) -> Option<&'p Decision> {
    match target {
        Some(target) => policy.targets.get(target)?.features.get(name),
        None => policy.features.get(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::clean_policy;
    use proptest::prelude::*;

    fn name(text: &str) -> FeatureName {
        FeatureName::new(text).unwrap()
    }

    fn keep(feature: &str, reason: &str) -> NewDecision {
        NewDecision { name: name(feature), verdict: Verdict::Keep, reason: reason.to_owned() }
    }

    #[test]
    fn a_decision_that_is_changed_back_leaves_the_file_as_it_is() {
        let text = clean_policy().replace("  doctor:\n", "  # about doctors\n  doctor: # none\n");
        let mut edited = UnsavedPolicy::new(&text).unwrap();
        edited.decide(None, &[keep("doctor", "People ask.")]).unwrap();
        assert_eq!(edited.changes().len(), 1);
        let filed = edited.filed(None, &name("doctor")).unwrap().clone();
        let back = NewDecision { name: name("doctor"), verdict: filed.verdict, reason: filed.reason };
        edited.decide(None, &[back]).unwrap();
        assert_ne!(edited.text(), text);
        assert_eq!((edited.changes().len(), edited.to_save().unwrap()), (0, text));
    }

    #[test]
    fn several_decisions_are_one_step() {
        let mut edited = UnsavedPolicy::new(&clean_policy()).unwrap();
        edited.decide(None, &[keep("doctor", "People ask."), keep("bird", "It speaks BGP.")]).unwrap();
        assert_eq!((edited.steps(), edited.changes().len()), (1, 2));
        assert!(edited.undo() && !edited.undo());
        assert_eq!((edited.text(), edited.changes().len()), (clean_policy().as_str(), 0));
    }

    #[test]
    fn a_draft_that_cannot_be_edited_stays_as_it_is() {
        let text = "tailscale: 1.102.5\ngo: 1.26.8\ntargets: { a: { platform: linux/arm64 } }\nfeatures:\n  ace: &a { omit: x }\n";
        assert!(UnsavedPolicy::new(text).is_none());
        let flow = "tailscale: 1.102.5\ngo: 1.26.8\ntargets: { a: { platform: linux/arm64 } }\nfeatures: { ace: { omit: x } }\n";
        let mut edited = UnsavedPolicy::new(flow).unwrap();
        assert!(edited.decide(None, &[keep("ace", "Yes."), keep("bird", "It speaks BGP.")]).is_err());
        assert_eq!((edited.text(), edited.steps()), (flow, 0));
    }

    const NAMES: [&str; 4] = ["ace", "bird", "doctor", "netstack"];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn undo_inverts_every_step_and_only_changed_entries_are_saved(
            steps in prop::collection::vec((0..4usize, any::<bool>(), any::<bool>(), "[A-Z][a-z:#\"' ]{0,20}\\."), 1..6),
        ) {
            let text = clean_policy();
            let mut edited = UnsavedPolicy::new(&text).unwrap();
            let mut expected = Vec::new();
            for (feature, kept, own, reason) in steps {
                expected.push(edited.text().to_owned());
                let verdict = if kept { Verdict::Keep } else { Verdict::Omit };
                let target = own.then_some("amd64");
                let before = edited.steps();
                edited.decide(target, &[NewDecision { name: name(NAMES[feature]), verdict, reason }]).unwrap();
                if edited.steps() == before {
                    expected.pop();
                }
                prop_assert_eq!(&read(edited.text()).policy, &Some(edited.policy().clone()));
            }
            let saved = edited.to_save().unwrap();
            let reading = read(&saved);
            prop_assert_eq!(reading.policy.as_ref(), Some(edited.policy()));
            let changed: Vec<FeatureName> = edited.changes().iter().map(|change| change.name.clone()).collect();
            let entries = |text: &str| {
                let reading = read(text);
                let names = reading.places.children(&["features"]).into_iter();
                names.map(|entry| {
                    let span = reading.places.value(&["features", &entry]);
                    (entry, text[span.start..span.end].to_owned())
                }).collect::<Vec<_>>()
            };
            for (old, new) in entries(&text).iter().zip(entries(&saved)) {
                prop_assert!(*old == new || changed.contains(&name(&old.0)), "{old:?} {new:?}");
            }
            while let Some(text) = expected.pop() {
                prop_assert!(edited.undo());
                prop_assert_eq!(edited.text(), text);
            }
            prop_assert!(!edited.undo() && edited.changes().is_empty());
        }
    }
}
