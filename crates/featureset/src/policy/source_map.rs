//! Spans of the keys and values of a policy.

use std::collections::BTreeMap;

use diagnostics::Span;

/// Spans of keys and values in the text, by path from the top: `["features", "dns", "keep"]`.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    entries: BTreeMap<String, (Span, Span)>,
}

impl SourceMap {
    fn path<S: AsRef<str>>(path: &[S]) -> String {
        path.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("\u{1f}")
    }

    pub(super) fn insert(&mut self, path: &[String], key: Span, value: Span) {
        self.entries.insert(Self::path(path), (key, value));
    }

    /// The place of the key at a path; the start of the text if the policy does not have it.
    #[must_use]
    pub fn key(&self, path: &[&str]) -> Span {
        self.entries.get(&Self::path(path)).map(|(key, _)| *key).unwrap_or_default()
    }

    /// The place of the value at a path; the start of the text if the policy does not have it.
    #[must_use]
    pub fn value(&self, path: &[&str]) -> Span {
        self.entries.get(&Self::path(path)).map(|(_, value)| *value).unwrap_or_default()
    }

    /// Returns the keys directly under the section at a path.
    pub(crate) fn children(&self, section: &[&str]) -> Vec<String> {
        let prefix = format!("{}\u{1f}", Self::path(section));
        let below = self.entries.range(prefix.clone()..).map_while(|(path, _)| path.strip_prefix(&prefix));
        below.filter(|rest| !rest.contains('\u{1f}')).map(str::to_owned).collect()
    }

    /// Where each top-level key starts.
    pub(crate) fn top_level(&self) -> Vec<usize> {
        self.entries.iter().filter(|(path, _)| !path.contains('\u{1f}')).map(|(_, (key, _))| key.start).collect()
    }

    /// Whether the policy has the path.
    #[must_use]
    pub fn has(&self, path: &[&str]) -> bool {
        self.entries.contains_key(&Self::path(path))
    }
}
