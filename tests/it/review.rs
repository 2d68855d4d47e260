//! `review` on real Git repositories, as a reviewer and a workflow run it.

use std::path::Path;
use std::process::Command;

use crate::common::git::{git, repository};
use crate::common::{RELEASE, folder, policy, root, run};

fn write(folder: &Path, text: &str) {
    std::fs::write(folder.join("featureset.yaml"), text).unwrap();
}

const TARGET: &str = "{ platform: linux/amd64, budget: 9 MB }";

#[test]
fn review_of_a_pull_request() {
    let old = policy(&["portmapper"], TARGET);
    let repository = repository(&old);
    let swap = |text: String, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    let mut new =
        swap(old, "    keep: This device decides on netstack.", "    omit: Nobody asks 100.100.100.100 here.");
    new = swap(new, "    omit: This device decides on gro.", "    keep: This device decides on gro.");
    new = swap(
        new,
        "    keep: This device decides on portmapper.",
        "    keep: >-\n      The uplink's router speaks NAT-PMP, @someone tried it.\n    refs: [tailscale/tailscale#1]",
    );
    new = swap(new, "budget: 9 MB", "budget: 10 MB");
    new = swap(new, "init: none", "init: none, storage: disk");
    new = swap(new, "  nc-dial: This device lives with it.\n", "");
    write(repository.path(), &new);
    let ran = run(repository.path(), &["review", "--base", "HEAD"]);
    insta::assert_snapshot!(ran.transcript());
    let github = run(repository.path(), &["review", "--base", "main", "--format", "github"]);
    insta::assert_snapshot!("change_github", github.transcript());
    let json = run(repository.path(), &["review", "--base", "main", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&document["schema"], &document["reaches_a_binary"]), (&2.into(), &true.into()));
    assert_eq!(document["change"]["decisions"].as_array().unwrap().len(), 2);
    assert!(document["change"]["questions"][0]["place"]["line"].as_u64().unwrap() > 1);
}

#[test]
fn review_of_an_inverted_decision_names_its_proofs() {
    let text = policy(&[], TARGET);
    let repository = repository(&text);
    let passed = r#"{ "dns": ["keep dns", "keep netstack"], "flash": ["omit cachenetmap"], "login": ["omit gro"] }"#;
    let proofs = format!(
        r#"{{ "generated_by": "x", "release": "{RELEASE}", "platform": "linux/amd64", "kept": [], "passed": {passed} }}"#
    );
    std::fs::create_dir_all(repository.path().join("docs/proof")).unwrap();
    std::fs::write(repository.path().join("docs/proof/one.json"), proofs).unwrap();
    let flipped = [("netstack", "keep", "omit"), ("gro", "omit", "keep"), ("ssh", "omit", "keep")];
    let flip = |text: String, (name, from, to): (&str, &str, &str)| {
        let line = |verdict: &str| format!("    {verdict}: This device decides on {name}.");
        assert!(text.contains(&line(from)), "{name}");
        text.replace(&line(from), &line(to))
    };
    write(repository.path(), &flipped.into_iter().fold(text, flip));
    let page = run(repository.path(), &["review", "--base", "HEAD"]).stdout;
    let shown: Vec<&str> = page.lines().filter(|line| line.contains("running daemon")).collect();
    let not_yet = |check: &str| {
        format!("  - as it was, it was shown on a running daemon by `{check}` on {RELEASE}, one; as it is, not yet")
    };
    assert_eq!(shown, [not_yet("login"), not_yet("dns")], "{page}");
    // Back again: the proof is of the present decision.
    git(repository.path(), &["commit", "--quiet", "--all", "--message=flipped"]);
    write(repository.path(), &policy(&[], TARGET));
    let page = run(repository.path(), &["review", "--base", "HEAD"]).stdout;
    let proved = format!("  - shown on a running daemon by `dns` on {RELEASE}, one\n");
    assert!(page.contains(&proved), "{page}");
}

#[test]
fn review_of_changed_comments_reports_no_change() {
    let text = policy(&[], TARGET);
    let repository = repository(&text);
    write(repository.path(), &text.replace("features:\n", "# All of them.\nfeatures:\n"));
    insta::assert_snapshot!(run(repository.path(), &["review", "--base", "HEAD"]).transcript());
}

