//! A verdict on any archive: what makes RouterOS refuse it, run the wrong thing or waste its flash.
//!
//! The archive may come from anywhere and be made to hurt: nothing in it is unpacked, no length that it states is
//! believed before the bytes are there, and the work grows with the length of the file and nothing else.

mod layers;
mod members;
mod table;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

pub use table::{LINTS, Lint};

use crate::limits::{LONGEST_DESCRIPTION, MOST_ALIKE, MOST_LAYERS};
use crate::platform::Platform;
use crate::root::Part;
pub(crate) use members::normal;
use members::{Kind, Member, Room};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// RouterOS refuses the archive, or what it runs is not what it should be.
    Error,
    /// It runs, but wastes flash or lacks something.
    Warning,
}

/// One thing that is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it finds, and how much that weighs.
    pub lint: &'static Lint,
    /// What was found, in one sentence. Names from the archive are escaped.
    pub message: String,
    /// The member of the archive, or the path in a layer; empty for the archive as a whole.
    pub place: String,
}

/// What an executable says of itself, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its processor as Go's `GOARCH` names it; nothing for one that Go does not build for.
    pub architecture: Option<&'static str>,
    /// Whether it says that it needs more than arm v5 has: floating-point registers, or a later level of instructions.
    pub beyond_v5: bool,
}

/// Tells what an executable is; nothing for a file that is none.
pub type Identify<'a> = &'a dyn Fn(&[u8]) -> Option<Program>;

/// What the archive should be, where that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The platform that it was made for.
    pub platform: Option<Platform>,
    /// The SHA-256 of the binary in it, in hexadecimal, as the manifest of the build has it.
    pub binary: Option<String>,
}

/// What was found, and what the archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Everything that is wrong, errors first.
    pub findings: Vec<Finding>,
    /// The platform that the configuration names, such as `linux/arm/v5`; empty if there is none.
    pub platform: String,
    /// How many layers were looked into.
    pub layers: usize,
    /// What each file costs on flash, most first, and the folders together.
    pub parts: Vec<Part>,
    /// How many findings of a lint are not among the findings, for there are too many of them.
    pub more: BTreeMap<&'static str, usize>,
}

impl Verdict {
    fn find(&mut self, code: &str, place: &str, message: String) {
        let lint = table::get(code);
        if self.findings.iter().filter(|finding| finding.lint.code == lint.code).count() < MOST_ALIKE {
            self.findings.push(Finding { lint, message, place: place.to_owned() });
        } else {
            *self.more.entry(lint.code).or_default() += 1;
        }
    }

    /// What the whole root takes on flash, in bytes.
    #[must_use]
    pub fn on_flash(&self) -> u64 {
        self.parts.iter().map(|part| part.disk).fold(0, u64::saturating_add)
    }

    /// Whether anything keeps the image from running as it should.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.lint.severity == Severity::Error)
    }
}

/// A text from the archive, safe to print: control characters are escaped, and what is too long is cut.
pub(crate) fn shown(text: &str) -> String {
    let short: String = text.chars().take(120).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", short.escape_debug().to_string().replace("\\'", "'"))
}

/// Judges an archive.
#[must_use]
pub fn judge(archive: &[u8], expected: &Expected, identify: Identify<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    look(archive, expected, identify, &mut verdict);
    verdict.findings.sort_by_key(|finding| (finding.lint.severity, finding.lint.code));
    verdict.findings.dedup();
    verdict
}

fn look(archive: &[u8], expected: &Expected, identify: Identify<'_>, verdict: &mut Verdict) {
    if let Some(format) = compression(archive) {
        verdict.find("compressed-archive", "", format!("the archive itself is compressed with {format}"));
        return;
    }
    let mut room = Room::default();
    let members = members::read(archive, "", &mut room, verdict);
    twice(&members, verdict);
    if members.is_empty() {
        if !verdict.has_errors() {
            verdict.find("unreadable", "", "there is no file in it".to_owned());
        }
        return;
    }
    let files: BTreeMap<&str, &Member<'_>> = members
        .iter()
        .filter(|member| member.kind == Kind::File)
        .map(|member| (member.path.as_str(), member))
        .collect();
    let Some(manifest) = files.get("manifest.json") else {
        if files.contains_key("index.json") || files.contains_key("oci-layout") {
            verdict.find("oci-layout", "", "the archive is an OCI layout without a manifest.json".to_owned());
        } else {
            verdict.find("no-manifest", "", "there is no manifest.json in it".to_owned());
        }
        return;
    };
    let Some(image) = description(manifest, verdict).and_then(|bytes| only_image(bytes, verdict)) else { return };
    let config = member_named(&image["Config"], &files, verdict).and_then(|member| {
        let bytes = description(member, verdict)?;
        let value = serde_json::from_slice::<Value>(bytes).ok().filter(Value::is_object);
        if value.is_none() {
            verdict.find("bad-config", &shown(&member.path), "the configuration is not a JSON object".to_owned());
        }
        value
    });
    let layers = layer_members(&image, &files, verdict);
    let Some(config) = config else { return };
    verdict.platform = platform(&config, expected, verdict);
    digests(&config, &layers, verdict);
    layers::judge(&layers, &config, expected, identify, &mut room, verdict);
}

