//! A policy made of what was audited: its decisions, without a reason for any of them.
//!
//! The tag line is that of the audited list, byte for byte if every kept feature has the features that it needs. Parts that a
//! policy can't express are reported. The reasons are left to a person; `check` insists on each (docs/decisions/0008-imported-decisions.md).

use std::collections::BTreeSet;

use crate::audit::{Audit, Meaning, meaning, near};
use crate::hazard::{Answer, BuildFacts, Circumstances};
use crate::name::FeatureName;
use crate::platform::PLATFORMS;
use crate::policy::device::PROFILES;
use crate::policy::edit::NOTE;
use crate::policy::{Policy, Verdict};
use crate::registry::Registry;
use crate::rules::refusal;
use crate::upstream_data::UpstreamData;

/// How long the lines of comments are.
const WIDTH: usize = 110;

/// A policy that was made, and what could not go into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The text of the policy.
    pub text: String,
    /// Tags that are not in it, each with the reason.
    pub dropped: Vec<(String, String)>,
    /// Kept features and what each lacks: `check` reports each until it is decided.
    pub open: BTreeSet<(FeatureName, FeatureName)>,
    /// How many reasons are to be written.
    pub reasons: usize,
}

/// The parts of a policy that its decisions do not say.
#[derive(Debug, Clone, Default)]
pub struct Settings<'a> {
    /// The origin of the decisions, for a comment.
    pub source: &'a str,
    /// The processor, if it is known from a binary; else the text may state it.
    pub goarch: Option<&'a str>,
    /// The device profile, if one was named.
    pub device: Option<&'a str>,
    /// A policy whose reasons are taken over for decisions that are the same there.
    pub reasons: Option<&'a Policy>,
}

/// Makes a policy of an audit. `prices` yields the measured costs of a feature, a sentence each.
///
/// Returns `None` for an audit of a list that can't be made, that is not wholly known, or whose release line is unknown.
#[must_use]
pub fn import(
    audit: &Audit,
    settings: &Settings<'_>,
    facts: &UpstreamData,
    prices: impl Fn(&FeatureName) -> Vec<String>,
) -> Option<Import> {
    let registry = facts.registry(audit.release).filter(|_| audit.complete && !audit.fails)?;
    let needed = registry.releases.range(..=audit.release).next_back().or(registry.releases.iter().next())?.1.go;
    let go = audit.go.unwrap_or(needed);
    let (extra, dropped) = others(audit, registry, facts);
    let mut text = format!(
        "# yaml-language-server: $schema=docs/featureset.schema.json\n\
         # Made by `import` from {}. The tags are those of the source, which does not state reasons.\n\
         # Write a reason after every `keep:` and `omit:`: what the decision changes on this device. `check` lists the\n\
         # decisions without one. Lines that begin with `#:` are notes of the program; `decide` and `check --fix` delete\n\
         # them once the reason is written.\n\
         tailscale: {}\ngo: {go}\n\n",
        settings.source, audit.release
    );
    text += &match settings.device {
        Some(device) => format!("device: {{ profile: {device} }}\n"),
        None => {
            let profiles = PROFILES.iter().map(|profile| profile.name).collect::<Vec<_>>().join(", ");
            format!("# Where it runs: `device: {{ profile: … }}`, one of {profiles}.\n")
        }
    };
    if !extra.is_empty() || audit.is_packed {
        text += "\nbuild:\n";
    }
    if audit.is_packed {
        text += "  pack: upx\n";
    }
    if !extra.is_empty() {
        text += "  extra_tags:\n";
        text += &extra.iter().map(|tag| format!("    {tag}:\n")).collect::<String>();
    }
    text += "\ntargets:\n";
    text += &targets(audit, settings.goarch);
    text += "\nfeatures:\n";
    let mut reasons = registry.features.len() + extra.len();
    for name in registry.features.keys() {
        let verdict = if audit.kept.contains(name) { Verdict::Keep } else { Verdict::Omit };
        let word = if verdict == Verdict::Keep { "keep" } else { "omit" };
        // The common decision comes first; a target of that policy may have the one that is needed.
        let known =
            settings.reasons.into_iter().flat_map(Policy::stated_decisions).filter(|stated| stated.name == name);
        let mut known = known.map(|stated| stated.decision);
        if let Some(decision) = known.find(|known| known.verdict == verdict && !known.reason.trim().is_empty()) {
            text += &format!("  {name}:\n    {word}: >-\n");
            text += &wrapped(&decision.reason).iter().map(|line| format!("      {line}\n")).collect::<String>();
            reasons -= 1;
            continue;
        }
        let known = [needs(registry, name), hazards(audit, facts, name), prices(name)].concat();
        let comments: String =
            known.iter().flat_map(|sentence| wrapped(sentence)).map(|line| format!("    {NOTE} {line}\n")).collect();
        text += &format!("  {name}:\n{comments}    {word}:\n");
    }
    let lacks = |name: &FeatureName| {
        let needs = registry.requires(name).into_iter().filter(|need| !audit.kept.contains(need));
        needs.map(|need| (name.clone(), need)).collect::<Vec<_>>()
    };
    let open = audit.kept.iter().flat_map(lacks).collect();
    Some(Import { text, dropped, open, reasons })
}

