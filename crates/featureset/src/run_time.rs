//! Kept features that the command which starts the daemon turns off at run time.

use crate::name::{FeatureName, OMIT_PREFIX};
use crate::policy::EffectivePolicy;
use crate::release::Release;

/// The environment variable of the daemon that lists the features, separated by commas (`feature/disable.go`).
pub const VARIABLE: &str = "TS_DISABLE_FEATURE";

/// The first release that reads it.
const SINCE: Release = Release::new([1, 104, 0]);

/// The features that it turns off: those that call `feature.Register` or `ipnext.RegisterExtension` in 1.104.5. The code of
/// every other feature is not registered, so the variable does not affect it.
const REGISTERED: &[&str] = &[
    "ace",
    "acme",
    "androidbin",
    "androiddns",
    "appconnectors",
    "aws",
    "bird",
    "c2n",
    "captiveportal",
    "capture",
    "clientupdate",
    "conn25",
    "connreject",
    "debugportmapper",
    "desktop_sessions",
    "dnsresolvecache",
    "doctor",
    "drive",
    "favorites",
    "identityfederation",
    "kube",
    "linkspeed",
    "linuxdnsfight",
    "netlog",
    "oauthkey",
    "portlist",
    "portmapper",
    "posture",
    "relayserver",
    "remoteconfig",
    "routecheck",
    "runtimemetrics",
    "sdnotify",
    "serviceclientprefs",
    "ssh",
    "syslog",
    "syspolicy",
    "taildrop",
    "tailnetlock",
    "tap",
    "tpm",
    "tundevstats",
    "useproxy",
    "wakeonlan",
];

/// The effect of the variable on a feature that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disabled {
    /// The feature is off, as if it were omitted.
    Off,
    /// The release ignores the name: the feature stays on.
    Ignored,
}

/// Returns the effect of the device's start command on a kept feature; `None` if the command does not name it or the policy
/// does not keep it.
#[must_use]
pub fn disabled(policy: EffectivePolicy<'_>, release: Release, name: &FeatureName) -> Option<Disabled> {
    let value = value(policy).filter(|_| policy.keeps(name))?;
    let named = |listed: &str| {
        let listed = listed.trim().to_lowercase();
        listed.strip_prefix(OMIT_PREFIX).unwrap_or(&listed).replace('-', "_") == name.as_str()
    };
    let is_off = release >= SINCE && REGISTERED.contains(&name.as_str());
    value.split(',').any(named).then_some(if is_off { Disabled::Off } else { Disabled::Ignored })
}

/// Returns the variable's value in the device's start command.
#[must_use]
pub fn value(policy: EffectivePolicy<'_>) -> Option<&str> {
    let settings = policy.device().facts.get("start")?.split_whitespace();
    settings.filter_map(|setting| setting.strip_prefix(VARIABLE)?.strip_prefix('=')).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::read;
    use crate::upstream_data::UpstreamData;

    #[test]
    fn every_registered_feature_is_in_the_registry() {
        let registry = UpstreamData::embedded().registry("1.104.5".parse().unwrap()).unwrap();
        assert!(REGISTERED.is_sorted());
        for name in REGISTERED {
            assert!(registry.features.contains_key(&FeatureName::new(name).unwrap()), "{name}");
        }
    }

    #[test]
    fn names_are_normalized_as_upstream_does() {
        let text = "tailscale: 1.104.5\n\
            device: { start: [\"TS_DISABLE_FEATURE=SSH,desktop-sessions,ts_omit_c2n,dns,drive\"] }\nfeatures:\n  \
            ssh: { keep: x }\n  desktop_sessions: { keep: x }\n  c2n: { keep: x }\n  dns: { keep: x }\n  drive: { omit: x }\n  \
            tap: { keep: x }\n";
        let policy = read(text).policy.unwrap();
        let effect = |name: &str, release: &str| {
            disabled(policy.common(), release.parse().unwrap(), &FeatureName::new(name).unwrap())
        };
        for name in ["ssh", "desktop_sessions", "c2n"] {
            assert_eq!(effect(name, "1.104.5"), Some(Disabled::Off), "{name}");
            assert_eq!(effect(name, "1.102.5"), Some(Disabled::Ignored), "{name}");
        }
        assert_eq!(effect("dns", "1.104.5"), Some(Disabled::Ignored), "dns is not registered");
        assert_eq!(effect("drive", "1.104.5"), None, "drive is omitted");
        assert_eq!(effect("tap", "1.104.5"), None, "tap is not named");
    }
}
