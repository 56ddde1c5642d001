//! Completion of what is typed in a shell.
//!
//! ```text
//! completions bash ──▶ script, sourced once ── Tab ──▶ DEPLOY_TOOL_COMPLETE=bash deploy-tool … ──▶ candidates, one a line
//! ```
//!
//! The scripts know nothing of the program: at each Tab they run it with the variable set, and it answers from its own
//! arguments, the records, the root and the store. What is printed for each shell:
//!
//! | shell | arguments | a line |
//! |---|---|---|
//! | bash | `COMP_WORDBREAKS`, the line up to the cursor | what takes the place of the last of bash's words |
//! | zsh | the words up to the cursor | `value:help`, with `\` before what is special in `value` |
//! | fish | the words up to the cursor | value, tab, help |
//!
//! Promises: nothing is written, fetched or asked over the network; whatever is wrong (no configuration, broken records)
//! there are fewer candidates and no message.

mod values;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use clap_complete::engine;

use super::args;

/// The variable that asks for candidates; its value is the shell.
const VARIABLE: &str = "DEPLOY_TOOL_COMPLETE";

/// Ends the word that is typed while the line is split, so that it is seen where it is empty.
const CURSOR: char = '\u{1}';

/// A shell that there is a script for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// What the shell has to read.
    pub fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("bash.sh"),
            Self::Zsh => include_str!("zsh.sh"),
            Self::Fish => include_str!("fish.fish"),
        }
    }
}

/// Prints the candidates and says so, where a shell has asked for them.
pub(super) fn answered() -> bool {
    let Some(shell) = std::env::var_os(VARIABLE) else { return false };
    let shell = shell.to_str().and_then(|name| Shell::from_str(name, false).ok());
    let args = std::env::args_os().skip(1).collect();
    let lines = shell.and_then(|shell| candidates(shell, args)).unwrap_or_default();
    let _ = std::io::stdout().write_all(lines.as_bytes());
    true
}

fn candidates(shell: Shell, mut args: Vec<OsString>) -> Option<String> {
    let (words, cut) = if shell == Shell::Bash {
        let line = args.pop()?.into_string().ok()?;
        let breaks = args.pop()?.into_string().ok()?;
        let words = split(&line)?;
        let cut = words.last()?.rfind(|c| breaks.contains(c)).map_or(0, |at| at + 1);
        (words, cut)
    } else {
        (args.into_iter().map(|word| word.to_string_lossy().into_owned()).collect(), 0)
    };
    let current = words.last()?.clone();
    let place = words.len().checked_sub(1).filter(|place| *place > 0)?;
    let mut command = values::attach(args::command(), "", &Arc::new(words.clone()));
    let words = words.into_iter().map(OsString::from).collect();
    let found = engine::complete(&mut command, words, place, Some(Path::new("."))).ok()?;
    let all: Vec<_> = found.iter().filter_map(|found| Some((found.get_value().to_str()?, found.get_help()))).collect();
    // Options are for who asks for them, or where there is nothing else.
    let is_option = |value: &str| value.starts_with('-');
    let options = is_option(&current) || all.iter().all(|(value, _)| is_option(value));
    let mut lines = String::new();
    for (value, help) in all.into_iter().filter(|(value, _)| options || !is_option(value)) {
        let help = help.map(ToString::to_string);
        let help = help.as_deref().and_then(|help| help.lines().next()).filter(|help| !help.is_empty());
        match (shell, help) {
            (Shell::Bash, _) => lines.push_str(shlex::try_quote(value.get(cut..)?).ok()?.as_ref()),
            (Shell::Zsh, help) => {
                lines.push_str(&value.replace('\\', r"\\").replace(':', r"\:"));
                lines.extend(help.map(|help| format!(":{help}")));
            }
            (Shell::Fish, help) => {
                lines.push_str(value);
                lines.extend(help.map(|help| format!("\t{help}")));
            }
        }
        lines.push('\n');
    }
    Some(lines)
}

/// The words of a line that may end within quotes. The last one is the one at the cursor.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = ["", "\"", "'"].iter().find_map(|end| shlex::split(&format!("{line}{CURSOR}{end}")))?;
    let last = words.pop()?;
    words.push(last.trim_end_matches(CURSOR).to_owned());
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_up_to_the_cursor() {
        assert_eq!(split("deploy-tool de").expect("words"), ["deploy-tool", "de"]);
        assert_eq!(split("deploy-tool ").expect("words"), ["deploy-tool", ""]);
        assert_eq!(split("deploy-tool 'a b").expect("words"), ["deploy-tool", "a b"]);
        assert_eq!(split("deploy-tool \"a b").expect("words"), ["deploy-tool", "a b"]);
    }
}
