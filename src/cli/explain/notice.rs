//! Sentences for what is noticed on the way.

use super::Explain;
use crate::cli::words::Phrase;
use crate::fsx::Weakness;
use crate::ops::Notice;

impl Explain for Notice {
    fn explain(&self) -> Phrase {
        match self {
            Notice::WeakLock { root, weakness } => Phrase::failed(match weakness {
                Weakness::Lies => "deploy.lock-lies",
                Weakness::Unsupported => "deploy.no-locks",
            })
            .path("root", root),
        }
    }
}
