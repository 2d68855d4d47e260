//! SARIF logs: every command that offers the format prints a log that the standard's own schema accepts.

use clap::CommandFactory;
use jsonschema::Validator;
use serde_json::Value;
use tailscale_featureset::cli::Cli;

use crate::common::fake_go::Project;
use crate::common::git::git;
use crate::common::{RELEASE, Ran, finish, policy, root, run};

/// The commands that offer SARIF.
const COMMANDS: [&str; 4] = ["check", "audit", "review", "bump"];

/// The JSON schema of SARIF 2.1.0.
fn schema() -> Validator {
    let text = std::fs::read_to_string(root().join("tests/schemas/sarif-2.1.0.json")).unwrap();
    // The standard's expression for languages has a stray bracket, which makes it invalid.
    let schema: Value =
        serde_json::from_str(&text.replace("{2}]?$", "{2})?$").replace("{2}|^[a-zA-Z]{2}-", "{2}(-")).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// Returns the run of a log, which the schema must accept and whose results must refer to its rules.
fn valid_run(schema: &Validator, ran: &Ran) -> Value {
    let log: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.transcript()));
    let errors: Vec<String> =
        schema.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{log:#}");
    let run = log["runs"][0].clone();
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        for location in result["locations"].as_array().unwrap() {
            let region = &location["physicalLocation"]["region"];
            let position =
                |line: &str, column: &str| (region[line].as_u64().unwrap(), region[column].as_u64().unwrap());
            assert!(position("startLine", "startColumn") <= position("endLine", "endColumn"), "{region}");
        }
    }
    run
}

#[test]
fn sarif_is_offered_by_the_commands_of_this_module_only() {
    let offers = |command: &&mut clap::Command| {
        let mut values = command.get_arguments().flat_map(clap::Arg::get_possible_values);
        values.any(|value| value.get_name() == "sarif")
    };
    let mut cli = Cli::command();
    let offering: Vec<String> =
        cli.get_subcommands_mut().filter(offers).map(|command| command.get_name().to_owned()).collect();
    let mut expected = COMMANDS.map(str::to_owned);
    expected.sort();
    let mut offering = offering;
    offering.sort();
    assert_eq!(offering, expected);
}

#[test]
fn sarif_of_findings_is_valid() {
    let schema = schema();
    let text = policy(&["cli"], "{ platform: linux/amd64 }");
    let project = Project::with_policy(&text.replace("This device decides on ace.", "This device decides on acme."));
    project.go("no network");
    project.write("releases.json", "{\"Versions\": [\"v1.102.5\", \"v9.8.2\"]}");
    git(project.path(), &["init", "--quiet", "--initial-branch=main"]);
    git(project.path(), &["add", "featureset.yaml"]);
    git(project.path(), &["commit", "--quiet", "--message=base"]);
    project.write("featureset.yaml", text.replace("  bird:\n    omit:", "  bird:\n    keep:"));
    let arguments: [&[&str]; 4] = [
        &["check", "--notes"],
        &["audit", "--tags", "ts_omit_serv,ts_omit_dns", "--release", RELEASE],
        &["review", "--base", "HEAD"],
        &["bump", "--check"],
    ];
    for (command, arguments) in COMMANDS.into_iter().zip(arguments) {
        assert_eq!(arguments[0], command);
        let run = valid_run(&schema, &finish(project.command(&[arguments, &["--format", "sarif"]].concat())));
        assert_eq!(run["invocations"][0]["executionSuccessful"], true, "{command}");
        assert!(!run["results"].as_array().unwrap().is_empty(), "{command}: {run:#}");
    }
}

#[test]
fn sarif_of_failures_is_valid() {
    let schema = schema();
    let folder = tempfile::tempdir().unwrap();
    let arguments: [&[&str]; 4] =
        [&["check"], &["audit", "missing"], &["review", "--base", "HEAD"], &["bump", "--check"]];
    for arguments in arguments {
        let ran = run(folder.path(), &[arguments, &["--format", "sarif"]].concat());
        assert_eq!(ran.status, 2, "{}", ran.transcript());
        assert_eq!(valid_run(&schema, &ran)["invocations"][0]["executionSuccessful"], false);
    }
}

#[test]
fn sarif_of_recipes_is_valid() {
    let schema = schema();
    let recipes = root().join("tests/recipes");
    for recipe in ["small-openwrt.sh", "misspelled.sh", "release.yml", "Makefile.package"] {
        let run = valid_run(&schema, &run(&recipes, &["audit", recipe, "--format", "sarif"]));
        assert!(run["results"].as_array().unwrap().len() > 3, "{recipe}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(recipes.join("package.nix"), folder.path().join("mein paket ä.nix")).unwrap();
    let odd = run(folder.path(), &["audit", "mein paket ä.nix", "--format", "sarif"]);
    valid_run(&schema, &odd);
    insta::assert_snapshot!(odd.stdout);
    let line = run(folder.path(), &["audit", "--tags", "ts_omit_serv", "--format", "sarif"]);
    let line = valid_run(&schema, &line);
    assert_eq!(line["results"][0]["locations"].as_array().unwrap().len(), 0, "a tag line is in no file");
}

#[test]
fn sarif_of_other_commands_is_refused() {
    let project = Project::new();
    let mut refusals = Vec::new();
    for arguments in [
        &["build-tailscale", "--dry-run"][..],
        &["image"],
        &["tags"],
        &["list"],
        &["explain", "dns"],
        &["docs", "--check"],
        &["bump", RELEASE],
    ] {
        let ran = run(project.path(), &[arguments, &["--format", "sarif"]].concat());
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
        refusals.push(ran.stderr);
    }
    insta::assert_snapshot!(refusals[0]);
}
