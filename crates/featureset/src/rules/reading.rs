//! What the reader reports: a text that does not fit the format of featureset.yaml.

use super::{Example, Rule};
use crate::finding::Severity;

const fn rule(
    code: &'static str,
    summary: &'static str,
    why: &'static str,
    from: &'static str,
    to: &'static str,
) -> Rule {
    Rule { code, severity: Severity::Error, summary, why, example: Some(Example { from, to }), check: None }
}

/// Sorted by code.
pub(super) static RULES: &[Rule] = &[
    rule(
        "duplicate-feature",
        "A feature is decided twice.",
        "YAML readers would silently take the last of the two, so a reviewer could read the other.",
        "  zz:",
        "  cli:\n    omit: No one types commands on this device.\n  zz:",
    ),
    rule(
        "duplicate-key",
        "A key stands twice in one mapping.",
        "YAML readers would silently take the last of the two, so a reviewer could read the other.",
        "go: 1.26.8",
        "go: 1.26.8\ngo: 1.26.7",
    ),
    rule(
        "invalid-budget",
        "A budget is not a size.",
        "The build compares the packed binary with it, so it must be a number of bytes.",
        "budget: 9 MB",
        "budget: 9 MiB",
    ),
    rule(
        "invalid-reference",
        "A reference can't be followed.",
        "References are the evidence behind a reason; a reviewer opens them.",
        "refs: [tailscale/tailscale#17873]",
        "refs: [see the tracker]",
    ),
    rule(
        "invalid-target-name",
        "A target has a name that can't be a folder's.",
        "The target's artefacts are kept in a folder of that name.",
        "  amd64: {",
        "  ../amd64: {",
    ),
    rule(
        "invalid-version",
        "A version is not three numbers.",
        "The registry, the toolchain and the module are looked up by the exact version.",
        "tailscale: 1.102.5",
        "tailscale: v1.102.5",
    ),
    rule(
        "malformed-yaml",
        "The text is not YAML.",
        "Nothing else can be judged before the text can be read.",
        "go: 1.26.8",
        "go: [1.26.8",
    ),
    rule(
        "missing-key",
        "A section or setting that every policy needs is missing.",
        "There is no default that would be right for every device.",
        "go: 1.26.8",
        "",
    ),
    rule(
        "two-decisions",
        "A feature is both kept and omitted.",
        "Only one of the two can go into the binary, and nothing says which was meant.",
        "    keep: People type commands",
        "    omit: No one types commands.\n    keep: People type commands",
    ),
    rule(
        "unknown-device-fact",
        "A fact about the device is not in the vocabulary.",
        "Hazards are judged against these facts; one that nothing knows would never be judged.",
        "storage: flash",
        "storage: floppy",
    ),
    rule(
        "unknown-key",
        "A key is not part of the format.",
        "A setting that nothing reads would look as if it had an effect.",
        "go: 1.26.8",
        "go: 1.26.8\ngolang: 1.26.8",
    ),
    rule(
        "unknown-platform",
        "A target's platform is not one that Go builds for Linux.",
        "The platform chooses the processor and its level; a wrong one dies with an illegal instruction.",
        "linux/amd64",
        "linux/arm",
    ),
    rule(
        "unknown-value",
        "A setting has a value that it can't have.",
        "A value that nothing reads would look as if it had an effect.",
        "inlining: none",
        "inlining: some",
    ),
    rule(
        "unsupported-yaml",
        "The text uses a part of YAML that policies don't need.",
        "Anchors, aliases, tags and second documents make a diff say something else than it shows.",
        "go: 1.26.8",
        "go: &go 1.26.8",
    ),
    rule(
        "version-as-number",
        "A version has two components, which YAML reads as a number.",
        "1.100 and 1.1 are the same number, but not the same release.",
        "tailscale: 1.102.5",
        "tailscale: 1.102",
    ),
    rule(
        "wrong-type",
        "A value has the wrong type.",
        "The value can't be used as it stands, and guessing what was meant could ship the wrong binary.",
        "go: 1.26.8",
        "go: 1.26.8\ndevice: flash",
    ),
];
