//! The layers of an image, laid over one another: what the container will see, and what the flash will hold.

use std::collections::{BTreeMap, BTreeSet};

use diagnostics::area::Image;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, elf};
use serde_json::Value;

use super::members::{self, Kind, Member, Room, normal};
use super::verdict::{Expected, Identify, Program, Verdict, compression};
use crate::archive::BINARY_LABEL;
use crate::printable::printable;
use crate::root::{BLOCK, PROGRAM, Part, on_disk};
use crate::{platform::Platform, sha256};

/// How many links are followed before they count as a circle, as Linux does.
const MOST_LINKS: usize = 40;

/// The root file system: for each path, the entry of the last layer that has it.
type Tree<'a> = BTreeMap<String, Member<'a>>;

/// Judges the layers together with the configuration.
pub(super) fn judge(
    layers: &[&Member<'_>],
    config: &Value,
    expected: &Expected,
    identify: Identify<'_>,
    room: &mut Room,
    verdict: &mut Verdict,
) {
    let (mut tree, mut looked) = (Tree::new(), BTreeSet::new());
    let mut cost = Cost::default();
    for layer in layers {
        let name = printable(&layer.path);
        if let Some(format) = compression(layer.bytes) {
            verdict.find(Image::CompressedLayer, &name, format!("the layer is compressed with {format}"));
        } else if looked.insert(&layer.path) {
            let members = members::read(layer.bytes, &name, room, verdict);
            verdict.layers += 1;
            overlay(&mut tree, members, &name, &mut cost, verdict);
        }
    }
    // A layer that could not be read does not make files missing.
    if verdict.layers == layers.len() && !layers.is_empty() {
        entrypoint(config, &tree, verdict);
        shell(&tree, verdict);
    }
    programs(config, &tree, identify, verdict);
    binary(config, &tree, expected, verdict);
    verdict.parts = cost.parts();
}

/// The size of the layers on flash.
#[derive(Default)]
struct Cost {
    /// By digest: the paths that hold the same bytes.
    contents: BTreeMap<String, Vec<String>>,
    files: Vec<Part>,
    folders: u64,
}

impl Cost {
    fn parts(mut self) -> Vec<Part> {
        self.files.sort_by(|a, b| b.disk.cmp(&a.disk).then_with(|| a.name.cmp(&b.name)));
        // The root itself is a folder too.
        let folders = self.folders + 1;
        self.files.push(Part { name: format!("{folders} folders"), bytes: 0, disk: folders.saturating_mul(BLOCK) });
        self.files
    }
}

/// Lays one layer over those before it.
fn overlay<'a>(tree: &mut Tree<'a>, members: Vec<Member<'a>>, name: &str, cost: &mut Cost, verdict: &mut Verdict) {
    let mut own = BTreeSet::new();
    for member in members.into_iter().filter(|member| !member.path.is_empty()) {
        let (folder, file) = member.path.rsplit_once('/').unwrap_or(("", &member.path));
        if file.starts_with(".wh.") {
            let message = format!("`{}` hides what an earlier layer holds", printable(&member.path));
            verdict.find(Image::Whiteout, name, message);
            continue;
        }
        if member.kind == Kind::Special {
            verdict.find(
                Image::SpecialFile,
                name,
                format!("`{}` is a device, a pipe or a socket", printable(&member.path)),
            );
        }
        let twice = !own.insert(member.path.clone());
        // A folder that every layer has to name on the way to its own files changes nothing.
        let written = member.kind != Kind::Folder;
        if written && (twice || tree.contains_key(&member.path)) {
            let message = format!("`{}` is there already", printable(&member.path));
            verdict.find(Image::LayerOverwrites, name, message);
        } else if written && !own.contains(folder) && tree.contains_key(folder) {
            let message = format!("`{}` is put into a folder of an earlier layer", printable(&member.path));
            verdict.find(Image::LayerOverwrites, name, message);
        }
        if !twice {
            count(&member, cost, verdict);
        }
        tree.insert(member.path.clone(), member);
    }
}

