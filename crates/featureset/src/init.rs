//! A policy from nothing: every feature decided for a device and its roles, each with a reason.
//!
//! The reasons are data ([`reasons`]). The text depends on the request only, and its head contains the command that writes
//! the same text again.

pub mod reasons;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use diagnostics::{Code, Diagnostic, Severity};

use crate::hazard::Hazard;
use crate::name::FeatureName;
use crate::platform::Platform;
use crate::policy::{Pack, Symbols, Verdict, format_size, read};
use crate::registry::Registry;
use crate::release::{GoVersion, Release};
use crate::rules::judge;
use crate::upstream_data::UpstreamData;
use reasons::{Entry, Lookup};

/// The width of comments.
const WIDTH: usize = 100;

/// The facts from which a policy is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The name of a device in [`reasons::devices`].
    pub device: String,
    /// The names of roles in [`reasons::roles`], at least one.
    pub roles: BTreeSet<String>,
    /// The platforms, each with its budget in bytes if there is one, in the order of the policy.
    pub platforms: Vec<(&'static Platform, Option<u64>)>,
    /// The release.
    pub release: Release,
    /// The Go toolchain; `None` selects the oldest one that can build the release.
    pub go: Option<GoVersion>,
    /// Features that the user omits.
    pub without: BTreeSet<FeatureName>,
}

/// A policy that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initial {
    /// The text.
    pub text: String,
    /// The kept features.
    pub kept: BTreeSet<FeatureName>,
    /// The number of decided features.
    pub decided: usize,
    /// The accepted hazards.
    pub accepted: Vec<String>,
}

/// Why no policy without findings can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The release line is not known.
    UnknownLine,
    /// No reason exists for omitting these features.
    Required(BTreeSet<FeatureName>),
    /// The release has no such feature.
    UnknownFeature(FeatureName),
    /// The decisions would have these findings.
    Findings(Vec<Diagnostic>),
}

impl Request {
    /// The command that writes the policy, without the program's name.
    #[must_use]
    pub fn command(&self) -> String {
        let order = reasons::roles().iter().map(|role| role.name.as_str());
        let roles: Vec<&str> = order.filter(|name| self.roles.contains(*name)).collect();
        let mut command = format!("init --device {} --for {}", self.device, roles.join(","));
        let platform = |(platform, budget): &(&Platform, Option<u64>)| match budget {
            Some(budget) => format!("{platform}={}", exact_size(*budget).replace(' ', "")),
            None => platform.to_string(),
        };
        let platforms: Vec<String> = self.platforms.iter().map(platform).collect();
        let _ = write!(command, " --platform {} --release {}", platforms.join(","), self.release);
        if let Some(go) = self.go {
            let _ = write!(command, " --go {go}");
        }
        if !self.without.is_empty() {
            let names: Vec<&str> = self.without.iter().map(FeatureName::as_str).collect();
            let _ = write!(command, " --without {}", names.join(","));
        }
        command
    }
}

/// Writes a policy.
///
/// The result has no findings except notes, and predictions that a budget is exceeded.
///
/// # Errors
/// A [`Refusal`] if the request can't be met without a finding.
pub fn init(request: &Request, facts: &UpstreamData) -> Result<Initial, Refusal> {
    let registry = facts.registry(request.release).ok_or(Refusal::UnknownLine)?;
    if let Some(unknown) = request.without.iter().find(|name| !registry.features.contains_key(*name)) {
        return Err(Refusal::UnknownFeature(unknown.clone()));
    }
    let lookup =
        Lookup { device: &request.device, roles: &request.roles, release: request.release, without: &request.without };
    let kept = kept(registry, &lookup);
    let required: BTreeSet<FeatureName> =
        request.without.iter().filter(|name| decision(name, &lookup, &kept).is_none()).cloned().collect();
    if !required.is_empty() {
        return Err(Refusal::Required(required));
    }
    let draft = text(request, registry, &kept, &BTreeMap::new());
    let accepted = acceptances(&draft, &lookup, &kept, facts);
    let text = text(request, registry, &kept, &accepted);
    let findings = findings(&text, facts);
    if !findings.is_empty() {
        return Err(Refusal::Findings(findings));
    }
    let accepted = accepted.into_keys().collect();
    Ok(Initial { text, kept, decided: registry.features.len(), accepted })
}

