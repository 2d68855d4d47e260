//! The GitHub Action without GitHub: its structure, and its steps, run in a temporary repository with the variables that
//! GitHub sets.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::common::git::git;
use crate::common::planted::{PACKED, Planted, TAG};
use crate::common::{RELEASE, Ran, finish, full, root, skip};
use serde_json::Value;
use tailscale_featureset::process::on_path;

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

fn action() -> Value {
    yaml(&std::fs::read_to_string(root().join("action.yml")).unwrap())
}

fn steps() -> Vec<Value> {
    action()["runs"]["steps"].as_array().unwrap().clone()
}

/// The last step, which runs the command, and the scripts before it.
fn own_steps() -> (Value, Vec<Value>) {
    let mut steps: Vec<Value> = steps().into_iter().filter(|step| step["run"].is_string()).collect();
    (steps.pop().unwrap(), steps)
}

fn scripts() -> Vec<String> {
    steps().iter().filter_map(|step| step["run"].as_str().map(str::to_owned)).collect()
}

#[test]
fn action_yml_is_a_composite_action() {
    let action = action();
    assert_eq!(action["runs"]["using"], "composite");
    for (name, input) in action["inputs"].as_object().unwrap() {
        assert!(input["description"].is_string(), "{name}");
        assert!(input["default"].is_string(), "{name}");
    }
    for step in steps() {
        // An action needs a shell named for each script.
        assert!(step["run"].is_null() || step["shell"] == "bash", "{step}");
        let version = step["uses"].as_str().map(|uses| uses.rsplit_once('@').unwrap().1.to_owned());
        assert!(version.is_none_or(|version| version.starts_with('v')), "{step}");
    }
}

#[test]
fn scripts_contain_no_expressions_of_inputs() {
    assert_eq!(scripts().len(), 3);
    for script in scripts() {
        assert!(!script.contains("${{"), "{script}");
        assert!(!script.contains("eval"), "{script}");
        assert!(!script.contains("http"), "{script}");
    }
    let given: String = steps().iter().map(|step| step["env"].to_string()).collect();
    for name in action()["inputs"].as_object().unwrap().keys() {
        assert!(given.contains(&format!("${{{{ inputs.{name} }}}}")), "{name} is not passed on");
    }
}

