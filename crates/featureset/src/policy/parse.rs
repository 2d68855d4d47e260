//! From text to policy: the shape of featureset.yaml, with a finding at its place for everything that
//! does not fit.
//!
//! Reading never stops at the first mistake: what can't be read is left out, so that the rules can judge
//! the rest, and everything is reported at once.

use std::collections::BTreeMap;

use spanned_yaml::{Key, Node, Plain, Value};

use super::decode::{Reader, list};
use super::device::{Device, PROFILES, Profile, VOCABULARY, Values, is_setting};
use super::model::{Build, Decision, Image, Inlining, Pack, Policy, Shell, Symbols, Target, Verdict};
use super::size::parse_size;
use super::source_map::SourceMap;
use crate::limits::{EXTRA_TAGS, TARGETS};
use crate::name::FeatureName;
use crate::platform::{PLATFORMS, Platform};
use diagnostics::{Code, Diagnostic, Label, NextStep, Span};

/// The keys that a policy may have, in the order of the file.
pub const TOP_LEVEL_KEYS: &[&str] = &["tailscale", "go", "device", "build", "image", "targets", "accepted", "features"];

const BUILD_KEYS: &[&str] = &["inlining", "symbols", "pack", "extra_tags", "go_experiments"];

const TARGET_KEYS: &[&str] = &["platform", "budget", "device", "build", "image", "accepted", "features"];

/// The value of a target's `image` if it has none although the policy has one.
const NO_IMAGE: &str = "none";

/// The result of parsing a text.
#[derive(Debug, Clone)]
pub struct ParsedPolicy {
    /// The policy as far as it could be read; `None` if the text is not YAML.
    pub policy: Option<Policy>,
    /// The span of each key and value.
    pub places: SourceMap,
    /// Findings, in the order of the text.
    pub findings: Vec<Diagnostic>,
}

/// Reads a policy from the text of a featureset.yaml.
#[must_use]
pub fn read(text: &str) -> ParsedPolicy {
    let mut reader = Reader { places: SourceMap::default(), findings: Vec::new(), path: Vec::new() };
    let policy = match spanned_yaml::read(text) {
        Ok(Some(root)) => Some(reader.policy(&root)),
        // Nothing but comments: everything is missing.
        Ok(None) => {
            let nothing = Node { span: Span::default(), value: Value::Mapping(Vec::new()) };
            reader.policy(&nothing);
            None
        }
        Err(error) => {
            reader.findings.push(
                Diagnostic::new(error.code, "the policy can't be read as YAML", NextStep::default())
                    .at(Label::new(error.span, error.reason)),
            );
            None
        }
    };
    reader.findings.sort_by_key(|finding| finding.span());
    ParsedPolicy { policy, places: reader.places, findings: reader.findings }
}

impl Reader {
    fn policy(&mut self, root: &Node) -> Policy {
        let mut policy = Policy::default();
        let mut targets = Vec::new();
        self.entries(root, "a mapping of the policy's sections", |reader, key, node| match key.text.as_str() {
            "tailscale" => policy.tailscale = reader.version(node),
            "go" => policy.go = reader.version(node),
            "device" => policy.device = reader.device(node),
            "build" => policy.build = reader.build(node, Build::default()),
            "image" => policy.image = Some(reader.image(node, Image::default())),
            "targets" => targets.push(node.clone()),
            "accepted" => policy.accepted = reader.reasons(node, "a mapping of hazards to reasons"),
            "features" => policy.features = reader.features(node),
            _ => reader.unknown_key(key, TOP_LEVEL_KEYS),
        });
        // A target overrides the common settings, so they are read first, wherever they are in the text.
        for node in &targets {
            if node.plain() == Some(Plain::Nothing) || node.value == Value::Mapping(Vec::new()) {
                let place = Label::new(self.places.key(&["targets"]), "no target in here");
                let next = "Add a target, such as `arm64: { platform: linux/arm64 }`.".to_owned();
                self.report(Code::MissingKey, "`targets` names no target".to_owned(), place, next);
            }
        }
        for node in targets {
            self.path.push("targets".to_owned());
            policy.targets = self.targets(&node, &policy);
            self.path.pop();
        }
        for key in ["tailscale", "go", "targets", "features"] {
            if !self.places.has(&[key]) {
                self.missing(key, Span::default());
            }
        }
        policy
    }

