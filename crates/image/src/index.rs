//! One image for several platforms, as registries hold it: an OCI layout with an index, and each image's list of components
//! as a referrer.
//!
//! The configurations are those of the archives, so that both forms have the same image IDs; here the layer is compressed.
//! The lists are also named as cosign names them, `sha256-….sbom`, for registries without the referrers API. The index of
//! referrers that the distribution specification has for these can't be copied by skopeo 1.9 without changes: it drops
//! the field `artifactType`. The same images have the same bytes.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};

use crate::archive::{CREATED, Image, config};
use crate::root;
use crate::sha256;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The media type of a list of components.
pub const COMPONENTS: &str = "application/vnd.cyclonedx+json";

/// The prefix of the annotations that the OCI specification defines.
const STANDARD: &str = "org.opencontainers.image.";

/// An image and its list of components.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The image.
    pub image: Image,
    /// The list of components, as [`crate::sbom::list`] returns it.
    pub components: Value,
}

/// An OCI layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The bytes of every file by its path in the layout.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The digest of the index, which is the identity of the image for all platforms.
    pub digest: String,
    /// The names of the lists of components, `sha256-….sbom`, which are also their tags in a registry.
    pub lists: Vec<String>,
}

impl Layout {
    fn blob(&mut self, kind: &str, bytes: Vec<u8>) -> Value {
        let digest = sha256(&bytes);
        let descriptor = json!({ "mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len() });
        self.files.insert(format!("blobs/sha256/{digest}"), bytes);
        descriptor
    }

    fn document(&mut self, kind: &str, document: &Value) -> std::io::Result<Value> {
        Ok(self.blob(kind, serde_json::to_vec(document)?))
    }

    /// Adds an image; returns the descriptor of its manifest.
    fn image(&mut self, image: &Image) -> std::io::Result<Value> {
        let layer = root::layer(&image.contents)?;
        let config = self.document(CONFIG, &config(image, &sha256(&layer)))?;
        let layer = self.blob(LAYER, gzip(&layer)?);
        let annotations: BTreeMap<_, _> = image.labels.iter().filter(|(name, _)| name.starts_with(STANDARD)).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer], "annotations": annotations,
        });
        self.document(MANIFEST, &manifest)
    }

    /// Adds a list of components that refers to an image; returns the descriptor of its manifest.
    fn list(&mut self, subject: &Value, components: &Value, title: &str) -> std::io::Result<Value> {
        let config = self.blob(EMPTY, b"{}".to_vec());
        let mut layer = self.blob(COMPONENTS, format!("{components:#}\n").into_bytes());
        layer["annotations"] = json!({ format!("{STANDARD}title"): title });
        let annotations = json!({ format!("{STANDARD}created"): CREATED });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": COMPONENTS, "config": config, "layers": [layer],
            "subject": subject, "annotations": annotations,
        });
        let mut descriptor = self.document(MANIFEST, &manifest)?;
        descriptor["artifactType"] = COMPONENTS.into();
        Ok(descriptor)
    }
}

