//! Unpacks a program with UPX in a private folder, with limits on time, memory and size.

use std::time::Duration;

use anyhow::Result;
use image::scan::LARGEST_PROGRAM;

use crate::cache::Cache;
use crate::tools::upx;
use crate::{files, process};
use diagnostics::{Code, Diagnostic};

/// The time limit. A Tailscale binary takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// The maximum address space of UPX: it holds the packed and the unpacked file.
const MEMORY: u64 = 400 << 20;

/// Unpacks a program; returns it and the version of UPX.
///
/// # Errors
/// A [`Diagnostic`] if UPX is missing, or can't unpack the program.
pub(super) fn unpack(place: &str, bytes: &[u8], cache: &Cache) -> Result<(Vec<u8>, String)> {
    let Some(upx) = upx::find(cache)? else {
        let why = "its build information is readable only after unpacking, and UPX is not on the PATH";
        let next = "Install UPX (`apt-get install upx-ucl` on Ubuntu and Debian except 12, `bookworm-backports` on Debian 12, `brew install upx`, `apk add upx`) and run it again.";
        return Err(Diagnostic::failure(Code::UpxMissing, format!("{place} was packed with UPX"), why, next).into());
    };
    let folder = files::private_folder("unpacking-")?;
    let (packed, raw) = (folder.path().join("packed"), folder.path().join("raw"));
    files::write_bytes(&packed, bytes)?;
    let output = process::output_within(upx.unpack(&packed, &raw, MEMORY, LARGEST_PROGRAM)?, Some(PATIENCE))?;
    if !output.status.success() {
        let printed = format!("{}{}", output.stdout, output.stderr).replace(&packed.display().to_string(), place);
        let printed = printed.trim().lines().last().unwrap_or_default().trim().to_owned();
        let why = format!("`upx -d` of UPX {} ended with {}: {printed}", upx.version, output.status);
        let next =
            "Use the UPX that packed it, or a newer one; a file that was changed after packing can't be unpacked.";
        return Err(Diagnostic::failure(
            Code::UpxFailed,
            format!("{place} was packed, and can't be unpacked"),
            why,
            next,
        )
        .into());
    }
    Ok((files::read_bytes(&raw)?, upx.version))
}
