//! Programs that edit text: `sed`, `tr`, `grep`, `awk` and their kin, on abstract values.
//!
//! A filter that is not modelled, or whose result depends on a hole, returns `None`.

mod awk;
mod sed;

use crate::regular::{Case, Syntax, compile, posix};
use crate::value::Value;

pub(crate) use sed::sed;

/// The output of a filter for an input; `None` if it is not modelled.
pub(crate) fn filter(name: &str, arguments: &[Value], input: &Value) -> Option<Value> {
    let texts: Vec<&str> = arguments.iter().map(Value::known).collect::<Option<_>>()?;
    match name {
        "cat" | "tee" => Some(input.clone()),
        "tr" => tr(&texts, input),
        "sed" => sed(&texts, input),
        "grep" | "egrep" | "fgrep" => grep(name, &texts, input).map(|(output, _)| output),
        "sort" => sort(&texts, input),
        "uniq" => texts.is_empty().then(|| from_lines(&deduplicated(&input.lines()))),
        "paste" => paste(&texts, input),
        "cut" => cut(&texts, input),
        "head" | "tail" => ends(name, &texts, input),
        "awk" | "gawk" | "mawk" => awk::awk(&texts, input),
        "jq" => jq(&texts, input),
        "xargs" => xargs(&texts, input),
        "tac" | "rev" | "wc" | "column" | "perl" | "python3" => None,
        _ => None,
    }
}

/// The names of the filters.
pub(crate) const FILTERS: [&str; 16] = [
    "tr", "sed", "grep", "egrep", "fgrep", "sort", "uniq", "paste", "cut", "head", "tail", "awk", "gawk", "mawk", "jq",
    "xargs",
];

fn from_lines(lines: &[Value]) -> Value {
    let mut whole = Value::default();
    for line in lines {
        whole.push(line);
        whole.push_made("\n", line.origin(0));
    }
    whole
}

fn deduplicated(lines: &[Value]) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for line in lines {
        if kept.last().is_none_or(|last| last.text() != line.text()) {
            kept.push(line.clone());
        }
    }
    kept
}

/// The characters of a set of `tr`.
fn set(text: &str) -> Option<Vec<char>> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let c = match c {
            '\\' => match characters.next()? {
                'n' => '\n',
                't' => '\t',
                '0' => '\0',
                c if c.is_ascii_digit() => return None,
                c => c,
            },
            '[' if characters.peek() == Some(&':') => {
                let rest: String = characters.by_ref().take_while(|c| *c != ']').collect();
                let of = |range: std::ops::RangeInclusive<char>| range.collect::<Vec<_>>();
                found.extend(match rest.as_str() {
                    ":space:" => vec![' ', '\t', '\n', '\r'],
                    ":blank:" => vec![' ', '\t'],
                    ":upper:" => of('A'..='Z'),
                    ":lower:" => of('a'..='z'),
                    ":digit:" => of('0'..='9'),
                    _ => return None,
                });
                continue;
            }
            c => c,
        };
        let mut ahead = characters.clone();
        if let (Some('-'), Some(end)) = (ahead.next(), ahead.next()) {
            found.extend(c..=end);
            characters = ahead;
            continue;
        }
        found.push(c);
    }
    Some(found)
}

fn tr(arguments: &[&str], input: &Value) -> Option<Value> {
    let (flags, sets): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|text| text.len() > 1 && text.starts_with('-') && !text.starts_with("-]"));
    let has = |flag: char| flags.iter().any(|text| text.contains(flag));
    let sets: Vec<Vec<char>> = sets.into_iter().map(set).collect::<Option<_>>()?;
    let complement = has('c') || has('C');
    let is_in = |set: &[char], c: char| set.contains(&c) != complement;
    let first = sets.first()?;
    let mapped = match (has('d'), sets.get(1)) {
        (true, _) => input.mapped(|c| is_in(first, c).then(String::new)),
        (false, Some(second)) if complement => {
            let last = *second.last()?;
            input.mapped(|c| is_in(first, c).then(|| last.to_string()))
        }
        (false, Some(second)) => input.mapped(|c| {
            let index = first.iter().position(|other| *other == c)?;
            second.get(index).or(second.last()).map(char::to_string)
        }),
        (false, None) => input.clone(),
    };
    if !has('s') {
        return Some(mapped);
    }
    let squeezed = sets.last()?;
    let mut last = None;
    let mut edits = Vec::new();
    for (at, c) in mapped.text().char_indices() {
        if last == Some(c) && (squeezed.contains(&c) != (complement && sets.len() == 1)) {
            edits.push((at..at + c.len_utf8(), Value::default()));
        }
        last = Some(c);
    }
    Some(mapped.replaced(&edits))
}