/// Returns the layout of an index with this name. The images are listed by platform; for 32-bit ARM `v5` is first, because
/// every such router runs it, even if a client ignores variants.
///
/// # Errors
/// If a writer refuses a path or a length, which does not happen with these.
pub fn write(entries: &[Entry], name: &str, annotations: &BTreeMap<String, String>) -> std::io::Result<Layout> {
    let mut layout = Layout { files: BTreeMap::new(), digest: String::new(), lists: Vec::new() };
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by_key(|entry| entry.image.platform);
    let (mut images, mut named) = (Vec::new(), Vec::new());
    for entry in sorted {
        let mut image = layout.image(&entry.image)?;
        let title = format!("{}.cdx.json", entry.image.tag.replace(':', "-"));
        let mut list = layout.list(&image, &entry.components, &title)?;
        let tag = format!("{}.sbom", image["digest"].as_str().unwrap_or_default().replace(':', "-"));
        list["annotations"] = json!({ format!("{STANDARD}ref.name"): tag });
        layout.lists.push(tag);
        named.push(list);
        let platform = entry.image.platform;
        image["platform"] = json!({ "architecture": platform.architecture(), "os": "linux" });
        if let Some(variant) = platform.variant() {
            image["platform"]["variant"] = variant.into();
        }
        images.push(image);
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": images, "annotations": annotations });
    let mut index = layout.document(INDEX, &index)?;
    layout.digest = index["digest"].as_str().unwrap_or_default().to_owned();
    index["annotations"] = json!({ format!("{STANDARD}ref.name"): name });
    named.insert(0, index);
    let root = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": named });
    layout.files.insert("index.json".to_owned(), serde_json::to_vec(&root)?);
    layout.files.insert("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
    Ok(layout)
}

/// Compresses a layer without a name or a time.
fn gzip(layer: &[u8]) -> std::io::Result<Vec<u8>> {
    // The operating system in the header would be that of the machine.
    let mut encoder = GzBuilder::new().operating_system(255).write(Vec::new(), Compression::best());
    encoder.write_all(layer)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::archive::{self, tests::sample};
    use crate::platform::Platform;

    fn entries() -> Vec<Entry> {
        let entry = |platform: Platform| {
            let mut image = sample(platform);
            image.tag = format!("tailscale-routeros:1.102.5-{}", platform.debian());
            Entry { image, components: json!({ "bomFormat": "CycloneDX" }) }
        };
        Platform::ALL.into_iter().rev().map(entry).collect()
    }

    fn layout() -> Layout {
        let annotations = [("org.opencontainers.image.version".to_owned(), "1.102.5".to_owned())].into();
        write(&entries(), "1.102.5", &annotations).unwrap()
    }

    fn json(layout: &Layout, digest: &Value) -> Value {
        let path = format!("blobs/{}", digest.as_str().unwrap().replace(':', "/"));
        serde_json::from_slice(&layout.files[&path]).unwrap()
    }

    #[test]
    fn layout_is_deterministic_in_any_order_of_the_images() {
        let mut other = entries();
        other.reverse();
        let annotations = [("org.opencontainers.image.version".to_owned(), "1.102.5".to_owned())].into();
        assert_eq!(layout(), write(&other, "1.102.5", &annotations).unwrap());
    }

    #[test]
    fn every_blob_has_the_digest_of_its_name_and_every_descriptor_fits() {
        let layout = layout();
        for (path, bytes) in layout.files.iter().filter(|(path, _)| path.starts_with("blobs/")) {
            assert_eq!(path, &format!("blobs/sha256/{}", sha256(bytes)));
        }
        let mut queue: Vec<Value> = vec![serde_json::from_slice(&layout.files["index.json"]).unwrap()];
        let mut reached = 0;
        while let Some(document) = queue.pop() {
            let mut descriptors: Vec<Value> = Vec::new();
            for list in ["manifests", "layers"] {
                descriptors.extend(document[list].as_array().into_iter().flatten().cloned());
            }
            descriptors.extend(["config", "subject"].map(|name| document[name].clone()));
            for descriptor in descriptors.iter().filter(|one| one["digest"].is_string()) {
                let path = format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"));
                let bytes = &layout.files[&path];
                assert_eq!(descriptor["size"], bytes.len(), "{descriptor}");
                reached += 1;
                if [INDEX, MANIFEST].contains(&descriptor["mediaType"].as_str().unwrap()) {
                    let document: Value = serde_json::from_slice(bytes).unwrap();
                    assert_eq!(document["mediaType"], descriptor["mediaType"]);
                    queue.push(document);
                }
            }
        }
        assert!(reached > 30, "{reached}");
    }

    #[test]
    fn index_has_the_images_of_the_archives() {
        let layout = layout();
        let index = json(&layout, &layout.digest.clone().into());
        for (descriptor, platform) in index["manifests"].as_array().unwrap().iter().zip(Platform::ALL) {
            let manifest = json(&layout, &descriptor["digest"]);
            let entry = entries().into_iter().find(|entry| entry.image.platform == platform).unwrap();
            let archive = archive::write(&entry.image).unwrap();
            assert_eq!(manifest["config"]["digest"], format!("sha256:{}", archive.id));
            let path = format!("blobs/{}", manifest["layers"][0]["digest"].as_str().unwrap().replace(':', "/"));
            let mut layer = Vec::new();
            flate2::read::GzDecoder::new(&layout.files[&path][..]).read_to_end(&mut layer).unwrap();
            assert_eq!(sha256(&layer), archive.layer);
        }
    }

    #[test]
    fn documents_of_a_layout() {
        let layout = layout();
        let root: Value = serde_json::from_slice(&layout.files["index.json"]).unwrap();
        let index = json(&layout, &root["manifests"][0]["digest"]);
        let armv5 = json(&layout, &index["manifests"][2]["digest"]);
        let list = json(&layout, &root["manifests"][3]["digest"]);
        assert_eq!(list["subject"]["digest"], index["manifests"][2]["digest"]);
        insta::assert_snapshot!(format!("{root:#}\n\n{index:#}\n\n{armv5:#}\n\n{list:#}"));
    }
}
