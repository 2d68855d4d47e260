//! Next steps: text with commands in it, rendered with the program's name as it was called.

use std::fmt;

/// A part of a next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Plain text.
    Text(String),
    /// The arguments of a command of this program, such as `explain ssh`.
    Command(String),
}

/// The reader's next step.
///
/// Commands of this program are kept as values, because a user may have called it as `cargo xtask` or as
/// `tailscale-featureset`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NextStep(Vec<Part>);

impl NextStep {
    /// Creates a step that begins with a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        // Most steps have one part, and a policy can have many findings: `push` would reserve four.
        Self(vec![Part::Text(text.into())])
    }

    /// Creates a step of one command: "Run `check`."
    #[must_use]
    pub fn run(command: impl Into<String>) -> Self {
        Self::new("Run ").command(command).text(".")
    }

    /// Appends a text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Text(text.into()));
        self
    }

    /// Appends a command of this program, given by its arguments.
    #[must_use]
    pub fn command(mut self, arguments: impl Into<String>) -> Self {
        self.0.push(Part::Command(arguments.into()));
        self
    }

    /// Returns whether the next step is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the parts in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// Renders the step with the program's name before each command, such as `cargo xtask`.
    #[must_use]
    pub fn render(&self, program: &str) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Command(arguments) => format!("`{program} {arguments}`"),
        };
        self.0.iter().map(part).collect()
    }
}

impl From<&str> for NextStep {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for NextStep {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for NextStep {
    /// Formats the step with commands as bare arguments: `check`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Command(arguments) => write!(f, "`{arguments}`"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_step_renders_commands_with_the_name_of_the_program() {
        let step = NextStep::new("Keep it, or run ").command("explain ssh").text(" first.");
        assert_eq!(step.render("cargo xtask"), "Keep it, or run `cargo xtask explain ssh` first.");
        assert_eq!(step.to_string(), "Keep it, or run `explain ssh` first.");
        assert_eq!(NextStep::run("check").render("x"), "Run `x check`.");
        assert!(NextStep::default().is_empty());
    }
}
