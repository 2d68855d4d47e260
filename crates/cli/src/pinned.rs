//! A policy with its pinned release.

use anyhow::{Context, Result};
use diagnostics::{Code, Diagnostic};
use featureset::name::nearest;
use featureset::policy::{EffectivePolicy, Policy};
use featureset::recipe::Recipe;
use featureset::registry::Registry;
use featureset::release::Release;
use featureset::selection::Selection;
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

impl<'a> Pinned<'a> {
    /// Returns the policy of a target.
    ///
    /// # Errors
    /// A [`Diagnostic`] if the policy does not have the target.
    pub fn for_target(self, target: &str) -> Result<EffectivePolicy<'a>> {
        self.policy.for_target(target).ok_or_else(|| unknown_target(self.policy, target).into())
    }

    /// Returns the selection of a target.
    ///
    /// # Errors
    /// As [`Pinned::for_target`].
    pub fn selection(self, target: &str) -> Result<Selection<'a>> {
        Ok(Selection::new(self.for_target(target)?, self.registry))
    }

    /// Returns the recipe of a target, with the commit of the release if it is known.
    ///
    /// # Errors
    /// A [`Diagnostic`] if the policy does not have the target.
    pub fn recipe(self, target: &str, commit: Option<&str>) -> Result<Recipe> {
        let recipe = Recipe::new(self.for_target(target)?, &self.selection(target)?, commit);
        recipe.context("the policy does not state `go` as a version")
    }
}

/// Returns the failure for a name that is not one of a policy's targets.
#[must_use]
pub fn unknown_target(policy: &Policy, name: &str) -> Diagnostic {
    let known: Vec<&str> = policy.targets.keys().map(String::as_str).collect();
    let why = if known.is_empty() { "it has none".to_owned() } else { format!("its targets are {}", known.join(", ")) };
    let next = nearest(name, known.iter().copied())
        .map_or_else(|| "Name one of them.".to_owned(), |near| format!("Did you mean `{near}`?"));
    Diagnostic::failure(Code::UnknownTarget, format!("the policy has no target `{name}`"), why, next)
}
