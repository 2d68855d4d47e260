//! What memory an idle daemon takes, for those that compare binaries.

use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::cost::Memory;
use featureset::platform::Platform;

use super::report::Event;
use super::stage::{Plan, events, lab};
use crate::commands::build_tailscale::Maker;
use crate::tools::qemu::{Runner, runner};
use crate::world::entrance;

/// How often a daemon is started: when the collector runs is chance.
const STARTS: usize = 3;

/// Starts daemons to see what memory they take.
pub(in crate::commands) struct Prober {
    lab: PathBuf,
}

impl Prober {
    /// The inner error is why this machine can't tell what a platform's daemon takes: an emulator has memory of its own.
    ///
    /// # Errors
    /// A [`diagnostics::Diagnostic`] where the world's program can't be built.
    pub(in crate::commands) fn new(maker: &Maker, platform: &Platform) -> Result<Result<Self, String>> {
        match (runner(platform), entrance::lacking()) {
            (Runner::Native, None) => Ok(Ok(Self { lab: lab(maker)? })),
            (Runner::Native, Some(why)) => Ok(Err(why)),
            _ => Ok(Err(format!("{platform} is not this machine's processor"))),
        }
    }

    /// What a daemon takes that has logged in and rests; the inner error is why it can't.
    ///
    /// # Errors
    /// Where no world can be made.
    pub(in crate::commands) fn idle(&self, daemon: &Path, platform: &Platform) -> Result<Result<Memory, String>> {
        let plan = Plan { starts: STARTS, ..Plan::new(&self.lab, daemon, platform)? };
        let (mut seen, mut failed) = (Vec::new(), None);
        let status = events(&plan, |event| {
            if let Event::Rested { anonymous, why } = event {
                seen.extend(anonymous);
                failed = if anonymous.is_none() { Some(why) } else { failed.take() };
            }
        })?;
        anyhow::ensure!(status.success(), "the world's process ended ({status})");
        Ok(Memory::of(seen).ok_or_else(|| failed.unwrap_or_default()))
    }
}
