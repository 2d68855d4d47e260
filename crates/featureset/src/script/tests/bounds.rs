//! Small texts that make much work: they are followed so far, and that is reported.

use super::*;
use crate::limits::{CALL, RELEASES};

#[test]
fn an_analysis_that_stops_early_says_so() {
    let nested = |depth: usize, inner: &str| format!("{}{inner}{}", "if a; then\n".repeat(depth), "fi\n".repeat(depth));
    let build = "T=ts_omit_aws\ngo build -tags \"$T\" ./cmd/tailscaled\n";
    let deep = follow("a.sh", &format!("{}{build}", nested(13, "x\n")));
    assert_eq!((deep.lists.len(), deep.stopped), (0, Some("it nests deeper than is followed")));
    assert_eq!(follow("a.sh", &format!("{}{build}", nested(12, "x\n"))).stopped, None);
    // A list before the place where it stopped is known, and one after it may be missing.
    let before = format!("{build}{}", nested(13, "x\n"));
    assert_eq!(audits("a.sh", &before).iter().map(|audit| audit.complete).collect::<Vec<_>>(), [true]);
    assert!(codes("a.sh", &before).contains(&"incomplete-analysis".to_owned()));
    let sed = "|sed s/ts_omit_aws//".repeat(4000);
    for (name, text) in [
        ("a.sh", format!("T=$(echo ts_include_cli,ts_omit_aws{sed})\ngo build -tags $T ./cmd/tailscaled")),
        ("a.sh", format!("{build}{}", "A=$B$B\n".repeat(100_000))),
        ("a.sh", (0..100).map(|n| format!("go build -tags ts_omit_aws,x{n} ./cmd/tailscaled\n")).collect()),
        ("a.json", "{\"tags\": [\"ts_omit_aws\"]}\n".repeat(LISTS + 1)),
        ("a.sh", format!("f() {{ f; }}\nf\n{build}")),
    ] {
        assert!(follow(name, &text).stopped.is_some(), "{}", &text[..60]);
        assert!(codes(name, &text).contains(&"incomplete-analysis".to_owned()), "{}", &text[..60]);
    }
}

#[test]
fn what_is_judged_of_a_text_is_bounded() {
    let tags = |count: usize| (0..count).map(|n| format!("ts_omit_zz{n}")).collect::<Vec<_>>().join(",");
    let judged = |text: &str| audits("a.sh", text).iter().map(|audit| audit.tags.len()).collect::<Vec<_>>();
    let one = format!("go build -tags \"{}\" ./cmd/tailscaled\n", tags(10_000));
    assert_eq!(judged(&one), [TAGS]);
    assert!(codes("a.sh", &one).contains(&"incomplete-analysis".to_owned()));
    // All lists together are bounded too.
    let many: String = (0..20).map(|n| format!("go build -tags x{n},{} ./cmd/tailscaled\n", tags(1000))).collect();
    assert!(judged(&many).iter().sum::<usize>() <= TAGS_OF_TEXT);
    let calls = format!("go build -tags \"{}\" ./cmd/tailscaled", "$(featuretags --min)".repeat(100));
    assert!(read("a.sh", &calls)[0].parts.len() <= TAGS / CALL + 1);
    let releases: String = (0..1000).map(|n| format!("# x\nTAILSCALE_VERSION=1.98.{n}\n")).collect();
    let found = audits("a.sh", &format!("{releases}go build -tags ts_omit_aws ./cmd/tailscaled"));
    let assumed = found[0].findings.iter().find(|finding| finding.message.contains("several releases")).unwrap();
    assert!(assumed.message.ends_with("1.98.7 and 992 more") && assumed.related.len() == RELEASES - 1, "{assumed:?}");
}

/// A value counts as at least its text, so the bound on steps is a bound on memory.
#[test]
fn no_value_weighs_less_than_its_text() {
    let long = "x".repeat(400_000);
    for text in [
        format!("A=\"${{{{ {long} }}}}\"\n{}", "B=$B$A\n".repeat(3000)),
        format!("A=\"${{{long}:-x}}\"\n{}", "B=$B$A\n".repeat(3000)),
        format!("A=$(featuretags --min --add={long})\n{}", "B=$B$A\n".repeat(3000)),
        format!("echo {long}{{{}}}\n", ",".repeat(100_000)),
    ] {
        let mut flow = flow::Flow::new(&text, sections::Kind::Shell);
        sections::of(sections::Kind::Shell, &text).iter().for_each(|section| flow.follow(section));
        let held: usize = flow.variables.values().flatten().map(value::Value::size).sum();
        assert!(held < 4 << 20, "{held} bytes for {}", &text[..20]);
    }
    let stages: String = (0..20).map(|n| format!("FROM s{n} AS s{}\nENV B{n}={}\n", n + 1, "b".repeat(4000))).collect();
    let stages = format!("FROM x AS s0\nENV A={}\n{stages}", "a".repeat(60_000));
    assert!(follow("Dockerfile", &stages).stopped.is_none());
    let many: String = (0..20_000).map(|n| format!("FROM s{n} AS s{}\n", n + 1)).collect();
    let many = format!("FROM x AS s0\nENV A={}\n{many}", "a".repeat(60_000));
    assert!(follow("Dockerfile", &many).stopped.is_some());
}