/// The lines that `grep` prints, and whether there are any, if that is known.
pub(crate) fn grep(name: &str, arguments: &[&str], input: &Value) -> Option<(Value, Option<bool>)> {
    let (patterns, flags) = grep_arguments(arguments)?;
    let has = |flag: char| flags.contains(flag);
    let fixed = has('F') || name == "fgrep";
    let syntax = if has('E') || name == "egrep" { Syntax::Extended } else { Syntax::Basic };
    let case = if has('i') { Case::Insensitive } else { Case::Sensitive };
    let expressions = patterns
        .iter()
        .map(|pattern| match fixed {
            true => compile(&format!("{}{}", if has('i') { "(?i)" } else { "" }, regex::escape(pattern))),
            false => posix(pattern, syntax, case),
        })
        .collect::<Option<Vec<_>>>()?;
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_');
    let (mut lines, mut is_open) = (Vec::new(), false);
    for line in input.lines() {
        if line.has_hole() {
            // Whether it is printed is not known. A hole may be empty, so one that is a word by itself can be printed.
            if has('o') || line.text().contains([',', ' ']) {
                return None;
            }
            is_open = true;
            lines.push(line);
            continue;
        }
        let text = line.text();
        let fits = |range: &std::ops::Range<usize>| {
            (!has('x') || *range == (0..text.len()))
                && (!has('w')
                    || is_edge(text[..range.start].chars().next_back()) && is_edge(text[range.end..].chars().next()))
        };
        let found = expressions.iter().flat_map(|one| one.find_iter(text).map(|found| found.range()));
        let found: Vec<_> = found.filter(fits).collect();
        if has('o') {
            lines.extend(found.into_iter().filter(|range| !range.is_empty()).map(|range| line.part(range)));
        } else if found.is_empty() == has('v') {
            lines.push(line);
        }
    }
    let any = if is_open { None } else { Some(!lines.is_empty()) };
    Some((if has('q') { Value::default() } else { from_lines(&lines) }, any))
}

/// The patterns of `grep` and its flags; `None` for one that is not modelled, and for files.
fn grep_arguments<'a>(arguments: &[&'a str]) -> Option<(Vec<&'a str>, String)> {
    let mut patterns = Vec::new();
    let mut flags = String::new();
    let mut rest = arguments.iter();
    while let Some(text) = rest.next() {
        match text.strip_prefix('-') {
            Some("e") => patterns.push(*rest.next()?),
            Some(long) if long.starts_with('-') => match long {
                "-quiet" | "-silent" => flags.push('q'),
                "-invert-match" => flags.push('v'),
                "-only-matching" => flags.push('o'),
                _ => return None,
            },
            Some(short) if !short.is_empty() => {
                flags += short;
                if short.ends_with('e') {
                    flags.pop();
                    patterns.push(*rest.next()?);
                }
            }
            _ if patterns.is_empty() => patterns.push(*text),
            _ => return None,
        }
    }
    let is_known = flags.chars().all(|c| "EFGvoqixwsah".contains(c));
    is_known.then(|| (patterns.iter().flat_map(|pattern| pattern.split('\n')).collect(), flags))
}

fn sort(arguments: &[&str], input: &Value) -> Option<Value> {
    let long = [("--unique", "-u"), ("--reverse", "-r"), ("--version-sort", "-V")];
    let short = |text: &&str| {
        long.iter().find(|(long, _)| long == text).map_or_else(|| (*text).to_owned(), |(_, short)| (*short).to_owned())
    };
    let flags: Vec<String> = arguments.iter().map(short).collect();
    if flags.iter().any(|text| !text.starts_with('-') || text[1..].chars().any(|flag| !"urfV".contains(flag))) {
        return None;
    }
    let has = |flag: char| flags.iter().any(|text| text.contains(flag));
    let mut lines = input.lines();
    if has('V') {
        let mut versions =
            lines.into_iter().map(|line| Some((numbers(line.text())?, line))).collect::<Option<Vec<_>>>()?;
        versions.sort_by(|(a, _), (b, _)| a.cmp(b));
        lines = versions.into_iter().map(|(_, line)| line).collect();
    } else {
        lines.sort_by(|a, b| a.text().cmp(b.text()));
    }
    if has('u') {
        lines = deduplicated(&lines);
    }
    if has('r') {
        lines.reverse();
    }
    Some(from_lines(&lines))
}

/// The numbers of a version; `None` for any other text, which `sort -V` orders by more rules.
fn numbers(version: &str) -> Option<(bool, Vec<u64>)> {
    let plain = version.strip_prefix('v');
    let numbers = plain.unwrap_or(version).split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    Some((plain.is_some(), numbers))
}

