//! The package on its way into the store and, as the same bytes, into the copy that the output directory is to have.
//!
//! The copy spares reading and writing the package once more when it is whole, and nothing else: whatever goes wrong with
//! it, the store has the package, and [`Outgoing::place`] copies from there.

use std::io::{self, Write};
use std::path::Path;

use super::Error;
use crate::fsx::{self, Draft};
use crate::model::Sha256;
use crate::store::{Incoming, Store};

/// A package being written.
pub(super) struct Outgoing<'s> {
    incoming: Incoming<'s>,
    copy: Option<Draft>,
}

impl<'s> Outgoing<'s> {
    /// Begins a package for the store and, if it is to have a copy, for the directory `output`, which may not exist yet.
    pub fn begin(store: &'s Store, output: Option<&Path>) -> Result<Self, Error> {
        let incoming = store.incoming()?;
        let copy = output.and_then(|output| begin_copy(store, &incoming, output));
        Ok(Self { incoming, copy })
    }

    /// Puts the package into the store, durably; returns its digest and length, and the copy.
    pub fn commit(self) -> Result<((Sha256, u64), Option<Draft>), Error> {
        Ok((self.incoming.commit()?, self.copy))
    }

    /// Replaces `to` with a copy of the package, durably: with `copy`, or with what is at `from`.
    pub fn place(copy: Option<Draft>, from: &Path, to: &Path) -> Result<(), Error> {
        match copy.map(|copy| copy.place(to)) {
            Some(Ok(())) => Ok(()),
            // Two mounts of one file system, say.
            Some(Err(_)) | None => Ok(fsx::copy_atomic(from, to)?),
        }
    }
}

/// `None` where a copy could not be moved to `output`, or costs nothing later.
fn begin_copy(store: &Store, incoming: &Incoming<'_>, output: &Path) -> Option<Draft> {
    let device = |path: &Path| fsx::inspect_followed(path).ok().flatten().map(|stat| stat.device);
    if output.ancestors().find_map(device)? != device(store.directory())? {
        return None;
    }
    store.outgoing().ok().filter(|copy| !copy.can_share(incoming.file()))
}

impl Write for Outgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.incoming.write(bytes)?;
        if let Some(copy) = &mut self.copy
            && copy.add(bytes.get(..count).unwrap_or(bytes)).is_err()
        {
            self.copy = None;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_copy_that_fails_or_cannot_be_moved_is_made_from_the_store() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("store"), Duration::ZERO).expect("created");
        let output = dir.path().join("not/yet");
        let pack = |spoil: &dyn Fn(&mut Outgoing<'_>)| {
            let mut outgoing = Outgoing::begin(&store, Some(&output)).expect("begun");
            outgoing.write_all(b"the ").expect("written");
            spoil(&mut outgoing);
            outgoing.write_all(b"package").expect("written");
            let ((sha256, size), copy) = outgoing.commit().expect("committed");
            assert_eq!((sha256, size), (Sha256::of(b"the package"), 11));
            (store.path(&sha256).expect("readable").expect("there"), copy)
        };
        for spoil in [&(|_: &mut Outgoing<'_>| {}) as &dyn Fn(&mut Outgoing<'_>), &|outgoing| outgoing.copy = None] {
            let (from, copy) = pack(spoil);
            // Where the output directory is missing, neither way leads there.
            let to = output.join("a.tar");
            let _ = fsx::remove_tree(&dir.path().join("not"));
            assert!(Outgoing::place(copy, &from, &to).is_err());
            fsx::create_dir_all(&output).expect("made");
            let (from, copy) = pack(spoil);
            Outgoing::place(copy, &from, &to).expect("placed");
            assert_eq!(fsx::read(&to).expect("there"), b"the package");
            assert_eq!(fsx::inspect(&to).expect("readable").expect("there").mode, 0o644);
            assert!(fsx::list(&store.directory().join("tmp")).expect("listed").is_empty());
        }
    }
}
