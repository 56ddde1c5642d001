//! Sentences for what is noticed on the way.

use super::Explain;
use super::remote::git;
use crate::cli::words::Phrase;
use crate::fsx::Weakness;
use crate::ops::{Notice, Unpushed};

impl Explain for Notice {
    fn explain(&self) -> Phrase {
        match self {
            Notice::WeakLock { root, weakness } => Phrase::failed(match weakness {
                Weakness::Lies => "deploy.lock-lies",
                Weakness::Unsupported => "deploy.no-locks",
            })
            .path("root", root),
            Notice::Offline { url, reason } => {
                Phrase::failed("remote.offline").with("url", url).with("reason", git(reason))
            }
            Notice::Unfiltered { url } => Phrase::failed("remote.unfiltered").with("url", url),
            Notice::Unpushed(Unpushed { path, branch, remote }) => {
                Phrase::failed("remote.unpushed").path("path", path).with("branch", branch).with("remote", remote)
            }
        }
    }
}
