//! The list of features in groups.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::judgement::{Rank, Row};
use super::super::model::Model;
use super::text::{fitted, padded};
use super::theme::Theme;
use featureset::cost::format_difference;
use featureset::group::Group;
use featureset::name::FeatureName;
use featureset::policy::Verdict;

/// The width of the column of names.
const NAME: usize = 20;

/// Draws the list around the cursor.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let width = usize::from(area.width);
    let columns = format!(
        "   {}{}{}{}forced by",
        padded("feature", NAME),
        padded("decision", 11),
        padded("size", 11),
        padded("hazards", 9)
    );
    let mut lines = vec![Line::styled(fitted(&columns, width), theme.muted())];
    let height = usize::from(area.height).saturating_sub(1);
    let groups = model.visible();
    let (mut rows, mut cursor) = (Vec::new(), 0);
    for group in &groups {
        rows.push(heading(model, group, theme, width));
        for name in &group.features {
            let is_selected = Some(name) == model.selected();
            cursor = if is_selected { rows.len() } else { cursor };
            let row = model.row(name).map(|row| line(model, name, row, theme, width));
            rows.push(if is_selected {
                row.unwrap_or_default().style(theme.marked())
            } else {
                row.unwrap_or_default()
            });
        }
    }
    if rows.is_empty() {
        let text =
            if model.edited().is_some() { " No feature passes the filter." } else { " The policy can't be read." };
        rows.push(Line::raw(text));
    }
    let first = cursor.saturating_sub(height / 2).min(rows.len().saturating_sub(height));
    lines.extend(rows.into_iter().skip(first).take(height));
    frame.render_widget(Paragraph::new(lines), area);
}

fn heading(model: &Model, group: &Group, theme: Theme, width: usize) -> Line<'static> {
    let rows: Vec<&Row> = group.features.iter().filter_map(|name| model.row(name)).collect();
    let kept = rows.iter().filter(|row| row.verdict == Some(Verdict::Keep)).count();
    Line::styled(fitted(&format!(" {}: {kept} of {} kept", group.title, rows.len()), width), theme.title())
}

fn line(model: &Model, name: &FeatureName, row: &Row, theme: Theme, width: usize) -> Line<'static> {
    let mark = if model.is_unsaved(name) {
        '*'
    } else if row.is_changed_since_base {
        '~'
    } else {
        ' '
    };
    let (word, style) = match row.verdict {
        Some(Verdict::Keep) => ("keep", theme.good()),
        Some(Verdict::Omit) => ("omit", Style::new()),
        None => ("undecided", theme.caution()),
    };
    let (hazards, danger) = match row.hazards {
        Some((rank, number)) => (format!("{} {number}", rank.sign()), rank_style(rank, theme)),
        None => (String::new(), Style::new()),
    };
    let others: Vec<&str> = row.forced_by.iter().map(FeatureName::as_str).collect();
    let size = row.size.map(format_difference).unwrap_or_default();
    Line::from(vec![
        Span::raw(format!(" {mark} {}", padded(name.as_str(), NAME - 1))),
        Span::styled(padded(&format!(" {word}"), 12), style),
        Span::raw(padded(&format!("{size:>9}"), 11)),
        Span::styled(padded(&hazards, 9), danger),
        Span::raw(fitted(&others.join(", "), width.saturating_sub(NAME + 34))),
    ])
}

/// Returns the style of a hazard's sign.
pub(super) fn rank_style(rank: Rank, theme: Theme) -> Style {
    match rank {
        Rank::Error => theme.bad(),
        Rank::Warning => theme.caution(),
        Rank::Accepted => theme.good(),
    }
}
