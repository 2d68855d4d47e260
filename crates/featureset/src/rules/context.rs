//! The input of a rule.

use crate::facts::{Facts, Known};
use crate::policy::{Places, Policy};
use crate::registry::Registry;

/// The input of a rule.
pub struct Subject<'a> {
    /// The policy's text.
    pub text: &'a str,
    /// The policy.
    pub policy: &'a Policy,
    /// The spans of its keys and values.
    pub places: &'a Places,
    /// The knowledge about upstream.
    pub facts: &'a Facts,
}

impl<'a> Subject<'a> {
    /// Returns the registry of the pinned release, or of its line.
    pub(super) fn registry(&self) -> Option<&'a Registry> {
        match self.facts.known(self.policy.tailscale?) {
            Known::Release(registry) | Known::Line(registry) => Some(registry),
            Known::No => None,
        }
    }
}
