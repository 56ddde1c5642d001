//! `env list|show|diff|set|promote`

use super::{deploy, propose, trust};
use crate::cli::args::EnvCommands;
use crate::cli::explain;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::words::{Phrase, say};
use crate::ops::Site;
use crate::ops::env::{self, Diff, Difference, Edit, Edited, Listed, Origin, PinState, Shown, Side};

pub(super) fn run(site: Site, args: &EnvCommands, output: &Output) -> Result<(), Failure> {
    let site = &match args {
        EnvCommands::Set(args) => trust::with_key(propose::site(site, &args.propose), args.sign.as_deref())?,
        EnvCommands::Promote(args) => trust::with_key(propose::site(site, &args.propose), args.sign.as_deref())?,
        _ => site,
    };
    match args {
        EnvCommands::List(args) => output.report(&env::list(site, args.at.as_deref())?, |listed| list(listed)),
        EnvCommands::Show(args) => output.report(&env::show(site, &args.name, args.at.as_deref())?, show),
        EnvCommands::Diff(args) => {
            output.report(&env::diff(site, &args.name, args.other.as_ref(), args.at.as_deref())?, diff);
        }
        EnvCommands::Set(args) => {
            let edit = Edit { set: args.references.clone(), remove: args.remove.clone() };
            tell(&env::set(site, &args.env, &edit, args.dry.dry_run)?, output);
        }
        EnvCommands::Promote(args) => {
            tell(&env::promote(site, &args.from, &args.to, &args.components, args.dry.dry_run)?, output);
        }
    }
    Ok(())
}

fn list(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return say("env.none", &[]);
    }
    let rows = listed.iter().map(|environment| {
        let components = environment.components.iter().map(|(component, version)| format!("{component}@{version}"));
        [environment.name.to_string(), environment.serial.to_string(), components.collect::<Vec<_>>().join(" ")]
    });
    table(["column.environment", "column.serial", "column.components"], rows)
}

fn show(shown: &Shown) -> String {
    let args = [
        ("name", shown.name.to_string()),
        ("serial", shown.serial.to_string()),
        ("commit", short(shown.commit.as_deref())),
    ];
    let rows = shown.components.iter().map(|pinned| {
        let state = match pinned.state {
            PinState::Recorded => "env.recorded",
            PinState::Yanked => "version.yanked",
            PinState::NotRecorded => "env.not-recorded",
            PinState::OtherPackage => "env.other-package",
        };
        [pinned.component.to_string(), pinned.version.to_string(), say(state, &[]), pinned.sha256.to_string()]
    });
    let table = table(["column.component", "column.version", "column.state", "column.sha256"], rows);
    format!("{}\n{table}", say("env.head", &args))
}

fn diff(diff: &Diff) -> String {
    let args = [("from", origin(&diff.from)), ("to", origin(&diff.to)), ("same", diff.same.to_string())];
    if diff.changes.is_empty() {
        return say("env.same", &args);
    }
    let is_root = matches!(diff.from, Origin::Root { .. });
    let left = diff.changes.iter().any(|change| change.to.is_none()).then_some("env.kept").filter(|_| is_root);
    let lines = [say("env.differ", &args), changes(&diff.changes)].into_iter();
    lines.chain(left.map(|key| say(key, &[]))).collect::<Vec<_>>().join("\n")
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Root { path, release: Some(release) } => {
            say("env.root", &[("path", path.display().to_string()), ("release", release.to_string())])
        }
        Origin::Root { path, release: None } => say("env.root-empty", &[("path", path.display().to_string())]),
        Origin::Environment { name, serial, commit } => say(
            "env.origin",
            &[("name", name.to_string()), ("serial", serial.to_string()), ("commit", short(commit.as_deref()))],
        ),
    }
}

fn changes(changes: &[Difference]) -> String {
    let version =
        |side: &Option<Side>| side.as_ref().map_or_else(|| say("release.none", &[]), |s| s.version.to_string());
    let digest = |side: &Option<Side>| side.as_ref().and_then(|s| s.sha256).map(|d| d.short()).unwrap_or_default();
    let line = |change: &Difference| {
        let key = match (&change.from, &change.to) {
            (Some(from), Some(to)) if from.version == to.version => "env.moved-package",
            _ => "release.moved",
        };
        let args = [
            ("component", change.component.to_string()),
            ("from", version(&change.from)),
            ("to", version(&change.to)),
            ("was", digest(&change.from)),
            ("is", digest(&change.to)),
        ];
        let costs = change.cost.as_ref().map(deploy::fetched);
        std::iter::once(say(key, &args)).chain(costs).collect::<Vec<_>>().join("\n")
    };
    changes.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn tell(edited: &Edited, output: &Output) {
    for unmet in &edited.unmet {
        output.warn(&Phrase::failed("env.unmet").with("what", explain::unmet(unmet)));
    }
    trust::tell_missing(&edited.missing, output);
    propose::warn(edited.proposed.as_ref(), output);
    output.report(edited, |edited| {
        let args = [
            ("environment", edited.environment.to_string()),
            ("serial", edited.serial.to_string()),
            ("commit", short(edited.commit.as_deref())),
            ("branch", edited.branch.clone().unwrap_or_default()),
        ];
        if edited.changes.is_empty() {
            return say("env.unchanged", &args);
        }
        let key = match (edited.dry_run, edited.is_new) {
            (false, _) if edited.proposed.is_some() => "env.proposed",
            (true, true) => "env.would-make",
            (true, false) => "env.would-set",
            (false, true) => "env.made",
            (false, false) => "env.was-set",
        };
        let proposed = edited.proposed.as_ref();
        let proposed = proposed.map(|proposed| propose::text(proposed, edited.branch.as_deref(), edited.dry_run));
        [changes(&edited.changes), say(key, &args)].into_iter().chain(proposed).collect::<Vec<_>>().join("\n")
    });
}

fn short(commit: Option<&str>) -> String {
    commit.map_or_else(|| "-".to_owned(), |commit| commit.chars().take(12).collect())
}
