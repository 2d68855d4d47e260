//! Findings as rustc shows them: title, excerpt, why, next step and the edit that clears them.
//!
//! The only user of annotate-snippets.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use featureset::finding::{Finding, Lines, Severity, Span};

use crate::escape;
use crate::invocation::spelled;
use crate::problem::Problem;

/// The findings one after another, each followed by an empty line.
pub(super) fn findings(path: &str, lines: &Lines<'_>, findings: &[Finding]) -> String {
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii).term_width(120);
    let path = escape::line(path);
    findings.iter().map(|finding| renderer.render(&report(&path, lines, finding)) + "\n\n").collect()
}

/// The lines of a text that are shown: the renderer reads all that it is given, for each finding again.
struct Excerpt<'a> {
    text: &'a str,
    /// Where it begins in the whole text, and its first line there.
    start: usize,
    line: usize,
}

impl<'a> Excerpt<'a> {
    /// The lines from the first to the last of these places.
    fn of(lines: &Lines<'a>, spans: impl Iterator<Item = Span> + Clone) -> Self {
        let start = spans.clone().map(|span| span.start).min().unwrap_or_default();
        let end = spans.map(|span| span.end).max().unwrap_or_default();
        let (around, line) = lines.around(Span { start, end });
        Self { text: &lines.text()[around.start..around.end], start: around.start, line }
    }

    fn snippet<T: Clone>(&self, path: &'a str) -> Snippet<'a, T> {
        Snippet::source(self.text).line_start(self.line).path(path)
    }

    /// A place in the whole text as one in the excerpt.
    fn range(&self, span: Span) -> Range<usize> {
        let within = |byte: usize| byte.saturating_sub(self.start).min(self.text.len());
        within(span.start)..within(span.end).max(within(span.start))
    }

    /// A reason can run over many lines; its first one shows where it is.
    fn first_line(&self, span: Span) -> Range<usize> {
        let Range { start, end } = self.range(span);
        let line = self.text.get(start..end).and_then(|part| part.find('\n')).map_or(end, |newline| start + newline);
        start..line
    }
}

fn report<'a>(path: &'a str, lines: &Lines<'a>, finding: &'a Finding) -> Vec<Group<'a>> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let spans = [finding.place.span].into_iter().chain(finding.related.iter().map(|label| label.span));
    let excerpt = Excerpt::of(lines, spans);
    let primary =
        AnnotationKind::Primary.span(excerpt.first_line(finding.place.span)).label(escape::line(&finding.place.text));
    let related = finding
        .related
        .iter()
        .map(|label| AnnotationKind::Context.span(excerpt.first_line(label.span)).label(escape::line(&label.text)));
    let snippet = excerpt.snippet(path).annotation(primary).annotations(related);
    let mut main = level.primary_title(escape::line(&finding.message)).id(&*finding.code).element(snippet);
    main = main.element(Level::NOTE.with_name("why").message(escape::lines(&finding.why)));
    if !finding.next.is_empty() {
        main = main.element(Level::HELP.with_name("next").message(escape::line(&spelled(&finding.next)).into_owned()));
    }
    let mut groups = vec![main];
    if let Some(edit) = &finding.edit {
        let excerpt = Excerpt::of(lines, [edit.span].into_iter());
        let patch = Patch::new(excerpt.range(edit.span), &edit.replacement);
        groups.push(Level::HELP.secondary_title(&edit.title).element(excerpt.snippet(path).patch(patch)));
    }
    groups
}

/// A problem in the same form, without an excerpt.
pub(super) fn problem(problem: &Problem) -> String {
    let (red, bold, plain) = ("\u{1b}[1;31m", "\u{1b}[1m", "\u{1b}[0m");
    let why = escape::lines(problem.why.trim()).replace('\n', "\n         ");
    let mut text = format!("{red}error[{}]{plain}{bold}: {}{plain}\n", problem.code, escape::line(&problem.message));
    if !why.is_empty() {
        text += &format!("  = {bold}why{plain}: {why}\n");
    }
    text + &format!("  = {bold}next{plain}: {}\n", escape::line(&spelled(&problem.next)))
}

/// A paragraph wrapped to the terminal, every line after an indentation; escaped.
#[must_use]
pub fn wrapped(text: &str, indent: &str) -> String {
    fill(text, indent, indent)
}

/// A paragraph, escaped, whose first line is indented by two and every other by as much as its first column is wide.
#[must_use]
pub fn hanging(text: &str, width: usize) -> String {
    fill(text, "  ", &" ".repeat(width))
}

/// How wide lines are at most, in columns.
pub const MOST_WIDTH: usize = 160;

/// How wide lines may be: what COLUMNS says, else the terminal, else 80.
#[must_use]
pub fn width() -> usize {
    let stated = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    stated.unwrap_or_else(textwrap::termwidth).clamp(40, MOST_WIDTH)
}

fn fill(text: &str, first: &str, rest: &str) -> String {
    let width = width().min(100);
    textwrap::fill(
        &escape::lines(text),
        textwrap::Options::new(width).initial_indent(first).subsequent_indent(rest).break_words(false),
    )
}
