//! What is audited: a tag line, a text in which lists of tags stand, or binaries with what they record of their build.

use std::io::Read;
use std::path::Path;

use anyhow::Result;
use featureset::audit::List;
use featureset::script;

use crate::cli::What;
use crate::problem::Problem;

/// The most that is read of a text: no recipe is longer.
const LONGEST: u64 = 1 << 20;

/// A text and the lists in it.
pub struct Source {
    /// The file as it was named; nothing for a tag line.
    pub path: Option<String>,
    /// The text that places are in.
    pub text: String,
    /// Whether the file is that text; else the text was found in it.
    pub is_text: bool,
    /// The lists, in the order of the text.
    pub lists: Vec<List>,
}

impl Source {
    /// Opens what the flags name: at least one source, each with at least one list.
    ///
    /// # Errors
    /// A [`Problem`] where it can't be read, or no list is in it.
    pub fn open(what: &What) -> Result<Vec<Self>> {
        match (&what.file, &what.tags) {
            (Some(path), _) => Self::file(path),
            (None, tags) => Ok(vec![Self::line(tags.as_deref().unwrap_or_default())]),
        }
    }

    /// Opens the older version of a list: a file, or a tag line.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn older(text: &str) -> Result<Vec<Self>> {
        let path = Path::new(text);
        let is_line = !path.exists() && (text.is_empty() || text.contains("ts_") || text.contains(','));
        if is_line { Ok(vec![Self::line(text)]) } else { Self::file(path) }
    }

    fn line(tags: &str) -> Self {
        let list = List::line(tags, "the tags as given");
        Self { path: None, text: tags.to_owned(), is_text: true, lists: vec![list] }
    }

    fn file(path: &Path) -> Result<Vec<Self>> {
        let Some(text) = read(path)? else { return binaries(path) };
        let lists = script::read(&path.to_string_lossy(), &text);
        if lists.is_empty() {
            let why =
                "no build tags of Tailscale's, and no call of `featuretags` or `build_dist.sh`, was recognised in it";
            let next = "Print the tag line where it is built, and give it with `--tags`.";
            return Err(
                Problem::new("nothing-to-audit", format!("{} has no list of tags", path.display()), why, next).into()
            );
        }
        Ok(vec![Self { path: Some(path.to_string_lossy().into_owned()), text, is_text: true, lists }])
    }
}

/// The text of a file; nothing where it is none.
fn read(path: &Path) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    file.map_err(|error| {
        let next = "Check the path; a tag line is given with `--tags`.";
        Problem::new("file", format!("can't read {}", path.display()), error.to_string(), next)
    })?;
    if bytes.contains(&0) {
        return Ok(None);
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.len() as u64 > LONGEST => {
            let message = format!("{} is a text of more than 1 MB", path.display());
            let next = "Check that it is the right file, or give the tag line with `--tags`.";
            Err(Problem::new("too-large", message, "no recipe is that long, so it is not read", next).into())
        }
        Ok(text) => Ok(Some(text)),
        Err(_) => Ok(None),
    }
}

/// The Go binaries in a file that is no text.
fn binaries(path: &Path) -> Result<Vec<Source>> {
    let message = format!("{} is no text", path.display());
    let next = "Give its tag line, which `go version -m` shows, with `--tags`.";
    Err(Problem::new("not-a-text", message, "binaries can't be opened yet", next).into())
}
