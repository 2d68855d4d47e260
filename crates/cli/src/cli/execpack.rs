//! The flags of `execpack`.

use std::path::PathBuf;

use clap::Subcommand;

/// The actions of `execpack`.
#[derive(Debug, Subcommand)]
pub enum Execpack {
    /// Pack a static executable and list the size of each part before and after
    Pack {
        /// The executable.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where the packed executable goes.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Restore an executable that execpack packed
    Unpack {
        /// The packed executable.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where the executable goes.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
}
