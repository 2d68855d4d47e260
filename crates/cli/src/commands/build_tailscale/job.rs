//! The inputs of one target's build.

use super::pipeline::Builder;
use crate::project::{Pinned, Project};

/// The inputs of one target's build.
pub(super) struct Job<'a> {
    pub(super) project: &'a Project,
    pub(super) pinned: Pinned<'a>,
    pub(super) target: &'a str,
    pub(super) builder: &'a Builder,
}
