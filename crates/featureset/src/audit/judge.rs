//! What is to be said of a list on a release: its tags, its dependencies, the hazards, and how it is built.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::tag::near;
use super::{Asked, Evaluated, List, Meaning, Program, Word, meaning};
use crate::facts::{Facts, Known};
use crate::hazard::{Atom, Effect, Hazard};
use crate::limits::SUGGESTIONS;
use crate::name::{FeatureName, INCLUDE_CLI};
use crate::platform::PLATFORMS;
use crate::policy::{Device, Places, Policy, Reading, Target, Verdict};
use crate::registry::Registry;
use crate::release::Release;
use crate::rules::{self, Applying};
use diagnostics::{Code, Diagnostic, Label, Location, NextStep, Severity, Span};

/// A list on a release, and what is known beside it.
pub(super) struct Subject<'a> {
    pub(super) list: &'a List,
    pub(super) asked: &'a Asked,
    pub(super) facts: &'a Facts,
    pub(super) registry: &'a Registry,
    pub(super) release: Release,
    pub(super) evaluated: &'a Evaluated,
    pub(super) kept: &'a BTreeSet<FeatureName>,
    pub(super) omitted: &'a BTreeSet<FeatureName>,
}

impl Subject<'_> {
    /// What each tag is worth.
    pub(super) fn tags(&self) -> Vec<Diagnostic> {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let mut suggestions = SUGGESTIONS;
        let mut findings = Vec::new();
        for word in &self.evaluated.tags {
            // What a program prints and what is written beside it may well overlap.
            match seen.insert(&word.text, word.span) {
                Some(first) if first != word.span => {
                    let mut finding = Diagnostic::new(
                        Code::RepeatedTag,
                        format!("`{}` stands twice", word.text),
                        "Delete one of the two.",
                    )
                    .at(Label::new(word.span, "again"));
                    finding.related.push(Label::new(first, "first here"));
                    findings.push(finding);
                }
                Some(_) => {}
                None => findings.extend(self.tag(word, &mut suggestions)),
            }
        }
        findings
    }

    /// The finding about one tag, if there is one. Searches for the nearest known tag as long as there are `suggestions` left.
    fn tag(&self, word: &Word, suggestions: &mut usize) -> Option<Diagnostic> {
        let (tag, line) = (&word.text, self.registry.line);
        let found = |code: Code, message: String, label: &str, next: NextStep| {
            Some(Diagnostic::new(code, message, next).at(Label::new(word.span, label)))
        };
        match meaning(tag, self.registry, self.facts) {
            Meaning::OmitsCli => found(
                Code::OmittedCli,
                "`ts_omit_cli` does nothing".to_owned(),
                "read by nothing",
                format!("Delete it; without `{INCLUDE_CLI}` the command line is not in the daemon.").into(),
            ),
            Meaning::Absent { feature, since, removed } if since > line => found(
                Code::AbsentTag,
                format!("`{tag}` does nothing: `{feature}` came with {since}, this is {line}"),
                "read by nothing",
                removed.map_or_else(|| "Delete it until the release moves.", |_| "Delete it.").into(),
            ),
            Meaning::Absent { feature, removed, .. } => found(
                Code::AbsentTag,
                format!(
                    "`{tag}` does nothing: `{feature}` was removed{}",
                    removed.map(|line| format!(" in {line}")).unwrap_or_default()
                ),
                "read by nothing",
                "Delete it.".into(),
            ),
            Meaning::Unknown => {
                let near = (*suggestions > 0).then(|| near(tag, self.registry)).flatten();
                *suggestions = suggestions.saturating_sub(1);
                found(
                    Code::MisspelledTag,
                    format!("`{tag}` does nothing: {line} has no such tag"),
                    "read by nothing",
                    near.map_or_else(
                        || NextStep::new("Delete it; ").command("list").text(" shows every feature."),
                        |near| format!("Did you mean `{near}`?").into(),
                    ),
                )
            }
            Meaning::Positive(name) => self.positive(word, &name),
            Meaning::Breaking(next) => {
                found(Code::BreakingTag, format!("`{tag}` breaks the binary"), "breaks it", next.into())
            }
            Meaning::Omits(_) | Meaning::IncludesCli | Meaning::Undeclared | Meaning::Own | Meaning::Foreign => None,
        }
    }

    /// A feature's name as a tag: it matters where the feature is out.
    fn positive(&self, word: &Word, name: &FeatureName) -> Option<Diagnostic> {
        if self.evaluated.fails {
            return None;
        }
        let out = self.omitted.contains(name);
        let message =
            format!("`{name}` as a tag does nothing: the feature is {} all the same", if out { "out" } else { "in" });
        let next = match (out, name.is_omittable()) {
            (true, true) => format!("To keep it, delete `{}`; this tag can go.", name.build_tag()),
            (true, false) => format!("Write `{INCLUDE_CLI}`."),
            (false, _) => "Delete it.".to_owned(),
        };
        let mut finding =
            Diagnostic::new(Code::PositiveTag, message, next).at(Label::new(word.span, "read by nothing"));
        if out {
            finding.severity = Severity::Error;
        }
        Some(finding)
    }

    /// Tags that are about no feature.
    pub(super) fn other_tags(&self) -> BTreeSet<String> {
        let other = |word: &&Word| {
            matches!(
                meaning(&word.text, self.registry, self.facts),
                Meaning::Own | Meaning::Foreign | Meaning::Undeclared
            )
        };
        self.evaluated.tags.iter().filter(other).map(|word| word.text.clone()).collect()
    }

    /// Kept features that lack what upstream declares them to need.
    pub(super) fn dependencies(&self) -> Vec<Diagnostic> {
        let open = open_needs(self.registry, self.kept);
        open.into_iter()
            .map(|(name, need)| {
                let message = format!("`{name}` is kept but needs `{need}`, which is omitted");
                let next = format!("Keep `{need}`, or omit `{name}`.");
                Diagnostic::new(Code::OpenDependency, message, next).at(self.place(&need, "omitted here"))
            })
            .collect()
    }

    /// The hazards that apply, or may. Says for each fact of the device which of them depend on it.
    pub(super) fn hazards(&self, depends_on: &mut BTreeMap<String, BTreeSet<String>>) -> Vec<Diagnostic> {
        let reading = reading(self.release, self.kept, self.omitted, self.asked, self.list.goarch.as_deref());
        let processors = reading.policy.iter().map(|policy| policy.targets.len()).sum();
        let all = rules::hazards("", &reading, self.facts);
        let told = all.iter().filter(|one| concerns(self.list.program, one.hazard));
        told.map(|one| {
            if one.targets.is_empty() {
                for fact in &one.unstated {
                    depends_on.entry(fact.clone()).or_default().insert(one.hazard.id.clone());
                }
            }
            self.hazard(one, processors)
        })
        .collect()
    }

    fn hazard(&self, one: &Applying<'_>, processors: usize) -> Diagnostic {
        let Hazard { id, record, .. } = one.hazard;
        let accepted = self.asked.accepted.contains(id) && record.effect.can_be_accepted();
        let somewhere = one.targets.is_empty() || one.targets.len() < processors;
        let severity = match (accepted || one.hazard.is_note(), somewhere) {
            (true, _) => Severity::Note,
            (false, true) => Severity::Warning,
            (false, false) => Severity::Error,
        };
        let facts: Vec<String> = one.unstated.iter().map(|fact| format!("`{fact}`")).collect();
        let facts = facts.join(" and ");
        let condition = if one.targets.is_empty() {
            format!(", depending on the device: {facts}")
        } else if one.targets.len() < processors {
            format!(", on {}", one.targets.iter().cloned().collect::<Vec<_>>().join(", "))
        } else {
            String::new()
        };
        let mut ways = vec![rules::hazard::remedy(one.hazard, Some(self.registry), |name| self.kept.contains(name))];
        if one.targets.is_empty() {
            ways.push("say where it runs with `--device`".to_owned());
        }
        if record.effect.can_be_accepted() && severity != Severity::Note {
            ways.push(format!("live with it: `--accept {id}`"));
        }
        let atoms = record.when.atoms();
        let omitted = atoms.iter().find_map(|atom| match atom {
            Atom::Omit(name) if self.omitted.contains(name) => Some(name),
            _ => None,
        });
        let place = omitted.map_or_else(
            || Label::new(self.list.place, "in this list"),
            |name| self.place(name, &format!("`{name}` is omitted")),
        );
        Diagnostic {
            code: Code::Hazard(id.clone()),
            severity,
            message: format!("{}{condition}{}", record.title, if accepted { ", which is accepted" } else { "" }),
            location: Location::Text(place),
            related: Vec::new(),
            why: rules::hazard::why(Some(self.release), one.hazard),
            next: format!("{}.", ways.join(", or ")).into(),
            edit: None,
        }
    }

    /// What the release, the toolchain, the stamp and the kind of program say.
    pub(super) fn build(&self) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        let mut say = |code: Code, message: String, label: &str, next: NextStep| {
            findings.push(Diagnostic::new(code, message, next).at(Label::new(self.list.place, label)));
        };
        let release = self.release;
        if matches!(self.facts.known(release), Known::Line(_)) {
            let message =
                format!("Tailscale {release} was not read; the features of {} are taken to hold", release.line());
            say(
                Code::UnknownRelease,
                message,
                "judged by its line",
                NextStep::new("Run ").command(format!("registry {release}")).text(" to read it."),
            );
        }
        // Of a release that no one stated nothing follows.
        let stated = self.asked.release.is_some() || self.list.release.is_some();
        let needed = self.registry.releases.range(..=release).next_back().map(|(_, requirement)| requirement.go);
        if let Some((go, needed)) = self.list.go.zip(needed).filter(|(go, needed)| stated && go < needed) {
            let message = format!("Go {go} is older than {needed}, which Tailscale {release} needs");
            say(Code::GoTooOld, message, "built with it", "Build it with a later Go.".into());
        }
        match &self.list.stamp {
            Some(stamp) if stamp.contains("ERR-BuildInfo") || stamp.contains("-dev") || stamp.is_empty() => {
                let message = "the binary does not know its version".to_owned();
                let next =
                    "Set `version.shortStamp` and `version.longStamp` of `tailscale.com/version` with `-ldflags -X`.";
                say(Code::NoVersionStamp, message, "no stamp", next.into());
            }
            _ => {}
        }
        match self.list.program {
            Program::Daemon => {}
            Program::CommandLine => {
                let next = "Audit the daemon's list too.";
                say(
                    Code::OtherProgram,
                    "this list builds the command line alone".to_owned(),
                    "not the daemon",
                    next.into(),
                );
            }
            Program::Library => {
                let message = "this list builds another program with Tailscale inside".to_owned();
                say(Code::OtherProgram, message, "not the daemon", "Try what it uses of Tailscale.".into());
            }
        }
        findings
    }

    /// Where a feature is omitted: its tag, or the whole list.
    fn place(&self, name: &FeatureName, label: &str) -> Label {
        let tag = name.build_tag();
        let word = self.evaluated.tags.iter().find(|word| name.is_omittable() && word.text == tag);
        Label::new(word.map_or(self.list.place, |word| word.span), label)
    }
}

