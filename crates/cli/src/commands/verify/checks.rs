//! The checks: each is a file and a line of the table, and the table tests itself.

mod check;
mod cli;
pub(super) mod direct;
pub(super) mod dns;
pub(super) mod exit_node;
pub(super) mod flash;
mod load;
pub(super) mod login;
mod memory;
mod phone_home;
pub(super) mod portmap;
mod raw_disco;
mod restart;
pub(super) mod routes;

pub use check::{Check, Claim, Fault};

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

/// Returns the check with a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use featureset::name::FeatureName;
    use featureset::upstream_data::UpstreamData;

    #[test]
    fn table_is_sorted_and_every_check_has_a_claim_and_a_file() {
        assert!(CHECKS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for check in CHECKS {
            assert!(check.claim.ends_with('.') && check.claim.len() > 20, "{}", check.name);
            assert!(!check.proves.is_empty() || check.fault.is_some(), "{} has nothing that makes it fail", check.name);
            let file = format!(
                "{}/src/commands/verify/checks/{}.rs",
                env!("CARGO_MANIFEST_DIR"),
                check.name.replace('-', "_")
            );
            assert!(std::path::Path::new(&file).is_file(), "{file}");
        }
    }

    #[test]
    fn every_feature_of_a_check_is_known() {
        let facts = UpstreamData::embedded();
        for check in CHECKS {
            let named = check.proves.iter().map(|claim| &claim.feature).chain(check.needs);
            for feature in named {
                let name = FeatureName::new(feature).unwrap();
                assert!(facts.lines_with(&name).is_some(), "{}: {feature}", check.name);
            }
        }
    }

    #[test]
    fn check_applies_if_its_decisions_are_the_policy_s() {
        let policy = |decision: &str| {
            let text = format!(
                "tailscale: 1.102.5\nfeatures:\n  cli: {{ keep: x }}\n  ipnbus: {{ {decision}: x }}\n  osrouter: {{ keep: x }}\n  unixsocketidentity: {{ keep: x }}\n"
            );
            featureset::policy::read(&text).policy.unwrap()
        };
        let login = find("login").unwrap();
        assert_eq!(login.unclaimed_by(policy("keep").common()), None);
        let text = "tailscale: 1.104.5\ndevice: { start: [TS_DISABLE_FEATURE=portmapper] }\n\
            features: { portmapper: { keep: x } }\n";
        let off = featureset::policy::read(text).policy.unwrap();
        let why = "`portmapper` is off at run time: `device.start` sets TS_DISABLE_FEATURE";
        assert_eq!(find("portmap").unwrap().unclaimed_by(off.common()).as_deref(), Some(why));
        assert_eq!(login.unclaimed_by(policy("omit").common()).as_deref(), Some("the policy has `ipnbus` omitted"));
    }
}
