//! `symbolize`: adds files, lines and inlined frames to a traceback of a shipped binary.

use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::Result;
use featureset::policy::format_size;
use gobinary::symbols::{Frame, Symbols};
use regex::{Captures, Regex};

use super::build_tailscale::{self, chosen_targets};
use crate::cli::Symbolize;
use crate::outcome::Outcome;
use crate::output::product;
use crate::project::Project;
use crate::{escape, files, limits, progress};
use diagnostics::{Code, Diagnostic, NextStep};

/// A frame's second line: no file, an offset into the function, and the address if the runtime prints it.
static PLACE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\t\?:0(?: \+0x([0-9a-f]+))?(?: .*\bpc=0x([0-9a-f]+).*)?$").ok());

/// A frame's first line: a function and its arguments, or the creator of a goroutine.
static FUNCTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:created by )?(.*?)(?: in goroutine \d+|\((?:[^()]*|\.\.\.)\))?$").ok());

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] if the binary as linked does not exist or can't be read.
pub fn run(policy: Option<&Path>, flags: &Symbolize) -> Result<Outcome> {
    let linked = match &flags.binary {
        Some(path) => super::execpack::unpacked(path)?,
        None => linked_of(policy, flags.target.as_deref())?,
    };
    let symbols = Symbols::read(&linked).map_err(|refused| {
        let next = NextStep::new("Name the binary as Go linked it: ")
            .command("build-tailscale")
            .text(" saves it in target/tailscale/.linked.");
        Diagnostic::failure(Code::NoSymbols, "the binary's tables can't be read", refused.to_string(), next)
    })?;
    let Translated { text, known, left } = translate(&read(&flags.traceback)?, &symbols)?;
    product(format_args!("{}", escape::lines(&text)));
    if left > 0 {
        let most = limits::FRAMES;
        progress::warn(&format!("{left} frames after the first {most} are unchanged: split the traceback"));
    }
    if known == 0 {
        progress::warn(
            "it has no frame of this binary; it may be from another target or from a binary that was not rewritten",
        );
    }
    Ok(Outcome::Clean)
}

