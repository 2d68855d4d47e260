//! Findings with their text.

use diagnostics::Diagnostic;

/// A text and what was found in it.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Its display name.
    pub name: &'a str,
    /// The file that it is, or was found in, if any.
    pub file: Option<&'a str>,
    /// Whether places in the text are places in the file.
    pub has_places: bool,
    /// The text.
    pub text: &'a str,
    /// The findings.
    pub findings: &'a [Diagnostic],
    /// The arguments of the command that shows each finding of a group, such as `check --all`; `None` if each is shown here.
    pub expanded_by: Option<&'a str>,
}

impl<'a> Found<'a> {
    /// Findings about a whole file, each shown by itself.
    #[must_use]
    pub fn about(file: &'a str, findings: &'a [Diagnostic]) -> Self {
        Self { name: file, file: Some(file), has_places: false, text: "", findings, expanded_by: None }
    }
}