fn count(member: &Member<'_>, cost: &mut Cost, verdict: &mut Verdict) {
    match member.kind {
        Kind::Folder => cost.folders += 1,
        Kind::File => {
            let bytes = member.bytes.len() as u64;
            cost.files.push(Part { name: printable(&member.path), bytes, disk: on_disk(bytes) });
            if bytes < BLOCK {
                return;
            }
            let same = cost.contents.entry(sha256(member.bytes)).or_default();
            if let Some(first) = same.first().filter(|first| **first != member.path) {
                let message = format!("`{}` holds the same bytes as `{}`", printable(&member.path), printable(first));
                verdict.find(Image::DuplicateFile, "", message);
            }
            same.push(member.path.clone());
        }
        _ => {}
    }
}

/// Follows a path through the links of the tree; returns the entry at its end.
fn resolve<'t, 'a>(tree: &'t Tree<'a>, path: &str) -> Option<&'t Member<'a>> {
    let mut left: Vec<String> = normal(path).rsplit('/').map(str::to_owned).collect();
    let (mut at, mut links) = (String::new(), 0);
    while let Some(part) = left.pop() {
        if part == ".." {
            at = at.rsplit_once('/').map(|(above, _)| above.to_owned()).unwrap_or_default();
            continue;
        }
        let next = if at.is_empty() { part } else { format!("{at}/{part}") };
        match tree.get(&next).map(|member| &member.kind) {
            Some(Kind::Link(to)) => {
                links += 1;
                if links > MOST_LINKS {
                    return None;
                }
                if to.starts_with('/') {
                    at.clear();
                }
                left.extend(normal(to).rsplit('/').map(str::to_owned));
            }
            Some(Kind::Hard(to)) => {
                links += 1;
                if links > MOST_LINKS {
                    return None;
                }
                at = normal(to);
            }
            _ => at = next,
        }
    }
    tree.get(&at)
}

