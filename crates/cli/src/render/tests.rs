//! Output for one policy with several findings, in every format.

use super::*;
use diagnostics::Code;
use featureset::policy::read;
use featureset::rules::judge;
use featureset::upstream_data::UpstreamData;

const POLICY: &str = "\
tailscale: 1.102
go: 1.26.8
targets:
  arm64: { platform: linux/arm64, budget: huge }
features:
  dns:
    keep: >-
      Resolves names: “ä”
      for everyone.
    refs: [nowhere]
  dns:
    omit: Twice.
";

fn judged() -> Vec<Diagnostic> {
    judge(POLICY, &read(POLICY), UpstreamData::embedded())
}

#[test]
fn for_people() {
    let findings = judged();
    let name = "featureset.yaml";
    let found =
        Found { name, file: Some(name), has_places: true, text: POLICY, findings: &findings, expanded_by: None };
    let text = anstream::adapter::strip_str(&human::findings(&found, &diagnostics::groups(&findings))).to_string();
    insta::assert_snapshot!(text);
}

#[test]
fn for_programs() {
    insta::assert_snapshot!(format!("{:#}", json::findings("featureset.yaml", POLICY, &judged())));
}

#[test]
fn for_github() {
    let findings = judged();
    let name = "a,b:c.yaml";
    let found =
        Found { name, file: Some(name), has_places: true, text: POLICY, findings: &findings, expanded_by: None };
    insta::assert_snapshot!(github::findings(&found));
}

#[test]
fn failure_in_every_format() {
    let failure =
        Diagnostic::failure(Code::ToolNotStarted, "there is no Go", "looked on the PATH\nand below", "Install it.");
    let text = anstream::adapter::strip_str(&human::failure(&failure)).to_string();
    insta::assert_snapshot!([text, format!("{:#}", json::failure(&failure)), github::failure(&failure)].join("\n"));
}

#[test]
fn findings_that_differ_in_the_feature_are_one() {
    let policy = "\
tailscale: 1.102.5
go: 1.26.8
device: { profile: container }
targets:
  arm64: { platform: linux/arm64 }
features:
  ace:
    keep:
  acme:
    omit: TODO
  aws:
    keep: Instances of this fleet read their names.
  dns:
    omit:
";
    let findings = judge(policy, &read(policy), UpstreamData::embedded());
    let name = "featureset.yaml";
    let found =
        Found { name, file: Some(name), has_places: true, text: policy, findings: &findings, expanded_by: None };
    let text = human::findings(&found, &diagnostics::groups(&findings));
    let text = anstream::adapter::strip_str(&text).to_string().replace(&crate::invocation::program(), "PROGRAM");
    insta::assert_snapshot!(text);
}