/// Whether a hazard is about what a list builds.
pub(super) fn concerns(program: Program, hazard: &Hazard) -> bool {
    program == Program::Daemon || hazard.record.effect == Effect::DoesNotCompile
}

/// Kept features and what each lacks of its declared needs.
pub(super) fn open_needs(registry: &Registry, kept: &BTreeSet<FeatureName>) -> BTreeSet<(FeatureName, FeatureName)> {
    let needs = kept.iter().flat_map(|name| registry.requires(name).into_iter().map(move |need| (name.clone(), need)));
    needs.filter(|(_, need)| !kept.contains(need)).collect()
}

/// The selection as a policy that was read, without a place and without reasons, by which the hazards are judged. It has a
/// target for each processor that it may be built for.
pub(super) fn reading(
    release: Release,
    kept: &BTreeSet<FeatureName>,
    omitted: &BTreeSet<FeatureName>,
    asked: &Asked,
    goarch: Option<&str>,
) -> Reading {
    let platforms = PLATFORMS.iter().filter(|platform| goarch.is_none_or(|goarch| goarch == platform.goarch));
    let target = |platform| Target { platform, budget: None, build: crate::policy::Build::default() };
    let mut policy = Policy {
        tailscale: Some(release),
        device: Device { profile: None, facts: asked.device.clone() },
        targets: platforms.map(|platform| (platform.goarch.to_owned(), target(platform))).collect(),
        ..Policy::default()
    };
    kept.iter().for_each(|name| policy.suppose(name.clone(), Verdict::Keep));
    omitted.iter().for_each(|name| policy.suppose(name.clone(), Verdict::Omit));
    Reading { policy: Some(policy), places: Places::default(), findings: Vec::new() }
}
