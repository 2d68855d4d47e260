//! What only an audit finds: the rules of lists that someone else wrote. They are reported with the place in that text.

use crate::finding::Severity;
use crate::rules::Rule;

/// A rule that an audit reports.
const fn rule(code: &'static str, severity: Severity, summary: &'static str, why: &'static str) -> Rule {
    Rule { code, severity, summary, why, example: None, check: None }
}

/// Sorted by code.
pub(crate) static RULES: &[Rule] = &[
    rule(
        "absent-tag",
        Severity::Warning,
        "A build tag omits a feature that this release does not have.",
        "Go ignores a tag that nothing reads: the tag did something in another release and does nothing in this one.",
    ),
    rule(
        "add-without-min",
        Severity::Warning,
        "`featuretags --add` is called without `--min`.",
        "It adds to what `--min` leaves; without that everything is in, and only `cli` makes a difference.",
    ),
    rule(
        "breaking-tag",
        Severity::Error,
        "A build tag breaks the binary, or can't be a tag.",
        "The binary panics as it starts, or can't reach a control server.",
    ),
    rule(
        "build-dist-fails",
        Severity::Error,
        "Upstream's `build_dist.sh` refuses how it is called.",
        "It takes its options first, and neither `--extra-small` nor `--box` together with TAGS.",
    ),
    rule(
        "discarded-tags",
        Severity::Warning,
        "Tags are given to Go that a later `-tags` replaces.",
        "Of several `-tags` Go takes the last one; the others silently have no effect.",
    ),
    rule(
        "environment-decides",
        Severity::Note,
        "A part of the list is taken from the environment where that has it.",
        "The audit is about what the text says where the environment says nothing.",
    ),
    rule(
        "featuretags-fails",
        Severity::Error,
        "Upstream's `featuretags` ends with an error and prints no tags.",
        "Unlike `--add`, `--remove` checks its names, and refuses to remove what another feature needs.",
    ),
    rule(
        "hardfloat-mips",
        Severity::Warning,
        "A program for MIPS is built for a floating-point unit.",
        "Most routers have none: the program ends with an illegal instruction, and one that UPX packed crashes as it starts.",
    ),
    rule(
        "idle-strip",
        Severity::Warning,
        "A tag is stripped from a list that does not hold it.",
        "It looks as if it kept a feature, and changes nothing.",
    ),
    rule(
        "ignored-argument",
        Severity::Warning,
        "`featuretags` does not look at an argument.",
        "Go's flags end at the first word that is none, and of a flag that stands twice the last one counts.",
    ),
    rule(
        "incomplete-analysis",
        Severity::Warning,
        "The analysis stopped before the end of what it was given.",
        "The work is bounded, so that hostile input ends; the audit is true of the part that was analysed.",
    ),
    rule(
        "misspelled-tag",
        Severity::Error,
        "A build tag looks like one of Tailscale's and is none.",
        "Go ignores a tag that nothing reads: what was to be left out is in, and no one notices.",
    ),
    rule(
        "no-version-stamp",
        Severity::Warning,
        "The binary does not know its version.",
        "Without the linker's stamps it calls itself a development build or ERR-BuildInfo, in the admin console too.",
    ),
    rule(
        "omitted-cli",
        Severity::Warning,
        "`ts_omit_cli` does nothing.",
        "The command line is left out of the daemon unless `ts_include_cli` brings it in.",
    ),
    rule(
        "other-program",
        Severity::Note,
        "The list builds another program than the daemon.",
        "The hazards are about the daemon; of another program only its tags, its dependencies and whether it compiles are judged.",
    ),
    rule(
        "other-system",
        Severity::Note,
        "The list is built for another system than Linux.",
        "The hazards are those of Linux; for another system only tags, dependencies and what does not compile are judged.",
    ),
    rule(
        "positive-tag",
        Severity::Warning,
        "The name of a feature stands as a build tag.",
        "Upstream's tags leave features out; a name alone is read by nothing and keeps nothing.",
    ),
    rule(
        "release-assumed",
        Severity::Warning,
        "No release is stated.",
        "What a tag line means depends on the release: features come and go with each.",
    ),
    rule(
        "repeated-tag",
        Severity::Note,
        "A tag stands twice in one list.",
        "It does no harm, but one of the two can be deleted and the other still holds.",
    ),
    rule(
        "replaced-module",
        Severity::Warning,
        "Another module or folder stood in the place of Tailscale's when the binary was built.",
        "The audit is about what upstream's release does; a fork may do otherwise.",
    ),
    rule(
        "silent-add",
        Severity::Error,
        "`featuretags --add` is given a name that it does not know.",
        "It takes any name in silence; what was to be kept is left out.",
    ),
    rule(
        "silent-fallback",
        Severity::Warning,
        "Where the program that makes the tags fails, the build goes on without them.",
        "Without tags everything is built: a binary of ten times the size, or one without the command line.",
    ),
    rule(
        "silent-upgrade",
        Severity::Note,
        "Moving to the newest known release changes what is in the binary.",
        "A list of omissions lets new features in, a list of keeps leaves them out, and neither says so.",
    ),
    rule(
        "torn-tag",
        Severity::Warning,
        "An edit of a list leaves a piece of a longer tag.",
        "A pattern that is the beginning of a longer tag hits that one too: its feature comes in, and the rest of its name is a tag that nothing reads.",
    ),
    rule(
        "unresolved-list",
        Severity::Warning,
        "A part of a list can't be resolved from the text.",
        "What the audit says is true of the part that is known; nothing is guessed.",
    ),
];
