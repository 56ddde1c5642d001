//! The sections that name places: records, publish targets, the deployment root, the store.

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::checks::{health, hooks};
use super::error::{Error, Problem};
use super::forge::forge;
use super::reader::{Context, Item, keys, path};
use super::settings::{Deploy, Keep, Link, Publish, Records, RepositoryPlace, Store, Target, Verify};
use super::suggest::nearest;
use super::targets::target;
use super::trust::trust;
use crate::model::{ByteSize, RepositoryUrl, Span};

const DEFAULT_KEEP: u32 = 5;
const DEFAULT_CONNECTIONS: usize = 4;
const MAX_CONNECTIONS: i64 = 256;
const DEFAULT_STALL: Duration = Duration::from_secs(30);
const DEFAULT_MEMORY: ByteSize = ByteSize(64 << 20);
const LINKS: [(&str, Link); 4] =
    [("auto", Link::Auto), ("reflink", Link::Reflink), ("hardlink", Link::Hardlink), ("copy", Link::Copy)];
const VERIFY: [(&str, Verify); 3] =
    [("receipt", Verify::Receipt), ("always", Verify::Always), ("whole", Verify::Whole)];
const DEFAULT_STORE_SIZE: ByteSize = ByteSize(50 << 30);

/// `records`.
pub(super) fn records(item: Option<Item<'_>>, base: &Path) -> Result<Records, Error> {
    let known = ["repository", "branch", "directory", "sign", "remote", "forge"];
    let [repository, branch, directory, sign, remote, forge] = keys(item, known)?;
    let branch = branch.map(|item| match item.text()? {
        name if git2::Branch::name_is_valid(&name).unwrap_or(false) => Ok(name),
        _ => Err(item.error(Problem::Branch { value: item.shown() })),
    });
    Ok(Records {
        repository: repository.map(|item| repository_place(&item, base)).transpose()?,
        branch: branch.transpose()?,
        directory: directory.map(|item| inside(&item)).transpose()?.unwrap_or_else(|| "records".into()),
        sign: path(sign, base)?,
        remote: remote.map(|item| self::remote(&item)).transpose()?,
        forge: forge.map(self::forge).transpose()?,
    })
}

/// The name of a remote: git takes it as an argument, and one with a dash would be an option.
fn remote(item: &Item<'_>) -> Result<String, Error> {
    let name = item.text()?;
    match git2::Remote::is_valid_name(&name) && !name.starts_with('-') {
        true => Ok(name),
        false => Err(item.error(Problem::Remote { value: item.shown() })),
    }
}

/// What git would take for a URL is one, everything else a path.
fn repository_place(item: &Item<'_>, base: &Path) -> Result<RepositoryPlace, Error> {
    match item.text().map(|text| RepositoryUrl::parse(&text)) {
        Ok(Ok(Some(url))) => Ok(RepositoryPlace::Url(url)),
        Ok(Err(reason)) => Err(item.error(Problem::RepositoryUrl { reason })),
        Ok(Ok(None)) | Err(_) => item.path(base).map(RepositoryPlace::Path),
    }
}

/// A path that cannot leave the directory it is joined to; empty for that directory itself.
fn inside(item: &Item<'_>) -> Result<PathBuf, Error> {
    let text = item.text()?;
    if text.contains('\0') {
        return Err(item.error(Problem::NotAPath { value: item.shown() }));
    }
    let mut path = PathBuf::new();
    for component in Path::new(&text).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            _ => return Err(item.error(Problem::LeadsOut { value: item.shown() })),
        }
    }
    Ok(path)
}

/// `publish`.
pub(super) fn publish(item: Option<Item<'_>>, base: &Path) -> Result<Publish, Error> {
    let [default, require, target_items] = keys(item, ["default", "require", "targets"])?;
    let mut targets = Vec::new();
    for (key, item) in target_items.map(Item::entries).transpose()?.into_iter().flatten() {
        targets.push(target(&key, item, base)?);
    }
    let writable = || targets.iter().filter(|target| target.place.is_writable());
    let default = match default {
        Some(item) => {
            let items = item.list()?;
            let read_only = |name: &str| targets.iter().any(|t| t.name == name && !t.place.is_writable());
            if let Some(item) = items.iter().find(|item| item.text().is_ok_and(|name| read_only(&name))) {
                return Err(item.error(Problem::ReadOnlyTarget { name: item.shown() }));
            }
            names(items, &targets, &mut HashSet::new())?
        }
        None => writable().map(|target| target.name.clone()).collect(),
    };
    let require = match require {
        Some(item) => item.number(1, i64::try_from(default.len()).unwrap_or(i64::MAX).max(1))?,
        None => 1,
    };
    Ok(Publish { default, require: usize::try_from(require).unwrap_or(1), targets })
}

/// Names of targets that exist, none of them in `seen` yet.
fn names(items: Vec<Item<'_>>, targets: &[Target], seen: &mut HashSet<String>) -> Result<Vec<String>, Error> {
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        let name = item.text()?;
        let known = || targets.iter().map(|target| target.name.as_str());
        if !known().any(|existing| existing == name) {
            let nearest = nearest(&name, known());
            let known = known().map(str::to_owned).collect();
            return Err(item.error(Problem::NoTarget { name: item.shown(), nearest, known }));
        }
        if !seen.insert(name.clone()) {
            return Err(item.error(Problem::Repeated { name: item.shown() }));
        }
        names.push(name);
    }
    Ok(names)
}