    fn device(&mut self, node: &Node) -> Device {
        let mut device = Device::default();
        let mut own = BTreeMap::new();
        let profiles: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
        self.entries(node, "a mapping of facts", |reader, key, node| {
            if key.text == "profile" {
                device.profile =
                    reader.word(node, &profiles, |word| Profile::find(word).map(|profile| profile.name.to_owned()));
            } else if let Some(entry) = VOCABULARY.iter().find(|entry| entry.fact == key.text) {
                own.extend(reader.fact(node, entry.values).map(|value| (entry.fact.to_owned(), value)));
            } else {
                reader.unknown_fact(key);
            }
        });
        let profile = device.profile.as_deref().and_then(Profile::find);
        let bundled = profile.into_iter().flat_map(|profile| profile.facts);
        device.facts = bundled.map(|(fact, value)| ((*fact).to_owned(), (*value).to_owned())).chain(own).collect();
        device
    }

    fn fact(&mut self, node: &Node, values: Values) -> Option<String> {
        match values {
            Values::Words(words) => {
                let word = self.text(node, "one word")?;
                if !values.has(&word) {
                    self.unknown_value(Code::UnknownDeviceFact, node, &word, words);
                    return None;
                }
                Some(word)
            }
            Values::Settings => self.settings(node),
            Values::Size => {
                let size = self.text(node, "a size")?;
                if !values.has(&size) {
                    let message = format!("`{size}` is not a size");
                    let next = "Write a number and MB or kB, such as 256 MB.";
                    self.report(Code::UnknownDeviceFact, message, Label::new(node.span, "not a size"), next);
                    return None;
                }
                Some(size)
            }
        }
    }

    /// Reads a list of flags and environment variables.
    fn settings(&mut self, node: &Node) -> Option<String> {
        const WANTED: &str = "a list of flags and environment variables";
        let Value::Sequence(nodes) = &node.value else {
            self.wrong_type(node, WANTED);
            return None;
        };
        let mut settings = Vec::new();
        for node in nodes {
            let word = self.text(node, "a flag or an environment variable")?;
            if !is_setting(&word) {
                let message = format!("`{word}` is neither a flag nor an environment variable of the daemon");
                let next = "Write it as `--flag`, `--flag=value` or `TS_NAME=value`.";
                self.report(Code::UnknownDeviceFact, message, Label::new(node.span, "not a setting"), next);
                return None;
            }
            settings.push(word);
        }
        Some(settings.join(" "))
    }

    fn unknown_fact(&mut self, key: &Key) {
        let known: Vec<&str> = VOCABULARY.iter().map(|entry| entry.fact).chain(["profile"]).collect();
        let near = self.near(&key.text, &known);
        let next =
            near.map_or_else(|| format!("The facts are {}.", list(&known)), |near| format!("Did you mean `{near}`?"));
        let message = format!("`{}` is not a fact that can be stated of a device", key.text);
        self.report(Code::UnknownDeviceFact, message, Label::new(key.span, "not in the vocabulary"), next);
    }

    fn build(&mut self, node: &Node, mut build: Build) -> Build {
        self.entries(node, "a mapping of build settings", |reader, key, node| match key.text.as_str() {
            "inlining" => build.inlining = reader.word(node, Inlining::WORDS, Inlining::from_word).unwrap_or_default(),
            "symbols" => build.symbols = reader.word(node, Symbols::WORDS, Symbols::from_word).unwrap_or_default(),
            "pack" => build.pack = reader.word(node, Pack::WORDS, Pack::from_word).unwrap_or_default(),
            "extra_tags" => {
                let node = reader.bounded(node, EXTRA_TAGS);
                build.extra_tags = reader.reasons(&node, "a mapping of build tags to reasons");
            }
            "go_experiments" => {
                let node = reader.bounded(node, EXTRA_TAGS);
                build.go_experiments = reader.reasons(&node, "a mapping of Go experiments to reasons");
            }
            _ => reader.unknown_key(key, BUILD_KEYS),
        });
        build
    }