fn read(path: &Path) -> Result<String> {
    if path != Path::new("-") {
        return Ok(String::from_utf8_lossy(&files::read_regular(path, limits::TRACEBACK)?).into_owned());
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(limits::TRACEBACK + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limits::TRACEBACK {
        let message = format!("the traceback is larger than {}", format_size(limits::TRACEBACK));
        return Err(Diagnostic::failure(
            Code::InputTooLarge,
            message,
            "this exceeds the size limit for tracebacks",
            "Use a part of it.",
        )
        .into());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads the binary as linked of a target's shipped one.
fn linked_of(policy: Option<&Path>, target: Option<&str>) -> Result<Vec<u8>> {
    let project = Project::open(policy)?;
    let policy = project.reading.policy.clone().unwrap_or_default();
    let named: Vec<String> = target.map(str::to_owned).into_iter().collect();
    let targets = chosen_targets(&policy, &named)?;
    let [target] = targets[..] else {
        let why = format!("a traceback does not name its target: {}", targets.join(", "));
        return Err(Diagnostic::failure(
            Code::SeveralTargets,
            "the policy has several targets",
            why,
            "Name one with `--target`.",
        )
        .into());
    };
    let shipped = build_tailscale::folder(&project, target).join(build_tailscale::UNPACKED);
    if !shipped.is_file() {
        let why = format!("{} does not exist", shipped.display());
        let next = NextStep::run(format!("build-tailscale --target {target}"));
        return Err(Diagnostic::failure(Code::NotBuilt, format!("`{target}` is not built"), why, next).into());
    }
    let path = build_tailscale::unstripped_path(&project.target(), &files::read_bytes(&shipped)?)
        .filter(|path| path.is_file());
    let missing = || {
        let why = "it is saved only if `symbols` is `functions` or `none`; with `all` a traceback is already complete";
        Diagnostic::failure(
            Code::NoSymbols,
            format!("the binary of `{target}` as linked does not exist"),
            why,
            "Build it again, or name one with `--binary`.",
        )
    };
    let path = path.ok_or_else(missing)?;
    let linked = files::read_bytes(&path)?;
    if project.cache.has_made(&files::sha256(&linked))? {
        return Ok(linked);
    }
    let why = format!("{} has no record that this program built it", project.cache.describe());
    let next = format!("If you trust it, name it: `--binary {}`.", path.display());
    Err(Diagnostic::failure(Code::NotRecorded, format!("{} is not trusted", path.display()), why, next).into())
}

/// An annotated traceback.
pub struct Translated {
    /// The new text.
    pub text: String,
    /// The number of annotated frames.
    pub known: usize,
    /// The number of frames after the limit.
    pub left: usize,
}

/// Adds files, lines and inlined frames to a traceback.
///
/// # Errors
/// A [`gobinary::Refused`] if the tables are inconsistent.
pub fn translate(text: &str, symbols: &Symbols<'_>) -> Result<Translated> {
    let (Some(place), Some(function)) = (PLACE.as_ref(), FUNCTION.as_ref()) else {
        return Ok(Translated { text: text.to_owned(), known: 0, left: 0 });
    };
    let mut out = String::new();
    let (mut known, mut seen) = (0, 0_usize);
    let mut above: Option<Line<'_>> = None;
    // The address of a calling frame is the one after the call; after a signal it is the instruction itself.
    let (mut stopped, mut exact) = (false, false);
    for line in text.split_inclusive('\n').map(Line::new) {
        if let Some(found) = place.captures(line.text) {
            let heading = above.take();
            let name = function
                .captures(heading.map_or("", |heading| heading.text))
                .map_or("", |found| found.get(1).map_or("", |name| name.as_str()));
            // If the traceback includes frames of the runtime, the signal handler is one of them.
            let handler = name == "panic" || name.starts_with("runtime.");
            seen += 1;
            let frames = match seen > limits::FRAMES {
                true => Vec::new(),
                false => frames(symbols, name, &found, u32::from(!exact || handler))?,
            };
            exact = name == "runtime.sigpanic";
            known += usize::from(!frames.is_empty());
            out += &annotated(line, heading, &frames);
        } else {
            out.extend(above.replace(line).map(|passed| passed.whole));
            stopped |= line.text.starts_with("[signal ");
            if line.text.starts_with("goroutine ") {
                exact = std::mem::take(&mut stopped);
            }
        }
    }
    out.extend(above.map(|passed| passed.whole));
    Ok(Translated { text: out, known, left: seen.saturating_sub(limits::FRAMES) })
}

/// A line of a traceback.
#[derive(Clone, Copy)]
struct Line<'a> {
    /// With its line end: LF, CRLF, or none at the end of the text.
    whole: &'a str,
    /// Without it.
    text: &'a str,
}

impl<'a> Line<'a> {
    fn new(whole: &'a str) -> Self {
        let text = whole.strip_suffix('\n').map_or(whole, |text| text.strip_suffix('\r').unwrap_or(text));
        Self { whole, text }
    }
}

/// Returns the frames of a line, innermost first.
fn frames(symbols: &Symbols<'_>, name: &str, place: &Captures<'_>, back: u32) -> Result<Vec<Vec<Frame>>> {
    let number = |group: usize| place.get(group).and_then(|digits| u64::from_str_radix(digits.as_str(), 16).ok());
    if let Some(address) = number(2) {
        let frames = symbols.frames_at(address.saturating_sub(u64::from(back)))?;
        return Ok(if frames.is_empty() { Vec::new() } else { vec![frames] });
    }
    let Some(offset) = number(1).and_then(|offset| u32::try_from(offset).ok()) else { return Ok(Vec::new()) };
    Ok(symbols.frames_in(name, offset.saturating_sub(back))?)
}

/// Formats a frame as in a complete traceback, with every candidate if several functions share the name. `heading` is the line
/// with the function; it is missing if the traceback was cut there.
fn annotated(line: Line<'_>, heading: Option<Line<'_>>, found: &[Vec<Frame>]) -> String {
    if found.is_empty() {
        return heading.into_iter().chain([line]).map(|line| line.whole).collect();
    }
    let heading = heading.map_or("(...)", |heading| heading.text);
    let rest = line.text.trim_start_matches("\t?:0");
    let mut lines = Vec::new();
    for (index, frames) in found.iter().enumerate() {
        if index > 0 {
            lines.push("  ambiguous name; other candidates:".to_owned());
        }
        let (inlined, own) = frames.split_at(frames.len() - 1);
        for frame in inlined {
            lines.push(format!("{}(...)", frame.function));
            lines.push(format!("\t{}:{}", frame.file, frame.line));
        }
        for frame in own {
            lines.push(match heading.starts_with('(') {
                true => format!("{}{heading}", frame.function),
                false => heading.to_owned(),
            });
            lines.push(format!("\t{}:{}{rest}", frame.file, frame.line));
        }
    }
    let end = if line.whole.ends_with("\r\n") { "\r\n" } else { "\n" };
    lines.into_iter().map(|line| line + end).collect()
}
