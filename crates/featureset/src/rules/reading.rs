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
        "too-many-entries",
        "A section has more entries than any policy needs.",
        "What is built grows with targets times tags, so both are bounded; what is beyond the bound is not read.",
        "budget: 9 MB",
        "budget: 9 MB, extra_tags: { t00: x, t01: x, t02: x, t03: x, t04: x, t05: x, t06: x, t07: x, \
         t08: x, t09: x, t10: x, t11: x, t12: x, t13: x, t14: x, t15: x, t16: x, t17: x, t18: x, t19: \
         x, t20: x, t21: x, t22: x, t23: x, t24: x, t25: x, t26: x, t27: x, t28: x, t29: x, t30: x, \
         t31: x, t32: x, t33: x, t34: x, t35: x, t36: x, t37: x, t38: x, t39: x, t40: x, t41: x, t42: \
         x, t43: x, t44: x, t45: x, t46: x, t47: x, t48: x, t49: x, t50: x, t51: x, t52: x, t53: x, \
         t54: x, t55: x, t56: x, t57: x, t58: x, t59: x, t60: x, t61: x, t62: x, t63: x, t64: x }",
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
