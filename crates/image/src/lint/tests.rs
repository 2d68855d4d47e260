//! Archives broken in every way that has a lint, and bytes that are not an archive.

use diagnostics::{Code, Diagnostic, Location};

use super::*;
use crate::archive::{self, tests::sample};
use crate::root::TIME;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;
use tar::{Builder, EntryType, Header};

/// A fake executable: `ELF` and its processor.
fn identify(bytes: &[u8]) -> Option<Program> {
    let (architecture, beyond_v5) = match bytes.strip_prefix(b"ELF ")? {
        b"arm" => (Some("arm"), false),
        b"arm v7" => (Some("arm"), true),
        b"arm64" => (Some("arm64"), false),
        _ => (None, false),
    };
    Some(Program { architecture, beyond_v5 })
}

enum Node<'a> {
    File(&'a [u8]),
    Folder,
    Link(&'a str),
    Device,
}
use Node::{Device, File, Folder};

/// A tar archive of these, with names as they are: the writer's own checks are passed by.
fn tar(nodes: &[(&str, Node<'_>)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, node) in nodes {
        let (kind, bytes): (_, &[u8]) = match node {
            File(bytes) => (EntryType::Regular, bytes),
            Folder => (EntryType::Directory, &[]),
            Node::Link(_) => (EntryType::Symlink, &[]),
            Device => (EntryType::Char, &[]),
        };
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_mtime(TIME);
        header.set_size(bytes.len() as u64);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        if let Node::Link(to) = node {
            header.set_link_name_literal(to).unwrap();
        }
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// An archive of these layers, with a configuration that this changes.
fn image(layers: &[Vec<u8>], change: impl Fn(&mut Value)) -> Vec<u8> {
    let digests: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", crate::sha256(layer))).collect();
    let mut config = json!({
        "os": "linux", "architecture": "arm", "variant": "v5",
        "config": { "Entrypoint": ["/bin/sh"], "Env": ["PATH=/bin"] },
        "rootfs": { "type": "layers", "diff_ids": digests },
    });
    change(&mut config);
    let names: Vec<String> = (0..layers.len()).map(|number| format!("{number}.tar")).collect();
    let manifest = json!([{ "Config": "config.json", "RepoTags": null, "Layers": names }]).to_string();
    let config = config.to_string();
    let mut nodes = vec![("manifest.json", File(manifest.as_bytes())), ("config.json", File(config.as_bytes()))];
    nodes.extend(names.iter().zip(layers).map(|(name, layer)| (name.as_str(), File(layer))));
    tar(&nodes)
}

fn plain(nodes: &[(&str, Node<'_>)]) -> Vec<u8> {
    image(&[tar(nodes)], |_| ())
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    [b"\x1f\x8b\x08\0", bytes].concat()
}

/// A broken archive and what is wrong with it.
type Broken = (&'static str, Vec<u8>);

fn shell() -> (&'static str, Node<'static>) {
    ("bin/sh", File(b"ELF arm"))
}

/// A header that states this length, and nothing after it.
fn lying(kind: EntryType, size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_path("manifest.json").unwrap();
    header.set_entry_type(kind);
    header.set_size(if kind == EntryType::GNUSparse { 0 } else { size });
    if let Some(gnu) = header.as_gnu_mut().filter(|_| kind == EntryType::GNUSparse) {
        // The length of the file when it is unpacked, in octal digits.
        gnu.realsize[..11].copy_from_slice(b"77777777777");
    }
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// Files that are not an image, or can't be read as one.
fn no_images() -> Vec<Broken> {
    let good = plain(&[("bin", Folder), shell()]);
    let mut torn = tar(&[shell()]);
    torn[20] ^= 1;
    let several = json!([{ "Config": "a", "Layers": ["b"] }, { "Config": "a", "Layers": ["b"] }]).to_string();
    vec![
        ("no bytes", Vec::new()),
        ("no archive", b"\x7fELF and so on".repeat(100)),
        ("a damaged header", torn),
        ("cut off in the layer", good[..good.len() - 3000].to_vec()),
        ("a length of a terabyte", lying(EntryType::Regular, 1 << 40)),
        ("a sparse file of eight gigabytes", lying(EntryType::GNUSparse, 0)),
        ("a name of a terabyte", lying(EntryType::GNULongName, 1 << 40)),
        ("a compressed archive", gzipped(&good)),
        ("a compressed layer", image(&[gzipped(&tar(&[shell()]))], |_| ())),
        ("an OCI layout", tar(&[("oci-layout", File(b"{}")), ("index.json", File(b"{}"))])),
        ("files that are not an image", tar(&[shell()])),
        ("a manifest that is not JSON", tar(&[("manifest.json", File(b"[{"))])),
        ("a manifest of nothing", tar(&[("manifest.json", File(b"[]"))])),
        ("several images", tar(&[("manifest.json", File(several.as_bytes()))])),
    ]
}

/// A good layer and a configuration that says something else.
fn bad_configurations() -> Vec<Broken> {
    let with = |change: fn(&mut Value)| image(&[tar(&[shell()])], change);
    vec![
        ("a configuration that is none", with(|config| *config = json!([1]))),
        ("another layer than the configuration's", with(|config| config["rootfs"]["diff_ids"] = json!(["sha256:00"]))),
        ("fewer layers than the configuration's", with(|config| config["rootfs"]["diff_ids"] = json!([]))),
        ("mips", with(|config| config["architecture"] = "mips".into())),
        ("arm without a variant", with(|config| config["variant"] = Value::Null)),
        ("no program to run", with(|config| config["config"] = json!({}))),
        ("a binary that is not there", with(|config| config["config"]["Labels"] = json!({ BINARY: "00" }))),
    ]
}

/// A good configuration and layers that are not.
fn bad_layers() -> Vec<Broken> {
    let big = [1_u8; 8192];
    let (bin, entry) = (("bin", Folder), ("usr/local/bin/tailscaled", File(b"ELF arm64")));
    let escape = [("../\u{1b}[31metc/passwd", File(b"x")), ("/etc/shadow", File(b"x"))];
    let through = [("etc", Node::Link("/etc")), ("etc/passwd", File(b"x")), ("bin", Folder), shell()];
    let later = [
        tar(&[("bin", Folder), shell()]),
        tar(&[("bin", Folder), shell(), ("bin/.wh.ls", File(b""))]),
        tar(&[("bin/cat", File(b"x"))]),
    ];
    let other = tar(&[shell(), ("usr/local/bin/tailscaled", File(b"x"))]);
    let labelled = image(&[other], |config| config["config"]["Labels"] = json!({ BINARY: "00" }));
    vec![
        ("arm64 in an image for arm", plain(&[bin, shell(), entry])),
        ("arm v7 in an image for v5", plain(&[("bin/sh", File(b"ELF arm v7"))])),
        ("a program that is not there", plain(&[("bin", Folder)])),
        ("a script without its interpreter", plain(&[("bin", Folder), ("bin/sh", File(b"#!/bin/ash -e\nexec x\n"))])),
        ("a script with CRLF line ends", plain(&[("bin", Folder), ("bin/sh", File(b"#!/bin/sh\r\nexec x\r\n"))])),
        ("a dynamic program without its loader", plain(&[("bin", Folder), ("bin/sh", File(&dynamic()))])),
        ("links in a circle", plain(&[("bin/sh", Node::Link("sh"))])),
        ("the same bytes twice", plain(&[shell(), ("a", File(&big)), ("b", File(&big))])),
        ("a later layer", image(&later, |_| ())),
        ("paths that lead out", plain(&escape)),
        ("a path through a link", plain(&through)),
        ("a device", plain(&[shell(), ("dev/null", Device)])),
        ("another binary than the label's", labelled),
    ]
}

/// A program that names a loader: an ELF header, one segment of type PT_INTERP, and the path.
fn dynamic() -> Vec<u8> {
    let path = b"/lib/ld-musl-armhf.so.1\0";
    let mut bytes = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0\x01\0\0\0\0\0\0\0".to_vec();
    bytes.extend([52, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 52, 0, 32, 0, 1, 0, 40, 0, 0, 0, 0, 0]);
    let length = u8::try_from(path.len()).unwrap();
    bytes.extend([
        3, 0, 0, 0, 84, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0, length, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0,
    ]);
    bytes.extend(path);
    bytes
}

/// A member that most readers take for something else than it is.
fn odd(letter: u8, name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_entry_type(EntryType::new(letter));
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    let mut member = [header.as_bytes(), bytes].concat();
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

/// An extended header with one key.
fn extended(key: &str, value: &str) -> Vec<u8> {
    let text = format!("{key}={value}\n");
    let length = (text.len()..).find(|length| format!("{length} {text}").len() == *length).unwrap();
    odd(b'x', "extended", format!("{length} {text}").as_bytes())
}

/// Archives that different readers read differently.
fn hidden() -> Vec<Broken> {
    let layer = tar(&[shell()]);
    let good = image(std::slice::from_ref(&layer), |_| ());
    let first = tar(&[("manifest.json", File(b"[]")), ("0.tar", File(b""))]);
    let before = |members: Vec<Vec<u8>>| [members.concat(), good.clone()].concat();
    let long = vec![b' '; (1 << 20) + 1];
    let numbers = [b"[", &b"1,".repeat(1 << 19)[..], b"1]"].concat();
    vec![
        ("two manifests and two layers", [&first[..first.len() - 1024], &good].concat()),
        ("a folder that is there twice", before(vec![odd(b'5', "a/", b""), odd(b'5', "a/", b"")])),
        ("data after the end", [good.clone(), first].concat()),
        ("data after the end of a layer", image(&[[layer, b"hidden".to_vec()].concat()], |_| ())),
        ("a sparse file of GNU's", before(vec![odd(b'S', "0.tar", b"")])),
        ("a sparse file of pax", before(vec![extended("GNU.sparse.major", "1"), odd(b'0', "made/up", b"0\n")])),
        ("a label of a volume", before(vec![odd(b'V', "label", b"")])),
        ("a length in an extended header", before(vec![extended("size", "77"), odd(b'0', "a", b"0\n")])),
        ("a global header", before(vec![odd(b'g', "pax_global_header", b"")])),
        ("a manifest that is longer than any", tar(&[("manifest.json", File(&long))])),
        ("a manifest of numbers", tar(&[("manifest.json", File(&numbers))])),
    ]
}

fn broken() -> Vec<Broken> {
    [no_images(), bad_configurations(), bad_layers(), hidden()].concat()
}

const BINARY: &str = crate::archive::BINARY_LABEL;

fn findings_text(verdict: &Verdict) -> String {
    let one = |finding: &Diagnostic| {
        let at = match &finding.location {
            Location::Member(path) => format!(" at {path}"),
            Location::Whole | Location::Text(_) => String::new(),
        };
        format!("  {} {}{at}: {}\n", finding.severity, finding.code, finding.message)
    };
    verdict.findings.iter().map(one).collect()
}

#[test]
fn every_broken_archive_is_told_what_is_wrong_with_it() {
    let verdicts = broken().into_iter().map(|(name, bytes)| (name, judge(&bytes, &Expected::default(), &identify)));
    let told: String = verdicts.map(|(name, verdict)| format!("{name}\n{}", findings_text(&verdict))).collect();
    assert!(!told.contains('\u{1b}'), "what an archive holds does not reach the terminal as it is");
    insta::assert_snapshot!(told);
}

#[test]
fn every_lint_is_triggered_by_a_broken_archive() {
    let verdicts = broken().into_iter().map(|(_, bytes)| judge(&bytes, &Expected::default(), &identify));
    let found: BTreeSet<Code> = verdicts.flat_map(|verdict| verdict.findings).map(|finding| finding.code).collect();
    let known: BTreeSet<Code> = Image::ALL.iter().map(|lint| Code::from(*lint)).collect();
    assert_eq!(found, known);
}

#[test]
fn our_own_archive_has_no_finding_for_every_platform() {
    for platform in Platform::ALL {
        let image = sample(platform);
        let bytes = archive::write(&image).unwrap().bytes;
        let binary = Some(crate::sha256(&image.contents.program));
        let verdict = judge(&bytes, &Expected { platform: Some(platform), binary }, &identify);
        assert_eq!(findings_text(&verdict), "");
        assert_eq!((verdict.platform.as_str(), verdict.layers), (platform.name(), 1));
        assert_eq!(verdict.parts, crate::root::parts(&image.contents));
    }
    let bytes = archive::write(&sample(Platform::Arm64)).unwrap().bytes;
    let expected = Expected { platform: Some(Platform::ArmV7), binary: Some("00".to_owned()) };
    insta::assert_snapshot!(findings_text(&judge(&bytes, &expected, &identify)));
}

#[test]
fn a_thousand_findings_are_not_told_one_by_one() {
    let names: Vec<String> = (0..1000).map(|number| format!("../{number}")).collect();
    let nodes: Vec<(&str, Node<'_>)> = names.iter().map(|name| (name.as_str(), File(b""))).collect();
    let verdict = judge(&plain(&nodes), &Expected::default(), &identify);
    assert_eq!(verdict.more.get(&Code::UnsafePath), Some(&980));
    assert!(verdict.findings.len() < 30);
}

#[test]
fn names_are_held_up_to_a_length_in_all() {
    let name = "n".repeat(4000);
    let one = [odd(b'L', "././@LongLink", name.as_bytes()), odd(b'0', "n", b"")].concat();
    let verdict = judge(&one.repeat(4200), &Expected::default(), &identify);
    assert!(
        findings_text(&verdict).contains("the names of its files have more than 16777216 bytes in all"),
        "{}",
        findings_text(&verdict)
    );
    // A name of a megabyte is not a path, and is not stored either.
    let long = odd(b'L', "././@LongLink", "n".repeat(1 << 20).as_bytes());
    let verdict = judge(&[long, odd(b'0', "n", b"")].concat(), &Expected::default(), &identify);
    assert!(findings_text(&verdict).contains("longer or deeper than a path can be"), "{}", findings_text(&verdict));
}

#[test]
fn the_members_of_all_layers_are_counted_together() {
    let member = odd(b'0', "n", b"");
    let layers: Vec<Vec<u8>> =
        (0..3_u8).map(|layer| [odd(b'0', "n", &[layer]), member.repeat(67_000)].concat()).collect();
    let verdict = judge(&image(&layers, |_| ()), &Expected::default(), &identify);
    assert!(findings_text(&verdict).contains("there are more than 200000 files in all"), "{}", findings_text(&verdict));
}

#[test]
fn a_member_that_is_a_layer_many_times_is_read_once() {
    let layer = tar(&[("bin/sh", File(&[7; 100_000]))]);
    let names = vec!["0.tar"; 100_000];
    let manifest = json!([{ "Config": "config.json", "Layers": names }]).to_string();
    let archive =
        tar(&[("manifest.json", File(manifest.as_bytes())), ("config.json", File(b"{}")), ("0.tar", File(&layer))]);
    let verdict = judge(&archive, &Expected::default(), &identify);
    assert_eq!(verdict.layers, 1);
    assert!(findings_text(&verdict).contains("it names 100000 layers"), "{}", findings_text(&verdict));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let _ = judge(&bytes, &Expected::default(), &identify);
    }

    #[test]
    fn no_change_of_a_good_archive_makes_it_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..20),
        cut in any::<prop::sample::Index>(),
        mend in any::<bool>(),
    ) {
        let mut bytes = archive::write(&sample(Platform::ArmV5)).unwrap().bytes;
        for (at, value, in_header) in changes {
            // Headers are where the lengths and types are.
            let at = at.index(bytes.len());
            let at = if in_header { at / 512 * 512 + at % 160 } else { at };
            let end = bytes.len() - 1;
            bytes[at.min(end)] = value;
        }
        if mend {
            mend_checksums(&mut bytes);
        }
        bytes.truncate(cut.index(bytes.len()).max(bytes.len() / 2));
        let _ = judge(&bytes, &Expected::default(), &identify);
    }
}

/// Gives every block the checksum of a header, so that what was changed in one is believed.
fn mend_checksums(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        let mut header = Header::from_byte_slice(block).clone();
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
    }
}
