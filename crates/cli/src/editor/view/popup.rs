//! The windows above the list: a decision and what it forces, a reason, findings, keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use super::super::judgement::TargetSize;
use super::super::model::{Inversion, Mode, Model};
use super::details::{self, hazard_lines};
use super::text::{count, hanging, input_lines, size_text, wrapped};
use super::theme::Theme;
use crate::escape;
use diagnostics::Severity;
use featureset::cost::format_difference;
use featureset::name::FeatureName;
use featureset::policy::{Verdict, format_size};

const KEYS: &[(&str, &str)] = &[
    ("up down, k j", "move; PgUp PgDn, Home End, g G: further"),
    ("Enter", "all details of the feature"),
    ("space", "inverts the decision: displays what that forces, then asks for the reason"),
    ("y n", "keeps the feature, omits the feature"),
    ("r", "edits the reason"),
    ("u", "undoes the last change"),
    ("t", "switches between the common decisions and those of each target; a change belongs to what is displayed"),
    ("/", "searches in names and reasons; Enter keeps the list, Esc ends the search"),
    ("f", "filters: hazard, undecided, changed, finding, larger than; several together"),
    ("!", "lists the findings of `check`"),
    ("s", "saves: only the changed entries of the file differ"),
    ("q", "leaves; asks if there are unsaved changes"),
    ("", ""),
    ("keep omit", "the decision; * before the name: not saved; ~: changed since the revision of --base"),
    (
        "size",
        "the estimated effect on the packed file, with what the feature needs: of the target, or of the first one",
    ),
    ("! ? ok", "hazards: an error, a warning, accepted; the number counts them"),
    ("forced by", "decisions because of which this one can't be inverted alone"),
    ("bars", "the estimated packed size of each target; the vertical line is its budget"),
];

/// Draws the window of the mode, if it has one.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, theme: Theme) {
    let area = frame.area();
    let width = usize::from(area.width).saturating_sub(6).min(100);
    let inside = width.saturating_sub(2);
    let (title, lines, first) = match model.mode() {
        Mode::Browse | Mode::Search(..) | Mode::Filter | Mode::Larger(_) => return,
        Mode::Confirm(inversion) => (title(inversion), confirm(model, inversion, theme, inside), 0),
        Mode::Reason(input, inversion) => {
            let name = inversion.as_ref().map(|inversion| &inversion.name).or(model.selected());
            let name = name.map_or("", FeatureName::as_str);
            let title = match inversion {
                Some(inversion) => format!("Reason to {} {name}", inversion.verdict.word()),
                None => format!("Reason of the decision on {name}"),
            };
            let mut lines = vec![Line::styled(" The effect of the decision on this device:", theme.muted())];
            lines.extend(input_lines(input, inside, theme.marked()));
            (title, lines, 0)
        }
        Mode::Details(first) => {
            let title = model.selected().map_or("Details".to_owned(), |name| format!("Details of {name}"));
            (title, details::lines(model, theme, inside), *first)
        }
        Mode::Findings(first) => findings(model, *first, theme, inside),
        Mode::Help(first) => ("Keys and signs".to_owned(), help(theme, inside), *first),
        Mode::Leave => {
            let lines = vec![
                Line::raw(format!(" {} not saved.", count(model.unsaved(), "change"))),
                Line::raw(" s saves and leaves, d discards the changes, Esc stays."),
            ];
            ("Leave?".to_owned(), lines, 0)
        }
    };
    window(frame, area, &title, lines, first, width);
}

