//! Packed programs, unpacked: UPX's by UPX in a private folder, within a time, a memory and a length; execpack's in memory.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use image::unpack::LARGEST_PROGRAM;

use crate::problem::Problem;
use crate::tools::upx;
use crate::{files, process};

/// How long unpacking may take. A binary of Tailscale's takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much memory it may take: UPX holds the packed and the unpacked file.
const MEMORY: u64 = 1 << 30;

/// Unpacks what execpack packed; no tool is needed.
///
/// # Errors
/// A [`Problem`] if the file is cut off or was changed.
pub(super) fn unpack_execpack(place: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    execpack::unpack(bytes).map_err(|unreadable| {
        let message = format!("{place} can't be unpacked");
        let next = "Fetch or build the file again.";
        Problem::new("execpack-failed", message, unreadable.to_string(), next).into()
    })
}

/// Unpacks a program; gives it, and the version of UPX that did.
///
/// # Errors
/// A [`Problem`] where there is no UPX, or it can't unpack this.
pub(super) fn unpack(place: &str, bytes: &[u8], tools: Option<&Path>) -> Result<(Vec<u8>, String)> {
    let Some(upx) = upx::find(tools) else {
        let why = "what it says of its build shows when it is unpacked, and there is no UPX on the PATH";
        let next = "Install UPX (`apt-get install upx-ucl`, `brew install upx`, `apk add upx`) and run it again.";
        return Err(Problem::new("upx-missing", format!("{place} was packed with UPX"), why, next).into());
    };
    let folder = tempfile::Builder::new().prefix("unpacking-").tempdir().context("making a private folder")?;
    let (packed, raw) = (folder.path().join("packed"), folder.path().join("raw"));
    files::write_bytes(&packed, bytes)?;
    let output = process::output_within(upx.unpack(&packed, &raw, MEMORY, LARGEST_PROGRAM), Some(PATIENCE))?;
    if !output.status.success() {
        let said = format!("{}{}", output.stdout, output.stderr).replace(&packed.display().to_string(), place);
        let said = said.trim().lines().last().unwrap_or_default().trim().to_owned();
        let why = format!("`upx -d` of UPX {} ended with {}: {said}", upx.version, output.status);
        let next =
            "Take the UPX that packed it, or a newer one; a file that was changed after packing can't be unpacked.";
        return Err(Problem::new("upx-failed", format!("{place} was packed, and can't be unpacked"), why, next).into());
    }
    Ok((files::read_bytes(&raw)?, upx.version))
}
