//! The states after keys, what the editor displays, and properties of every sequence of keys.

use std::borrow::Cow;

use featureset::name::FeatureName;
use featureset::policy::{Verdict, read};
use featureset::upstream_data::UpstreamData;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::input::{Key, TextInput};
use super::judgement::Sources;
use super::model::{Mode, Model, Request};
use super::view::{Theme, draw};

const KEPT: &[&str] =
    &["c2n", "cli", "dns", "ipnbus", "netstack", "osrouter", "portmapper", "unixsocketidentity", "useroutes"];

/// Returns a policy of two targets; the second keeps `drive`.
fn policy() -> String {
    let registry = UpstreamData::embedded().registry("1.102.5".parse().unwrap()).unwrap();
    let head = "tailscale: 1.102.5\ngo: 1.26.8\n\ndevice: { profile: openwrt }\n\ntargets:\n  arm64:\n    platform: linux/arm64\n    \
                budget: 3.4 MB\n  mipsle:\n    platform: linux/mipsle/softfloat\n    features:\n      drive: { keep: People copy files. }\n\nfeatures:\n";
    let entry = |name: &FeatureName| {
        let decision = if KEPT.contains(&name.as_str()) { "keep" } else { "omit" };
        format!("  {name}:\n    {decision}: This device decides on {name}. The reason is long enough for two lines.\n")
    };
    head.to_owned() + &registry.features.keys().map(entry).collect::<String>()
}

fn sources() -> Sources {
    let words = FeatureName::new("ssh").map(|name| (name, "Upstream's own words\u{1b}[31m".to_owned()));
    Sources {
        path: "featureset.yaml".to_owned(),
        program: "tailscale-featureset".to_owned(),
        facts: Cow::Borrowed(UpstreamData::embedded()),
        descriptions: Some(words.into_iter().collect()),
        base: None,
    }
}

fn model(text: &str) -> Model {
    Model::new(text, sources())
}

/// Presses the keys of a text: `^` is Enter, `~` is Esc. Returns the last request.
fn press(model: &mut Model, keys: &str) -> Option<Request> {
    let key = |c: char| match c {
        '^' => Key::Enter,
        '~' => Key::Esc,
        c => Key::Char(c),
    };
    keys.chars().map(|c| model.press(&key(c))).last().flatten()
}

/// Returns the screen as text.
fn screen(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model, Theme::plain())).unwrap();
    terminal.backend().to_string()
}

/// Compares a screen. Sizes are measurements, so their digits are not compared.
macro_rules! assert_screen {
    ($name:literal, $model:expr, $width:literal, $height:literal) => {
        insta::with_settings!({ filters => vec![(r"\d+\.\d+ MB", "#.## MB"), (r"[+−]\d+(\.\d)? kB", "±## kB"), (r"\d+ kB", "## kB")] }, {
            insta::assert_snapshot!($name, screen($model, $width, $height));
        });
    };
}

fn name(text: &str) -> FeatureName {
    FeatureName::new(text).unwrap()
}

#[test]
fn the_list_and_the_details_of_a_feature() {
    let mut model = model(&policy());
    press(&mut model, "/ssh^~");
    assert_screen!("narrow", &model, 80, 24);
    assert_screen!("wide", &model, 120, 40);
    press(&mut model, "t");
    assert_eq!(model.target(), Some("arm64"));
    press(&mut model, "^");
    assert_screen!("details", &model, 80, 24);
}

