//! Stagings: how a hazard that shows at run time is brought about, so that its symptom is seen on the offending binary and
//! not on the remedied one.

mod commands;
mod packets;
mod starting;

use anyhow::Result;
use featureset::release::Release;

use super::checks::{direct, dns, exit_node, flash, login, routes};
use crate::netlab::Programs;

/// One scenario. What it runs is a check: it passes where the hazard is not.
pub(super) struct HazardScenario {
    /// The hazard's id.
    pub(super) hazard: &'static str,
    /// The release that it is staged on; the pinned one where none is named.
    pub(super) release: Option<&'static str>,
    /// What is kept beside the policy's keeps on both sides.
    pub(super) with: &'static [&'static str],
    /// What is omitted, with all that needs it, on both sides.
    pub(super) without: &'static [&'static str],
    /// What is seen, where that is not the hazard's symptom to the letter.
    pub(super) shows: Option<&'static str>,
    /// Runs it. The other nodes of its world have the remedied binary.
    pub(super) run: fn(&Programs) -> Result<String>,
}

/// A scenario on the pinned release, seen by the hazard's own symptom.
const fn staged(hazard: &'static str, run: fn(&Programs) -> Result<String>) -> HazardScenario {
    HazardScenario { hazard, release: None, with: &[], without: &[], shows: None, run }
}

/// The same, seen otherwise.
const fn seen(hazard: &'static str, shows: &'static str, run: fn(&Programs) -> Result<String>) -> HazardScenario {
    HazardScenario { shows: Some(shows), ..staged(hazard, run) }
}

/// A scenario on 1.104, where direct connections are features of their own. netstack plays no part in it, and its module is
/// not to be had everywhere.
const fn on_1_104(
    hazard: &'static str,
    shows: Option<&'static str>,
    run: fn(&Programs) -> Result<String>,
) -> HazardScenario {
    let (release, with) = (Some("1.104.5"), &["nattraversal", "udptransport"]);
    HazardScenario { hazard, release, with, without: &["netstack"], shows, run }
}

impl HazardScenario {
    /// The release that it is staged on.
    pub(super) fn release(&self, pinned: Release) -> Release {
        self.release.and_then(|release| release.parse().ok()).unwrap_or(pinned)
    }
}

/// Every scenario, by hazard.
pub(super) static SCENARIOS: &[HazardScenario] = &[
    staged("advertiseexitnode-noop", exit_node::run),
    seen("advertiseroutes-silent", "does not warn", routes::run),
    seen("cachenetmap-flash-wear", "netmap-cache", flash::run),
    staged("clientupdate-disabled", commands::auto_update),
    staged("dbus-dns", starting::beside_resolved),
    staged("debug-idtoken", commands::bug_report),
    seen("dns-netstack-quad100", "i/o timeout", dns::run),
    seen("exitnode-dns", "server misbehaving", exit_node::run),
    seen("exitnode-peerapiserver", "server misbehaving", exit_node::run),
    staged("flags-vanish", starting::with_debug),
    HazardScenario { with: &["clientmetrics"], ..staged("flags-vanish-newer", starting::with_syslog) },
    staged("invertgso-netstack", packets::pinged_by_tsmp),
    staged("ipnbus-up", login::run),
    seen("logtail-flash-wear", "tailscaled.log", flash::run),
    staged("logtail-verbose", starting::quietly),
    on_1_104("nattraversal-derp", Some("a direct path"), direct::run),
    on_1_104("nattraversal-rebind", None, packets::without_rebinding),
    staged("nc-dial", commands::nc),
    staged("netstack-dns-crash", dns::run),
    staged("netstack-userspace", starting::in_userspace),
    staged("osrouter-netstack", starting::at_all),
    staged("osrouter-tun", starting::at_all),
    staged("resolved-close-crash", starting::beside_resolved),
    staged("resolved-dns", starting::beside_resolved),
    on_1_104("udptransport-derp-only", Some("a direct path"), direct::run),
    staged("unixsocketidentity-cli", login::run),
    staged("useroutes-noop", routes::run),
];

