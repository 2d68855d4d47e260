//! The commands for every known version, and values that try to break out of them.

mod syntax;

use super::*;
use proptest::prelude::*;
use text::quoted;

fn full() -> Request {
    Request {
        address6: Some("fd20::2/64".to_owned()),
        routes: vec!["192.168.88.0/24".to_owned(), "fd00:88::/64".to_owned()],
        exit_node: true,
        accept_routes: vec!["10.1.0.0/16".to_owned(), "fd00:10::/64".to_owned()],
        auth_key_file: Some("tailscale.key".to_owned()),
        environment: vec![("TS_ENABLE_RAW_DISCO".to_owned(), "1".to_owned())],
        ..Request::default()
    }
}

/// The versions whose commands differ from those of the version before.
const CHANGED_IN: [&str; 6] = ["7.15", "7.19", "7.20", "7.21", "7.22", "7.23"];

/// Every option, so that every command is printed for some version.
fn variants() -> Vec<Request> {
    let remote = Some("ghcr.io/owner/tailscale:1.102.5".to_owned());
    vec![
        full(),
        Request {
            disk: Some("usb1".to_owned()),
            access: RouterAccess::List,
            memory: 0,
            dns: Some("9.9.9.9".to_owned()),
            ..full()
        },
        Request { remote_image: remote, access: RouterAccess::Closed, auth_key_file: None, ..full() },
        Request::default(),
    ]
}

#[test]
fn script_of_each_known_version() {
    let mut before = String::new();
    for version in Version::known() {
        let script = script(version, &full()).unwrap();
        assert_eq!(script.warnings.len(), usize::from(version < "7.20".parse().unwrap()), "{:?}", script.warnings);
        let label = format!("RouterOS {version}");
        let commands = script.text.replace(&label, "RouterOS [VERSION]");
        if CHANGED_IN.contains(&version.to_string().as_str()) {
            insta::assert_snapshot!(format!("routeros-{version}"), commands);
        } else {
            assert_eq!(commands, before, "{version} has the commands of the version before");
        }
        before = commands;
    }
}

#[test]
fn update_script_of_the_last_version() {
    insta::assert_snapshot!(update(LAST, &full()).unwrap().text);
}

#[test]
fn every_command_of_every_script_is_in_the_command_tree_of_its_version() {
    let mut used = std::collections::BTreeSet::new();
    for version in Version::known() {
        for request in variants() {
            for text in [script(version, &request).unwrap().text, update(version, &request).unwrap().text] {
                let unknown = syntax::unknown(&text, version, &mut used);
                assert_eq!(unknown, Vec::<String>::new(), "{version}\n{text}");
            }
        }
    }
    // The table has nothing that no script uses, so that a wrong name in it would be noticed.
    let unused: Vec<String> = syntax::entries().into_iter().filter(|entry| !used.contains(entry)).collect();
    assert_eq!(unused, Vec::<String>::new());
}

#[test]
fn command_tree_refuses_what_a_version_does_not_have() {
    let unknown = |text: &str, version: &str| syntax::unknown(text, version.parse().unwrap(), &mut Default::default());
    assert_eq!(unknown("/container/add restart-policy=always", "7.22"), ["/container/add restart-policy"]);
    assert_eq!(unknown("/container/add restart-policy=always", "7.23"), Vec::<String>::new());
    assert_eq!(unknown(":put [/container/repull [find]]", "7.24"), ["/container/repull"]);
    assert_eq!(unknown("{ /nonsense/add x=1 }", "7.24"), ["/nonsense/add"]);
    assert_eq!(unknown("/container/envs/add list=\"a b=c\" colour=red", "7.24"), ["/container/envs/add colour"]);
}

#[test]
fn every_script_is_one_block_with_balanced_brackets() {
    for version in Version::known() {
        for request in variants() {
            for text in [script(version, &request).unwrap().text, update(version, &request).unwrap().text] {
                assert!(!text.contains('\t'), "a tab completes words in a terminal");
                let code = syntax::code(&text);
                let mut open = Vec::new();
                for (at, c) in code.trim().char_indices() {
                    match c {
                        '{' | '[' | '(' => open.push(c),
                        '}' | ']' | ')' => {
                            let expected = match c {
                                '}' => '{',
                                ']' => '[',
                                _ => '(',
                            };
                            assert_eq!(open.pop(), Some(expected), "{text}");
                            assert!(!open.is_empty() || at == code.trim().len() - 1, "one block: {text}");
                        }
                        _ => {}
                    }
                }
                assert_eq!(open, Vec::new());
            }
        }
    }
}

#[test]
fn update_commands_come_in_the_order_of_the_steps() {
    let text = update(LAST, &full()).unwrap().text;
    let position = |command: &str| text.find(command).unwrap_or_else(|| panic!("{command}"));
    let order = [
        "/container/mounts/add",
        "/file/remove [/file/find where name=\"tailscale/state-b/ready\"]",
        "/container/add",
        "/container/stop [/container/find where comment=\"tailscale a\"]",
        "/container/start [/container/find where comment=\"tailscale b\"]",
        "start-on-boot=no\n",
        "start-on-boot=yes\n",
        "/container/remove [/container/find where comment=\"tailscale a\"] }",
    ];
    let positions: Vec<usize> = order.iter().map(|command| position(command)).collect();
    // The clean-up before the steps removes a container, too.
    assert!(positions[..7].is_sorted(), "{positions:?}");
    assert_eq!(text.matches("/container/add ").count(), 2, "one for each place");
    assert!(!text.contains("repull") && !text.contains("/container/update"));
}

#[test]
fn image_without_entrypoint_is_refused_where_it_is_needed() {
    let request = Request { has_entrypoint: false, ..Request::default() };
    assert!(script("7.21".parse().unwrap(), &request).unwrap().text.contains("/container/add"));
    assert_eq!(script(LAST, &request).unwrap_err().what, "--routeros");
    assert_eq!(update("7.21".parse().unwrap(), &request).unwrap_err().what, "--update");
    let request = Request { auth_key_file: Some("key".to_owned()), ..request };
    assert_eq!(script("7.21".parse().unwrap(), &request).unwrap_err().what, "--auth-key-file");
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
        change(|request| request.file = Some("a\n/system/reset".to_owned())),
        change(|request| request.state = Some("../flash".to_owned())),
        change(|request| request.root = Some("x".repeat(1000))),
        change(|request| request.remote_image = Some("ghcr.io/x; /system/reset".to_owned())),
        change(|request| request.remote_image = Some("tailscale".to_owned())),
        change(|request| request.disk = Some("usb1/../x".to_owned())),
        change(|request| request.accept_routes = vec!["10.1.0.1/16".to_owned()]),
        change(|request| request.memory = 32),
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
        for (route, server) in [(None, None), (Some(route), None), (None, Some(server))] {
            let request = Request {
                file: Some(file.clone()), root: Some(root.clone()), interface: name.clone(),
                environment: vec![("A".to_owned(), value.clone())],
                routes: route.into_iter().collect(), login_server: server, ..Request::default()
            };
            let plain = Request { interface: "veth".to_owned(), ..request.clone() };
            for request in [request, plain] {
                let Ok(script) = script(LAST, &request) else { continue };
                // Nothing but the values' strings differs from the script of plain values.
                let plain = Request {
                    file: Some("file".to_owned()), root: Some("root".to_owned()), interface: "veth".to_owned(),
                    environment: vec![("A".to_owned(), "value".to_owned())], ..request.clone()
                };
                let expected = super::script(LAST, &plain).unwrap();
                prop_assert_eq!(syntax::code(&script.text), syntax::code(&expected.text));
            }
        }
    }
}
