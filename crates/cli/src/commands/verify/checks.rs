//! The checks: each is a file, each has one line in the table, and the table tests itself.

mod cli;
pub(super) mod direct;
pub(super) mod dns;
pub(super) mod exit_node;
pub(super) mod flash;
mod load;
pub(super) mod login;
mod memory;
mod phone_home;
mod portmap;
mod raw_disco;
mod restart;
pub(super) mod routes;

use std::fmt;

use anyhow::Result;
use featureset::name::FeatureName;
use featureset::policy::{Policy, Verdict};

use crate::netlab::{FaultInjection, Programs};

/// One check.
pub struct Check {
    /// Its name, by which it can be chosen.
    pub name: &'static str,
    /// What it shows, in one sentence.
    pub claim: &'static str,
    /// The decisions that it proves: with any of them turned round it fails.
    pub proves: &'static [Claim],
    /// How it is shown to fail where no decision does it.
    pub fault: Option<Fault>,
    /// Other features that it can't do without.
    pub needs: &'static [&'static str],
    /// Whether any control server will do; the others take what only ours can be told.
    pub anywhere: bool,
    /// Runs it in a world of its own; gives what it saw, and as an error what it saw instead.
    pub run: fn(&Programs) -> Result<String>,
}

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The feature.
    pub feature: &'static str,
    /// What is decided.
    pub verdict: Verdict,
}

/// A daemon that is started so that a check must fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What it is started with, in words.
    pub with: &'static str,
    /// Variables.
    pub variables: &'static [(&'static str, &'static str)],
    /// Arguments.
    pub arguments: &'static [&'static str],
}

impl Fault {
    /// As the world takes it.
    #[must_use]
    pub fn fault(&self) -> FaultInjection {
        let variables = self.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        FaultInjection { variables, arguments: self.arguments.iter().map(|argument| (*argument).to_owned()).collect() }
    }
}

const fn omit(feature: &'static str) -> Claim {
    Claim { feature, verdict: Verdict::Omit }
}

const fn keep(feature: &'static str) -> Claim {
    Claim { feature, verdict: Verdict::Keep }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verdict.word(), self.feature)
    }
}

/// Every check, by name.
pub static CHECKS: &[Check] = &[
    cli::CHECK,
    direct::CHECK,
    dns::CHECK,
    exit_node::CHECK,
    flash::CHECK,
    load::CHECK,
    login::CHECK,
    memory::CHECK,
    phone_home::CHECK,
    portmap::CHECK,
    raw_disco::CHECK,
    restart::CHECK,
    routes::CHECK,
];

/// The check of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.name == name)
}

impl Check {
    /// Why a policy does not claim what is shown here; nothing where it does.
    #[must_use]
    pub fn unclaimed_by(&self, policy: &Policy) -> Option<String> {
        let kept = |feature: &str| FeatureName::new(feature).is_ok_and(|name| policy.keeps(&name));
        let needed = self.needs.iter().map(|feature| Claim { feature, verdict: Verdict::Keep });
        let other = self.proves.iter().copied().chain(needed);
        let mut other = other.filter(|claim| kept(claim.feature) != (claim.verdict == Verdict::Keep));
        other.next().map(|claim| {
            let decided = if claim.verdict == Verdict::Keep { Verdict::Omit } else { Verdict::Keep };
            format!("the policy has `{}` {}", claim.feature, decided.participle())
        })
    }

    /// Why it can't be run with another control server than ours; nothing where it can.
    #[must_use]
    pub fn only_with_ours(&self) -> Option<String> {
        let why = "it takes what only our own control server can be told: names, routes, capabilities";
        (!self.anywhere).then(|| why.to_owned())
    }

    /// The decisions in words, for a table.
    #[must_use]
    pub fn claims(&self) -> String {
        self.proves.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use featureset::facts::Facts;

    #[test]
    fn the_table_is_sorted_and_unique_and_every_check_says_what_it_shows() {
        assert!(CHECKS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for check in CHECKS {
            assert!(check.claim.ends_with('.') && check.claim.len() > 20, "{}", check.name);
            assert!(!check.proves.is_empty() || check.fault.is_some(), "{} was never seen to fail", check.name);
            let file = format!(
                "{}/src/commands/verify/checks/{}.rs",
                env!("CARGO_MANIFEST_DIR"),
                check.name.replace('-', "_")
            );
            assert!(std::path::Path::new(&file).is_file(), "{file}");
        }
    }

    #[test]
    fn every_feature_that_a_check_names_is_one_of_the_known_releases() {
        let facts = Facts::embedded();
        for check in CHECKS {
            let named = check.proves.iter().map(|claim| &claim.feature).chain(check.needs);
            for feature in named {
                let name = FeatureName::new(feature).unwrap();
                assert!(facts.span(&name).is_some(), "{}: {feature}", check.name);
            }
        }
    }

    #[test]
    fn a_check_is_claimed_where_its_decisions_are_the_policy_s() {
        let policy = |decision: &str| {
            let text = format!(
                "tailscale: 1.102.5\nfeatures:\n  cli: {{ keep: x }}\n  ipnbus: {{ {decision}: x }}\n  osrouter: {{ keep: x }}\n  unixsocketidentity: {{ keep: x }}\n"
            );
            featureset::policy::read(&text).policy.unwrap()
        };
        let login = find("login").unwrap();
        assert_eq!(login.unclaimed_by(&policy("keep")), None);
        assert_eq!(login.unclaimed_by(&policy("omit")).as_deref(), Some("the policy has `ipnbus` omitted"));
    }
}