    fn image(&mut self, node: &Node, mut image: Image) -> Image {
        self.entries(node, "a mapping of image settings", |reader, key, node| match key.text.as_str() {
            "shell" => image.shell = reader.word(node, Shell::WORDS, Shell::from_word).unwrap_or_default(),
            _ => reader.unknown_key(key, &["shell"]),
        });
        image
    }

    /// Reads the image of a target: settings that replace those of the common one, or `none`.
    fn own_image(&mut self, node: &Node, common: Option<Image>) -> Option<Image> {
        if let (Value::Scalar { text, .. }, Some(Plain::Text)) = (&node.value, node.plain()) {
            if text != NO_IMAGE {
                self.unknown_value(Code::UnknownValue, node, text, &[NO_IMAGE]);
            }
            return None;
        }
        Some(self.image(node, common.unwrap_or_default()))
    }

    fn targets(&mut self, node: &Node, common: &Policy) -> BTreeMap<String, Target> {
        let mut targets = BTreeMap::new();
        let node = self.bounded(node, TARGETS);
        self.entries(&node, "a mapping of targets", |reader, key, node| {
            // The name becomes a folder under target/.
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            if key.text.is_empty() || !key.text.chars().all(plain) {
                let message = format!("`{}` can't name a target", key.text);
                let next = "Use lower-case letters, digits, `-` and `_`: the name becomes a folder.".to_owned();
                reader.report(Code::InvalidTargetName, message, Label::new(key.span, "not a name"), next);
            } else if let Some(target) = reader.target(node, common, key) {
                targets.insert(key.text.clone(), target);
            }
        });
        targets
    }

    fn target(&mut self, node: &Node, common: &Policy, name: &Key) -> Option<Target> {
        let (mut platform, mut budget, mut device) = (None, None, None);
        let (mut build, mut image) = (common.build.clone(), common.image);
        let (mut accepted, mut features) = (BTreeMap::new(), BTreeMap::new());
        let mut named = false;
        self.entries(node, "a mapping with a platform", |reader, key, node| match key.text.as_str() {
            "platform" => {
                named = true;
                platform = reader.platform(node);
            }
            "budget" => budget = reader.budget(node),
            "device" => device = Some(reader.device(node)),
            "build" => build = reader.build(node, build.clone()),
            "image" => image = reader.own_image(node, image),
            "accepted" => accepted = reader.reasons(node, "a mapping of hazards to reasons"),
            "features" => features = reader.features(node),
            key_of_build if BUILD_KEYS.contains(&key_of_build) => {
                let message = format!("`{}` is not a key of the format", reader.path.join("."));
                let next = format!("Write it in the target's `build:`, as `build: {{ {}: … }}`.", key.text);
                reader.report(Code::UnknownKey, message, Label::new(key.span, "not known here"), next);
            }
            _ => reader.unknown_key(key, TARGET_KEYS),
        });
        if !named {
            self.missing("platform", name.span);
        }
        let platform = platform?;
        if !self.places.has(&["build", "pack"]) && !self.places.has(&["targets", &name.text, "build", "pack"]) {
            build.pack = Pack::default_for(platform);
        }
        Some(Target { platform, budget, device, build, image, accepted, features })
    }

