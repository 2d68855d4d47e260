//! Draws a state of the editor.

mod details;
mod list;
mod popup;
mod text;
mod theme;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::model::{Filter, Mode, Model};
use crate::escape;
use featureset::policy::{Verdict, format_size};
use text::{count, input_line, size_text};

pub(crate) use theme::Theme;

/// The smallest terminal.
const SMALLEST: (u16, u16) = (60, 16);

/// The width from which the details are next to the list.
const WIDE: u16 = 110;

/// Draws the whole screen.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model, theme: Theme) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!("The terminal is too small: at least {} x {} is needed.", SMALLEST.0, SMALLEST.1);
        return frame.render_widget(Paragraph::new(textwrap::fill(&text, usize::from(area.width.max(1)))), area);
    }
    let bars = bars(model, theme, area);
    let rows = [Constraint::Length(1), length(bars.len()), Constraint::Min(0), Constraint::Length(1)];
    let [title, sizes, body, footer] = Layout::vertical(rows).areas(area);
    frame.render_widget(Paragraph::new(header(model, title.width)).style(theme.marked()), title);
    frame.render_widget(Paragraph::new(bars), sizes);
    draw_body(frame, body, model, theme);
    frame.render_widget(Paragraph::new(bottom(model, theme, footer.width)), footer);
    popup::draw(frame, model, theme);
}

fn length(lines: usize) -> Constraint {
    Constraint::Length(u16::try_from(lines).unwrap_or(u16::MAX))
}

fn draw_body(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let is_wide = area.width >= WIDE;
    let [left, separator, right] = if is_wide {
        Layout::horizontal([Constraint::Percentage(55), Constraint::Length(2), Constraint::Min(0)]).areas(area)
    } else {
        let details = Constraint::Length((area.height / 2).saturating_sub(1));
        Layout::vertical([Constraint::Min(0), Constraint::Length(1), details]).areas(area)
    };
    list::draw(frame, left, model, theme);
    let mut lines = details::lines(model, theme, usize::from(right.width));
    let height = usize::from(right.height);
    if lines.len() > height && height > 0 {
        lines.truncate(height - 1);
        lines.push(Line::styled("… Enter displays all", theme.muted()));
    }
    if is_wide {
        let rule = vec![Line::raw("│"); usize::from(separator.height)];
        frame.render_widget(Paragraph::new(rule).style(theme.muted()), separator);
    } else {
        let rule = "─".repeat(usize::from(separator.width));
        frame.render_widget(Paragraph::new(rule).style(theme.muted()), separator);
    }
    frame.render_widget(Paragraph::new(lines), right);
}

/// Returns the first line: the file, the release, the target, and the number of decisions.
fn header(model: &Model, width: u16) -> Line<'static> {
    let judgement = model.judgement();
    let verdicts: Vec<Option<Verdict>> =
        judgement.features().filter_map(|name| model.row(name)).map(|row| row.verdict).collect();
    let number = |verdict| verdicts.iter().filter(|one| **one == verdict).count();
    let release = model.policy().and_then(|policy| policy.tailscale);
    let mut parts = vec![escape::line(&model.sources().path).into_owned()];
    parts.extend((model.unsaved() > 0).then(|| format!("{} unsaved", model.unsaved())));
    parts.extend((!judgement.findings.is_empty()).then(|| count(judgement.findings.len(), "finding")));
    parts.push(release.map_or("no release".to_owned(), |release| format!("Tailscale {release}")));
    parts.push(
        model.target().map_or("common decisions".to_owned(), |target| format!("target {}", escape::line(target))),
    );
    let (kept, omitted, undecided) = (number(Some(Verdict::Keep)), number(Some(Verdict::Omit)), number(None));
    parts.push(format!("{kept} keep, {omitted} omit"));
    parts.extend((undecided > 0).then(|| format!("{undecided} undecided")));
    let text = format!(" {}", parts.join(" | "));
    Line::raw(text::fitted(&text, usize::from(width)))
}

