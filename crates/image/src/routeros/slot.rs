//! The two places of a container on a router: an update puts the new one into the place that the old one does not use.

/// A place: a root directory, a state directory and a list of mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    /// The place of the first installation.
    A,
    /// The other place.
    B,
}

impl Slot {
    /// Both places.
    pub(super) const ALL: [Self; 2] = [Self::A, Self::B];

    /// The end of its paths and names. The first place has none.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::A => "",
            Self::B => "-b",
        }
    }

    /// Its letter.
    pub(super) fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The other place.
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}
