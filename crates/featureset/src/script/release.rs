//! The release that a text is about, where it says one.

use crate::audit::List;
use crate::limits::RELEASES;
use crate::release::Release;
use diagnostics::{Code, Diagnostic, Label, Span};

/// Gives the lists that don't say their own release the one that the text names, if it names one alone.
pub(super) fn state(text: &str, lists: &mut [List]) {
    if lists.iter().all(|list| list.release.is_some()) {
        return;
    }
    let mut named = named(text);
    named.sort_by_key(|(release, span)| (*release, *span));
    named.dedup_by_key(|(release, _)| *release);
    for list in lists.iter_mut().filter(|list| list.release.is_none()) {
        match &named[..] {
            [] => {}
            [one] => list.release = Some(*one),
            several => list.findings.push(several_releases(several)),
        }
    }
}

fn several_releases(several: &[(Release, Span)]) -> Diagnostic {
    let first = &several[..RELEASES.min(several.len())];
    let quoted: Vec<String> = first.iter().map(|(release, _)| release.to_string()).collect();
    let more =
        if first.len() < several.len() { format!(" and {} more", several.len() - first.len()) } else { String::new() };
    let message = format!("the text names several releases: {}{more}", quoted.join(", "));
    let mut labels = first.iter().map(|(release, span)| Label::new(*span, format!("{release} here")));
    let place = labels.next().unwrap_or_else(|| Label::new(Span::default(), ""));
    let mut finding = Diagnostic::new(Code::ReleaseAssumed, message, "Say which with `--release`.").at(place);
    finding.related = labels.collect();
    finding
}

/// The releases that stand on lines about Tailscale's version.
fn named(text: &str) -> Vec<(Release, Span)> {
    let whole_is_tailscale = text.to_ascii_lowercase().contains("tailscale");
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let lower = line.trim_start().to_ascii_lowercase();
        let own = ["pkg_version", "version", "\"version\"", "ts_version", "ver=", "pkgver"];
        let about =
            lower.contains("tailscale") || (whole_is_tailscale && own.iter().any(|start| lower.starts_with(start)));
        if about && !lower.starts_with(['#', '/']) {
            found.extend(
                versions(line).map(|(release, start, end)| (release, Span { start: at + start, end: at + end })),
            );
        }
        at += line.len();
    }
    found
}

/// The versions in a line that can be Tailscale's: of 1.60 on, so that Go's are none.
fn versions(line: &str) -> impl Iterator<Item = (Release, usize, usize)> {
    let mut at = 0;
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).map(move |word| {
        let start = at;
        at += word.len() + line[at + word.len()..].chars().next().map_or(0, char::len_utf8);
        (word, start)
    });
    words.filter_map(|(word, start)| {
        let bare = word.strip_prefix(['v', 'V']).unwrap_or(word);
        let release: Release = bare.parse().ok()?;
        let recent: Release = "1.60.0".parse().ok()?;
        let first: Release = "2.0.0".parse().ok()?;
        (recent <= release && release < first).then_some((release, start + word.len() - bare.len(), start + word.len()))
    })
}
