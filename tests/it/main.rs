//! Integration tests: one module per command or property.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test reports")]

mod action;
mod audit;
mod bench;
mod bounds;
mod build;
mod bump;
mod cli;
mod common;
mod decide;
mod diagnostics;
mod edit;
mod emulated;
mod entrypoint;
mod escaping;
mod execpack;
mod execpack_sharing;
mod explore;
mod failures;
mod foreign;
mod go_packages;
mod go_programs;
mod hazards;
mod image;
mod image_real;
mod init;
mod installed;
mod measure;
mod other_policy;
mod outputs;
mod pclntab;
mod provided_tools;
mod publish;
mod real_builds;
mod review;
mod sarif;
mod several_devices;
mod tidy;
mod trust;
mod upstream;
mod verify;
mod workflows;
