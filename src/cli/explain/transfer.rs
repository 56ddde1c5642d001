//! Sentences for how transfers fail.

use super::Explain;
use crate::cli::words::{Phrase, say};
use crate::model::ByteSize;
use crate::transfer::{Attempt, FetchError, Refused, Source, UploadError, Why};

impl Explain for FetchError {
    fn explain(&self) -> Phrase {
        match self {
            FetchError::Store(e) => e.explain(),
            FetchError::Io(e) => e.explain(),
            FetchError::NoSpace { path, needed, free } => Phrase::failed("transfer.no-space")
                .path("path", path)
                .with("needed", needed)
                .with("free", free)
                .with("missing", ByteSize(needed.0.saturating_sub(free.0))),
            FetchError::NoSource { sha256 } => Phrase::failed("transfer.no-source").with("sha256", sha256),
            FetchError::AllFailed { sha256, attempts } => {
                let wrong =
                    attempts.iter().any(|attempt| attempt.why.is_wrong_bytes() || matches!(attempt.why, Why::LeftOut));
                let phrase =
                    if wrong { Phrase::refused("transfer.wrong-bytes") } else { Phrase::failed("transfer.all-failed") };
                let attempts: Vec<_> = attempts.iter().map(attempt).collect();
                phrase.with("sha256", sha256).with("attempts", attempts.join("; "))
            }
        }
    }
}

/// The sentence of one failed attempt, for errors and for warnings of a fetch that went well in the end.
pub fn attempt(attempt: &Attempt) -> String {
    let Source::Filesystem { name, path } = &attempt.source;
    let mut args = vec![("name", name.clone()), ("path", path.display().to_string())];
    let key = match &attempt.why {
        Why::Missing => "transfer.attempt.missing",
        Why::NotAFile => "transfer.attempt.not-a-file",
        Why::Unreadable(e) => {
            args.push(("reason", e.source.to_string()));
            "transfer.attempt.unreadable"
        }
        Why::Truncated { found, expected } => {
            args.extend([("found", found.to_string()), ("expected", expected.to_string())]);
            "transfer.attempt.truncated"
        }
        Why::TooLong { expected } => {
            args.push(("expected", expected.to_string()));
            "transfer.attempt.too-long"
        }
        Why::Digest { found } => {
            args.push(("found", found.to_string()));
            "transfer.attempt.digest"
        }
        Why::LeftOut => "transfer.attempt.left-out",
    };
    let mut text = say(key, &args);
    if let Some(kept) = &attempt.kept {
        text.push_str(&say("transfer.attempt.kept", &[("path", kept.display().to_string())]));
    }
    text
}

impl Explain for Refused {
    fn explain(&self) -> Phrase {
        match self {
            Refused::Outside { name, path } => {
                Phrase::refused("transfer.outside").with("name", name).path("path", path)
            }
            Refused::Climbs { name, path } => Phrase::refused("transfer.climbs").with("name", name).path("path", path),
            Refused::NoWorkTree { name, path } => {
                Phrase::refused("transfer.no-work-tree").with("name", name).path("path", path)
            }
            Refused::FileName { name, file } => {
                Phrase::refused("transfer.file-name").with("name", name).with("file", file)
            }
            Refused::Kind { name, kind } => Phrase::refused("transfer.kind").with("name", name).with("kind", kind),
        }
    }
}

impl Explain for UploadError {
    fn explain(&self) -> Phrase {
        match self {
            UploadError::TooFew { held, required, failures } => {
                let failures: Vec<_> =
                    failures.iter().map(|(name, error)| format!("`{name}`: {}", error.explain().text())).collect();
                Phrase::failed("transfer.too-few")
                    .with("held", held)
                    .with("required", required)
                    .with("failures", failures.join("; "))
            }
        }
    }
}
