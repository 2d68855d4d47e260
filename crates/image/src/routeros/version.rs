//! The versions of RouterOS, and how the commands differ between them.

use std::fmt;
use std::str::FromStr;

/// A version such as `7.21` or `7.21.2`. A suffix (`beta1`, `rc2`) is accepted and ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

/// The first version whose syntax is known.
pub const FIRST: Version = Version { major: 7, minor: 15 };

/// The last version whose syntax is known.
pub const LAST: Version = Version { major: 7, minor: 24 };

impl Version {
    /// Every known version, oldest first.
    pub fn known() -> impl Iterator<Item = Self> {
        (FIRST.minor..=LAST.minor).map(|minor| Self { major: 7, minor })
    }

    fn from(self, minor: u32) -> bool {
        self >= Self { major: 7, minor }
    }

    /// The key that names a list of variables: `list` since 7.20.
    pub(super) fn envs_key(self) -> &'static str {
        if self.from(20) { "list" } else { "name" }
    }

    /// The container's parameter that takes such a list: `envlists` since 7.20.
    pub(super) fn envs_parameter(self) -> &'static str {
        if self.from(20) { "envlists" } else { "envlist" }
    }

    /// The key that names a mount: `list` since 7.21.
    pub(super) fn mounts_key(self) -> &'static str {
        if self.from(21) { "list" } else { "name" }
    }

    /// The container's parameter that takes it: `mountlists` since 7.21.
    pub(super) fn mounts_parameter(self) -> &'static str {
        if self.from(21) { "mountlists" } else { "mounts" }
    }

    /// Whether containers have names: since 7.19.
    pub(super) fn has_names(self) -> bool {
        self.from(19)
    }

    /// Whether a container has its own limit of memory: `memory-high` since 7.20.
    pub(super) fn has_memory_limit(self) -> bool {
        self.from(20)
    }

    /// The parameters that start a container again after it ended: since 7.20, with a policy since 7.23.
    pub(super) fn restart_parameters(self) -> &'static str {
        if self.from(23) {
            " restart-policy=on-failure restart-interval=10s"
        } else if self.from(20) {
            " auto-restart-interval=10s"
        } else {
            ""
        }
    }

    /// Whether RouterOS runs health checks: since 7.22.
    pub(super) fn has_health_checks(self) -> bool {
        self.from(22)
    }

    /// Whether RouterOS stops a container that is unhealthy: since 7.23.
    pub(super) fn stops_unhealthy(self) -> bool {
        self.from(23)
    }

    /// Whether the command must be set: `no command specified` was reported for 7.22.
    pub(super) fn needs_command(self) -> bool {
        self.from(22)
    }

    /// Whether the container's main table needs the tailnet's routes: reported for 7.22.
    pub(super) fn needs_main_routes(self) -> bool {
        self.from(22)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a version of RouterOS looks like 7.21 or 7.21.2".to_owned();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (numbers, rest) = text.split_at(end);
        let stage = ["beta", "rc"].iter().find_map(|stage| rest.strip_prefix(stage));
        let stage = rest.is_empty() || stage.is_some_and(|number| number.parse::<u8>().is_ok());
        let parts: Option<Vec<u32>> = numbers.split('.').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some([major, minor] | [major, minor, _]) if stage => Ok(Self { major: *major, minor: *minor }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
