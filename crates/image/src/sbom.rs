//! The components of an image, as CycloneDX 1.5: the Go modules in the binary's build information, Go's standard library,
//! and the shell. Vulnerability scanners read it.

use serde_json::{Value, json};

use crate::helper::{Helper, LICENCE};
use crate::shells::Pin;

/// One Go module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its path, such as `tailscale.com`.
    pub path: String,
    /// Its version, such as `v1.102.5`.
    pub version: String,
    /// Its checksum as go.sum has it, `h1:…`; empty if unknown.
    pub sum: String,
}

/// The components of an image.
#[derive(Debug, Clone)]
pub struct Components<'a> {
    /// The image's name and version, such as `tailscale-routeros` and `1.102.5-arm64`.
    pub image: (&'a str, &'a str),
    /// The module that the binary is built from.
    pub main: Module,
    /// Every other module in the binary.
    pub modules: Vec<Module>,
    /// The toolchain, such as `go1.26.8`.
    pub go: &'a str,
    /// The SHA-256 of the binary that ships.
    pub binary: &'a str,
    /// The shell: its pin, if it is a pinned one, and the SHA-256 of the file that ships.
    pub shell: Option<(Option<&'a Pin>, &'a str)>,
    /// The entrypoint's helper, if the image has one.
    pub helper: Option<Helper>,
}

/// Returns the CycloneDX document. It is deterministic: it has no serial number and no time.
#[must_use]
pub fn list(inside: &Components<'_>) -> Value {
    let mut main = module("application", &inside.main);
    main["licenses"] = json!([{ "expression": "BSD-3-Clause" }]);
    main["hashes"] = json!([{ "alg": "SHA-256", "content": inside.binary }]);
    let go = inside.go;
    let standard = json!({
        "type": "library", "bom-ref": "std", "name": "std", "version": go,
        "purl": format!("pkg:golang/std@{go}"), "licenses": [{ "expression": "BSD-3-Clause" }],
    });
    let mut components = vec![main, standard];
    components.extend(inside.modules.iter().map(|found| module("library", found)));
    components.extend(inside.shell.map(|(pin, digest)| shell(pin, digest)));
    components.extend(inside.helper.map(helper));
    let (name, version) = inside.image;
    let references: Vec<Value> = components.iter().map(|component| component["bom-ref"].clone()).collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": { "type": "container", "bom-ref": "image", "name": name, "version": version } },
        "components": components,
        "dependencies": [{ "ref": "image", "dependsOn": references }],
    })
}

fn module(kind: &str, module: &Module) -> Value {
    // The specification of package URLs requires lower case for Go; `+` is always escaped.
    let (path, version) = (module.path.to_lowercase(), module.version.replace('+', "%2B"));
    let purl = format!("pkg:golang/{path}@{version}");
    let mut component = json!({
        "type": kind, "bom-ref": purl, "name": module.path, "version": module.version, "purl": purl,
    });
    if !module.sum.is_empty() {
        component["properties"] = json!([{ "name": "go.sum", "value": module.sum }]);
    }
    component
}

fn shell(pin: Option<&Pin>, digest: &str) -> Value {
    let hashes = json!([{ "alg": "SHA-256", "content": digest }]);
    let Some(pin) = pin else {
        return json!({ "type": "application", "bom-ref": "shell", "name": "sh", "hashes": hashes });
    };
    let version = pin.version.replace('+', "%2B").replace(':', "%3A");
    json!({
        "type": "application", "bom-ref": "shell", "name": pin.package, "version": pin.version,
        "purl": format!("pkg:deb/debian/{}@{version}?arch={}", pin.package, pin.architecture),
        "licenses": [{ "expression": pin.licence }], "hashes": hashes,
        "properties": [{ "name": "unpacked.sha256", "value": pin.sha256 }],
    })
}

fn helper(helper: Helper) -> Value {
    json!({
        "type": "application", "bom-ref": "node-helper", "name": "node-helper",
        "description": "The entrypoint's helper, linked with musl",
        "licenses": [{ "expression": format!("BSD-3-Clause AND {LICENCE}") }],
        "hashes": [{ "alg": "SHA-256", "content": crate::sha256(helper.bytes) }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;
    use crate::shells::{Kind, table};
    use cyclonedx_bom::models::bom::Bom;
    use cyclonedx_bom::validation::Validate;

    #[test]
    fn sbom_is_valid_cyclonedx() {
        let table = table().unwrap();
        let digest = crate::sha256(b"");
        let module = |path: &str, version: &str, sum: &str| Module {
            path: path.into(),
            version: version.into(),
            sum: sum.into(),
        };
        let inside = Components {
            image: ("tailscale-routeros", "1.102.5-arm64"),
            main: module("tailscale.com", "v1.102.5", "h1:a="),
            modules: vec![
                module("github.com/BurntSushi/toml", "v2.0.0+incompatible", "h1:b="),
                module("example.com/x", "(devel)", ""),
            ],
            go: "1.26.8",
            binary: &digest,
            shell: Some((table.find(Kind::Mksh, Platform::Arm64), &digest)),
            helper: Some(crate::helper::for_platform(Platform::Arm64)),
        };
        let list = list(&inside);
        let bom = Bom::parse_from_json(list.to_string().as_bytes()).unwrap();
        let verdict = bom.validate();
        assert!(verdict.passed(), "{verdict:?}");
        assert_eq!(bom.components.unwrap().0.len(), 6);
        insta::assert_snapshot!(format!("{list:#}"));
    }
}