/// The targets: the platforms that the text states, else one that can be changed.
fn targets(audit: &Audit, goarch: Option<&str>) -> String {
    let stated: BTreeSet<&str> = match goarch {
        Some(goarch) => BTreeSet::from([goarch]),
        None => audit.facts.get("GOARCH").into_iter().flatten().map(String::as_str).collect(),
    };
    let levels: BTreeSet<&str> =
        ["GOARM", "GOMIPS"].iter().filter_map(|name| audit.facts.get(name)).flatten().map(String::as_str).collect();
    let mut lines = String::new();
    for goarch in &stated {
        let of_processor = || PLATFORMS.iter().filter(|platform| platform.goarch == *goarch);
        let stated = of_processor().find(|platform| platform.level.is_some_and(|(_, level)| levels.contains(level)));
        if let Some(platform) = stated.or_else(|| of_processor().next()) {
            lines += &format!("  {goarch}: {{ platform: {} }}\n", platform.name);
        }
    }
    match lines.is_empty() {
        true => "  amd64: { platform: linux/amd64 } # The text does not say which processors it is for.\n".to_owned(),
        false => lines,
    }
}

/// Tags that are about no feature: those that go along, and those that a policy can't carry.
fn others<'a>(audit: &'a Audit, registry: &Registry, facts: &UpstreamData) -> (Vec<&'a str>, Vec<(String, String)>) {
    let (mut extra, mut dropped) = (Vec::new(), Vec::new());
    for tag in &audit.tags {
        let why = match meaning(tag, registry, facts) {
            Meaning::Omits(_) | Meaning::IncludesCli => continue,
            Meaning::Own | Meaning::Foreign => match refusal(tag) {
                None => {
                    extra.push(tag.as_str());
                    continue;
                }
                Some(why) => why.to_owned(),
            },
            Meaning::Undeclared => {
                "the release does not declare what it omits, so a policy can't; the omission is lost".to_owned()
            }
            Meaning::Breaking(next) => format!("it breaks the binary. {next}"),
            Meaning::OmitsCli => "it does nothing: `cli` is left out by not being brought in".to_owned(),
            Meaning::Positive(_) => "it does nothing: it is the name of a feature".to_owned(),
            Meaning::Absent { .. } => format!("it does nothing: {} has no such feature", registry.line),
            Meaning::Unknown => {
                let near = near(tag, registry).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                format!("it does nothing: it is none of Tailscale's{near}")
            }
        };
        dropped.push((tag.clone(), why));
    }
    (extra, dropped)
}

fn needs(registry: &Registry, name: &FeatureName) -> Vec<String> {
    let said = |label: &str, names: BTreeSet<FeatureName>| {
        let others: Vec<String> =
            names.into_iter().filter(|other| other != name).map(|other| other.to_string()).collect();
        (!others.is_empty()).then(|| format!("{label} {}.", others.join(", ")))
    };
    [said("Needs", registry.requires(name)), said("Needed by", registry.required_by(name))]
        .into_iter()
        .flatten()
        .collect()
}

/// The hazards of this release that apply, or may on some device, and that the decision on a feature has to do with.
fn hazards(audit: &Audit, facts: &UpstreamData, name: &FeatureName) -> Vec<String> {
    let circumstances = Circumstances {
        release: audit.release,
        kept: &audit.kept,
        omitted: &audit.omitted,
        device: &std::collections::BTreeMap::new(),
        os: "linux",
        goarch: "",
        build: BuildFacts::default(),
    };
    let about =
        facts.hazards().filter(|hazard| hazard.record.when.atoms().iter().any(|atom| atom.feature() == Some(name)));
    about
        .filter_map(|hazard| {
            let (id, title) = (&hazard.id, &hazard.record.title);
            match hazard.applies(&circumstances) {
                Answer::Yes => Some(format!("Hazard {id}: {title}.")),
                Answer::Depends(facts) => Some(format!(
                    "Hazard {id}, depending on {}: {title}.",
                    facts.into_iter().collect::<Vec<_>>().join(" and ")
                )),
                Answer::No => None,
            }
        })
        .collect()
}

