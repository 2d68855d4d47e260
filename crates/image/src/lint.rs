//! The linter of image archives: reports what RouterOS rejects, what would run wrongly and what wastes flash.
//!
//! The archive may come from anywhere and be made to hurt: nothing in it is unpacked, no length that it states is
//! believed before the bytes are there, and the work grows with the length of the file and nothing else.

mod layers;
mod members;
mod next_step;
mod verdict;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diagnostics::area::Image;
use serde_json::Value;

use crate::limits::{LONGEST_DESCRIPTION, MOST_LAYERS};
use crate::platform::Platform;
use crate::printable::printable;
pub(crate) use members::normal;
use members::{Kind, Member, Room};
pub use next_step::next_step;
pub(crate) use verdict::compression;
pub use verdict::{Expected, Identify, Program, Verdict};

/// Judges an archive.
#[must_use]
pub fn judge(archive: &[u8], expected: &Expected, identify: Identify<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    look(archive, expected, identify, &mut verdict);
    verdict.findings.sort_by_key(|finding| (finding.severity, finding.code.clone()));
    verdict.findings.dedup();
    verdict
}

fn look(archive: &[u8], expected: &Expected, identify: Identify<'_>, verdict: &mut Verdict) {
    if let Some(format) = compression(archive) {
        verdict.find(Image::CompressedArchive, "", format!("the archive itself is compressed with {format}"));
        return;
    }
    let mut room = Room::default();
    let members = members::read(archive, "", &mut room, verdict);
    twice(&members, verdict);
    if members.is_empty() {
        if !verdict.has_errors() {
            verdict.find(Image::NotAnArchive, "", "there is no file in it".to_owned());
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
            verdict.find(Image::OciLayout, "", "the archive is an OCI layout without a manifest.json".to_owned());
        } else {
            verdict.find(Image::NoManifest, "", "there is no manifest.json in it".to_owned());
        }
        return;
    };
    let Some(image) = description(manifest, verdict).and_then(|bytes| only_image(bytes, verdict)) else { return };
    let config = member_named(&image["Config"], &files, verdict).and_then(|member| {
        let bytes = description(member, verdict)?;
        let value = serde_json::from_slice::<Value>(bytes).ok().filter(Value::is_object);
        if value.is_none() {
            verdict.find(
                Image::BadConfig,
                &printable(&member.path),
                "the configuration is not a JSON object".to_owned(),
            );
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
        let path = printable(path);
        verdict.find(Image::DuplicateMember, &path, format!("`{path}` is in the archive more than once"));
    }
}

/// The bytes of a manifest or a configuration, unless it is longer than any.
fn description<'a>(member: &Member<'a>, verdict: &mut Verdict) -> Option<&'a [u8]> {
    if member.bytes.len() > LONGEST_DESCRIPTION {
        let length = member.bytes.len();
        let message = format!("it has {length} bytes; more than {LONGEST_DESCRIPTION} are not read");
        verdict.find(Image::InvalidSize, &printable(&member.path), message);
        return None;
    }
    Some(member.bytes)
}

/// The one image of the manifest.
fn only_image(bytes: &[u8], verdict: &mut Verdict) -> Option<Value> {
    let images = match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Array(images)) => images,
        Ok(_) => {
            verdict.find(Image::BadManifest, "manifest.json", "it is not a list of images".to_owned());
            return None;
        }
        Err(error) => {
            verdict.find(Image::BadManifest, "manifest.json", format!("it is not JSON: {error}"));
            return None;
        }
    };
    if images.len() > 1 {
        verdict.find(Image::SeveralImages, "manifest.json", format!("it names {} images", images.len()));
    }
    let first = images.into_iter().next().filter(Value::is_object);
    if first.is_none() {
        verdict.find(Image::BadManifest, "manifest.json", "it names no image".to_owned());
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
            Image::BadManifest,
            "manifest.json",
            "it names no configuration or layer where one belongs".to_owned(),
        );
        return None;
    };
    let found = files.get(members::normal(name).as_str()).copied();
    if found.is_none() {
        verdict.find(
            Image::MissingMember,
            "manifest.json",
            format!("it names `{}`, which is not there", printable(name)),
        );
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
        verdict.find(Image::BadManifest, "manifest.json", "it names no layer".to_owned());
        return Vec::new();
    };
    if names.len() > MOST_LAYERS {
        let message = format!("it names {} layers, more than the {MOST_LAYERS} that an image can have", names.len());
        verdict.find(Image::BadManifest, "manifest.json", message);
    }
    names.iter().take(MOST_LAYERS).filter_map(|name| member_named(name, files, verdict)).collect()
}

/// The platform of a configuration, held against what RouterOS runs and what was expected.
fn platform(config: &Value, expected: &Expected, verdict: &mut Verdict) -> String {
    let field = |name: &str| config[name].as_str().unwrap_or_default();
    let (system, architecture, variant) = (field("os"), field("architecture"), field("variant"));
    let name = [system, architecture, variant].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>();
    let name = printable(&name.join("/"));
    if let Some(wanted) = expected.platform.filter(|wanted| wanted.name() != name) {
        verdict.find(Image::WrongPlatform, "", format!("the image is for `{name}`, not for {wanted}"));
    } else if system != "linux" || !Platform::ALL.iter().any(|known| known.architecture() == architecture) {
        verdict.find(Image::WrongPlatform, "", format!("the image is for `{name}`"));
    } else if architecture == "arm" && !["v5", "v6", "v7"].contains(&variant) {
        verdict.find(Image::VariantMissing, "", format!("the image is for `{name}`, and says not for which arm"));
    }
    name
}

/// Holds the layers against the digests that the configuration states.
fn digests(config: &Value, layers: &[&Member<'_>], verdict: &mut Verdict) {
    let stated: Vec<&str> =
        config["rootfs"]["diff_ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if stated.len() != layers.len() {
        let message = format!("the configuration has {} layers and the manifest {}", stated.len(), layers.len());
        verdict.find(Image::WrongDigest, "", message);
        return;
    }
    let mut known: BTreeMap<&str, String> = BTreeMap::new();
    for (layer, stated) in layers.iter().zip(stated) {
        // A compressed layer has another digest, and a separate finding.
        if compression(layer.bytes).is_some() {
            continue;
        }
        // The same file may be a layer many times; it is digested once.
        let digest = known.entry(&layer.path).or_insert_with(|| format!("sha256:{}", crate::sha256(layer.bytes)));
        if digest != stated {
            let message = format!("the layer is not what the configuration says: {}", printable(stated));
            verdict.find(Image::WrongDigest, &printable(&layer.path), message);
        }
    }
}

#[cfg(test)]
mod tests;
