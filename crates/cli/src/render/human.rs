//! Diagnostics in the format of rustc: title, excerpt, reason, next step and the edit that resolves them.
//!
//! The only user of annotate-snippets.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Origin, Patch, Renderer, Snippet};
use diagnostics::{Diagnostic, Label, Lines, Location, Severity, Span};

use super::found::Found;
use super::phrases::next_step;
use crate::escape;

/// The number of columns before the text of a `why:` line.
const WHY_INDENT: usize = 12;

/// Renders groups of findings in a file, each followed by an empty line. A group of one is the finding itself.
pub(super) fn findings(found: &Found<'_>, groups: &[Vec<&Diagnostic>]) -> String {
    let lines = Lines::new(found.text);
    let name = escape::line(found.name);
    let report = |members: &Vec<&Diagnostic>| match &members[..] {
        [] => String::new(),
        [finding] => renderer().render(&report(&name, &lines, finding, None)) + "\n\n",
        [first, ..] => {
            let (one, names) = as_one(first, members);
            renderer().render(&report(&name, &lines, &one, Some(&names))) + "\n\n"
        }
    };
    groups.iter().map(report).collect()
}

/// Returns a group as one finding at the position of its first member, and the names of the members.
fn as_one(first: &Diagnostic, members: &[&Diagnostic]) -> (Diagnostic, String) {
    let mut names: Vec<&str> =
        members.iter().filter_map(|finding| Some(finding.grouping.as_ref()?.member.as_str())).collect();
    names.sort_unstable();
    let mut one = Diagnostic { related: Vec::new(), edits: Vec::new(), ..first.clone() };
    if let Some(grouping) = one.grouping.take() {
        one.message = format!("{} {}", members.len(), grouping.message);
        one.next = grouping.next;
    }
    (one, filled(&names.join(", ")))
}

/// Renders the failure of a command.
pub(super) fn failure(failure: &Diagnostic) -> String {
    renderer().render(&[group(failure, None::<Origin<'_>>, None)]) + "\n"
}

fn renderer() -> Renderer {
    Renderer::styled().decor_style(DecorStyle::Ascii).term_width(120)
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
    fn new(lines: &Lines<'a>, spans: impl Iterator<Item = Span> + Clone) -> Self {
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

fn report<'a>(name: &'a str, lines: &Lines<'a>, finding: &'a Diagnostic, members: Option<&'a str>) -> Vec<Group<'a>> {
    let mut groups = match &finding.location {
        Location::Whole => vec![group(finding, Some(Origin::path(name)), members)],
        Location::Member(path) => {
            vec![group(finding, Some(Origin::path(format!("{name}: {}", escape::line(path)))), members)]
        }
        Location::Text(label) => vec![group(finding, Some(snippet(name, lines, label, &finding.related)), members)],
    };
    for edit in &finding.edits {
        let excerpt = Excerpt::new(lines, [edit.span].into_iter());
        let patch = Patch::new(excerpt.range(edit.span), &edit.replacement);
        groups.push(Level::HELP.secondary_title(&edit.title).element(excerpt.snippet(name).patch(patch)));
    }
    groups
}

/// Renders the excerpt of the text with the label and the related spans.
fn snippet<'a>(
    name: &'a str,
    lines: &Lines<'a>,
    label: &'a Label,
    related: &'a [Label],
) -> Snippet<'a, Annotation<'a>> {
    let spans = [label.span].into_iter().chain(related.iter().map(|label| label.span));
    let excerpt = Excerpt::new(lines, spans);
    let annotation = |kind: AnnotationKind, label: &'a Label| {
        kind.span(excerpt.first_line(label.span)).label(escape::line(&label.text))
    };
    let related = related.iter().map(|label| annotation(AnnotationKind::Context, label));
    excerpt.snippet(name).annotation(annotation(AnnotationKind::Primary, label)).annotations(related)
}

/// Renders the title, the location, the names of the members of a group, the reason and the next step.
fn group<'a>(
    diagnostic: &'a Diagnostic,
    location: Option<impl Into<Element<'a>>>,
    members: Option<&'a str>,
) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(escape::line(&diagnostic.message)).id(diagnostic.code.as_str());
    let mut group = Group::with_title(title);
    if let Some(location) = location {
        group = group.element(location);
    }
    if let Some(members) = members {
        group = group.element(Level::NOTE.with_name("all").message(members));
    }
    if let Some(effect) = diagnostic.effect {
        group = group.element(Level::NOTE.with_name("effect").message(effect.word));
    }
    if !diagnostic.why.trim().is_empty() {
        group = group.element(Level::NOTE.with_name("why").message(filled(diagnostic.why.trim())));
    }
    if !diagnostic.next.is_empty() {
        let next = escape::line(&next_step(diagnostic)).into_owned();
        group = group.element(Level::HELP.with_name("next").message(next));
    }
    group
}

/// Returns a text of several lines, escaped and wrapped to the width of the terminal.
fn filled(text: &str) -> String {
    let options = textwrap::Options::new(width() - WHY_INDENT).break_words(false);
    textwrap::fill(&escape::lines(text), options)
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
