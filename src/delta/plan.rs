//! What jobs there are, before a byte of most files is read: from both indexes and the headers of tensors.
//!
//! Small files share a job. A big file is cut where it has pieces (`archive`, cut by content) that the base has too,
//! wherever they stand there: these are copied. What lies between two of them comes from what lies between them in the
//! base, tensors from the tensor of their name.

use std::collections::HashMap;

use super::pair::{Changed, Pairs, pair};
use super::tensors::{self, Tensor};
use super::{JOB_BYTES, MAX_RAW_BYTES, MAX_SEGMENTS, MakeError, Segment, Tree, header::Width};
use crate::model::{Blake3, Index};

/// Tensors of a smaller file are bytes like any other.
const TENSOR_FILE: u64 = 64 << 10;
/// The old bytes that a job is given by their place alone begin so much earlier and end so much later.
const MARGIN: u64 = 128 << 10;
/// At most so many old bytes are given to a job by their place alone.
pub(super) const NEAR_BYTES: u64 = 2 << 20;

/// A job to be packed. Segments of old files name entries of the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    /// Old bytes that are the new ones.
    Copy { to: Segment, old: Segment },
    /// Bytes, and old ones that may be like them.
    Bytes { to: Vec<Segment>, near: Vec<Segment> },
    /// Floats of so many bytes, and as many old ones.
    Floats { to: Vec<Segment>, width: Width, old: Vec<Segment> },
    /// Floats without old ones.
    NewFloats { to: Vec<Segment>, width: Width },
}

impl Task {
    /// How many new bytes it is about.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Copy { to, .. } => to.length,
            Self::Bytes { to, .. } | Self::Floats { to, .. } | Self::NewFloats { to, .. } => {
                to.iter().map(|segment| segment.length).sum()
            }
        }
    }
}

/// All tasks, and the files of the base that are worth a search.
pub(super) struct Plan {
    pub tasks: Vec<Task>,
    pub searched: Vec<u32>,
}

/// Plans the way from `base` to `target`.
pub(super) fn plan(base: Tree<'_>, target: Tree<'_>) -> Result<Plan, MakeError> {
    let Pairs { changed, gone } = pair(base.index, target.index);
    let mut planner =
        Planner { base, target, pieces: OldPieces::of(base.index), tasks: Vec::new(), group: Group::default() };
    let mut tensor_files = Vec::new();
    for file in &changed {
        if planner.file(file)? {
            tensor_files.extend(file.old);
        }
    }
    planner.end_group();
    let mut searched: Vec<u32> = changed.iter().filter_map(|file| file.old).chain(gone).collect();
    searched.sort_unstable();
    searched.dedup();
    searched.retain(|entry| !tensor_files.contains(entry));
    Ok(Plan { tasks: planner.tasks, searched })
}

/// Where pieces of the base's big files stand, by digest and length.
struct OldPieces(HashMap<(Blake3, u64), Segment>);

/// The pieces that hold bytes of this entry's file and nothing else, at their offsets in it.
fn pieces_of(index: &Index, entry: u32) -> impl Iterator<Item = (Segment, Blake3)> + '_ {
    let item = &index.entries[entry as usize];
    let (start, end) = (item.offset, item.offset.saturating_add(item.stored));
    let first = index.pieces.partition_point(|piece| piece.tar_offset < start);
    let inside = index.pieces[first..].iter().take_while(move |piece| piece.tar_offset + piece.tar_length <= end);
    inside.map(move |piece| {
        (Segment { file: entry, offset: piece.tar_offset - start, length: piece.tar_length }, piece.raw)
    })
}

impl OldPieces {
    fn of(index: &Index) -> Self {
        let mut found = HashMap::new();
        for (number, item) in index.entries.iter().enumerate() {
            if item.stored > 0 && Some(item.stored) == size(index, number as u32) {
                for (segment, digest) in pieces_of(index, number as u32) {
                    found.entry((digest, segment.length)).or_insert(segment);
                }
            }
        }
        Self(found)
    }
}

fn size(index: &Index, entry: u32) -> Option<u64> {
    match index.entries.get(entry as usize)?.entry.kind {
        crate::model::EntryKind::File { size, .. } => Some(size),
        _ => None,
    }
}

#[derive(Default)]
struct Group {
    to: Vec<Segment>,
    near: Vec<Segment>,
    bytes: u64,
}

struct Planner<'a> {
    base: Tree<'a>,
    target: Tree<'a>,
    pieces: OldPieces,
    tasks: Vec<Task>,
    group: Group,
}

