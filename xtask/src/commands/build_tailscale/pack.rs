//! Packing: by execpack, by UPX or not at all, as the recipe says. Every packed binary is unpacked again and compared.

use std::path::Path;

use anyhow::Result;
use featureset::policy::Pack;

use crate::commands::execpack::not_packed;
use crate::problem::Problem;
use crate::tools::upx::Upx;
use crate::{files, process};

/// Packs `unpacked` into `packed`; `upx` is there if the recipe asks for it.
///
/// # Errors
/// A [`Problem`] if the packer refuses the file, or the result does not unpack to the same bytes.
pub(super) fn pack(pack: Pack, upx: Option<&Upx>, unpacked: &Path, packed: &Path) -> Result<()> {
    match (pack, upx) {
        (Pack::Execpack, _) => {
            // execpack itself unpacks what it packed and compares.
            let result = execpack::pack(&files::read_bytes(unpacked)?).map_err(|why| not_packed(unpacked, &why))?;
            files::write_executable(packed, &result.bytes)
        }
        (Pack::Upx, Some(upx)) => {
            let next = "Set `pack: none` for this target, or try another UPX.";
            process::stdout(upx.pack(unpacked, packed), next)?;
            process::stdout(upx.test(packed), next).map(drop)
        }
        (Pack::Upx | Pack::None, _) => std::fs::copy(unpacked, packed).map(drop).map_err(|error| {
            let message = format!("can't write {}", packed.display());
            Problem::new("file", message, error.to_string(), "Free some space and run it again.").into()
        }),
    }
}

/// The packer's name and version for people; `None` if the binary is not packed.
pub(super) fn name(pack: Pack, upx: Option<&Upx>) -> Option<String> {
    match pack {
        Pack::Execpack => Some(format!("execpack {}", execpack::REVISION)),
        Pack::Upx => upx.map(|upx| format!("UPX {}", upx.version)),
        Pack::None => None,
    }
}