/// The kept features: those with an entry that keeps them and whose conditions are met. The conditions can name other kept
/// features, so this is repeated until nothing changes; keeping one never removes another.
fn kept(registry: &Registry, lookup: &Lookup<'_>) -> BTreeSet<FeatureName> {
    let mut kept = BTreeSet::new();
    loop {
        let is_new = |name: &&FeatureName| {
            !kept.contains(*name) && decision(name, lookup, &kept).is_some_and(|entry| entry.verdict() == Verdict::Keep)
        };
        let new: Vec<FeatureName> = registry.features.keys().filter(is_new).cloned().collect();
        if new.is_empty() {
            return kept;
        }
        kept.extend(new);
    }
}

/// The entry that decides a feature: the first one that matches.
fn decision(name: &FeatureName, lookup: &Lookup<'_>, kept: &BTreeSet<FeatureName>) -> Option<&'static Entry> {
    let allowed = |entry: &&Entry| entry.verdict() == Verdict::Omit || !lookup.without.contains(name);
    reasons::reasons().get(name)?.iter().filter(allowed).find(|entry| entry.matches(lookup, kept))
}

/// The acceptances of the hazards that the text has, as far as there is a reason for them.
fn acceptances(
    text: &str,
    lookup: &Lookup<'_>,
    kept: &BTreeSet<FeatureName>,
    facts: &UpstreamData,
) -> BTreeMap<String, &'static Entry> {
    let hazards = findings(text, facts).into_iter().filter_map(|finding| match finding.code {
        Code::Hazard(id) => facts.hazard(&id),
        _ => None,
    });
    let acceptable = hazards.filter(|hazard: &&Hazard| hazard.record.effect.can_be_accepted());
    let reason = |hazard: &Hazard| {
        let entry = reasons::acceptances().get(&hazard.id)?.iter().find(|entry| entry.matches(lookup, kept))?;
        Some((hazard.id.clone(), entry))
    };
    acceptable.filter_map(reason).collect()
}

/// The findings of a policy except notes, and predictions: a budget is the user's.
fn findings(text: &str, facts: &UpstreamData) -> Vec<Diagnostic> {
    let mut findings = judge(text, &read(text), facts);
    findings.retain(|finding| finding.severity != Severity::Note && finding.code != Code::BudgetPredicted);
    findings
}

fn text(
    request: &Request,
    registry: &Registry,
    kept: &BTreeSet<FeatureName>,
    accepted: &BTreeMap<String, &Entry>,
) -> String {
    let Some(device) = reasons::devices().get(&request.device) else { return String::new() };
    let lookup =
        Lookup { device: &request.device, roles: &request.roles, release: request.release, without: &request.without };
    let mut text = head(request, device);
    let releases = &registry.releases;
    let requirement = releases.range(..=request.release).next_back().or(releases.iter().next());
    let go = request.go.or(requirement.map(|(_, requirement)| requirement.go));
    let _ = writeln!(text, "tailscale: {}", request.release);
    let _ = go.map(|go| writeln!(text, "go: {go}"));
    let settings = settings(request, device);
    let _ = write!(text, "\n{settings}\ntargets:\n");
    text += &targets(request, &settings);
    if !accepted.is_empty() {
        text += "\naccepted:\n";
        for (id, entry) in accepted {
            let reason = entry.reason.as_deref().unwrap_or_default();
            let _ = write!(text, "  {id}: >-\n{}", sentences(reason, &device.machine, 4));
        }
    }
    text += "\nfeatures:\n";
    for name in registry.features.keys() {
        let Some(entry) = decision(name, &lookup, kept) else { continue };
        let reason = sentences(&entry.decision_reason(name), &device.machine, 6);
        let _ = write!(text, "  {name}:\n    {}: >-\n{reason}", entry.verdict().word());
        if !entry.refs.is_empty() {
            let _ = writeln!(text, "    refs: [{}]", entry.refs.join(", "));
        }
    }
    text
}

