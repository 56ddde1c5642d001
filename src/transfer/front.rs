//! A content whose first bytes say what pieces follow, such as a delta: its front is brought first, then the rest, which
//! somebody reads in the partial file while it comes.

use super::plan::Layout;
use super::shared::Machine;
use super::{FetchError, Fetched, Fetcher, Source, Stopped, Wanted, require_space};
use crate::codec::{Buffer, Form};
use crate::model::{Blake3, Sha256};
use crate::store::Partial;

/// The first bytes of a content.
#[derive(Debug, Clone, Copy)]
pub struct Front {
    /// Their sha256.
    pub sha256: Sha256,
    /// How many they are; more than none, and not all.
    pub size: u64,
}

/// Told how far a content has come from its start; it may end the fetch.
pub type Came<'a> = dyn FnMut(u64) -> Result<(), Stopped> + 'a;

impl Fetcher<'_> {
    /// Brings the first bytes of a content. They are kept in its partial file, where the next fetch finds them.
    ///
    /// # Errors
    ///
    /// As [`Fetcher::fetch`].
    pub fn front(
        &self,
        wanted: &Wanted,
        front: &Front,
        tiers: &[Vec<Source>],
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<(Vec<u8>, Fetched), FetchError> {
        let mut bytes = Vec::new();
        let mut sink = |_: Form, piece: &mut Buffer| {
            bytes.extend_from_slice(piece.filled());
            Ok(())
        };
        let partial = self.store().partial_unreserved(&wanted.sha256, wanted.size)?;
        let machine = Machine { partial: Some(partial), material: None };
        let layout = Layout::front(front.sha256, front.size, wanted.size);
        let fetched = self.bring(wanted, layout, machine, tiers, &mut sink, told)?;
        Ok((bytes, fetched))
    }

    /// Brings what follows `front`: pieces, each with its length and the digest it is checked by, into `partial`, which becomes
    /// the content in the store. `came` is told of every byte that is in its place, with all bytes before it.
    ///
    /// # Errors
    ///
    /// As [`Fetcher::fetch_pieces`].
    pub fn behind(
        &self,
        wanted: &Wanted,
        (front, pieces): (&[u8], &[(u64, Blake3)]),
        partial: Partial,
        tiers: &[Vec<Source>],
        came: &mut Came<'_>,
        told: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, FetchError> {
        require_space(self.store(), self.store().unreserved(&wanted.sha256, wanted.size)?)?;
        let mut end = front.len() as u64;
        let mut sink = |_: Form, piece: &mut Buffer| {
            end += piece.filled().len() as u64;
            came(end)
        };
        let machine = Machine { partial: Some(partial), material: None };
        self.bring(wanted, Layout::behind(front.to_vec(), pieces, wanted.size), machine, tiers, &mut sink, told)
    }
}
