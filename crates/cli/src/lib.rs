//! The product: reads the policy, runs Go and UPX, uses the network, and prints. All I/O of the workspace is here.
//!
//! The binary is named `tailscale-featureset`; in this repository it is run as `cargo xtask`. The crate `featureset` judges
//! and plans; it returns values, which this crate prints or runs.
//!
//! - [`cli`]: the command line; [`commands`]: one module per command; [`outcome`]: the result of a command
//! - [`project`]: the policy file, its findings and its build folder; [`pinned`]: a policy with its release
//! - `repository`: the policy at a revision
//! - [`costs`], [`proofs`], [`hazard_proofs`], [`verified`]: files of measurements and observations
//! - [`artifact`]: third-party programs, packages and images
//! - [`cache`]: the user's cache of tools, modules, and the record of built artifacts
//! - [`tools`]: Go, UPX, QEMU, skopeo and Debian's packages; [`upstream`]: a release's module; [`registries`]: its features;
//!   [`typecheck`]: type-checking of selections; [`splits`]: comparison of two releases' source
//! - [`netlab`]: the test network, in which daemons run
//! - [`render`]: findings in each format; [`output`], [`progress`]: printing; [`escape`]: escaping of untrusted text
//! - [`invocation`]: the program's name; [`format`]: the output formats; [`interrupted`]: the error after a signal
//! - `editor`: the terminal editor of `edit`
//! - [`process`], [`files`]: child processes and files; [`shard`]: parts of a list of jobs

pub mod artifact;
pub mod cache;
pub mod cli;
pub mod commands;
pub mod costs;
pub mod descriptions;
mod editor;
pub mod entry;
pub mod escape;
pub mod files;
pub mod format;
pub mod hazard_proofs;
pub mod interrupted;
pub mod invocation;
pub mod limits;
pub mod netlab;
pub mod outcome;
pub mod output;
pub mod pinned;
pub mod process;
pub mod programs;
pub mod progress;
pub mod project;
pub mod proofs;
pub mod registries;
pub mod render;
mod repository;
pub mod shard;
pub mod splits;
pub mod test_variables;
pub mod tools;
pub mod typecheck;
pub mod unfetched;
pub mod upstream;
pub mod verified;