/// `deploy`; its sources are targets of `publish`.
pub(super) fn deploy(item: Option<Item<'_>>, base: &Path, publish: &Publish) -> Result<Deploy, Error> {
    let known = [
        "root",
        "sources",
        "connections",
        "bandwidth",
        "stall_timeout",
        "memory",
        "custom_links",
        "link",
        "share_with",
        "verify",
        "keep",
        "allow_shared_root",
        "hooks",
        "health",
        "confirm",
        "trust",
    ];
    let [
        root,
        sources,
        connections,
        bandwidth,
        stall_timeout,
        memory,
        custom_links,
        link,
        share_with,
        verify,
        keep,
        allow_shared_root,
        hook_items,
        health_item,
        confirm,
        trust_item,
    ] = keys(item, known)?;
    let sources = match sources {
        Some(item) => tiers(item, &publish.targets)?,
        None => {
            let (backups, others): (Vec<_>, Vec<_>) = publish.targets.iter().partition(|target| target.backup);
            let tier = |targets: Vec<&Target>| targets.into_iter().map(|target| target.name.clone()).collect();
            [others, backups].map(tier).into_iter().filter(|tier: &Vec<String>| !tier.is_empty()).collect()
        }
    };
    let [last, days] = keys(keep, ["last", "days"])?;
    let count = |item: Option<Item<'_>>| -> Result<Option<u32>, Error> {
        item.map(|item| Ok(u32::try_from(item.number(0, i64::from(u32::MAX))?).unwrap_or(u32::MAX))).transpose()
    };
    Ok(Deploy {
        root: path(root, base)?,
        sources,
        connections: match connections {
            Some(item) => usize::try_from(item.number(1, MAX_CONNECTIONS)?).unwrap_or(DEFAULT_CONNECTIONS),
            None => DEFAULT_CONNECTIONS,
        },
        bandwidth: bandwidth.map(|item| self::bandwidth(&item)).transpose()?,
        stall_timeout: match stall_timeout {
            Some(item) => match span(&item)? {
                span if span < Duration::from_secs(1) => return Err(item.error(Problem::Span { value: item.shown() })),
                span => span,
            },
            None => DEFAULT_STALL,
        },
        memory: match memory {
            Some(item) => item.parse(|value, _| Problem::Size { value })?,
            None => DEFAULT_MEMORY,
        },
        custom_links: links(custom_links, base)?,
        allow_shared_root: allow_shared_root.map(|item| item.boolean()).transpose()?.unwrap_or(false),
        hooks: hooks(hook_items, base)?,
        health: health(health_item, base)?,
        confirm: confirm
            .map(|item| item.parse(|value, _| Problem::Span { value }))
            .transpose()?
            .filter(|Span(span)| !span.is_zero()),
        link: link.map(|item| item.choice(&LINKS)).transpose()?.unwrap_or_default(),
        share_with: paths(share_with, base)?,
        verify: verify.map(|item| item.choice(&VERIFY)).transpose()?.unwrap_or_default(),
        keep: Keep { last: count(last)?.unwrap_or(DEFAULT_KEEP), days: count(days)? },
        trust: trust_item.map(|item| trust(item, base)).transpose()?,
    })
}

fn paths(item: Option<Item<'_>>, base: &Path) -> Result<Vec<PathBuf>, Error> {
    item.map(Item::list).transpose()?.into_iter().flatten().map(|item| item.path(base)).collect()
}

/// Bytes of each second: a size, with or without `/s`; at least one.
fn bandwidth(item: &Item<'_>) -> Result<ByteSize, Error> {
    let text = item.text()?;
    let size = text.trim_end().strip_suffix("/s").unwrap_or(&text).parse().ok();
    let size = size.filter(|size: &ByteSize| size.0 > 0);
    size.ok_or_else(|| item.error(Problem::Size { value: item.shown() }))
}

/// A time that is not zero.
pub(super) fn span(item: &Item<'_>) -> Result<Duration, Error> {
    let Span(span) = item.parse(|value, _| Problem::Span { value })?;
    if span.is_zero() { Err(item.error(Problem::Span { value: item.shown() })) } else { Ok(span) }
}

fn tiers(item: Item<'_>, targets: &[Target]) -> Result<Vec<Vec<String>>, Error> {
    let mut seen = HashSet::new();
    let mut tiers = Vec::new();
    for item in item.list()? {
        let tier = if item.is_list() { item.list()? } else { vec![item] };
        tiers.push(names(tier, targets, &mut seen)?);
    }
    tiers.retain(|tier| !tier.is_empty());
    Ok(tiers)
}

fn links(item: Option<Item<'_>>, base: &Path) -> Result<BTreeMap<PathBuf, PathBuf>, Error> {
    let mut links = BTreeMap::new();
    for (key, item) in item.map(Item::entries).transpose()?.into_iter().flatten() {
        // Joined to nothing, a relative path stays one and shows itself.
        let link = key.path(Path::new(""))?;
        if !link.is_absolute() {
            return Err(key.error(Problem::NotAbsolute { value: key.shown() }));
        }
        if links.insert(link.clone(), item.path(base)?).is_some() {
            return Err(key.error(Problem::SecondLink { path: link }));
        }
    }
    Ok(links)
}

/// `store`.
pub(super) fn store(item: Option<Item<'_>>, base: &Path, context: &Context<'_>) -> Result<Store, Error> {
    let [given, max_size] = keys(item, ["path", "max_size"])?;
    let cache = (context.env)("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = cache.or_else(|| context.home.map(|home| home.join(".cache")));
    let default = cache.map_or_else(|| base.join(".deploy-tool/store"), |cache| cache.join("deploy-tool"));
    Ok(Store {
        path: path(given, base)?.unwrap_or(default),
        max_size: match max_size {
            Some(item) => item.parse(|value, _| Problem::Size { value })?,
            None => DEFAULT_STORE_SIZE,
        },
    })
}