    fn platform(&mut self, node: &Node) -> Option<&'static Platform> {
        let word = self.text(node, "a platform")?;
        let near = match Platform::named(&word) {
            Ok(platform) => return Some(platform),
            Err(near) => near,
        };
        if near.iter().all(|name| name.starts_with(&format!("{word}/"))) {
            let message = format!("`{word}` does not say which variant");
            let next = format!("Take one of {}.", list(&near));
            self.report(Code::UnknownPlatform, message, Label::new(node.span, "no variant"), next);
        } else {
            let names: Vec<&str> = PLATFORMS.iter().map(|platform| platform.name).collect();
            self.unknown_value(Code::UnknownPlatform, node, &word, &names);
        }
        None
    }

    fn budget(&mut self, node: &Node) -> Option<u64> {
        let word = self.text(node, "a size with its unit, such as 3.8 MB")?;
        let size = parse_size(&word);
        if size.is_none() {
            let message = format!("`{word}` is not a size");
            let next = "Write a number and `MB` or `kB`; a MB is 1,000,000 bytes.".to_owned();
            self.report(Code::InvalidBudget, message, Label::new(node.span, "not a size"), next);
        }
        size
    }

    fn reasons(&mut self, node: &Node, wanted: &str) -> BTreeMap<String, String> {
        let mut reasons = BTreeMap::new();
        self.entries(node, wanted, |reader, key, node| {
            if let Some(reason) = reader.reason(node) {
                reasons.insert(key.text.clone(), reason);
            }
        });
        reasons
    }

    /// A reason: one paragraph. Nothing at all is an empty reason, which has its own finding.
    fn reason(&mut self, node: &Node) -> Option<String> {
        if node.plain() == Some(Plain::Nothing) {
            return Some(String::new());
        }
        self.text(node, "a reason in words").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn features(&mut self, node: &Node) -> BTreeMap<FeatureName, Decision> {
        let mut features = BTreeMap::new();
        self.entries(node, "a mapping of features to decisions", |reader, key, node| {
            match FeatureName::new(&key.text) {
                Ok(name) => {
                    if let Some(decision) = reader.decision(key, node) {
                        features.insert(name, decision);
                    }
                }
                Err(error) => {
                    let place = Label::new(key.span, "not a name");
                    let next =
                        NextStep::new("Delete the entry, or write the name as ").command("list").text(" shows it.");
                    reader.report(Code::UnknownFeature, error.to_string(), place, next);
                }
            }
        });
        features
    }

    fn decision(&mut self, key: &Key, node: &Node) -> Option<Decision> {
        let mut verdicts: Vec<(Verdict, String, Span)> = Vec::new();
        let mut refs = Vec::new();
        self.entries(node, "a mapping with `keep` or `omit`", |reader, key, node| match key.text.as_str() {
            "keep" | "omit" => {
                let verdict = if key.text == "keep" { Verdict::Keep } else { Verdict::Omit };
                if let Some(reason) = reader.reason(node) {
                    verdicts.push((verdict, reason, key.span));
                }
            }
            "refs" => refs = reader.references(node),
            _ => reader.unknown_key(key, &["keep", "omit", "refs"]),
        });
        if let [(_, _, first), (_, _, second)] = &verdicts[..] {
            let message = format!("`{}` is both kept and omitted", key.text);
            let next = "Delete one of the two.".to_owned();
            self.report(Code::ConflictingDecisions, message, Label::new(*second, "decided again"), next);
            if let Some(finding) = self.findings.last_mut() {
                finding.related.push(Label::new(*first, "decided here"));
            }
        }
        // An entry without a decision is left to the rule on undecided features.
        let (verdict, reason, _) = verdicts.into_iter().next()?;
        Some(Decision { verdict, reason, refs })
    }

    fn references(&mut self, node: &Node) -> Vec<String> {
        let Value::Sequence(items) = &node.value else {
            self.wrong_type(node, "a list of references");
            return Vec::new();
        };
        let mut references = Vec::new();
        for item in items {
            let Some(reference) = self.text(item, "a reference") else { continue };
            if is_reference(&reference) {
                references.push(reference);
            } else {
                let message = format!("`{reference}` is not a reference");
                let next = "Write `owner/repository#123`, `owner/repository@commit` or an https URL.".to_owned();
                self.report(Code::InvalidReference, message, Label::new(item.span, "can't be followed"), next);
            }
        }
        references
    }
}

/// Whether a text is `owner/repository#number`, `owner/repository@commit` or an https URL.
fn is_reference(text: &str) -> bool {
    let name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let repository =
        |text: &str| text.split_once('/').is_some_and(|(owner, repository)| name(owner) && name(repository));
    if let Some(rest) = text.strip_prefix("https://") {
        return rest.contains('.') && !rest.contains(char::is_whitespace);
    }
    if let Some((place, number)) = text.split_once('#') {
        return repository(place) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    }
    text.split_once('@').is_some_and(|(place, commit)| {
        repository(place) && (7..=40).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}
