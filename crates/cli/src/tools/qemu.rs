//! Runs a target's binary: natively on this machine's processor, else under user-mode QEMU.

use std::path::{Path, PathBuf};
use std::process::Command;

use featureset::platform::Platform;

use crate::process;

/// How a target's binary can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runner {
    /// On this machine's processor.
    Native,
    /// Under an emulator, with a processor model if the default would support too many instructions.
    Emulated(PathBuf, Option<&'static str>),
    /// Not at all, with the reason.
    Unavailable(String),
}

/// Returns how this machine runs binaries of a platform.
#[must_use]
pub fn runner(platform: &Platform) -> Runner {
    let native = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => &["linux/amd64", "linux/386", "linux/386/softfloat"][..],
        ("linux", "aarch64") => &["linux/arm64"],
        ("linux", _) => &[],
        (system, _) => return Runner::Unavailable(format!("{system} does not run Linux programs")),
    };
    if native.contains(&platform.name) {
        return Runner::Native;
    }
    let (name, processor) = platform.qemu;
    let program = [name.to_owned(), format!("{name}-static")].iter().find_map(|name| process::on_path(name));
    match program {
        Some(program) => Runner::Emulated(program, processor),
        None => Runner::Unavailable(format!("{name} is not installed (Debian's qemu-user-static)")),
    }
}

impl Runner {
    /// Builds a command that runs `program`; `None` if it can't be run.
    ///
    /// The environment is empty, so that no variable of Tailscale or Go changes the output.
    #[must_use]
    pub fn command(&self, program: &Path, arguments: &[&str]) -> Option<Command> {
        let mut command = match self {
            Self::Native => Command::new(program),
            Self::Emulated(emulator, processor) => {
                let mut command = Command::new(emulator);
                command.args(processor.iter().flat_map(|processor| ["-cpu", processor]));
                // Its name decides between the daemon and the command line.
                command.arg("-0").arg(program).arg(program);
                command
            }
            Self::Unavailable(_) => return None,
        };
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent");
        Some(command)
    }

    /// Describes it for the manifest.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Native => "natively".to_owned(),
            Self::Emulated(emulator, processor) => {
                let name = emulator.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                processor.map_or_else(|| format!("under {name}"), |processor| format!("under {name} -cpu {processor}"))
            }
            Self::Unavailable(why) => format!("not executed: {why}"),
        }
    }
}