#[test]
fn an_inversion_displays_what_it_forces_before_it_is_applied() {
    let mut model = model(&policy());
    press(&mut model, "/ssh^ ");
    let Mode::Confirm(inversion) = model.mode() else { panic!("{:?}", model.mode()) };
    let forced: Vec<&str> = inversion.forced.iter().map(FeatureName::as_str).collect();
    assert_eq!((forced, model.unsaved()), (vec!["dbus"], 0));
    assert_ne!(model.sizes(), model.judgement().targets, "the bars display the sizes after it");
    assert_screen!("confirm", &model, 80, 24);
    // Esc leaves everything as it is, and so does Esc in the reason.
    press(&mut model, "~");
    press(&mut model, " ^People log in.~");
    assert_eq!((model.unsaved(), model.mode()), (0, &Mode::Browse));
    // A new decision needs a reason.
    press(&mut model, " ^  ^");
    assert!(matches!(model.mode(), Mode::Reason(..)) && model.status().unwrap().is_problem);
    press(&mut model, "People log in: here.");
    assert_screen!("reason", &model, 80, 24);
    press(&mut model, "^");
    let edited = model.edited().unwrap();
    let changes: Vec<_> = edited.changes().iter().map(|one| (one.name.as_str(), one.after.reason.as_str())).collect();
    assert_eq!(changes, [("dbus", "Needed by ssh."), ("ssh", "People log in: here.")]);
    // The opposite decision restores the file's reason without a question.
    press(&mut model, " ^");
    let changes: Vec<_> = model.edited().unwrap().changes().iter().map(|one| one.name.to_string()).collect();
    assert_eq!(changes, ["dbus"]);
    press(&mut model, "uu");
    assert_eq!((model.unsaved(), model.edited().unwrap().text()), (0, policy().as_str()));
}

#[test]
fn a_reason_is_edited_in_the_entry_that_decides() {
    let mut model = model(&policy());
    press(&mut model, "/drive^tt");
    assert_eq!((model.target(), model.decision(&name("drive")).unwrap().verdict), (Some("mipsle"), Verdict::Keep));
    model.press(&Key::Char('r'));
    model.press(&Key::Ctrl('u'));
    press(&mut model, "Files are copied.^");
    let change = |model: &Model| {
        let edited = model.edited().unwrap();
        let changes = edited.changes();
        (changes[0].target.map(str::to_owned), changes[0].name.to_string(), changes.len())
    };
    assert_eq!(change(&model), (Some("mipsle".to_owned()), "drive".to_owned(), 1));
    // The other target does not override it, so its reason is the common one.
    press(&mut model, "utt");
    assert_eq!(model.target(), Some("arm64"));
    press(&mut model, "r Really.^");
    assert_eq!(change(&model), (None, "drive".to_owned(), 1));
    // A decision belongs to the displayed target.
    press(&mut model, "u ^Files are copied here too.^");
    assert_eq!(change(&model), (Some("arm64".to_owned()), "drive".to_owned(), 1));
}

#[test]
fn filters_and_the_search_leave_what_they_name() {
    let mut model = model(&policy());
    let visible = |model: &Model| model.visible_features();
    let all = visible(&model).len();
    press(&mut model, "fl300kB^");
    let large = visible(&model);
    assert!(large.contains(&name("netstack")) && !large.contains(&name("gro")), "{large:?}");
    press(&mut model, "flmuch^");
    assert!(model.status().unwrap().text.contains("50kB"));
    press(&mut model, "~fa");
    assert_eq!(visible(&model).len(), all);
    press(&mut model, "fh");
    assert!(visible(&model).iter().all(|name| model.row(name).unwrap().hazards.is_some()));
    press(&mut model, "~fu");
    assert!(visible(&model).is_empty() && model.selected().is_none());
    assert_screen!("empty", &model, 80, 24);
    press(&mut model, "~/BIRD");
    assert_eq!(model.selected(), Some(&name("bird")));
    press(&mut model, "~");
    assert_eq!(visible(&model).len(), all);
    press(&mut model, "/bird^ ^It speaks BGP.^~fc");
    assert_eq!(visible(&model), [name("advertiseroutes"), name("bird")]);
}

