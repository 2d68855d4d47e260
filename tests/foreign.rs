//! What others ship, opened: packages and images made by the tools that make them, and files that are made to hurt.
//!
//! The programs inside hold build information and nothing else, where a real one would only be slower.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a panic is how a test reports")]

#[path = "common/binary.rs"]
mod binary;
mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use binary::daemon;
use common::{skip, target};
use xtask::foreign::{Opened, is_text, open};
use xtask::problem::Problem;
use xtask::process::on_path;

const TAGS: &str = "ts_include_cli,ts_omit_ace,ts_omit_aws";

/// A folder in which things are packed.
struct Bench(tempfile::TempDir);

impl Bench {
    /// With a root that holds a daemon, a link to it, and a program that Go did not make.
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.write("root/usr/sbin/tailscaled", &binary::binary("go1.26.8", &daemon("1.98.5", TAGS)));
        bench.write("root/usr/bin/other", &binary::foreign());
        bench.write("root/etc/init.d/tailscale", b"#!/bin/sh /etc/rc.common\n");
        std::os::unix::fs::symlink("tailscaled", bench.path("root/usr/sbin/tailscale")).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs a shell script in the folder.
    fn sh(&self, script: &str) {
        let ran = Command::new("sh").args(["-ec", script]).current_dir(self.0.path()).output().unwrap();
        assert!(ran.status.success(), "{script}\n{}", String::from_utf8_lossy(&ran.stderr));
    }

    /// What opening a file says, with the paths of the machine left out.
    fn told(&self, name: &str) -> String {
        let at = format!("{}/", self.0.path().display());
        told(open(&self.path(name), Some(&target()))).replace(&at, "")
    }
}

fn problem(error: anyhow::Error) -> Problem {
    error.downcast().unwrap()
}

fn told(opened: anyhow::Result<Opened>) -> String {
    let mut text = String::new();
    let mut say = |problem: &Problem| {
        writeln!(text, "{}: {}\n  why: {}\n  next: {}", problem.code, problem.message, problem.why, problem.next)
            .unwrap();
    };
    match opened {
        Err(error) => say(&problem(error)),
        Ok(opened) => {
            opened.others.iter().for_each(&mut say);
            for found in &opened.binaries {
                let by = found.unpacked_by.as_ref().map_or(String::new(), |_| ", unpacked by UPX".to_owned());
                writeln!(text, "{} ({}){by}: {:?}", found.place, opened.format.name(), found.tailscale).unwrap();
                writeln!(text, "  {} {:?} -tags={}", found.info.go, found.setting("GOARCH"), found.tags()).unwrap();
            }
        }
    }
    text
}

/// Skips where a tool of the distribution is missing.
fn has(tools: &[&str]) -> bool {
    let missing = tools.iter().find(|tool| on_path(tool).is_none());
    missing.inspect(|tool| skip(&format!("{tool} is not installed"))).is_none()
}

const DEBIAN: &str = "mkdir -p root/DEBIAN; printf 'Package: tailscale\\nVersion: 1.98.5\\nArchitecture: riscv64\\nMaintainer: a <a@b>\\n\
    Description: x\\n' > root/DEBIAN/control";

