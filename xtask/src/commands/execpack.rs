//! `execpack`: packs and unpacks one executable, and builds the loaders.

mod loaders;

use std::path::Path;

use anyhow::Result;

use super::Outcome;
use crate::cli::Execpack;
use crate::problem::Problem;
use crate::{files, outln, progress};

/// Runs the command.
///
/// # Errors
/// A [`Problem`] if a file cannot be read, packed or unpacked, or a loader cannot be built.
pub fn run(policy: Option<&Path>, action: &Execpack) -> Result<Outcome> {
    match action {
        Execpack::Pack { file, output } => pack(file, output),
        Execpack::Unpack { file, output } => unpack(file, output),
        Execpack::Loaders { check } => loaders::run(policy, *check),
    }
}

fn pack(file: &Path, output: &Path) -> Result<Outcome> {
    let bytes = files::read_bytes(file)?;
    let step = progress::step("Packing", file.display().to_string());
    let packed = execpack::pack(&bytes).map_err(|refused| not_packed(file, &refused))?;
    files::write_executable(output, &packed.bytes)?;
    step.done("Packed", &format!("{} bytes to {}", bytes.len(), packed.bytes.len()));
    for part in &packed.parts {
        let streams: Vec<String> = part.streams.iter().map(usize::to_string).collect();
        outln!("{:>10} {:>10} → {:>9}  {} ({})", part.offset, part.bytes, sum(part), part.kind, streams.join(" + "));
    }
    Ok(Outcome::Clean)
}

fn sum(part: &execpack::PartSize) -> usize {
    part.streams.iter().sum()
}

fn unpack(file: &Path, output: &Path) -> Result<Outcome> {
    let bytes = execpack::unpack(&files::read_bytes(file)?).map_err(|unreadable| not_unpacked(file, unreadable))?;
    files::write_executable(output, &bytes)?;
    progress::line("Wrote", &output.display().to_string());
    Ok(Outcome::Clean)
}

/// Reads an executable, unpacked if execpack packed it.
///
/// # Errors
/// A [`Problem`] if the file cannot be read, or is packed and damaged.
pub(crate) fn unpacked(file: &Path) -> Result<Vec<u8>> {
    let bytes = files::read_bytes(file)?;
    if !execpack::is_packed(&bytes) {
        return Ok(bytes);
    }
    execpack::unpack(&bytes).map_err(|unreadable| not_unpacked(file, unreadable).into())
}

fn not_unpacked(file: &Path, unreadable: execpack::Unreadable) -> Problem {
    let next = "Name a file that `pack: execpack` made; one that was changed afterwards cannot be unpacked.";
    Problem::new("not-unpacked", format!("can't unpack {}", file.display()), unreadable.to_string(), next)
}

/// The problem of an executable that cannot be packed.
pub(crate) fn not_packed(file: &Path, refused: &execpack::Refused) -> Problem {
    let next = "Set `pack: upx` or `pack: none` for this target.";
    Problem::new("not-packed", format!("can't pack {}", file.display()), refused.to_string(), next)
}
