//! Memory use of an idle daemon, for `measure`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::cost::Memory;
use featureset::platform::Platform;

use super::env::{Plan, events, lab};
use super::report::Event;
use crate::commands::build_tailscale::Builder;
use crate::netlab::sandbox;
use crate::tools::qemu::{Runner, runner};

/// The number of starts of a daemon, because the time of a garbage collection is random.
const STARTS: usize = 3;

/// The result of measuring the memory of an idle daemon.
pub(in crate::commands) enum IdleMemory {
    /// Its memory after the login.
    Measured(Memory),
    /// The reason why the daemon could not log in.
    NoLogin(String),
}

/// Starts daemons to measure their memory.
pub(in crate::commands) struct MemoryProbe {
    lab: PathBuf,
}

impl MemoryProbe {
    /// Returns the reason why this machine can't measure daemons of a platform: an emulator, for example, uses memory too.
    pub(in crate::commands) fn missing_requirement(platform: &Platform) -> Option<String> {
        match runner(platform) {
            Runner::Native => sandbox::missing_requirement(),
            _ => Some(format!("{platform} is not this machine's processor")),
        }
    }

    /// Builds the program of the test network.
    ///
    /// # Errors
    /// A [`diagnostics::Diagnostic`] if the program can't be built.
    pub(in crate::commands) fn new(builder: &Builder) -> Result<Self> {
        Ok(Self { lab: lab(builder)? })
    }

    /// Measures an idle daemon after its login.
    ///
    /// # Errors
    /// If the test network can't be created.
    pub(in crate::commands) fn idle(&self, daemon: &Path, platform: &Platform) -> Result<IdleMemory> {
        let plan = Plan { starts: STARTS, ..Plan::new(&self.lab, daemon, platform)? };
        let (mut seen, mut failed) = (Vec::new(), None);
        let status = events(&plan, |event| {
            if let Event::Rested { anonymous, why } = event {
                seen.extend(anonymous);
                failed = if anonymous.is_none() { Some(why) } else { failed.take() };
            }
        })?;
        anyhow::ensure!(status.success(), "the process of the test network ended ({status})");
        let measured = Memory::from_samples(seen).map(IdleMemory::Measured);
        Ok(measured.unwrap_or_else(|| IdleMemory::NoLogin(failed.unwrap_or_default())))
    }
}
