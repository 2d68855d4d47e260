//! Artifacts of others: packages and images made by their own tools, and hostile files.
//!
//! The programs inside hold build information and nothing else, where a real one would only be slower.

use diagnostics::{Code, Diagnostic};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::binary::daemon;
use crate::common::{cache, skip};
use image::archive::{self, Image};
use image::platform::Platform;
use image::root::Contents;
use regex::Regex;
use tailscale_featureset::artifact::{Opened, is_text, open};
use tailscale_featureset::process::on_path;
use tailscale_featureset::tools::go::{self, Go};
use tailscale_featureset::tools::upx;

const TAGS: &str = "ts_include_cli,ts_omit_ace,ts_omit_aws";

/// A folder in which things are packed.
struct Bench(tempfile::TempDir);

impl Bench {
    /// With a root that holds a daemon, a link to it, and a program that Go did not make.
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.write("root/usr/sbin/tailscaled", &crate::common::binary::binary("go1.26.8", &daemon("1.98.5", TAGS)));
        bench.write("root/usr/bin/other", &crate::common::binary::foreign());
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

    /// The messages about an opened file, without the machine's paths.
    fn messages(&self, name: &str) -> String {
        let at = format!("{}/", self.0.path().display());
        messages(open(&self.path(name), &cache())).replace(&at, "")
    }
}

fn problem(error: anyhow::Error) -> Diagnostic {
    error.downcast().unwrap()
}

