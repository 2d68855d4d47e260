//! `memory-predicted`: measured runs predict that the stated memory does not suffice under load.

use super::context::Subject;
use crate::memory::{MemoryFigures, Need, need_of};
use crate::policy::{EffectivePolicy, Pack, format_size};
use diagnostics::{Code, Diagnostic, Label, NextStep};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    subject.each_target(|target| finding(subject, target).into_iter().collect())
}

fn finding(subject: &Subject<'_>, target: EffectivePolicy<'_>) -> Option<Diagnostic> {
    let (memory, need) = need_of(target).filter(|(memory, need)| !need.suffices(*memory))?;
    let is_packed = target.build().pack != Pack::None;
    let own = target.name().map(|name| subject.places.value(&["targets", name, "device", "memory"]));
    let span = own.filter(|span| span.end > 0).unwrap_or_else(|| subject.places.value(&["device", "memory"]));
    let message = format!("{} of memory are predicted to be too few under load", format_size(memory));
    let finding = Diagnostic::new(Code::MemoryPredicted, message, next(need, is_packed, memory));
    Some(finding.at(Label::new(span, "the memory")).because(why(need, is_packed)))
}

/// Describes the measured runs.
fn why(need: Need<'_>, is_packed: bool) -> String {
    let packed = if is_packed { "packed" } else { "unpacked" };
    let basis = &need.figures.basis;
    let failed = need.too_little.map(|size| format!("; {size} MiB were used up, or almost"));
    let enough = need.enough.map(|size| format!("needed {size} MiB"));
    format!(
        "With the limit of the image's entrypoint, a {packed} daemon of Tailscale {} for {} {}{}.",
        basis.release,
        basis.platform,
        enough.unwrap_or_else(|| "failed in every measured size".to_owned()),
        failed.unwrap_or_default()
    )
}

/// Describes what helps: the measured runs with more memory, without a packer, and of newer releases.
fn next(need: Need<'_>, is_packed: bool, memory: u64) -> NextStep {
    let unpacked = need.figures.need(false);
    let newer = MemoryFigures::embedded().iter().filter(|figures| figures.basis.release > need.figures.basis.release);
    let alternatives = [
        need.enough.map(|enough| format!("let the daemon use at least {enough} MiB")),
        (is_packed && unpacked.suffices(memory))
            .then(|| "set `build.pack` to `none`, which takes less memory and more storage".to_owned()),
        newer
            .filter(|figures| figures.need(is_packed).suffices(memory))
            .map(|figures| figures.basis.release.line())
            .max()
            .map(|line| format!("move to Tailscale {line}")),
    ];
    let alternatives: Vec<String> = alternatives.into_iter().flatten().collect();
    NextStep::new(match &alternatives[..] {
        [] => "Use a device with more memory.".to_owned(),
        some => format!("Do one of these: {}.", some.join("; ")),
    })
}
