//! The name of an image in a registry: `REGISTRY/NAME:TAG`.

use std::fmt;
use std::str::FromStr;

/// A tagged image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The registry's host and port.
    pub registry: String,
    /// The name of the repository in it.
    pub name: String,
    /// The tag.
    pub tag: String,
}

impl Reference {
    /// Returns the same image under another tag.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Self {
        Self { tag: tag.to_owned(), ..self.clone() }
    }

    /// Whether the registry is on this machine. Such a registry may lack TLS.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let host = self.registry.rsplit_once(':').map_or(self.registry.as_str(), |(host, _)| host);
        ["localhost", "127.0.0.1", "[::1]"].contains(&host)
    }
}

/// Whether a text is a tag, by the distribution specification.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (1..=128).contains(&text.len()) && text.chars().all(plain) && !text.starts_with(['.', '-'])
}

/// Whether a text is a component of a repository's name, by the distribution specification.
fn is_component(text: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    is_end(text.chars().next())
        && is_end(text.chars().last())
        && text.chars().all(plain)
        && !["..", "._", "_.", "___", "-.", ".-", "-_", "_-"].iter().any(|pair| text.contains(pair))
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('+'));
    let is_ipv6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    let is_label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && label.chars().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_name = host.split('.').all(is_label);
    // A first component without these is a folder of the default registry for other programs.
    is_port && (is_ipv6 || (is_name && (host.contains('.') || port.is_some() || host == "localhost")))
}

impl FromStr for Reference {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return Err("write it without a scheme, such as ghcr.io/owner/tailscale:1.102.5");
        }
        if text.contains('@') {
            return Err("a digest can't be chosen; name a tag, such as ghcr.io/owner/tailscale:1.102.5");
        }
        let Some((registry, rest)) = text.split_once('/').filter(|(registry, _)| is_registry(registry)) else {
            return Err("it must begin with the host of a registry, such as ghcr.io/owner/tailscale:1.102.5");
        };
        let Some((name, tag)) = rest.split_once(':') else {
            return Err("it has no tag; add one, such as :1.102.5");
        };
        if !name.split('/').all(is_component) || name.len() > 255 {
            return Err("the name may have lower-case letters, digits, `.`, `_`, `-` and `/` only");
        }
        if !is_tag(tag) {
            return Err("the tag may have letters, digits, `.`, `_` and `-` only, at most 128");
        }
        Ok(Self { registry: registry.to_owned(), name: name.to_owned(), tag: tag.to_owned() })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.registry, self.name, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references_and_refusals() {
        for text in [
            "ghcr.io/owner/tailscale:1.102.5",
            "localhost/a:b",
            "registry:5000/a/b/c__d:_x",
            "127.0.0.1:5000/a:1",
            "[::1]:5000/a:1",
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        for (text, part) in [
            ("https://ghcr.io/a/b:1", "scheme"),
            ("ghcr.io/a/b@sha256:00", "digest"),
            ("owner/tailscale:1", "host of a registry"),
            ("tailscale:1", "host of a registry"),
            ("-x.io/a:1", "host of a registry"),
            ("ghcr.io:0/a:1", "host of a registry"),
            ("ghcr.io/a/b", "no tag"),
            ("ghcr.io/A/b:1", "lower-case"),
            ("ghcr.io/a//b:1", "lower-case"),
            ("ghcr.io/a/b:", "the tag"),
            ("ghcr.io/a/b:-rm", "the tag"),
            ("ghcr.io/a/b:1 --x", "the tag"),
        ] {
            assert!(text.parse::<Reference>().unwrap_err().contains(part), "{text}");
        }
        assert!("localhost:5000/a:1".parse::<Reference>().unwrap().is_local());
        assert!("[::1]:5000/a:1".parse::<Reference>().unwrap().is_local());
        assert!(!"localhost.example.com/a:1".parse::<Reference>().unwrap().is_local());
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_printed_as_it_was(text in "[a-zA-Z0-9._:/@\\[\\] -]{0,40}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string(), text);
            }
        }

        #[test]
        fn a_tag_is_never_an_option(tag in "\\PC{0,20}") {
            prop_assert!(!is_tag(&tag) || !tag.starts_with('-') && !tag.contains(char::is_whitespace));
        }
    }
}
