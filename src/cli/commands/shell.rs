//! `completions` and `man`

use serde_json::json;

use crate::cli::args::{self, Completions, Man};
use crate::cli::failure::Failure;
use crate::cli::man::{self, Page};
use crate::cli::output::Output;
use crate::cli::settings;
use crate::cli::words::{Phrase, say};
use crate::fsx;

pub(super) fn completions(args: &Completions, output: &Output) -> Result<(), Failure> {
    let script = args.shell.script();
    output.report(&json!({"script": script}), |_| script.to_owned());
    Ok(())
}

pub(super) fn man(args: &Man, output: &Output) -> Result<(), Failure> {
    let pages = man::pages(&args::command());
    let Some(dir) = &args.output else {
        let name = [&["deploy-tool".to_owned()], args.command.as_slice()].concat().join("-");
        let Some(page) = pages.into_iter().find(|page| page.name == name) else {
            return Err(Failure::of(Phrase::not_found("man.no-command").with("command", args.command.join(" "))));
        };
        output.report(&json!({"page": page.text}), |_| page.text.clone());
        return Ok(());
    };
    let dir = settings::working_directory()?.join(dir);
    let paths: Vec<_> = pages.iter().map(|page| dir.join(Page::file(page))).collect();
    if !args.dry_run {
        fsx::create_dir_all(&dir)?;
        for (page, path) in pages.iter().zip(&paths) {
            fsx::write_atomic(path, page.text.as_bytes())?;
        }
    }
    let words = [("count", paths.len().to_string()), ("path", dir.display().to_string())];
    let key = if args.dry_run { "man.would" } else { "man.wrote" };
    output.report(&json!({"files": paths, "dry_run": args.dry_run}), |_| say(key, &words));
    Ok(())
}
