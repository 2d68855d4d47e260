//! `explore`: the page, and the judgement in the page compared with the core's.

mod cases;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::common::browser::{self, Browser};
use crate::common::git::commit_all;
use crate::common::{RELEASE, command, finish, folder, policy, root, run, skip};
use cases::Generator;

const TARGET: &str = "{ platform: linux/arm64, budget: 3.5 MB }";

/// The largest page.
const LARGEST: usize = 1_000_000;

/// A folder with a policy and the page.
struct Site {
    folder: tempfile::TempDir,
    page: PathBuf,
}

impl Site {
    fn new(policy: &str) -> Self {
        let folder = folder(policy);
        let ran = run(folder.path(), &["explore", "-o", "page.html"]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        Self { page: folder.path().join("page.html"), folder }
    }
}

/// Starts a browser; reports a skipped test if none is installed.
fn start() -> Option<Browser> {
    let program = browser::installed();
    if program.is_none() {
        skip("chromium is not installed");
    }
    program.map(Browser::start)
}

// The command

#[test]
fn explore_writes_one_self_contained_page() {
    let site = Site::new(&policy(&[], TARGET));
    let text = std::fs::read_to_string(&site.page).unwrap();
    assert!(text.len() < LARGEST, "{} bytes", text.len());
    assert!(text.contains("default-src 'none'"));
    assert_eq!(text.matches("src=\"").count() + text.matches("@import").count(), 0);
    let printed = run(site.folder.path(), &["explore", "-o", "-"]);
    assert_eq!((printed.status, printed.stdout.trim_end()), (0, text.trim_end()));
    // A second run replaces its own page and no other file.
    assert_eq!(run(site.folder.path(), &["explore", "-o", "page.html"]).status, 0);
    let refused = run(site.folder.path(), &["explore", "-o", "featureset.yaml"]);
    insta::assert_snapshot!(refused.transcript());
}

#[test]
fn explore_with_a_base_has_both_policies() {
    let old = policy(&["portmapper"], TARGET);
    let folder = folder(&old);
    commit_all(folder.path());
    let new =
        old.replace("    keep: This device decides on portmapper.", "    omit: The uplink needs no port mapping.");
    std::fs::write(folder.path().join("featureset.yaml"), new).unwrap();
    let unknown = run(folder.path(), &["explore", "-o", "page.html", "--base", "nowhere"]);
    assert_eq!((unknown.status, folder.path().join("page.html").exists()), (2, false), "{}", unknown.stderr);
    let ran = run(folder.path(), &["explore", "-o", "page.html", "--base", "HEAD"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let Some(browser) = start() else { return };
    browser.open(&folder.path().join("page.html"), "");
    assert_eq!(browser.evaluate("[...explore.view().compared.changed.keys()]"), json!(["portmapper"]));
    assert_eq!(browser.evaluate("explore.state().compare"), "base");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn explore_lists_the_changes_of_single_targets() {
    let targets = "{ platform: linux/arm64 }\n  two:\n    platform: linux/mipsle/softfloat";
    let old = policy(&[], targets);
    let folder = folder(&old);
    commit_all(folder.path());
    let own = "platform: linux/mipsle/softfloat\n    features:\n      drive:\n        keep: People copy files here.";
    let new = old
        .replace("platform: linux/mipsle/softfloat", own)
        .replace("    keep: This device decides on dns.", "    omit: The router answers.");
    std::fs::write(folder.path().join("featureset.yaml"), new).unwrap();
    let ran = run(folder.path(), &["explore", "-o", "page.html", "--base", "HEAD"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let Some(browser) = start() else { return };
    browser.open(&folder.path().join("page.html"), "");
    let changes = text(&browser, "#changes");
    assert!(
        changes.contains("dns kept → omitted") && changes.contains("Only on two: drive omitted → kept"),
        "{changes}"
    );
    assert!(!changes.contains("two: dns"), "{changes}");
    // The entries to copy name a target that would not follow.
    browser.click(".row[data-feature=drive] .switch");
    browser.click(".row[data-feature=drive] .switch");
    let yaml = value(&browser, "yaml");
    assert!(yaml.contains("# The target two decides drive itself: omit it there too."), "{yaml}");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn explore_contains_descriptions_only_if_they_are_asked_for() {
    let folder = folder(&policy(&[], TARGET));
    let caches = tempfile::tempdir().unwrap();
    let explore = |flags: &[&str]| {
        let mut command = command(folder.path(), &[&["explore", "-o", "page.html"], flags].concat());
        command.env("XDG_CACHE_HOME", caches.path()).env("GOMODCACHE", caches.path().join("modules"));
        let ran = finish(command);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        (std::fs::read_to_string(folder.path().join("page.html")).unwrap(), ran.stderr)
    };
    let (_, printed) = explore(&["--descriptions"]);
    assert!(printed.contains("descriptions are left out"), "{printed}");
    let module = caches.path().join("tailscale-featureset/modules").join(RELEASE);
    std::fs::create_dir_all(&module).unwrap();
    let words = r#"{"ssh": {"symbol": "SSH", "needs": [], "implementation_detail": false, "description": "Words of <b> upstream"}}"#;
    std::fs::write(module.join("registry.json"), words).unwrap();
    assert!(!explore(&[]).0.contains("of upstream"));
    explore(&["--descriptions"]);
    let Some(browser) = start() else { return };
    browser.open(&folder.path().join("page.html"), "#feature=ssh");
    let details = text(&browser, "#details");
    assert!(details.contains("“Words of <b> upstream”"), "{details}");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn explore_of_an_unreadable_policy_lists_its_findings() {
    let folder = folder("features: [\n");
    let ran = run(folder.path(), &["explore", "-o", "page.html"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("1 error"), "{}", ran.stderr);
    let Some(browser) = start() else { return };
    browser.open(&folder.path().join("page.html"), "");
    assert_eq!(browser.evaluate("document.querySelectorAll('.finding').length"), 1);
    assert_eq!(browser.complaints(), [""; 0]);
}

// The judgement

#[test]
fn explore_page_judges_as_the_core_does() {
    const CASES: usize = 1000;
    let site = Site::new(&policy(&[], TARGET));
    let Some(browser) = start() else { return };
    browser.open(&site.page, "");
    let mut generator = Generator::new(20_261_126);
    let mut hazards = 0;
    for _ in 0..CASES / 100 {
        let cases: Vec<cases::Case> = (0..100).map(|_| generator.case()).collect();
        let given: Vec<&Value> = cases.iter().map(|case| &case.given).collect();
        let found = browser.evaluate(&format!("{}.map(explore.judgeCase)", json!(given)));
        for (case, found) in cases.iter().zip(found.as_array().unwrap()) {
            let expected = case.expected();
            assert_eq!(*found, expected, "for {}", case.given);
            hazards += expected["hazards"].as_array().unwrap().len();
        }
    }
    assert!(hazards > CASES, "the cases have {hazards} hazards");
}

// Interactions

/// Opens the page of a clean policy in which `ssh` needs the omitted `c2n` and `dbus`.
fn open() -> Option<(Site, Browser)> {
    let site = Site::new(&policy(&[], TARGET));
    let browser = start()?;
    browser.display(1400, 1000, "light");
    browser.open(&site.page, "");
    Some((site, browser))
}

fn decision(browser: &Browser, name: &str) -> String {
    browser.evaluate(&format!("explore.view().decisions.get('{name}')")).as_str().unwrap().to_owned()
}

fn text(browser: &Browser, selector: &str) -> String {
    browser.evaluate(&format!("document.querySelector('{selector}').innerText")).as_str().unwrap().to_owned()
}

fn value(browser: &Browser, id: &str) -> String {
    browser.evaluate(&format!("document.getElementById('{id}').value")).as_str().unwrap().to_owned()
}

#[test]
fn explore_page_toggle_forces_dependencies_and_updates_everything() {
    let Some((_site, browser)) = open() else { return };
    let before = value(&browser, "tags");
    assert!(before.contains("ts_omit_ssh,") && before.contains("ts_omit_dbus,"));
    browser.click(".row[data-feature=ssh] .name");
    let details = text(&browser, "#details");
    assert!(details.contains("This also keeps c2n, dbus, which it needs."), "{details}");
    let size = text(&browser, "#targets");
    browser.click(".row[data-feature=ssh] .switch");
    for name in ["ssh", "c2n", "dbus"] {
        assert_eq!(decision(&browser, name), "keep", "{name}");
    }
    assert!(!value(&browser, "tags").contains("ts_omit_ssh"));
    assert_ne!(text(&browser, "#targets"), size);
    let yaml = value(&browser, "yaml");
    assert_eq!(
        yaml,
        "features:\n  c2n:\n    keep: # write why\n  dbus:\n    keep: # write why\n  ssh:\n    keep: # write why\n"
    );
    browser.evaluate("document.getElementById('reason').focus()");
    browser.call("Input.insertText", json!({ "text": "People log in: here" }));
    assert!(value(&browser, "yaml").ends_with("  ssh:\n    keep: >-\n      People log in: here\n"));
    assert!(text(&browser, "#changes").contains("3 decisions"), "{}", text(&browser, "#changes"));
    // Omitting what it needs omits it too; undo goes back in two steps.
    browser.click(".row[data-feature=dbus] .switch");
    assert_eq!((decision(&browser, "ssh"), decision(&browser, "c2n")), ("omit".to_owned(), "keep".to_owned()));
    browser.click("#undo");
    browser.click("#undo");
    assert_eq!(value(&browser, "tags"), before);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn explore_page_yaml_is_read_as_the_decisions_of_the_page() {
    let Some((_site, browser)) = open() else { return };
    browser.click(".row[data-feature=ssh] .switch");
    browser.click(".row[data-feature=ssh] .name");
    browser.evaluate("document.getElementById('reason').focus()");
    browser.call("Input.insertText", json!({ "text": "# \"a\": {b} & 'c' - d" }));
    browser.choose("extent", "all");
    let read = featureset::policy::read(&value(&browser, "yaml")).policy.unwrap();
    let kept: Vec<&str> =
        read.features.keys().filter(|name| read.common().keeps(name)).map(|name| name.as_str()).collect();
    assert_eq!(browser.evaluate("[...explore.view().kept].sort()"), json!(kept));
    assert_eq!(read.features["ssh"].reason, "# \"a\": {b} & 'c' - d");
    assert_eq!(read.features.len(), browser.evaluate("explore.view().decisions.size").as_u64().unwrap() as usize);
}

#[test]
fn explore_page_works_by_keyboard() {
    let Some((_site, browser)) = open() else { return };
    let feature = || browser.evaluate("document.activeElement.dataset.feature").as_str().unwrap().to_owned();
    browser.evaluate("document.querySelector('#treemap [tabindex=\"0\"]').focus()");
    let first = feature();
    browser.press("ArrowRight");
    let second = feature();
    assert_ne!(first, second);
    browser.press("Enter");
    assert_eq!(browser.evaluate("explore.state().selected"), second.as_str());
    let before = decision(&browser, &second);
    browser.press(" ");
    assert_ne!(decision(&browser, &second), before);
    assert_eq!(feature(), second, "the focus stays on the tile");
    // Exactly one tile is in the order of the Tab key.
    assert_eq!(browser.evaluate("document.querySelectorAll('#treemap [tabindex=\"0\"]').length"), 1);
    browser.evaluate("document.querySelector('.row[data-feature=gro] .switch').focus()");
    let before = decision(&browser, "gro");
    browser.press("Enter");
    assert_ne!(decision(&browser, "gro"), before);
    assert_eq!(browser.evaluate("document.activeElement.className.startsWith('switch')"), true);
    browser.press("Tab");
    assert_eq!(browser.evaluate("document.activeElement.textContent"), "gro");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn explore_page_hazards_follow_decisions_devices_and_releases() {
    let Some((_site, browser)) = open() else { return };
    let applies = |id: &str| {
        let script =
            format!("explore.view().hazards.filter((one) => one.hazard.id === '{id}').map((one) => one.severity)");
        browser.evaluate(&script)
    };
    assert_eq!(applies("cachenetmap-flash-wear"), json!([]));
    browser.click(".row[data-feature=cachenetmap] .switch");
    assert_eq!(applies("cachenetmap-flash-wear"), json!(["error"]));
    assert!(text(&browser, "#hazards").contains("written to flash"));
    browser.choose("device", "none");
    assert_eq!(applies("cachenetmap-flash-wear"), json!(["warning"]));
    browser.choose("device", "systemd-host");
    assert_eq!(applies("cachenetmap-flash-wear"), json!([]));
    browser.evaluate("document.getElementById('facts').open = true");
    browser.choose("fact-storage", "flash");
    assert_eq!(applies("cachenetmap-flash-wear"), json!(["error"]));
    browser.choose("release", "1.96.4");
    assert_eq!(applies("cachenetmap-flash-wear"), json!([]));
    browser.choose("release", RELEASE);
    browser.evaluate("[...document.querySelectorAll('.hazard')].forEach((node) => { node.open = true; })");
    browser.click("[data-key=\"remedy cachenetmap-flash-wear\"]");
    assert_eq!((decision(&browser, "cachenetmap"), applies("cachenetmap-flash-wear")), ("omit".to_owned(), json!([])));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn explore_page_links_lead_to_the_same_state() {
    let Some((site, browser)) = open() else { return };
    browser.choose("release", "1.104.5");
    browser.choose("device", "openwrt");
    browser.choose("preset", "extra-small");
    browser.choose("compare", RELEASE);
    browser.evaluate("document.getElementById('facts').open = true");
    browser.choose("fact-tun", "");
    browser.click(".row[data-feature=taildrop] .switch");
    let whole = "JSON.stringify({ ...explore.state(), changes: [...explore.state().changes], reasons: 0 })";
    let (state, link) = (browser.evaluate(whole), browser.evaluate("location.hash"));
    browser.open(&site.page, link.as_str().unwrap());
    assert_eq!(browser.evaluate(whole), state, "{link}");
    assert_eq!(browser.evaluate("location.hash"), link);
    // Unknown values are ignored.
    browser.open(&site.page, "#release=9.9.9&device=toaster&keep=nonesuch.__proto__&feature=constructor&from=%00");
    assert_eq!(
        browser.evaluate("[explore.state().release, explore.state().changes.size, explore.state().selected]"),
        json!([RELEASE, 0, ""])
    );
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn explore_page_starts_from_pasted_tags() {
    let Some((site, browser)) = open() else { return };
    browser.click("#paste");
    browser.click("#paste-use");
    assert!(text(&browser, "#paste-problem").contains("Paste a list"));
    browser.evaluate("document.getElementById('pasted').focus()");
    browser
        .call("Input.insertText", json!({ "text": "-tags=ts_omit_aws,ts_omit_ssh,ts_include_cli,ts_omit_nonesuch" }));
    browser.click("#paste-use");
    assert_eq!(value(&browser, "tags"), "ts_include_cli,ts_omit_aws,ts_omit_ssh");
    assert!(text(&browser, "#toast").contains("ts_omit_nonesuch"));
    let link = browser.evaluate("location.hash");
    browser.open(&site.page, link.as_str().unwrap());
    assert_eq!(value(&browser, "tags"), "ts_include_cli,ts_omit_aws,ts_omit_ssh");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn explore_page_area_is_the_size() {
    let Some((_site, browser)) = open() else { return };
    // Pixels per byte of the large tiles agree within the rounding of the layout.
    let script = "[...document.querySelectorAll('#treemap .tile[data-feature]')].map((node) => [node.offsetWidth * \
                  node.offsetHeight, explore.data.costs.one.own[node.dataset.feature]]).filter(([area]) => area > 8000)\
                  .map(([area, bytes]) => area / bytes)";
    let scales: Vec<f64> = serde_json::from_value(browser.evaluate(script)).unwrap();
    let (least, most) = scales.iter().fold((f64::MAX, 0_f64), |(a, b), scale| (a.min(*scale), b.max(*scale)));
    assert!(scales.len() > 4 && most / least < 1.25, "{scales:?}");
    // Features without an area are listed.
    assert!(text(&browser, "#undrawn").contains("without an area"));
    let drawn = browser.evaluate("document.querySelectorAll('#treemap .tile[data-feature]').length").as_u64().unwrap();
    let listed = browser.evaluate("document.querySelectorAll('#undrawn .link').length").as_u64().unwrap();
    let all = browser.evaluate("Object.keys(explore.view().line.features).length").as_u64().unwrap();
    assert_eq!(drawn + listed, all);
}

#[test]
fn explore_page_fits_a_phone_and_has_two_color_schemes() {
    let Some((_site, browser)) = open() else { return };
    browser.click(".row[data-feature=cachenetmap] .switch");
    let background = "getComputedStyle(document.body).backgroundColor";
    let light = browser.evaluate(background);
    for (width, scheme) in [(320, "light"), (390, "dark"), (768, "dark"), (1600, "light")] {
        browser.display(width, 800, scheme);
        browser.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
        let wide = browser.evaluate("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{width}: {wide}");
        assert_eq!(browser.evaluate(background) == light, scheme == "light", "{width}");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn explore_page_opens_on_a_policy_with_many_findings() {
    // 73 features of 79 are not decided.
    let clean = policy(&[], TARGET);
    let (head, _) = clean.split_once("features:\n").unwrap();
    let kept = ["cli", "dns", "ipnbus", "netstack", "osrouter", "unixsocketidentity"];
    let entries: String = kept.iter().map(|name| format!("  {name}:\n    keep: This device needs {name}.\n")).collect();
    let site = Site::new(&format!("{}features:\n{entries}", head.split("accepted:").next().unwrap()));
    let Some(browser) = start() else { return };
    browser.open(&site.page, "");
    let findings = browser.evaluate("explore.data.policies[0].findings.length").as_u64().unwrap();
    assert!(findings >= 73, "{findings}");
    assert!(text(&browser, "#summary").contains("73 undecided"), "{}", text(&browser, "#summary"));
    browser.choose("filter", "undecided");
    assert_eq!(browser.evaluate("document.querySelectorAll('.row').length"), 73);
    browser.click(".row[data-feature=ace] .name");
    assert_eq!(
        browser
            .evaluate("[...document.querySelectorAll('#details [data-key^=decide]')].map((node) => node.textContent)"),
        json!(["Keep ace", "Omit ace"])
    );
    browser.click("[data-key=\"decide same\"]");
    assert_eq!(decision(&browser, "ace"), "omit");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn explore_page_times() {
    let Some((site, browser)) = open() else { return };
    let start = Instant::now();
    browser.open(&site.page, "");
    let paint = browser.evaluate(
        "new Promise((done) => new PerformanceObserver((list) => done(list.getEntriesByName('first-contentful-paint')[0].startTime))\
         .observe({ type: 'paint', buffered: true }))",
    );
    let toggle = browser.evaluate(
        "(() => { const times = []; const button = document.querySelector('.row[data-feature=ssh] .switch'); \
         for (let index = 0; index < 21; index++) { const start = performance.now(); button.click(); \
         document.body.offsetHeight; times.push(performance.now() - start); } return times.sort((a, b) => a - b)[10]; })()",
    );
    // Reported, not asserted: they are the machine's.
    eprintln!("first paint {paint:.0} ms, a toggle {toggle:.1} ms, opened in {} ms", start.elapsed().as_millis());
    assert!(paint.as_f64().is_some_and(|time| time > 0.0) && toggle.as_f64().is_some_and(|time| time > 0.0));
}

// The bundle

#[test]
fn explore_bundle_is_fresh() {
    let npm = |folder: &Path, arguments: &[&str]| Command::new("npm").args(arguments).current_dir(folder).output();
    let copy = tempfile::tempdir().unwrap();
    let sources = root().join("crates/cli/explore");
    for name in ["package.json", "package-lock.json", ".npmrc", "build.mjs"] {
        std::fs::copy(sources.join(name), copy.path().join(name)).unwrap();
    }
    std::fs::create_dir(copy.path().join("src")).unwrap();
    for file in std::fs::read_dir(sources.join("src")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join("src").join(file.file_name())).unwrap();
    }
    let installed = npm(copy.path(), &["ci", "--no-audit", "--no-fund"]);
    match installed {
        Err(_) => return skip("npm is not installed"),
        Ok(output) if !output.status.success() => return skip("npm can't install the packages of the page"),
        Ok(_) => {}
    }
    let built = npm(copy.path(), &["run", "build", "--", "page.html"]).unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let fresh = std::fs::read_to_string(copy.path().join("page.html")).unwrap();
    let checked_in = std::fs::read_to_string(sources.join("built/page.html")).unwrap();
    assert!(
        fresh == checked_in,
        "crates/cli/explore/built/page.html is out of date; run `npm ci && npm run build` there"
    );
    assert!(!std::fs::read_to_string(sources.join("package-lock.json")).unwrap().contains("resolved"));
}