impl Planner<'_> {
    /// Plans one file; says whether it is one of tensors that has a counterpart.
    fn file(&mut self, file: &Changed) -> Result<bool, MakeError> {
        if file.size > TENSOR_FILE {
            let tensors = self.tensors(self.target, file.entry)?;
            if !tensors.is_empty() || file.size > JOB_BYTES {
                self.end_group();
                return self.big_file(file, &tensors);
            }
        }
        if self.group.bytes + file.size > JOB_BYTES || self.group.to.len() == MAX_SEGMENTS {
            self.end_group();
        }
        self.group.to.push(Segment { file: file.entry, offset: 0, length: file.size });
        self.group.bytes += file.size;
        if let Some(old) = file.old
            && let Some((_, size)) = self.base.file(old)
        {
            self.group.near.push(Segment { file: old, offset: 0, length: size });
        }
        Ok(false)
    }

    fn end_group(&mut self) {
        let Group { to, mut near, .. } = std::mem::take(&mut self.group);
        near.sort_unstable_by_key(|segment| segment.file);
        near.dedup();
        if !to.is_empty() {
            self.tasks.push(Task::Bytes { to, near });
        }
    }

    fn tensors(&self, tree: Tree<'_>, entry: u32) -> Result<Vec<Tensor>, MakeError> {
        Ok(match tree.file(entry) {
            Some((path, size)) => tensors::of_file(&tree.open(path)?, size),
            None => Vec::new(),
        })
    }

    fn big_file(&mut self, file: &Changed, tensors: &[Tensor]) -> Result<bool, MakeError> {
        let old_tensors = match file.old {
            Some(old) if !tensors.is_empty() => self.tensors(self.base, old)?,
            _ => Vec::new(),
        };
        let found = tensors::counterparts(tensors, &old_tensors);
        let is_paired = found.iter().any(Option::is_some);
        let tensors: Vec<(&Tensor, Option<u64>)> = tensors.iter().zip(found).collect();
        let mut known = Vec::new();
        if size(self.target.index, file.entry) == Some(self.target.index.entries[file.entry as usize].stored) {
            let has = |(to, digest): (Segment, Blake3)| Some((to, *self.pieces.0.get(&(digest, to.length))?));
            known.extend(pieces_of(self.target.index, file.entry).filter_map(has));
        }
        let known: Vec<_> = known.into_iter().filter_map(|pair| whole_numbers(pair, &tensors)).collect();
        let (mut at, mut before) = (0, None);
        for (to, old) in known {
            self.between(file, at..to.offset, before, Some(old), &tensors);
            at = to.offset + to.length;
            before = Some(Segment { offset: old.offset + old.length, ..old });
            for (offset, length) in steps(0, to.length, MAX_RAW_BYTES) {
                let part = |segment: Segment| Segment { offset: segment.offset + offset, length, ..segment };
                self.tasks.push(Task::Copy { to: part(to), old: part(old) });
            }
        }
        self.between(file, at..file.size, before, None, &tensors);
        Ok(is_paired)
    }

    /// What lies between two copies. `before` begins where the old bytes of the first end, `behind` is those of the second.
    fn between(
        &mut self,
        file: &Changed,
        range: std::ops::Range<u64>,
        before: Option<Segment>,
        behind: Option<Segment>,
        tensors: &[(&Tensor, Option<u64>)],
    ) {
        let old = before.or(behind).map(|segment| segment.file).or(file.old);
        let here = |segment: &Segment| Some(segment.file) == old;
        let length = old.and_then(|old| self.base.file(old)).map_or(0, |(_, size)| size);
        let from = before.filter(here).map_or(0, |segment| segment.offset);
        let to = behind.filter(here).map_or(length, |segment| segment.offset);
        // What was moved has no between.
        let (from, to) = if from <= to { (from, to) } else { (0, length) };
        let gap = Gap { entry: file.entry, range: range.clone(), old: old.map(|old| (old, from..to, length)) };
        let mut floats = FloatRun::default();
        let mut at = range.start;
        let first = tensors.partition_point(|(tensor, _)| tensor.offset + tensor.length <= range.start);
        for (tensor, old_offset) in &tensors[first..] {
            let start = tensor.offset.max(at);
            let end = (tensor.offset + tensor.length).min(range.end);
            if start >= end {
                break;
            }
            if at < start {
                floats.end(&mut self.tasks);
                gap.bytes(at..start, &mut self.tasks);
            }
            let paired = old_offset.zip(file.old).map(|(offset, file)| (file, offset + (start - tensor.offset)));
            floats.add(&mut self.tasks, (file.entry, start..end), paired, tensor.width);
            at = end;
        }
        floats.end(&mut self.tasks);
        gap.bytes(at..range.end, &mut self.tasks);
    }
}

