//! Reading of files that may come from anywhere: regular files up to a length.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Result;
use featureset::policy::format_size;
use rustix::fs::OFlags;

use super::error::problem;
use diagnostics::{Code, Diagnostic};

/// Opens a file that has an end: what is read may come from anywhere, and a pipe or a device would keep the reader for ever.
///
/// # Errors
/// Where it can't be opened, or is not a regular file or a link to one.
pub fn open_regular(path: &Path) -> std::io::Result<File> {
    // A pipe that nobody writes into would keep even the opening for ever.
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("it is not a regular file")) }
}

/// Reads a regular file of at most so many bytes.
///
/// # Errors
/// A [`Diagnostic`] that names the path: it can't be read, is not a regular file, or is longer.
pub fn read_regular(path: &Path, most: u64) -> Result<Vec<u8>> {
    let unreadable = |error: std::io::Error| problem(path, "read", &error);
    let file = open_regular(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    if file.metadata().map_err(unreadable)?.len() <= most {
        file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 <= most {
            return Ok(bytes);
        }
    }
    let message = format!("{} is larger than {}", path.display(), format_size(most));
    let why = "no file of its kind comes near that, so it is not read";
    Err(Diagnostic::failure(Code::InputTooLarge, message, why, "Check that it is the right file.").into())
}

/// Reads a regular text file of at most so many bytes.
///
/// # Errors
/// As [`read_regular`]; also where the file is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    let text = String::from_utf8(read_regular(path, most)?);
    Ok(text.map_err(|_| {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, "stream did not contain valid UTF-8");
        problem(path, "read", &error)
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_length_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("text"), "12345").unwrap();
        std::os::unix::fs::symlink("text", at("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("device")).unwrap();
        assert!(
            std::process::Command::new(crate::process::needed("mkfifo").unwrap())
                .arg(at("pipe"))
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(read_text(&at("link"), 5).unwrap(), "12345");
        let refused = |name: &str, most: u64| read_regular(&at(name), most).unwrap_err().to_string();
        assert!(refused("text", 4).ends_with("text is larger than 4 B"));
        for name in ["device", "pipe", "", "missing"] {
            let error = read_regular(&at(name), 5).unwrap_err();
            let problem = error.downcast_ref::<Diagnostic>().unwrap();
            assert_eq!(
                (&problem.code, problem.why == "it is not a regular file"),
                (&Code::FileError, name != "missing"),
                "{name}"
            );
        }
        // A file of no stated length, as those of the kernel are, is read up to the bound.
        assert!(read_regular(Path::new("/proc/self/maps"), 10).is_err());
    }
}
