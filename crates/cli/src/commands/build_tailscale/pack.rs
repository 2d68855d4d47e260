//! Packing by execpack or UPX, or not at all, as the recipe says. Every packed binary is unpacked again and compared.

use std::path::Path;

use anyhow::Result;
use featureset::policy::Pack;
use featureset::recipe::Recipe;

use crate::commands::execpack::not_packed;
use crate::tools::upx::Upx;
use crate::{files, process};

/// Packs `unpacked` into `packed`. `upx` must be present if the recipe asks for it.
///
/// # Errors
/// A [`diagnostics::Diagnostic`] if the packer refuses the file, or the result does not unpack to the same bytes.
pub(super) fn pack(recipe: &Recipe, upx: Option<&Upx>, unpacked: &Path, packed: &Path) -> Result<()> {
    match (recipe.build.pack, upx) {
        (Pack::Execpack, _) => {
            let next = "Set `build: { pack: upx }` or `{ pack: none }` for this target.";
            // execpack itself unpacks the result and compares.
            let result =
                execpack::pack(&files::read_bytes(unpacked)?).map_err(|why| not_packed(unpacked, &why, next))?;
            files::write_executable(packed, &result.bytes)
        }
        (Pack::Upx, Some(upx)) => {
            upx.pack(unpacked, packed, recipe.platform.goarch)?;
            let next = "Set `build: { pack: none }` for this target, or try another UPX.";
            process::stdout(upx.test(packed), next).map(drop)
        }
        (Pack::Upx | Pack::None, _) => files::write_executable(packed, &files::read_bytes(unpacked)?),
    }
}

/// Returns the packer's name and version; `None` if the binary is not packed.
pub(super) fn packer(pack: Pack, upx: Option<&Upx>) -> Option<String> {
    match pack {
        Pack::Execpack => Some(format!("execpack {}", execpack::REVISION)),
        Pack::Upx => upx.map(|upx| format!("UPX {}", upx.version)),
        Pack::None => None,
    }
}