#[test]
fn scripts_pass_shellcheck() {
    if on_path("shellcheck").is_none() {
        return skip("shellcheck is not installed");
    }
    for script in scripts() {
        let mut child = Command::new("shellcheck").args(["--shell=bash", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        // GitHub's own options.
        let script = format!("#!/bin/bash -e\nset -o pipefail\n{script}");
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{script}");
    }
}

#[test]
fn examples_in_docs_use_declared_inputs() {
    let page = std::fs::read_to_string(root().join("docs/action.md")).unwrap();
    let examples: Vec<&str> = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 3);
    let known = action();
    for example in examples {
        let workflow = yaml(example);
        // A few steps alone.
        if workflow.is_array() {
            continue;
        }
        assert!(workflow["permissions"].is_object(), "{example}");
        for (_, job) in workflow["jobs"].as_object().unwrap() {
            for step in job["steps"].as_array().unwrap() {
                if step["uses"].as_str().is_some_and(|uses| uses.starts_with("OWNER/")) {
                    let given = step["with"].as_object().into_iter().flatten();
                    given.for_each(|(name, _)| assert!(known["inputs"][name].is_object(), "{name}"));
                }
                assert!(!step["run"].to_string().contains("${{"), "{step}");
            }
        }
    }
    for name in known["inputs"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not documented");
    }
}

/// A runner of GitHub's, as far as the action sees one: a repository with a pull request merged into its base.
struct Runner(tempfile::TempDir);

impl Runner {
    fn new() -> Self {
        let runner = Self(tempfile::tempdir().unwrap());
        let bin = runner.path("temp/tailscale-featureset/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir_all(runner.path("work")).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_tailscale-featureset"), bin.join("tailscale-featureset")).unwrap();
        runner.git("init --quiet --initial-branch=main");
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn git(&self, arguments: &str) {
        git(&self.path("work"), &arguments.split(' ').collect::<Vec<_>>());
    }

    fn commit(&self, name: &str, text: &str) {
        std::fs::write(self.path("work").join(name), text).unwrap();
        self.git("add --all");
        self.git("commit --quiet --message change");
    }

    /// Runs a script as GitHub does, with these inputs.
    fn script(&self, script: &str, environment: &BTreeMap<String, String>) -> Ran {
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(self.path("work"));
        let path = std::env::var("PATH").unwrap();
        let added = std::fs::read_to_string(self.path("path")).unwrap_or_default();
        command
            .env("PATH", format!("{}:{path}", added.lines().collect::<Vec<_>>().join(":")))
            .env("NO_COLOR", "1")
            .env_remove("CARGO_PKG_NAME");
        command.env("GITHUB_WORKSPACE", self.path("work")).env("GITHUB_ACTION_PATH", root());
        command.env("RUNNER_TEMP", self.path("temp")).envs(environment);
        command.env("HOME", self.path("temp")).env_remove("XDG_CACHE_HOME");
        for (variable, file) in
            [("GITHUB_OUTPUT", "output"), ("GITHUB_STEP_SUMMARY", "summary"), ("GITHUB_PATH", "path")]
        {
            command.env(variable, self.path(file));
        }
        finish(command)
    }

    /// Runs one step of the action with these inputs.
    fn step(&self, step: &Value, inputs: &[(&str, &str)]) -> Ran {
        let defaults = action()["inputs"].clone();
        let value = |name: &str| match inputs.iter().find(|(given, _)| *given == name) {
            Some((_, value)) => (*value).to_owned(),
            None => defaults[name]["default"].as_str().unwrap().to_owned(),
        };
        let environment = step["env"].as_object().into_iter().flatten().map(|(name, expression)| {
            let input = expression.as_str().unwrap().trim_start_matches("${{ inputs.").trim_end_matches(" }}");
            (name.clone(), value(input))
        });
        self.script(step["run"].as_str().unwrap(), &environment.collect())
    }

    /// Runs the scripts of the action one after another; returns the output and status of the last one.
    fn act(&self, inputs: &[(&str, &str)]) -> Ran {
        let (last, first) = own_steps();
        for step in first {
            let ran = self.step(&step, inputs);
            assert_eq!(ran.status, 0, "{}", ran.transcript());
        }
        self.step(&last, inputs)
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

#[test]
fn check_of_a_policy_with_errors_annotates_and_fails() {
    let runner = Runner::new();
    let policy = crate::common::policy(&[], "{ platform: linux/amd64 }");
    runner.commit("featureset.yaml", &policy);
    let ran = runner.act(&[]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{}", ran.transcript());
    assert!(runner.file("output").starts_with("digest="));
    std::fs::create_dir(runner.path("work/deep")).unwrap();
    runner.commit("deep/other.yaml", &policy.replace("  ipnbus:\n    keep:", "  ipnbus:\n    omit:"));
    let ran = runner.act(&[("policy", "deep/other.yaml"), ("deny", "warnings")]);
    assert_eq!(ran.status, 1, "{}", ran.transcript());
    assert!(ran.stdout.starts_with("::error file=deep/other.yaml,line="), "{}", ran.transcript());
}

#[test]
fn review_of_a_changed_policy_writes_page_summary_and_annotations() {
    let runner = Runner::new();
    let policy = crate::common::policy(&["portlist"], "{ platform: linux/amd64 }");
    runner.commit("featureset.yaml", &policy);
    runner.commit("featureset.yaml", &policy.replace("  portlist:\n    keep:", "  portlist:\n    omit:"));
    let ran = runner.act(&[("command", "review")]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stdout.contains("title=feature-lost"), "{}", ran.transcript());
    let page = runner.path("temp/featureset-review.md");
    assert!(runner.file("output").contains(&format!("page={}\n", page.display())));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("`portlist`"), "{page}");
    assert!(runner.file("summary").ends_with(&page), "{page}");
}

#[test]
fn audit_of_a_script_annotates_it() {
    let runner = Runner::new();
    runner.commit(
        "build.sh",
        "TAGS=ts_include_cli,ts_omit_ipnbuss\ngo build -tags \"$TAGS\" tailscale.com/cmd/tailscaled\n",
    );
    let inputs = [
        ("command", "audit"),
        ("what", "build.sh"),
        ("arguments", &format!("--release={RELEASE}\n--device\nopenwrt\n")),
    ];
    let ran = runner.act(&inputs);
    let found = "::error file=build.sh,line=1,col=21,title=misspelled-tag::`ts_omit_ipnbuss` does nothing";
    assert_eq!(ran.status, 1, "{}", ran.transcript());
    assert!(ran.stdout.contains(found), "{}", ran.transcript());
    let ran = runner.act(&[("command", "audit")]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
}

#[test]
fn action_in_a_hostile_checkout_runs_nothing_of_it() {
    let runner = Runner::new();
    runner.commit("featureset.yaml", &crate::common::policy(&[], "{ platform: linux/amd64 }"));
    let planted = Planted::new(&runner.path("work"), &runner.path("ran"));
    runner.git("add --all --force");
    runner.git("commit --quiet --message planted");
    for what in [PACKED, "target/tailscale/one/tailscaled", "registry/1.200.json"] {
        let ran = runner.act(&[("command", "audit"), ("what", what), ("arguments", &format!("--release={RELEASE}"))]);
        assert!([1, 2].contains(&ran.status), "{}", ran.transcript());
        planted.nothing_ran(what);
    }
    let tags = format!("go build -tags {TAG} tailscale.com/cmd/tailscaled\n");
    std::fs::write(runner.path("work/build.sh"), tags).unwrap();
    let ran = runner.act(&[("command", "audit"), ("what", "build.sh")]);
    assert_eq!(ran.status, 1, "{}", ran.transcript());
    assert!(ran.stdout.contains("title=misspelled-tag"), "{}", ran.transcript());
    for command in ["check", "review"] {
        runner.act(&[("command", command)]);
        planted.nothing_ran(command);
    }
}

#[test]
fn hostile_inputs_are_never_run() {
    let runner = Runner::new();
    runner.commit("featureset.yaml", &crate::common::policy(&[], "{ platform: linux/amd64 }"));
    runner.act(&[]);
    let (last, _) = own_steps();
    let hostile = ["$(touch harm)", "`touch harm`", "\"; touch harm; \"", "--help\n; touch harm", "' || touch harm #"];
    for input in action()["inputs"].as_object().unwrap().keys() {
        for text in hostile {
            for command in ["check", "review", "audit"] {
                let ran = runner.step(&last, &[(input.as_str(), text), ("command", command)]);
                assert!([0, 1, 2].contains(&ran.status), "{}", ran.transcript());
            }
        }
    }
    let work: Vec<_> =
        std::fs::read_dir(runner.path("work")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!work.iter().any(|name| name == "harm"), "{work:?}");
}

#[test]
fn action_without_a_binary_builds_it_from_source() {
    if !full() {
        return;
    }
    let runner = Runner::new();
    std::fs::remove_dir_all(runner.path("temp")).unwrap();
    std::fs::create_dir(runner.path("temp")).unwrap();
    runner.commit("featureset.yaml", &crate::common::policy(&[], "{ platform: linux/amd64 }"));
    let ran = runner.act(&[]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(runner.path("temp/tailscale-featureset/bin/tailscale-featureset").is_file());
}
