//! Memory use of an idle daemon, for `measure`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::cost::Memory;
use featureset::platform::Platform;

use super::env::{Plan, events, lab};
use super::report::Event;
use crate::commands::build_tailscale::Maker;
use crate::netlab::sandbox;
use crate::tools::qemu::{Runner, runner};

/// The number of starts of a daemon, because the time of a garbage collection is random.
const STARTS: usize = 3;

/// Starts daemons to measure their memory.
pub(in crate::commands) struct MemoryProbe {
    lab: PathBuf,
}

impl MemoryProbe {
    /// Builds the program of the test network. The inner error is the reason why this machine can't measure the platform: an
    /// emulator uses memory too.
    ///
    /// # Errors
    /// A [`diagnostics::Diagnostic`] if the program can't be built.
    pub(in crate::commands) fn new(maker: &Maker, platform: &Platform) -> Result<Result<Self, String>> {
        match (runner(platform), sandbox::missing_requirement()) {
            (Runner::Native, None) => Ok(Ok(Self { lab: lab(maker)? })),
            (Runner::Native, Some(why)) => Ok(Err(why)),
            _ => Ok(Err(format!("{platform} is not this machine's processor"))),
        }
    }

    /// Measures an idle daemon after its login. The inner error is the reason why the daemon did not get there.
    ///
    /// # Errors
    /// If the test network can't be created.
    pub(in crate::commands) fn idle(&self, daemon: &Path, platform: &Platform) -> Result<Result<Memory, String>> {
        let plan = Plan { starts: STARTS, ..Plan::new(&self.lab, daemon, platform)? };
        let (mut seen, mut failed) = (Vec::new(), None);
        let status = events(&plan, |event| {
            if let Event::Rested { anonymous, why } = event {
                seen.extend(anonymous);
                failed = if anonymous.is_none() { Some(why) } else { failed.take() };
            }
        })?;
        anyhow::ensure!(status.success(), "the process of the test network ended ({status})");
        Ok(Memory::from_samples(seen).ok_or_else(|| failed.unwrap_or_default()))
    }
}
