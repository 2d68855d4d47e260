//! The archive that RouterOS imports: manifest.json, a configuration and one plain layer, in the form of `docker save`.
//!
//! RouterOS imports neither compressed layers nor OCI layouts from a file. The archive has exactly one platform.
//! Names, times and owners are fixed: the same image has the same bytes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tar::{Builder, EntryType};

use crate::platform::Platform;
use crate::root::{self, COMMAND, Contents, ENTRYPOINT, PROGRAM, STATE};
use crate::sha256;

/// The label with the digest of the binary.
pub const BINARY_LABEL: &str = "tailscale-featureset.binary.sha256";

/// The creation time, equal to that of the files.
pub(crate) const CREATED: &str = "2000-01-01T00:00:00Z";

/// The input of an archive.
#[derive(Debug, Clone)]
pub struct Image {
    /// The platform.
    pub platform: Platform,
    /// The name for `docker load` and podman, such as `tailscale-routeros:1.102.5-arm64`.
    pub tag: String,
    /// The content of the root file system.
    pub contents: Contents,
    /// The labels.
    pub labels: BTreeMap<String, String>,
}

/// A written archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// The digest of the configuration, which is the image's identity.
    pub id: String,
    /// The digest of the layer.
    pub layer: String,
}

/// Returns the container's entrypoint and its argument.
#[must_use]
pub fn command(has_entrypoint: bool) -> (String, String) {
    let first = if has_entrypoint { ENTRYPOINT } else { PROGRAM };
    (format!("/{first}"), format!("--statedir=/{STATE}"))
}

/// Writes the archive.
///
/// # Errors
/// If the tar writer refuses a path or a length, which does not happen with these.
pub fn write(image: &Image) -> std::io::Result<Archive> {
    let layer = root::layer(&image.contents)?;
    let digest = sha256(&layer);
    let config = serde_json::to_vec(&config(image, &digest))?;
    let id = sha256(&config);
    let (config_name, layer_name) = (format!("{id}.json"), format!("{digest}.tar"));
    let manifest = json!([{ "Config": config_name, "RepoTags": [image.tag], "Layers": [layer_name] }]);
    let manifest = serde_json::to_vec(&manifest)?;
    let mut members =
        [(config_name, &config[..]), (layer_name, &layer[..]), ("manifest.json".to_owned(), &manifest[..])];
    members.sort();
    let mut archive = Builder::new(Vec::with_capacity(layer.len() + 16 * 1024));
    for (name, bytes) in members {
        let mut header = root::header(EntryType::Regular, 0o644, bytes.len() as u64);
        archive.append_data(&mut header, name, bytes)?;
    }
    Ok(Archive { bytes: archive.into_inner()?, id, layer: digest })
}

/// The configuration, as in the OCI image specification, which Docker's format equals.
pub(crate) fn config(image: &Image, layer: &str) -> Value {
    let (first, argument) = command(image.contents.shell.is_some());
    let mut config = json!({
        "architecture": image.platform.architecture(),
        "os": "linux",
        "created": CREATED,
        "config": {
            "Env": ["PATH=/usr/local/bin:/bin"],
            "Entrypoint": [first],
            "Cmd": [argument],
            "WorkingDir": "/",
            "Volumes": { format!("/{STATE}"): {} },
            "Labels": image.labels,
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        "history": [{ "created": CREATED, "created_by": format!("tailscale-featureset image ({COMMAND} inside)") }],
    });
    if let Some(variant) = image.platform.variant() {
        config["variant"] = variant.into();
    }
    config
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::root::Shell;
    use crate::shells::Kind;

    /// A small image.
    pub(crate) fn sample(platform: Platform) -> Image {
        let shell = Some(Shell {
            bytes: b"a shell".to_vec(),
            kind: Some(Kind::Mksh),
            helper: crate::helper::for_platform(platform),
        });
        let contents = Contents { program: b"a program".to_vec(), shell };
        let labels =
            [("org.opencontainers.image.version", "1.102.5".to_owned()), (BINARY_LABEL, sha256(&contents.program))];
        let labels = labels.map(|(name, value)| (name.to_owned(), value)).into();
        Image { platform, tag: "tailscale-routeros:1.102.5".to_owned(), contents, labels }
    }

    #[test]
    fn archive_is_deterministic() {
        let image = sample(Platform::ArmV5);
        assert_eq!(write(&image).unwrap(), write(&image).unwrap());
    }

    #[test]
    fn archive_manifest_and_configuration() {
        for platform in [Platform::ArmV5, Platform::Arm64] {
            let archive = write(&sample(platform)).unwrap();
            let mut text = String::new();
            for entry in tar::Archive::new(&archive.bytes[..]).entries().unwrap() {
                let mut entry = entry.unwrap();
                text += &format!("{}\n", entry.path().unwrap().display());
                if entry.path().unwrap().extension().is_some_and(|end| end == "json") {
                    let value: Value = serde_json::from_reader(&mut entry).unwrap();
                    text += &format!("{value:#}\n");
                }
            }
            insta::assert_snapshot!(text);
        }
    }
}
