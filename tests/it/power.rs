//! What a power cut may leave of a run of the program; the contract is in the header of `power_cut.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::time::SystemTime;

use super::random::Random;
use super::scene::Scene;
use super::stepped::{self, Disk, Id, Node, Step, TOP};

/// The unit in which a disk writes: of a disk it is 512 bytes or more, of persistent memory no more than this.
const SECTOR: usize = 64;

/// A run as the disk sees it: changes, and when each of them was forced to it.
pub struct Run {
    start: Disk,
    /// What each inode is when it is made: a directory or file is empty.
    born: BTreeMap<Id, Node>,
    changes: Vec<Change>,
    flushes: BTreeSet<usize>,
    /// The first point of the last command.
    pub begin: usize,
    /// The last point: the end of the run.
    pub end: usize,
}

struct Change {
    /// The point behind which it was made.
    at: usize,
    /// The first point by which a flush had covered it.
    durable: Option<usize>,
    what: What,
}

/// What reaches the disk as a whole or not at all.
enum What {
    /// Names, each in its directory, get or lose an inode: one name, or the two of a rename.
    Names(Vec<(Id, String, Option<Id>)>),
    /// A file's bytes. They alone may also be torn.
    Content(Id, Rc<Vec<u8>>),
    /// Permission bits and, of a file, its time.
    Meta(Id, u32, Option<SystemTime>),
}

/// What became of a change that no flush had covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Kept,
    Lost,
    /// Of a file's bytes some; anything else is lost.
    Torn,
}

impl Run {
    /// Runs the commands one after the other on what was saved.
    pub fn of(scene: &Scene, commands: &[&[&str]]) -> Self {
        let steps = stepped::run(scene, commands);
        let start = steps[0].disk.clone();
        let is_start = |step: &Step| step.line == stepped::START;
        let begin = steps.iter().rposition(is_start).expect("every command starts");
        let mut run = Self {
            start,
            born: BTreeMap::new(),
            changes: Vec::new(),
            flushes: BTreeSet::new(),
            begin,
            end: steps.len() - 1,
        };
        for (at, pair) in steps.windows(2).enumerate() {
            run.compare(at, &pair[0].disk, &pair[1].disk);
        }
        for (at, step) in steps.iter().enumerate() {
            let Some(flush) = Flush::of(step, &scene.env.path("")) else { continue };
            run.flushes.insert(at);
            for change in run.changes.iter_mut().filter(|change| change.at < at && change.durable.is_none()) {
                change.durable = flush.covers(&change.what).then_some(at + 1);
            }
        }
        run
    }

    fn compare(&mut self, at: usize, before: &Disk, after: &Disk) {
        let mut push = |what| self.changes.push(Change { at, durable: None, what });
        for names in moved(before, after) {
            push(What::Names(names));
        }
        for (id, node) in &after.nodes {
            self.born.entry(*id).or_insert_with(|| node.empty());
            match (before.nodes.get(id), node) {
                (None, Node::File { content, .. }) if !content.is_empty() => {
                    push(What::Content(*id, Rc::clone(content)))
                }
                (Some(Node::File { content: old, .. }), Node::File { content, .. }) if old != content => {
                    push(What::Content(*id, Rc::clone(content)));
                }
                (Some(Node::File { mode: old, modified: was, .. }), Node::File { mode, modified, .. })
                    if (old, was) != (mode, modified) =>
                {
                    push(What::Meta(*id, *mode, Some(*modified)));
                }
                (Some(Node::Directory { mode: old, .. }), Node::Directory { mode, .. }) if old != mode => {
                    push(What::Meta(*id, *mode, None));
                }
                _ => {}
            }
        }
    }

    /// How many changes were made, those before [`Self::begin`] too.
    pub fn changes(&self) -> usize {
        self.changes.len()
    }

    /// Whether something is flushed at `point`.
    pub fn is_flush(&self, point: usize) -> bool {
        self.flushes.contains(&point)
    }

    /// The changes that a power cut at `point` may lose: made before it, and covered by no flush that had returned.
    pub fn at_stake(&self, point: usize) -> Vec<usize> {
        let at_stake = |change: &Change| change.at < point && change.durable.is_none_or(|durable| durable > point);
        (0..self.changes.len()).filter(|index| at_stake(&self.changes[*index])).collect()
    }

