//! The terminal editor of `edit`.
//!
//! [`model`] is pure: a state, and the state after a key. [`view`] draws a state. [`terminal`] is the only module with effects: it
//! reads keys, draws, and restores the terminal however the program ends.

pub(crate) mod input;
pub(crate) mod judgement;
pub(crate) mod model;
pub(crate) mod terminal;
pub(crate) mod view;

#[cfg(test)]
mod tests;
