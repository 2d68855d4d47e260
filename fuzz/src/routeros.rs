//! Commands for RouterOS: no value leaves the string that it is in.
//!
//! An input is a list of lines `FIELD=VALUE`.

use image::routeros::{LAST, Request, script, update};

/// The most lines of an input that are looked at.
const MOST_LINES: usize = 32;

pub(crate) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let lines: Vec<&str> = text.split('\n').take(MOST_LINES).collect();
    together(&lines);
    // A line that is refused hides the others.
    lines.iter().for_each(|line| together(&[line]));
}

fn together(lines: &[&str]) {
    let mut request = Request::default();
    let mut version = LAST;
    for (field, value) in lines.iter().filter_map(|line| line.split_once('=')) {
        let value = value.to_owned();
        match field {
            "routeros" => version = value.parse().unwrap_or(LAST),
            "interface" => request.interface = value,
            "bridge" => request.bridge = value,
            "address" => request.address = value,
            "address6" => request.address6 = Some(value),
            "route" => request.routes.push(value),
            "name" => request.name = value,
            "hostname" => request.hostname = value,
            "file" => request.file = Some(value),
            "root" => request.root = Some(value),
            "state" => request.state = Some(value),
            "disk" => request.disk = Some(value),
            "remote_image" => request.remote_image = Some(value),
            "auth_key_file" => request.auth_key_file = Some(value),
            "accept_route" => request.accept_routes.push(value),
            "dns" => request.dns = Some(value),
            "login_server" => request.login_server = Some(value),
            "exit_node" => request.exit_node = true,
            "no_nat" => request.nat = false,
            other => request.environment.push((other.to_owned(), value)),
        }
    }
    for script in [script(version, &request), update(version, &request)].into_iter().flatten() {
        script.text.lines().for_each(line_is_whole);
    }
}

/// A line is printable, and a command's strings are closed and hold nothing that the router expands.
fn line_is_whole(line: &str) {
    assert!(!line.contains(char::is_control), "{line:?} has control characters");
    if line.starts_with('#') {
        return;
    }
    let (mut in_string, mut escaped) = (false, false);
    for c in line.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            '$' => assert!(!in_string, "{line:?} expands a variable in a string"),
            _ => {}
        }
    }
    assert!(!in_string && !escaped, "{line:?} does not close its string");
}
