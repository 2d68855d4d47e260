//! A check: a property of the running daemon, the decisions that it covers, and how to break it.

use std::fmt;

use anyhow::Result;
use featureset::name::FeatureName;
use featureset::policy::{EffectivePolicy, Verdict};
use featureset::run_time::{Disabled, VARIABLE, disabled};

use crate::netlab::{FaultInjection, Programs};

/// A property of the running daemon, and the function that tests it.
pub struct Check {
    /// Its name on the command line.
    pub name: &'static str,
    /// The property, in one sentence.
    pub claim: &'static str,
    /// The decisions that it covers: it fails if any of them is inverted.
    pub proves: &'static [Claim],
    /// A fault that makes it fail, for a check that no decision can break.
    pub fault: Option<Fault>,
    /// Other features that it needs.
    pub needs: &'static [&'static str],
    /// Whether it runs with an external control server; the others use functions of our own.
    pub anywhere: bool,
    /// Runs the check in a new test network. Returns the observation; a failed check is an error.
    pub run: fn(&Programs) -> Result<String>,
}

/// A decision on one feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The feature.
    pub feature: &'static str,
    /// The decision.
    pub verdict: Verdict,
}

/// A way to start the daemon that makes a check fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// A description of the fault.
    pub with: &'static str,
    /// Environment variables of the daemon.
    pub variables: &'static [(&'static str, &'static str)],
    /// Arguments of the daemon.
    pub arguments: &'static [&'static str],
}

impl Fault {
    /// Returns the fault in the form that the test network takes.
    #[must_use]
    pub fn injection(&self) -> FaultInjection {
        let variables = self.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        FaultInjection { variables, arguments: self.arguments.iter().map(|argument| (*argument).to_owned()).collect() }
    }
}

pub(super) const fn omit(feature: &'static str) -> Claim {
    Claim { feature, verdict: Verdict::Omit }
}

pub(super) const fn keep(feature: &'static str) -> Claim {
    Claim { feature, verdict: Verdict::Keep }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verdict.word(), self.feature)
    }
}

impl Check {
    /// Returns the decision of a policy, or the setting of its device, that makes the check pointless; `None` if the check
    /// applies.
    #[must_use]
    pub fn unclaimed_by(&self, policy: EffectivePolicy<'_>) -> Option<String> {
        let kept = |feature: &str| FeatureName::new(feature).is_ok_and(|name| policy.keeps(&name));
        let is_off = |feature: &&&str| {
            let (name, release) = (FeatureName::new(feature).ok(), policy.policy().tailscale);
            name.zip(release).and_then(|(name, release)| disabled(policy, release, &name)) == Some(Disabled::Off)
        };
        let named = self.proves.iter().map(|claim| &claim.feature).chain(self.needs);
        if let Some(feature) = named.filter(is_off).copied().next() {
            return Some(format!("`{feature}` is off at run time: `device.start` sets {VARIABLE}"));
        }
        let needed = self.needs.iter().map(|feature| Claim { feature, verdict: Verdict::Keep });
        let other = self.proves.iter().copied().chain(needed);
        let mut other = other.filter(|claim| kept(claim.feature) != (claim.verdict == Verdict::Keep));
        other.next().map(|claim| {
            let decided = if claim.verdict == Verdict::Keep { Verdict::Omit } else { Verdict::Keep };
            format!("the policy has `{}` {}", claim.feature, decided.participle())
        })
    }

    /// Returns why it can't run with an external control server, or `None` if it can.
    #[must_use]
    pub fn only_with_ours(&self) -> Option<String> {
        let why = "it sets names, routes or capabilities, which only our own control server allows";
        (!self.anywhere).then(|| why.to_owned())
    }

    /// Returns the decisions as text, for a table.
    #[must_use]
    pub fn claims(&self) -> String {
        self.proves.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}
