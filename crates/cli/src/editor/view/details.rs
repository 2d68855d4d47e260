//! The details of the feature of the cursor.

use std::collections::BTreeSet;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::judgement::{HazardState, effective};
use super::super::model::Model;
use super::list::rank_style;
use super::text::{hanging, wrapped};
use super::theme::Theme;
use crate::escape;
use diagnostics::Severity;
use featureset::cost::{estimate, format_difference};
use featureset::name::FeatureName;
use featureset::policy::Policy;

/// Returns the details, the most important first.
pub(super) fn lines(model: &Model, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let (Some(name), Some(policy)) = (model.selected(), model.policy()) else { return Vec::new() };
    let mut lines = decision(model, name, theme, width);
    let hazards = model.judgement().hazards_of(name, model.target());
    let is_hazard = |code: &str| hazards.iter().any(|hazard| hazard.id == code);
    let findings = model.judgement().findings.iter().filter(|finding| finding.features.contains(name));
    for finding in findings.filter(|finding| !is_hazard(&finding.code)) {
        let style = if finding.severity == Severity::Error { theme.bad() } else { theme.caution() };
        let text = format!("{}[{}]: {}", finding.severity.word(), finding.code, finding.message);
        lines.extend(hanging(&text, width, style));
    }
    for hazard in hazards {
        lines.extend(hazard_lines(hazard, theme, width));
    }
    lines.extend(others(model, policy, name, theme, width));
    if let Some(words) = model.sources().descriptions.as_ref().and_then(|known| known.get(name)) {
        lines.push(Line::styled(" upstream's description", theme.title()));
        lines.extend(wrapped(&format!("“{words}”"), width, 3, Style::new()));
    }
    lines.extend(sizes(policy, name, theme, width));
    lines.push(Line::from(vec![Span::styled(" build tag ", theme.title()), Span::raw(name.build_tag())]));
    lines
}

/// Returns the decision and its reason.
fn decision(model: &Model, name: &FeatureName, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let decision = model.decision(name);
    let word = decision.map_or("undecided", |decision| decision.verdict.participle());
    let filed = model.edited().and_then(|edited| edited.filed(model.target(), name));
    let change = match filed {
        _ if !model.is_unsaved(name) => String::new(),
        Some(filed) => format!(", {} in the file", filed.verdict.participle()),
        None => ", undecided in the file".to_owned(),
    };
    let mut lines = vec![Line::from(vec![
        Span::styled(format!(" {name}"), theme.title()),
        Span::raw(format!(" is {word}{change}")),
    ])];
    match decision.map(|decision| decision.reason.as_str()) {
        Some("") => lines.push(Line::styled("   No reason is written: r writes one.", theme.caution())),
        Some(reason) => lines.extend(wrapped(reason, width, 3, Style::new())),
        None => lines.push(Line::styled("   y keeps it, n omits it.", theme.caution())),
    }
    let refs = decision.map(|decision| decision.refs.join(", ")).filter(|refs| !refs.is_empty());
    lines.extend(refs.into_iter().flat_map(|refs| wrapped(&format!("See {refs}."), width, 3, theme.muted())));
    lines
}

/// Returns a hazard in a few lines.
pub(super) fn hazard_lines(hazard: &HazardState, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let facts: Vec<String> = hazard.unstated.iter().map(|fact| format!("device.{fact}")).collect();
    let depends = if facts.is_empty() { String::new() } else { format!(", depending on {}", facts.join(" and ")) };
    let word = hazard.rank.word();
    let text =
        format!("{} {}: {}{depends} ({word}, {})", hazard.rank.sign(), hazard.id, hazard.title, hazard.effect.word());
    hanging(&text, width, rank_style(hazard.rank, theme))
}

/// Returns the dependencies in both directions, and the targets that decide otherwise.
fn others(model: &Model, policy: &Policy, name: &FeatureName, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut list = |title: &str, text: String| {
        lines.extend(hanging(&format!("{title} {text}"), width, Style::new()));
    };
    let own = effective(policy, model.target());
    let describe = |names: BTreeSet<FeatureName>| {
        let describe = |other: &FeatureName| {
            let decision = own.decision(other).map_or("undecided", |decision| decision.verdict.participle());
            format!("{other} ({decision})")
        };
        names.iter().filter(|other| *other != name).map(describe).collect::<Vec<_>>().join(", ")
    };
    if let Some(registry) = model.sources().registry(policy) {
        let (needs, users) = (describe(registry.requires(name)), describe(registry.required_by(name)));
        list("needs", if needs.is_empty() { "nothing".to_owned() } else { needs });
        list("needed by", if users.is_empty() { "nothing".to_owned() } else { users });
    }
    let overriding = policy.targets.iter().filter_map(|(target, own)| Some((target, own.features.get(name)?)));
    for (target, decision) in overriding {
        list(&format!("on {target}:"), format!("{}. {}", decision.verdict.participle(), decision.reason));
    }
    if let Some((revision, base)) = &model.sources().base {
        let then = effective(base, model.target()).decision(name);
        if then.map(|then| then.verdict) != own.decision(name).map(|now| now.verdict) {
            let word = then.map_or("undecided", |then| then.verdict.participle());
            let reason = then.map(|then| then.reason.clone()).unwrap_or_default();
            list(&format!("at {revision}:"), format!("{word}. {reason}"));
        }
    }
    if lines.is_empty() { vec![Line::styled(" no release, no dependencies", theme.muted())] } else { lines }
}

/// Returns the size of the feature on every target.
fn sizes(policy: &Policy, name: &FeatureName, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let size = |(target, settings): (&String, &featureset::policy::Target)| {
        let size = estimate::feature(settings.platform, &settings.build, name)?;
        Some(format!("{} {}", escape::line(target), format_difference(size)))
    };
    let sizes: Vec<String> = policy.targets.iter().filter_map(size).collect();
    if sizes.is_empty() {
        return vec![Line::styled(" its size was not measured", theme.muted())];
    }
    hanging(&format!("size with what it needs: {}", sizes.join(", ")), width, Style::new())
}
