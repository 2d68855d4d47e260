//! The device: facts of where the binary will run, in a closed vocabulary, and the profiles that bundle them.

use std::collections::BTreeMap;
use std::fmt;

/// A fact that can be stated of a device: its name and the values it can have.
pub struct Vocabulary {
    /// The key in the file.
    pub fact: &'static str,
    /// The values that it can have.
    pub values: Values,
    /// The subject of the fact.
    pub meaning: &'static str,
}

/// The values that a fact can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// One of these words.
    Words(&'static [&'static str]),
    /// A list of flags (`--debug`) and environment variables (`TS_NO_LOGS_NO_SUPPORT=1`), joined by spaces.
    Settings,
    /// A size, such as `256 MB`.
    Size,
}

use Values::{Settings, Size, Words};

use super::size::parse_size;

/// The values of a fact about something that a device has or has not.
const PRESENCE: Values = Words(&["absent", "present"]);

/// Every fact, sorted by name.
pub static VOCABULARY: &[Vocabulary] = &[
    Vocabulary {
        fact: "ca_certificates",
        values: PRESENCE,
        meaning: "whether a bundle of CA certificates is installed",
    },
    Vocabulary {
        fact: "dns_server",
        values: PRESENCE,
        meaning: "whether the device resolves names for its network with the servers in /etc/resolv.conf",
    },
    Vocabulary {
        fact: "firewall",
        values: Words(&["iptables", "nftables", "none"]),
        meaning: "which firewall the daemon can use: one that the kernel offers and, for iptables, whose program is there",
    },
    Vocabulary { fact: "fpu", values: PRESENCE, meaning: "whether the processor has a floating-point unit; for MIPS" },
    Vocabulary {
        fact: "heap_limit",
        values: PRESENCE,
        meaning: "whether GOMEMLIMIT limits the daemon's heap, as the entrypoint of our image does",
    },
    Vocabulary { fact: "init", values: Words(&["none", "systemd"]), meaning: "what starts the daemon" },
    Vocabulary {
        fact: "memory",
        values: Size,
        meaning: "the memory that the daemon can use: of the device, or the limit of its container",
    },
    Vocabulary {
        fact: "policy_file",
        values: PRESENCE,
        meaning: "whether an administrator installs a policy file (/etc/tailscale/syspolicy.json)",
    },
    Vocabulary {
        fact: "resolver",
        values: Words(&["file", "networkmanager", "systemd-resolved"]),
        meaning: "what owns /etc/resolv.conf",
    },
    Vocabulary {
        fact: "start",
        values: Settings,
        meaning: "flags and TS_ environment variables of the command that starts the daemon, except --state, --statedir, --socket and --port with a path or a number",
    },
    Vocabulary {
        fact: "state",
        values: Words(&["moved", "new"]),
        meaning: "whether the state directory was written by a build with other features",
    },
    Vocabulary {
        fact: "storage",
        values: Words(&["disk", "flash", "memory"]),
        meaning: "where the state directory lives",
    },
    Vocabulary {
        fact: "tpm",
        values: PRESENCE,
        meaning: "whether the device has a TPM, with which a state file can be sealed",
    },
    Vocabulary {
        fact: "tun",
        values: Words(&["kernel", "userspace"]),
        meaning: "where packets enter: the kernel's TUN device or netstack",
    },
    Vocabulary { fact: "users", values: PRESENCE, meaning: "whether the device has users with a login shell" },
];

/// A profile is nothing but its facts. A fact that differs between devices of the profile is not stated.
pub struct Profile {
    /// The name that `device.profile` takes.
    pub name: &'static str,
    /// The device that it describes.
    pub meaning: &'static str,
    /// Its facts.
    pub facts: &'static [(&'static str, &'static str)],
}