/// The program that the container runs first must be there, and be one.
fn entrypoint(config: &Value, tree: &Tree<'_>, verdict: &mut Verdict) {
    let words = |name: &str| config["config"][name].as_array().into_iter().flatten().filter_map(Value::as_str);
    let Some(first) = words("Entrypoint").chain(words("Cmd")).next() else {
        verdict.find(Image::EntrypointMissing, "", "the configuration names no program to run".to_owned());
        return;
    };
    let path = config["config"]["Env"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let path = path.filter_map(|variable| variable.strip_prefix("PATH=")).next().unwrap_or("/usr/bin:/bin");
    let places: Vec<String> = match first.contains('/') {
        true => vec![first.to_owned()],
        false => path.split(':').take(MOST_LINKS).map(|folder| format!("{folder}/{first}")).collect(),
    };
    match places.iter().find_map(|place| resolve(tree, place)) {
        None => {
            let message = format!("the program to run, `{}`, is not in the image", printable(first));
            verdict.find(Image::EntrypointMissing, "", message);
        }
        Some(found) if found.kind != Kind::File || found.mode & 0o111 == 0 => {
            let message = format!("the program to run, `{}`, is not executable", printable(first));
            verdict.find(Image::EntrypointMissing, "", message);
        }
        Some(found) => interpreter(found.bytes, tree, 0, verdict),
    }
}

/// The interpreter of a script, or the loader of a dynamic program, must be there too: the kernel starts that first.
fn interpreter(program: &[u8], tree: &Tree<'_>, depth: usize, verdict: &mut Verdict) {
    let (path, what) = match script_interpreter(program) {
        Some(path) => (path, "interpreter"),
        None => match loader(program) {
            Some(path) => (path, "loader"),
            None => return,
        },
    };
    let path = String::from_utf8_lossy(path).into_owned();
    if path.ends_with('\r') {
        let message =
            format!("the script that runs first has CRLF line ends, so its interpreter is `{}`", printable(&path));
        verdict.find(Image::CrlfScript, "", message);
        return;
    }
    match resolve(tree, &path) {
        None => {
            let message =
                format!("the program to run needs the {what} `{}`, which is not in the image", printable(&path));
            verdict.find(Image::InterpreterMissing, "", message);
        }
        Some(found) if found.kind != Kind::File || found.mode & 0o111 == 0 => {
            let message = format!("the {what} of the program to run, `{}`, is not executable", printable(&path));
            verdict.find(Image::InterpreterMissing, "", message);
        }
        // Linux follows as many interpreters of interpreters.
        Some(found) if depth < 4 => interpreter(found.bytes, tree, depth + 1, verdict),
        Some(_) => {}
    }
}

/// The path after `#!`. Linux looks at 256 bytes of it. Source: `fs/binfmt_script.c`.
fn script_interpreter(program: &[u8]) -> Option<&[u8]> {
    let line = program.strip_prefix(b"#!")?;
    let line = line.get(..line.len().min(254))?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    line.split(|byte| [b' ', b'\t'].contains(byte)).find(|word| !word.is_empty())
}

/// The loader that a dynamic program names.
fn loader(program: &[u8]) -> Option<&[u8]> {
    fn named<Header: FileHeader<Endian = Endianness>>(program: &[u8]) -> Option<&[u8]> {
        let header = Header::parse(program).ok()?;
        let endian = header.endian().ok()?;
        let segments = header.program_headers(endian, program).ok()?;
        segments.iter().find_map(|segment| segment.interpreter(endian, program).ok().flatten())
    }
    match FileKind::parse(program).ok()? {
        FileKind::Elf32 => named::<elf::FileHeader32<Endianness>>(program),
        FileKind::Elf64 => named::<elf::FileHeader64<Endianness>>(program),
        _ => None,
    }
}

fn shell(tree: &Tree<'_>, verdict: &mut Verdict) {
    if resolve(tree, "bin/sh").is_none() {
        verdict.find(Image::NoShell, "", "there is no /bin/sh".to_owned());
    }
}

/// Holds every executable against the processor of the configuration.
fn programs(config: &Value, tree: &Tree<'_>, identify: Identify<'_>, verdict: &mut Verdict) {
    let field = |name: &str| config[name].as_str().unwrap_or_default();
    let (architecture, variant) = (field("architecture"), field("variant"));
    // Of an image for something else it is enough to say so.
    if !Platform::ALL.iter().any(|known| known.architecture() == architecture) {
        return;
    }
    for (path, member) in tree.iter().filter(|(_, member)| member.kind == Kind::File) {
        let Some(Program { architecture: is, beyond_v5 }) = identify(member.bytes) else { continue };
        if is != Some(architecture) {
            let is = is.unwrap_or("another processor");
            verdict.find(
                Image::WrongArchitecture,
                &printable(path),
                format!("the program is for {is}, the image for {architecture}"),
            );
        } else if beyond_v5 && architecture == "arm" && variant == "v5" {
            let message = "the program needs more than arm v5 has".to_owned();
            verdict.find(Image::WrongArchitecture, &printable(path), message);
        }
    }
}

/// Holds the binary against the manifest of its build, and against the image's own label.
fn binary(config: &Value, tree: &Tree<'_>, expected: &Expected, verdict: &mut Verdict) {
    let label = config["config"]["Labels"][BINARY_LABEL].as_str();
    let manifest = expected.binary.as_deref().map(|digest| (digest, "the manifest of the build"));
    for (digest, whose) in manifest.into_iter().chain(label.map(|digest| (digest, "the image's own label"))) {
        let message = match tree.get(PROGRAM) {
            None => format!("{whose} describes /{PROGRAM}, which is not in the image"),
            Some(member) if sha256(member.bytes) != digest => format!("/{PROGRAM} is not the binary of {whose}"),
            Some(_) => continue,
        };
        verdict.find(Image::DiffersFromManifest, PROGRAM, message);
    }
}
