//! Manual pages of the program and of each of its commands, from the arguments and the catalogue.
//!
//! Promise: a page says what `--help` says, no more and no less; examples keep their lines.

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, roman};

use super::words::say;

/// A page of section 1.
pub(super) struct Page {
    /// Such as `deploy-tool-version-list`.
    pub name: String,
    /// In roff.
    pub text: String,
}

impl Page {
    /// What its file is called.
    pub fn file(&self) -> String {
        format!("{}.1", self.name)
    }
}

/// The pages of a command and of all below it.
pub(super) fn pages(command: &Command) -> Vec<Page> {
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let mut all = Vec::new();
    collect(&command, &[], &mut all);
    all
}

fn collect(command: &Command, above: &[&str], all: &mut Vec<Page>) {
    let path = [above, &[command.get_name()]].concat();
    all.push(page(command, &path));
    command.get_subcommands().for_each(|sub| collect(sub, &path, all));
}

fn page(command: &Command, path: &[&str]) -> Page {
    let name = path.join("-");
    let man =
        Man::new(command.clone()).title(&name).manual(say("man.manual", &[])).source(format!("deploy-tool {VERSION}"));
    let mut text = Vec::new();
    let sections = [Man::render_title, Man::render_name_section, Man::render_synopsis_section];
    let options = [Man::render_description_section, Man::render_options_section];
    for render in sections.iter().chain(&options) {
        // Memory takes everything.
        let _ = render(&man, &mut text);
    }
    if command.has_subcommands() {
        let _ = man.render_subcommands_section(&mut text);
    }
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if let Some(after) = command.get_after_help() {
        text.push_str(&examples(&after.to_string()));
    }
    Page { name, text }
}

/// What stands below the options in `--help`, line by line.
fn examples(after: &str) -> String {
    let mut roff = Roff::new();
    let lines: Vec<&str> = after.lines().collect();
    roff.control("SH", [say("man.examples", &[]).as_str()]).control("nf", []);
    let heading = say("man.examples-heading", &[]);
    for line in lines.into_iter().skip_while(|line| *line == heading) {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.to_roff()
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
