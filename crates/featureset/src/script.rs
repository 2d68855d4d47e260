//! Tag lines in what someone else wrote: build scripts, Dockerfiles, Makefiles, workflows and recipes in JSON, YAML or Nix.
//!
//! A text is followed as far as its lists of tags go, and no further: variables that hold tags, calls of upstream's
//! `featuretags` and `build_dist.sh`, and `go build -tags`. It is not run. What does not follow from the text is said, never
//! guessed, and the work is bounded whatever the text is.

mod call;
mod filter;
mod flow;
mod group;
mod release;
mod sections;
mod sed;
mod token;
mod value;

#[cfg(test)]
mod tests;

use crate::audit::{List, incomplete};
use crate::limits::{LISTS, TAGS, TAGS_OF_TEXT};

/// The lists of tags in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// The lists, in the order of the text.
    pub lists: Vec<List>,
    /// Why the text was not followed to its end, if it was not: there may be more lists. Each list has a finding that says so.
    pub stopped: Option<&'static str>,
}

/// The lists of tags in a text, in its order. The name of the file helps to tell what kind of text it is.
#[must_use]
pub fn read(name: &str, text: &str) -> Vec<List> {
    follow(name, text).lists
}

/// As [`read`], and whether the text was followed to its end.
#[must_use]
pub fn follow(name: &str, text: &str) -> Followed {
    let kind = sections::Kind::of(name, text);
    let mut flow = flow::Flow::new(text, kind);
    for section in sections::of(kind, text) {
        flow.follow(&section);
    }
    let (mut lists, taken, mut stopped) = flow.finish();
    lists.extend(group::of(kind, text, &taken));
    lists.sort_by_key(|list| list.place);
    let (mut left, mut judged) = (TAGS_OF_TEXT, 0);
    while judged < lists.len().min(LISTS) && left > 0 {
        left -= lists[judged].bound(left.min(TAGS));
        judged += 1;
    }
    if judged < lists.len() {
        stopped.get_or_insert(flow::TOO_MANY_LISTS);
        lists.truncate(judged);
    }
    release::state(text, &mut lists);
    for list in &mut lists {
        list.findings.extend(stopped.map(|why| incomplete(why, list.place)));
    }
    Followed { lists, stopped }
}
