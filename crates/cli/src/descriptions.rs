//! Upstream's descriptions of the features of the pinned release, read from the downloaded module.

use std::collections::BTreeMap;

use featureset::name::FeatureName;

use crate::project::Project;
use crate::{progress, upstream};

/// Returns upstream's descriptions of the pinned release; `None` if its module is not downloaded. Reading them the first time
/// runs Go.
#[must_use]
pub fn described(project: &Project) -> Option<BTreeMap<FeatureName, String>> {
    let release = project.pinned()?.release;
    let step = progress::step("Reading", format!("upstream's descriptions of {release}"));
    let declared = upstream::descriptions(&project.cache, release).ok()??;
    drop(step);
    let named =
        declared.into_iter().filter_map(|(name, found)| Some((FeatureName::new(&name).ok()?, found.description)));
    Some(named.collect())
}
