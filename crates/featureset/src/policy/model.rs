//! The values that a featureset.yaml decides.

use std::collections::BTreeMap;
use std::fmt;

use super::device::Device;
use crate::name::FeatureName;
use crate::platform::{Platform, Upx};
use crate::release::{GoVersion, Release};

/// The content of a featureset.yaml.
///
/// A file with findings is read as far as it goes: what could not be read is absent or has its default,
/// and the findings say so.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policy {
    /// The release that the decisions were reviewed against.
    pub tailscale: Option<Release>,
    /// The Go toolchain that builds it.
    pub go: Option<GoVersion>,
    /// Where the binary will run.
    pub device: Device,
    /// How every target is built unless it says otherwise.
    pub build: Build,
    /// The content of the container images in addition to the binary; `None` if the policy has no `image` section.
    pub image: Option<Image>,
    /// The binaries to make.
    pub targets: BTreeMap<String, Target>,
    /// Hazards that apply and are lived with, by id, each with its reason.
    pub accepted: BTreeMap<String, String>,
    /// The decision on each feature.
    pub features: BTreeMap<FeatureName, Decision>,
}

/// The decision on one feature: it is its reason, so that neither exists without the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Kept or omitted.
    pub verdict: Verdict,
    /// Why: what it changes on this device.
    pub reason: String,
    /// References: `owner/repo#123`, `owner/repo@commit` or a URL.
    pub refs: Vec<String>,
}

/// Kept or omitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The feature is in the binary.
    Keep,
    /// The feature is left out.
    Omit,
}

/// How a binary is built.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Build {
    /// How much the compiler inlines.
    pub inlining: Inlining,
    /// The symbols that a traceback can name.
    pub symbols: Symbols,
    /// Whether the binary is packed. A target without a setting has [`Pack::default_for`].
    pub pack: Pack,
    /// Build tags other than those of the features, each with its reason.
    pub extra_tags: BTreeMap<String, String>,
    /// Experiments of the Go toolchain (`GOEXPERIMENT`), each with its reason.
    pub go_experiments: BTreeMap<String, String>,
}

/// One binary.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The processor it runs on.
    pub platform: &'static Platform,
    /// The largest permitted size of the packed binary, in bytes.
    pub budget: Option<u64>,
    /// Its device, if it is not the common one.
    pub device: Option<Device>,
    /// How it is built: the policy's build settings with the target's own in their place.
    pub build: Build,
    /// The content of its image: the policy's with the target's own settings in their place; `None` if it has no image.
    pub image: Option<Image>,
    /// Its acceptances, in addition to the common ones.
    pub accepted: BTreeMap<String, String>,
    /// Its decisions that replace common ones.
    pub features: BTreeMap<FeatureName, Decision>,
}

/// The content of the image in addition to the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Image {
    /// The shell.
    pub shell: Shell,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// The words that the file may use, in order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The value that a word stands for.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            /// The word that stands for the value.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

words! {
    /// How much the compiler inlines: speed against size.
    Inlining {
        /// As Go does by itself.
        #[default]
        Full = "full",
        /// Only in the packages that carry traffic.
        HotPaths = "hot-paths",
        /// Nowhere (`-gcflags=all=-l`).
        None = "none",
    }
}

words! {
    /// The symbols that a traceback of the shipped binary can name.
    Symbols {
        /// Everything, as linked with `-s -w`.
        #[default]
        All = "all",
        /// Functions, without files and lines.
        Functions = "functions",
        /// Nothing.
        None = "none",
    }
}

words! {
    /// Whether the binary is packed: flash against memory.
    Pack {
        /// With execpack, this project's own packer.
        #[default]
        Execpack = "execpack",
        /// With UPX.
        Upx = "upx",
        /// Not at all.
        None = "none",
    }
}

words! {
    /// The shell in the image.
    Shell {
        /// MirBSD's Korn shell.
        #[default]
        Mksh = "mksh",
        /// Busybox and its applets.
        Busybox = "busybox",
        /// No shell.
        None = "none",
    }
}

impl Image {
    /// Returns the facts of a container of the image, sorted. A device that states another value has a changed image.
    #[must_use]
    pub fn facts(self) -> [(&'static str, &'static str); 4] {
        // A shell runs the entrypoint, which sets the limit.
        let heap_limit = if self.shell == Shell::None { "absent" } else { "present" };
        [("ca_certificates", "absent"), ("heap_limit", heap_limit), ("init", "none"), ("users", "absent")]
    }
}

impl Pack {
    /// Returns the packer of a target that sets none: execpack where it has run, else UPX if it supports the platform.
    #[must_use]
    pub fn default_for(platform: &Platform) -> Self {
        match platform.upx {
            _ if platform.has_run_execpack() => Self::Execpack,
            Upx::Packs => Self::Upx,
            Upx::Refuses(_) => Self::None,
        }
    }

    /// Returns the reason why a binary for the platform can't be packed so.
    #[must_use]
    pub fn refusal(self, platform: &Platform) -> Option<&'static str> {
        match (self, platform.upx) {
            (Self::Upx, Upx::Refuses(reason)) => Some(reason),
            (Self::Execpack, _) if !platform.has_execpack_loader() => {
                Some("execpack lacks a loader for this architecture")
            }
            _ => None,
        }
    }
}

impl Symbols {
    /// Returns the reason why the function table of a binary for the platform can't be rewritten so.
    #[must_use]
    pub fn refusal(self, platform: &Platform) -> Option<&'static str> {
        let needs_rewrite = self != Self::All;
        (needs_rewrite && platform.is_big_endian())
            .then_some("the function table of a big-endian binary can't be rewritten")
    }
}

impl Verdict {
    /// The key that says it in the file: `keep` or `omit`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Omit => "omit",
        }
    }

    /// As a participle, for sentences: `kept` or `omitted`.
    #[must_use]
    pub fn participle(self) -> &'static str {
        match self {
            Self::Keep => "kept",
            Self::Omit => "omitted",
        }
    }
}

impl Policy {
    /// Decides a feature on every target, without a reason, to see what would follow.
    pub fn suppose(&mut self, name: FeatureName, verdict: Verdict) {
        for target in self.targets.values_mut() {
            target.features.remove(&name);
        }
        self.features.insert(name, Decision { verdict, reason: String::new(), refs: Vec::new() });
    }
}
