//! The pin moved to another release by splicing the text: two values change, and no other byte.

use super::model::Policy;
use super::parse::read;
use crate::release::{GoVersion, Release};

/// The reason why the text of a policy can't be edited, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotEditable(pub String);

/// Returns the text with another release and another toolchain; comments and layout stay.
///
/// # Errors
/// [`NotEditable`] if the text is not a policy that states both, or if the new text would differ from the old one in
/// anything else.
pub fn pin(text: &str, release: Release, go: GoVersion) -> Result<String, NotEditable> {
    let cannot = |why: &str| Err(NotEditable(why.to_owned()));
    let Some(mut policy) = read(text).policy else { return cannot("the policy can't be read") };
    let (Some(old_release), Some(old_go)) = (policy.tailscale.replace(release), policy.go) else {
        return cannot("the policy does not state `tailscale` and `go` as versions");
    };
    let Some(text) = replaced(text, "tailscale", &old_release.to_string(), &release.to_string(), &policy) else {
        return cannot(&format!("the value of `tailscale` is not written as `{old_release}`"));
    };
    policy.go = Some(go);
    match replaced(&text, "go", &old_go.to_string(), &go.to_string(), &policy) {
        Some(text) => Ok(text),
        None => cannot(&format!("the value of `go` is not written as `{old_go}`")),
    }
}

/// The text with another version at the place of a key's value, where that says the expected and nothing else. Quotes,
/// block marks and comments stay; a comment may hold the version too, so each place is tried.
fn replaced(text: &str, key: &str, old: &str, new: &str, expected: &Policy) -> Option<String> {
    let span = read(text).places.value(&[key]);
    let places = text.get(span.start..span.end)?.match_indices(old);
    let texts = places.map(|(at, _)| {
        let at = span.start + at;
        format!("{}{new}{}", &text[..at], &text[at + old.len()..])
    });
    texts.into_iter().find(|text| read(text).policy.as_ref() == Some(expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::clean_policy;
    use proptest::prelude::*;

    fn moved(text: &str) -> Result<String, NotEditable> {
        pin(text, "1.104.5".parse().unwrap(), "1.27.3".parse().unwrap())
    }

    #[test]
    fn two_values_change_and_nothing_else() {
        for (tailscale, go) in [
            ("tailscale: 1.102.5 # not 1.102.4", "go:   '1.26.8'"),
            ("\"tailscale\":\n    \"1.102.5\"\n# go: 1.26.8", "go: 1.26.8#no"),
            ("tailscale: >-\n  1.102.5\n", "go: |-\n  1.26.8"),
            ("tailscale: '1.102.5' # 1.102.5", "go: \"1.26.8\" # 1.26.8"),
            ("tailscale: >- # 1.102.5\n  1.102.5\n", "\"go\" : 1.26.8 # 1.26.8"),
            ("# tailscale: 1.102.5\ntailscale: 1.102.5", "# ü 1.26.8\r\ngo: 1.26.8\r"),
        ] {
            for (first, second) in [(tailscale, go), (go, tailscale)] {
                let text = clean_policy().replace("tailscale: 1.102.5\ngo: 1.26.8\n", &format!("{first}\n{second}\n"));
                let text = text + "# tailscale: 1.102.5, go: 1.26.8";
                match moved(&text) {
                    Ok(new) => {
                        assert_eq!(new.replace("1.104.5", "1.102.5").replace("1.27.3", "1.26.8"), text);
                        assert_eq!(new.matches("1.104.5").count() + new.matches("1.27.3").count(), 2, "{new}");
                    }
                    // "1.26.8#no" is not a version: a hash is a comment only after a space.
                    Err(_) => assert!(text.contains("#no"), "{text}"),
                }
            }
        }
    }

    #[test]
    fn what_is_no_pin_is_refused() {
        for text in ["", "features: [", "tailscale: 1.102.5\n", "tailscale: 1.102\ngo: 1.26.8\n", "- 1\n"] {
            assert!(moved(text).is_err(), "{text}");
        }
        let twice = clean_policy().replace("go: 1.26.8\n", "go: 1.26.8\ngo: 1.26.8\n");
        if let Ok(new) = moved(&twice) {
            assert_eq!(read(&new).findings.len(), read(&twice).findings.len());
        }
    }

    proptest! {
        #[test]
        fn comments_anywhere_survive(comments in prop::collection::vec(("[ ]{0,4}", "[ -~äß]{0,20}"), 1..20), gaps in prop::collection::vec(0usize..400, 20)) {
            let mut lines: Vec<String> = clean_policy().lines().map(str::to_owned).collect();
            for ((indent, comment), gap) in comments.iter().zip(&gaps) {
                let at = gap % (lines.len() + 1);
                lines.insert(at, format!("{indent}# {comment} 1.102.5 1.26.8"));
            }
            let text = lines.join("\n");
            // A comment inside a folded reason is part of the reason, and stays as well.
            if let Ok(new) = moved(&text) {
                let changed: Vec<_> = text.lines().zip(new.lines()).filter(|(old, new)| old != new).collect();
                prop_assert_eq!(changed, [("tailscale: 1.102.5", "tailscale: 1.104.5"), ("go: 1.26.8", "go: 1.27.3")]);
                prop_assert_eq!(text.lines().count(), new.lines().count());
            } else {
                prop_assert!(read(&text).policy.is_none_or(|policy| policy.go.is_none()));
            }
        }
    }
}
