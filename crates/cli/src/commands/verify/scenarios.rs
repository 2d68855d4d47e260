//! Scenarios that provoke a runtime hazard: its symptom must appear on the offending binary and not on the remedied one.

mod commands;
mod exit_node;
mod firewall;
mod library;
mod packets;
mod policy_file;
mod resolver;
mod ssh;
mod starting;
mod tpm;

use std::collections::BTreeSet;

use anyhow::Result;
use featureset::name::FeatureName;
use featureset::policy::EffectivePolicy;
use featureset::registry::Registry;
use featureset::release::Release;
use featureset::run_time;

use super::checks::{direct, dns, exit_node as exit, flash, login, portmap, routes};
use crate::netlab::Programs;
use crate::programs::{self, Program};

/// One hazard scenario. Its check must pass on a binary without the hazard and fail on one with it.
pub(super) struct HazardScenario {
    /// The hazard's id.
    pub(super) hazard: &'static str,
    /// The release to test; `None` for the pinned release.
    pub(super) release: Option<&'static str>,
    /// Features that both binaries keep in addition to the policy's.
    pub(super) with: &'static [&'static str],
    /// Features that both binaries omit, with everything that needs them.
    pub(super) without: &'static [&'static str],
    /// Environment variables of the offending daemon, for a hazard of the command that starts it.
    pub(super) variables: &'static [(&'static str, &'static str)],
    /// A program of the machine without which the scenario is skipped.
    pub(super) needs: Option<&'static str>,
    /// Our program that is built instead of the daemon.
    pub(super) program: Option<Program>,
    /// The text to look for, if it differs from the hazard's symptom.
    pub(super) shows: Option<&'static str>,
    /// Runs the check. The other nodes of the test network have the remedied binary.
    pub(super) run: fn(&Programs) -> Result<String>,
}

/// A scenario on the pinned release, recognized by the hazard's own symptom.
const fn scenario(hazard: &'static str, run: fn(&Programs) -> Result<String>) -> HazardScenario {
    HazardScenario {
        hazard,
        release: None,
        with: &[],
        without: &[],
        variables: &[],
        needs: None,
        program: None,
        shows: None,
        run,
    }
}

/// The same, recognized by another text.
const fn scenario_with_symptom(
    hazard: &'static str,
    shows: &'static str,
    run: fn(&Programs) -> Result<String>,
) -> HazardScenario {
    HazardScenario { shows: Some(shows), ..scenario(hazard, run) }
}

/// A scenario on 1.104, which made direct connections separate features. It omits netstack, because some networks can't
/// fetch its module.
const fn on_1_104(
    hazard: &'static str,
    shows: Option<&'static str>,
    run: fn(&Programs) -> Result<String>,
) -> HazardScenario {
    let (release, with) = (Some("1.104.5"), &["nattraversal", "udptransport"]);
    HazardScenario { release, with, without: &["netstack"], shows, ..scenario(hazard, run) }
}

impl HazardScenario {
    /// Returns the release to test.
    pub(super) fn release(&self, pinned: Release) -> Release {
        self.release.and_then(|release| release.parse().ok()).unwrap_or(pinned)
    }

    /// Returns the policy's kept features on the release of this registry, with the scenario's changes.
    pub(super) fn start(&self, policy: EffectivePolicy<'_>, registry: &Registry) -> BTreeSet<FeatureName> {
        let names = |list: &[&str]| list.iter().filter_map(|name| FeatureName::new(name).ok()).collect::<Vec<_>>();
        let own = registry.features.keys().filter(|name| policy.keeps(name)).cloned();
        let wanted = own.chain(names(self.with)).flat_map(|name| registry.requires(&name));
        let gone: BTreeSet<FeatureName> =
            names(self.without).iter().flat_map(|name| registry.required_by(name)).collect();
        wanted.filter(|name| !gone.contains(name)).collect()
    }
}