#[test]
fn review_of_a_base_without_valid_policy_treats_all_as_new() {
    let text = policy(&[], TARGET);
    let repository = repository(&text);
    let path = repository.path();
    git(path, &["rm", "--quiet", "featureset.yaml"]);
    git(path, &["commit", "--quiet", "--message=none"]);
    git(path, &["tag", "none"]);
    write(path, "features: [\n");
    git(path, &["add", "."]);
    git(path, &["commit", "--quiet", "--message=broken"]);
    git(path, &["tag", "broken"]);
    write(path, &text);
    let missing = run(path, &["review", "--base", "none"]);
    insta::assert_snapshot!("base_without_policy", missing.transcript());
    // A base that can't be parsed counts as none, and the page says so.
    let broken = run(path, &["review", "--base", "broken"]).stdout;
    let expected = missing
        .stdout
        .replace("`none`", "`broken`")
        .replace("no policy: everything is", "no policy that can be read: everything counts as");
    assert_eq!(broken, expected + "\n1 of the base's findings are gone.\n");
}

#[test]
fn review_of_a_renamed_policy_follows_it() {
    let text = policy(&[], TARGET);
    let repository = repository(&text);
    let path = repository.path();
    std::fs::create_dir(path.join("router")).unwrap();
    git(path, &["mv", "featureset.yaml", "router/featureset.yaml"]);
    let ran = run(&path.join("router"), &["review", "--base", "HEAD"]);
    assert_eq!(ran.status, 0);
    assert!(ran.stderr.contains("Following featureset.yaml at HEAD"), "{}", ran.stderr);
    assert!(ran.stdout.contains("Nothing changes in any binary"), "{}", ran.stdout);
}

#[test]
fn review_without_repository_or_revision_fails() {
    let text = policy(&[], TARGET);
    let alone = folder(&text);
    let outside = run(alone.path(), &["review", "--base", "HEAD"]);
    assert_eq!((outside.status, outside.stderr.contains("error[no-repository]")), (2, true), "{}", outside.stderr);
    let repository = repository(&text);
    let path = repository.path();
    for revision in ["nowhere", "--output=x", "main:featureset.yaml"] {
        let ran = run(path, &["review", &format!("--base={revision}")]);
        assert_eq!((ran.status, ran.stderr.contains("error[unknown-revision]")), (2, true), "{}", ran.stderr);
    }
    assert!(!path.join("x").exists());
    git(path, &["commit", "--quiet", "--allow-empty", "--message=second"]);
    let clones = tempfile::tempdir().unwrap();
    git(clones.path(), &["clone", "--quiet", "--depth=1", &format!("file://{}", path.display()), "shallow"]);
    insta::assert_snapshot!(run(&clones.path().join("shallow"), &["review", "--base", "HEAD^"]).transcript());
    write(path, "features: [\n");
    let unreadable = run(path, &["review", "--base", "HEAD"]);
    assert_eq!((unreadable.status, unreadable.stdout.as_str()), (1, ""));
}

/// The text that is reviewed, from a base that Git can't read.
fn unreadable(folder: &Path, base: &str) {
    let ran = run(folder, &["review", "--base", base]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("error[unreadable-revision]"), "{}", ran.stderr);
}

#[test]
fn review_of_an_unreadable_base_fails() {
    let text = policy(&[], TARGET);
    let repository = repository(&text);
    let path = repository.path();
    git(path, &["config", "uploadpack.allowFilter", "true"]);
    write(path, &text.replace("features:\n", "# All of them.\nfeatures:\n"));
    git(path, &["commit", "--quiet", "--all", "--message=second"]);
    let clones = tempfile::tempdir().unwrap();
    for filter in ["blob:none", "tree:0"] {
        let (url, name) = (format!("file://{}", path.display()), filter.replace(':', "-"));
        git(clones.path(), &["clone", "--quiet", &format!("--filter={filter}"), &url, &name]);
        let clone = clones.path().join(name);
        assert_eq!(run(&clone, &["review", "--base", "HEAD^"]).status, 0, "the server is there");
        let away = clones.path().join(format!("away-{}", filter.replace(':', "-")));
        git(clones.path(), &["clone", "--quiet", &format!("--filter={filter}"), &url, away.to_str().unwrap()]);
        git(&away, &["remote", "set-url", "origin", "file:///nonexistent"]);
        unreadable(&away, "HEAD^");
    }
    // A damaged object: the policy, its folder or the commit.
    for object in ["HEAD^:featureset.yaml", "HEAD^^{tree}", "HEAD^"] {
        let object = Command::new("git").args(["rev-parse", object]).current_dir(path).output().unwrap().stdout;
        let object = String::from_utf8(object).unwrap();
        let (folder, file) = object.trim().split_at(2);
        let file = path.join(".git/objects").join(folder).join(file);
        let (whole, mut permissions) = (std::fs::read(&file).unwrap(), std::fs::metadata(&file).unwrap().permissions());
        #[allow(clippy::permissions_set_readonly_false, reason = "a test's own file")]
        permissions.set_readonly(false);
        std::fs::set_permissions(&file, permissions).unwrap();
        std::fs::write(&file, b"damaged").unwrap();
        unreadable(path, "HEAD^");
        std::fs::write(&file, whole).unwrap();
    }
    assert_eq!(run(path, &["review", "--base", "HEAD^"]).status, 0);
}

