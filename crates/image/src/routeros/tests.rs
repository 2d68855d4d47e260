//! The commands for every known version, and values that try to break out of them.

use super::*;
use proptest::prelude::*;

fn full() -> Request {
    Request {
        address6: Some("fd20::2/64".to_owned()),
        routes: vec!["192.168.88.0/24".to_owned(), "fd00:88::/64".to_owned()],
        exit_node: true,
        environment: vec![("TS_ENABLE_RAW_DISCO".to_owned(), "1".to_owned())],
        ..Request::default()
    }
}

/// The versions whose commands differ from those of the version before.
const CHANGED_IN: [&str; 5] = ["7.15", "7.19", "7.20", "7.21", "7.22"];

#[test]
fn script_of_each_known_version() {
    let mut before = String::new();
    for version in Version::known() {
        let script = script(version, &full()).unwrap();
        assert_eq!(script.warnings, Vec::<String>::new());
        let commands = script.text.replace(&format!("RouterOS {version}"), "RouterOS [VERSION]");
        if CHANGED_IN.contains(&version.to_string().as_str()) {
            insta::assert_snapshot!(format!("routeros-{version}"), commands);
        } else {
            assert_eq!(commands, before, "{version} has the commands of the version before");
        }
        before = commands;
    }
}

#[test]
fn what_is_not_asked_for_is_not_there() {
    let request = Request { nat: false, dns: Some("9.9.9.9,2620:fe::9".to_owned()), ..Request::default() };
    insta::assert_snapshot!(script("7.21.2".parse().unwrap(), &request).unwrap().text);
}

#[test]
fn below_the_known_versions_it_refuses_and_above_them_says_so() {
    let refusal = script("7.14.3".parse().unwrap(), &full()).unwrap_err();
    assert_eq!(refusal.to_string(), "--routeros: `7.14` is below 7.15, the first whose syntax is known");
    assert!(script("6.49".parse().unwrap(), &full()).is_err());
    for newer in ["7.25beta5", "8.0"] {
        let script = script(newer.parse().unwrap(), &full()).unwrap();
        assert!(script.warnings[0].contains("newer than what is known here; these are the commands of 7.24"));
        assert!(script.text.contains(&format!("# NOTE: {}", script.warnings[0])));
    }
    for wrong in ["", "7", "7.x", "7.21.2.1", "7.21 ", "7.21rc", "seven", "7.21beta999", "99999999999.1"] {
        assert!(wrong.parse::<Version>().is_err(), "{wrong}");
    }
    assert_eq!("7.22rc3".parse::<Version>().unwrap().to_string(), "7.22");
}

