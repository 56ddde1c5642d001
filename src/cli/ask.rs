//! The question before what cannot be taken back.
//!
//! It is asked only where somebody can answer: stdin and stderr are terminals. A script or a bot is never asked, so that none
//! hangs; what it calls is what it wants.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::args::{DryRun, Sure};
use super::failure::Failure;
use super::paint::Ink;
use super::words::{Phrase, say};

/// Asks, unless the user said yes before or nothing is written. There is no question where there is nothing to lose.
pub(super) fn confirmed(
    sure: &Sure,
    dry: &DryRun,
    question: impl FnOnce() -> Result<Option<String>, Failure>,
) -> Result<(), Failure> {
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if sure.yes || dry.dry_run || !stdin.is_terminal() || !stderr.is_terminal() {
        return Ok(());
    }
    let Some(question) = question()? else { return Ok(()) };
    let asked = format!("{} {} ", Ink::Warning.paint(question), say("ask.choice", &[]));
    let _ = anstream::AutoStream::auto(&mut stderr).write_all(asked.as_bytes());
    let _ = stderr.flush();
    let mut answer = String::new();
    let _ = stdin.lock().read_line(&mut answer);
    let answer = answer.trim().to_lowercase();
    match say("ask.answers", &[]).split(' ').any(|yes| yes == answer) {
        true => Ok(()),
        false => Err(Failure::of(Phrase::failed("ask.declined"))),
    }
}
