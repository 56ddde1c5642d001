//! Sentences for why a delta was not made, or not used.

use super::{Explain, system};
use crate::cli::words::{Phrase, say};
use crate::delta::{Amount, ApplyError, HeaderError, JobFault, LineFault, MakeError, Unmade};
use crate::ops::patch::NotApplied;

impl Explain for NotApplied {
    fn explain(&self) -> Phrase {
        match self {
            NotApplied::Fetch(error) => error.explain(),
            NotApplied::Apply(error) => error.explain(),
        }
    }
}

impl Explain for ApplyError {
    fn explain(&self) -> Phrase {
        match self {
            ApplyError::Header(error) => error.explain(),
            ApplyError::NotMade { path } => Phrase::refused("delta.not-made").with("path", path),
            ApplyError::Read(error) => Phrase::failed("delta.read").with("reason", system(error)),
            ApplyError::Packed { job, length, expected, found } => Phrase::refused("delta.packed")
                .with("job", job)
                .with("length", length)
                .with("expected", expected)
                .with("found", found),
            ApplyError::Old { path, source } => {
                Phrase::failed("delta.old").with("path", path).with("reason", source.explain().text())
            }
            ApplyError::BaseChanged { path } => Phrase::refused("delta.base-changed").with("path", path),
            ApplyError::Job { job, what } => Phrase::refused("delta.job").with("job", job).with("reason", unmade(what)),
            ApplyError::File { path, expected, found } => {
                Phrase::refused("delta.file").with("path", path).with("expected", expected).with("found", found)
            }
            ApplyError::Fs(error) => error.explain(),
            ApplyError::Stopped => Phrase::failed("transfer.stopped"),
        }
    }
}

impl Explain for HeaderError {
    fn explain(&self) -> Phrase {
        let damage = match self {
            HeaderError::Newer { found } => return Phrase::refused("delta.newer").with("found", found),
            HeaderError::OtherTarget { expected, found } => {
                return Phrase::refused("delta.other-target").with("expected", expected).with("found", found);
            }
            HeaderError::Foreign => Phrase::refused("delta.foreign"),
            HeaderError::Zstd(error) => Phrase::refused("delta.zstd").with("reason", system(error)),
            HeaderError::Line { line, what } => {
                Phrase::refused("delta.line").with("line", line).with("reason", self::line(what))
            }
            HeaderError::Path { line, reason } => {
                Phrase::refused("delta.line").with("line", line).with("reason", reason.explain().text())
            }
            HeaderError::Limit { what, found, limit } => {
                Phrase::refused("delta.limit").with("what", amount(*what)).with("found", found).with("limit", limit)
            }
            HeaderError::Job { job, what } => {
                Phrase::refused("delta.bad-job").with("job", job).with("reason", self::job(*what))
            }
            HeaderError::Tiling { end, size } => Phrase::refused("delta.tiling").with("end", end).with("size", size),
            HeaderError::Untiled { path } => Phrase::refused("delta.untiled").with("path", path),
            HeaderError::NoFile { job, entry } => {
                Phrase::refused("delta.no-file").with("job", job).with("entry", entry)
            }
        };
        Phrase::refused("delta.damaged").with("reason", damage.text())
    }
}

impl Explain for MakeError {
    fn explain(&self) -> Phrase {
        match self {
            MakeError::Fs(error) => error.explain(),
            MakeError::Header(error) => error.explain(),
            MakeError::Write(error) => Phrase::failed("delta.write").with("reason", system(error)),
            MakeError::Changed { path } => Phrase::failed("delta.changed").with("path", path),
            MakeError::Encode(reason) => Phrase::failed("delta.encode").with("reason", reason),
            MakeError::Unfaithful { job } => Phrase::failed("delta.unfaithful").with("job", job),
            MakeError::Threads(reason) => Phrase::failed("delta.threads").with("reason", reason),
        }
    }
}

fn line(fault: &LineFault) -> String {
    match fault {
        LineFault::Json(error) => error.to_string(),
        LineFault::NoPath => say("index.no-path", &[]),
        LineFault::TooLong => say("delta.too-long", &[]),
        LineFault::TooFew => say("delta.too-few", &[]),
        LineFault::TooMany => say("delta.too-many", &[]),
    }
}

fn amount(amount: Amount) -> String {
    let key = match amount {
        Amount::OldFiles => "delta.old-files",
        Amount::Jobs => "delta.jobs",
        Amount::Segments => "delta.segments",
        Amount::JobSegments => "delta.job-segments",
        Amount::JobNew => "delta.job-new",
        Amount::JobOld => "delta.job-old",
        Amount::JobPacked => "delta.job-packed",
        Amount::Header => "delta.header",
    };
    say(key, &[])
}

fn job(fault: JobFault) -> String {
    let key = match fault {
        JobFault::Empty => "delta.job-empty",
        JobFault::Outside => "delta.job-outside",
        JobFault::Copy => "delta.job-copy",
        JobFault::Prefix => "delta.job-prefix",
        JobFault::Plain => "delta.job-plain",
        JobFault::Uneven => "delta.job-uneven",
        JobFault::Cut => "delta.job-cut",
    };
    say(key, &[])
}

fn unmade(unmade: &Unmade) -> String {
    match unmade {
        Unmade::Decode(reason) => reason.clone(),
        Unmade::Short => say("delta.made-short", &[]),
        Unmade::Uneven => say("delta.job-uneven", &[]),
        Unmade::Digest => say("delta.made-other", &[]),
        Unmade::OldDigest => say("delta.made-from-other", &[]),
    }
}
