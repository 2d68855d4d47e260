//! Policies that `init` writes, for every device and role.

use super::*;
use crate::hazard::Effect;
use crate::platform::PLATFORMS;
use crate::policy::Policy;

fn facts() -> &'static UpstreamData {
    UpstreamData::embedded()
}

fn request(device: &str, roles: &[&str], release: &str) -> Request {
    let platforms = &reasons::devices()[device].platforms;
    Request {
        device: device.to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        platforms: platforms.iter().map(|name| (Platform::find(name).unwrap(), None)).collect(),
        release: release.parse().unwrap(),
        go: None,
        without: BTreeSet::new(),
    }
}

fn names(names: &[&str]) -> BTreeSet<FeatureName> {
    names.iter().map(|name| FeatureName::new(name).unwrap()).collect()
}

fn policy(initial: &Initial) -> Policy {
    read(&initial.text).policy.unwrap()
}

/// Every role, every pair of roles, and all of them. An entry names roles of which one is enough, so larger sets add nothing.
fn sets_of_roles() -> Vec<Vec<&'static str>> {
    let roles: Vec<&str> = reasons::roles().iter().map(|role| role.name.as_str()).collect();
    let pairs = roles.iter().flat_map(|first| roles.iter().map(move |second| (*first, *second)));
    let ordered = pairs.filter(|(first, second)| first <= second);
    let few = ordered.map(|(first, second)| if first == second { vec![first] } else { vec![first, second] });
    few.chain([roles.clone()]).collect()
}

/// Writes a policy and returns its findings; checks it if there are none.
fn findings_of(request: &Request) -> Vec<String> {
    match init(request, facts()) {
        Ok(initial) => {
            let policy = policy(&initial);
            let registry = facts().registry(request.release).unwrap();
            assert_eq!(policy.features.len(), registry.features.len(), "{}", request.command());
            assert!(!initial.text.contains("{machine}"), "{}", request.command());
            for id in policy.accepted.keys() {
                let insecure = facts().hazard(id).unwrap().record.effect == Effect::Insecure;
                assert!(!insecure || !request.without.is_empty(), "{} accepts {id}", request.command());
            }
            Vec::new()
        }
        Err(Refusal::Findings(findings)) => findings
            .iter()
            .map(|finding| format!("{}: {} ({})", finding.code.as_str(), finding.message, request.command()))
            .collect(),
        Err(refusal) => panic!("{}: {refusal:?}", request.command()),
    }
}

#[test]
fn every_device_with_any_roles_has_a_policy_without_findings() {
    let mut problems = Vec::new();
    for release in ["1.102.5", "1.104.5"] {
        for device in reasons::devices().keys() {
            for roles in sets_of_roles() {
                let request = request(device, &roles, release);
                problems.extend(findings_of(&request));
                if roles.len() == 1 {
                    let without = names(&["syspolicy", "tailnetlock"]);
                    problems.extend(findings_of(&Request { without, ..request }));
                }
            }
        }
    }
    let some: Vec<&String> = problems.iter().take(40).collect();
    assert!(problems.is_empty(), "{} findings, such as {some:#?}", problems.len());
}

#[test]
fn roles_keep_what_they_need() {
    for (role, needed) in [
        ("subnet-router", &["advertiseroutes", "c2n", "peerapiserver"][..]),
        ("exit-node", &["advertiseexitnode", "advertiseroutes", "dns", "peerapiserver"]),
        ("exit-node-client", &["useexitnode", "peerapiclient"]),
        ("client", &["dns", "outboundproxy"]),
        ("ssh-server", &["ssh", "c2n", "dbus", "netstack"]),
        ("minimal", &["cli", "ipnbus", "osrouter", "tailnetlock", "unixsocketidentity"]),
    ] {
        for device in reasons::devices().keys() {
            let kept = init(&request(device, &[role], "1.104.5"), facts()).unwrap().kept;
            assert!(names(needed).is_subset(&kept), "{device} as {role} keeps {kept:?}");
        }
    }
    let minimal = init(&request("openwrt", &["minimal"], "1.104.5"), facts()).unwrap().kept;
    assert!(names(&["dns", "netstack", "ssh", "c2n"]).is_disjoint(&minimal), "{minimal:?}");
}

#[test]
fn a_feature_that_protects_is_kept_unless_the_user_omits_it() {
    let request = request("systemd-host", &["subnet-router"], "1.102.5");
    let kept = init(&request, facts()).unwrap();
    assert!(names(&["syspolicy", "tailnetlock"]).is_subset(&kept.kept));
    let without = Request { without: names(&["tailnetlock"]), ..request };
    let omitted = init(&without, facts()).unwrap();
    assert!(!omitted.kept.contains(&FeatureName::new("tailnetlock").unwrap()));
    assert!(omitted.accepted.contains(&"tailnetlock-unsigned-peers".to_owned()));
}

#[test]
fn a_role_that_loses_what_it_needs_is_refused() {
    let with = |without: &[&str]| Request {
        without: names(without),
        ..request("routeros-container", &["subnet-router"], "1.102.5")
    };
    assert_eq!(init(&with(&["ipnbus"]), facts()), Err(Refusal::Required(names(&["ipnbus"]))));
    assert_eq!(init(&with(&["nosuch"]), facts()), Err(Refusal::UnknownFeature(FeatureName::new("nosuch").unwrap())));
    let Err(Refusal::Findings(findings)) = init(&with(&["c2n"]), facts()) else { panic!("c2n can be omitted") };
    assert!(findings.iter().any(|finding| finding.code == Code::OpenDependency));
    let unknown = Request { release: "1.2.3".parse().unwrap(), ..with(&[]) };
    assert_eq!(init(&unknown, facts()), Err(Refusal::UnknownLine));
}

#[test]
fn a_platform_that_execpack_does_not_support_is_packed_by_upx_or_not_at_all() {
    let platforms = ["linux/mipsle/hardfloat", "linux/mipsle/softfloat", "linux/mips/softfloat", "linux/amd64/v3"];
    let platforms = platforms.iter().map(|name| (Platform::find(name).unwrap(), Some(3_390_000))).collect();
    let initial = init(&Request { platforms, ..request("openwrt", &["client"], "1.104.5") }, facts()).unwrap();
    let targets = policy(&initial).targets;
    assert_eq!(targets.keys().collect::<Vec<_>>(), ["amd64v3", "mips", "mipsle", "mipsle-hardfloat"]);
    assert_eq!(targets["mipsle-hardfloat"].build.pack, Pack::None);
    assert_eq!(targets["mips"].build.pack, Pack::Upx);
    assert_eq!(targets["mipsle"].build.pack, Pack::Execpack);
    assert!(targets.values().all(|target| target.budget == Some(3_390_000)));
}

#[test]
fn a_platform_is_found_or_its_name_is_corrected() {
    assert_eq!(Platform::named("linux/arm64").unwrap().goarch, "arm64");
    assert_eq!(Platform::named("linux/arm").unwrap_err(), ["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"]);
    assert_eq!(Platform::named("linux/arm46").unwrap_err(), ["linux/arm64"]);
    assert_eq!(Platform::named("plan9").unwrap_err().len(), PLATFORMS.len());
}
