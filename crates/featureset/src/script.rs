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

use crate::audit::List;

/// The most lists that are told of one text.
const MOST_LISTS: usize = 64;

/// The lists of tags in a text, in its order. The name of the file helps to tell what kind of text it is.
#[must_use]
pub fn read(name: &str, text: &str) -> Vec<List> {
    let kind = sections::Kind::of(name, text);
    let mut flow = flow::Flow::new(text, kind);
    for section in sections::of(kind, text) {
        flow.follow(&section);
    }
    let (mut lists, taken) = flow.finish();
    lists.extend(group::of(kind, text, &taken));
    lists.sort_by_key(|list| list.place);
    lists.truncate(MOST_LISTS);
    release::state(text, &mut lists);
    lists
}
