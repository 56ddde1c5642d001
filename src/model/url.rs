//! The address of a git repository that is reached by URL.

use std::fmt;

/// A URL that git can fetch from and push to: `file://…`, `ssh://…`, `http://…`, `https://…`, or `user@host:path` as scp has
/// it. It holds no password, so it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepositoryUrl(String);

/// Why a text is no such URL. None of them shows the text: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RepositoryUrlError {
    /// A scheme that is not one of ours. Some of git's run programs.
    #[error("the scheme is none of file, ssh, http, https")]
    Scheme,
    /// A password or token before the host; it would lie in files and lists of processes.
    #[error("a password stands in it")]
    Password,
    /// No host, no path, a control character, or something that a program would take for an option.
    #[error("it is no URL of a repository")]
    Malformed,
}

const SCHEMES: [&str; 4] = ["file", "ssh", "http", "https"];

impl RepositoryUrl {
    /// What git would take for a URL; `None` for a path. As git has it, a colon before the first slash makes an scp-like
    /// address, so a path with one is written `./a:b`.
    ///
    /// # Errors
    ///
    /// A URL that is not used: see [`RepositoryUrlError`].
    pub fn parse(text: &str) -> Result<Option<Self>, RepositoryUrlError> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.:".contains(&b)) => {
                (Some(scheme), rest)
            }
            _ => (None, text),
        };
        let (host, path) = match (scheme, rest.split_once(':')) {
            (Some(scheme), _) if !SCHEMES.contains(&scheme) => return Err(RepositoryUrlError::Scheme),
            (Some(_), _) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            (None, Some((host, path))) if !host.contains('/') => (host, path),
            (None, _) => return Ok(None),
        };
        let (login, name) = host.rsplit_once('@').map_or((None, host), |(login, name)| (Some(login), name));
        if login.is_some_and(|login| login.contains(':')) {
            return Err(RepositoryUrlError::Password);
        }
        let local = scheme == Some("file");
        let sound = !path.trim_start_matches('/').is_empty()
            && (local || !name.is_empty())
            && !host.starts_with('-')
            && !name.starts_with('-')
            // `helper::address` runs the program `git-remote-helper`.
            && !path.starts_with(':')
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if sound { Ok(Some(Self(text.to_owned()))) } else { Err(RepositoryUrlError::Malformed) }
    }

    /// The URL as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_takes_for_a_url_is_one_and_everything_else_is_a_path() {
        for url in [
            "file:///srv/records.git",
            "ssh://git@host:2222/records.git",
            "https://host/records",
            "http://mei@host/records",
            "git@host:records.git",
            "host:/srv/records.git",
        ] {
            assert_eq!(RepositoryUrl::parse(url), Ok(Some(RepositoryUrl(url.to_owned()))), "{url}");
        }
        for path in ["records", "/srv/records.git", "../records", "./a:b", "/a:b", "~/records", "."] {
            assert_eq!(RepositoryUrl::parse(path), Ok(None), "{path}");
        }
    }

    #[test]
    fn what_would_run_programs_or_show_a_password_is_refused() {
        use RepositoryUrlError::{Malformed, Password, Scheme};
        for (url, why) in [
            ("ext::sh://-c/evil", Scheme),
            ("ftp://host/records", Scheme),
            ("https://mei:secret@host/records", Password),
            ("ext::sh -c evil", Malformed),
            ("ext::evil", Malformed),
            ("-oProxyCommand=evil:records", Malformed),
            ("ssh://-oProxyCommand=evil/records", Malformed),
            ("ssh://git@-oProxyCommand=evil/records", Malformed),
            ("https:///records", Malformed),
            ("https://host", Malformed),
            ("git@host:", Malformed),
            ("host:a\nb", Malformed),
        ] {
            assert_eq!(RepositoryUrl::parse(url), Err(why), "{url}");
        }
    }
}
