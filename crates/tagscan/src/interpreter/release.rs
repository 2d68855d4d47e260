//! The release that is built: a version that reaches `git`, a download or a module, else one that a variable is named for.

use std::collections::BTreeSet;
use std::rc::Rc;

use spanned_yaml::Span;

use super::{Interpreter, State};
use crate::model::{Fact, List, Note, Word};
use crate::value::Value;

/// The version of Tailscale that a text begins with or is, and its length: `v1.98.5`, `1.98.5-pre`.
pub(crate) fn version(text: &str) -> Option<(String, usize)> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let length = bare.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(bare.len());
    let numbers = bare[..length].trim_end_matches('.');
    let mut parts = numbers.split('.');
    let major = parts.next()?;
    let (minor, patch) = (parts.next()?, parts.next()?);
    let fits = major == "1" && parts.next().is_none() && minor.parse::<u32>().is_ok() && patch.parse::<u32>().is_ok();
    let after = &bare[numbers.len()..];
    let suffix =
        ["-pre", "-rc", "-beta", "-dev"].iter().find(|suffix| after.starts_with(**suffix)).copied().unwrap_or("");
    let suffix: String = if suffix.is_empty() {
        String::new()
    } else {
        after.chars().take_while(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect()
    };
    let total = text.len() - bare.len() + numbers.len() + suffix.len();
    fits.then(|| (format!("{numbers}{suffix}"), total))
}

