//! `publish` and `image --index`: the refusals, and a registry on this machine, read back by other programs per platform.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::common::container::{Foreign, Root, Setting, obstacle, stdout};
use crate::common::git::{commit_all, repository};
use crate::common::registry::Registry;
use crate::common::{Ran, command, finish, full, router, router_policy, run, skip};
use image::archive::{self, BINARY_LABEL, Image};
use image::helper::for_platform;
use image::index::{self, Entry, Layout};
use image::platform::Platform;
use image::reference::Reference;
use image::root::{Contents, Shell};
use tailscale_featureset::files;
use tailscale_featureset::process::on_path;
use tailscale_featureset::tools::debian::is_debian;
use tailscale_featureset::tools::skopeo::Skopeo;

const NAME: &str = "ghcr.io/owner/tailscale:1";

/// Returns whether these programs are installed; reports a skipped test if not.
fn has(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| on_path(program).is_none());
    if let Some(program) = missing {
        skip(&format!("{program} is not installed"));
    }
    missing.is_none()
}

/// Runs `publish` with a program in the place of skopeo, which no refusal may start.
fn refused(folder: &Path, arguments: &[&str]) -> Ran {
    let bin = tempfile::tempdir().unwrap();
    let started = bin.path().join("started");
    files::write_executable(&bin.path().join("skopeo"), format!("#!/bin/sh\n>{}\n", started.display()).as_bytes())
        .unwrap();
    let mut publish = command(folder, &[&["publish"], arguments].concat());
    let path = std::env::var("PATH").unwrap();
    publish.env("PATH", format!("{}:{path}", bin.path().display()));
    let ran = finish(publish);
    assert!(!started.exists(), "{}", ran.transcript());
    ran
}

#[test]
fn publish_refusals() {
    let clean = repository(&router_policy());
    let draft = repository(&router_policy().replacen("This device decides on ace.", "", 1));
    let changed = repository(&router_policy());
    std::fs::write(changed.path().join("featureset.yaml"), router_policy() + "\n").unwrap();
    for name in ["one", "two", "three"] {
        std::fs::write(changed.path().join(name), "").unwrap();
    }
    let twice = repository(&router_policy().replace("linux/arm/v5", "linux/arm64"));
    for (case, folder, arguments) in [
        ("scheme", clean.path(), &["https://ghcr.io/owner/tailscale:1"][..]),
        ("no_tag", clean.path(), &["ghcr.io/owner/tailscale"]),
        ("moving_tag_of_the_image", clean.path(), &[NAME, "--moving", "1"]),
        ("invalid_moving_tag", clean.path(), &[NAME, "--moving", "a/b"]),
        ("draft", draft.path(), &[NAME]),
        ("changed_files", changed.path(), &[NAME]),
        ("not_verified", clean.path(), &[NAME]),
        ("platform_twice", twice.path(), &[NAME]),
    ] {
        let ran = refused(folder, arguments);
        assert_eq!(ran.status, 2, "{case}: {}", ran.transcript());
        insta::assert_snapshot!(case, ran.transcript());
    }
}

#[test]
fn publish_of_an_ignored_policy_is_refused() {
    let ignored = crate::common::folder(&router_policy());
    std::fs::write(ignored.path().join(".gitignore"), "featureset.yaml\n").unwrap();
    commit_all(ignored.path());
    let ran = refused(ignored.path(), &[NAME]);
    assert!(ran.stderr.contains("error[dirty-tree]: files differ from the commit: featureset.yaml"), "{}", ran.stderr);
}

#[test]
fn publish_without_skopeo_reports_how_to_install_it() {
    let clean = repository(&router_policy());
    let mut publish = command(clean.path(), &["publish", NAME]);
    publish.env("PATH", "/nonexistent");
    let ran = finish(publish);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    assert!(ran.stderr.contains("error[skopeo-missing]: skopeo is not installed"), "{}", ran.stderr);
    assert!(ran.stderr.contains("= next: Install it"), "{}", ran.stderr);
}

