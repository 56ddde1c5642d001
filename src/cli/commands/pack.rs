//! `pack`

use std::path::PathBuf;

use super::publish;
use crate::cli::args::Pack;
use crate::cli::explain::Explain;
use crate::cli::failure::Failure;
use crate::cli::log::Line;
use crate::cli::output::Output;
use crate::cli::progress::Lines;
use crate::cli::settings;
use crate::cli::words::say;
use crate::model::ByteSize;
use crate::ops::{Progress, Site, adopt, pack};

pub(super) fn run(site: &Site, args: &Pack, lines: &Lines, output: &Output) -> Result<(), Failure> {
    let here = settings::working_directory()?;
    let source = args.dir.as_ref().map(|dir| (here.join(dir).components().collect(), dir.display().to_string()));
    // A directory has a slash in its name, or is there.
    let delta_from = args.delta_from.as_deref().map(|text| {
        let path: PathBuf = here.join(text).components().collect();
        let is_there = crate::fsx::inspect_followed(&path)?.is_some();
        match text.parse() {
            Ok(from) if !is_there => Ok(pack::DeltaFrom::Records(from)),
            _ => Ok::<_, crate::fsx::Error>(pack::DeltaFrom::Directory(path)),
        }
    });
    let request = pack::Request {
        delta_from: delta_from.transpose()?,
        component: args.component.clone(),
        source,
        compression: args.compression,
        level: args.level,
        exclude: args.exclude.clone(),
        dereference: args.dereference,
        threads: args.threads,
    };
    let mut site = site.clone();
    if let Some(dir) = &args.output {
        site.config.pack.output = here.join(dir).components().collect();
    }
    let created_at = settings::created_at(&site)?;
    if let Some(file) = &args.index_only {
        let path: PathBuf = here.join(file).components().collect();
        let named = (path.as_path(), &*file.to_string_lossy());
        let (told, dry_run) = (|progress: Progress<'_>| lines.tell(progress), args.dry.dry_run);
        let report = adopt::adopt(&site, named, &args.component, &args.version, created_at, dry_run, &told)?;
        output.report(&report, adopted);
        return Ok(());
    }
    let report =
        pack::pack(&site, &request, &args.version, created_at, args.dry.dry_run, &|progress| lines.tell(progress))?;
    report.warnings.iter().for_each(|trap| output.warn(&trap.explain()));
    if !report.dry_run {
        let line = Line::info("log.packed").with("component", &report.component).with("version", &report.version);
        output.log().write(&line.with_number("files", report.files).with_bytes("size", report.size));
    }
    output.report(&report, text);
    Ok(())
}

fn text(report: &pack::Report) -> String {
    let args = [
        ("component", report.component.to_string()),
        ("version", report.version.to_string()),
        ("files", report.files.to_string()),
        ("bytes", ByteSize(report.bytes).to_string()),
        ("size", ByteSize(report.size).to_string()),
        ("excluded", report.excluded.to_string()),
        ("sha256", report.sha256.to_string()),
        ("tree", report.tree.to_string()),
        ("file", report.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default()),
    ];
    let said = say(if report.dry_run { "pack.would" } else { "pack.done" }, &args);
    let delta = report.delta.as_ref().map(publish::delta);
    [Some(said), delta].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn adopted(report: &adopt::Report) -> String {
    let args = [
        ("component", report.component.to_string()),
        ("version", report.version.to_string()),
        ("file", report.file.display().to_string()),
        ("entries", report.entries.to_string()),
        ("compression", report.compression.name().to_owned()),
        ("sha256", report.sha256.to_string()),
        ("tree", report.tree.to_string()),
    ];
    say(if report.dry_run { "pack.would-adopt" } else { "pack.adopted" }, &args)
}
