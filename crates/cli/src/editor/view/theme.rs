//! The colors of the editor.

use ratatui::style::{Color, Modifier, Style};

/// The colors. Every difference has a word or a sign too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    has_colors: bool,
}

impl Theme {
    /// Returns the colors of the terminal; none if `NO_COLOR` is set.
    pub(crate) fn of_environment() -> Self {
        Self { has_colors: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) }
    }

    /// Returns a theme without colors.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { has_colors: false }
    }

    pub(super) fn color(self, color: Color) -> Style {
        if self.has_colors { Style::new().fg(color) } else { Style::new() }
    }

    pub(super) fn good(self) -> Style {
        self.color(Color::Green)
    }

    pub(super) fn bad(self) -> Style {
        self.color(Color::Red)
    }

    pub(super) fn caution(self) -> Style {
        self.color(Color::Yellow)
    }

    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn muted(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn marked(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
