//! The helper of the entrypoint: a static program of about 14 kB that does what a shell without other programs
//! cannot do.
//!
//! It keeps the tailnet's routes in the main routing table, asks the daemon whether it is healthy, and waits for it
//! (crates/image/helper/helper.c). The programs are checked in; `cargo xtask image helper` builds them.

use crate::platform::Platform;

/// The helper for one processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Helper {
    /// The name of its file in crates/image/helper/built.
    pub name: &'static str,
    /// The program.
    pub bytes: &'static [u8],
}

/// Every helper. The one for arm needs no more than ARMv5TE, and runs on v7.
pub const ALL: [Helper; 3] = [
    Helper { name: "amd64", bytes: include_bytes!("../helper/built/amd64") },
    Helper { name: "arm64", bytes: include_bytes!("../helper/built/arm64") },
    Helper { name: "arm", bytes: include_bytes!("../helper/built/arm") },
];

/// The licence of the C library that is linked into it (musl).
pub const LICENCE: &str = "MIT";

/// Returns the helper for a platform.
#[must_use]
pub fn for_platform(platform: Platform) -> Helper {
    let [amd64, arm64, arm] = ALL;
    match platform {
        Platform::Amd64 => amd64,
        Platform::Arm64 => arm64,
        Platform::ArmV5 | Platform::ArmV7 => arm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_are_small_static_programs_for_their_processor() {
        for platform in Platform::ALL {
            let helper = for_platform(platform);
            let elf = object::File::parse(helper.bytes).unwrap();
            let architecture = match object::Object::architecture(&elf) {
                object::Architecture::X86_64 => "amd64",
                object::Architecture::Aarch64 => "arm64",
                object::Architecture::Arm => "arm",
                other => panic!("{other:?}"),
            };
            assert_eq!((helper.name, architecture), (platform.architecture(), platform.architecture()));
            assert!(helper.bytes.len() < 16_384, "{}: {}", helper.name, helper.bytes.len());
        }
    }
}
