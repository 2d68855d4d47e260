//! Judges an allowlist of Tailscale features.
//!
//! Tailscale can be built without most of its features: each has a Go build tag `ts_omit_NAME`. A
//! *policy* (featureset.yaml) decides each of them and states the reason; this crate holds facts about upstream
//! and judges the policy by them. It is pure: its input is strings, its output values. Files, processes, the
//! network and the clock belong to `crates/cli`; tests/it/tidy.rs enforces that.
//!
//! Data flows one way:
//!
//! ```text
//! featureset.yaml → Policy → Selection → Recipe
//!   Registry, Hazards ↗
//! ```
//!
//! The modules in reading order:
//!
//! - [`name`], [`release`], [`platform`]: what things are called
//! - [`registry`], [`hazard`], [`proof`], [`upstream_data`]: what upstream declares, what goes wrong, and what showed it
//! - [`policy`]: what the owner decides, read from the text with the place of everything
//! - [`rules`]: the rules about a policy
//! - [`fix`], [`unsaved`]: the edits of `check --fix`, and decisions that the file does not have yet
//! - [`selection`], [`recipe`]: what follows from it: tags, and the whole build
//! - [`init`]: a policy for a device and its roles
//! - [`run_time`]: features that the environment of the daemon turns off
//! - [`explain`]: everything that is known of one feature
//! - [`change`]: what a reviewer must know of the step from one policy to another
//! - [`group`], [`explore`]: the order for people, and the data of the page of `explore`
//! - [`cost`]: the measured size of each decision, and features to drop to fit a budget
//! - [`upgrade`]: what moving the pin to another release forces
//! - [`audit`], [`import`]: tag lists and recipes that others wrote, what they mean, and a policy made of one

pub mod audit;
pub mod change;
pub mod cost;
pub mod explain;
pub mod explore;
pub mod fix;
pub mod go_experiment;
pub mod group;
pub mod hazard;
pub mod import;
pub mod init;
mod limits;
pub mod memory;
pub mod name;
pub mod platform;
pub mod policy;
pub mod proof;
pub mod recipe;
pub mod registry;
pub mod release;
pub mod rules;
pub mod run_time;
pub mod schema;
pub mod selection;
pub mod unsaved;
pub mod upgrade;
pub mod upstream_data;
