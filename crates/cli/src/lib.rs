//! Every effect of the workspace: the policy's file, Go, UPX, the network, the terminal.
//!
//! The binary is named `tailscale-featureset`; in this repository it is run as `cargo xtask`. What is judged
//! and planned comes from the crate `featureset` as values; this crate reads, runs, shows and writes.
//!
//! - [`cli`]: every flag; [`commands`]: one module per command
//! - [`project`]: where the policy and its artefacts live; [`costs`], [`proofs`]: what was measured and
//!   shown of it
//! - [`foreign`]: what others ship, opened
//! - [`cache`]: the user's own: tools, modules, and the record of what was made
//! - [`tools`]: Go and UPX, found or provided; [`upstream`]: a release's module; [`registries`]: what it declares;
//!   [`typecheck`]: its selections type-checked; [`splits`]: two releases' source compared
//! - [`world`]: namespaces with a control server, in which a daemon is run
//! - [`escape`]: text from outside, made fit for a terminal; [`output`]: what is printed
//! - [`render`]: findings for people, programs and GitHub
//! - [`invocation`]: how the program was called
//! - [`interrupted`]: the error after a signal; [`process`], [`progress`], [`files`]: how it runs

pub mod cache;
pub mod cli;
pub mod commands;
pub mod costs;
pub mod entry;
pub mod escape;
pub mod files;
pub mod foreign;
pub mod format;
pub mod hazard_proofs;
pub mod interrupted;
pub mod invocation;
pub mod limits;
pub mod output;
pub mod process;
pub mod programs;
pub mod progress;
pub mod project;
pub mod proofs;
pub mod registries;
pub mod render;
pub mod splits;
pub mod test_variables;
pub mod tools;
pub mod typecheck;
pub mod upstream;
pub mod world;

pub use entry::main;