#[test]
fn debian_packages_are_opened_however_they_are_compressed() {
    if !has(&["dpkg-deb"]) {
        return;
    }
    let bench = Bench::new();
    bench.sh(DEBIAN);
    for compression in ["xz", "gzip", "zstd", "none"] {
        bench.sh(&format!("dpkg-deb --root-owner-group -Z{compression} --build root {compression}.deb >/dev/null"));
    }
    let all: Vec<String> =
        ["xz", "gzip", "zstd", "none"].iter().map(|name| bench.told(&format!("{name}.deb"))).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn packages_of_opkg_are_opened_in_both_forms() {
    if !has(&["ar", "tar", "gzip"]) {
        return;
    }
    let bench = Bench::new();
    // As the scripts `ipkg-build` and `opkg-build -O` do.
    bench.sh("echo 2.0 > debian-binary; echo Package: tailscale > control
         tar --format=gnu -czf control.tar.gz ./control; tar --format=gnu -C root -czf data.tar.gz .
         tar --format=gnu -czf new.ipk ./debian-binary ./data.tar.gz ./control.tar.gz
         ar crf old.ipk debian-binary data.tar.gz control.tar.gz");
    insta::assert_snapshot!(format!("{}\n{}", bench.told("new.ipk"), bench.told("old.ipk")));
}

#[test]
fn packages_of_apk_are_opened_before_version_3() {
    if !has(&["tar", "gzip", "head"]) {
        return;
    }
    let bench = Bench::new();
    // As `abuild` does: three archives, the first two without their ends, each compressed, one behind the other. Other tools
    // leave the ends in.
    bench.sh("echo signature > .SIGN.RSA.someone.rsa.pub; echo pkgname = tailscale > .PKGINFO
         tar -b1 --format=pax -cf sign.tar .SIGN.RSA.someone.rsa.pub; tar -b1 --format=pax -cf control.tar .PKGINFO
         tar --format=pax -C root -cf data.tar usr etc
         for part in sign control; do head -c -1024 $part.tar | gzip -n > $part.gz; done
         gzip -n data.tar; cat sign.gz control.gz data.tar.gz > cut.apk
         gzip -n sign.tar control.tar; cat sign.tar.gz control.tar.gz data.tar.gz > whole.apk
         printf 'ADBd\\000\\000rest' > three.apk");
    let names = ["cut.apk", "whole.apk", "three.apk"];
    insta::assert_snapshot!(names.map(|name| bench.told(name)).join("\n"));
}

#[test]
fn images_are_opened_layer_by_layer() {
    if !has(&["tar", "gzip"]) {
        return;
    }
    let bench = Bench::new();
    let digest = "0123456789abcdef".repeat(4);
    // As docker writes them since version 25, as it did before, as skopeo does, and as a layout of OCI.
    bench.sh(&format!(
        "mkdir -p new/blobs/sha256 old/0a1b skopeo oci/blobs/sha256; echo '[]' > manifest.json
         tar -C root -cf new/blobs/sha256/{digest} usr; cp manifest.json new; echo '{{}}' > new/oci-layout
         cp new/blobs/sha256/{digest} old/0a1b/layer.tar; cp manifest.json old
         cp new/blobs/sha256/{digest} skopeo/{digest}.tar; cp manifest.json skopeo
         gzip < skopeo/{digest}.tar > oci/blobs/sha256/{digest}; echo '{{}}' > oci/oci-layout
         for image in new old skopeo oci; do tar -C $image -cf $image.tar .; done; gzip < skopeo.tar > skopeo.tar.gz"
    ));
    let names = ["new.tar", "old.tar", "skopeo.tar", "skopeo.tar.gz", "oci.tar"];
    insta::assert_snapshot!(names.map(|name| bench.told(name)).join("\n"));
}

#[test]
fn what_holds_no_tailscale_is_told_apart() {
    let bench = Bench::new();
    let daemon = binary::binary("go1.26.8", &daemon("1.98.5", TAGS));
    let other = "path\tgithub.com/example/proxy\nmod\tgithub.com/example/proxy\tv1.2.3\n";
    let library = format!("{other}dep\ttailscale.com\tv1.98.5\th1:x=\nbuild\t-tags=ts_omit_aws,netgo\n");
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let files: [(&str, &[u8]); 13] = [
        ("library", &binary::binary("go1.26.8", &library)),
        ("other", &binary::binary("go1.26.8", other)),
        ("silent", &binary::binary("go1.26.8", "")),
        ("cut", &daemon[..daemon.len() - 10]),
        ("header", &daemon[..20]),
        ("rust", &own),
        ("empty", b""),
        ("noise", &[0xa5; 1000]),
        ("zip", b"PK\x03\x04rest"),
        ("windows.exe", b"MZ\x90\0"),
        ("library.a", b"!<arch>\nx.o/            0           0     0     644     2         `\nab"),
        ("cut.gz", b"\x1f\x8b\x08\0\0\0"),
        ("bad.xz", b"\xfd7zXZ\0\0\0\0\0\0\0"),
    ];
    let mut text = String::new();
    for (name, bytes) in files {
        bench.write(name, bytes);
        writeln!(text, "{}", bench.told(name)).unwrap();
    }
    for name in ["missing", "root"] {
        writeln!(text, "{}", bench.told(name)).unwrap();
    }
    bench.sh("tar -cf empty.tar -T /dev/null; tar -C root -cf script.tar etc; tar -C root/usr -cf other.tar bin");
    for name in ["empty.tar", "script.tar", "other.tar"] {
        writeln!(text, "{}", bench.told(name)).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn text_is_told_from_the_rest() {
    let bench = Bench::new();
    let (long, shifted) = ("ä".repeat(5000), format!("x{}", "ä".repeat(5000)));
    let cases: [(&[u8], bool); 6] = [
        (b"#!/bin/sh\ngo build\n", true),
        (long.as_bytes(), true),
        (shifted.as_bytes(), true),
        (b"", true),
        (b"\x7fELF\x02\x01\x01\0\0", false),
        (&[0xa5; 100], false),
    ];
    for (bytes, text) in cases {
        assert_eq!(is_text(&bench.write("file", bytes)).unwrap(), text, "{bytes:?}");
    }
    assert_eq!(problem(is_text(Path::new("/dev/zero")).unwrap_err()).code, "file");
}