fn paste(arguments: &[&str], input: &Value) -> Option<Value> {
    let mut delimiter = "\t".to_owned();
    let mut serial = false;
    let mut rest = arguments.iter();
    while let Some(text) = rest.next() {
        match *text {
            "-" => {}
            "-s" => serial = true,
            "-d" | "-sd" => {
                serial |= *text == "-sd";
                delimiter = (*rest.next()?).to_owned();
            }
            text => {
                let flags = text.strip_prefix('-')?;
                let (before, after) = flags.split_once('d')?;
                serial |= before.contains('s');
                delimiter = match (after, after.strip_prefix('s')) {
                    ("", _) => (*rest.next()?).to_owned(),
                    (after, _) => after.to_owned(),
                };
            }
        }
    }
    if !serial {
        return None;
    }
    let delimiter = delimiter.replace("\\n", "\n").replace("\\0", "");
    let mut joined = Value::joined(&input.lines(), delimiter.get(..1).unwrap_or(""));
    joined.marks.extend(&input.marks);
    let end = joined.origin(0);
    joined.push_made("\n", end);
    Some(joined)
}

fn cut(arguments: &[&str], input: &Value) -> Option<Value> {
    let mut delimiter = '\t';
    let mut fields = "";
    let mut rest = arguments.iter();
    while let Some(text) = rest.next() {
        let (flag, value) = (text.get(..2)?, text.get(2..)?);
        let value = if value.is_empty() { *rest.next()? } else { value };
        match flag {
            "-d" => delimiter = value.chars().next()?,
            "-f" => fields = value,
            _ => return None,
        }
    }
    let (from, to) = match fields.split_once('-') {
        Some((from, "")) => (from.parse().ok()?, usize::MAX),
        Some((from, to)) => (if from.is_empty() { 1 } else { from.parse().ok()? }, to.parse().ok()?),
        None => (fields.parse::<usize>().ok()?, fields.parse().ok()?),
    };
    let lines = input.lines().into_iter().map(|line| {
        let ranges = line.ranges(|c| c == delimiter);
        if line.has_hole() && ranges.len() < to.saturating_add(1) {
            return None;
        }
        if ranges.len() == 1 {
            return Some(line);
        }
        let first = ranges.get(from.checked_sub(1)?);
        let last = ranges.get(to.min(ranges.len()).checked_sub(1)?)?;
        Some(first.map_or_else(Value::default, |first| line.part(first.start..last.end.max(first.start))))
    });
    Some(from_lines(&lines.collect::<Option<Vec<_>>>()?))
}

fn ends(name: &str, arguments: &[&str], input: &Value) -> Option<Value> {
    let count = match arguments {
        [] => 10,
        ["-n", count] => count.parse::<usize>().ok()?,
        [flag] => flag.trim_start_matches("-n").trim_start_matches('-').parse::<usize>().ok()?,
        _ => return None,
    };
    let lines = input.lines();
    let lines = match name {
        "head" => lines.into_iter().take(count).collect::<Vec<_>>(),
        _ => lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect(),
    };
    Some(from_lines(&lines))
}

/// The few programs of `jq` that recipes use: a path to text or a list of texts, with `join` or `[]`.
fn jq(arguments: &[&str], input: &Value) -> Option<Value> {
    let raw = arguments.iter().any(|text| text.starts_with('-') && (text.contains('r') || *text == "--raw-output"));
    let program = arguments.iter().find(|text| !text.starts_with('-'))?;
    if !raw || input.has_hole() || arguments.iter().filter(|text| !text.starts_with('-')).count() != 1 {
        return None;
    }
    let mut stages = program.split('|').map(str::trim);
    let path = stages.next()?;
    let root = spanned_yaml::read(input.text()).ok()??;
    let mut node = &root;
    let (path, each) = path.strip_suffix("[]").map_or((path, false), |path| (path, true));
    for key in path.strip_prefix('.')?.split('.').filter(|key| !key.is_empty()) {
        let spanned_yaml::Value::Mapping(entries) = &node.value else { return None };
        node = &entries.iter().find(|(found, _)| found.text == key.trim_matches('"'))?.1;
    }
    let scalar = |node: &spanned_yaml::Node| match &node.value {
        spanned_yaml::Value::Scalar { text, .. } => Some(Value::made(text.clone(), input.origin(node.span.start))),
        _ => None,
    };
    let items = match &node.value {
        spanned_yaml::Value::Sequence(items) => items.iter().map(scalar).collect::<Option<Vec<_>>>()?,
        _ => vec![scalar(node)?],
    };
    let is_list = matches!(node.value, spanned_yaml::Value::Sequence(_));
    match (stages.next(), each, is_list) {
        (None, true, true) | (None, false, false) => Some(from_lines(&items)),
        (Some(join), false, true) if stages.next().is_none() => {
            let delimiter = join.strip_prefix("join(\"")?.strip_suffix("\")")?;
            Some(from_lines(&[Value::joined(&items, delimiter)]))
        }
        _ => None,
    }
}

/// `xargs` and `xargs echo`: the words on one line.
fn xargs(arguments: &[&str], input: &Value) -> Option<Value> {
    if !matches!(arguments, [] | ["echo"]) {
        return None;
    }
    let mut line = Value::joined(&input.fields(char::is_whitespace), " ");
    line.marks.extend(&input.marks);
    Some(from_lines(&[line]))
}
