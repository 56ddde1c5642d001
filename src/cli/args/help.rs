//! The words of help: every text, heading and mark of it from the catalogue.
//!
//! clap has English words of its own for headings, `[default: …]` and the two flags that every command has; each of them is
//! replaced by what clap offers for that: a template, the end of an argument's text, a flag of our own.

use std::fmt::Write as _;

use clap::builder::Styles;
use clap::{Arg, ArgAction, Command, CommandFactory as _};

use super::Cli;
use crate::cli::usage;
use crate::cli::words::{say, say_opt};

/// Where clap puts the flags that every command has: behind all others.
const LAST: usize = 999;

/// The command with every word of its help from the catalogue.
pub(in crate::cli) fn command() -> Command {
    let mut command = localize(Cli::command(), "help");
    command.build();
    laid_out(command)
}

fn localize(command: Command, path: &str) -> Command {
    let about = say_opt(path);
    let after = say_opt(&format!("{path}.examples"));
    let mut command =
        command.disable_help_flag(true).disable_version_flag(true).arg(flag("help", 'h', ArgAction::Help));
    if command.get_version().is_some() {
        command = command.arg(flag("version", 'V', ArgAction::Version));
    }
    command = command.mut_args(|arg| describe(arg, path));
    if let Some(about) = about {
        let aliases = command.get_all_aliases().map(str::to_owned).collect::<Vec<_>>();
        command = command.about(if aliases.is_empty() { about } else { about + &mark("usage.alias", &aliases) });
    }
    if let Some(after) = after {
        command = command.after_help(after);
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(&name, |sub| localize(sub, &format!("{path}.{name}")));
    }
    command
}

fn flag(id: &'static str, short: char, action: ArgAction) -> Arg {
    Arg::new(id).short(short).long(id).action(action).display_order(LAST)
}

fn describe(arg: Arg, path: &str) -> Arg {
    let id = arg.get_id().as_str().to_owned();
    // What stands directly below `help` are the names of commands.
    let own = if path == "help" { None } else { say_opt(&format!("{path}.{id}")) };
    let Some(mut words) = own.or_else(|| say_opt(&format!("help.any.{id}"))) else { return arg };
    if !arg.get_action().takes_values() {
        return arg.help(words);
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let possible: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    for (key, values) in [("usage.default", defaults), ("usage.possible", possible)] {
        if !values.is_empty() {
            words += &mark(key, &values);
        }
    }
    arg.help(words).hide_default_value(true).hide_possible_values(true)
}

/// ` [default: .]` and the like, as clap has them.
fn mark(key: &'static str, values: &[String]) -> String {
    format!(" [{}]", say(key, &[("values", values.join(", "))]))
}

/// The same command with headings in the language. Only a command that is built knows the line that says how to use it.
fn laid_out(mut command: Command) -> Command {
    let header = *Styles::styled().get_header();
    let usage = usage::line(&command.render_usage().ansi().to_string());
    let mut template = format!("{{before-help}}{{about-with-newline}}\n{usage}\n");
    let sections = [
        ("usage.commands", "subcommands", command.has_subcommands()),
        ("usage.arguments", "positionals", command.get_positionals().next().is_some()),
        ("usage.options", "options", true),
    ];
    for (key, tag, _) in sections.into_iter().filter(|(.., any)| *any) {
        let _ = write!(template, "\n{header}{}:{header:#}\n{{{tag}}}\n", say(key, &[]));
    }
    template.truncate(template.trim_end().len());
    template.push_str("{after-help}");
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    command = command.help_template(template);
    for name in names {
        command = command.mut_subcommand(&name, laid_out);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wordless(command: &Command, path: &str, out: &mut Vec<String>) {
        if command.get_about().is_none() {
            out.push(path.to_owned());
        }
        for arg in command.get_arguments().filter(|arg| arg.get_help().is_none()) {
            out.push(format!("{path} {}", arg.get_id()));
        }
        for sub in command.get_subcommands() {
            wordless(sub, &format!("{path} {}", sub.get_name()), out);
        }
    }

    fn keys(command: &Command, path: &str, out: &mut std::collections::BTreeSet<String>) {
        out.extend([path.to_owned(), format!("{path}.examples")]);
        for arg in command.get_arguments() {
            out.extend([format!("{path}.{}", arg.get_id()), format!("help.any.{}", arg.get_id())]);
        }
        for sub in command.get_subcommands() {
            keys(sub, &format!("{path}.{}", sub.get_name()), out);
        }
    }

    #[test]
    fn no_words_of_help_are_left_over() {
        let mut command = command();
        command.build();
        let mut used = std::collections::BTreeSet::new();
        keys(&command, "help", &mut used);
        let lines = include_str!("../words/en.txt").lines().filter_map(|line| line.split_once(" = "));
        let known = lines.map(|(key, _)| key).filter(|key| *key == "help" || key.starts_with("help."));
        let left: Vec<_> = known.filter(|key| !used.contains(*key)).collect();
        assert_eq!(left, Vec::<&str>::new());
    }

    #[test]
    fn an_option_does_not_get_the_words_of_a_command_of_its_name() {
        let help = |id: &str| {
            let command = command();
            let arg = command.get_arguments().find(|arg| arg.get_id() == id).and_then(Arg::get_help);
            arg.map(ToString::to_string)
        };
        assert_eq!(help("store"), say_opt("help.any.store"));
        assert_ne!(help("store"), say_opt("help.store"));
    }

    #[test]
    fn every_command_and_argument_has_words() {
        let command = command();
        command.clone().debug_assert();
        let mut missing = Vec::new();
        wordless(&command, "deploy-tool", &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }

    /// The examples of a help text as words, without comments and what the shell does besides.
    fn examples(after: &str) -> Vec<Vec<String>> {
        let calls = after.lines().flat_map(|line| line.split(" && ")).flat_map(|line| line.split(" || "));
        let calls = calls.map(str::trim).filter(|line| line.starts_with("deploy-tool"));
        let call = |line: &str| line.split("   ").next().unwrap_or(line).split(['|', '>']).next().map(str::to_owned);
        calls.filter_map(call).map(|call| shlex::split(&call).expect("words")).collect()
    }

    fn each(command: &Command, path: &str, see: &mut impl FnMut(&Command, &str)) {
        see(command, path);
        command.get_subcommands().for_each(|sub| each(sub, &format!("{path} {}", sub.get_name()), see));
    }

    #[test]
    fn every_command_shows_examples_that_are_commands() {
        let all = command();
        let mut count = 0;
        each(&all, "deploy-tool", &mut |command, path| {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("Examples:\n"), "`{path} --help` shows no examples");
            let examples = examples(&after);
            let own = |words: &Vec<String>| format!("{} ", words.join(" ")).starts_with(&format!("{path} "));
            assert!(examples.iter().any(own), "`{path} --help` shows no example of itself");
            for words in examples {
                count += 1;
                let read = super::command().try_get_matches_from(&words);
                assert!(
                    read.is_ok(),
                    "`{path} --help`: {words:?}: {}",
                    read.err().map(|e| e.to_string()).unwrap_or_default()
                );
            }
        });
        assert!(count > 70, "only {count} were read");
    }
}
