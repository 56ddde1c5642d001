//! From the located tree to settings: one function a section, and what the sections must agree on.
//!
//! A key is known by standing in its section's call of [`keys`]; adding one is adding it there and to the settings.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{Error, Problem};
use super::log::{log, metrics};
use super::places::{deploy, publish, records, store};
use super::reader::{Context, Item, keys, path, text};
use super::settings::{Component, Config, DEFAULT_EXCLUDES, Mtime, Pack, Project, levels};
use super::targets::octal;
use crate::model::{Choice, ComponentType, Compression, Dependency, Platform};

const VERSION: u64 = 1;
const MAX_THREADS: i64 = 1024;

/// The whole file.
pub(super) fn config(root: Item<'_>, context: &Context<'_>) -> Result<Config, Error> {
    // Before anything else: a newer file has keys that are no mistakes.
    if let Some(version) = root.peek("version")? {
        match version.text()?.parse() {
            Ok(VERSION) => {}
            Ok(found) if found > VERSION => return Err(version.error(Problem::NewerVersion { found })),
            _ => version.choice(&[("1", ())])?,
        }
    }
    let known = ["version", "project", "components", "pack", "records", "publish", "deploy", "store", "log", "metrics"];
    let [
        _,
        project_item,
        component_items,
        pack_item,
        records_item,
        publish_item,
        deploy_item,
        store_item,
        log_item,
        metrics_item,
    ] = keys(Some(root), known)?;
    let base = context.file.parent().unwrap_or(Path::new(""));
    let project = project(project_item, base)?;
    let pack = pack(pack_item, base)?;
    let components = components(component_items, &project, &pack)?;
    let records = records(records_item, base)?;
    let publish = publish(publish_item, base)?;
    let deploy = deploy(deploy_item, base, &publish)?;
    let store = store(store_item, base, context)?;
    let (log, metrics) = (log(log_item, base)?, metrics(metrics_item, base)?);
    Ok(Config { base: base.to_owned(), project, components, pack, records, publish, deploy, store, log, metrics })
}

fn project(item: Option<Item<'_>>, base: &Path) -> Result<Project, Error> {
    let [name, kind, description, root] = keys(item, ["name", "type", "description", "root"])?;
    let directory = || base.file_name().map_or_else(|| "project".to_owned(), |n| n.to_string_lossy().into_owned());
    Ok(Project {
        name: text(name)?.unwrap_or_else(directory),
        kind: text(kind)?,
        description: text(description)?,
        root: path(root, base)?.unwrap_or_else(|| base.to_owned()),
    })
}

fn pack(item: Option<Item<'_>>, base: &Path) -> Result<Pack, Error> {
    let known = ["output", "compression", "level", "exclude", "threads"];
    let [output, compression, level, exclude, threads] = keys(item, known)?;
    let compression =
        compression.map(|item| self::compression(&item)).transpose()?.unwrap_or(Choice::Fixed(Compression::Gzip));
    let mut pack = Pack {
        output: path(output, base)?.unwrap_or_else(|| base.join("dist")),
        compression,
        level: Default::default(),
        exclude: DEFAULT_EXCLUDES.map(str::to_owned).to_vec(),
        threads: None,
    };
    match level {
        Some(item) if item.is_mapping() => {
            for (key, item) in item.entries()? {
                let compression = codec(&key)?;
                pack.level.insert(compression, self::level(&item, compression)?);
            }
        }
        Some(item) => {
            pack.level.insert(compression.codec(), self::level(&item, compression.codec())?);
        }
        None => {}
    }
    pack.exclude.extend(patterns(exclude)?);
    if let Some(item) = threads {
        pack.threads = usize::try_from(item.number(1, MAX_THREADS)?).ok();
    }
    Ok(pack)
}

fn compression(item: &Item<'_>) -> Result<Choice, Error> {
    let choices: Vec<_> = Choice::names().filter_map(|name| Some((name, Choice::named(name)?))).collect();
    item.choice(&choices)
}

fn codec(item: &Item<'_>) -> Result<Compression, Error> {
    item.choice(&Compression::ALL.map(|compression| (compression.name(), compression)))
}

fn level(item: &Item<'_>, compression: Compression) -> Result<i32, Error> {
    let range = levels(compression).ok_or_else(|| item.error(Problem::NoLevels { compression }))?;
    let level = item.number(i64::from(*range.start()), i64::from(*range.end()))?;
    Ok(i32::try_from(level).unwrap_or(*range.end()))
}

fn patterns(item: Option<Item<'_>>) -> Result<Vec<String>, Error> {
    let mut patterns = Vec::new();
    for item in item.map(Item::list).transpose()?.into_iter().flatten() {
        let pattern = item.text()?;
        if let Err(error) = ignore::gitignore::GitignoreBuilder::new("").add_line(None, &pattern) {
            let reason = match error {
                ignore::Error::Glob { err, .. } => err,
                other => other.to_string(),
            };
            return Err(item.error(Problem::Pattern { value: item.shown(), reason }));
        }
        patterns.push(pattern);
    }
    Ok(patterns)
}

fn components(
    item: Option<Item<'_>>,
    project: &Project,
    pack: &Pack,
) -> Result<BTreeMap<ComponentType, Component>, Error> {
    let mut components = BTreeMap::new();
    for (key, item) in item.map(Item::entries).transpose()?.into_iter().flatten() {
        let kind = component_type(&key)?;
        let component = component(&kind, item, project, pack)?;
        components.insert(kind, component);
    }
    Ok(components)
}

fn component_type(key: &Item<'_>) -> Result<ComponentType, Error> {
    let name = key.text_as_written();
    name.parse().map_err(|reason| key.error(Problem::ComponentType { name: key.shown(), reason }))
}

fn component(kind: &ComponentType, item: Item<'_>, project: &Project, pack: &Pack) -> Result<Component, Error> {
    let known =
        ["source", "description", "compression", "mutable", "depends", "mtime", "exclude", "platform", "mode", "group"];
    let [source, description, compression, mutable, depends, mtime, exclude, platform, mode, group] =
        keys(Some(item), known)?;
    let mut component = Component::plain(kind, &project.root, pack);
    if let Some(item) = source {
        component.source = item.path(&project.root)?;
        component.source_as_written = item.text_as_written().to_owned();
    }
    component.description = text(description)?;
    if let Some(item) = compression {
        component.compression = self::compression(&item)?;
    }
    if let Some(item) = mutable {
        component.mutable = item.boolean()?;
    }
    for (key, item) in depends.map(Item::entries).transpose()?.into_iter().flatten() {
        let needed = component_type(&key)?;
        if needed == *kind {
            return Err(key.error(Problem::SelfDependency));
        }
        let requirement = |value, reason: semver::Error| Problem::Requirement { value, reason: reason.to_string() };
        component.depends.push(Dependency { kind: needed, version: item.parse(requirement)? });
    }
    component.depends.sort_by(|a, b| a.kind.cmp(&b.kind));
    if let Some(item) = mtime {
        component.mtime = item.choice(&[("normalize", Mtime::Normalize), ("keep", Mtime::Keep)])?;
    }
    component.exclude.extend(patterns(exclude)?);
    // Without its own bits the owner could neither replace nor remove what is deployed.
    component.mode = mode.map(|item| octal(&item)).transpose()?.map(|mode| mode | 0o700);
    component.group = text(group)?;
    let [os, arch] = keys(platform, ["os", "arch"])?;
    let platform = Platform { os: text(os)?, arch: text(arch)? };
    component.platform = (platform.os.is_some() || platform.arch.is_some()).then_some(platform);
    Ok(component)
}
