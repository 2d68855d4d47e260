//! `unpackable-platform`: the packer of a target does not support its platform.

use super::context::Subject;
use crate::platform::Upx;
use crate::policy::{Pack, Target};
use diagnostics::{Code, Diagnostic, Label};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
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
            let message = format!("`{name}` cannot be packed for {}", target.platform);
            let next = format!("Set `build: {{ pack: none }}` in the target `{name}`.");
            Some(Diagnostic::new(Code::UnpackablePlatform, message, next).at(place))
        })
        .collect()
}
