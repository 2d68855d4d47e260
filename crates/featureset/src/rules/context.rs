//! The input of a rule.

use crate::policy::{Policy, SourceMap};
use crate::registry::Registry;
use crate::upstream_data::{RegistryMatch, UpstreamData};

/// The input of a rule.
pub struct Subject<'a> {
    /// The policy's text.
    pub text: &'a str,
    /// The policy.
    pub policy: &'a Policy,
    /// The spans of its keys and values.
    pub places: &'a SourceMap,
    /// The knowledge about upstream.
    pub facts: &'a UpstreamData,
}

impl<'a> Subject<'a> {
    /// Returns the registry of the pinned release, or of its line.
    pub(super) fn registry(&self) -> Option<&'a Registry> {
        match self.facts.known(self.policy.tailscale?) {
            RegistryMatch::Release(registry) | RegistryMatch::Line(registry) => Some(registry),
            RegistryMatch::No => None,
        }
    }
}
