//! The table of codes: every kind of diagnostic, with its severity and the reason why it matters.

use std::fmt;

use crate::severity::Severity;

/// The part of the program that reports a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// The parser of featureset.yaml.
    Format,
    /// The rules about a policy.
    Policy,
    /// A command that compares a policy with a build or with upstream.
    Build,
    /// `audit` and `import`.
    Audit,
    /// The questions of `review`.
    Review,
    /// `image lint`.
    Image,
    /// A command that could not run: exit status 2.
    Failure,
    /// A hazard, which is data (docs/hazards.md).
    Hazard,
}

/// The documentation of a code.
struct Entry {
    code: &'static str,
    area: Area,
    severity: Severity,
    summary: &'static str,
    why: &'static str,
}

macro_rules! codes {
    ($($area:ident $about:literal { $($variant:ident $code:literal $severity:ident $summary:literal $why:literal)* })*) => {
        /// The kind of a diagnostic.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $summary] $variant,)*)*
            /// A hazard, by its id.
            Hazard(String),
        }

        impl Code {
            /// Every code except those of hazards, in the order of the table.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            /// Returns the documentation, or the id of a hazard.
            fn entry(&self) -> Result<&'static Entry, &str> {
                match self {
                    $($(Self::$variant => Ok(&Entry {
                        code: $code,
                        area: Area::$area,
                        severity: Severity::$severity,
                        summary: $summary,
                        why: $why,
                    }),)*)*
                    Self::Hazard(id) => Err(id),
                }
            }
        }

        /// The codes of each area as an enum, for matches that must cover all of them.
        pub mod area {
            use super::Code;

            $(
                #[doc = $about]
                #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
                pub enum $area {
                    $(#[doc = $summary] $variant,)*
                }

                impl $area {
                    /// Every code of the area, in the order of the table.
                    pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
                }

                impl From<$area> for Code {
                    fn from(code: $area) -> Self {
                        match code {
                            $($area::$variant => Self::$variant,)*
                        }
                    }
                }
            )*
        }
    };
}