#[test]
fn the_changes_since_a_revision_are_filtered() {
    let mut sources = sources();
    let base = policy().replace("  gro:\n    omit:", "  gro:\n    keep:");
    sources.base = Some(("HEAD~1".to_owned(), read(&base).policy.unwrap()));
    let mut model = Model::new(&policy(), sources);
    press(&mut model, "fc");
    let visible = model.visible_features();
    assert_eq!(visible, [name("gro")]);
    assert!(screen(&model, 80, 24).contains("at HEAD~1: kept."));
}

#[test]
fn leaving_asks_if_something_is_not_saved() {
    let mut model = model(&policy());
    assert_eq!(press(&mut model, "q"), Some(Request::Leave));
    assert_eq!(press(&mut model, "s"), None);
    press(&mut model, "/bird^ ^It speaks BGP.^");
    assert_eq!((press(&mut model, "q"), model.mode()), (None, &Mode::Leave));
    assert_screen!("leave", &model, 80, 24);
    assert_eq!(press(&mut model, "~"), None);
    assert_eq!(press(&mut model, "qd"), Some(Request::Leave));
    assert_eq!(press(&mut model, "qs"), Some(Request::SaveAndLeave));
    press(&mut model, "~");
    assert_eq!(press(&mut model, "s"), Some(Request::Save));
    let (old, new) = model.to_save().unwrap();
    assert_eq!(old, policy());
    model.saved(new.clone());
    assert_eq!((model.unsaved(), press(&mut model, "q")), (0, Some(Request::Leave)));
    assert_eq!(read(&new).policy.unwrap().features["bird"].reason, "It speaks BGP.");
}

#[test]
fn a_policy_with_findings_opens_and_lists_them() {
    // The reasons of an imported list are all to be written, one feature is not decided, and one name is unknown.
    let text = policy().replace(" This device decides on", " # This device decides on").replace("  bird:", "  # bird:");
    let text = text.replacen("    omit: # This device decides on bird", "    # This device decides on bird", 1);
    let mut model = model(&text);
    let findings = model.judgement().findings.len();
    assert!(findings >= 73, "{findings}");
    press(&mut model, "!");
    let screen_with =
        |model: &Model, text: &str| assert!(screen(model, 80, 24).contains(text), "{}", screen(model, 80, 24));
    screen_with(&model, &format!("{findings} findings"));
    press(&mut model, "~/ace^");
    screen_with(&model, "error[empty-reason]: `ace` has no reason");
    press(&mut model, "rNobody needs it.^");
    assert_eq!(model.judgement().findings.len(), findings - 1);
    // A filtered list goes on with the next feature.
    press(&mut model, "~/gro^~f!");
    press(&mut model, "rPackets are rare here.^");
    let order: Vec<&FeatureName> = model.judgement().features().collect();
    let gro = order.iter().position(|one| one.as_str() == "gro").unwrap();
    assert_eq!(model.selected(), Some(order[gro + 1]));
    press(&mut model, "u~");
    press(&mut model, "~/bird^");
    screen_with(&model, "y keeps it, n omits it");
    press(&mut model, "n^It speaks BGP.^");
    assert_eq!(model.judgement().findings.len(), findings - 2);
    assert!(model.to_save().is_ok());
}

#[test]
fn a_text_that_is_not_a_policy_displays_its_findings() {
    for text in ["features: [\n", "", "tailscale: 1.102.5\n", "features: 1\ntailscale: 9.9.9\ntargets: 3\n"] {
        let mut model = model(text);
        assert!(!model.judgement().findings.is_empty());
        press(&mut model, " ^~r~u!");
        assert!(screen(&model, 80, 24).contains("error["), "{text}: {}", screen(&model, 80, 24));
        press(&mut model, "~");
        assert_eq!(press(&mut model, "q"), Some(Request::Leave), "{text}");
    }
    assert_screen!("unreadable", &model("features: [\n"), 80, 24);
}

