//! The device: facts of where the binary will run, in a closed vocabulary, and the profiles that bundle them.

use std::collections::BTreeMap;

/// A fact that can be stated of a device: its name and the values it can have.
pub struct Vocabulary {
    /// The key in the file.
    pub fact: &'static str,
    /// The values.
    pub values: &'static [&'static str],
    /// The subject of the fact.
    pub meaning: &'static str,
}

/// Every fact, sorted by name.
pub static VOCABULARY: &[Vocabulary] = &[
    Vocabulary {
        fact: "ca_certificates",
        values: &["absent", "present"],
        meaning: "whether a bundle of CA certificates is installed",
    },
    Vocabulary {
        fact: "firewall",
        values: &["iptables", "nftables", "none"],
        meaning: "which firewall the daemon can use: one that the kernel offers and, for iptables, whose program is there",
    },
    Vocabulary { fact: "init", values: &["none", "systemd"], meaning: "what starts the daemon" },
    Vocabulary {
        fact: "resolver",
        values: &["file", "networkmanager", "systemd-resolved"],
        meaning: "what owns /etc/resolv.conf",
    },
    Vocabulary { fact: "storage", values: &["disk", "flash", "memory"], meaning: "where the state directory lives" },
    Vocabulary {
        fact: "tun",
        values: &["kernel", "userspace"],
        meaning: "where packets enter: the kernel's TUN device or netstack",
    },
];

/// A profile is nothing but its facts.
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
        name: "openwrt",
        meaning: "OpenWrt on a router's own flash",
        facts: &[
            ("ca_certificates", "present"),
            ("firewall", "nftables"),
            ("init", "none"),
            ("resolver", "file"),
            ("storage", "flash"),
            ("tun", "kernel"),
        ],
    },
    Profile {
        name: "routeros-container",
        meaning: "a container of our own image on a MikroTik router",
        facts: &[
            ("ca_certificates", "absent"),
            ("firewall", "none"),
            ("init", "none"),
            ("resolver", "file"),
            ("storage", "flash"),
            ("tun", "kernel"),
        ],
    },
    Profile {
        name: "systemd-host",
        meaning: "a Linux server or single-board computer with systemd",
        facts: &[
            ("ca_certificates", "present"),
            ("firewall", "nftables"),
            ("init", "systemd"),
            ("resolver", "systemd-resolved"),
            ("storage", "disk"),
            ("tun", "kernel"),
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
    fn profiles_state_every_fact_in_the_vocabulary_s_words() {
        assert!(VOCABULARY.is_sorted_by_key(|entry| entry.fact));
        assert!(PROFILES.is_sorted_by_key(|profile| profile.name));
        for profile in PROFILES {
            let stated: Vec<_> = profile.facts.iter().map(|(fact, _)| *fact).collect();
            let known: Vec<_> = VOCABULARY.iter().map(|entry| entry.fact).collect();
            assert_eq!(stated, known, "{}", profile.name);
            for ((_, value), entry) in profile.facts.iter().zip(VOCABULARY) {
                assert!(entry.values.contains(value), "{} {value}", profile.name);
            }
        }
    }
}
