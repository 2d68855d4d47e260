//! `unpackable-platform`: UPX does not support the platform of a packed target.

use super::context::Subject;
use crate::platform::Upx;
use crate::policy::Pack;
use diagnostics::{Code, Diagnostic, Label};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let packed = subject.policy.targets.iter().filter(|(_, target)| target.build.pack == Pack::Upx);
    packed
        .filter_map(|(name, target)| {
            let Upx::Refuses(reason) = target.platform.upx else { return None };
            let place = Label::new(subject.places.value(&["targets", name, "platform"]), reason);
            let message = format!("`{name}` cannot be packed for {}", target.platform);
            Some(
                Diagnostic::new(Code::UnpackablePlatform, message, format!("Add `pack: none` to the target `{name}`."))
                    .at(place),
            )
        })
        .collect()
}