    /// What is on the disk after a power cut at `point`; `fates` is asked about each change at stake.
    pub fn cut(&self, point: usize, random: &mut Random, fates: impl Fn(usize, &mut Random) -> Fate) -> Disk {
        let at_stake: BTreeSet<usize> = self.at_stake(point).into_iter().collect();
        let mut disk = self.start.clone();
        for (index, change) in self.changes.iter().enumerate().filter(|(_, change)| change.at < point) {
            let fate = if at_stake.contains(&index) { fates(index, random) } else { Fate::Kept };
            if fate == Fate::Lost || (fate == Fate::Torn && !matches!(change.what, What::Content(..))) {
                continue;
            }
            match &change.what {
                What::Names(names) => names.iter().for_each(|(dir, name, id)| self.name(&mut disk, *dir, name, *id)),
                What::Content(id, new) => {
                    if let Node::File { content, .. } = self.node(&mut disk, *id) {
                        *content =
                            if fate == Fate::Torn { Rc::new(torn(content, new, random)) } else { Rc::clone(new) };
                    }
                }
                What::Meta(id, new, time) => match self.node(&mut disk, *id) {
                    Node::Directory { mode, .. } => *mode = *new,
                    Node::File { mode, modified, .. } => (*mode, *modified) = (*new, time.unwrap_or(*modified)),
                    Node::Link(_) => {}
                },
            }
        }
        disk
    }

    fn node<'d>(&self, disk: &'d mut Disk, id: Id) -> &'d mut Node {
        disk.nodes.entry(id).or_insert_with(|| self.born[&id].clone())
    }

    fn name(&self, disk: &mut Disk, dir: Id, name: &str, id: Option<Id>) {
        if let Some(id) = id
            && matches!(self.node(disk, id), Node::Directory { .. })
        {
            // A directory has one name: the later one, whatever became of the change that took the earlier away.
            for node in disk.nodes.values_mut() {
                if let Node::Directory { names, .. } = node {
                    names.retain(|_, other| *other != id);
                }
            }
        }
        if let Node::Directory { names, .. } = self.node(disk, dir) {
            match id {
                Some(id) => names.insert(name.to_owned(), id),
                None => names.remove(name),
            };
        }
    }
}

/// A name in a directory, and what it leads to afterwards.
type Named = (Id, String, Option<Id>);

/// The names that differ, those together that one rename moved.
fn moved(before: &Disk, after: &Disk) -> Vec<Vec<Named>> {
    let mut groups: Vec<(BTreeSet<Id>, Vec<Named>)> = Vec::new();
    for (dir, node) in &after.nodes {
        let Node::Directory { names, .. } = node else { continue };
        let gone = before.names(*dir).map(|(name, _)| name).filter(|name| !names.contains_key(*name));
        for name in names.keys().chain(gone) {
            let (old, new) = (before.get(*dir, name), after.get(*dir, name));
            if old == new {
                continue;
            }
            let (ids, change) = (BTreeSet::from_iter(old.into_iter().chain(new)), (*dir, name.clone(), new));
            match groups.iter_mut().find(|(others, _)| !others.is_disjoint(&ids)) {
                Some((others, changes)) => {
                    others.extend(ids);
                    changes.push(change);
                }
                None => groups.push((ids, vec![change])),
            }
        }
    }
    groups.into_iter().map(|(_, changes)| changes).collect()
}

/// `new`, of which only some got to the disk: a part, zeros, or some sectors and zeros. What `new` only adds to stays.
fn torn(old: &[u8], new: &[u8], random: &mut Random) -> Vec<u8> {
    let kept = if new.starts_with(old) { old.len() } else { 0 };
    let mut bytes = new.to_vec();
    match random.below(3) {
        0 => bytes.truncate(kept + random.below((new.len() - kept).max(1))),
        1 => bytes[kept..].fill(0),
        _ => {
            for sector in bytes.chunks_mut(SECTOR).skip(kept / SECTOR) {
                if random.coin() {
                    sector.fill(0);
                }
            }
            bytes[..kept].copy_from_slice(&new[..kept]);
        }
    }
    bytes
}

/// A point at which something is flushed.
enum Flush {
    /// One file or directory.
    One(Id),
    /// The root's file system, which holds nothing of these.
    All(BTreeSet<Id>),
}

impl Flush {
    fn of(step: &Step, top: &Path) -> Option<Self> {
        let action = step.line.split_once(' ')?.1;
        if action.starts_with("flush the file system of ") {
            let others = step.disk.names(TOP).filter(|(name, _)| *name != "root");
            return Some(Self::All(others.flat_map(|(_, id)| step.disk.below(id)).collect()));
        }
        let path = Path::new(action.strip_prefix("flush ")?).strip_prefix(top).ok()?;
        step.disk.at(path).map(Self::One)
    }

    fn covers(&self, what: &What) -> bool {
        let covers = |id: &Id| match self {
            Self::One(flushed) => flushed == id,
            Self::All(others) => !others.contains(id),
        };
        match what {
            What::Names(names) => names.iter().any(|(dir, name, _)| match (self, *dir) {
                (Self::All(_), TOP) => name == "root",
                _ => covers(dir),
            }),
            What::Content(id, _) | What::Meta(id, ..) => covers(id),
        }
    }
}
