//! Build tags and build facts in recipes: shell scripts, Dockerfiles, Makefiles, workflows and data.
//!
//! Front ends turn a text into one intermediate representation. An interpreter runs that on abstract values, with fuel, and
//! recognizers for `go build`, upstream's `featuretags` and `build_dist.sh` yield the tag lists. Nothing is executed, and
//! nothing is guessed: a value that does not follow from the text is unknown.

mod data;
mod dockerfile;
mod filter;
mod interpreter;
mod ir;
mod makefile;
mod model;
mod package;
mod regular;
mod shell;
mod value;
mod workflow;

pub use model::{Fact, Featuretags, File, List, Note, Program, Scan, Stamp, Unknown, Upstream, Word};
pub use spanned_yaml::Span;

/// Scans a file. `others` are the other files of its project, which it may include or run.
///
/// Spans are bytes of the file; those of an included file lie at the place that includes it.
#[must_use]
pub fn scan(file: &File, others: &[File], upstream: &dyn Upstream) -> Scan {
    let text = readable(&file.text);
    let mut interpreter = interpreter::Interpreter::new(&file.name, others, upstream);
    match kind(&file.name, &text) {
        Kind::Dockerfile => dockerfile::read(&text, &mut interpreter),
        Kind::Makefile => makefile::read(&text, &mut interpreter),
        Kind::Yaml => workflow::read(&text, &mut interpreter),
        Kind::Data => data::read(&text, &mut interpreter),
        Kind::Package => package::read(&text, &mut interpreter),
        Kind::Shell => interpreter.script(&text),
    }
    interpreter.finish()
}

/// The text with characters that mean holes to the interpreter replaced by others of the same length.
fn readable(text: &str) -> String {
    // A byte order mark is skipped by some parsers and counted by others.
    let text = text.strip_prefix('\u{FEFF}').map_or_else(|| text.to_owned(), |rest| format!("   {rest}"));
    text.chars().map(|character| if value::hole(character).is_some() { '\u{10FFFD}' } else { character }).collect()
}

/// The ways to read a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shell,
    Dockerfile,
    Makefile,
    Yaml,
    Data,
    Package,
}

/// How a text is read: by its name, else by how it begins.
fn kind(name: &str, text: &str) -> Kind {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
    let extension = base.rsplit_once('.').map_or("", |(_, extension)| extension);
    match (base.as_str(), extension) {
        ("makefile" | "gnumakefile", _) | (_, "mk" | "mak") => Kind::Makefile,
        ("apkbuild" | "pkgbuild" | "template", _) | (_, "ebuild") => Kind::Shell,
        (_, "yml" | "yaml") => Kind::Yaml,
        (_, "json" | "nix" | "toml") => Kind::Data,
        (_, "bb" | "bbappend" | "inc" | "bbclass") => Kind::Package,
        (_, "sh" | "bash" | "ash" | "env" | "conf") => Kind::Shell,
        _ if base.starts_with("dockerfile") || base.starts_with("containerfile") || extension == "dockerfile" => {
            Kind::Dockerfile
        }
        _ if base.starts_with("makefile.") => Kind::Makefile,
        _ => by_content(text),
    }
}

fn by_content(text: &str) -> Kind {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or("");
    let word = first.split_whitespace().next().unwrap_or("");
    if text.starts_with("#!") {
        Kind::Shell
    } else if first.starts_with(['{', '[']) {
        Kind::Data
    } else if word.eq_ignore_ascii_case("FROM") || (word == "ARG" && first.contains('=')) {
        Kind::Dockerfile
    } else if text.contains("\n\t") && text.contains(":=") {
        Kind::Makefile
    } else {
        Kind::Shell
    }
}