/// A sentence in lines that are not too long; none holds a line break.
pub(crate) fn wrapped(sentence: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in sentence.split_whitespace() {
        let full =
            lines.last().is_some_and(|line| !line.is_empty() && line.chars().count() + word.chars().count() >= WIDTH);
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Asked, List, audit};
    use crate::policy::read;
    use crate::recipe::tag_line;
    use crate::rules::{TagOutput, holds_back_tags, judge};
    use crate::selection::Selection;
    use diagnostics::Severity;
    use proptest::prelude::*;
    use proptest::sample::Index;

    fn imported(tags: &str, on: &str) -> (Audit, Import) {
        let asked = Asked { release: on.parse().ok(), ..Asked::default() };
        let audit = audit(&List::line(tags, "a line"), &asked, UpstreamData::embedded()).unwrap();
        let settings = Settings { source: "a line", ..Settings::default() };
        let import = import(&audit, &settings, UpstreamData::embedded(), |_| Vec::new()).unwrap();
        (audit, import)
    }

    /// The tag line of a policy's text.
    fn line(text: &str) -> String {
        let policy = read(text).policy.unwrap();
        let registry = UpstreamData::embedded().registry(policy.tailscale.unwrap()).unwrap();
        tag_line(&Selection::new(policy.common(), registry), &policy.build).join(",")
    }

    #[test]
    fn a_stub_shows_what_is_known_and_waits_for_its_reason() {
        let (_, import) =
            imported("ts_include_cli,ts_omit_ipnbus,ts_omit_c2n,netgo,ts_omit_lazywg,tailscale_go,dns", "1.102.5");
        let reading = read(&import.text);
        let findings = judge(&import.text, &reading, UpstreamData::embedded());
        let codes: Vec<&str> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| finding.code.as_str())
            .collect();
        assert_eq!(codes.iter().filter(|code| **code == "empty-reason").count(), import.reasons);
        assert!(codes.contains(&"ipnbus-up") && codes.contains(&"open-dependency"));
        let dropped: Vec<&str> = import.dropped.iter().map(|(tag, _)| tag.as_str()).collect();
        assert_eq!(dropped, ["dns", "tailscale_go", "ts_omit_lazywg"]);
        assert!(import.open.iter().any(|(name, need)| name.as_str() == "ssh" && need.as_str() == "c2n"));
        let head: String = import.text.split_inclusive('\n').take(40).collect();
        insta::assert_snapshot!(head);
    }

    #[test]
    fn prices_and_processors_stand_in_it_where_they_are_known() {
        let asked = Asked { release: "1.102.5".parse().ok(), ..Asked::default() };
        let audit = audit(&List::line("", "a line"), &asked, UpstreamData::embedded()).unwrap();
        let price = |name: &FeatureName| {
            if name.as_str() == "ssh" { vec!["Measured on arm64: +1 kB.".to_owned()] } else { Vec::new() }
        };
        let settings = Settings { source: "a line", goarch: Some("arm64"), ..Settings::default() };
        let text = import(&audit, &settings, UpstreamData::embedded(), price).unwrap().text;
        assert!(text.contains("    #: Measured on arm64: +1 kB.\n    keep:\n"), "{text}");
        assert!(text.contains("  arm64: { platform: linux/arm64 }\n"), "{text}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_closed_selection_comes_back_byte_for_byte(picks in prop::collection::vec(any::<Index>(), 0..40), pick in 0_usize..8) {
            let registry = UpstreamData::embedded().registries().nth(pick).unwrap();
            let on = registry.releases.keys().next_back().unwrap().to_string();
            let names: Vec<FeatureName> = registry.features.keys().cloned().collect();
            let closed: BTreeSet<FeatureName> = picks.iter().flat_map(|pick| registry.requires(pick.get(&names))).collect();
            let tags = registry.tags(&closed).join(",");
            let (_, import) = imported(&tags, &on);
            prop_assert_eq!(line(&import.text), tags);
            prop_assert!(import.dropped.is_empty() && import.open.is_empty());
            let reading = read(&import.text);
            prop_assert!(reading.findings.is_empty(), "{:?}", reading.findings);
            let findings = judge(&import.text, &reading, UpstreamData::embedded());
            prop_assert!(!findings.iter().any(holds_back_tags(&reading.places, TagOutput::OfTarget)));
        }

        #[test]
        fn any_other_line_has_the_same_omissions(
            picks in prop::collection::vec(any::<Index>(), 0..40),
            others in prop::collection::vec(prop::sample::select(vec!["netgo", "", " ", "ts_omit_lazywg", "dns", "ts_omit_cli", "ts_kube", "tailscale_go", "a-b"]), 0..6),
        ) {
            let registry = UpstreamData::embedded().registry("1.102.5".parse().unwrap()).unwrap();
            let names: Vec<FeatureName> = registry.features.keys().cloned().collect();
            let tags: Vec<String> = picks.iter().map(|pick| pick.get(&names).build_tag()).chain(others.into_iter().map(str::to_owned)).collect();
            let (audit, import) = imported(&tags.join(","), "1.102.5");
            let policy = read(&import.text).policy.unwrap();
            let selection = Selection::new(policy.common(), registry);
            prop_assert_eq!(&selection.omitted, &audit.omitted);
            prop_assert_eq!(selection.is_closed(), import.open.is_empty());
            let carried: BTreeSet<String> = tag_line(&selection, &policy.build).into_iter().chain(import.dropped.into_iter().map(|(tag, _)| tag)).collect();
            prop_assert_eq!(carried, audit.tags);
        }
    }
}
