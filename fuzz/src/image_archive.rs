//! Images: judged.

use image::lint::{Expected, Program, judge};
use image::platform::Platform;

pub(crate) fn check(input: &[u8]) {
    for platform in [None, Platform::find("linux/arm64")] {
        let verdict = judge(input, &Expected { platform, binary: None }, &identify);
        for finding in &verdict.findings {
            for text in [&finding.message, &finding.place] {
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
