//! `record list|show`

use serde_json::json;

use crate::cli::args::RecordCommands;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::words::say;
use crate::model::{ByteSize, Place};
use crate::ops::{Site, record};
use crate::records::Published;

pub(super) fn run(site: &Site, args: &RecordCommands, output: &Output) -> Result<(), Failure> {
    match args {
        RecordCommands::List(args) => {
            let listed = record::list(site, args.component.as_ref(), args.at.as_deref())?;
            output.report(&listed, |listed| list(listed));
        }
        RecordCommands::Show(args) => {
            let published = record::show(site, &args.reference, args.at.as_deref())?;
            let json = json!({
                "manifest": published.manifest, "record": published.record, "yanked": published.yanked,
                "commit": published.commit,
            });
            output.report(&json, |_| show(&published));
        }
    }
    Ok(())
}

fn list(listed: &[record::Listed]) -> String {
    if listed.is_empty() {
        return say("record.none", &[]);
    }
    let rows = listed.iter().map(|record| {
        [
            record.component.to_string(),
            record.version.to_string(),
            if record.yanked { say("version.yanked", &[]) } else { String::new() },
            ByteSize(record.size).to_string(),
            record.published_at.to_string(),
            record.locations.join(", "),
        ]
    });
    let header =
        ["column.component", "column.version", "column.state", "column.size", "column.published", "column.locations"];
    table(header, rows)
}

fn show(published: &Published) -> String {
    let package = &published.manifest.package;
    let mut args = vec![
        ("component", published.component().to_string()),
        ("version", published.version().to_string()),
        ("file", package.file.clone()),
        ("size", ByteSize(package.size).to_string()),
        ("algorithm", package.algorithm.name().to_owned()),
        ("sha256", package.checksum.value.to_string()),
        ("tree", package.tree.map(|tree| tree.to_string()).unwrap_or_else(|| "-".to_owned())),
        ("created", published.manifest.component.created_at.to_string()),
        ("published", published.record.published_at.to_string()),
        ("manifest", published.manifest_sha256.to_string()),
        ("commit", published.commit.clone().unwrap_or_else(|| "-".to_owned())),
    ];
    let mut lines: Vec<String> = ["record.name", "record.file", "record.sha256", "record.tree", "record.manifest"]
        .into_iter()
        .chain(["record.created", "record.published", "record.commit"])
        .map(|key| say(key, &args))
        .collect();
    for need in &published.manifest.dependencies {
        args.extend([("need", need.kind.to_string()), ("range", need.version.to_string())]);
        lines.push(say("record.needs", &args));
        args.truncate(args.len() - 2);
    }
    for location in &published.record.locations {
        let path = match &location.place {
            Place::Filesystem(place) => place.url.clone().unwrap_or_else(|| place.path.clone()),
            Place::Other(_) => location.place.kind().to_owned(),
        };
        lines.push(say("record.location", &[("name", location.name.clone()), ("path", path)]));
    }
    if let Some(yank) = &published.yanked {
        let args = [("at", yank.at.to_string()), ("by", yank.by.clone()), ("reason", yank.reason.clone())];
        lines.push(say("record.yanked", &args));
    }
    lines.join("\n")
}