fn messages(opened: anyhow::Result<Opened>) -> String {
    let mut text = String::new();
    let mut say = |problem: &Diagnostic| {
        writeln!(text, "{}: {}\n  why: {}\n  next: {}", problem.code, problem.message, problem.why, problem.next)
            .unwrap();
    };
    match opened {
        Err(error) => say(&problem(error)),
        Ok(opened) => {
            opened.others.iter().for_each(&mut say);
            for found in &opened.binaries {
                let by = found.unpacked_by.as_deref().and_then(|by| by.split(' ').next());
                let by = by.map_or(String::new(), |by| format!(", unpacked by {by}"));
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
        ["xz", "gzip", "zstd", "none"].iter().map(|name| bench.messages(&format!("{name}.deb"))).collect();
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
    insta::assert_snapshot!(format!("{}\n{}", bench.messages("new.ipk"), bench.messages("old.ipk")));
}

#[test]
fn packages_of_apk_are_opened_before_version_3() {
    if !has(&["tar", "gzip", "head"]) {
        return;
    }
    let bench = Bench::new();
    // As `abuild` does: three archives, the first two without their ends, each compressed, concatenated. Other tools
    // leave the ends in.
    bench.sh("echo signature > .SIGN.RSA.someone.rsa.pub; echo pkgname = tailscale > .PKGINFO
         tar -b1 --format=pax -cf sign.tar .SIGN.RSA.someone.rsa.pub; tar -b1 --format=pax -cf control.tar .PKGINFO
         tar --format=pax -C root -cf data.tar usr etc
         for part in sign control; do head -c -1024 $part.tar | gzip -n > $part.gz; done
         gzip -n data.tar; cat sign.gz control.gz data.tar.gz > cut.apk
         gzip -n sign.tar control.tar; cat sign.tar.gz control.tar.gz data.tar.gz > whole.apk
         printf 'ADBd\\000\\000rest' > three.apk");
    let names = ["cut.apk", "whole.apk", "three.apk"];
    insta::assert_snapshot!(names.map(|name| bench.messages(name)).join("\n"));
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
    insta::assert_snapshot!(names.map(|name| bench.messages(name)).join("\n"));
}

#[test]
fn our_own_images_are_opened_and_what_skopeo_makes_of_them() {
    let bench = Bench::new();
    let program = std::fs::read(bench.path("root/usr/sbin/tailscaled")).unwrap();
    let image = Image {
        platform: Platform::Amd64,
        tag: "tailscale-routeros:test".to_owned(),
        contents: Contents { program, shell: None },
        labels: BTreeMap::new(),
    };
    bench.write("own.tar", &archive::write(&image).unwrap().bytes);
    let place = |told: &str| told.lines().next().unwrap().split(": ").skip(2).collect::<Vec<_>>().join(": ");
    let own = place(&bench.messages("own.tar"));
    assert!(own.starts_with("usr/local/bin/tailscaled (docker-archive): Tailscale { role: Daemon"), "{own}");
    if !has(&["skopeo"]) {
        return;
    }
    for kind in ["docker-archive", "oci-archive"] {
        bench.sh(&format!("skopeo copy --quiet docker-archive:own.tar {kind}:{kind}.tar:x/y:z"));
        let copied = place(&bench.messages(&format!("{kind}.tar")));
        let format = if kind == "oci-archive" { "OCI layout" } else { kind };
        assert_eq!(copied, own.replace("docker-archive", format));
    }
}

#[test]
fn what_holds_no_tailscale_is_told_apart() {
    let bench = Bench::new();
    let daemon = crate::common::binary::binary("go1.26.8", &daemon("1.98.5", TAGS));
    let other = "path\tgithub.com/example/proxy\nmod\tgithub.com/example/proxy\tv1.2.3\n";
    let library = format!("{other}dep\ttailscale.com\tv1.98.5\th1:x=\nbuild\t-tags=ts_omit_aws,netgo\n");
    let files: [(&str, &[u8]); 13] = [
        ("library", &crate::common::binary::binary("go1.26.8", &library)),
        ("other", &crate::common::binary::binary("go1.26.8", other)),
        ("silent", &crate::common::binary::binary("go1.26.8", "")),
        ("cut", &daemon[..daemon.len() - 10]),
        ("header", &daemon[..20]),
        ("rust", &crate::common::binary::foreign()),
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
        writeln!(text, "{}", bench.messages(name)).unwrap();
    }
    for name in ["missing", "root"] {
        writeln!(text, "{}", bench.messages(name)).unwrap();
    }
    bench.sh("tar -cf empty.tar -T /dev/null; tar -C root -cf script.tar etc; tar -C root/usr -cf other.tar bin");
    for name in ["empty.tar", "script.tar", "other.tar"] {
        writeln!(text, "{}", bench.messages(name)).unwrap();
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
    assert_eq!(problem(is_text(Path::new("/dev/zero")).unwrap_err()).code, Code::FileError);
}

/// A small program of real Go's in the place of Tailscale's daemon, as projects build it from a folder: the record says
/// `(devel)`, and `-trimpath` keeps the linker's flags out of it.
fn small(bench: &Bench, go: &Go, name: &str, linker: &str) -> PathBuf {
    bench.write("src/go.mod", b"module tailscale.com\n\ngo 1.24\n");
    bench.write("src/VERSION.txt", b"1.98.5\n");
    bench.write(
        "src/root.go",
        b"package tailscaleroot\n\nimport _ \"embed\"\n\n//go:embed VERSION.txt\nvar Version string\n",
    );
    bench.write("src/version/version.go", b"package version\n\nvar longStamp, shortStamp string\n\nfunc Long() string { return longStamp + shortStamp }\n");
    bench.write(
        "src/cmd/tailscaled/main.go",
        b"package main\n\nimport (\n\troot \"tailscale.com\"\n\t\"tailscale.com/version\"\n)\n\n\
          func main() { println(version.Long(), root.Version) }\n",
    );
    let output = bench.path(name);
    let flags = format!("-ldflags={linker}");
    let arguments = [
        "build",
        "-trimpath",
        "-buildvcs=false",
        &flags,
        "-tags=ts_omit_aws",
        "-o",
        output.to_str().unwrap(),
        "./cmd/tailscaled",
    ];
    let mut variables = go::plain("local");
    variables.extend([("GOOS", "linux"), ("GOARCH", "amd64")].map(|(name, value)| (name.to_owned(), value.to_owned())));
    let ran = go.command(&arguments, &variables).current_dir(bench.path("src")).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    output
}

#[test]
fn what_upx_packed_is_unpacked_and_versions_are_found_where_they_stand() {
    let Ok(go) = go::find_or_provide(&cache()) else { return skip("there is no Go") };
    let Ok(upx) = upx::find_or_provide(&cache()) else { return skip("there is no UPX") };
    let bench = Bench::new();
    let stamps = "-X tailscale.com/version.longStamp=1.98.4-t012345678 -X tailscale.com/version.shortStamp=1.98.4";
    small(&bench, &go, "symbols", stamps);
    small(&bench, &go, "stripped", &format!("-s -w {stamps}"));
    small(&bench, &go, "unstamped", "-s -w");
    let short = "-s -w -X tailscale.com/version.shortStamp=1.98.4";
    small(&bench, &go, "short", short);
    let mut names = vec!["symbols", "stripped", "unstamped", "short"];
    // Section names are what a second strip takes away; Go finds its record without them, and so is it found here.
    let mut bare = std::fs::read(bench.path("stripped")).unwrap();
    bare[0x28..0x30].fill(0);
    bare[0x3a..0x40].fill(0);
    bench.write("bare", &bare);
    names.push("bare");
    upx.pack(&bench.path("stripped"), &bench.path("packed"), "amd64").unwrap();
    let mut damaged = std::fs::read(bench.path("packed")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 100].fill(0);
    bench.write("damaged", &damaged);
    for (memory, largest) in [(4 << 20, 64 << 20), (1 << 30, 64 << 10)] {
        let limited = upx.unpack(&bench.path("packed"), &bench.path("raw"), memory, largest).unwrap().output().unwrap();
        assert!(!limited.status.success(), "{memory} {largest}");
    }
    names.extend(["packed", "damaged"]);
    let version = Regex::new(r"UPX [0-9.]+").unwrap();
    let told: Vec<String> = names.iter().map(|name| bench.messages(name)).collect();
    insta::assert_snapshot!(version.replace_all(&told.join("\n"), "UPX [VERSION]"));
}

#[test]
fn what_execpack_packed_is_unpacked_without_a_tool() {
    let Ok(go) = go::find_or_provide(&cache()) else { return skip("Go is not available") };
    let bench = Bench::new();
    small(&bench, &go, "stripped", "-s -w -X tailscale.com/version.shortStamp=1.98.4");
    let packed = execpack::pack(&std::fs::read(bench.path("stripped")).unwrap()).unwrap().bytes;
    let mut damaged = packed.clone();
    damaged[packed.len() / 2] ^= 1;
    bench.write("packed", &packed);
    bench.write("damaged", &damaged);
    bench.write("cut", &packed[..packed.len() - 1]);
    let told: Vec<String> = ["packed", "damaged", "cut"].iter().map(|name| bench.messages(name)).collect();
    insta::assert_snapshot!(told.join("\n"));
}

/// The most memory that this process has held since the mark was set, beyond what it held then, in bytes.
struct Peak(u64);

impl Peak {
    fn mark() -> Option<Self> {
        std::fs::write("/proc/self/clear_refs", "5").ok()?;
        Some(Self(Self::status("VmRSS:")?))
    }

    fn since(&self) -> u64 {
        Self::status("VmHWM:").unwrap().saturating_sub(self.0)
    }

    fn status(name: &str) -> Option<u64> {
        let text = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
    }
}

#[test]
fn files_that_are_made_to_hurt_are_answered_at_once_and_within_bounds() {
    if !has(&["gzip", "xz", "zstd", "ar", "tar", "truncate"]) {
        return;
    }
    let bench = Bench::new();
    // Noise that is the same in every run: the low bytes of a xorshift.
    let noise = (0..5_000_000).scan(0x9e37_79b9_u32, |state, _| {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        Some(state.to_le_bytes()[0])
    });
    bench.write("noise", &noise.collect::<Vec<u8>>());
    bench.sh(
        "printf '\\177ELF' > elf; truncate -s 300M elf; tar -cf plain.tar elf; truncate -s 100G hole; truncate -s 100G elf.hole
         printf '\\177ELF' | dd of=elf.hole conv=notrunc 2>/dev/null
         gzip -1 < plain.tar > bomb.tar.gz; xz -0 < plain.tar > bomb.tar.xz; zstd -q -1 < plain.tar > bomb.tar.zst
         echo 2.0 > debian-binary; for end in gz xz zst; do cp bomb.tar.$end data.tar.$end; ar cr $end.deb debian-binary data.tar.$end; done
         (printf '\\037\\213\\010\\0\\0\\0\\0\\0\\0\\003'; cat noise) > noise.gz
         (printf '\\375\\067zXZ\\0'; cat noise) > noise.xz; (printf '\\050\\265\\057\\375'; cat noise) > noise.zst
         (printf '!<arch>\\n'; cat noise) > noise.deb; (head -c 512 plain.tar; cat noise) > noise.tar
         printf '!<arch>\\n//                                              9999999999`\\n' > names.deb",
    );
    let names = [
        "elf",
        "plain.tar",
        "hole",
        "elf.hole",
        "bomb.tar.gz",
        "bomb.tar.xz",
        "bomb.tar.zst",
        "gz.deb",
        "xz.deb",
        "zst.deb",
        "noise",
        "noise.gz",
        "noise.xz",
        "noise.zst",
        "noise.deb",
        "noise.tar",
        "names.deb",
    ];
    let mut text = String::new();
    for name in names {
        let (begun, peak) = (std::time::Instant::now(), Peak::mark());
        text += &bench.messages(name);
        let (took, held) = (begun.elapsed(), peak.map(|peak| peak.since()));
        eprintln!("{name}: {took:?}, {held:?} bytes");
        assert!(took.as_secs() < 10, "{name} took {took:?}");
        assert!(held.is_none_or(|held| held < 300 << 20), "{name} held {held:?} bytes");
    }
    insta::assert_snapshot!(text);
}
