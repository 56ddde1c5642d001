//! What it costs to bring a version to a machine: asked for by `deploy` before it fetches, by `deploy --dry-run`, by
//! `env diff` and by pull requests, and answered in one place.

use std::cell::Cell;
use std::collections::HashSet;
use std::ops::Range;

use super::{Error, Site, fetch, patch, record};
use crate::archive;
use crate::codec::Buffer;
use crate::config::Verify;
use crate::deploy::{HeldPieces, Receipt, View, Way, shared_pieces};
use crate::model::{EntryKind, Index, Version};
use crate::records::Published;
use crate::transfer::{self, Choice, Cost, Link, Offer, Question, Span, choose};

impl transfer::Material for HeldPieces {
    fn piece(&self, number: usize, into: &mut Buffer) -> bool {
        self.read(number, into)
    }
}

/// What of a package is missing, and what this machine has to make it from.
pub(super) struct Missing {
    /// Of each piece, whether something in it is needed.
    pub needed: Vec<bool>,
    /// Of each piece, whether it lies in a file of this machine.
    pub here: Vec<bool>,
    /// The deltas from installed versions.
    pub deltas: Vec<Offer>,
}

/// Weighs the ways in which the missing pieces of a package can come; `left` is what an earlier fetch left, by offset in the
/// package.
pub(super) fn weigh(index: &Index, missing: &Missing, left: &[Range<u64>], link: Link) -> Choice {
    let spans = index.pieces.iter().map(|piece| Span { packed: piece.length, raw: piece.tar_length });
    let within = |start: u64, end: u64| {
        let after = left.partition_point(|part| part.end <= start);
        left.get(after).is_some_and(|part| part.start <= start && end <= part.end)
    };
    let left: Vec<bool> = index.pieces.iter().map(|piece| within(piece.offset, piece.offset + piece.length)).collect();
    choose(&Question {
        spans: &spans.collect::<Vec<_>>(),
        size: index.size,
        needed: &missing.needed,
        here: &missing.here,
        left: &left,
        deltas: &missing.deltas,
        link,
    })
}

/// Of each piece, whether something in it has to come from the package, where files come to be in these ways.
pub(super) fn needed(site: &Site, index: &Index, ways: &[Option<Way>]) -> Vec<bool> {
    let have: Vec<bool> = ways.iter().map(|way| *way != Some(Way::Unpack)).collect();
    archive::needed(index, &have, site.config.deploy.verify == Verify::Whole)
}

/// The index of the installed version that [`held`] looks in first, where the store has it; it can be read while another one comes.
pub(super) fn base(site: &Site, view: &View, published: &Published) -> Option<(Version, Index)> {
    let receipt = HeldPieces::first(view, published.component(), published.version()).ok()??;
    let index = fetch::stored_index(site, &recorded(site, &receipt)?).ok()??;
    Some((receipt.version, index))
}

/// The needed pieces that lie in files of installed versions. `base` is what [`base`] found, `bring` brings the index of a version
/// that the store lacks.
pub(super) fn held(
    site: &Site,
    view: &View,
    published: &Published,
    index: &Index,
    needed: &[bool],
    base: Option<(Version, Index)>,
    bring: &dyn Fn(&Published) -> Option<Index>,
) -> Result<HeldPieces, Error> {
    // The package's own bytes are to be seen then.
    if site.config.deploy.verify == Verify::Whole {
        return Ok(HeldPieces::default());
    }
    let base = Cell::new(base);
    let index_of = |receipt: &Receipt, worth: bool| {
        if let Some((_, index)) = base.take().filter(|(version, _)| *version == receipt.version) {
            return Some(index);
        }
        // Without records, or where they cannot be read, less is known and more is fetched.
        let installed = recorded(site, receipt)?;
        match fetch::stored_index(site, &installed) {
            Ok(Some(index)) => Some(index),
            _ if worth => bring(&installed),
            _ => None,
        }
    };
    Ok(HeldPieces::find(view, (published.component(), published.version()), index, needed, &index_of)?)
}

/// The record of an installed version.
fn recorded(site: &Site, receipt: &Receipt) -> Option<Published> {
    let repository = record::existing(site).ok()?;
    let snapshot = repository.snapshot(None).ok()?;
    let published = snapshot.get(&receipt.component, &receipt.version).ok().flatten()?;
    (published.manifest.package.tree == Some(receipt.tree)).then_some(published)
}

/// What a host fetches for a version that has the one before it, with a link as most have; with neither index, the package.
pub(super) fn between(published: &Published, was: Option<&Index>, is: Option<&Index>) -> Cost {
    let Some(is) = is else { return Cost::whole(published.manifest.package.size, &Link::USUAL) };
    let content = |item: &crate::model::IndexEntry| match item.entry.kind {
        EntryKind::File { size, digest } if size > 0 => Some((size, digest)),
        _ => None,
    };
    let held: HashSet<_> = was.iter().flat_map(|was| &was.entries).filter_map(content).collect();
    let have = is.entries.iter().map(|item| content(item).is_none_or(|content| held.contains(&content)));
    let needed = archive::needed(is, &have.collect::<Vec<_>>(), false);
    let here = was.map_or_else(Vec::new, |was| shared_pieces(is, was));
    let tree = was.map(Index::tree_digest);
    let deltas = published.record.deltas.iter().filter(|delta| Some(delta.tree) == tree);
    let deltas = patch::offers(&deltas.collect::<Vec<_>>(), |_| false);
    weigh(is, &Missing { needed, here, deltas }, &[], Link::USUAL).cost
}
