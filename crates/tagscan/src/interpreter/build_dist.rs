//! Upstream's `build_dist.sh`: a model of it is run, and edits of the file apply to the model.

use spanned_yaml::Span;

use super::{Interpreter, State, Status};
use crate::model::{List, Note};
use crate::value::{Value, hole};

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
        if script.text().chars().next().is_some_and(|c| hole(c).is_some()) {
            list.unknown.extend(self.reason(&script).cloned());
            self.add_facts(&mut list, &state);
            self.record(list, &state);
            return vec![state];
        }
        let before = self.lists.len();
        let mut inner = state.clone();
        if inner.get("TAGS").is_none() {
            // The environment of the build is unknown; the script is read as if it had none.
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
}
