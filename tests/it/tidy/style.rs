//! Words that docs/style.md replaces, searched in everything a person reads.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// Each habit as a pattern, and the plain form.
const HABITS: &[(&str, &str)] = &[
    (r"(^|[.:] )What (are |does |do |can |is |it does\b)?", "a noun instead of \"What …\""),
    (r"\b[Nn]othing (where|if|for|when)\b", "`None` if"),
    (r"\b(stands?|stood)\b", "is, appears, is listed"),
    (r"\b(tells?|told)\b", "reports, returns, lists"),
    (r"\bgives\b", "returns"),
    (r"\bbeside\b", "next to, in addition to, compared with"),
    (r"\bbehind (it|them|the|a|that|what)\b", "after"),
    (r"\banew\b", "again"),
    (r"\bof (its|their|his|ours|her) own\b", "its own, separate"),
    (r"\b([Ww]hoever|[Ww]hatever)\b", "a concrete subject"),
    (r"\bby which\b", "that"),
    (r"\bturn(ed|s)? round\b", "inverted"),
    (r"\b(is|are) no\b", "is not a"),
    (r"[,;] for (it|they|there|that|the|no|this|such)\b", "because"),
    (r"\bweigh(s|ed|t)?\b", "size, costs"),
    (r"\bthe one\b.*\bthe other\b", "name both"),
];

/// Uses of these words that are right. A line that contains one of these texts is not searched.
const RIGHT: &[&str] = &[
    "What is ",
    "What does ",
    "What to do",
    "stand for",
    "stands for",
    "stand by",
    "stand-in",
    "is no longer",
    "are no longer",
    "is no more",
    "stand up",
];

/// A habit found in a line of prose.
pub(super) struct Hit {
    /// The line of the file, from 1.
    pub(super) line: usize,
    /// The line's prose.
    pub(super) text: String,
    /// The plain form.
    pub(super) plain: &'static str,
}

/// Returns the habits in a file's prose: Markdown, comments, YAML, and strings with blanks.
pub(super) fn hits(path: &Path, text: &str) -> Vec<Hit> {
    static PATTERNS: LazyLock<Vec<(Regex, &str)>> =
        LazyLock::new(|| HABITS.iter().map(|(pattern, plain)| (Regex::new(pattern).unwrap(), *plain)).collect());
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, prose(extension, line)));
    let searched = lines.filter(|(_, prose)| !prose.is_empty() && !RIGHT.iter().any(|right| prose.contains(right)));
    searched
        .flat_map(|(line, prose)| {
            let found = PATTERNS.iter().filter(|(pattern, _)| pattern.is_match(&prose));
            found.map(|(_, plain)| Hit { line, text: prose.clone(), plain }).collect::<Vec<_>>()
        })
        .collect()
}

/// Returns the part of a line that a person reads; empty if there is none.
fn prose(extension: &str, line: &str) -> String {
    static STRING: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""((?:[^"\\]|\\.)*)""#).unwrap());
    let line = line.trim();
    match extension {
        "md" => line.to_owned(),
        "yaml" | "yml" => line.trim_start_matches("# ").to_owned(),
        "sh" => line.strip_prefix('#').unwrap_or_default().trim().to_owned(),
        "rs" | "go" => line.strip_prefix("//").map_or_else(
            || {
                let strings = STRING.captures_iter(line).map(|found| found[1].to_owned());
                strings.filter(|string| string.contains(' ')).collect::<Vec<_>>().join(" ")
            },
            |comment| comment.trim_start_matches(['/', '!']).trim().to_owned(),
        ),
        _ => String::new(),
    }
}
