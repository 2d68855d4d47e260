//! Circumstances that the caller of an audit states.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::FeatureName;
use crate::release::Release;

/// Circumstances of the audit that the list does not state.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The release, where the list's own text does not say it or is not to be believed.
    pub release: Option<Release>,
    /// What is known of the device: a fact that is not here is unknown.
    pub device: BTreeMap<String, String>,
    /// Hazards that are lived with, by id.
    pub accepted: BTreeSet<String>,
    /// Omissions that a policy has a reason for: their silence is wanted.
    pub reasoned: BTreeSet<FeatureName>,
}
