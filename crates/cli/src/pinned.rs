//! A policy with its pinned release.

use featureset::policy::Policy;
use featureset::registry::Registry;
use featureset::release::Release;
use featureset::upstream_data::UpstreamData;

/// A policy that pins a known release, so that it can be built.
#[derive(Clone, Copy)]
pub struct Pinned<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The pinned release.
    pub release: Release,
    /// Its registry.
    pub registry: &'a Registry,
    /// The known data of upstream.
    pub facts: &'a UpstreamData,
}
