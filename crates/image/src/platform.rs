//! The platforms on which RouterOS runs containers.

use std::fmt;

/// A platform, with the names of container images.
///
/// RouterOS supports containers only on arm, arm64 and x86 (documentation of `/container`). On arm the variant
/// matters: the EN7562CT of the hEX Refresh and similar routers runs only `v5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    /// x86-64.
    Amd64,
    /// 64-bit ARM.
    Arm64,
    /// 32-bit ARM without floating point.
    ArmV5,
    /// 32-bit ARM with VFPv3.
    ArmV7,
}

impl Platform {
    /// Every platform, in the order of their names.
    pub const ALL: [Self; 4] = [Self::Amd64, Self::Arm64, Self::ArmV5, Self::ArmV7];

    /// Returns the platform with a name such as `linux/arm/v7`.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name() == name)
    }

    /// Returns the name, such as `linux/arm/v7`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "linux/amd64",
            Self::Arm64 => "linux/arm64",
            Self::ArmV5 => "linux/arm/v5",
            Self::ArmV7 => "linux/arm/v7",
        }
    }

    /// Returns the `architecture` of an image's configuration, which equals `GOARCH`.
    #[must_use]
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::ArmV5 | Self::ArmV7 => "arm",
        }
    }

    /// Returns the `variant` of an image's configuration; only 32-bit ARM has one.
    #[must_use]
    pub fn variant(self) -> Option<&'static str> {
        match self {
            Self::Amd64 | Self::Arm64 => None,
            Self::ArmV5 => Some("v5"),
            Self::ArmV7 => Some("v7"),
        }
    }

    /// Returns the Debian architecture whose programs run on it.
    #[must_use]
    pub fn debian(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::ArmV5 => "armel",
            Self::ArmV7 => "armhf",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_architecture_and_variant() {
        for platform in Platform::ALL {
            let parts: Vec<&str> = ["linux", platform.architecture()].into_iter().chain(platform.variant()).collect();
            assert_eq!(parts.join("/"), platform.name());
            assert_eq!(Platform::find(platform.name()), Some(platform));
        }
        assert_eq!(Platform::find("linux/mipsle/softfloat"), None);
    }
}
