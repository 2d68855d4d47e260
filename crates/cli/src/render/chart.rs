//! Charts, as SVG for a page: readable on a light and on a dark background.

use featureset::cost::{Cost, Costs, format_difference};
use featureset::name::FeatureName;
use featureset::policy::format_size;

/// A bar and its label take so many pixels.
const ROW: usize = 16;
const TOP: usize = 64;
const LEFT: usize = 170;
const WIDTH: usize = 760;
/// Room for the figure next to the longest bar.
const RIGHT: usize = 100;

/// Below this no bar is drawn: it would be shorter than a pixel or two.
const SMALLEST: i64 = 1_000;

/// The size of every feature, as bars: kept and omitted features differ, and those that others force are marked.
#[must_use]
pub fn costs(target: &str, costs: &Costs) -> String {
    let mut bars: Vec<(&FeatureName, i64, &Cost)> =
        costs.features.iter().filter_map(|(name, cost)| Some((name, costs.packed(name)?, cost))).collect();
    bars.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let small = bars.iter().filter(|(_, packed, _)| packed.abs() < SMALLEST).count();
    bars.retain(|(_, packed, _)| packed.abs() >= SMALLEST);
    let longest = bars.iter().map(|(_, packed, _)| packed.unsigned_abs()).max().unwrap_or(1).max(1);
    let rows: String = bars.iter().enumerate().map(|(index, bar)| row(costs, longest, index, bar)).collect();
    let below = TOP + bars.len() * ROW;
    let height = below + 44;
    let failing = costs.features.len() - bars.len() - small;
    let basis = &costs.basis;
    let notes = [
        (
            below + 16,
            format!("{small} more cost less than 1 kB; {failing} do not compile or start with the opposite decision."),
        ),
        (
            below + 34,
            "† with others that must move along. Prices don't add up: what two share goes with both.".to_owned(),
        ),
    ];
    let notes: String =
        notes.map(|(y, text)| format!("<text class=\"note\" x=\"8\" y=\"{y}\">{text}</text>\n")).concat();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>What each feature weighs in the packed binary for {target}</title>\n{STYLE}\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"head\" x=\"8\" y=\"20\">What each feature weighs, packed, {target} ({})</text>\n\
         <text class=\"note\" x=\"8\" y=\"38\">Tailscale {}, Go {}, inlining {}, symbols {}</text>\n\
         <rect class=\"kept\" x=\"{LEFT}\" y=\"46\" width=\"10\" height=\"10\"/><text class=\"note\" x=\"{}\" y=\"55\">kept</text>\n\
         <rect class=\"omitted\" x=\"{}\" y=\"46\" width=\"10\" height=\"10\"/><text class=\"note\" x=\"{}\" y=\"55\">omitted</text>\n\
         {rows}{notes}</svg>\n",
        format_size(costs.whole.packed),
        basis.release,
        basis.go,
        basis.inlining,
        basis.symbols,
        LEFT + 15,
        LEFT + 60,
        LEFT + 75,
    )
}

const STYLE: &str = "<style>\n\
    .ground { fill: #ffffff } text { fill: #1f2328 } .head { font-weight: 600; font-size: 14px } .note { fill: #59636e }\n\
    .kept { fill: #0969da } .omitted { fill: #bf8700 }\n\
    @media (prefers-color-scheme: dark) { .ground { fill: #0d1117 } text { fill: #e6edf3 } .note { fill: #9198a1 }\n\
    .kept { fill: #4493f8 } .omitted { fill: #d29922 } }\n\
    </style>\n";

fn row(costs: &Costs, longest: u64, index: usize, (name, packed, cost): &(&FeatureName, i64, &Cost)) -> String {
    let room = (WIDTH - LEFT - RIGHT) as u64;
    let length = (packed.unsigned_abs() * room).div_ceil(longest);
    let class = if costs.basis.kept.contains(*name) { "kept" } else { "omitted" };
    let mark = if cost.is_shared() { " †" } else { "" };
    let (y, base) = (TOP + index * ROW, TOP + index * ROW + 11);
    format!(
        "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{name}{mark}</text>\
         <rect class=\"{class}\" x=\"{LEFT}\" y=\"{}\" width=\"{length}\" height=\"{}\"/>\
         <text class=\"note\" x=\"{}\" y=\"{base}\">{}</text>\n",
        LEFT - 8,
        y + 1,
        ROW - 4,
        LEFT as u64 + length + 6,
        format_difference(*packed),
    )
}