/// Returns a bar for each target: its size against its budget.
fn bars(model: &Model, theme: Theme, area: Rect) -> Vec<Line<'static>> {
    let most = if area.height < 30 { 4 } else { 8 };
    let mut sizes: Vec<_> = model.sizes().iter().collect();
    // The displayed target is always among them.
    sizes.sort_by_key(|size| Some(size.name.as_str()) != model.target());
    let hidden = if sizes.len() > most { sizes.split_off(most - 1).len() } else { 0 };
    sizes.sort_by_key(|size| size.name.as_str());
    let name = sizes.iter().map(|size| size.name.chars().count()).max().unwrap_or(0).clamp(6, 16);
    let texts: Vec<(String, bool)> = sizes.iter().map(|size| size_text(size.size, size.budget)).collect();
    let text = texts.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0);
    let width = usize::from(area.width).saturating_sub(name + text + 5);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (size, (text, is_over)) in sizes.into_iter().zip(texts) {
        let style = if is_over { theme.bad() } else { theme.good() };
        let own = if Some(size.name.as_str()) == model.target() { theme.title() } else { Style::new() };
        lines.push(Line::from(vec![
            Span::styled(format!(" {} ", text::padded(&escape::line(&size.name), name)), own),
            Span::styled(bar(size.size, size.budget, width), style),
            Span::raw(format!("  {text}")),
        ]));
    }
    if hidden > 0 {
        lines.push(Line::styled(format!(" and {} (t switches)", count(hidden, "more target")), theme.muted()));
    }
    lines
}

/// Returns a bar of this width. The budget is the mark `│`.
fn bar(size: Option<u64>, budget: Option<u64>, width: usize) -> String {
    let (size, budget) = (size.unwrap_or(0), budget.unwrap_or(0));
    let whole = u128::from(size.max(budget)).max(1) * 21 / 20;
    let cells = |bytes: u64| usize::try_from(u128::from(bytes) * width as u128 / whole.max(1)).unwrap_or(0);
    let (filled, mark) = (cells(size), cells(budget));
    let cell = |at: usize| match at {
        _ if budget > 0 && at == mark => '│',
        _ if at < filled => '█',
        _ => '░',
    };
    (0..width).map(cell).collect()
}

/// Returns the last line: a question, a message, or the keys.
fn bottom(model: &Model, theme: Theme, width: u16) -> Line<'static> {
    let width = usize::from(width);
    if let Some(status) = model.status() {
        let style = if status.is_problem { theme.bad().add_modifier(Modifier::BOLD) } else { theme.title() };
        return Line::styled(text::fitted(&format!(" {}", escape::line(&status.text)), width), style);
    }
    let keys = match model.mode() {
        Mode::Search(input, _) => return input_line(" search: ", input, width, theme.marked()),
        Mode::Larger(input) => return input_line(" larger than (50kB): ", input, width, theme.marked()),
        Mode::Browse if is_filtered(model.filter()) => format!("{} - Esc displays all", filter_text(model)),
        Mode::Browse => "space:invert r:reason f:filter /:search t:target u:undo s:save q:leave ?:help".to_owned(),
        Mode::Confirm(_) => "Enter applies  Esc cancels".to_owned(),
        Mode::Reason(..) => "Enter applies  Esc cancels".to_owned(),
        Mode::Filter => {
            let changed = model
                .sources()
                .base
                .as_ref()
                .map_or("unsaved".to_owned(), |(revision, _)| format!("changed since {}", escape::line(revision)));
            format!("filter: h hazard  u undecided  c {changed}  ! finding  l larger than  a all")
        }
        Mode::Details(_) | Mode::Help(_) => "arrows scroll  Esc closes".to_owned(),
        Mode::Findings(_) if model.edited().is_none() => "arrows scroll  q leaves: mend the file by hand".to_owned(),
        Mode::Findings(_) => "arrows scroll  Esc closes".to_owned(),
        Mode::Leave => "s saves and leaves  d discards the changes  Esc stays".to_owned(),
    };
    Line::styled(text::fitted(&format!(" {keys}"), width), theme.muted())
}

fn is_filtered(filter: &Filter) -> bool {
    *filter != Filter::default()
}

fn filter_text(model: &Model) -> String {
    let Filter { hazard, undecided, changed, finding, larger, text } = model.filter();
    let mut parts = Vec::new();
    parts.extend(hazard.then(|| "hazard".to_owned()));
    parts.extend(undecided.then(|| "undecided".to_owned()));
    parts.extend(changed.then(|| "changed".to_owned()));
    parts.extend(finding.then(|| "finding".to_owned()));
    parts.extend(larger.map(|size| format!("larger than {}", format_size(size))));
    parts.extend((!text.is_empty()).then(|| format!("“{}”", escape::line(text))));
    let visible: usize = model.visible().iter().map(|group| group.features.len()).sum();
    format!("{}: {}", count(visible, "feature"), parts.join(", "))
}
