//! `execpack`: packs or unpacks one executable.

use std::path::Path;

use anyhow::Result;

use crate::cli::Execpack;
use crate::outcome::Outcome;
use crate::tools::packer::not_packed;
use crate::{files, limits, outln, progress};
use diagnostics::Code;
use diagnostics::Diagnostic;

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] if a file can't be read, packed, unpacked or written.
pub fn run(action: &Execpack) -> Result<Outcome> {
    match action {
        Execpack::Pack { file, output } => pack(file, output),
        Execpack::Unpack { file, output } => unpack(file, output),
    }
}

fn pack(file: &Path, output: &Path) -> Result<Outcome> {
    let bytes = files::read_regular(file, limits::LINKED)?;
    let step = progress::step("Packing", file.display().to_string());
    let packed = execpack::pack(&bytes)
        .map_err(|refused| not_packed(file, &refused, "Name a static executable for amd64, arm64, arm or mipsle."))?;
    files::write_executable(output, &packed.bytes)?;
    step.done("Packed", &format!("{} bytes to {}", bytes.len(), packed.bytes.len()));
    for part in &packed.parts {
        let streams: Vec<String> = part.streams.iter().map(usize::to_string).collect();
        let sum: usize = part.streams.iter().sum();
        outln!("{:>10} {:>10} → {sum:>9}  {} ({})", part.offset, part.bytes, part.kind, streams.join(" + "));
    }
    Ok(Outcome::Clean)
}

fn unpack(file: &Path, output: &Path) -> Result<Outcome> {
    let packed = files::read_regular(file, limits::LINKED)?;
    let bytes = execpack::unpack(&packed).map_err(|unreadable| not_unpacked(file, unreadable))?;
    files::write_executable(output, &bytes)?;
    progress::line("Wrote", &output.display().to_string());
    Ok(Outcome::Clean)
}

/// Reads an executable, and unpacks it if execpack packed it.
///
/// # Errors
/// A [`Diagnostic`] if the file can't be read, or is packed and damaged.
pub(crate) fn unpacked(file: &Path) -> Result<Vec<u8>> {
    let bytes = files::read_regular(file, limits::LINKED)?;
    if !execpack::is_packed(&bytes) {
        return Ok(bytes);
    }
    execpack::unpack(&bytes).map_err(|unreadable| not_unpacked(file, unreadable).into())
}

fn not_unpacked(file: &Path, unreadable: execpack::Unreadable) -> Diagnostic {
    let message = format!("can't unpack {}", file.display());
    let next = "Name a file that `pack: execpack` produced; one that was changed afterwards can't be unpacked.";
    Diagnostic::failure(Code::NotUnpacked, message, unreadable.to_string(), next)
}