/// The settings of the device. A platform for MIPS with a floating-point unit was asked for, so the device has one.
fn settings(request: &Request, device: &reasons::Device) -> String {
    let needs_fpu = request
        .platforms
        .iter()
        .any(|(platform, _)| matches!(platform.goarch, "mips" | "mipsle") && platform.name.ends_with("/hardfloat"));
    let profile = format!("  profile: {}\n", request.device);
    let stated = if needs_fpu { format!("{profile}  fpu: present\n") } else { profile.clone() };
    device.settings.replacen(&profile, &stated, 1)
}

/// The comments at the top: the command, the device and its roles.
fn head(request: &Request, device: &reasons::Device) -> String {
    let roles: Vec<&str> = reasons::roles()
        .iter()
        .filter(|role| request.roles.contains(&role.name))
        .map(|role| role.description.as_str())
        .collect();
    let roles = match roles.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, first)) => format!("{}, and {last}", first.join(", ")),
        None => String::new(),
    };
    let device = format!("The policy of one kind of device: {}. The node {roles}.", device.description);
    let about = "Every feature of the pinned release is decided here, with the reason. `explain NAME` adds upstream's \
                 description and the dependencies of a feature; `check` judges the whole policy.";
    format!(
        "# yaml-language-server: $schema=docs/featureset.schema.json\n#\n# tailscale-featureset {}\n#\n{}#\n{}",
        request.command(),
        comment(&device),
        comment(about)
    )
}

/// One line per platform.
fn targets(request: &Request, settings: &str) -> String {
    let build = read(settings).policy.map(|policy| policy.build).unwrap_or_default();
    let lines: BTreeMap<String, String> = request
        .platforms
        .iter()
        .map(|(platform, budget)| {
            let budget = budget.map(|budget| format!(", budget: {}", exact_size(budget))).unwrap_or_default();
            let own = if build.pack == Pack::None { Pack::None } else { Pack::default_for(platform) };
            let pack = (own != build.pack).then(|| format!("pack: {own}"));
            let symbols = build.symbols.refusal(platform).map(|_| format!("symbols: {}", Symbols::All));
            let settings: Vec<String> = pack.into_iter().chain(symbols).collect();
            let own = match settings.as_slice() {
                [] => String::new(),
                settings => format!(", build: {{ {} }}", settings.join(", ")),
            };
            let name = target_name(platform);
            let line = format!("  {name}: {{ platform: {platform}{budget}{own} }}\n");
            (name, line)
        })
        .collect();
    lines.into_values().collect()
}

/// The name of the target for a platform: its architecture, and the variant unless it is the usual one.
#[must_use]
pub fn target_name(platform: &Platform) -> String {
    const USUAL: [&str; 2] = ["v7", "softfloat"];
    let goarch = platform.goarch;
    match platform.name.split('/').nth(2) {
        Some(variant) if USUAL.contains(&variant) && goarch != "386" => goarch.to_owned(),
        Some(variant) if variant.starts_with('v') => format!("{goarch}{variant}"),
        Some(variant) => format!("{goarch}-{variant}"),
        None => goarch.to_owned(),
    }
}

/// A size that is read back as the same number of bytes.
fn exact_size(bytes: u64) -> String {
    if bytes >= 1_000_000 && bytes.is_multiple_of(10_000) { format_size(bytes) } else { format!("{bytes} B") }
}

/// The sentences of a reason, one per line.
fn sentences(reason: &str, machine: &str, indent: usize) -> String {
    let reason = reason.replace("{machine}", machine);
    reason.lines().map(|line| format!("{:indent$}{line}\n", "")).collect()
}

/// A text as the lines of a comment.
fn comment(text: &str) -> String {
    let (mut comment, mut line) = (String::new(), String::from("#"));
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            comment += &line;
            comment.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line += word;
    }
    comment + &line + "\n"
}

#[cfg(test)]
mod tests;