#[test]
fn image_index_keeps_a_folder_of_other_files() {
    let clean = repository(&router_policy());
    std::fs::create_dir(clean.path().join("mine")).unwrap();
    std::fs::write(clean.path().join("mine/file"), "").unwrap();
    let ran = run(clean.path(), &["image", "--index", "mine"]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    insta::assert_snapshot!(ran.transcript());
    assert!(clean.path().join("mine/file").exists());
}

/// Prints the platform for which the image was chosen, and ends.
fn entry(platform: Platform) -> Entry {
    let shell = match platform {
        Platform::Amd64 => on_path("mksh-static").map(|path| std::fs::read(path).unwrap()),
        _ => None,
    };
    let shell = Shell {
        bytes: shell.unwrap_or_else(|| b"#!/bin/nothing".to_vec()),
        kind: None,
        helper: for_platform(platform),
    };
    let program = format!("#!/bin/sh\necho started on {platform}\n").into_bytes();
    let labels = [
        (BINARY_LABEL.to_owned(), image::sha256(&program)),
        ("org.opencontainers.image.title".to_owned(), "Tailscale for RouterOS".to_owned()),
    ];
    let contents = Contents { program, shell: Some(shell) };
    let image =
        Image { platform, tag: format!("tailscale-routeros:1-{}", platform.debian()), contents, labels: labels.into() };
    Entry { image, components: json!({ "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1 }) }
}

/// A layout of every platform in a folder.
fn layout() -> (tempfile::TempDir, Layout) {
    let entries: Vec<Entry> = Platform::ALL.into_iter().map(entry).collect();
    let layout = index::write(&entries, "1", &BTreeMap::new()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    files::write_folder(&folder.path().join("layout"), &layout.files).unwrap();
    (folder, layout)
}

/// Arguments of skopeo and podman that choose a platform.
fn chosen(platform: Platform) -> Vec<String> {
    let variant = platform.variant().map(|variant| format!("--override-variant={variant}"));
    let words = ["--override-os=linux".to_owned(), format!("--override-arch={}", platform.architecture())];
    words.into_iter().chain(variant).collect()
}

/// Fetches the image of a platform with skopeo, as an archive.
fn fetched(folder: &Path, from: &str, platform: Platform) -> PathBuf {
    let archive = folder.join(format!("{}.tar", platform.debian()));
    // skopeo adds to no archive.
    let _ = std::fs::remove_file(&archive);
    let to = format!("docker-archive:{}:a:b", archive.display());
    stdout(Command::new("skopeo").args(chosen(platform)).args([
        "--insecure-policy",
        "copy",
        "--quiet",
        "--src-tls-verify=false",
        from,
        &to,
    ]));
    archive
}

/// Returns the raw document of a registry.
fn raw(name: &str) -> Value {
    let said = stdout(Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", name]));
    serde_json::from_str(&said).unwrap()
}

#[test]
fn index_is_pushed_and_read_back_per_platform() {
    if !has(&["skopeo", "docker-registry", "mksh-static"]) {
        return;
    }
    let (folder, layout) = layout();
    let (registry, skopeo) = (Registry::start(), Skopeo::find().unwrap());
    let reference: Reference = format!("{}/owner/tailscale:1", registry.host).parse().unwrap();
    let at = folder.path().join("layout");
    assert_eq!(skopeo.digest(&reference).unwrap(), None);
    for name in &layout.lists {
        skopeo.push(&at, name, &reference.with_tag(name)).unwrap();
    }
    // Twice, because a run may be repeated.
    for _ in 0..2 {
        skopeo.push(&at, "1", &reference).unwrap();
        assert_eq!(skopeo.digest(&reference).unwrap(), Some(layout.digest.clone()));
    }
    let index = raw(&format!("docker://{reference}"));
    for (descriptor, platform) in index["manifests"].as_array().unwrap().iter().zip(Platform::ALL) {
        let expected = archive::write(&entry(platform).image).unwrap();
        let read = fetched(folder.path(), &format!("docker://{reference}"), platform);
        let manifest: Value =
            serde_json::from_str(&stdout(Command::new("tar").arg("-xOf").arg(read).arg("manifest.json"))).unwrap();
        assert_eq!(manifest[0]["Config"], format!("{}.json", expected.id), "{platform}");
        // The list of components is found from the digest of the image, as cosign does.
        let digest = descriptor["digest"].as_str().unwrap();
        let list = raw(&format!("docker://{}", reference.with_tag(&format!("{}.sbom", digest.replace(':', "-")))));
        assert_eq!(list["artifactType"], index::COMPONENTS);
        assert_eq!(
            (&list["subject"]["digest"], &list["layers"][0]["mediaType"]),
            (&digest.into(), &index::COMPONENTS.into())
        );
    }
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let unpacked = Root::unpack(&fetched(folder.path(), &format!("docker://{reference}"), Platform::Amd64));
    if std::env::consts::ARCH == "x86_64" {
        let mut container = unpacked.run(&[], &Setting::default());
        container.wait_for("started on linux/amd64");
    }
}

#[test]
fn index_is_pulled_by_podman_per_platform() {
    if !has(&["skopeo", "docker-registry", "podman"]) {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return skip("podman unpacks it as root");
    }
    let (folder, _) = layout();
    let registry = Registry::start();
    let reference: Reference = format!("{}/owner/tailscale:1", registry.host).parse().unwrap();
    Skopeo::find().unwrap().push(&folder.path().join("layout"), "1", &reference).unwrap();
    let podman = || {
        let mut command = Command::new("podman");
        command.arg("--root").arg(folder.path().join("storage")).arg("--runroot").arg(folder.path().join("run"));
        command.args(["--storage-driver", "vfs"]);
        command
    };
    for platform in Platform::ALL {
        let pulled = podman()
            .args(["pull", "--quiet", "--tls-verify=false", "--platform", platform.name(), &reference.to_string()])
            .output()
            .unwrap();
        assert!(pulled.status.success(), "{}", String::from_utf8_lossy(&pulled.stderr));
        let expected = archive::write(&entry(platform).image).unwrap();
        assert_eq!(String::from_utf8(pulled.stdout).unwrap().trim(), expected.id, "{platform}");
    }
}

#[test]
fn registry_that_does_not_answer_is_reported() {
    if !has(&["skopeo"]) {
        return;
    }
    let reference: Reference = "127.0.0.1:1/owner/tailscale:1".parse().unwrap();
    let error = Skopeo::find().unwrap().digest(&reference).unwrap_err();
    let problem = error.downcast_ref::<diagnostics::Diagnostic>().unwrap();
    assert_eq!(problem.code, diagnostics::Code::RegistryRefused);
    assert!(problem.why.contains("connection refused"), "{}", problem.why);
}

/// A committed copy of the router with its built and verified binaries.
fn verified() -> tempfile::TempDir {
    let built = run(router(), &["build-tailscale"]);
    assert_eq!(built.status, 0, "{}", built.transcript());
    let project = crate::common::folder(&router_policy());
    std::fs::write(project.path().join(".gitignore"), "target\n").unwrap();
    std::fs::create_dir(project.path().join("target")).unwrap();
    stdout(Command::new("cp").arg("-a").arg(router().join("target/tailscale")).arg(project.path().join("target")));
    for target in ["amd64", "arm", "arm64", "armv5"] {
        let ran = run(project.path(), &["verify", "--target", target, "--check", "login", "--require-all"]);
        assert_eq!(ran.status, 0, "{}", ran.transcript());
    }
    commit_all(project.path());
    project
}

#[test]
fn publish_of_the_router_is_repeatable_and_runs_on_every_platform() {
    if !full() || !has(&["skopeo", "docker-registry"]) {
        return;
    }
    if !is_debian() {
        return skip("the pinned shells are packages of Debian, and this machine runs another system");
    }
    if let Some(why) = obstacle() {
        return skip(&why);
    }
    let (project, registry) = (verified(), Registry::start());
    let name = format!("{}/owner/tailscale:1", registry.host);
    let publish = |arguments: &[&str]| run(project.path(), &[&["publish"], arguments, &["--format", "json"]].concat());
    let digest = |ran: &Ran| {
        assert_eq!(ran.status, 0, "{}", ran.transcript());
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["digest"].clone()
    };
    let first = digest(&publish(&[&name, "--moving", "latest"]));
    let again = publish(&[&name, "--moving", "latest"]);
    assert_eq!(digest(&again), first);
    assert!(again.stderr.contains("the registry has it"), "{}", again.stderr);
    let index = run(project.path(), &["image", "--index", "out", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&index.stdout).unwrap()["index"]["digest"], first);
    std::fs::remove_dir_all(project.path().join("out")).unwrap();
    let latest = format!("docker://{}/owner/tailscale:latest", registry.host);
    for platform in Platform::ALL {
        let archive = fetched(project.path(), &latest, platform);
        let ran = run(project.path(), &["image", "lint", archive.to_str().unwrap()]);
        assert_eq!(ran.status, 0, "{}", ran.transcript());
        let _foreign = match Foreign::register(platform.architecture()) {
            Ok(foreign) => foreign,
            Err(why) => {
                skip(&why);
                continue;
            }
        };
        let cpu = if platform == Platform::ArmV5 { "QEMU_CPU=arm926" } else { "A=B" };
        let setting = Setting { environment: vec![cpu, "TS_PANIC_IF_HIT_MAIN_CONTROL=1"], ..Setting::default() };
        let unpacked = Root::unpack(&archive);
        let mut container = unpacked.run(&["--statedir=/var/lib/tailscale", "--port=0"], &setting);
        container.wait_for("Creating WireGuard device");
        std::fs::remove_file(archive).unwrap();
    }
    // Another image under the same tag.
    let ran = publish(&[&name, "--target", "amd64"]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    assert!(ran.stdout.contains("\"tag-exists\"") || ran.stderr.contains("tag-exists"), "{}", ran.transcript());
    // A binary with a failed check.
    let record = project.path().join("target/tailscale/arm/verified.json");
    std::fs::write(&record, "{}").unwrap();
    let ran = publish(&[&name]);
    assert!(ran.transcript().contains("not-verified"), "{}", ran.transcript());
}