codes! {
    Format "Errors of the parser of featureset.yaml." {
        ConflictingDecisions "conflicting-decisions" Error
            "A feature is both kept and omitted."
            "The binary can have only one of the two, and the policy does not say which."
        DuplicateFeature "duplicate-feature" Error
            "A feature is decided twice."
            "YAML readers silently use the last entry, so a reviewer could read the other one."
        DuplicateKey "duplicate-key" Error
            "A mapping has the same key twice."
            "YAML readers silently use the last entry, so a reviewer could read the other one."
        InvalidBudget "invalid-budget" Error
            "A budget is not a size."
            "The build compares the packed binary with the budget, so it must be a number of bytes."
        InvalidReference "invalid-reference" Error
            "A reference cannot be followed."
            "References are the evidence for a reason; a reviewer opens them."
        InvalidTargetName "invalid-target-name" Error
            "A target's name cannot be the name of a folder."
            "The target's artifacts are kept in a folder of that name."
        InvalidVersion "invalid-version" Error
            "A version is not three numbers."
            "Registry, toolchain and module are looked up by the exact version."
        MalformedYaml "malformed-yaml" Error
            "The text is not YAML."
            "Nothing else can be judged until the text can be read."
        MissingKey "missing-key" Error
            "A required section or setting is missing."
            "No default would be right for every device."
        TooManyEntries "too-many-entries" Error
            "A section has more entries than the format allows."
            "The work of a build grows with targets times tags, so both are limited; entries after the limit are not read."
        UnknownDeviceFact "unknown-device-fact" Error
            "A device fact is not in the vocabulary."
            "Hazards are judged by these facts; an unknown fact would have no effect."
        UnknownKey "unknown-key" Error
            "A key is not part of the format."
            "An unknown setting would look as if it had an effect."
        UnknownPlatform "unknown-platform" Error
            "A target's platform is not one that Go builds for Linux."
            "The platform selects the processor and its level; a wrong one crashes with an illegal instruction."
        UnknownValue "unknown-value" Error
            "A setting has a value that is not allowed."
            "An unknown value would look as if it had an effect."
        UnsupportedYaml "unsupported-yaml" Error
            "The text uses a part of YAML that policies do not need."
            "With anchors, aliases, tags or several documents a diff does not show what changes."
        VersionAsNumber "version-as-number" Error
            "A version has two components, which YAML reads as a number."
            "1.100 and 1.1 are the same number, but not the same release."
        WrongType "wrong-type" Error
            "A value has the wrong type."
            "The value cannot be used, and guessing its meaning could ship the wrong binary."
    }
    Policy "Rules about a policy." {
        BudgetPredicted "budget-predicted" Warning
            "A target is predicted to exceed its budget."
            "The build takes minutes; the prediction is from measured sizes and can be wrong by some percent."
        CopiedReason "copied-reason" Warning
            "Two decisions have the same reason."
            "A reason states what this feature changes on this device; a copied one does not."
        EmptyReason "empty-reason" Error
            "A decision, an extra tag or an acceptance has no reason."
            "The reason is what a reviewer reviews, and it shows the next person whether the decision still holds."
        GoTooOld "go-too-old" Error
            "The pinned Go is older than the pinned release requires."
            "The release's go.mod names the lowest Go version that builds it; older versions refuse to."
        MemoryPredicted "memory-predicted" Warning
            "A device is predicted to have too little memory for the daemon under load."
            "The kernel kills the daemon, and its connections break off; measured runs show how much memory suffices."
        OpenDependency "open-dependency" Error
            "A feature is kept, but a feature that it needs is omitted."
            "Upstream declares the dependency: without it the kept feature has no effect, crashes or does not compile."
        RedundantOverride "redundant-override" Warning
            "A target overrides a common value with the same value."
            "It reads as a difference that does not exist, and stays behind when the common value changes."
        RepeatedDescription "repeated-description" Warning
            "A reason repeats upstream's description of the feature."
            "`explain` shows the description anyway; a reason states why this device has the feature or not."
        ReservedTag "reserved-tag" Error
            "An extra build tag decides a feature, breaks the binary or is not a valid tag."
            "The features section alone decides the tag list; an extra tag would bypass the review."
        StaleDependencyReason "stale-dependency-reason" Warning
            "A feature is kept because another one needs it, but that one is not kept."
            "The reason no longer holds, so the feature may be kept without need."
        UnacceptableHazard "unacceptable-hazard" Error
            "A hazard is accepted that cannot be accepted."
            "A binary that does not compile or does not start cannot ship."
        UndecidedFeature "undecided-feature" Error
            "The pinned release has a feature that the policy does not decide."
            "An allowlist would omit it silently, even if this device depends on it."
        UnknownAcceptance "unknown-acceptance" Error
            "An acceptance names no known hazard."
            "It would look as if something were accepted, and have no effect."
        UnknownFeature "unknown-feature" Error
            "A name is not a feature of the release."
            "Go ignores unknown build tags, so a decision on this name would silently have no effect."
        UnknownGoExperiment "unknown-go-experiment" Error
            "An experiment of the Go toolchain is not known, or not for the pinned Go."
            "The daemon was tested only with the experiments that the program knows, each on some lines of Go."
        UnknownRelease "unknown-release" Warning
            "The release is not in the registry, but others of its line are."
            "The features of a line have never changed between patches, so the line's registry is used; the required Go version is not known."
        UnknownReleaseLine "unknown-release-line" Error
            "The release line is not in the registry."
            "Each line adds and removes features; no decision can be judged without its registry."
        UnneededAcceptance "unneeded-acceptance" Warning
            "An acceptance is not needed, because its hazard does not apply."
            "If the hazard returns later, it would be accepted although nobody decided so."
        UnsortedFeatures "unsorted-features" Warning
            "The features are not in alphabetical order."
            "With one order entries are easy to find, and two branches that add the same feature conflict instead of both being merged."
        UnsupportedPlatform "unsupported-platform" Error
            "A target's packer, or what its `symbols` asks for, does not support its platform."
            "The build would fail after compiling, or ship a binary that crashes at start."
        UnusedImplementationDetail "unused-implementation-detail" Warning
            "An implementation detail is kept, but no kept feature needs it."
            "Upstream calls it an implementation detail: without a feature that needs it, it only takes space."
    }
    Build "Findings of commands that compare a policy with a build or with upstream." {
        DoesNotCompile "does-not-compile" Error
            "Upstream does not compile with these decisions."
            "Upstream compiles few combinations of features; this one calls code that is omitted."
        NewerRelease "newer-release" Warning
            "Upstream has a newer stable release than the pinned one."
            "Fixes, security fixes included, reach the device only with a newer release."
        OverBudget "over-budget" Error
            "A packed binary is larger than its target's budget."
            "The budget is the room on the device's flash."
        StaleCosts "stale-costs" Error
            "A file of measured costs is out of date."
            "The figures are those of another release, toolchain or policy."
        StalePage "stale-page" Error
            "A generated page is out of date."
            "It does not match the policy and the data from which it is generated."
    }
    Audit "Findings of `audit` and `import`." {
        AbsentTag "absent-tag" Warning
            "A build tag omits a feature that this release does not have."
            "Go ignores unknown build tags: the tag had an effect in another release and has none in this one."
        AddWithoutMin "add-without-min" Warning
            "`featuretags --add` is used without `--min`."
            "`--add` adds to what `--min` keeps; without `--min` everything is kept, and only `cli` makes a difference."
        BreakingTag "breaking-tag" Error
            "A build tag breaks the binary, or is not a valid tag."
            "The binary panics at start, or cannot reach a control server."
        BuildDistFails "build-dist-fails" Error
            "Upstream's `build_dist.sh` rejects these arguments."
            "It takes its options first, and neither `--extra-small` nor `--box` together with TAGS."
        DiscardedTags "discarded-tags" Warning
            "Tags are passed to Go that a later `-tags` replaces."
            "Of several `-tags` Go takes only the last one."
        EnvironmentDecides "environment-decides" Note
            "A part of the list comes from an environment variable if that is set."
            "The audit assumes that the variable is not set."
        FeaturetagsFails "featuretags-fails" Error
            "Upstream's `featuretags` fails and prints no tags."
            "Unlike `--add`, `--remove` checks its names and refuses to remove what another feature needs."
        IgnoredArgument "ignored-argument" Warning
            "A program ignores one of its arguments."
            "Go's flags end at the first word that is not a flag, and the last one of a repeated flag wins."
        IncompleteAnalysis "incomplete-analysis" Warning
            "The analysis stopped before the end of its input."
            "The work is limited, so that hostile input ends; the audit is correct for the part that was analyzed."
        IneffectiveStrip "ineffective-strip" Warning
            "A tag is removed from a list that does not contain it."
            "It looks as if it kept a feature, and has no effect."
        MisspelledTag "misspelled-tag" Error
            "A build tag looks like one of Tailscale's and is not."
            "Go ignores unknown build tags: what was meant to be omitted is kept, and nobody notices."
        NoVersionStamp "no-version-stamp" Warning
            "The binary does not know its version."
            "Without the linker's stamps it reports a development version or ERR-BuildInfo, in the admin console too."
        OmittedCli "omitted-cli" Warning
            "`ts_omit_cli` has no effect."
            "The daemon contains the command line only with `ts_include_cli`."
        OtherProgram "other-program" Note
            "The list builds another program than the daemon."
            "The hazards are about the daemon; for another program only tags, dependencies and compilation are judged."
        OtherSystem "other-system" Note
            "The list is built for another system than Linux."
            "The hazards are those of Linux; for another system only tags, dependencies and compilation are judged."
        PositiveTag "positive-tag" Warning
            "A feature's name is used as a build tag."
            "Upstream's tags omit features; a bare name has no effect and keeps nothing."
        ReleaseAssumed "release-assumed" Warning
            "No release is stated."
            "The meaning of a tag list depends on the release: features come and go with each."
        RepeatedTag "repeated-tag" Note
            "A list contains a tag twice."
            "It does no harm, but after deleting one of them the other still applies."
        ReplacedModule "replaced-module" Warning
            "The binary was built from another module or folder in place of Tailscale's."
            "The audit describes upstream's release; a fork may behave differently."
        SilentFallback "silent-fallback" Warning
            "If the program that prints the tags fails, the build continues without them."
            "Without tags everything is built: a binary ten times as large, or one without the command line."
        SilentUpgrade "silent-upgrade" Note
            "Moving to the newest known release changes the contents of the binary."
            "A list of omitted features keeps new features, a list of kept features omits them, and neither reports it."
        TornTag "torn-tag" Warning
            "An edit of a list leaves a piece of a longer tag."
            "The feature of the longer tag is kept, and the rest of its name is a tag without effect."
        UnknownAdd "unknown-add" Error
            "`featuretags --add` is given an unknown name."
            "It silently accepts any name; the feature that was meant is omitted."
        UnresolvedList "unresolved-list" Warning
            "A part of a list cannot be determined from the text."
            "The audit is correct for the known part; nothing is guessed."
    }
    Review "Questions of `review` to the reviewer." {
        AcceptedHazard "accepted-hazard" Note
            "The policy accepts another hazard."
            "An acceptance applies to everyone who runs the binary."
        BudgetRaised "budget-raised" Note
            "A target's budget was raised."
            "The device's flash does not grow; a budget that follows the size limits nothing."
        DeviceChanged "device-changed" Note
            "A fact about the device changed."
            "Hazards are judged by the stated facts, not by the device."
        FeatureGained "feature-gained" Note
            "An omitted feature is kept."
            "A kept feature costs flash and memory, and is code that runs."
        FeatureLost "feature-lost" Note
            "A kept feature is omitted."
            "Upstream reports in few places that a feature is omitted."
        HazardGained "hazard-gained" Warning
            "A hazard applies that did not apply before."
            "These decisions cause a failure that did not exist before."
        ReasonMentions "reason-mentions" Note
            "An unchanged reason mentions a feature whose decision was inverted."
            "A reason that relies on another decision may no longer be true."
        ReasonUnchanged "reason-unchanged" Warning
            "A decision was inverted, but its reason is the same."
            "One reason cannot justify both keeping and omitting a feature."
        ReleaseChanged "release-changed" Note
            "The pinned release changed."
            "Each decision was reviewed for the old release."
        TargetRemoved "target-removed" Warning
            "A target was removed."
            "Devices of this target get no further binary."
    }
    Image "Lints of `image lint`." {
        BadConfig "bad-config" Error
            "The image configuration is not valid."
            "Without it RouterOS knows neither the platform nor the program to run."
        BadManifest "bad-manifest" Error
            "manifest.json does not name an image."
            "RouterOS reads from it which files are the configuration and the layers."
        CompressedArchive "compressed-archive" Error
            "The archive is compressed."
            "RouterOS reads only plain tar."
        CompressedLayer "compressed-layer" Error
            "A layer is compressed."
            "RouterOS fails with `error getting layer file` or `failed to load next entry`; the layer's content was not judged."
        CrlfScript "crlf-script" Error
            "The script that the container runs first has CRLF line ends."
            "Linux takes the carriage return as part of the interpreter's name: `execve: No such file or directory`."
        DiffersFromManifest "differs-from-manifest" Error
            "The binary in the image is not the one in the build's manifest or in the image's label."
            "The manifest describes a binary that was verified; this one was not."
        DuplicateFile "duplicate-file" Warning
            "Two files have the same content."
            "Both take space on flash."
        DuplicateMember "duplicate-member" Error
            "The archive contains a name more than once."
            "It is not known which of them RouterOS reads, so this verdict may be about another one."
        EntrypointMissing "entrypoint-missing" Error
            "The container's first program is missing or cannot be executed."
            "RouterOS fails with `execve: No such file or directory` or `no command specified`."
        InterpreterMissing "interpreter-missing" Error
            "The entrypoint needs an interpreter or a loader that is not in the image."
            "RouterOS ends with `execve: No such file or directory`, though the entrypoint itself is there."
        InvalidSize "invalid-size" Error
            "The archive states a length that it does not have, or has more files than an image can have."
            "It is truncated, or made to exhaust the reader's memory."
        LayerOverwrites "layer-overwrites" Warning
            "A file replaces one of an earlier layer, or lies in a folder of an earlier layer."
            "RouterOS keeps layers separate and copies such a folder; this doubled the size of an image on flash."
        MissingMember "missing-member" Error
            "manifest.json names a file that is not in the archive."
            "The archive is truncated or was assembled incorrectly."
        NoManifest "no-manifest" Error
            "The archive has no manifest.json."
            "RouterOS fails with `could not find image manifest in archive`."
        NoShell "no-shell" Warning
            "The image has no /bin/sh."
            "`/container/shell` cannot start, and that is where people type `tailscale up`."
        NotAnArchive "not-an-archive" Error
            "The file is not a tar archive, or it is damaged."
            "RouterOS reads nothing else."
        OciLayout "oci-layout" Error
            "The archive is an OCI layout."
            "RouterOS reads OCI images from a registry, not from a file."
        SeveralImages "several-images" Error
            "The archive contains more than one image."
            "RouterOS does not select one of them."
        SpecialFile "special-file" Warning
            "A layer contains a device, a pipe or a socket."
            "RouterOS provides /dev itself, and may be unable to create them."
        TrailingData "trailing-data" Error
            "The archive has data after its end."
            "A program that reads on finds files that were not judged."
        UnreadMember "unread-member" Error
            "The archive has a member of a kind that is not read, such as a sparse file."
            "Its content was not judged, and RouterOS may not read it either."
        UnsafePath "unsafe-path" Error
            "A path leads out of the folder that the archive is unpacked into."
            "A careless unpacker would overwrite files outside that folder."
        VariantMissing "variant-missing" Warning
            "The image is for 32-bit arm and states no variant."
            "Routers with an EN7562CT run only v5 and end anything newer with signal 4."
        Whiteout "whiteout" Warning
            "A layer hides a file of an earlier layer."
            "The hidden file still takes space on flash."
        WrongArchitecture "wrong-architecture" Error
            "A program is for another processor than the image."
            "It crashes at start with `signal 4` or `exec format error`."
        WrongDigest "wrong-digest" Error
            "A layer's digest differs from the configuration."
            "The archive was damaged or modified."
        WrongPlatform "wrong-platform" Error
            "The image is for another platform than expected, or for one without containers on RouterOS."
            "RouterOS has containers on arm, arm64 and x86, and each router runs only its own platform."
    }
    Failure "Reasons why a command could not run." {
        AnalysisLimit "analysis-limit" Error
            "An input needs more work than the limit."
            "Analysis is limited in memory and work."
        BenchFailed "bench-failed" Error
            "A benchmark run did not finish."
            "An incomplete run cannot be compared."
        BinaryDoesNotRun "binary-does-not-run" Error
            "The finished binary does not run."
            "A binary that was not executed is not shipped."
        BuildMismatch "build-mismatch" Error
            "The binary's build information differs from the recipe."
            "The binary would not be what the policy describes."
        CacheNotCreated "cache-not-created" Error
            "The program's cache folder cannot be created."
            "Provided tools and the record of artifacts are kept there."
        CacheNotTrusted "cache-not-trusted" Error
            "The program's cache folder belongs to somebody else, or others can write to it."
            "Programs from the cache are executed."
        ChecksumDatabaseDisabled "checksum-database-disabled" Error
            "Go's checksum database is disabled."
            "Modules and toolchains would not be verified."
        CiStepFailed "ci-step-failed" Error
            "A step of `ci` failed."
            "The step's output is shown."
        CostsDamaged "costs-damaged" Error
            "A file of costs cannot be read."
            "Costs are written by `measure` and not by hand."
        DamagedArchive "damaged-archive" Error
            "An archive is damaged."
            "The rest cannot be judged."
        DirtyTree "dirty-tree" Error
            "Files that are to be published differ from the commit."
            "A published image must be traceable to a commit."
        DiskFull "disk-full" Error
            "The disk is full."
            "A file would be incomplete."
        DraftNotPublished "draft-not-published" Error
            "A draft is to be published."
            "Reasons are missing, so nobody has reviewed the decisions."
        EntryNotEditable "entry-not-editable" Error
            "`decide` or `accept` can't write the entry into the policy."
            "The commands change one entry; every other byte stays as it is."
        FileError "file-error" Error
            "A file cannot be read or written."
            "The operating system reports the reason."
        FuzzPropertyBroken "fuzz-property-broken" Error
            "An input breaks a property of a fuzz target."
            "The property must hold for any input."
        GoFailed "go-failed" Error
            "Go cannot build a target."
            "The compiler's output is shown."
        GoMissing "go-missing" Error
            "Go is not installed and cannot be provided."
            "Every build and every registry needs Go."
        HelpersDiffer "helpers-differ" Error
            "The checked-in helpers of the entrypoint are not what their source builds to."
            "An image would contain code that nobody can read."
        InitAnswerMissing "init-answer-missing" Error
            "`init` does not know the device or its purpose."
            "The reasons differ by device and role, and without a terminal nobody can be asked."
        InitRefused "init-refused" Error
            "`init` can't write a policy without findings for these flags."
            "A new policy should be clean, and only you can decide what is missing."
        InputTooLarge "input-too-large" Error
            "An input is larger than the limit."
            "Analysis is limited in memory and work."
        InternalError "internal-error" Error
            "The program met a state that it does not expect."
            "This is a fault of the program."
        InvalidImageName "invalid-image-name" Error
            "A text is not the name of an image in a registry."
            "The image is pushed under this name."
        LoaderUnfit "loader-unfit" Error
            "A built loader cannot be used."
            "Every packed file contains a loader, which must be short and run at any address."
        LoadersDiffer "loaders-differ" Error
            "The checked-in loaders are not what their sources build to."
            "A packed file would run code that nobody can read."
        ModuleUnavailable "module-unavailable" Error
            "A module that the build needs cannot be downloaded."
            "Modules come from the Go module proxy, or from their origin."
        MutantNotBuilt "mutant-not-built" Error
            "A mutant cannot be built."
            "The check cannot be tested without it."
        NoAuthKey "no-auth-key" Error
            "No auth key is set."
            "Nobody can visit a login URL on an external control server."
        NoBuildInformation "no-build-information" Error
            "A Go program has no build information."
            "The build tags are recorded there."
        NoImage "no-image" Error
            "No target that was named has an image."
            "A target has an image if the policy or the target has an `image` section."
        NoNativeTarget "no-native-target" Error
            "No target runs natively on this machine."
            "The command runs the binary."
        NoRegistry "no-registry" Error
            "The release has no registry of features."
            "Upstream declares its features since 1.90."
        NoRepository "no-repository" Error
            "The policy is not in a Git repository."
            "The command compares with an earlier revision."
        NoRouterosPlatform "no-routeros-platform" Error
            "RouterOS has no containers on the target's platform."
            "An image would not run."
        NoScenario "no-scenario" Error
            "No scenario provokes this hazard."
            "The hazard needs something that the test network does not have."
        NoSymbols "no-symbols" Error
            "A binary's symbols cannot be read."
            "A traceback is translated with them."
        NoTailscaleFound "no-tailscale-found" Error
            "An archive contains no program with Tailscale."
            "None of its files can be audited."
        NoTemporaryFolder "no-temporary-folder" Error
            "No temporary file can be created."
            "Files are written completely before they replace others."
        NoTerminal "no-terminal" Error
            "A command that draws on a terminal has none."
            "Its keys and its screen would go to a file or to another program."
        NotAControlServer "not-a-control-server" Error
            "The URL is not a control server."
            "It does not answer as one."
        NotBuilt "not-built" Error
            "A target has no current artifact."
            "The command works on a finished build."
        NotComparable "not-comparable" Error
            "Two versions cannot be compared."
            "Both sides need one tag list."
        NotGenerated "not-generated" Error
            "A file to be written was not generated."
            "Text that somebody wrote would be lost."
        NotGo "not-go" Error
            "A program was not built by Go."
            "Tailscale is written in Go."
        NotMeasurable "not-measurable" Error
            "A variant cannot be measured."
            "The variant does not build or cannot log in."
        NotNative "not-native" Error
            "The target would run under an emulator."
            "Measurements under an emulator say nothing about a processor."
        NotPacked "not-packed" Error
            "An executable cannot be packed by execpack."
            "execpack refuses files that it does not understand."
        NotProvable "not-provable" Error
            "A compiler cannot show this hazard."
            "Only hazards that break the build can be compiled."
        NotRecorded "not-recorded" Error
            "A binary is not in the record of this user's builds."
            "Only binaries that this program built are executed."
        NotTailscale "not-tailscale" Error
            "A program does not contain Tailscale."
            "None of its modules is tailscale.com."
        NotTheRepository "not-the-repository" Error
            "The command works only in the program's own repository."
            "It writes files that are compiled into the program."
        NotUnpacked "not-unpacked" Error
            "An executable cannot be unpacked by execpack."
            "A file that was cut off or changed after packing has no known content."
        NotVerified "not-verified" Error
            "A binary that is to be published was not verified."
            "Only bytes that ran in the test network are published."
        NothingToAudit "nothing-to-audit" Error
            "The input has no tag list."
            "An audit judges tag lists."
        OutputError "output-error" Error
            "The standard output cannot be written."
            "The product of the command would be incomplete."
        PackedTwice "packed-twice" Error
            "A program is packed twice."
            "Only one layer of packing is removed."
        PackedWouldCrash "packed-would-crash" Error
            "This version of UPX would break the binary."
            "The packed binary would crash at start."
        PinNotEditable "pin-not-editable" Error
            "The pinned versions cannot be replaced in the text."
            "The command edits two values and nothing else."
        PolicyExists "policy-exists" Error
            "The output file exists."
            "Reasons that somebody wrote would be lost."
        PolicyMissing "policy-missing" Error
            "No policy was found."
            "The command works on a featureset.yaml."
        PolicyUnusable "policy-unusable" Error
            "The policy pins no known release or has no target."
            "The command needs a policy that can be built."
        ProgramNotBuilt "program-not-built" Error
            "One of our Go programs cannot be built."
            "The command runs the program."
        ProgramOutdated "program-outdated" Error
            "One of our Go programs does not compile with a release."
            "The release changed a package that the program uses."
        RegistryChanged "registry-changed" Error
            "A release differs from its line's registry."
            "All patches of a line have had the same features."
        RegistryContradicts "registry-contradicts" Error
            "A registry file contradicts the built-in registry."
            "The features of a line never changed between its patches."
        RegistryDamaged "registry-damaged" Error
            "A registry file cannot be read."
            "Registries are generated and not edited."
        RegistryRefused "registry-refused" Error
            "A registry of images refuses an image or does not answer."
            "The registry's message is shown."
        ReleaseUnavailable "release-unavailable" Error
            "A release cannot be downloaded."
            "The module comes from the Go module proxy."
        ReleasesUnavailable "releases-unavailable" Error
            "Upstream's releases cannot be listed."
            "The list comes from the Go module proxy."
        RewriteFailed "rewrite-failed" Error
            "The function table cannot be rewritten."
            "The rewrite refuses what it does not understand."
        ScriptRefused "script-refused" Error
            "A value cannot be used in a RouterOS script."
            "The script would do something else."
        SeveralLists "several-lists" Error
            "The input has several tag lists."
            "A policy is made of one list."
        SeveralTargets "several-targets" Error
            "The policy has several targets, and the command works on one."
            "The command cannot choose."
        ShellChanged "shell-changed" Error
            "The shell's package is not the pinned one."
            "Only the pinned bytes are shipped."
        ShellMissing "shell-missing" Error
            "The image's shell cannot be provided."
            "People log in through it."
        ShellUnfit "shell-unfit" Error
            "A program cannot be the image's shell."
            "The image has no libraries and one processor."
        SkopeoMissing "skopeo-missing" Error
            "skopeo is not installed."
            "It pushes images to registries."
        TagExists "tag-exists" Error
            "A tag that must not move exists with another image."
            "A tag that people install from must keep its meaning."
        ToolFailed "tool-failed" Error
            "A program failed."
            "Its error output is shown."
        ToolNotStarted "tool-not-started" Error
            "A program cannot be started."
            "The operating system reports the reason."
        Truncated "truncated" Error
            "A file ends before its stated length."
            "The rest cannot be judged."
        UnknownCheck "unknown-check" Error
            "No check has this name."
            "`verify --list` shows every check."
        UnknownFormat "unknown-format" Error
            "A file's signature is not known."
            "Programs, packages, images and recipes can be read."
        UnknownHazard "unknown-hazard" Error
            "No hazard has this name."
            "Hazards are listed in docs/hazards.md."
        UnknownList "unknown-list" Error
            "The input has no tag list at this line."
            "The lists are named by their lines."
        UnknownRevision "unknown-revision" Error
            "Git does not know a revision."
            "The command compares with that revision."
        UnknownTarget "unknown-target" Error
            "The policy has no such target."
            "Targets are named in the policy's `targets` section."
        UnreadableRevision "unreadable-revision" Error
            "Git cannot read the policy of a revision."
            "A failure of Git does not mean that the revision lacks a policy."
        UnresolvedImport "unresolved-import" Error
            "The tag list cannot be determined completely."
            "A policy decides every feature, and nothing is guessed."
        UnsupportedFormat "unsupported-format" Error
            "A file's format is known, but cannot be read."
            "The file must be converted first."
        UpxFailed "upx-failed" Error
            "UPX cannot unpack a program."
            "The program inside cannot be examined."
        UpxMissing "upx-missing" Error
            "A suitable UPX is not installed and cannot be provided."
            "The policy packs its binaries with UPX."
    }
}

