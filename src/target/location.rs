//! What a record says of a place.

use std::fmt::Write as _;
use std::path::Path;

use super::Result;
use crate::fsx;
use crate::model::FilesystemPlace;

/// The place of the package `file` in the folder `dir`.
///
/// `records` is the top of the records repository's work tree where the target was configured with a relative path:
/// then a place that really is inside it (links followed) is named relative to it and has no URL, so that it is right
/// in every clone.
///
/// # Errors
///
/// The folder or the work tree does not exist.
pub(super) fn place(dir: &Path, file: &str, records: Option<&Path>) -> Result<FilesystemPlace> {
    let inside = match records {
        Some(top) => fsx::canonical(dir)?.strip_prefix(fsx::canonical(top)?).ok().map(Path::to_owned),
        None => None,
    };
    let (path, url) = match inside {
        Some(path) => (directory(&path), None),
        None => (directory(dir), Some(file_url(&dir.join(file)))),
    };
    Ok(FilesystemPlace { path, url, extra: Default::default() })
}

/// The URL of an absolute path. Source: RFC 8089.
pub(super) fn file_url(path: &Path) -> String {
    format!("file://{}", percent_encoded(path))
}

/// The path with a final slash. Never lossy: [`Filesystem::new`] takes UTF-8 only and all below it is named by us.
fn directory(path: &Path) -> String {
    let mut text = path.to_string_lossy().into_owned();
    if !text.ends_with('/') {
        text.push('/');
    }
    text
}

/// RFC 3986: unreserved characters and `/` as they are, every other byte as `%XX`.
fn percent_encoded(path: &Path) -> String {
    let mut out = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(*byte)),
            other => write!(out, "%{other:02X}").expect("a String takes everything"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(dir: &Path, file: &str, records: Option<&Path>) -> FilesystemPlace {
        place(dir, file, records).expect("there")
    }

    #[test]
    fn absolute_places_have_the_form_of_the_seed() {
        let place = location(Path::new("/data/packages/model/1.0.0"), "model-1.0.0.tar.gz", None);
        assert_eq!(place.path, "/data/packages/model/1.0.0/");
        assert_eq!(place.url.as_deref(), Some("file:///data/packages/model/1.0.0/model-1.0.0.tar.gz"));
        let place = location(Path::new("/data/größe 1%/x"), "a+b.tar", None);
        assert_eq!(place.url.as_deref(), Some("file:///data/gr%C3%B6%C3%9Fe%201%25/x/a%2Bb.tar"));
    }

    #[test]
    fn places_inside_the_records_repository_are_relative() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |path: &str| dir.path().join(path);
        fsx::create_dir_all(&at("repo/packages/model/1.0.0")).expect("made");
        fsx::create_dir_all(&at("repository/model")).expect("made");
        fsx::symlink(Path::new("repo"), &at("clone")).expect("linked");
        fsx::symlink(Path::new("../repository"), &at("repo/big")).expect("linked");
        for top in ["repo", "clone"] {
            let place = location(&at("repo/packages/model/1.0.0"), "m.tar", Some(&at(top)));
            assert_eq!((place.path.as_str(), place.url), ("packages/model/1.0.0/", None));
        }
        for outside in ["repository/model", "repo/big/model"] {
            let place = location(&at(outside), "m.tar", Some(&at("repo")));
            assert_eq!(place.path, format!("{}/", at(outside).display()));
            assert!(place.url.is_some());
        }
    }
}
