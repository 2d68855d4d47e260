//! `symbolize`: the traceback of a binary that ships, with the files, lines and inlined frames that it could not name.

use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::Result;
use gobinary::symbols::{Frame, Symbols};
use regex::{Captures, Regex};

use super::Outcome;
use super::build_tailscale::{self, chosen_targets};
use crate::cli::Symbolize;
use crate::output::product;
use crate::problem::Problem;
use crate::project::Project;
use crate::{files, progress};

/// A frame's second line: no file, an offset into the function, and the address where the runtime prints it.
static PLACE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\t\?:0(?: \+0x([0-9a-f]+))?(?: .*\bpc=0x([0-9a-f]+).*)?$").ok());

/// A frame's first line: a function and its arguments, or what created a goroutine.
static FUNCTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:created by )?(.*?)(?: in goroutine \d+|\((?:[^()]*|\.\.\.)\))?$").ok());

/// Runs the command.
///
/// # Errors
/// A [`Problem`] where the binary as linked is not there, or can't be read.
pub fn run(policy: Option<&Path>, flags: &Symbolize) -> Result<Outcome> {
    let linked = match &flags.binary {
        Some(path) => super::execpack::unpacked(path)?,
        None => linked_of(policy, flags.target.as_deref())?,
    };
    let symbols = Symbols::read(&linked).map_err(|refused| {
        let next = "Name the binary as Go linked it: `build-tailscale` keeps it under target/tailscale/.linked.";
        Problem::new("no-symbols", "the binary's tables can't be read", refused.to_string(), next)
    })?;
    let (text, known) = translated(&read(&flags.traceback)?, &symbols)?;
    product(format_args!("{text}"));
    if known == 0 {
        progress::warn("there is no frame of this binary in it; is it another target's, or not rewritten?");
    }
    Ok(Outcome::Clean)
}

fn read(path: &Path) -> Result<String> {
    if path != Path::new("-") {
        return Ok(String::from_utf8_lossy(&files::read_bytes(path)?).into_owned());
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The binary as linked that a target's shipped one was made from.
fn linked_of(policy: Option<&Path>, target: Option<&str>) -> Result<Vec<u8>> {
    let project = Project::open(policy)?;
    let policy = project.reading.policy.clone().unwrap_or_default();
    let named: Vec<String> = target.map(str::to_owned).into_iter().collect();
    let targets = chosen_targets(&policy, &named)?;
    let [target] = targets[..] else {
        let why = format!("a traceback does not say which of them it is from: {}", targets.join(", "));
        return Err(Problem::new(
            "several-targets",
            "the policy has several targets",
            why,
            "Name one with `--target`.",
        )
        .into());
    };
    let shipped = build_tailscale::folder(&project, target).join(build_tailscale::UNPACKED);
    let path = build_tailscale::twin(&project.target(), &files::read_bytes(&shipped)?).filter(|path| path.is_file());
    let missing = || {
        let why = "it is kept only where `symbols` is `functions` or `none`; with `all` a traceback needs no help";
        Problem::new(
            "no-symbols",
            format!("the binary of `{target}` as linked is not there"),
            why,
            "Build it anew, or name one with `--binary`.",
        )
    };
    files::read_bytes(&path.ok_or_else(missing)?)
}

/// A traceback with every frame that is known named, and how many were.
fn translated(text: &str, symbols: &Symbols<'_>) -> Result<(String, usize)> {
    let (Some(place), Some(function)) = (PLACE.as_ref(), FUNCTION.as_ref()) else { return Ok((text.to_owned(), 0)) };
    let mut out = String::new();
    let mut known = 0;
    let mut above: Option<&str> = None;
    // The address of a frame that called another is the one behind the call; where a signal stopped it, it is the
    // instruction itself.
    let (mut stopped, mut exact) = (false, false);
    for line in text.lines() {
        if let Some(found) = place.captures(line) {
            let heading = above.take().unwrap_or_default();
            let name = function.captures(heading).map_or("", |found| found.get(1).map_or("", |name| name.as_str()));
            // With the runtime's own frames shown, the signal's handler stands between.
            let handler = name == "panic" || name.starts_with("runtime.");
            let frames = frames(symbols, name, &found, u32::from(!exact || handler))?;
            exact = name == "runtime.sigpanic";
            known += usize::from(!frames.is_empty());
            out += &shown(line, heading, &frames);
        } else {
            out.extend(above.replace(line).map(|passed| format!("{passed}\n")));
            stopped |= line.starts_with("[signal ");
            if line.starts_with("goroutine ") {
                exact = std::mem::take(&mut stopped);
            }
        }
    }
    out.extend(above.map(|passed| format!("{passed}\n")));
    Ok((out, known))
}

/// What a frame's line stands for, the innermost first.
fn frames(symbols: &Symbols<'_>, name: &str, place: &Captures<'_>, back: u32) -> Result<Vec<Vec<Frame>>> {
    let number = |group: usize| place.get(group).and_then(|digits| u64::from_str_radix(digits.as_str(), 16).ok());
    if let Some(address) = number(2) {
        let frames = symbols.frames_at(address.saturating_sub(u64::from(back)))?;
        return Ok(if frames.is_empty() { Vec::new() } else { vec![frames] });
    }
    let Some(offset) = number(1).and_then(|offset| u32::try_from(offset).ok()) else { return Ok(Vec::new()) };
    Ok(symbols.frames_in(name, offset.saturating_sub(back))?)
}

/// A frame as it would stand in a whole traceback. Where several functions share the name, each is given.
fn shown(line: &str, heading: &str, found: &[Vec<Frame>]) -> String {
    if found.is_empty() {
        return format!("{heading}\n{line}\n");
    }
    let mut text = String::new();
    for (index, frames) in found.iter().enumerate() {
        if index > 0 {
            text += "  or, for the name is shared:\n";
        }
        let (inlined, own) = frames.split_at(frames.len() - 1);
        for frame in inlined {
            text += &format!("{}(...)\n\t{}:{}\n", frame.function, frame.file, frame.line);
        }
        for frame in own {
            let rest = line.trim_start_matches("\t?:0");
            let heading =
                if heading.starts_with('(') { format!("{}{heading}", frame.function) } else { heading.to_owned() };
            text += &format!("{heading}\n\t{}:{}{rest}\n", frame.file, frame.line);
        }
    }
    text
}
