//! Other people's build scripts: followed, audited and imported.

use featureset::audit::{Asked, audit};
use featureset::facts::Facts;
use featureset::import::import;
use featureset::{policy, script};

use crate::text::findings_are_in;

/// A name for each kind of text: every input is read as each.
const NAMES: [&str; 6] = ["build.sh", "Dockerfile", "Makefile", "release.yml", "recipe.json", "package.nix"];

pub(crate) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let facts = Facts::embedded();
    for name in NAMES {
        for list in script::read(name, &text) {
            assert!(text.get(list.place.start..list.place.end).is_some(), "{:?} is not in the text", list.place);
            let Ok(audit) = audit(&list, &Asked::default(), facts) else { continue };
            findings_are_in(&text, &audit.findings);
            if let Some(import) = import(&audit, name, None, facts, |_| Vec::new()) {
                let read = policy::read(&import.text);
                assert!(read.policy.is_some(), "the imported policy can't be read:\n{}", import.text);
            }
        }
    }
}
