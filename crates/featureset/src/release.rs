//! Versions: releases of Tailscale, their lines, and versions of Go. All have three components.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A version that isn't three decimal numbers joined by dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidVersion(
    /// The text as it was given.
    pub String,
);

impl fmt::Display for InvalidVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a version of three numbers, such as 1.102.5", self.0)
    }
}

impl std::error::Error for InvalidVersion {}

fn numbers<const N: usize>(text: &str) -> Option<[u32; N]> {
    let mut found = [0; N];
    let mut parts = text.split('.');
    for slot in &mut found {
        let part = parts.next()?;
        let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        // "01" and "1" would be two spellings of one version.
        if !plain || (part.len() > 1 && part.starts_with('0')) {
            return None;
        }
        *slot = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

macro_rules! version {
    ($(#[$doc:meta])* $name:ident, $components:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u32; $components]);

        impl FromStr for $name {
            type Err = InvalidVersion;

            fn from_str(text: &str) -> Result<Self, InvalidVersion> {
                numbers(text).map(Self).ok_or_else(|| InvalidVersion(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let parts: Vec<String> = self.0.iter().map(u32::to_string).collect();
                f.pad(&parts.join("."))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidVersion;

            fn try_from(text: String) -> Result<Self, InvalidVersion> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(version: $name) -> Self {
                version.to_string()
            }
        }
    };
}

version! {
    /// A release of Tailscale, such as `1.102.5`: the version of the Go module `tailscale.com` without its `v`.
    Release, 3
}

version! {
    /// A release line, such as `1.102`. The registry of features is the same in all its releases.
    ReleaseLine, 2
}

version! {
    /// A version of the Go toolchain, such as `1.26.8`.
    GoVersion, 3
}

version! {
    /// A version of UPX, such as `4.2.2`.
    UpxVersion, 3
}

impl Release {
    /// Creates a release of its three numbers.
    pub(crate) const fn new(numbers: [u32; 3]) -> Self {
        Self(numbers)
    }

    /// The line that the release belongs to.
    #[must_use]
    pub fn line(self) -> ReleaseLine {
        ReleaseLine([self.0[0], self.0[1]])
    }

    /// Whether upstream calls it stable: the second number of an unstable one is odd.
    ///
    /// Source: `version/prop.go`, `IsUnstableBuild`.
    #[must_use]
    pub fn is_stable(self) -> bool {
        self.0[1].is_multiple_of(2)
    }

    /// The version of the Go module: `v1.102.5`.
    #[must_use]
    pub fn module_version(self) -> String {
        format!("v{self}")
    }
}

impl GoVersion {
    /// The line that the version belongs to, such as `1.26`.
    #[must_use]
    pub fn line(self) -> String {
        format!("{}.{}", self.0[0], self.0[1])
    }

    /// The name of the toolchain, as `GOTOOLCHAIN` and a binary's build information spell it: `go1.26.8`.
    #[must_use]
    pub fn toolchain(self) -> String {
        format!("go{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_compare_by_number() {
        let release = |text: &str| text.parse::<Release>().unwrap();
        assert!(release("1.98.10") > release("1.98.9"));
        assert!(release("1.100.0") > release("1.98.10"));
        assert_eq!(release("1.102.5").line().to_string(), "1.102");
    }

    #[test]
    fn two_components_are_no_release() {
        for text in
            ["1.102", "1.102.5.1", "v1.102.5", "1.102.05", "1.102.x", "", "1..2", "1.102.5-pre", "1.102.99999999999"]
        {
            assert!(text.parse::<Release>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_version_survives_printing(a in any::<u32>(), b in any::<u32>(), c in any::<u32>()) {
            let text = format!("{a}.{b}.{c}");
            prop_assert_eq!(text.parse::<Release>().unwrap().to_string(), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<GoVersion>();
        }
    }
}
