//! Names: a feature, and the Go build tag that leaves it out or brings it in.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{LONGEST_NAME, SHORTEST_PREFIX};

/// The name of a Tailscale feature as upstream's registry spells it, such as `cachenetmap`.
///
/// Holds only characters of a build tag: ASCII letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FeatureName(String);

/// A text that can't name a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName(
    /// The text as it was given.
    pub String,
);

/// The one feature that is opted in to: its tag is [`INCLUDE_CLI`], and nothing omits it.
///
/// Source: `feature/featuretags/featuretags.go`, `const CLI`.
pub const CLI: &str = "cli";

/// The build tag that puts the command line into the daemon's binary (`cmd/tailscaled/with_cli.go`).
pub const INCLUDE_CLI: &str = "ts_include_cli";

/// The prefix of a tag that omits a feature.
pub const OMIT_PREFIX: &str = "ts_omit_";

impl FeatureName {
    /// Parses a name from a policy or a registry.
    ///
    /// # Errors
    /// [`InvalidName`] if the text is empty, longer than 64 bytes, or holds what a build tag can't.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
            return Err(InvalidName(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a tag can omit the feature: all but `cli`.
    #[must_use]
    pub fn is_omittable(&self) -> bool {
        self.0 != CLI
    }

    /// The build tag that carries the decision: `ts_omit_NAME` where the feature is omitted, and for
    /// `cli` the tag that keeps it.
    #[must_use]
    pub fn build_tag(&self) -> String {
        if self.is_omittable() { format!("{OMIT_PREFIX}{}", self.0) } else { INCLUDE_CLI.to_owned() }
    }
}

impl fmt::Display for FeatureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` can't be the name of a feature", self.0)
    }
}

impl std::error::Error for InvalidName {}

impl Borrow<str> for FeatureName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FeatureName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::new(&text)
    }
}

impl From<FeatureName> for String {
    fn from(name: FeatureName) -> Self {
        name.0
    }
}

/// The candidate nearest to a misspelled word, if one is near enough to be what was meant.
///
/// Case, `-` and `_` don't count. The shortest name that begins with the word is preferred; otherwise up to a third of the
/// letters may differ. A word that is longer than any name has none.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    if word.len() > LONGEST_NAME {
        return None;
    }
    let word = plain(word);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let completed =
        candidates.iter().filter(|candidate| word.len() >= SHORTEST_PREFIX && plain(candidate).starts_with(&word));
    if let Some(shortest) = completed.min_by_key(|candidate| candidate.len()) {
        return Some(shortest);
    }
    let most = |candidate: &str| candidate.len().max(3) / 3;
    candidates
        .iter()
        .map(|candidate| (plain(candidate), *candidate))
        // The distance is at least the difference of the lengths.
        .filter(|(plain, candidate)| plain.len().abs_diff(word.len()) <= most(candidate))
        .map(|(plain, candidate)| (strsim::damerau_levenshtein(&word, &plain), candidate))
        .filter(|(distance, candidate)| *distance <= most(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_cli_opts_in_and_every_other_opts_out() {
        assert_eq!(FeatureName::new("dns").unwrap().build_tag(), "ts_omit_dns");
        assert_eq!(FeatureName::new("cli").unwrap().build_tag(), "ts_include_cli");
    }

    #[test]
    fn what_would_break_a_tag_line_is_no_name() {
        for text in ["", "a,b", "a b", "ä", "a\nb", &"x".repeat(65)] {
            assert!(FeatureName::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["dns", "netstack", "cachenetmap", "desktop_sessions"];
        assert_eq!(nearest("DNS", names), Some("dns"));
        assert_eq!(nearest("cachnetmap", names), Some("cachenetmap"));
        assert_eq!(nearest("desktop-sessions", names), Some("desktop_sessions"));
        assert_eq!(nearest("quic", names), None);
        assert_eq!(nearest("cache", names), Some("cachenetmap"));
        let hazards = ["drive-netstack", "dns-netstack-quad100", "dns-netstack-quad100-again"];
        assert_eq!(nearest("dns-netstack", hazards), Some("dns-netstack-quad100"));
        assert_eq!(nearest(&"dns".repeat(100_000), names), None);
    }
}
