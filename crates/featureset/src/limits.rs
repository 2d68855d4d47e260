//! The bounds of what is read of a policy and of texts that someone else wrote. Each counts entries, steps or bytes, never
//! time; what exceeds one is refused or left out, and a finding says so.

/// The most values of a policy's text. One that decides every feature has a few hundred.
pub(crate) const VALUES: usize = 60_000;

/// The most targets of a policy.
pub(crate) const TARGETS: usize = 64;

/// The most extra tags of one build. Every target without its own has them too.
pub(crate) const EXTRA_TAGS: usize = 64;

/// The most misspelled names of a policy, and of a list of tags, for which the nearest known name is looked for.
pub(crate) const SUGGESTIONS: usize = 1000;

/// The longest name, in bytes, for which the nearest known one is looked for. No feature's is longer.
pub(crate) const LONGEST_NAME: usize = 64;

/// The most tags of a list that are judged. A name in a call of `featuretags` and a tag that is stripped count as one, a call
/// itself as [`CALL`].
pub(crate) const TAGS: usize = 4096;

/// The most tags of all lists in a text.
pub(crate) const TAGS_OF_TEXT: usize = 16_384;

/// How much a call of `featuretags` counts: about as many tags as it prints.
pub(crate) const CALL: usize = 128;

/// The most lists of a text that are judged.
pub(crate) const LISTS: usize = 64;

/// The most releases that are listed where a text names several.
pub(crate) const RELEASES: usize = 8;

/// The most steps in which a text is followed. A step is a byte of text that is copied, or a word that is looked at.
pub(crate) const STEPS: usize = 600_000;

/// The most bytes of variables that are copied for branches, subshells and images.
pub(crate) const COPIES: usize = 64 << 20;

/// The most text that a variable holds, in bytes.
pub(crate) const LONGEST_VALUE: usize = 1 << 16;

/// The most ways in which a variable may have come about that are followed.
pub(crate) const ALTERNATIVES: usize = 4;

/// How deep branches, loops, functions and commands in commands are followed.
pub(crate) const DEEPEST: usize = 12;

/// The longest description of a part that is not known, in characters.
pub(crate) const LONGEST_DESCRIPTION: usize = 120;
