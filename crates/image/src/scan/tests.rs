//! Hostile archives, and every archive truncated and garbled. Archives of other tools are tested in tests/it/foreign.rs.

use std::io::Write;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use lzma_rust2::{XzOptions, XzWriter};
use proptest::prelude::*;

use super::*;
use crate::limits::LARGEST_WINDOW;

const ELF: &[u8] = b"\x7fELF and nothing more";

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ::tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, bytes) in members {
        writeln!(archive, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, "100644", bytes.len()).unwrap();
        archive.extend(*bytes);
        archive.extend(b"\n".iter().take(bytes.len() % 2));
    }
    archive
}

/// Scans a file: the paths and bytes of programs, and the result.
fn scan(file: &[u8]) -> (Vec<(String, Vec<u8>)>, ScanResult) {
    let mut found = Vec::new();
    let result = programs(file, &|| true, &mut |program| found.push((program.path.join(": "), program.bytes)));
    (found, result)
}

static SAMPLES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(samples);

fn samples() -> Vec<Vec<u8>> {
    let deep = "folder/".repeat(40) + "tailscaled";
    let data = tar(&[("./usr/sbin/tailscaled", ELF), (&deep, ELF), ("etc/config", b"text")]);
    let package = |compress: fn(&[u8]) -> Vec<u8>, end: &str| {
        ar(&[
            ("debian-binary", b"2.0\n"),
            ("control.tar.gz", &gzip(b"")),
            (&format!("data.tar{end}"), &compress(&data)),
        ])
    };
    vec![
        ELF.to_vec(),
        gzip(ELF),
        data.clone(),
        gzip(&data),
        package(gzip, ".gz"),
        package(xz, ".xz"),
        package(zstd, ".zst"),
        gzip(&tar(&[("./debian-binary", b"2.0\n"), ("./data.tar.gz", &gzip(&data))])),
        [gzip(&tar(&[(".PKGINFO", b"")])), gzip(&data)].concat(),
        [zstd(&data[..1024]), zstd(&data[1024..])].concat(),
        tar(&[("manifest.json", b"[]"), (&format!("{}.tar", "0a".repeat(32)), &data)]),
    ]
}

#[test]
fn scan_finds_the_programs_of_every_sample() {
    for (index, sample) in SAMPLES.iter().enumerate() {
        let (found, result) = scan(sample);
        assert!(result.faults.is_empty(), "{index}: {:?}", result.faults);
        assert_eq!(found.len(), if index < 2 { 1 } else { 2 }, "{index}");
        assert!(found.iter().all(|(_, bytes)| bytes == ELF), "{index}");
    }
    let (found, result) = scan(&SAMPLES[5]);
    assert_eq!((found[0].0.as_str(), result.format), ("data.tar.xz: usr/sbin/tailscaled", Some(Format::ArPackage)));
}

#[test]
fn scan_of_decompression_bomb_is_stopped() {
    let zeros = vec![0; 32 << 20];
    for (name, bomb) in [("gzip", gzip(&zeros)), ("xz", xz(&zeros)), ("zstd", zstd(&zeros))] {
        let mut inner = ELF.to_vec();
        inner.extend(&zeros);
        let packed = ar(&[("debian-binary", b"2.0\n"), ("data.tar.gz", &gzip(&tar(&[("tailscaled", &inner)])))]);
        let (found, result) = scan(&packed);
        let at = vec!["data.tar.gz".to_owned(), "tailscaled".to_owned()];
        assert!(
            found.is_empty() && matches!(&result.faults[..], [(place, Fault::TooMuch(_))] if *place == at),
            "{result:?}"
        );
        let (_, result) = scan(&[b"".to_vec(), bomb].concat());
        // Zeros have no known signature, which is detected before they grow.
        assert_eq!(result.faults, [(vec![], Fault::Unknown)], "{name}");
    }
}

#[test]
fn scan_accepts_windows_up_to_the_limit() {
    let mut options = XzOptions::with_preset(9);
    assert_eq!(u64::from(options.lzma_options.dict_size), LARGEST_WINDOW);
    for (window, read) in [(LARGEST_WINDOW, true), (LARGEST_WINDOW + (2 << 20), false)] {
        options.lzma_options.dict_size = u32::try_from(window).unwrap();
        let mut encoder = XzWriter::new(Vec::new(), options.clone()).unwrap();
        encoder.write_all(ELF).unwrap();
        let (found, result) = scan(&encoder.finish().unwrap());
        assert_eq!(found.len(), usize::from(read), "{result:?}");
    }
}