/// Every profile, sorted by name.
pub static PROFILES: &[Profile] = &[
    Profile {
        name: "container",
        meaning: "a container on a Linux host, from an image without CA certificates, with the kernel's TUN device",
        facts: &[
            ("ca_certificates", "absent"),
            ("dns_server", "absent"),
            ("firewall", "nftables"),
            ("init", "none"),
            ("resolver", "file"),
            ("storage", "disk"),
            ("tun", "kernel"),
            ("users", "absent"),
        ],
    },
    Profile {
        name: "openwrt",
        meaning: "OpenWrt on a router's own flash",
        facts: &[
            ("ca_certificates", "present"),
            ("dns_server", "absent"),
            ("firewall", "nftables"),
            ("init", "none"),
            ("policy_file", "absent"),
            ("resolver", "file"),
            ("storage", "flash"),
            ("tun", "kernel"),
            ("users", "present"),
        ],
    },
    Profile {
        name: "routeros-container",
        meaning: "a container of our own image on a MikroTik router",
        facts: &[
            ("ca_certificates", "absent"),
            ("dns_server", "absent"),
            ("firewall", "none"),
            ("init", "none"),
            ("policy_file", "absent"),
            ("resolver", "file"),
            ("start", ""),
            ("storage", "flash"),
            ("tpm", "absent"),
            ("tun", "kernel"),
            ("users", "absent"),
        ],
    },
    Profile {
        name: "systemd-host",
        meaning: "a Linux server or single-board computer with systemd",
        facts: &[
            ("ca_certificates", "present"),
            ("dns_server", "absent"),
            ("firewall", "nftables"),
            ("init", "systemd"),
            ("resolver", "systemd-resolved"),
            ("storage", "disk"),
            ("tun", "kernel"),
            ("users", "present"),
        ],
    },
];

/// Where the binary will run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// The profile, if one is named.
    pub profile: Option<String>,
    /// The facts that hold: those of the profile with the policy's own in their place. A fact that is not
    /// here is unknown.
    pub facts: BTreeMap<String, String>,
}

impl Values {
    /// Returns whether a fact can have this value.
    #[must_use]
    pub fn has(self, value: &str) -> bool {
        match self {
            Self::Words(words) => words.contains(&value),
            Self::Settings => value.split_whitespace().all(is_setting),
            Self::Size => parse_size(value).is_some(),
        }
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(&words.join(", ")),
            Self::Size => f.write_str("a size such as `256 MB`"),
            Self::Settings => f.write_str("a list such as `[--debug=:8080, TS_DEBUG_MTU=1280]`"),
        }
    }
}

/// Returns whether a word is a flag or an environment variable with its value.
pub(crate) fn is_setting(word: &str) -> bool {
    let is_variable = || {
        let name = word.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| name.starts_with("TS_") && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    };
    !word.contains(char::is_whitespace) && (word.len() > 2 && word.starts_with("--") || is_variable())
}

impl Profile {
    /// The profile with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Profile> {
        PROFILES.iter().find(|profile| profile.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_state_facts_of_the_vocabulary() {
        assert!(VOCABULARY.is_sorted_by_key(|entry| entry.fact));
        assert!(PROFILES.is_sorted_by_key(|profile| profile.name));
        for profile in PROFILES {
            assert!(profile.facts.is_sorted_by_key(|(fact, _)| *fact), "{}", profile.name);
            for (fact, value) in profile.facts {
                let entry = VOCABULARY.iter().find(|entry| entry.fact == *fact).unwrap();
                assert!(entry.values.has(value), "{} {fact} {value}", profile.name);
            }
        }
    }

    #[test]
    fn settings_are_flags_and_variables() {
        for setting in ["--debug", "--debug=:8080", "TS_DEBUG_FIREWALL_MODE=iptables"] {
            assert!(Settings.has(setting), "{setting}");
        }
        for other in ["debug", "-debug", "--", "TS_X", "PATH=/bin", "--a b"] {
            assert!(!Settings.has(other), "{other}");
        }
    }
}
