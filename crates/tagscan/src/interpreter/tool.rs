//! Recognizers of the programs that make and use tags: Go, upstream's `featuretags` and `build_dist.sh`.

use spanned_yaml::Span;

use super::{Interpreter, State, is_tag};
use crate::model::{Fact, List, Note, Program, Stamp, Unknown, Word};
use crate::value::Value;

/// Flags of `go build` that take a value. Source: `go help build`, Go 1.26.
const WITH_VALUE: [&str; 22] = [
    "C",
    "p",
    "o",
    "asmflags",
    "buildmode",
    "buildvcs",
    "compiler",
    "covermode",
    "coverpkg",
    "gccgoflags",
    "gcflags",
    "installsuffix",
    "ldflags",
    "mod",
    "modfile",
    "overlay",
    "pgo",
    "pkgdir",
    "tags",
    "toolexec",
    "exec",
    "target",
];

/// Flags of `go build` without a value.
const SWITCHES: [&str; 19] = [
    "a",
    "n",
    "v",
    "x",
    "race",
    "msan",
    "asan",
    "cover",
    "work",
    "json",
    "linkshared",
    "modcacherw",
    "trimpath",
    "i",
    "deps",
    "m",
    "u",
    "t",
    "buildvcs",
];

impl Interpreter<'_> {
    /// Whether a word is Go: `go`, a path to it, or a variable for it that is not set here.
    pub(crate) fn is_go(&self, word: &Value) -> bool {
        if let Some(name) = self.variable_of(word) {
            return name == "GO"
                || name.starts_with("GO_")
                || name.ends_with("_GO")
                || name == "GOCMD"
                || name == "GOEXE";
        }
        let text = word.text();
        let base = text.rsplit('/').next().unwrap_or_default();
        base == "go"
            || base == "xgo"
            || base.strip_prefix("go1.").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    }

    pub(crate) fn go(&mut self, arguments: &[Value], span: Span, mut state: State) -> State {
        let mut arguments = arguments;
        if arguments.first().is_some_and(|word| word.text() == "-C") {
            let folder = arguments.get(1).and_then(|word| word.known()).map(str::to_owned);
            state.folder = folder.map(|to| super::files::located(&to, &state.folder)).unwrap_or_default();
            arguments = arguments.get(2..).unwrap_or_default();
        }
        let Some((subcommand, rest)) = arguments.split_first() else { return state };
        self.note_modules(rest, span, &mut state);
        match subcommand.known() {
            Some("build" | "install") => self.go_build(rest, span, &mut state),
            Some("run") => return self.go_run(rest, span, state),
            Some("tool") if rest.first().is_some_and(|word| word.text() == "featuretags") => {
                return self.featuretags(rest.get(1..).unwrap_or_default(), None, span, state);
            }
            Some("env") if rest.first().is_some_and(|word| matches!(word.text(), "GOOS" | "GOHOSTOS")) => {
                state.output.push_made("linux\n", span.start);
            }
            other => {
                let output = self.unknown(format!("what `go {}` prints", other.unwrap_or("…")), span);
                state.output.push(&output);
            }
        }
        state
    }

    fn go_run(&mut self, arguments: &[Value], span: Span, mut state: State) -> State {
        let mut at = 0;
        while let Some(text) = arguments.get(at).map(Value::text).filter(|text| text.starts_with('-')) {
            let name = text.trim_start_matches('-');
            at += 1 + usize::from(WITH_VALUE.contains(&name));
        }
        let package = arguments.get(at).map(|word| word.text().to_owned()).unwrap_or_default();
        let (path, version) =
            package.split_once('@').map_or((package.as_str(), None), |(path, version)| (path, Some(version)));
        let is_featuretags = path.ends_with("cmd/featuretags")
            || path.ends_with("featuretags.go")
            || (matches!(path, "." | "./") && state.folder.ends_with("cmd/featuretags"));
        if is_featuretags {
            let version = version.map(str::to_owned);
            return self.featuretags(arguments.get(at + 1..).unwrap_or_default(), version, span, state);
        }
        if path.ends_with("cmd/tailscaled") {
            self.go_build(arguments, span, &mut state);
        }
        let output = self.unknown(format!("what `go run {package}` prints"), span);
        state.output.push(&output);
        self.risky(Value::default(), span, &mut state);
        state
    }

    /// `go build` or `go install`.
    fn go_build(&mut self, arguments: &[Value], span: Span, state: &mut State) {
        let mut list = List { what: "`go build`".to_owned(), place: span, ..List::default() };
        let mut build = Build::default();
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            let text = word.text();
            if !text.starts_with('-') || text == "-" {
                build.packages.push(word.clone());
                continue;
            }
            let flag = text.trim_start_matches('-');
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(word.part(text.len() - value.len()..text.len()))),
                None => (flag, None),
            };
            if matches!(name, "extra-small" | "box" | "min") {
                let reason = format!("`{text}` must come before the arguments of `go build`");
                list.notes.push(Note::BuildDistFails(reason, word.span(0..word.len())));
                continue;
            }
            let takes = WITH_VALUE.contains(&name) && !(SWITCHES.contains(&name) && value.is_none());
            let value = value.or_else(|| if takes { rest.next().cloned() } else { None });
            match name {
                "tags" => build.tags.push(value.unwrap_or_default()),
                "ldflags" => build.linker.extend(value),
                "C" => state.folder = value.as_ref().and_then(|value| value.known()).unwrap_or_default().to_owned(),
                _ => {}
            }
        }
        if let Some(flags) = state.value("GOFLAGS") {
            for flag in flags.fields(char::is_whitespace) {
                let text = flag.text();
                if let Some(tags) = text.strip_prefix("-tags=").or_else(|| text.strip_prefix("--tags=")) {
                    build.tags.insert(0, flag.part(text.len() - tags.len()..text.len()));
                }
            }
        }
        self.finish_build(list, build, state);
    }

    fn finish_build(&mut self, mut list: List, build: Build, state: &mut State) {
        let packages: Vec<&Value> = build.packages.iter().filter(|word| is_package(word)).collect();
        let open: Vec<&Value> = build.packages.iter().filter(|word| !is_package(word)).collect();
        let Some(program) = program(&packages, &state.folder, !open.is_empty()) else { return };
        list.program = program;
        list.what = match program {
            Program::Daemon => "`go build` of tailscaled".to_owned(),
            Program::CommandLine => "`go build` of tailscale".to_owned(),
            Program::Library => {
                let name = packages.first().map_or_else(|| ".".to_owned(), |word| Self::display_text(word));
                format!("`go build` of {name}")
            }
        };
        // A word that is not known may hold flags, unless it can only be the package.
        if !packages.is_empty() || open.len() > 1 {
            for word in open {
                list.unknown.extend(self.reason(word).cloned().map(|unknown| Unknown {
                    reason: format!("`{}` may hold `-tags`: {}", Self::display_text(word), unknown.reason),
                    ..unknown
                }));
            }
        }
        if let Some((last, earlier)) = build.tags.split_last() {
            self.add_tags(&mut list, last, state);
            for value in earlier {
                let is_kept = value.text().split([',', ' ']).all(|tag| list.tags.iter().any(|word| word.text == tag));
                if value.text().split([',', ' ']).any(is_tag) && !is_kept {
                    list.notes.push(Note::Discarded(value.span(0..0)));
                }
                self.take(value);
                self.discard(value);
            }
        }
        let is_ours = list.tags.iter().any(|word| word.text.starts_with("ts_")) || !list.calls.is_empty();
        let could_be = list.unknown.iter().any(|unknown| unknown.reason.to_ascii_lowercase().contains("tag"));
        if program == Program::Library && !is_ours
            || (packages.is_empty() && !is_ours && !could_be && !state.has_upstream)
        {
            return;
        }
        list.stamp = match build.linker.last() {
            None => Stamp::None,
            Some(flags) if flags.text().contains("Stamp=") => Stamp::Set,
            Some(flags) if flags.has_hole() && may_stamp(flags) => Stamp::Unknown,
            Some(_) => Stamp::None,
        };
        if state.value("GOFLAGS").is_some_and(|flags| flags.text().contains("ldflags") || flags.has_hole()) {
            list.stamp = Stamp::Unknown;
        }
        self.add_facts(&mut list, state);
        self.record(list, state);
    }

    /// The facts that the environment of a build states.
    pub(crate) fn add_facts(&mut self, list: &mut List, state: &State) {
        let variables =
            [("GOOS", Fact::Goos), ("GOARCH", Fact::Goarch), ("GOARM", Fact::Goarm), ("GOMIPS", Fact::Gomips)];
        for (name, fact) in variables {
            let value = state.get(name).filter(|variable| variable.exported).map(|variable| variable.joined(" "));
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                let text = if value.has_hole() { String::new() } else { value.text().to_owned() };
                list.facts.push((fact, Word::new(text, value.span(0..value.len()))));
            }
        }
        list.facts.extend(state.facts.iter().cloned());
    }

    /// `make`: the Makefile of this project with the variables that it is given.
    pub(crate) fn make(&mut self, arguments: &[Value], span: Span, mut state: State) -> State {
        if !crate::makefile::run_again(arguments, &mut state, self) {
            self.note_tags("make", arguments, span, &mut state);
        }
        let output = self.unknown("what `make` prints", span);
        state.output.push(&output);
        state
    }
}