/// Draws a window in the middle that displays lines from `first` on, or the last ones.
fn window(frame: &mut Frame<'_>, area: Rect, title: &str, lines: Vec<Line<'static>>, first: usize, width: usize) {
    let most = usize::from(area.height).saturating_sub(4);
    let height = lines.len().clamp(1, most);
    let first = first.min(lines.len().saturating_sub(height));
    let (width, height) = (u16::try_from(width + 2).unwrap_or(u16::MAX), u16::try_from(height + 2).unwrap_or(u16::MAX));
    let place = Rect {
        x: area.width.saturating_sub(width) / 2,
        y: area.height.saturating_sub(height) / 2,
        width: width.min(area.width),
        height: height.min(area.height),
    };
    let inside = usize::from(height.saturating_sub(2));
    let hidden = lines.len().saturating_sub(first + inside);
    let more = if hidden > 0 { format!(" {hidden} more lines below ") } else { String::new() };
    let block = Block::bordered().title(format!(" {title} ")).title_bottom(more);
    let shown: Vec<Line<'static>> = lines.into_iter().skip(first).take(inside).collect();
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(shown).block(block), place);
}

fn title(inversion: &Inversion) -> String {
    let verb = match inversion.verdict {
        Verdict::Keep => "Keep",
        Verdict::Omit => "Omit",
    };
    format!("{verb} {}?", inversion.name)
}

/// Returns what a decision forces and changes.
fn confirm(model: &Model, inversion: &Inversion, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let names: Vec<&str> = inversion.forced.iter().map(FeatureName::as_str).collect();
    let forces = match (names.is_empty(), inversion.verdict) {
        (true, _) => "It forces no other decision.".to_owned(),
        (_, Verdict::Keep) => format!("This also keeps {}, which it needs.", names.join(", ")),
        (_, Verdict::Omit) => format!("This also omits {}: without it they do nothing.", names.join(", ")),
    };
    lines.extend(hanging(&forces, width, theme.title()));
    for after in &inversion.sizes {
        let before = model.judgement().targets.iter().find(|before| before.name == after.name);
        lines.extend(before.and_then(|before| size_line(before, after, theme)));
    }
    for (title, hazards) in [("It brings:", &inversion.gained), ("It clears:", &inversion.cleared)] {
        if !hazards.is_empty() {
            lines.push(Line::styled(format!(" {title}"), theme.title()));
            lines.extend(hazards.iter().flat_map(|hazard| hazard_lines(hazard, theme, width)));
        }
    }
    lines.push(Line::raw(""));
    lines.push(Line::raw(" Enter applies it, Esc leaves everything as it is."));
    lines
}

fn size_line(before: &TargetSize, after: &TargetSize, theme: Theme) -> Option<Line<'static>> {
    let (old, new) = (before.size?, after.size?);
    let difference = i64::try_from(new).ok()? - i64::try_from(old).ok()?;
    let (text, is_over) = size_text(Some(new), after.budget);
    let style = if is_over { theme.bad() } else { Style::new() };
    let name = escape::line(&after.name);
    (difference != 0).then(|| {
        Line::styled(format!(" {name}: {}, from {}: {text}", format_difference(difference), format_size(old)), style)
    })
}

fn findings(model: &Model, first: usize, theme: Theme, width: usize) -> (String, Vec<Line<'static>>, usize) {
    let findings = &model.judgement().findings;
    let mut lines = Vec::new();
    for finding in findings.iter().skip(first) {
        let style = if finding.severity == Severity::Error { theme.bad() } else { theme.caution() };
        let head = format!("{}[{}] line {}: {}", finding.severity.word(), finding.code, finding.line, finding.message);
        lines.extend(hanging(&head, width, style));
        lines.extend(wrapped(&finding.next, width, 3, Style::new()));
    }
    if findings.is_empty() {
        lines.push(Line::raw(" None."));
    }
    let from = if first > 0 { format!(", from number {}", first + 1) } else { String::new() };
    (format!("{}{from}", count(findings.len(), "finding")), lines, 0)
}

fn help(theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (key, meaning) in KEYS {
        for (index, line) in wrapped(meaning, width.saturating_sub(15), 0, Style::new()).into_iter().enumerate() {
            let head = if index == 0 { key } else { "" };
            let mut whole = Line::styled(format!(" {head:<14}"), theme.title());
            whole.spans.extend(line.spans);
            lines.push(whole);
        }
    }
    lines
}