#[test]
fn scan_limits_nested_archives() {
    let mut nested = ELF.to_vec();
    for _ in 0..20 {
        nested = gzip(&nested);
    }
    assert!(matches!(scan(&nested).1.faults[..], [(_, Fault::TooMuch(_))]));
    let mut nested = tar(&[("tailscaled", ELF)]);
    for _ in 0..20 {
        nested = tar(&[("data.tar", &nested)]);
    }
    assert!(matches!(scan(&nested).1.faults[..], [(_, Fault::TooMuch(_))]));
}

#[test]
fn scan_stops_on_request() {
    for sample in SAMPLES.iter() {
        let result = programs(&sample[..], &|| false, &mut |_| {});
        assert_eq!(result.faults, [(vec![], Fault::Stopped)]);
    }
}

#[test]
fn scan_limits_long_names() {
    // A record with a name of 1 GiB, truncated.
    let mut header = ::tar::Header::new_gnu();
    header.set_entry_type(::tar::EntryType::GNULongName);
    header.set_path("././@LongLink").unwrap();
    header.set_size(1 << 30);
    header.set_cksum();
    let file = [header.as_bytes().to_vec(), vec![b'a'; 1 << 20]].concat();
    assert_eq!(scan(&file).1.faults, [(vec![], Fault::Truncated)]);
}

/// A member of a kind that the crate `tar` does not write.
fn odd(letter: u8, name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = ::tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_entry_type(::tar::EntryType::new(letter));
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    let mut member = [header.as_bytes(), bytes].concat();
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

#[test]
fn scan_reports_unread_members() {
    let sparse = "22 GNU.sparse.major=1\n35 GNU.sparse.name=sbin/tailscaled\n";
    let file = [
        odd(b'S', "sbin/one", ELF),
        odd(b'x', "x", sparse.as_bytes()),
        odd(b'0', "GNUSparseFile.0/tailscaled", b"1\n0\n"),
        odd(b'V', "label", b""),
        odd(b'0', "sbin/two", ELF),
    ]
    .concat();
    let (found, result) = scan(&file);
    assert_eq!(found.iter().map(|(place, _)| place.as_str()).collect::<Vec<_>>(), ["sbin/two"]);
    let named: Vec<String> =
        result.faults.iter().map(|(place, fault)| format!("{}: {fault:?}", place.join(": "))).collect();
    assert_eq!(
        named,
        [
            "sbin/one: Unread(\"a sparse file, which is not read\")",
            "sbin/tailscaled: Unread(\"a sparse file, which is not read\")",
            "label: Unread(\"a member of the kind `V`, which is not read\")",
        ]
    );
}

#[test]
fn scan_limits_the_number_of_programs() {
    let file = odd(b'0', "p", ELF).repeat(MOST_PROGRAMS + 1);
    let (found, result) = scan(&file);
    assert_eq!((found.len(), result.programs, result.format), (MOST_PROGRAMS, MOST_PROGRAMS, Some(Format::Tar)));
    assert!(matches!(&result.faults[..], [(_, Fault::TooMuch(why))] if why.contains("10000 programs")), "{result:?}");
    let sparse = odd(b'S', "p", ELF).repeat(100);
    let (_, result) = scan(&sparse);
    assert_eq!((result.faults.len(), result.more_faults), (MOST_FAULTS, 80));
}

#[test]
fn scan_returns_truncated_programs() {
    let data = tar(&[("tailscaled", &[ELF, &[1; 5000]].concat())]);
    let (found, result) = scan(&data[..2000]);
    assert_eq!(found[0].1.len(), 2000 - 512);
    assert_eq!(result.faults, [(vec![], Fault::Truncated)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn scan_of_garbled_archive_never_panics(
        which in 0_usize..11,
        cut in 0.0_f64..2.0,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut sample = SAMPLES[which].clone();
        for (at, byte) in changes {
            let at = at.index(sample.len());
            sample[at] = byte;
        }
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a test")]
        sample.truncate((sample.len() as f64 * cut) as usize);
        let _ = scan(&sample);
    }

    #[test]
    fn scan_of_noise_never_panics(which in 0_usize..11, keep in 0_usize..700, noise in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut sample = SAMPLES[which].clone();
        sample.truncate(keep);
        sample.extend(noise);
        let _ = scan(&sample);
    }
}