/// The arguments of a build.
#[derive(Default)]
struct Build {
    tags: Vec<Value>,
    linker: Vec<Value>,
    packages: Vec<Value>,
}

/// Whether a word is a package, though a part of it may be unknown.
fn is_package(word: &Value) -> bool {
    !word.has_hole() || word.text().contains('/')
}

/// Whether what is not known of the linker's flags may hold a stamp: it is a whole word of them.
fn may_stamp(flags: &Value) -> bool {
    flags.fields(char::is_whitespace).iter().any(|word| word.has_hole() && !word.text().contains('='))
}

/// The program that packages are; `None` for those that have nothing to do with Tailscale.
fn program(packages: &[&Value], folder: &str, is_open: bool) -> Option<Program> {
    let name = |word: &Value| {
        let text = word.text();
        text.split('@').next().unwrap_or_default().trim_end_matches('/').to_owned()
    };
    let of = |path: &str| {
        if path.ends_with("cmd/tailscaled") {
            Some(Program::Daemon)
        } else if path.ends_with("cmd/tailscale") {
            Some(Program::CommandLine)
        } else {
            None
        }
    };
    let names: Vec<String> = packages.iter().map(|word| name(word)).collect();
    if names.iter().any(|path| path.ends_with("cmd/featuretags")) {
        return None;
    }
    let found: Vec<Program> = names.iter().filter_map(|path| of(path)).collect();
    if found.contains(&Program::Daemon) {
        return Some(Program::Daemon);
    }
    if let Some(first) = found.first() {
        return Some(*first);
    }
    let here = names.is_empty() || names.iter().all(|path| path == "." || path == "./");
    match (here, of(folder)) {
        (true, Some(program)) => Some(program),
        // A package that is not known, for example a variable.
        _ if is_open && names.is_empty() => Some(Program::Daemon),
        _ if packages.iter().any(|word| word.has_hole()) => Some(Program::Daemon),
        _ => Some(Program::Library),
    }
}
