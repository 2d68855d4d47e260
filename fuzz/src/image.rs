//! Images: judged.

use diagnostics::Location;
use image::lint::{Expected, Program, judge};
use image::platform::Platform;

pub(crate) fn check(input: &[u8]) {
    for platform in [None, Platform::find("linux/arm64")] {
        let verdict = judge(input, &Expected { platform, binary: None }, &identify);
        for finding in &verdict.findings {
            let member = match &finding.location {
                Location::Member(path) => path.as_str(),
                Location::Whole | Location::Text(_) => "",
            };
            for text in [finding.message.as_str(), member] {
                assert!(!text.contains(char::is_control), "{text:?} has control characters");
            }
        }
        let _ = (verdict.on_flash(), verdict.has_errors());
    }
}

fn identify(bytes: &[u8]) -> Option<Program> {
    let identity = gobinary::identify(bytes).ok()?;
    let _ = gobinary::build_info(bytes);
    Some(Program { architecture: identity.goarch, beyond_v5: identity.is_hard_float })
}