impl Interpreter<'_> {
    /// `git clone`, `git checkout` and downloads of upstream's sources.
    pub(crate) fn fetch(&mut self, name: &str, arguments: &[Value], span: Span, mut state: State) -> State {
        let is_upstream = |word: &Value| {
            let text = word.text().to_ascii_lowercase();
            text.contains("tailscale/tailscale") || text.contains("tailscale-") || text.contains("pkgs.tailscale.com")
        };
        let prints = name != "git" && !arguments.iter().any(|word| word.text() == "-o" || word.text() == "-O");
        if prints || name == "git" {
            let output = self.unknown(format!("what `{name}` prints"), span);
            state.output.push(&output);
        }
        if name != "git" {
            for word in arguments {
                self.note_upx(word, &mut state);
                let text = word.text().to_owned();
                let is_source = text.contains("tailscale")
                    && (text.contains(".tar")
                        || text.contains(".tgz")
                        || text.contains(".zip")
                        || text.contains("/archive/"));
                if is_source {
                    state.has_upstream = true;
                    self.note_release(word, span, &mut state);
                }
            }
            return state;
        }
        let subcommand = arguments.iter().find(|word| !word.text().starts_with('-')).map(|word| word.text().to_owned());
        let subcommand = subcommand.unwrap_or_default();
        let here = state.folder.to_ascii_lowercase().contains("tailscale");
        state.has_upstream |= arguments.iter().any(is_upstream);
        match subcommand.as_str() {
            "clone" if arguments.iter().any(is_upstream) => {
                let flag = arguments.iter().position(|word| matches!(word.text(), "-b" | "--branch"));
                let inline = arguments.iter().find(|word| word.text().starts_with("--branch="));
                let branch = flag.and_then(|at| arguments.get(at + 1).cloned());
                let branch = branch.or_else(|| inline.map(|word| word.part("--branch=".len()..word.len())));
                branch.into_iter().for_each(|branch| self.note_release(&branch, span, &mut state));
            }
            "checkout" | "switch" | "reset" | "fetch" | "worktree" if state.has_upstream || here => {
                for word in arguments.iter().skip(1).filter(|word| !word.text().starts_with('-')) {
                    let text = word.text();
                    let bare = text.trim_start_matches("refs/tags/").trim_start_matches("tags/");
                    if version(bare).is_some() || word.has_hole() {
                        let part = word.part(text.len() - bare.len()..text.len());
                        self.note_release(&part, span, &mut state);
                    }
                }
            }
            "apply" | "am" if arguments.iter().any(|word| word.text().contains("build_dist")) => {
                let hole = self.unknown("`build_dist.sh` may be patched before it is used", span);
                Rc::make_mut(&mut state.files).insert("build_dist.sh".to_owned(), hole);
            }
            _ => {}
        }
        state
    }

    /// Modules with a version among the arguments of Go: `tailscale.com/cmd/tailscaled@v1.98.5`.
    pub(crate) fn note_modules(&mut self, arguments: &[Value], span: Span, state: &mut State) {
        for word in arguments {
            let text = word.text();
            let Some(at) = text.find("tailscale.com").filter(|at| text[*at..].contains('@')) else { continue };
            // The release of `featuretags` is that of the list it prints.
            let Some(length) = text[at..].find('@') else { continue };
            let part = word.part(at + length + 1..text.len());
            self.note_release(&part, span, state);
        }
    }

    /// Notes a release that is fetched. What is not known of it makes the release unknown.
    pub(crate) fn note_release(&mut self, value: &Value, span: Span, state: &mut State) {
        let text = value.text();
        let found = text.char_indices().find_map(|(at, c)| {
            let before = text[..at].chars().next_back();
            let starts =
                (c == 'v' || c.is_ascii_digit()) && before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '.');
            starts.then(|| version(&text[at..])).flatten().map(|(name, length)| (name, at..at + length))
        });
        let entry = match found {
            Some((name, range)) => (name, value.span(range)),
            None if value.has_hole() => (String::new(), span),
            None => return,
        };
        // Later fetches of the same sources replace earlier ones.
        let releases = Rc::make_mut(&mut state.releases);
        if releases.len() < 16 {
            releases.insert(entry);
        }
    }

    /// Notes a version in a variable that is named for Tailscale.
    pub(crate) fn note_version(&mut self, name: &str, value: &Value) {
        let lower = name.to_ascii_lowercase();
        if lower.contains("upx") || lower.contains("go_version") || lower == "golang_version" || lower == "go" {
            return;
        }
        let fits = (lower.contains("tailscale") || lower.starts_with("ts_") || lower.starts_with("ts"))
            && !lower.contains("tag")
            || ["version", "ver", "pkgver", "pkg_version", "tag", "release", "v"].contains(&lower.as_str());
        if let Some((found, length)) = version(value.text()).filter(|_| fits) {
            let range = 0..length;
            // Bare names are weaker than those that name Tailscale.
            let weak = !lower.contains("tailscale") && !lower.starts_with("ts");
            let text = if weak { format!("?{found}") } else { found };
            self.versions.push(Word::new(text, value.span(range)));
        }
    }

    fn note_upx(&mut self, word: &Value, state: &mut State) {
        let text = word.text();
        let Some(at) = text.find("upx-") else { return };
        let version: String = text[at + 4..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let version = version.trim_end_matches('.').to_owned();
        if version.split('.').count() == 3 {
            let span = word.span(at + 4..at + 4 + version.len());
            Rc::make_mut(&mut state.facts).insert((Fact::Upx, Word::new(version, span)));
        }
    }

    /// The release of a list: that of the sources which its state fetched.
    pub(crate) fn state_release(&mut self, list: &mut List, state: &State) {
        let named: BTreeSet<&str> = state.releases.iter().map(|(name, _)| name.as_str()).collect();
        let unknown = state.releases.iter().find(|(name, _)| name.is_empty());
        match (unknown, named.len()) {
            (Some((_, span)), _) => list.notes.push(Note::UncertainRelease(*span)),
            (None, 1) => list.release = state.releases.iter().next().map(|(name, span)| Word::new(name, *span)),
            (None, 0) => {}
            (None, _) => {
                let words = state.releases.iter().map(|(name, span)| Word::new(name, *span)).collect();
                list.notes.push(Note::Releases(words));
            }
        }
        // A list of a call that names its own release is of that one.
        if let Some(release) = list.calls.iter().find_map(|call| call.release.clone()) {
            list.release.get_or_insert_with(|| Word::new(release, list.calls[0].span));
        }
    }

    /// The release of lists that nothing was fetched for: the one that variables name, if they name one only.
    pub(crate) fn settle_releases(&mut self, lists: &mut [List]) {
        let strong: Vec<Word> = self.versions.iter().filter(|word| !word.text.starts_with('?')).cloned().collect();
        let weak = self.versions.iter().filter_map(|word| Some(Word::new(word.text.strip_prefix('?')?, word.span)));
        let words: Vec<Word> = if strong.is_empty() { weak.collect() } else { strong };
        let names: BTreeSet<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let others: Vec<Word> = lists.iter().filter_map(|list| list.release.clone()).collect();
        let fetched: BTreeSet<&str> = others.iter().map(|word| word.text.as_str()).collect();
        for list in lists.iter_mut().filter(|list| list.release.is_none()) {
            if list.notes.iter().any(|note| matches!(note, Note::UncertainRelease(_) | Note::Releases(_))) {
                continue;
            }
            match (names.len(), words.first()) {
                (1, Some(word)) => list.release = Some(word.clone()),
                (0, _) if fetched.len() == 1 => list.release = others.first().cloned(),
                (0, _) => {}
                _ => list.notes.push(Note::Releases(words.clone())),
            }
        }
    }
}