/// Every scenario, by hazard.
pub(super) static SCENARIOS: &[HazardScenario] = &[
    scenario("advertiseexitnode-noop", exit::run),
    scenario_with_symptom("advertiseroutes-silent", "does not warn", routes::run),
    scenario_with_symptom("cachenetmap-flash-wear", "netmap-cache", flash::run),
    scenario("clientupdate-disabled", commands::auto_update),
    scenario("dbus-dns", starting::with_resolved),
    scenario("debug-idtoken", commands::bug_report),
    HazardScenario {
        release: Some("1.96.5"),
        // Without them, this release neither compiles with netstack nor reports the login as complete.
        with: &["clientmetrics", "tailnetlock"],
        ..scenario("debug-serve-bus", login::run)
    },
    scenario_with_symptom("dns-netstack-quad100", "i/o timeout", dns::run),
    on_1_104("dnsresolvecache-flash", Some("dns-control.example.json"), resolver::of_the_control_server),
    HazardScenario {
        release: Some("1.100.0"),
        ..scenario_with_symptom("exit-node-route-stays", "outside the exit node", exit_node::saved)
    },
    scenario_with_symptom("exitnode-dns", "server misbehaving", exit::run),
    scenario_with_symptom("exitnode-peerapiserver", "server misbehaving", exit::run),
    HazardScenario {
        with: &["nattraversal", "portmapper", "udptransport"],
        variables: &[(run_time::VARIABLE, "portmapper")],
        ..on_1_104("feature-off-at-run-time", Some("port mapping"), portmap::run)
    },
    scenario("flags-vanish", starting::with_debug),
    HazardScenario { with: &["clientmetrics"], ..scenario("flags-vanish-newer", starting::with_syslog) },
    scenario("invertgso-netstack", packets::pinged_by_tsmp),
    HazardScenario {
        program: Some(programs::TSNET),
        // tsnet does not compile without them.
        with: &["acme", "serve"],
        ..scenario("ipnbus-tsnet", library::up)
    },
    scenario("ipnbus-up", login::run),
    scenario("iptables-forced", firewall::forced),
    scenario_with_symptom("iptables-nftables-only", "Table does not exist", firewall::nftables_only),
    scenario_with_symptom("logtail-flash-wear", "tailscaled.log", flash::run),
    scenario("logtail-verbose", starting::quietly),
    scenario_with_symptom(
        "magicdns-lan-resolver",
        "tailnet has made the router its resolver",
        resolver::of_the_network,
    ),
    on_1_104("nattraversal-derp", Some("a direct path"), direct::run),
    on_1_104("nattraversal-rebind", None, packets::without_rebinding),
    scenario("nc-dial", commands::nc),
    scenario("netstack-dns-crash", dns::run),
    scenario("netstack-userspace", starting::in_userspace),
    scenario("osrouter-netstack", starting::at_all),
    scenario("osrouter-tun", starting::at_all),
    scenario("resolved-close-crash", starting::with_resolved),
    scenario("resolved-dns", starting::with_resolved),
    scenario("ssh-no-users", ssh::without_users),
    scenario_with_symptom("ssh-port22", ssh::UNANSWERED, ssh::with_users),
    HazardScenario {
        // `syspolicy` does not compile without it.
        with: &["clientmetrics"],
        ..scenario_with_symptom("syspolicy-failopen", "a peer has connected", policy_file::obeyed)
    },
    HazardScenario {
        release: Some("1.92.4"),
        // Without them, this release neither compiles with netstack nor reports the login as complete.
        with: &["clientmetrics", "debug", "tailnetlock"],
        needs: Some(tpm::SWTPM),
        ..scenario_with_symptom("tpm-sealed-by-default", "failed to unseal state file", tpm::replaced)
    },
    HazardScenario { needs: Some(tpm::SWTPM), ..scenario("tpm-state", tpm::sealed_by_another_build) },
    on_1_104("udptransport-derp-only", Some("a direct path"), direct::run),
    scenario("unixsocketidentity-cli", login::run),
    scenario("useroutes-noop", routes::run),
];

