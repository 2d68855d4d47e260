//! `unpackable-platform`: UPX is asked for what it can't do.

use super::{Example, Rule, Subject};
use crate::finding::{Finding, Label, Severity};
use crate::platform::Upx;
use crate::policy::Pack;

pub(super) static RULE: Rule = Rule {
    code: "unpackable-platform",
    severity: Severity::Error,
    summary: "A target is to be packed, but UPX can't pack for its platform.",
    why: "The build would stop at packing, or ship a binary that crashes as it starts.",
    example: Some(Example { from: "linux/amd64", to: "linux/riscv64" }),
    check: Some(check),
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let packed = subject.policy.targets.iter().filter(|(_, target)| target.build.pack == Pack::Upx);
    packed
        .filter_map(|(name, target)| {
            let Upx::Refuses(reason) = target.platform.upx else { return None };
            let place = Label::new(subject.places.value(&["targets", name, "platform"]), reason);
            let message = format!("`{name}` can't be packed for {}", target.platform);
            Some(RULE.finding(message, place, format!("Add `pack: none` to the target `{name}`.")))
        })
        .collect()
}
