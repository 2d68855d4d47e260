//! Hostile checkouts: planted programs, artifacts, modules, registries and costs are neither run nor used.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::common::planted::{PACKED, Planted, TAG};
use crate::common::{RELEASE, Ran, command, finish, policy};
use tailscale_featureset::process::on_path;

/// A planted checkout, a PATH that leads into it, and an empty cache.
struct Visit {
    folder: tempfile::TempDir,
    planted: Planted,
}

impl Visit {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let checkout = folder.path().join("checkout");
        for name in ["checkout/sub", "bin", "home"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        std::fs::write(checkout.join("featureset.yaml"), policy(&["ace"], "{ platform: linux/amd64 }")).unwrap();
        // What is needed besides Go and UPX.
        for name in ["sh", "git"] {
            symlink(on_path(name).unwrap(), folder.path().join("bin").join(name)).unwrap();
        }
        let planted = Planted::new(&checkout, &folder.path().join("ran"));
        Self { folder, planted }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run_in(&self, folder: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = command(&self.path(folder), arguments);
        command.env("PATH", format!(":.:bin:{}", self.path("bin").display()));
        command.env("HOME", self.path("home")).env_remove("XDG_CACHE_HOME");
        command.envs(variables.iter().copied());
        finish(command)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in("checkout", arguments, &[])
    }

    /// Every file and link of the checkout, with what it holds.
    fn tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn add(folder: &Path, tree: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    add(&path, tree);
                }
                tree.insert(path.clone(), std::fs::read(&path).unwrap_or_default());
            }
        }
        let mut tree = BTreeMap::new();
        add(&self.path("checkout"), &mut tree);
        tree
    }
}

#[test]
fn reading_commands_run_and_write_nothing_in_the_checkout() {
    let visit = Visit::new();
    let before = visit.tree();
    let (output, packed) = (visit.path("new.yaml"), format!("../{PACKED}"));
    let commands: &[&[&str]] = &[
        &["audit", PACKED],
        &["audit", "--policy", "featureset.yaml", PACKED],
        &["import", PACKED, "-o", output.to_str().unwrap()],
        &["explain", "ace"],
        &["explain", "ipnbus-up"],
        &["bump", "--check"],
        &["bump", "1.104.5", "--dry-run"],
        &["check"],
        &["tags"],
        &["list"],
        &["review", "--base", "HEAD"],
        &["docs", "--check"],
        &["image", "lint", PACKED],
        &["image", "script", "--routeros", "7.21"],
        &["symbolize", "featureset.yaml"],
        &["build-tailscale", "--dry-run"],
    ];
    for arguments in commands {
        let ran = visit.run(arguments);
        visit.planted.nothing_ran(&arguments.join(" "));
        assert!((0..=2).contains(&ran.status), "{}", ran.transcript());
        assert!(!ran.transcript().contains("planted words"), "{}", ran.transcript());
        let after = visit.tree();
        let changed: Vec<_> = after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).collect();
        assert!(changed.is_empty(), "{arguments:?} wrote {changed:?}");
        assert!(after.len() == before.len(), "{arguments:?} wrote {changed:?}");
    }
    // From a folder below, too.
    let below = visit.run_in("checkout/sub", &["audit", &packed], &[]);
    assert!(below.stderr.contains("error[upx-missing]"), "{}", below.transcript());
    visit.planted.nothing_ran("a folder below");
}

#[test]
fn audit_and_import_read_registry_and_costs_only_next_to_a_named_policy() {
    let visit = Visit::new();
    let audit = ["audit", "--tags", TAG];
    assert!(visit.run(&audit).stderr.contains("[misspelled-tag]"), "{}", visit.run(&audit).transcript());
    let named = visit.run(&[&audit[..], &["--policy", "featureset.yaml"]].concat());
    assert!(!named.stderr.contains("[misspelled-tag]"), "{}", named.transcript());
    let output = visit.path("new.yaml");
    let import = ["import", "--tags", "ts_omit_aws", "--release", RELEASE, "-o", output.to_str().unwrap()];
    let ran = visit.run(&import);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let named = visit.run(&[&import[..], &["--force", "--policy", "featureset.yaml"]].concat());
    assert!(named.stderr.contains("error[costs-damaged]"), "{}", named.transcript());
}

#[test]
fn audit_unpacks_in_a_private_folder() {
    let visit = Visit::new();
    let mode = visit.path("mode");
    // The last argument is the packed file.
    let look = "for last; do :; done; case $1 in --version) echo upx 4.2.2 ;; *) /usr/bin/stat -c %a \"${last%/*}\" > ";
    visit.program("upx", &format!("{look}{}; exit 1 ;; esac", mode.display()));
    let ran = visit.run(&["audit", PACKED]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    assert!(ran.stderr.contains("error[upx-failed]"), "{}", ran.transcript());
    assert_eq!(std::fs::read_to_string(&mode).unwrap().trim(), "700");
    let ran = visit.run_in("checkout", &["audit", PACKED], &[("TMPDIR", "/nonexistent")]);
    assert_eq!(ran.status, 2);
    insta::assert_snapshot!(ran.stderr);
}

#[test]
fn audit_with_a_shared_cache_is_refused() {
    let visit = Visit::new();
    let cache = visit.path("home/.cache/tailscale-featureset");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
    let ran = visit.run(&["audit", PACKED]);
    assert_eq!(ran.status, 2);
    insta::assert_snapshot!(ran.stderr.replace(visit.folder.path().to_str().unwrap(), "[VISIT]"));
}

#[test]
fn symbolize_ignores_linked_binaries_of_the_checkout() {
    let visit = Visit::new();
    let (format, machine) = (object::BinaryFormat::Elf, object::Architecture::X86_64);
    let mut file = object::write::Object::new(format, machine, object::Endianness::Little);
    let note = file.add_section(Vec::new(), b".note.gnu.build-id".to_vec(), object::SectionKind::Note);
    // Lengths of the name and of the ID, the type of the note, the name, the ID.
    file.append_section_data(note, b"\x04\0\0\0\x04\0\0\0\x03\0\0\0GNU\0\xca\xfe\xca\xfe", 4);
    let target = visit.path("checkout/target/tailscale");
    std::fs::create_dir_all(target.join(".linked")).unwrap();
    std::fs::write(target.join("one/tailscaled.unpacked"), file.write().unwrap()).unwrap();
    std::fs::write(target.join(".linked/cafecafe"), "planted").unwrap();
    let ran = visit.run(&["symbolize", "featureset.yaml"]);
    assert_eq!(ran.status, 2);
    insta::assert_snapshot!(ran.stderr.replace(visit.folder.path().to_str().unwrap(), "[VISIT]"));
}