#[test]
fn text_from_outside_controls_nothing() {
    let text = policy().replace("decides on ssh.", "decides\u{200b} on ssh\u{202e}.");
    let mut model = model(&text);
    press(&mut model, "/ssh^^");
    let screen = screen(&model, 100, 40);
    assert!(screen.contains("\\u{200b}") && screen.contains("\\u{202e}") && screen.contains("\\u{1b}[31m"), "{screen}");
    assert!(!screen.contains(['\u{200b}', '\u{202e}', '\u{1b}']));
    press(&mut model, "~r");
    assert!(!self::screen(&model, 100, 40).contains(['\u{200b}', '\u{202e}']));
}

#[test]
fn a_line_is_edited_with_the_keys_of_a_shell() {
    let mut input = TextInput::new("one two  three");
    input.press(&Key::Ctrl('w'));
    assert_eq!(input.text(), "one two  ");
    input.press(&Key::Ctrl('w'));
    assert_eq!(input.text(), "one ");
    for key in [Key::Home, Key::Right, Key::Delete, Key::Paste("ä\n\u{7}x".to_owned())] {
        input.press(&key);
    }
    assert_eq!((input.text(), input.cursor()), ("oä xe ".to_owned(), 4));
    input.press(&Key::Ctrl('k'));
    input.press(&Key::Backspace);
    input.press(&Key::Left);
    input.press(&Key::Ctrl('u'));
    assert_eq!(input.text(), " ");
}

fn keys() -> impl Strategy<Value = Vec<Key>> {
    let special = [
        Key::Enter,
        Key::Esc,
        Key::Backspace,
        Key::Delete,
        Key::Up,
        Key::Down,
        Key::Left,
        Key::Right,
        Key::PageUp,
        Key::PageDown,
        Key::Home,
        Key::End,
        Key::Ctrl('u'),
        Key::Ctrl('w'),
        Key::Ctrl('c'),
        Key::Paste("a: # {b}\u{202e}\n日本".to_owned()),
    ];
    let command = prop::sample::select(" ynrutf/!?sqdjkgGhcla".chars().map(Key::Char).collect::<Vec<_>>());
    let key = prop_oneof![
        4 => command,
        3 => prop::sample::select(special.to_vec()),
        1 => any::<char>().prop_map(Key::Char),
    ];
    // Whole inversions with their reasons are rare among single keys.
    let inversion = "[A-Za-z:#\"' ]{0,12}".prop_map(|reason| {
        let reason = reason.chars().map(Key::Char);
        [Key::Char(' '), Key::Enter].into_iter().chain(reason).chain([Key::Enter]).collect::<Vec<_>>()
    });
    prop::collection::vec(prop_oneof![5 => key.prop_map(|key| vec![key]), 1 => inversion], 0..30)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_sequence_of_keys_leaves_a_consistent_state(keys in keys(), width in 1u16..140, height in 1u16..50) {
        let text = policy();
        let mut model = model(&text);
        for key in &keys {
            model.press(key);
            let visible = model.visible_features();
            match model.selected() {
                Some(selected) => prop_assert!(visible.contains(selected)),
                None => prop_assert!(visible.is_empty()),
            }
        }
        screen(&model, width, height);
        let edited = model.edited().unwrap();
        prop_assert_eq!(&read(edited.text()).policy.unwrap(), edited.policy());
        for change in edited.changes() {
            prop_assert!(!change.after.reason.trim().is_empty(), "{change:?}");
        }
        let saved = edited.to_save().unwrap();
        prop_assert_eq!(&read(&saved).policy.unwrap(), edited.policy());
        // From any state, Esc leads back to the list, and undo to the file.
        for _ in 0..3 {
            model.press(&Key::Esc);
        }
        prop_assert_eq!(model.mode(), &Mode::Browse);
        while model.edited().unwrap().steps() > 0 {
            model.press(&Key::Char('u'));
        }
        prop_assert_eq!(model.edited().unwrap().text(), text);
        prop_assert_eq!(model.unsaved(), 0);
    }
}
