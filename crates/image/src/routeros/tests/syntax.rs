//! Reads the commands of a script and looks them up in the command trees of crates/image/data/routeros.json.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::routeros::Version;

#[derive(Deserialize)]
struct Table {
    tree: BTreeMap<String, BTreeMap<String, String>>,
    manual: Vec<String>,
}

fn table() -> Table {
    serde_json::from_str(include_str!("../../../data/routeros.json")).unwrap()
}

/// Every entry, as `/menu/command argument` or `/menu/command`.
pub(super) fn entries() -> Vec<String> {
    let table = table();
    let arguments = table.tree.iter().filter(|(path, _)| path.contains('/'));
    let arguments = arguments.flat_map(|(path, names)| names.keys().map(move |name| format!("/{path} {name}")));
    // Positions and the settings of other versions are in the table for readers.
    let unnamed = ["numbers", "number", "ram-high", "memory-max", "registry-url", "tmpdir"];
    arguments
        .filter(|entry| !unnamed.iter().any(|name| entry.ends_with(&format!(" {name}"))))
        .filter(|entry| !entry.starts_with("/container/config"))
        .collect()
}

fn covers(range: &str, version: Version) -> bool {
    let Some((first, last)) = range.split_once("..") else { return range == "always" };
    let bound = |text: &str| text.parse::<Version>().unwrap();
    (first.is_empty() || version >= bound(first)) && (last.is_empty() || version <= bound(last))
}

/// Returns the script without comments, and with every string empty.
pub(super) fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut code = String::new();
    for line in lines {
        // A quote in a string is escaped as `\22`.
        for (index, part) in line.split('"').enumerate() {
            code += if index % 2 == 0 { part } else { "\"\"" };
        }
        code.push('\n');
    }
    code
}

/// Returns the commands and arguments that the version does not have; adds those that it has to `used`.
pub(super) fn unknown(text: &str, version: Version, used: &mut BTreeSet<String>) -> Vec<String> {
    let table = table();
    let code = code(text);
    let mut unknown = BTreeSet::new();
    let starts = code.match_indices('/').map(|(at, _)| at);
    for at in starts.filter(|at| *at == 0 || " [{\n".contains(&code[at - 1..*at])) {
        let rest = &code[at + 1..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '/' || c == '-')).unwrap_or(rest.len());
        let path = &rest[..end];
        if path.is_empty() {
            // A division.
            continue;
        }
        let (menu, command) = path.rsplit_once('/').unwrap_or(("", path));
        let tree = table.tree.get(path).filter(|_| menu.contains('/') || table.tree.contains_key(path));
        let is_generic =
            ["find", "get", "remove", "set"].contains(&command) && table.tree.contains_key(&format!("{menu}/add"));
        let is_in_menu =
            table.tree.get(menu).and_then(|names| names.get(command)).is_some_and(|range| covers(range, version));
        let is_known = tree.is_some() || is_generic || is_in_menu || table.manual.iter().any(|known| known == path);
        if !is_known {
            unknown.insert(format!("/{path}"));
            continue;
        }
        let Some(arguments) = tree else { continue };
        for name in names(&rest[end..]) {
            let entry = format!("/{path} {name}");
            if arguments.get(&name).is_some_and(|range| covers(range, version)) {
                used.insert(entry);
            } else {
                unknown.insert(entry);
            }
        }
    }
    unknown.into_iter().collect()
}

/// The names of the arguments of a command, up to its end. Nested commands are skipped; they are found on their own.
fn names(rest: &str) -> Vec<String> {
    let (mut depth, mut names, mut word) = (0_i32, Vec::new(), String::new());
    for c in rest.chars() {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' if depth == 0 => break,
            ']' | ')' | '}' => depth -= 1,
            '\n' | ';' if depth == 0 => break,
            '=' if depth == 0 && !word.is_empty() => names.push(std::mem::take(&mut word)),
            c if c.is_ascii_alphanumeric() || c == '-' => {
                word.push(c);
                continue;
            }
            _ => {}
        }
        word.clear();
    }
    names
}
