//! A release with a few features and no dependencies.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

use std::collections::BTreeSet;

use tagscan::{Featuretags, Upstream};

/// Its features.
pub const FEATURES: [&str; 14] = [
    "aws",
    "bird",
    "cli",
    "debug",
    "dns",
    "dnsresolvecache",
    "ipnbus",
    "kube",
    "netstack",
    "osrouter",
    "serve",
    "ssh",
    "tap",
    "unixsocketidentity",
];

/// Its programs.
pub struct Toy;

impl Upstream for Toy {
    fn featuretags(&self, call: &Featuretags) -> Option<Vec<String>> {
        let names = |words: &[tagscan::Word]| words.iter().map(|word| word.text.clone()).collect::<BTreeSet<_>>();
        let (add, remove) = (names(&call.add), names(&call.remove));
        if call.refused.is_some() || remove.iter().any(|name| !FEATURES.contains(&name.as_str())) {
            return None;
        }
        let omitted = FEATURES.iter().filter(|name| call.min && **name != "cli" && !add.contains(**name));
        let mut tags: BTreeSet<String> = omitted.map(|name| format!("ts_omit_{name}")).collect();
        tags.extend(remove.iter().map(|name| format!("ts_omit_{name}")));
        tags.extend(add.contains("cli").then(|| "ts_include_cli".to_owned()));
        Some(tags.into_iter().collect())
    }

    fn extra_small(&self) -> Option<Vec<String>> {
        Some(vec!["osrouter".to_owned()])
    }
}
