//! Sentences for how transfers fail.

use super::Explain;
use crate::cli::words::{Phrase, say};
use crate::model::ByteSize;
use crate::target;
use crate::transfer::{Attempt, FetchError, Refused, UploadError, Why};

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
            FetchError::Thread(e) => Phrase::failed("transfer.thread").with("reason", super::system(e)),
            FetchError::Stopped => Phrase::failed("transfer.stopped"),
            FetchError::Disagree { expected, found } => {
                Phrase::refused("transfer.disagree").with("expected", expected).with("found", found)
            }
            FetchError::NoSource { sha256 } => Phrase::failed("transfer.no-source").with("sha256", sha256),
            FetchError::AllFailed { sha256, attempts } => {
                let wrong =
                    attempts.iter().any(|attempt| attempt.why.is_wrong_bytes() || matches!(attempt.why, Why::LeftOut));
                let phrase = match attempts.iter().any(|attempt| attempt.why.is_denied()) {
                    _ if wrong => Phrase::refused("transfer.wrong-bytes"),
                    true => Phrase::failed("transfer.denied"),
                    false => Phrase::failed("transfer.all-failed"),
                };
                phrase.with("sha256", sha256).with("attempts", sentences(attempts).join("; "))
            }
        }
    }
}

/// The sentences of failed attempts, for errors and for warnings of a fetch that went well in the end. What a source
/// failed with twice is said once.
pub fn sentences<'a>(attempts: impl IntoIterator<Item = &'a Attempt>) -> Vec<String> {
    let mut said: Vec<(String, usize)> = Vec::new();
    for attempt in attempts {
        let sentence = sentence(attempt);
        let asked = !matches!(attempt.why, Why::NotRead(_) | Why::LeftOut);
        match said.iter_mut().find(|(known, _)| *known == sentence) {
            Some((_, times)) => *times += usize::from(asked),
            None => said.push((sentence, 1)),
        }
    }
    let tell = |(sentence, times)| match times {
        1 => sentence,
        _ => say("transfer.attempt.again", &[("attempt", sentence), ("times", times.to_string())]),
    };
    said.into_iter().map(tell).collect()
}

fn sentence(attempt: &Attempt) -> String {
    let mut args = vec![("name", attempt.name.clone()), ("path", attempt.place.clone())];
    let key = match &attempt.why {
        Why::Missing => "transfer.attempt.missing",
        Why::Unreadable(e) => {
            let reason = match e {
                target::Error::Io(e) => super::system(&e.source),
                target::Error::Remote { fault, .. } => super::target::fault(fault),
                other => other.explain().text(),
            };
            args.push(("reason", reason));
            "transfer.attempt.unreadable"
        }
        Why::Broken(e) => {
            args.push(("reason", super::system(e)));
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
        Why::Piece { number, offset, length } => {
            args.extend([("number", number.to_string()), ("offset", offset.to_string())]);
            args.push(("length", ByteSize(*length).to_string()));
            "transfer.attempt.piece"
        }
        Why::Head => "transfer.attempt.head",
        Why::OtherRange { asked, got } => {
            args.extend([("asked", asked.to_string()), ("got", got.to_string())]);
            "transfer.attempt.other-range"
        }
        Why::Silent { after, bytes } => {
            args.extend([("seconds", super::target::seconds(*after)), ("bytes", bytes.to_string())]);
            if *bytes == 0 { "transfer.attempt.silent" } else { "transfer.attempt.trickle" }
        }
        Why::LeftOut => "transfer.attempt.left-out",
        Why::NotRead(refused) => return refused.explain().text(),
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
            Refused::Place { name, reason } => {
                Phrase::refused("transfer.place").with("name", name).with("reason", reason.explain().text())
            }
            Refused::Broken { name, reason } => {
                Phrase::usage("transfer.place").with("name", name).with("reason", reason.explain().text())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sha256;

    fn attempt(name: &str, why: Why) -> Attempt {
        Attempt { name: name.to_owned(), place: "/p".to_owned(), why, kept: None }
    }

    #[test]
    fn what_fails_twice_in_the_same_way_is_said_once() {
        let found = Sha256::of(b"other");
        let attempts = vec![
            attempt("near", Why::Digest { found }),
            attempt("near", Why::Digest { found }),
            attempt("far", Why::Truncated { found: 3, expected: 5 }),
            attempt("far", Why::TooLong { expected: 5 }),
            attempt("old", Why::Missing),
        ];
        let expected = [
            format!("`/p` of `near` has sha256 {found} (asked 2 times)"),
            "`/p` of `far` ends after 3 of 5 bytes".to_owned(),
            "`/p` of `far` has more than 5 bytes".to_owned(),
            "`old` has no file `/p`".to_owned(),
        ];
        assert_eq!(sentences(&attempts), expected);
        let error = FetchError::AllFailed { sha256: found, attempts };
        assert!(error.explain().text().ends_with(&expected.join("; ")));
    }
}
