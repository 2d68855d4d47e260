//! `unpackable-platform`: a packer is asked for a platform that it does not pack.

use super::{Example, Rule, Subject};
use crate::finding::{Finding, Label, Severity};
use crate::platform::Upx;
use crate::policy::{Pack, Target};

pub(super) static RULE: Rule = Rule {
    code: "unpackable-platform",
    severity: Severity::Error,
    summary: "A target is to be packed, but its packer can't pack for its platform.",
    why: "The build would stop at packing, or ship a binary that crashes as it starts.",
    example: Some(Example { from: "linux/amd64", to: "linux/riscv64" }),
    check: Some(check),
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let reason = |target: &Target| match (target.build.pack, target.platform.upx) {
        (Pack::Upx, Upx::Refuses(reason)) => Some(reason),
        (Pack::Execpack, _) if !target.platform.has_execpack_loader() => {
            Some("execpack has no loader for this architecture")
        }
        _ => None,
    };
    let targets = subject.policy.targets.iter();
    targets
        .filter_map(|(name, target)| {
            let place = Label::new(subject.places.value(&["targets", name, "platform"]), reason(target)?);
            let message = format!("`{name}` can't be packed for {}", target.platform);
            Some(RULE.finding(message, place, format!("Add `pack: none` to the target `{name}`.")))
        })
        .collect()
}
