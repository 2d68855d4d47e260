//! The policy: what featureset.yaml decides, as values without places.

mod decode;
pub mod device;
pub(crate) mod edit;
pub(crate) mod effective;
mod model;
mod parse;
mod set_decision;
mod set_version;
mod size;
mod source_map;

pub use device::Device;
pub use effective::{EffectivePolicy, StatedAcceptance, StatedDecision};
pub use model::{Build, Decision, Image, Inlining, Pack, Policy, Shell, Symbols, Target, Verdict};
pub use parse::{ParsedPolicy, TOP_LEVEL_KEYS, read};
pub use set_decision::{accept, decide};
pub use set_version::{NotEditable, pin};
pub use size::{format_size, parse_size};
pub use source_map::SourceMap;