impl Code {
    /// Returns the code in kebab case, such as `undecided-feature`, or the id of the hazard.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.entry().map_or_else(|id| id, |entry| entry.code)
    }

    /// Returns the part of the program that reports it.
    #[must_use]
    pub fn area(&self) -> Area {
        self.entry().map_or(Area::Hazard, |entry| entry.area)
    }

    /// Returns the usual severity. That of a hazard follows from its effect, so an error is assumed for it here.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.entry().map_or(Severity::Error, |entry| entry.severity)
    }

    /// Returns what it reports, in one sentence; empty for a hazard.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.entry().map_or("", |entry| entry.summary)
    }

    /// Returns why it matters, in one or two sentences; empty for a hazard.
    #[must_use]
    pub fn why(&self) -> &'static str {
        self.entry().map_or("", |entry| entry.why)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_in_kebab_case() {
        let codes: BTreeSet<&str> = Code::ALL.iter().map(Code::as_str).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        for code in codes {
            assert!(!code.is_empty() && code.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{code}");
        }
    }

    #[test]
    fn codes_are_sorted_within_their_area() {
        assert!(Code::ALL.is_sorted_by_key(|code| (code.area() as u8, code.as_str().to_owned())));
    }

    #[test]
    fn hazard_code_is_its_id() {
        let code = Code::Hazard("ipnbus-up".to_owned());
        assert_eq!((code.as_str(), code.area()), ("ipnbus-up", Area::Hazard));
    }
}