/// The hazards that show at run time and have no scenario, each with what one would need.
pub(super) static WITHOUT_SCENARIO: &[(&str, &str)] = &[
    ("appconnectors-advertiseroutes", "a control server that hands out the configuration of app connectors"),
    ("appconnectors-dns", "a control server that hands out the configuration of app connectors"),
    ("appconnectors-peerapiserver", "a control server that hands out the configuration of app connectors"),
    ("bakedroots-no-ca", "a control server with a certificate of a public authority"),
    ("captiveportal-health", "a network that is a captive portal"),
    ("conn25-dns", "1.104 with netstack, and a control server that hands out its configuration"),
    ("conn25-peerapiclient", "1.104 with netstack, and a control server that hands out its configuration"),
    ("connreject-debug", "a look into the counters that the daemon of 1.104 keeps"),
    ("debug-serve-bus", "a control server and a policy of the line 1.96"),
    ("drive-netstack", "shares, and a tailnet that allows them"),
    ("drive-peerapiclient", "1.98 or 1.100, and a tailnet that allows shares"),
    ("drive-peerapiserver", "shares, and a tailnet that allows them"),
    ("funnel-peerapiserver", "the relays of Funnel, which are Tailscale's own"),
    ("gro-knobs", "a kernel whose receive offload is at fault"),
    ("iptables-arch", "a processor other than the four that iptables is built for, and a kernel for it"),
    ("iptables-forced", "an iptables program in the world"),
    ("iptables-legacy-kernel", "a kernel without nftables"),
    ("logtail-clientmetrics", "1.90"),
    ("metrics-upload-logtail", "a log server that reads what is uploaded"),
    ("netstack-nonlinux-subnet", "another operating system"),
    ("networkmanager-dns", "NetworkManager 1.26 on a system bus"),
    ("posture-c2n", "a control server that asks for device posture"),
    ("relayserver-nattraversal", "a tailnet that grants peer relays"),
    ("relayserver-silent", "a tailnet that grants peer relays"),
    ("sdnotify-systemd", "systemd as the first process"),
    ("serve-c2n", "a control server that asks for hosted services"),
    ("serve-https-acme", "a certificate authority that the control server vouches to"),
    ("ssh-port22", "an SSH client in the world"),
    ("store-prefix", "a Kubernetes or AWS interface to keep state in"),
    ("syspolicy-failopen", "a policy file and a setting whose effect can be seen"),
    ("tailnetlock-netmap-c2n", "1.90"),
    ("tailnetlock-unsigned-peers", "a tailnet with the lock on"),
    ("tap-gvisor", "nothing that runs: it is about bytes"),
    ("tpm-state", "a TPM"),
    ("wakeonlan-transport", "a network card that is looked at for magic packets"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use featureset::facts::Facts;
    use featureset::hazard::Effect;
    use std::collections::BTreeSet;

    #[test]
    fn the_tables_are_sorted_and_every_hazard_that_runs_stands_in_one_of_them() {
        assert!(SCENARIOS.windows(2).all(|pair| pair[0].hazard < pair[1].hazard));
        assert!(WITHOUT_SCENARIO.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let named =
            SCENARIOS.iter().map(|scenario| scenario.hazard).chain(WITHOUT_SCENARIO.iter().map(|(hazard, _)| *hazard));
        let named: Vec<&str> = named.collect();
        let runs = Facts::embedded().hazards().filter(|hazard| hazard.record.effect != Effect::DoesNotCompile);
        let runs: BTreeSet<&str> = runs.map(|hazard| hazard.id.as_str()).collect();
        assert_eq!(named.iter().copied().collect::<BTreeSet<_>>(), runs);
        assert_eq!(named.len(), runs.len(), "one stands in both");
    }

    #[test]
    fn what_is_staged_is_a_hazard_of_that_release_and_says_how_it_is_seen() {
        let facts = Facts::embedded();
        for scenario in SCENARIOS {
            let hazard = facts.hazard(scenario.hazard).unwrap();
            let release = scenario.release.unwrap_or("1.102.5").parse().unwrap();
            assert!(hazard.in_release(release), "{} is not in {release}", scenario.hazard);
            let seen = scenario.shows.is_some() || hazard.record.symptom.is_some();
            assert!(seen || hazard.record.effect == Effect::NoEffect, "{} has nothing to be seen by", scenario.hazard);
            for name in scenario.with.iter().chain(scenario.without) {
                assert!(facts.registry(release).unwrap().features.contains_key(*name), "{name}");
            }
        }
    }
}
