//! Which hazards apply: the only evaluator, for policies, audits and trials of other decisions.

use std::collections::BTreeSet;

use diagnostics::Severity;

use super::{Answer, Circumstances, Hazard, Reasons, Remedy};

/// A hazard that applies to some of the judged targets, or may apply.
#[derive(Debug, Clone)]
pub struct Applying<'a> {
    /// The hazard.
    pub hazard: &'a Hazard,
    /// The targets that it applies to.
    pub targets: BTreeSet<String>,
    /// The targets that it may apply to, depending on `unstated`.
    pub possible: BTreeSet<String>,
    /// The facts of the device that it depends on and that are not stated.
    pub unstated: BTreeSet<String>,
    /// The decisions to invert: those of its remedy that concern the part of its condition that is met.
    pub remedy: Vec<&'a Remedy>,
}

impl Applying<'_> {
    /// Returns whether it applies to a target for certain.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Returns the severity in a policy.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.hazard.severity(self.is_certain(), Reasons::Given)
    }

    /// Returns the targets that it applies to or may apply to.
    #[must_use]
    pub fn concerned(&self) -> BTreeSet<&str> {
        self.targets.iter().chain(&self.possible).map(String::as_str).collect()
    }
}

/// Returns the hazards that apply in any of the circumstances, or may apply, in the given order. Each of the circumstances
/// has the name of its target.
#[must_use]
pub fn applying<'a>(
    hazards: impl Iterator<Item = &'a Hazard>,
    circumstances: &[(&str, Circumstances<'_>)],
) -> Vec<Applying<'a>> {
    let evaluate = |hazard: &'a Hazard| {
        let mut found = Applying {
            hazard,
            targets: BTreeSet::new(),
            possible: BTreeSet::new(),
            unstated: BTreeSet::new(),
            remedy: Vec::new(),
        };
        for (target, circumstances) in circumstances {
            match hazard.applies(circumstances) {
                Answer::Yes => drop(found.targets.insert((*target).to_owned())),
                Answer::Depends(facts) => {
                    found.possible.insert((*target).to_owned());
                    found.unstated.extend(facts);
                }
                Answer::No => continue,
            }
            for flip in hazard.remedies(circumstances) {
                if !found.remedy.contains(&flip) {
                    found.remedy.push(flip);
                }
            }
        }
        found
    };
    hazards.map(evaluate).filter(|found| !found.targets.is_empty() || !found.possible.is_empty()).collect()
}