#[test]
fn values_that_try_to_leave_their_place_are_refused() {
    let change = |change: fn(&mut Request)| {
        let mut request = full();
        change(&mut request);
        script(LAST, &request).unwrap_err().to_string()
    };
    let refusals = [
        change(|request| request.interface = "veth\"; /system/reset".to_owned()),
        change(|request| request.interface = "a-name-of-sixteen".to_owned()),
        change(|request| request.bridge = String::new()),
        change(|request| request.name = "$x".to_owned()),
        change(|request| request.hostname = "a b".to_owned()),
        change(|request| request.address = "172.20.0.2/24 disabled=yes".to_owned()),
        change(|request| request.address = "172.20.0.0/24".to_owned()),
        change(|request| request.address = "172.20.0.255/24".to_owned()),
        change(|request| request.address = "172.20.0.2/31".to_owned()),
        change(|request| request.address6 = Some("172.20.0.2/24".to_owned())),
        change(|request| request.address6 = Some("::2/0".to_owned())),
        change(|request| request.routes = vec!["192.168.88.1/24".to_owned()]),
        change(|request| request.routes = vec!["192.168.88.0/24 --ssh".to_owned()]),
        change(|request| request.file = "a\n/system/reset".to_owned()),
        change(|request| request.state = "../flash".to_owned()),
        change(|request| request.root = "x".repeat(1000)),
        change(|request| request.dns = Some("9.9.9.9 cmd=x".to_owned())),
        change(|request| request.login_server = Some("https://x/`reboot`".to_owned())),
        change(|request| request.login_server = Some("--ssh".to_owned())),
        change(|request| request.environment = vec![("A B".to_owned(), "x".to_owned())]),
        change(|request| request.environment = vec![("A".to_owned(), "\u{1b}[2J".to_owned())]),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn the_router_takes_another_address_of_the_same_network() {
    let address = |address: &str| {
        let request = Request { address: address.to_owned(), ..Request::default() };
        let text = script(LAST, &request).unwrap().text;
        text.lines().find(|line| line.contains("/interface/veth/add")).unwrap().to_owned()
    };
    assert!(address("10.9.8.2/30").contains("address=10.9.8.2/30 gateway=10.9.8.1"));
    assert!(address("10.9.8.1/30").contains("address=10.9.8.1/30 gateway=10.9.8.2"));
    assert!(address("10.9.8.7/24").contains("gateway=10.9.8.1"));
}

#[test]
fn every_length_of_a_network_is_taken_or_refused() {
    for length in 0..=u8::MAX {
        for (address, address6) in
            [(format!("10.9.8.2/{length}"), None), ("10.9.8.2/24".to_owned(), Some(format!("::2/{length}")))]
        {
            let taken = if address6.is_some() { (1..=126).contains(&length) } else { (1..=30).contains(&length) };
            let request = Request { address, address6, ..Request::default() };
            assert_eq!(script(LAST, &request).is_ok(), taken, "{request:?}");
        }
    }
}

/// Reads a string of RouterOS the way its documentation says: returns its value and the rest.
fn unquoted(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut bytes = Vec::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let next = rest.chars().next()?;
        rest = &rest[next.len_utf8()..];
        match next {
            '"' => return Some((bytes, rest)),
            '$' | '\n' => return None,
            '\\' => {
                bytes.push(u8::from_str_radix(rest.get(..2)?, 16).ok()?);
                rest = &rest[2..];
            }
            plain => bytes.extend(plain.to_string().bytes()),
        }
    }
}

proptest! {
    #[test]
    fn a_string_means_what_was_put_into_it_and_ends_where_it_should(text in any::<String>()) {
        let quoted = quoted(&text) + " rest";
        prop_assert_eq!(unquoted(&quoted), Some((text.into_bytes(), " rest")));
    }

    #[test]
    fn whatever_is_asked_no_line_is_anything_but_a_comment_or_one_of_ours(
        file in "[ -~]{1,40}", root in "\\PC{1,30}", value in "[ -~]{1,40}",
        name in "\\PC{1,12}", route in "\\PC{1,24}", server in "https?://[ -~]{1,20}",
    ) {
        let ours = ["#", ":if ([:len [/", ":delay 20s", ":do { /container/start ["];
        for (route, server) in [(None, None), (Some(route), None), (None, Some(server))] {
            let request = Request {
                file: file.clone(), root: root.clone(), interface: name.clone(),
                environment: vec![("A".to_owned(), value.clone())],
                routes: route.into_iter().collect(), login_server: server, ..Request::default()
            };
            let plain = Request { interface: "veth".to_owned(), ..request.clone() };
            for request in [request, plain] {
                let Ok(script) = script(LAST, &request) else { continue };
                for line in script.text.lines().filter(|line| !line.is_empty()) {
                    prop_assert!(ours.iter().any(|start| line.starts_with(start)), "{}", line);
                    if line.starts_with('#') {
                        continue;
                    }
                    // Outside of strings no character of the value can occur: braces and brackets are in pairs.
                    let marks = |mark: char| line.matches(mark).count();
                    prop_assert_eq!((marks('{'), marks('[')), (marks('}'), marks(']')));
                    prop_assert_eq!(marks('"') % 2, 0);
                }
            }
        }
    }
}