#[test]
fn review_of_a_linked_policy_follows_the_link_at_the_revision() {
    let text = policy(&[], TARGET);
    let repository = repository(&text);
    let path = repository.path();
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, path.join(name)).unwrap();
    std::fs::create_dir_all(path.join("real/deep")).unwrap();
    git(path, &["mv", "featureset.yaml", "real/deep/policy.yaml"]);
    link("real/deep/", "folder");
    link("../real/./deep/../deep/policy.yaml", "real/second.yaml");
    link("real/second.yaml", "featureset.yaml");
    link("folder/policy.yaml", "other.yaml");
    link("loop.yaml", "loop.yaml");
    git(path, &["add", "."]);
    git(path, &["commit", "--quiet", "--message=links"]);
    std::fs::write(path.join("real/deep/policy.yaml"), text.replace("features:\n", "# Now.\nfeatures:\n")).unwrap();
    for name in ["featureset.yaml", "other.yaml"] {
        let ran = run(path, &["review", "--base", "HEAD", "--policy", name]);
        assert_eq!(ran.status, 0, "{name}: {}", ran.transcript());
        assert!(ran.stdout.contains("Nothing changes in any binary"), "{name}: {}", ran.transcript());
    }
    // A link out of the repository, whose target at the revision is unknown.
    let outside = folder(&text);
    for (name, target) in
        [("absolute.yaml", outside.path().join("featureset.yaml")), ("up.yaml", Path::new("../x.yaml").into())]
    {
        link(target.to_str().unwrap(), name);
        git(path, &["add", name]);
        git(path, &["commit", "--quiet", "--message=out"]);
        std::fs::remove_file(path.join(name)).unwrap();
        std::fs::write(path.join(name), &text).unwrap();
        let ran = run(path, &["review", "--base", "HEAD", "--policy", name]);
        assert_eq!(ran.status, 2, "{}", ran.transcript());
        assert!(ran.stderr.contains("leads out of the repository"), "{}", ran.transcript());
    }
    std::fs::remove_file(path.join("loop.yaml")).unwrap();
    std::fs::write(path.join("loop.yaml"), &text).unwrap();
    let ran = run(path, &["review", "--base", "HEAD", "--policy", "loop.yaml"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stdout.contains("The base has no policy"), "{}", ran.transcript());
}

#[test]
fn review_of_paths_that_are_not_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let text = policy(&[], TARGET);
    let repository = repository(&text);
    let path = repository.path();
    let [folder, name] = [&b"f\xff"[..], b"p\xfe.yaml"].map(std::ffi::OsStr::from_bytes);
    std::fs::create_dir(path.join(folder)).unwrap();
    std::fs::write(path.join(folder).join(name), &text).unwrap();
    git(path, &["add", "."]);
    git(path, &["commit", "--quiet", "--message=bytes"]);
    let review = |folder: &Path, name: &std::ffi::OsStr| {
        let mut command = crate::common::command(folder, &["review", "--base", "HEAD", "--policy"]);
        command.arg(name);
        crate::common::finish(command)
    };
    let ran = review(&path.join(folder), name);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stdout.contains("Nothing changes in any binary"), "{}", ran.transcript());
    let moved = std::ffi::OsStr::from_bytes(b"q\xfd.yaml");
    let mut mv = Command::new("git");
    let moves = mv.arg("mv").arg(Path::new(folder).join(name)).arg(Path::new(folder).join(moved)).current_dir(path);
    assert!(moves.status().unwrap().success());
    let ran = review(&path.join(folder), moved);
    assert!(ran.stderr.contains("Following"), "{}", ran.transcript());
    assert!(ran.stdout.contains("Nothing changes in any binary"), "{}", ran.transcript());
}

#[test]
fn questions_are_documented() {
    let page = std::fs::read_to_string(root().join("docs/reviewing.md")).unwrap();
    for code in diagnostics::area::Review::ALL.iter().map(|code| diagnostics::Code::from(*code)) {
        assert!(page.contains(&format!("### {code}\n")), "docs/reviewing.md lacks {code}");
    }
}
