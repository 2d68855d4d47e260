//! Random selections on random releases and devices, and the core's judgement of each.

use std::collections::{BTreeMap, BTreeSet};

use diagnostics::Code;
use featureset::change::Side;
use featureset::cost::estimate::target_sizes;
use featureset::explore::{Sources, document};
use featureset::hazard::applying::Applying;
use featureset::name::FeatureName;
use featureset::platform::PLATFORMS;
use featureset::policy::device::{VOCABULARY, Values};
use featureset::policy::{ParsedPolicy, read};
use featureset::recipe::tag_line;
use featureset::registry::Registry;
use featureset::release::Release;
use featureset::rules;
use featureset::selection::Selection;
use featureset::upstream_data::UpstreamData;
use serde_json::{Value, json};

/// Settings of the start command that hazards ask for, and others.
const SETTINGS: &[&str] = &[
    "[]",
    "[--debug=:8080, --syslog]",
    "[TS_DEBUG_FIREWALL_MODE=iptables, --state=kube:x]",
    "[--debugger, --encrypt-state, --state=mem:]",
    "[--bird-socket=/run/bird, --socks5-server=:1080, --state=arn:x, --syspolicy-file=/x]",
];

/// A generator of numbers with a fixed seed.
pub(super) struct Generator(u64);

/// A random case: the values that the page gets, and the policy with the same decisions.
pub(super) struct Case {
    pub(super) given: Value,
    text: String,
    reading: ParsedPolicy,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below a limit (xorshift64*).
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit
    }

    fn pick<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.below(values.len())]
    }

    /// Returns a random case.
    pub(super) fn case(&mut self) -> Case {
        let facts = UpstreamData::embedded();
        let releases: Vec<(Release, &Registry)> = facts
            .registries()
            .flat_map(|registry| registry.releases.keys().map(move |release| (*release, registry)))
            .collect();
        let (release, registry) = *self.pick(&releases);
        // Few, half or most of the features are kept; some are not decided.
        let (kept_share, undecided_share) = (*self.pick(&[5, 30, 50, 80, 97]), *self.pick(&[0, 0, 10, 40]));
        let (mut keep, mut omit) = (BTreeSet::new(), BTreeSet::new());
        for name in registry.features.keys() {
            if self.below(100) < kept_share {
                keep.insert(name.clone());
            } else if self.below(100) >= undecided_share {
                omit.insert(name.clone());
            }
        }
        let kept: BTreeSet<FeatureName> = keep.iter().flat_map(|name| registry.requires(name)).collect();
        let mut text = format!(
            "tailscale: {release}\ngo: {}\n{}targets:\n",
            self.pick(&["1.24.1", "1.25.0", "1.26.0", "1.26.8"]),
            self.device()
        );
        for number in 0..=self.below(3) {
            let platform = self.pick(PLATFORMS).name;
            let extra = *self.pick(&[
                "",
                "    build: { symbols: functions }\n",
                "    build: { symbols: functions, pack: execpack, inlining: hot-paths }\n",
                "    build: { symbols: none, pack: none, inlining: none }\n",
                "    build: { extra_tags: { ts_package_container: A test., zz_last: Another. } }\n",
            ]);
            text += &format!("  t{number}:\n    platform: {platform}\n{extra}{}", self.overrides(registry));
        }
        text += "features:\n";
        for name in registry.features.keys().filter(|name| kept.contains(*name) || omit.contains(*name)) {
            let verdict = if kept.contains(name) { "keep" } else { "omit" };
            text += &format!("  {name}:\n    {verdict}: The decision on {name}.\n");
        }
        let reading = read(&text);
        let side = Side { text: &text, reading: &reading };
        let exported = serde_json::to_value(document(
            Sources { policy: side, base: None, descriptions: &BTreeMap::new(), facts },
            "cargo xtask",
        ))
        .unwrap();
        // The page gets the open selection and closes it itself; the targets are those that the core exports.
        let given = json!({
            "release": release, "keep": keep, "omit": omit,
            "targets": exported["policies"][0]["targets"], "costs": exported["costs"],
        });
        Case { given, text, reading }
    }

    /// Returns the device and the decisions of a target that differ from the common ones; often none.
    fn overrides(&mut self, registry: &Registry) -> String {
        let mut text = String::new();
        if self.below(4) == 0 {
            text += &self.device().lines().map(|line| format!("    {line}\n")).collect::<String>();
        }
        if self.below(3) == 0 {
            let names: Vec<&FeatureName> = registry.features.keys().collect();
            let own: BTreeSet<&FeatureName> = (0..=self.below(6)).map(|_| *self.pick(&names)).collect();
            text += "    features:\n";
            for name in own {
                let verdict = *self.pick(&["keep", "omit"]);
                text += &format!("      {name}:\n        {verdict}: The target's own decision on {name}.\n");
            }
        }
        text
    }

    /// Returns a random device: a profile, some facts, or nothing.
    fn device(&mut self) -> String {
        let profile = *self.pick(&["", "", "profile: openwrt", "profile: routeros-container", "profile: systemd-host"]);
        let mut parts: Vec<String> = [profile].into_iter().filter(|text| !text.is_empty()).map(str::to_owned).collect();
        for entry in VOCABULARY {
            if self.below(2) == 0 {
                let value = match entry.values {
                    Values::Words(words) => *self.pick(words),
                    Values::Settings => *self.pick(SETTINGS),
                    Values::Size => *self.pick(&["64 MB", "511.999 MB", "512 MB", "2000 MB"]),
                };
                parts.push(format!("{}: {value}", entry.fact));
            }
        }
        if parts.is_empty() { String::new() } else { format!("device: {{ {} }}\n", parts.join(", ")) }
    }
}

impl Case {
    /// Returns the core's judgement in the form of the page's.
    pub(super) fn expected(&self) -> Value {
        let facts = UpstreamData::embedded();
        let policy = self.reading.policy.as_ref().unwrap();
        let registry = facts.registry(policy.tailscale.unwrap()).unwrap();
        let selection = Selection::new(policy.common(), registry);
        let severities: BTreeMap<String, &str> = rules::judge(&self.text, &self.reading, facts)
            .into_iter()
            .filter_map(|finding| match finding.code {
                Code::Hazard(id) => Some((id, finding.severity.word())),
                _ => None,
            })
            .collect();
        let hazards: Vec<Value> = rules::hazards(policy, facts)
            .into_iter()
            .map(|one| {
                json!([
                    one.hazard.id,
                    severities[&one.hazard.id],
                    one.targets,
                    one.possible,
                    one.unstated,
                    remedy(&one)
                ])
            })
            .collect();
        assert_eq!(hazards.len(), severities.len());
        let tags: Vec<String> = policy
            .effective()
            .map(|target| tag_line(&Selection::new(target, registry), target.build()).join(","))
            .collect();
        let sizes: BTreeMap<String, Value> = target_sizes(policy, registry)
            .into_iter()
            .map(|(name, size)| (name, json!({ "packed": size.bytes, "unpriced": size.basis.unpriced })))
            .collect();
        assert_eq!(sizes.len(), policy.targets.len());
        json!({
            "kept": selection.kept,
            "hazards": hazards,
            "tags": tags,
            "sizes": sizes,
        })
    }
}

fn remedy(one: &Applying<'_>) -> Vec<[String; 2]> {
    one.remedy.iter().map(|flip| [flip.verdict().word().to_owned(), flip.feature().to_string()]).collect()
}
