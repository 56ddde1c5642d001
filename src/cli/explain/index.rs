//! Sentences for what is no index.

use super::{Explain, system};
use crate::cli::words::{Phrase, say};
use crate::model::{Amount, IndexError, LineFault, Stream};

impl Explain for IndexError {
    fn explain(&self) -> Phrase {
        match self {
            IndexError::Shape(e) => e.explain(),
            IndexError::Newer { found } => Phrase::refused("index.newer").with("found", found),
            IndexError::Limit { what, found, limit } => {
                Phrase::refused("index.limit").with("what", amount(*what)).with("found", found).with("limit", limit)
            }
            IndexError::Mode { path, mode } => {
                Phrase::refused("index.mode").with("path", path).with("mode", format_args!("{mode:04o}"))
            }
            IndexError::Misplaced { path, offset } => {
                Phrase::refused("index.misplaced").with("path", path).with("offset", offset)
            }
            IndexError::Tiling { what, piece } => {
                Phrase::refused("index.tiling").with("what", stream(*what)).with("piece", piece)
            }
            IndexError::Zstd(e) => Phrase::refused("index.zstd").with("reason", system(e)),
            IndexError::Json { line, source } => bad_line(*line, source.to_string()),
            IndexError::Line { line, what } => bad_line(*line, fault(*what)),
            IndexError::Path { line, reason } => bad_line(*line, reason.explain().text()),
            IndexError::LongLine { line } => Phrase::refused("index.long-line").with("line", line),
            IndexError::Short { line } => Phrase::refused("index.short").with("line", line),
            IndexError::Long { line } => Phrase::refused("index.long").with("line", line),
        }
    }
}

fn bad_line(line: usize, reason: String) -> Phrase {
    Phrase::refused("index.line").with("line", line).with("reason", reason)
}

fn amount(amount: Amount) -> String {
    let key = match amount {
        Amount::Entries => "index.entries",
        Amount::Ends => "index.ends",
        Amount::Stored => "index.stored",
        Amount::Holes => "index.holes",
        Amount::Piece => "index.piece",
    };
    say(key, &[])
}

fn stream(stream: Stream) -> String {
    let key = match stream {
        Stream::Archive => "index.archive",
        Stream::Tar => "index.tar",
    };
    say(key, &[])
}

fn fault(fault: LineFault) -> String {
    let key = match fault {
        LineFault::Path => "index.no-path",
        LineFault::File => "index.no-file",
        LineFault::Target => "index.no-target",
        LineFault::Link => "index.no-link",
        LineFault::Mode => "index.no-mode",
    };
    say(key, &[])
}
