//! What is to be said of a list on a release: its tags, its dependencies, the hazards, and how it is built.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tagscan::{Fact, Program, Word};

use super::asked::Asked;
use super::list::{Evaluated, List};
use super::tag::{Meaning, meaning, near};
use crate::hazard::applying::{Applying, applying};
use crate::hazard::{Atom, BuildFacts, Circumstances, Effect, Hazard, Packed, Reasons};
use crate::limits::SUGGESTIONS;
use crate::name::{FeatureName, INCLUDE_CLI};
use crate::platform::{PLATFORMS, Platform};
use crate::registry::Registry;
use crate::release::Release;
use crate::rules;
use crate::upstream_data::{RegistryMatch, UpstreamData};
use diagnostics::{Code, Diagnostic, Label, Location, NextStep, Severity, Span};

/// A list on a release, and the known circumstances.
pub(super) struct Subject<'a> {
    pub(super) list: &'a List,
    pub(super) asked: &'a Asked,
    pub(super) facts: &'a UpstreamData,
    pub(super) registry: &'a Registry,
    pub(super) release: Release,
    pub(super) evaluated: &'a Evaluated,
    pub(super) kept: &'a BTreeSet<FeatureName>,
    pub(super) omitted: &'a BTreeSet<FeatureName>,
}

