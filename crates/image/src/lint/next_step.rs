//! The next step of each lint.

use diagnostics::NextStep;
use diagnostics::area::Image;

/// Returns what to do about a finding of a lint.
#[must_use]
pub fn next_step(lint: Image) -> NextStep {
    match lint {
        Image::BadConfig
        | Image::BadManifest
        | Image::InvalidSize
        | Image::MissingMember
        | Image::NotAnArchive
        | Image::WrongDigest => "Fetch or build it again.".into(),
        Image::CompressedArchive => "Unpack it: `gunzip FILE`.".into(),
        Image::CompressedLayer | Image::NoManifest | Image::OciLayout => {
            "Convert it: `skopeo copy … docker-archive:FILE` writes the format that RouterOS reads.".into()
        }
        Image::CrlfScript => {
            "Convert the script to LF line ends, and keep Git from changing them with `*.sh text eol=lf` in .gitattributes."
                .into()
        }
        Image::DiffersFromManifest => NextStep::new("Build it again with ").command("image").text("."),
        Image::EntrypointMissing => {
            "Set the entrypoint to a program of the image, or pass `entrypoint=` on the router.".into()
        }
        Image::DuplicateFile => "Make one of them a symbolic link.".into(),
        Image::WrongArchitecture => "Build it for the platform of the image: GOARM=5 for arm v5.".into(),
        Image::InterpreterMissing => {
            "Put the interpreter into the image, or link the program statically: for Go, with CGO_ENABLED=0.".into()
        }
        Image::LayerOverwrites | Image::Whiteout => "Assemble the root in one layer.".into(),
        Image::DuplicateMember | Image::TrailingData | Image::UnsafePath => {
            "Do not load it; find out where it comes from.".into()
        }
        Image::NoShell => "Set `image: { shell: mksh }`.".into(),
        Image::SeveralImages => {
            "Write an archive of one platform: `skopeo copy --override-arch … docker-archive:FILE`.".into()
        }
        Image::SpecialFile => "Remove it.".into(),
        Image::UnreadMember => "Create the archive without it: `tar --format=ustar` without `--sparse`.".into(),
        Image::VariantMissing => "Set the variant to v5 or v7.".into(),
        Image::WrongPlatform => "Use the image for the router's platform, which `/system/resource/print` shows.".into(),
    }
}
