//! The packer of a target, found on this machine.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use diagnostics::{Code, Diagnostic};
use featureset::policy::Pack;

use super::upx::{self, Upx};
use crate::cache::Cache;
use crate::{files, process};

/// A packer that can be run.
#[derive(Debug, Clone)]
pub enum Packer {
    /// This project's own.
    Execpack,
    /// UPX.
    Upx(Upx),
}

impl Packer {
    /// Finds the packer that a policy names, or provides it; `None` if nothing is packed.
    ///
    /// # Errors
    /// As [`upx::find_or_provide`].
    pub fn find_or_provide(pack: Pack, cache: &Cache) -> Result<Option<Self>> {
        Ok(match pack {
            Pack::Execpack => Some(Self::Execpack),
            Pack::Upx => Some(Self::Upx(upx::find_or_provide(cache)?)),
            Pack::None => None,
        })
    }

    /// Returns UPX, if it is that.
    #[must_use]
    pub fn upx(&self) -> Option<&Upx> {
        match self {
            Self::Execpack => None,
            Self::Upx(upx) => Some(upx),
        }
    }

    /// Returns the packer's version alone, as costs record it.
    #[must_use]
    pub fn basis(&self) -> String {
        self.upx().map_or_else(|| self.to_string(), |upx| upx.version.clone())
    }

    /// Packs an executable for a processor into a new file. execpack unpacks its result and compares; UPX tests its own.
    ///
    /// # Errors
    /// A [`Diagnostic`] with the next step if the packer refuses the file, or what it makes.
    pub fn pack(&self, unpacked: &Path, packed: &Path, goarch: &str, next: &str) -> Result<()> {
        match self {
            Self::Execpack => {
                let result = execpack::pack(&files::read_bytes(unpacked)?);
                files::write_executable(packed, &result.map_err(|why| not_packed(unpacked, &why, next))?.bytes)
            }
            Self::Upx(upx) => {
                upx.pack(unpacked, packed, goarch)?;
                process::stdout(upx.test(packed), next).map(drop)
            }
        }
    }
}

impl fmt::Display for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execpack => write!(f, "execpack {}", execpack::REVISION),
            Self::Upx(upx) => write!(f, "UPX {}", upx.version),
        }
    }
}

/// Returns the problem of an executable that can't be packed.
pub(crate) fn not_packed(file: &Path, refused: &execpack::Refused, next: &str) -> Diagnostic {
    Diagnostic::failure(Code::NotPacked, format!("can't pack {}", file.display()), refused.to_string(), next)
}
