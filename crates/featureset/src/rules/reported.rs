//! What only commands find that look at more than the policy: `build-tailscale` and `bump` report it, at the place in
//! the policy that it comes from.

use super::Rule;
use crate::finding::Severity;

/// Sorted by code.
pub(super) static RULES: &[Rule] = &[
    Rule {
        code: "does-not-compile",
        severity: Severity::Error,
        summary: "Upstream's code does not compile with these decisions.",
        why: "Upstream compiles a few combinations of features only; this one calls code that is left out.",
        example: None,
        check: None,
    },
    Rule {
        code: "newer-release",
        severity: Severity::Warning,
        summary: "Upstream has a stable release that is newer than the pinned one.",
        why: "What upstream mends, faults of security too, reaches the device with a newer release alone.",
        example: None,
        check: None,
    },
    Rule {
        code: "over-budget",
        severity: Severity::Error,
        summary: "A packed binary weighs more than its target's budget.",
        why: "The budget is what the device's flash has room for.",
        example: None,
        check: None,
    },
];
