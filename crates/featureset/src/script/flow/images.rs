//! The images of a Dockerfile: each knows what itself and the one that it is made from set, and no more.

use std::collections::BTreeMap;

use super::Variables;

/// The images so far.
#[derive(Debug, Default)]
pub(super) struct Images {
    /// What stands before the first.
    whole: Option<Variables>,
    named: BTreeMap<String, Variables>,
    /// The one that is being made.
    now: Option<String>,
}

impl Images {
    /// Begins one: from another of the text, or from elsewhere.
    pub(super) fn begin(&mut self, from: &str, name: Option<&str>, variables: &mut Variables) {
        let before = std::mem::take(variables);
        match self.now.take() {
            _ if self.whole.is_none() => self.whole = Some(before),
            Some(now) => drop(self.named.insert(now, before)),
            None => {}
        }
        *variables = self.named.get(from).cloned().unwrap_or_default();
        self.now = name.map(str::to_owned);
    }

    /// `ARG NAME`: what stands before the first image, where this one has no such variable.
    pub(super) fn ask(&self, name: &str, variables: &mut Variables) {
        if let Some(values) = self.whole.as_ref().and_then(|whole| whole.get(name)) {
            variables.entry(name.to_owned()).or_insert_with(|| values.clone());
        }
    }
}