/// Finds members that are in the archive twice. A folder may be: it has nothing in it.
fn twice(members: &[Member<'_>], verdict: &mut Verdict) {
    let mut first: HashMap<&str, &Kind> = HashMap::new();
    let mut found = BTreeSet::new();
    for member in members {
        let earlier = first.insert(&member.path, &member.kind);
        if earlier.is_some_and(|kind| *kind != Kind::Folder || member.kind != Kind::Folder) {
            found.insert(&member.path);
        }
    }
    for path in found {
        let path = shown(path);
        verdict.find("member-twice", &path, format!("`{path}` is in the archive more than once"));
    }
}

/// The bytes of a manifest or a configuration, unless it is longer than any.
fn description<'a>(member: &Member<'a>, verdict: &mut Verdict) -> Option<&'a [u8]> {
    if member.bytes.len() > LONGEST_DESCRIPTION {
        let length = member.bytes.len();
        let message = format!("it has {length} bytes; more than {LONGEST_DESCRIPTION} are not read");
        verdict.find("absurd-size", &shown(&member.path), message);
        return None;
    }
    Some(member.bytes)
}

/// The one image of the manifest.
fn only_image(bytes: &[u8], verdict: &mut Verdict) -> Option<Value> {
    let images = match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Array(images)) => images,
        Ok(_) => {
            verdict.find("bad-manifest", "manifest.json", "it is not a list of images".to_owned());
            return None;
        }
        Err(error) => {
            verdict.find("bad-manifest", "manifest.json", format!("it is not JSON: {error}"));
            return None;
        }
    };
    if images.len() > 1 {
        verdict.find("several-images", "manifest.json", format!("it names {} images", images.len()));
    }
    let first = images.into_iter().next().filter(Value::is_object);
    if first.is_none() {
        verdict.find("bad-manifest", "manifest.json", "it names no image".to_owned());
    }
    first
}

/// The member that a value of the manifest names.
fn member_named<'a, 'b>(
    name: &Value,
    files: &BTreeMap<&str, &'a Member<'b>>,
    verdict: &mut Verdict,
) -> Option<&'a Member<'b>> {
    let Some(name) = name.as_str() else {
        verdict.find(
            "bad-manifest",
            "manifest.json",
            "it names no configuration or layer where one belongs".to_owned(),
        );
        return None;
    };
    let found = files.get(members::normal(name).as_str()).copied();
    if found.is_none() {
        verdict.find("missing-member", "manifest.json", format!("it names `{}`, which is not there", shown(name)));
    }
    found
}

/// The layers in their order, each looked up.
fn layer_members<'a, 'b>(
    image: &Value,
    files: &BTreeMap<&str, &'a Member<'b>>,
    verdict: &mut Verdict,
) -> Vec<&'a Member<'b>> {
    let Some(names) = image["Layers"].as_array().filter(|names| !names.is_empty()) else {
        verdict.find("bad-manifest", "manifest.json", "it names no layer".to_owned());
        return Vec::new();
    };
    if names.len() > MOST_LAYERS {
        let message = format!("it names {} layers, more than the {MOST_LAYERS} that an image can have", names.len());
        verdict.find("bad-manifest", "manifest.json", message);
    }
    names.iter().take(MOST_LAYERS).filter_map(|name| member_named(name, files, verdict)).collect()
}

/// The platform of a configuration, held against what RouterOS runs and what was expected.
fn platform(config: &Value, expected: &Expected, verdict: &mut Verdict) -> String {
    let field = |name: &str| config[name].as_str().unwrap_or_default();
    let (system, architecture, variant) = (field("os"), field("architecture"), field("variant"));
    let name = [system, architecture, variant].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>();
    let name = shown(&name.join("/"));
    if let Some(wanted) = expected.platform.filter(|wanted| wanted.name() != name) {
        verdict.find("wrong-platform", "", format!("the image is for `{name}`, not for {wanted}"));
    } else if system != "linux" || !Platform::ALL.iter().any(|known| known.architecture() == architecture) {
        verdict.find("wrong-platform", "", format!("the image is for `{name}`"));
    } else if architecture == "arm" && !["v5", "v6", "v7"].contains(&variant) {
        verdict.find("variant-missing", "", format!("the image is for `{name}`, and says not for which arm"));
    }
    name
}

/// Holds the layers against the digests that the configuration states.
fn digests(config: &Value, layers: &[&Member<'_>], verdict: &mut Verdict) {
    let stated: Vec<&str> =
        config["rootfs"]["diff_ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if stated.len() != layers.len() {
        let message = format!("the configuration has {} layers and the manifest {}", stated.len(), layers.len());
        verdict.find("wrong-digest", "", message);
        return;
    }
    let mut known: BTreeMap<&str, String> = BTreeMap::new();
    for (layer, stated) in layers.iter().zip(stated) {
        // A compressed layer has another digest, and a finding of its own.
        if compression(layer.bytes).is_some() {
            continue;
        }
        // The same file may be a layer many times; it is digested once.
        let digest = known.entry(&layer.path).or_insert_with(|| format!("sha256:{}", crate::sha256(layer.bytes)));
        if digest != stated {
            let message = format!("the layer is not what the configuration says: {}", shown(stated));
            verdict.find("wrong-digest", &shown(&layer.path), message);
        }
    }
}

/// The compression of bytes, by the first of them.
pub(crate) fn compression(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 4] =
        [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")];
    known.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
