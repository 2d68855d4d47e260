//! Facts that a hazard needs, that no device profile has, and that a list does not state.
//!
//! A policy's reason answers for them. A list has no reasons, so an audit reports such a hazard as conditional.

/// Hazards and the fact that each needs, by id.
const SUPPOSITIONS: &[(&str, &str)] = &[
    ("clientupdate-disabled", "the tailnet turns on automatic updates"),
    ("flags-vanish", "a start script passes one of these flags"),
    ("flags-vanish-newer", "a start script passes one of these flags"),
    ("syspolicy-failopen", "the device has a policy file"),
    ("tailnetlock-unsigned-peers", "the tailnet uses Tailnet Lock"),
    ("tpm-state", "the state was sealed with a TPM"),
];

/// Returns the fact that a hazard needs, as the rest of a sentence that begins with "if".
pub(super) fn supposition(hazard: &str) -> Option<&'static str> {
    SUPPOSITIONS.iter().find(|(id, _)| *id == hazard).map(|(_, fact)| *fact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream_data::UpstreamData;

    #[test]
    fn every_supposition_is_of_a_hazard() {
        for (id, _) in SUPPOSITIONS {
            assert!(UpstreamData::embedded().hazard(id).is_some(), "{id}");
        }
    }
}
