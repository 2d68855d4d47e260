//! Recognizers of the programs that make and use tags: Go, upstream's `featuretags` and `build_dist.sh`.

use std::collections::BTreeSet;
use std::rc::Rc;

use spanned_yaml::Span;

use super::{Interpreter, Mark, State, Status, is_tag};
use crate::value::Value;
use crate::{Fact, Featuretags, List, Note, Program, Stamp, Unknown, Word};

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

/// A model of upstream's `build_dist.sh`, as far as tags go; `@add@` stands for the features of `--extra-small`.
/// Source: build_dist.sh of 1.90.9 to 1.104.5, whose options have been the same.
const BUILD_DIST: &str = r#"set -e
tags="${TAGS:-}"
while [ "$#" -gt 1 ]; do
	case "$1" in
	--extra-small)
		if [ ! -z "${TAGS:-}" ]; then
			exit 1
		fi
		shift
		tags="${tags:+$tags,}$(GOOS= GOARCH= go run ./cmd/featuretags --min --add=@add@)"
		;;
	--min)
		shift
		tags="${tags:+$tags,}$(GOOS= GOARCH= go run ./cmd/featuretags --min)"
		;;
	--box)
		if [ ! -z "${TAGS:-}" ]; then
			exit 1
		fi
		shift
		tags="${tags:+$tags,}ts_include_cli"
		;;
	--strip)
		shift
		;;
	*)
		break
		;;
	esac