impl Subject<'_> {
    /// The meaning of each tag.
    pub(super) fn tags(&self) -> Vec<Diagnostic> {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let mut suggestions = SUGGESTIONS;
        let mut findings = Vec::new();
        for word in &self.evaluated.tags {
            // The output of a program may overlap with the text around it.
            match seen.insert(&word.text, word.span) {
                Some(first) if first != word.span => {
                    let mut finding = Diagnostic::new(
                        Code::RepeatedTag,
                        format!("`{}` is listed twice", word.text),
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
            Meaning::Absent { feature, since, removed } => {
                let (said, several, until) = match removed {
                    _ if since > line => (
                        format!("`{feature}` came with {since}, this is {line}"),
                        format!("their features came with {since}, this is {line}"),
                        if removed.is_none() { " until the release moves" } else { "" },
                    ),
                    Some(removed) => (
                        format!("`{feature}` was removed in {removed}"),
                        format!("their features were removed in {removed}"),
                        "",
                    ),
                    None => (format!("`{feature}` was removed"), "their features were removed".to_owned(), ""),
                };
                let message = format!("`{tag}` does nothing: {said}");
                found(Code::AbsentTag, message, "read by nothing", format!("Delete it{until}.").into()).map(|finding| {
                    finding.grouped(tag, format!("tags do nothing: {several}"), format!("Delete them{until}."))
                })
            }
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
            .filter(|(_, need)| self.omitted.contains(need))
            .map(|(name, need)| {
                let message = format!("`{name}` is kept but needs `{need}`, which is omitted");
                let next = format!("Keep `{need}`, or omit `{name}`.");
                let mut finding =
                    Diagnostic::new(Code::OpenDependency, message, next).at(self.place(&need, "omitted here")).grouped(
                        name.as_str(),
                        format!("kept features need `{need}`, which is omitted"),
                        format!("Keep `{need}`, or omit all of them."),
                    );
                // A kept feature is certain only if the whole list is known.
                if !self.evaluated.complete {
                    finding.severity = Severity::Warning;
                }
                finding
            })
            .collect()
    }

    /// The hazards that apply, or may. Says for each fact of the device which of them depend on it.
    pub(super) fn hazards(&self, depends_on: &mut BTreeMap<String, BTreeSet<String>>) -> Vec<Diagnostic> {
        let all = self.applying(self.release, self.kept, self.omitted);
        let processors = self.goarchs().len();
        let told = all.iter().filter(|one| self.concerns(one));
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

    /// Returns the hazards that apply to a selection on the processors that the list may be built for, or may apply.
    pub(super) fn applying(
        &self,
        release: Release,
        kept: &BTreeSet<FeatureName>,
        omitted: &BTreeSet<FeatureName>,
    ) -> Vec<Applying<'_>> {
        let exact = self.list.facts(Fact::Upx).find_map(|word| word.text.trim_start_matches('v').parse().ok());
        let go = self.list.go.or_else(|| self.list.facts(Fact::Go).find_map(|word| word.text.parse().ok()));
        let upx = if self.list.is_packed() { Packed::Upx(exact) } else { Packed::No };
        let on = |platform: &'static Platform| {
            let (device, goarch) = (&self.asked.device, platform.goarch);
            let build = BuildFacts { go, platform: Some(platform), program: self.list.program, upx };
            (goarch, Circumstances { release, kept, omitted, device, os: "linux", goarch, build })
        };
        applying(self.facts.hazards(), &self.platforms().into_iter().map(on).collect::<Vec<_>>())
    }

    /// Returns the processors that the list may be built for, as Go names them.
    pub(super) fn goarchs(&self) -> BTreeSet<&'static str> {
        self.platforms().into_iter().map(|platform| platform.goarch).collect()
    }

    fn hazard(&self, one: &Applying<'_>, processors: usize) -> Diagnostic {
        let Hazard { id, record, .. } = one.hazard;
        let accepted = self.asked.accepted.contains(id) && record.effect.can_be_accepted();
        let somewhere = one.targets.is_empty() || one.targets.len() < processors;
        let severity = if accepted {
            Severity::Note
        } else {
            let reasons = if self.is_reasoned(one.hazard) { Reasons::Given } else { Reasons::Missing };
            one.hazard.severity(!somewhere && self.is_certain(one.hazard), reasons)
        };
        let facts: Vec<String> = one.unstated.iter().map(|fact| format!("`{fact}`")).collect();
        let facts = facts.join(" and ");
        let condition = if one.targets.is_empty() {
            format!(", depending on the device: {facts}")
        } else if one.targets.len() < processors {
            format!(", on {}", one.targets.iter().cloned().collect::<Vec<_>>().join(", "))
        } else {
            record.supposes.as_ref().map(|fact| format!(", if {fact}")).unwrap_or_default()
        };
        let keeps = |name: &FeatureName| self.kept.contains(name);
        let mut ways = rules::hazard::changes(one, Some(self.release), Some(self.registry), keeps);
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
            why: rules::hazard::why(Some(self.release), one.hazard).into(),
            next: format!("{}.", rules::hazard::sentence(&ways)).into(),
            effect: Some(record.effect.label()),
            edits: Vec::new(),
            targets: Vec::new(),
            grouping: None,
        }
    }

    /// Findings about the release, the toolchain, the stamp and the kind of program.
    pub(super) fn build(&self) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        let mut say = |code: Code, message: String, label: &str, next: NextStep| {
            findings.push(Diagnostic::new(code, message, next).at(Label::new(self.list.place, label)));
        };
        let release = self.release;
        if matches!(self.facts.known(release), RegistryMatch::Line(_)) {
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
        let stated = self.is_release_stated();
        let needed = self.registry.releases.range(..=release).next_back().map(|(_, requirement)| requirement.go);
        if let Some((go, needed)) = self.list.go.zip(needed).filter(|(go, needed)| stated && go < needed) {
            let message = format!("Go {go} is older than {needed}, which Tailscale {release} needs");
            say(Code::GoTooOld, message, "built with it", "Build it with a later Go.".into());
        }
        let unstamped = match &self.list.stamp {
            Some(stamp) => stamp.contains("ERR-BuildInfo") || stamp.contains("-dev") || stamp.is_empty(),
            None => self.list.program != Program::Library && !self.evaluated.fails && self.list.lacks_stamp(),
        };
        if unstamped {
            let message = "the binary does not know its version".to_owned();
            let next =
                "Set `version.shortStamp` and `version.longStamp` of `tailscale.com/version` with `-ldflags -X`.";
            say(Code::NoVersionStamp, message, "no stamp", next.into());
        }
        let needed_minor = needed.map(|needed| minor(&needed.to_string()));
        for word in self.list.facts(Fact::Go).filter(|word| stated && word.text.matches('.').count() == 1) {
            if needed_minor.is_some_and(|needed| minor(&word.text) < needed) {
                let message = format!("Go {} is older than Tailscale {release} needs", word.text);
                say(Code::GoTooOld, message, "built with it", "Build it with a later Go.".into());
            }
        }
        if let Some(systems) = self.other_systems() {
            let message = format!("this list is built for {systems}; the hazards are known for Linux only");
            say(Code::OtherSystem, message, "not for Linux", "Try what it is to do there.".into());
        }
        let other = match self.list.program {
            Program::Daemon => None,
            Program::CommandLine => Some(("this list builds only the command line", "Audit the daemon's list too.")),
            Program::Library => Some((
                "this list builds another program with Tailscale inside",
                "Try the parts of Tailscale that it uses.",
            )),
        };
        if let Some((message, next)) = other {
            say(Code::OtherProgram, message.to_owned(), "not the daemon", next.into());
        }
        findings
    }

    /// Whether a hazard is about what the list builds.
    ///
    /// A defect of a release or a toolchain is reported only if the text states everything that it depends on. A defect of a
    /// platform may also depend on the device.
    pub(super) fn concerns(&self, applying: &Applying<'_>) -> bool {
        let when = &applying.hazard.record.when;
        let atoms = when.atoms();
        let names_program = atoms.iter().any(|atom| matches!(atom, Atom::Program(_)));
        let is_built = atoms.iter().any(|atom| matches!(atom, Atom::Go(_) | Atom::Upx(_)));
        let is_known = self.list.program == Program::Daemon || names_program || is_built;
        let is_stated = when.is_about_decisions()
            || (applying.is_certain() && self.is_release_stated() && (when.is_always() || self.is_platform_stated()))
            || (!is_built && self.is_platform_stated() && atoms.iter().any(|atom| matches!(atom, Atom::Platform(_))));
        (is_known && is_stated && self.other_systems().is_none())
            || applying.hazard.record.effect == Effect::DoesNotCompile
    }

    fn is_release_stated(&self) -> bool {
        self.asked.release.is_some() || self.list.release.is_some()
    }

    fn is_platform_stated(&self) -> bool {
        self.platforms().len() < PLATFORMS.len()
    }

    /// Whether a hazard does not rest on what an unknown part of the list may change: what it leaves in.
    fn is_certain(&self, hazard: &Hazard) -> bool {
        let rests_on_absence = |atom: &Atom| match atom {
            Atom::Keep(name) => !self.evaluated.keeps.contains(name),
            Atom::Omit(name) => !name.is_omittable(),
            _ => false,
        };
        self.evaluated.complete || !hazard.record.when.atoms().into_iter().any(rests_on_absence)
    }

    /// Whether a policy has a reason for each omission that a hazard rests on.
    fn is_reasoned(&self, hazard: &Hazard) -> bool {
        hazard.record.when.atoms().into_iter().all(|atom| match atom {
            Atom::Omit(name) => self.asked.reasoned.contains(name),
            _ => true,
        })
    }

    /// The systems that the list is built for, if the text says so and Linux is not one of them.
    fn other_systems(&self) -> Option<String> {
        let systems: BTreeSet<&str> = self.list.facts(Fact::Goos).map(|word| word.text.as_str()).collect();
        let others = !systems.is_empty() && !systems.contains("linux") && !systems.contains("");
        others.then(|| systems.into_iter().collect::<Vec<_>>().join(", "))
    }

    /// The platforms that the list may be built for.
    pub(super) fn platforms(&self) -> Vec<&'static Platform> {
        let stated: BTreeSet<&str> = match &self.list.goarch {
            Some(goarch) => BTreeSet::from([goarch.as_str()]),
            None => self.list.facts(Fact::Goarch).map(|word| word.text.as_str()).collect(),
        };
        let known = |name: &&str| PLATFORMS.iter().any(|platform| platform.goarch == *name);
        let is_open = stated.is_empty() || !stated.iter().all(known);
        PLATFORMS
            .iter()
            .filter(|platform| is_open || (stated.contains(platform.goarch) && self.has_float_variant(platform)))
            .collect()
    }

    /// Whether the list may be built for the variant of a MIPS platform. Without GOMIPS, Go builds for `hardfloat`.
    fn has_float_variant(&self, platform: &Platform) -> bool {
        let Some(("GOMIPS", variant)) = platform.level else { return true };
        let mut stated = self.list.facts(Fact::Gomips).map(|word| word.text.as_str()).peekable();
        if stated.peek().is_none() { variant == "hardfloat" } else { stated.any(|stated| stated == variant) }
    }

    /// Where a feature is omitted: its tag, or the whole list.
    fn place(&self, name: &FeatureName, label: &str) -> Label {
        let tag = name.build_tag();
        let word = self.evaluated.tags.iter().find(|word| name.is_omittable() && word.text == tag);
        Label::new(word.map_or(self.list.place, |word| word.span), label)
    }
}

/// Kept features and what each lacks of its declared needs.
pub(super) fn open_needs(registry: &Registry, kept: &BTreeSet<FeatureName>) -> BTreeSet<(FeatureName, FeatureName)> {
    let needs = kept.iter().flat_map(|name| registry.requires(name).into_iter().map(move |need| (name.clone(), need)));
    needs.filter(|(_, need)| !kept.contains(need)).collect()
}

/// The first two numbers of a version of Go.
fn minor(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
