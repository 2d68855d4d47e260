//! Diagnostics: everything that a person must read, as one type.
//!
//! Findings about a policy, an audited input or an image, and failures of commands, are all a [`Diagnostic`] with a
//! [`Code`]. The crate has no dependencies; renderers are in the command-line crate.

mod code;
mod diagnostic;
mod lines;
mod next_step;
mod severity;
mod span;

pub use code::{Area, Code, area};
pub use diagnostic::{Diagnostic, EffectLabel, Grouping, Location, groups, sort};
pub use lines::Lines;
pub use next_step::{NextStep, Part};
pub use severity::Severity;
pub use span::{Edit, Label, Span, line_and_column};
