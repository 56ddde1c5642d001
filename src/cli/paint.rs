//! Colour: text is painted here and printed through streams that take the paint off again where nobody wants it.
//!
//! Who wants it: `--color` first, then `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb`, and at last whether the stream is a terminal.
//! A stream whose reader has gone takes no more, which is no failure of ours: nothing here panics or complains.

use std::fmt::Display;
use std::io::Write as _;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

/// What a word means.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ink {
    Error,
    Warning,
    Hint,
    Good,
}

impl Ink {
    fn style(self) -> Style {
        let bold = |color: AnsiColor| color.on_default().bold();
        match self {
            Self::Error => bold(AnsiColor::Red),
            Self::Warning => bold(AnsiColor::Yellow),
            Self::Hint => bold(AnsiColor::Cyan),
            Self::Good => AnsiColor::Green.on_default(),
        }
    }

    /// The words in this ink.
    pub fn paint(self, words: impl Display) -> String {
        let style = self.style();
        format!("{style}{words}{style:#}")
    }
}

/// What `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// What stands among the arguments, for when they cannot be read.
    pub fn of_args() -> Self {
        let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let next = args.windows(2).filter(|pair| pair[0] == "--color").map(|pair| pair[1].as_str());
        let joined = args.iter().filter_map(|arg| arg.strip_prefix("--color="));
        next.chain(joined).find_map(|word| Self::from_str(word, false).ok()).unwrap_or_default()
    }

    /// The same in clap's words.
    pub fn for_help(self) -> clap::ColorChoice {
        match self {
            Self::Auto => clap::ColorChoice::Auto,
            Self::Always => clap::ColorChoice::Always,
            Self::Never => clap::ColorChoice::Never,
        }
    }

    /// Makes it so for both streams, and for tables.
    pub fn use_everywhere(self) {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
        .write_global();
        // Tables are always painted; what is not wanted is taken off where it is printed.
        crossterm::style::force_color_output(true);
    }
}

/// Prints to stdout.
pub(super) fn out(text: &str) {
    let _ = AutoStream::auto(std::io::stdout()).write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
}

/// Prints a line to stderr.
pub(super) fn err_line(text: &str) {
    let _ = AutoStream::auto(std::io::stderr()).write_all(format!("{text}\n").as_bytes());
}