/// Takes from both ends of a copy the bytes of numbers that are not wholly in it, so that what lies beside it begins and
/// ends with whole ones.
fn whole_numbers(
    (mut to, mut old): (Segment, Segment),
    tensors: &[(&Tensor, Option<u64>)],
) -> Option<(Segment, Segment)> {
    let past = |at: u64| {
        let number = tensors.partition_point(|(tensor, _)| tensor.offset + tensor.length <= at);
        let (tensor, _) = tensors.get(number).filter(|(tensor, _)| tensor.offset <= at)?;
        Some(((at - tensor.offset) % tensor.width.bytes() as u64, tensor.width.bytes() as u64))
    };
    if let Some((past, width)) = past(to.offset).filter(|(past, _)| *past > 0) {
        let cut = width - past;
        (to.offset, old.offset, to.length, old.length) =
            (to.offset + cut, old.offset + cut, to.length.checked_sub(cut)?, old.length.checked_sub(cut)?);
    }
    if let Some((past, _)) = past(to.offset + to.length) {
        (to.length, old.length) = (to.length.checked_sub(past)?, old.length.checked_sub(past)?);
    }
    (to.length > 0).then_some((to, old))
}

/// Cuts `length` bytes from `start` into equal parts of `most` at most.
fn steps(start: u64, length: u64, most: u64) -> impl Iterator<Item = (u64, u64)> {
    let count = length.div_ceil(most).max(1);
    let each = length.div_ceil(count);
    (0..count).filter_map(move |n| {
        let from = n * each;
        let part = each.min(length.checked_sub(from)?);
        (part > 0).then_some((start + from, part))
    })
}

/// Part of a file, and the part of an old one that it may come from.
struct Gap {
    entry: u32,
    range: std::ops::Range<u64>,
    /// The old file, the part, and the file's length.
    old: Option<(u32, std::ops::Range<u64>, u64)>,
}

impl Gap {
    fn bytes(&self, range: std::ops::Range<u64>, tasks: &mut Vec<Task>) {
        for (offset, length) in steps(range.start, range.end - range.start, JOB_BYTES) {
            let to = vec![Segment { file: self.entry, offset, length }];
            tasks.push(Task::Bytes { to, near: self.near(offset, length).into_iter().collect() });
        }
    }

    /// The old bytes that stand in their part where the new ones stand in theirs, and some around them.
    fn near(&self, offset: u64, length: u64) -> Option<Segment> {
        let (file, part, size) = self.old.as_ref()?;
        let scaled = |at: u64| {
            let share = (at - self.range.start) as f64 / (self.range.end - self.range.start).max(1) as f64;
            part.start + ((part.end - part.start) as f64 * share) as u64
        };
        let from = scaled(offset).saturating_sub(MARGIN);
        let to = (scaled(offset + length) + MARGIN).min(*size).min(from + NEAR_BYTES);
        (from < to).then_some(Segment { file: *file, offset: from, length: to - from })
    }
}

/// Neighbouring parts of tensors of one width that share a job.
#[derive(Default)]
struct FloatRun {
    width: Option<Width>,
    paired: bool,
    to: Vec<Segment>,
    old: Vec<Segment>,
    bytes: u64,
}

impl FloatRun {
    fn add(
        &mut self,
        tasks: &mut Vec<Task>,
        (entry, range): (u32, std::ops::Range<u64>),
        old: Option<(u32, u64)>,
        width: Width,
    ) {
        if self.width != Some(width) || self.paired != old.is_some() {
            self.end(tasks);
            (self.width, self.paired) = (Some(width), old.is_some());
        }
        let mut at = range.start;
        while at < range.end {
            let length = (range.end - at).min(JOB_BYTES - self.bytes);
            self.to.push(Segment { file: entry, offset: at, length });
            self.old.extend(old.map(|(file, from)| Segment { file, offset: from + (at - range.start), length }));
            self.bytes += length;
            at += length;
            if self.bytes == JOB_BYTES || self.to.len() == MAX_SEGMENTS {
                self.end(tasks);
            }
        }
    }

    fn end(&mut self, tasks: &mut Vec<Task>) {
        let (to, old) = (std::mem::take(&mut self.to), std::mem::take(&mut self.old));
        self.bytes = 0;
        if let (Some(width), false) = (self.width, to.is_empty()) {
            tasks.push(match self.paired {
                true => Task::Floats { to, width, old },
                false => Task::NewFloats { to, width },
            });
        }
    }
}
