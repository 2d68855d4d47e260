//! Findings with their text.

use featureset::finding::Finding;

/// A text and what was found in it.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// What it is called for people.
    pub name: &'a str,
    /// The file that it is, or was found in; nothing where there is none.
    pub file: Option<&'a str>,
    /// Whether places in the text are places in the file.
    pub has_places: bool,
    /// The text.
    pub text: &'a str,
    /// What was found.
    pub findings: &'a [Finding],
}