/// Runtime hazards without a scenario, each with the missing requirement.
pub(super) static WITHOUT_SCENARIO: &[(&str, &str)] = &[
    ("allowedips-leak", "hours of changing peers"),
    ("appconnectors-advertiseroutes", "a control server that sends the configuration of app connectors"),
    ("appconnectors-dns", "a control server that sends the configuration of app connectors"),
    ("appconnectors-peerapiserver", "a control server that sends the configuration of app connectors"),
    ("bakedroots-no-ca", "a control server with a certificate of a public authority"),
    ("captiveportal-health", "a network that is a captive portal"),
    ("conn25-dns", "1.104 with netstack, and a control server that sends its configuration"),
    ("conn25-peerapiclient", "1.104 with netstack, and a control server that sends its configuration"),
    ("connreject-debug", "access to the counters of the daemon of 1.104"),
    ("drive-netstack", "shares, and a tailnet that allows them"),
    ("drive-peerapiclient", "1.98 or 1.100, and a tailnet that allows shares"),
    ("drive-peerapiserver", "shares, and a tailnet that allows them"),
    ("funnel-peerapiserver", "the relays of Funnel, which are Tailscale's own"),
    ("go-32bit-heap", "days on a 32-bit processor"),
    ("go-mips-futex", "a MIPS kernel older than 5.1"),
    ("gro-knobs", "a kernel whose receive offload is at fault"),
    ("iptables-arch", "a processor that iptables is not built for, and a kernel for it"),
    ("iptables-legacy-kernel", "a kernel with the tables of iptables and without nftables"),
    ("load-unbounded-memory", "minutes of load: `verify --check load --soak` measures it"),
    ("logtail-clientmetrics", "1.90"),
    ("metrics-upload-logtail", "a log server that reads what is uploaded"),
    ("mips-hardfloat", "a MIPS processor without a floating-point unit"),
    ("netstack-nonlinux-subnet", "another operating system"),
    ("networkmanager-dns", "NetworkManager 1.26 on a system bus"),
    ("posture-c2n", "a control server that asks for device posture"),
    ("relayserver-nattraversal", "a tailnet that grants peer relays"),
    ("relayserver-silent", "a tailnet that grants peer relays"),
    ("sdnotify-systemd", "systemd as the first process"),
    ("serve-c2n", "a control server that asks for hosted services"),
    ("serve-https-acme", "a certificate authority that accepts the control server's answers"),
    ("store-prefix", "a Kubernetes or AWS interface to keep state in"),
    ("tailnetlock-netmap-c2n", "1.90"),
    ("tailnetlock-unsigned-peers", "a tailnet with the lock on"),
    ("tap-gvisor", "no test network: it is about the size of the binary"),
    ("upx-arm-whole-pages", "a 32-bit arm processor, and a program with such a segment"),
    ("upx-memfd", "a kernel without memfd_create"),
    ("wakeonlan-transport", "a network card that is monitored for magic packets"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use featureset::hazard::{Answer, BuildFacts, Circumstances, Effect, trial};
    use featureset::upstream_data::UpstreamData;
    use std::collections::BTreeMap;

    #[test]
    fn every_runtime_hazard_is_in_exactly_one_sorted_table() {
        assert!(SCENARIOS.windows(2).all(|pair| pair[0].hazard < pair[1].hazard));
        assert!(WITHOUT_SCENARIO.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let named =
            SCENARIOS.iter().map(|scenario| scenario.hazard).chain(WITHOUT_SCENARIO.iter().map(|(hazard, _)| *hazard));
        let named: Vec<&str> = named.collect();
        let runs = UpstreamData::embedded().hazards().filter(|hazard| hazard.record.effect != Effect::DoesNotCompile);
        let runs: BTreeSet<&str> = runs.map(|hazard| hazard.id.as_str()).collect();
        assert_eq!(named.iter().copied().collect::<BTreeSet<_>>(), runs);
        assert_eq!(named.len(), runs.len(), "a hazard is in both tables");
    }

    #[test]
    fn every_scenario_names_a_hazard_of_its_release_and_a_symptom() {
        let facts = UpstreamData::embedded();
        for scenario in SCENARIOS {
            let hazard = facts.hazard(scenario.hazard).unwrap();
            let release = scenario.release.unwrap_or("1.102.5").parse().unwrap();
            assert!(hazard.in_release(release), "{} is not in {release}", scenario.hazard);
            let seen = scenario.shows.is_some() || hazard.record.symptom.is_some();
            assert!(seen || hazard.record.effect == Effect::NoEffect, "{} has no symptom", scenario.hazard);
            for name in scenario.with.iter().chain(scenario.without) {
                assert!(facts.registry(release).unwrap().features.contains_key(*name), "{name}");
            }
        }
    }

    #[test]
    fn both_sides_of_every_scenario_compile_with_the_policy_of_this_repository() {
        let facts = UpstreamData::embedded();
        let text = include_str!("../../../../../featureset.yaml");
        let policy = featureset::policy::read(text).policy.unwrap();
        for scenario in SCENARIOS {
            let release = scenario.release(policy.tailscale.unwrap());
            let (registry, hazard) = (facts.registry(release).unwrap(), facts.hazard(scenario.hazard).unwrap());
            let start = scenario.start(policy.for_target("amd64").unwrap(), registry);
            let sides = trial::beside(hazard, registry, &start).unwrap();
            for kept in [&sides.offending, &sides.remedied] {
                let omitted = registry.features.keys().filter(|name| !kept.contains(*name)).cloned().collect();
                let (device, build) = (BTreeMap::new(), BuildFacts::default());
                let circumstances = Circumstances {
                    release,
                    kept,
                    omitted: &omitted,
                    device: &device,
                    os: "linux",
                    goarch: "amd64",
                    build,
                };
                let broken = facts.hazards().find(|other| {
                    other.record.effect == Effect::DoesNotCompile && other.applies(&circumstances) == Answer::Yes
                });
                assert_eq!(broken.map(|other| &*other.id), None, "{}", scenario.hazard);
            }
        }
    }
}
