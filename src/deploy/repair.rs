//! Putting back what differs in an installed version, name by name.
//!
//! What shall stand there is made and checked in `staging/`, flushed, and then renamed to its name inside the version
//! directory: stopped at any moment, each name has what it had or what it should have (or, where a file and a directory take
//! each other's place, nothing), and the same command again does the rest. Files are replaced, never written to or changed in place, since they may be files of other versions too. The
//! inventory is replaced last: until then it does not vouch for what is new.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::audit::{Event, What};
use super::inventory::{Item, os_path};
use super::{Error, Finding, Inventory, Receipt, Root, Who};
use crate::fsx::{self, Dir, FileKind, Hand};
use crate::model::{Entry, EntryKind, TreePath};

/// One version to be repaired.
pub struct Repair<'a> {
    /// The version.
    pub receipt: &'a Receipt,
    /// What it shall hold.
    pub expected: &'a Inventory,
    /// What differs and is to be put back.
    pub findings: &'a [Finding],
}

impl Root {
    /// The directory in which [`Root::repair`] wants the files of a version, empty.
    pub fn repair_staging(&self, receipt: &Receipt) -> Result<PathBuf, Error> {
        let staged = self.layout().staged(&receipt.component, &receipt.version);
        fsx::remove_tree(&staged)?;
        fsx::create_dir(&staged)?;
        Ok(staged)
    }

    /// Notes the inodes of a version that was found to be as it should be, if they are others than its inventory has.
    pub fn vouch(&self, receipt: &Receipt, expected: &Inventory) -> Result<(), Error> {
        let dir = self.layout().version(&receipt.component, &receipt.version);
        let seen = expected.clone().seen_in(&dir, &[]);
        match seen {
            // A file that is gone from a mutable version is nothing to vouch for.
            Err(Error::Io(error)) if error.is_nowhere() => Ok(()),
            Err(error) => Err(error),
            Ok(seen) if seen == *expected => Ok(()),
            Ok(seen) => seen.replace(self.layout(), &receipt.component, &receipt.version),
        }
    }

    /// Puts back what differs. `staged` has each file that does, at its path, whole, checked and with its permission bits and
    /// time, and no more is needed of it. What is extra stays, unless it has the name of something that belongs there.
    ///
    /// # Errors
    ///
    /// Names that were not reached are as they were; the same again does the rest.
    pub fn repair(&self, repair: &Repair<'_>, staged: &Path, who: &Who) -> Result<(), Error> {
        let (component, version) = (&repair.receipt.component, &repair.receipt.version);
        let event = Event::new(What::RepairVersion, who).of([(component, version)]);
        self.audited(event, || self.put_back(repair, staged))
    }

    fn put_back(&self, repair: &Repair<'_>, staged: &Path) -> Result<(), Error> {
        let layout = self.layout();
        let (component, version) = (&repair.receipt.component, &repair.receipt.version);
        self.filesystem().flush()?;
        let dir = layout.version(component, version);
        let (top, from) = (Dir::open(&dir)?, Dir::open(staged)?);
        let aside = layout.staging().join(".aside");
        Placing { top, dir: &dir, aside: aside.clone(), from: &from, repair }.all()?;
        let inventory = repair.expected.clone().seen_in(&dir, &[])?;
        self.filesystem().flush()?;
        inventory.replace(layout, component, version)?;
        fsx::remove_tree(&aside)?;
        Ok(fsx::remove_tree(staged)?)
    }
}

/// The version directory being put right.
struct Placing<'a> {
    top: Dir,
    dir: &'a Path,
    /// Where a directory goes that has the name of something else.
    aside: PathBuf,
    from: &'a Dir,
    repair: &'a Repair<'a>,
}

impl Placing<'_> {
    fn all(&self) -> Result<(), Error> {
        let differs: BTreeSet<&TreePath> = self.repair.findings.iter().map(|finding| &finding.path).collect();
        let mut replaced: BTreeSet<&TreePath> = BTreeSet::new();
        let mut touched: BTreeSet<TreePath> = BTreeSet::new();
        for Item { entry, .. } in &self.repair.expected.items {
            // The other names of a file that was replaced still are those of the old one.
            let follows = matches!(&entry.kind, EntryKind::HardLink { to } if replaced.contains(to));
            if !differs.contains(&entry.path) && !follows {
                continue;
            }
            self.directories_above(&entry.path)?;
            match entry.kind {
                EntryKind::Directory => self.directory(&entry.path)?,
                _ => self.other(entry)?,
            }
            replaced.insert(&entry.path);
            touched.extend(entry.path.parent().into_iter().chain([entry.path.clone()]));
        }
        for Item { entry, mode, .. } in self.repair.expected.items.iter().rev() {
            if entry.kind == EntryKind::Directory && touched.contains(&entry.path) {
                self.top.below(os_path(&entry.path))?.seal(*mode, entry.mtime)?;
            }
        }
        Ok(())
    }

    /// Makes the directories that lead to `path`, whether the package names them or not.
    fn directories_above(&self, path: &TreePath) -> Result<(), Error> {
        let above: Vec<TreePath> = std::iter::successors(path.parent(), TreePath::parent).collect();
        above.iter().rev().try_for_each(|directory| self.directory(directory))
    }

    fn found(&self, path: &TreePath) -> Result<Option<FileKind>, Error> {
        Ok(fsx::inspect(&self.dir.join(os_path(path)))?.map(|stat| stat.kind))
    }

    fn directory(&self, path: &TreePath) -> Result<(), Error> {
        let found = self.found(path)?;
        if found == Some(FileKind::Directory) {
            return Ok(());
        }
        let mut hand = Hand::new(&self.top);
        let (dir, name) = hand.place(path.as_bytes())?;
        if found.is_some() {
            dir.remove_file(name)?;
        }
        Ok(dir.create_dir(name)?)
    }

    /// A file or a link: what is at its place in `staging/` takes its name.
    fn other(&self, entry: &Entry) -> Result<(), Error> {
        let path = entry.path.as_bytes();
        let (mut here, mut made) = (Hand::new(&self.top), Hand::new(self.from));
        let ((to, name), (from, source)) = (here.place(path)?, made.place(path)?);
        match &entry.kind {
            EntryKind::Symlink { target } => from.symlink(target, source, entry.mtime)?,
            EntryKind::HardLink { to: first } => {
                let mut first_hand = Hand::new(&self.top);
                let (dir, existing) = first_hand.place(first.as_bytes())?;
                from.hard_link(dir, existing, source)?;
            }
            EntryKind::File { .. } | EntryKind::Directory => {}
        }
        if self.found(&entry.path)? == Some(FileKind::Directory) {
            fsx::remove_tree(&self.aside)?;
            fsx::rename(&self.dir.join(os_path(&entry.path)), &self.aside)?;
        }
        Ok(from.rename(source, to, name)?)
    }
}
