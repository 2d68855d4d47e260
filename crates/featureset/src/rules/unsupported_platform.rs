//! `unsupported-platform`: a setting of a target's build does not support its platform.

use super::context::Subject;
use diagnostics::{Code, Diagnostic, Label};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, target) in &subject.policy.targets {
        let platform = target.platform;
        let settings = [
            ("pack", "none", target.build.pack.to_string(), target.build.pack.refusal(platform)),
            ("symbols", "all", target.build.symbols.to_string(), target.build.symbols.refusal(platform)),
        ];
        for (key, value, own, reason) in settings {
            let Some(reason) = reason else { continue };
            let place = Label::new(subject.places.value(&["targets", name, "platform"]), reason);
            let message = format!("`{name}` can't be built for {platform} with `{key}: {own}`");
            let next = format!("Set `build: {{ {key}: {value} }}` in the target `{name}`.");
            found.push(Diagnostic::new(Code::UnsupportedPlatform, message, next).at(place));
        }
    }
    found
}
