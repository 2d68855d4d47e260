//! The bounds of what is read of a policy and of texts that someone else wrote. Each counts entries, steps or bytes, never
//! time; what exceeds one is refused or left out, and a finding says so.

/// The most targets of a policy.
pub(crate) const TARGETS: usize = 64;

/// The most extra tags of one build. Every target without its own has them too.
pub(crate) const EXTRA_TAGS: usize = 64;

/// The most misspelled names of a policy, and of a list of tags, for which the nearest known name is looked for.
pub(crate) const SUGGESTIONS: usize = 1000;

/// The longest name, in bytes, for which the nearest known one is looked for. No feature's is longer.
pub(crate) const LONGEST_NAME: usize = 64;

/// The shortest beginning of a name that is completed to it.
pub(crate) const SHORTEST_PREFIX: usize = 3;

/// The most tags of a list that are judged.
pub(crate) const TAGS: usize = 4096;

/// The most tags of all lists in a text.
pub(crate) const TAGS_OF_TEXT: usize = 16_384;

/// The most releases that are listed where a text names several.
pub(crate) const RELEASES: usize = 8;