done
exec go build ${tags:+-tags=$tags} -trimpath -ldflags "-X tailscale.com/version.longStamp=x -X tailscale.com/version.shortStamp=x" "$@"
"#;

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
            state.folder = folder.map(|to| super::command::located(&to, &state.folder)).unwrap_or_default();
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

    /// A call of upstream's `featuretags`.
    pub(crate) fn featuretags(
        &mut self,
        arguments: &[Value],
        version: Option<String>,
        span: Span,
        mut state: State,
    ) -> State {
        let release = version.and_then(|version| super::release::version(&version)).map(|(version, _)| version);
        let mut call = Featuretags { span, release, ..Featuretags::default() };
        let mut unknown: Vec<Unknown> = Vec::new();
        let mut given: BTreeSet<String> = BTreeSet::new();
        let mut marks: BTreeSet<u32> = BTreeSet::new();
        let mut lists = false;
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            marks.extend(&word.marks);
            let text = word.text();
            let Some(flag) = text.strip_prefix("--").or_else(|| text.strip_prefix('-')).filter(|flag| !flag.is_empty())
            else {
                if word.has_hole() {
                    call.has_unknown = true;
                    unknown.extend(self.reason(word).cloned());
                    continue;
                }
                let ignored = std::iter::once(word).chain(rest.by_ref());
                call.ignored.extend(ignored.map(|word| Word::new(word.text(), word.span(0..word.len()))));
                break;
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(word.part(text.len() - value.len()..text.len()))),
                None => (flag, None),
            };
            let name = name.to_owned();
            match name.as_str() {
                "min" => call.min = value.is_none_or(|value| value.text() != "false"),
                "list" => lists = true,
                "add" | "remove" => {
                    let value = value.or_else(|| rest.next().cloned()).unwrap_or_default();
                    marks.extend(&value.marks);
                    if !given.insert(name.clone()) {
                        let earlier = if name == "add" { &mut call.add } else { &mut call.remove };
                        call.ignored.append(earlier);
                    }
                    for range in value.ranges(|c| c == ',') {
                        let name_text = &value.text()[range.clone()];
                        if name_text.is_empty() {
                            continue;
                        }
                        let part = value.part(range.clone());
                        if part.has_hole() {
                            call.has_unknown = true;
                            unknown.extend(self.reason(&part).cloned());
                            continue;
                        }
                        let word = Word::new(name_text, value.span(range));
                        if name == "add" { call.add.push(word) } else { call.remove.push(word) }
                    }
                }
                _ if word.has_hole() => {
                    call.has_unknown = true;
                    unknown.extend(self.reason(word).cloned());
                }
                _ => {
                    call.refused = Some(Word::new(text, word.span(0..word.len())));
                    break;
                }
            }
        }
        let mut value = self.printed(&call, unknown, lists);
        value.marks.extend(marks);
        if !lists {
            let mark = self.mark(Mark::Call(call.clone()));
            value.marks.insert(mark);
            self.note_call(call, &value);
        }
        value.push_made("\n", span.start);
        let value = self.risky(value, span, &mut state);
        state.status = Status::Success;
        state.output.push(&value);
        state
    }

    /// The tags that a call prints.
    fn printed(&mut self, call: &Featuretags, unknown: Vec<Unknown>, lists: bool) -> Value {
        if lists {
            return self.unknown("the list of all features", call.span);
        }
        let tags = if call.refused.is_some() { None } else { self.upstream.featuretags(call) };
        let Some(tags) = tags.filter(|_| !call.has_unknown || call.refused.is_none()) else {
            let hole = self.unknown("`featuretags` fails", call.span);
            self.failed.extend(hole.holes());
            return hole;
        };
        if call.has_unknown {
            let first = unknown.into_iter().next();
            let (reason, span) = first.map_or((String::new(), call.span), |unknown| (unknown.reason, unknown.span));
            return self.hole(Unknown { reason, span, is_allowlist: call.min }, None);
        }
        let mut value = Value::default();
        for (index, tag) in tags.iter().enumerate() {
            self.pay(tag.len());
            if index > 0 {
                value.push_made(",", call.span.start);
            }
            let removed = call.remove.iter().find(|word| tag.strip_prefix("ts_omit_") == Some(&word.text));
            match removed {
                // Where the name is written says more than where the call is.
                Some(word) => value.push_made(tag, word.span.start),
                None => value.push_made(tag, call.span.start),
            }
        }
        value
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
                let name = packages.first().map_or_else(|| ".".to_owned(), |word| Self::shown(word));
                format!("`go build` of {name}")
            }
        };
        // A word that is not known may hold flags, unless it can only be the package.
        if !packages.is_empty() || open.len() > 1 {
            for word in open {
                list.unknown.extend(self.reason(word).cloned().map(|unknown| Unknown {
                    reason: format!("`{}` may hold `-tags`: {}", Self::shown(word), unknown.reason),
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

    /// Upstream's build script: as it is, or as it was changed here.
    pub(crate) fn build_dist_script(&mut self, state: &State, span: Span) -> Value {
        if let Some(changed) = state.files.get("build_dist.sh") {
            return changed.clone();
        }
        let add = self.upstream.extra_small().map(|names| names.join(","));
        let add = add.unwrap_or_else(|| {
            self.unknown("what `--extra-small` keeps on this release is not known", span).text().to_owned()
        });
        Value::made(BUILD_DIST.replace("@add@", &add), span.start)
    }

    pub(crate) fn build_dist(&mut self, arguments: &[Value], span: Span, mut state: State) -> Vec<State> {
        let is_info = arguments.first().is_some_and(|word| word.text() == "shellvars");
        if is_info {
            let output = self.unknown("what `build_dist.sh shellvars` prints", span);
            state.output.push(&output);
            return vec![state];
        }
        let script = self.build_dist_script(&state, span);
        let mut list = List { what: "`build_dist.sh`".to_owned(), place: span, ..List::default() };
        if script.text().chars().next().is_some_and(|c| crate::value::hole(c).is_some()) {
            list.unknown.extend(self.reason(&script).cloned());
            self.add_facts(&mut list, &state);
            self.record(list, &state);
            return vec![state];
        }
        let before = self.lists.len();
        let mut inner = state.clone();
        if inner.get("TAGS").is_none() {
            // What the environment may hold there is not the text's concern.
            inner.set("TAGS", Value::default());
            inner.export("TAGS");
        }
        let inner = self.child_script(&script, arguments.to_vec(), inner);
        let made = self.lists.split_off(before.min(self.lists.len()));
        let none = made.is_empty();
        for mut one in made {
            one.what = one.what.replace("go build", "build_dist.sh");
            one.place = span;
            self.lists.push(one);
        }
        let refuses = inner.status == Status::Failure
            || arguments.iter().any(|word| word.text() == "--extra-small" || word.text() == "--box");
        if none && refuses {
            list.fails = true;
            let reason = "it takes neither `--extra-small` nor `--box` together with TAGS".to_owned();
            list.notes.push(Note::BuildDistFails(reason, span));
            self.record(list, &state);
        }
        state.take_effects(&inner);
        state.status = Status::Assumed;
        vec![state]
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

    /// `docker build` with build arguments, and `docker run IMAGE COMMAND`.
    pub(crate) fn container(&mut self, arguments: &[Value], span: Span, state: State) -> Vec<State> {
        let mut state = state;
        let texts: Vec<&str> = arguments.iter().map(Value::text).collect();
        if texts.iter().take(2).any(|text| *text == "build") {
            self.docker_build(arguments, span, &mut state);
            return vec![state];
        }
        if texts.first().is_none_or(|text| !["run", "exec"].contains(text)) {
            return vec![state];
        }
        let mut child = state.child();
        let mut at = 1;
        while let Some(text) = texts.get(at).filter(|text| text.starts_with('-')) {
            let (flag, value) = text.split_once('=').map_or((*text, None), |(flag, value)| (flag, Some(value)));
            let switches = ["--rm", "-i", "-t", "-it", "-ti", "-d", "--init", "--privileged"];
            if matches!(flag, "-e" | "--env") {
                let given = match value {
                    Some(value) => Some(arguments[at].part(text.len() - value.len()..text.len())),
                    None => arguments.get(at + 1).cloned(),
                };
                if let Some((given, name)) = given.and_then(|given| {
                    let name = given.text().split_once('=').map(|(name, _)| name.to_owned());
                    name.map(|name| (given, name))
                }) {
                    child.set(&name, given.part(name.len() + 1..given.len()));
                    child.export(&name);
                }
            }
            at += 1 + usize::from(value.is_none() && !switches.contains(&flag));
        }
        if let Some(image) = arguments.get(at) {
            self.note_image(image, &mut child);
        }
        let command = arguments.get(at + 1..).unwrap_or_default().to_vec();
        if !command.is_empty() {
            let ended = self.program(command, span, child);
            let after = self.one(ended);
            state.take_effects(&after);
            state.output.push(&after.output);
        }
        vec![state]
    }

    /// `docker build`: the Dockerfile of this project with its build arguments, else the arguments as lists.
    fn docker_build(&mut self, arguments: &[Value], span: Span, state: &mut State) {
        let mut given = Vec::new();
        let (mut file, mut context) = (None, None);
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            let text = word.text();
            let (flag, value) = match text.split_once('=').filter(|(flag, _)| flag.starts_with("--")) {
                Some((flag, value)) => (flag, Some(word.part(text.len() - value.len()..text.len()))),
                None => (text, None),
            };
            match flag {
                "--build-arg" => given.extend(value.or_else(|| rest.next().cloned())),
                "-f" | "--file" => file = value.or_else(|| rest.next().cloned()),
                "-t" | "--tag" | "--platform" | "--target" | "-o" | "--output" | "--progress" if value.is_none() => {
                    rest.next();
                }
                flag if flag.starts_with('-') || flag == "build" || flag == "buildx" => {}
                _ => context = Some(word.clone()),
            }
        }
        self.build_image(&given, file, context, span, state);
    }

    /// Builds an image from a Dockerfile of this project.
    pub(crate) fn build_image(
        &mut self,
        given: &[Value],
        file: Option<Value>,
        context: Option<Value>,
        span: Span,
        state: &mut State,
    ) {
        let folder = context.as_ref().and_then(|context| context.known()).unwrap_or(".").to_owned();
        let name = match &file {
            Some(file) => file.known().unwrap_or_default().to_owned(),
            None => super::command::located("Dockerfile", &folder),
        };
        let name = super::command::located(&name, &state.folder);
        let text = if name.is_empty() { None } else { self.project_file(&name) };
        let Some(text) = text.filter(|_| self.enter()) else {
            return self.note_tags("docker build", given, span, state);
        };
        let pairs = given.iter().filter_map(|value| {
            let (name, _) = value.text().split_once('=')?;
            Some((name.to_owned(), value.part(name.len() + 1..value.len())))
        });
        let build = crate::dockerfile::Build { arguments: pairs.collect(), place: Some(span.start) };
        crate::dockerfile::build(text.text(), build, self);
        self.leave();
    }

    /// Notes the version of Go of an image.
    pub(crate) fn note_image(&mut self, image: &Value, state: &mut State) {
        let Some(text) = image.known() else { return };
        let base = text.rsplit('/').next().unwrap_or_default();
        let Some(tag) = base.strip_prefix("golang:").or_else(|| base.strip_prefix("go:")) else { return };
        let version: String = tag.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        if version.split('.').count() >= 2 {
            let facts = Rc::make_mut(&mut state.facts);
            facts.retain(|(fact, _)| *fact != Fact::Go);
            facts.insert((Fact::Go, Word::new(version, image.span(0..image.len()))));
        }
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
