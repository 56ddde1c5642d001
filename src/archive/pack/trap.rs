//! Relocation traps: files that work where they were made and not where they are deployed.

use std::collections::BTreeMap;

use super::NORMALIZED_MTIME;
use crate::model::TreePath;

/// Why a file may not work elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrapKind {
    /// `pyvenv.cfg`: a Python virtual environment, which names its interpreter by absolute path.
    Venv,
    /// An executable script whose first line names an interpreter outside `/bin`, `/usr/bin`, `/sbin`, `/usr/sbin`.
    Shebang,
    /// A git-LFS pointer instead of the file.
    LfsPointer,
    /// A DVC pointer; the data it names is elsewhere.
    DvcPointer,
    /// Python bytecode that is checked against its source's time, which is not kept: compiled again at each start.
    StaleBytecode,
}

/// All files of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// The kind.
    pub kind: TrapKind,
    /// The first of them, at most 20.
    pub paths: Vec<TreePath>,
    /// How many there are.
    pub count: u64,
}

const SHOWN: usize = 20;

/// Collects traps by kind.
#[derive(Default)]
pub(super) struct Traps(BTreeMap<TrapKind, Trap>);

impl Traps {
    pub fn add(&mut self, kind: TrapKind, path: TreePath) {
        let trap = self.0.entry(kind).or_insert_with(|| Trap { kind, paths: Vec::new(), count: 0 });
        trap.count += 1;
        if trap.paths.len() < SHOWN {
            trap.paths.push(path);
        }
    }

    pub fn finish(self) -> Vec<Trap> {
        self.0.into_values().collect()
    }
}

/// Judges a file by its name and first bytes.
pub(super) fn look(path: &TreePath, mode: u32, normalized: bool, bytes: &[u8]) -> Option<TrapKind> {
    let name = path.components().next_back().unwrap_or_default();
    if name == b"pyvenv.cfg" {
        return Some(TrapKind::Venv);
    }
    if bytes.starts_with(b"version https://git-lfs.github.com/spec/") {
        return Some(TrapKind::LfsPointer);
    }
    if name.ends_with(b".dvc") && contains(bytes, b"outs:") && contains(bytes, b"path:") {
        return Some(TrapKind::DvcPointer);
    }
    if mode == 0o755 && bytes.starts_with(b"#!") && is_foreign(bytes) {
        return Some(TrapKind::Shebang);
    }
    if normalized && name.ends_with(b".pyc") && is_stale(bytes) {
        return Some(TrapKind::StaleBytecode);
    }
    None
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.len() <= 4096 && bytes.windows(word.len()).any(|w| w == word)
}

/// Whether the interpreter is one that other machines lack.
fn is_foreign(bytes: &[u8]) -> bool {
    const SYSTEM: [&[u8]; 4] = [b"/bin/", b"/usr/bin/", b"/sbin/", b"/usr/sbin/"];
    let mut lines = bytes[2..].split(|b| *b == b'\n');
    let first = lines.next().unwrap_or_default().trim_ascii();
    let absolute = first.starts_with(b"/");
    // pip's way around long paths: `#!/bin/sh`, then `'''exec' /a/long/path/python "$0" "$@"`.
    let exec = lines.next().and_then(|line| line.strip_prefix(b"'''exec' "));
    let wrapped = exec.map(|rest| rest.trim_ascii_start()).is_some_and(|rest| {
        let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
        rest.starts_with(b"/") && !SYSTEM.iter().any(|dir| rest.starts_with(dir))
    });
    (absolute && !SYSTEM.iter().any(|dir| first.starts_with(dir))) || wrapped
}

/// PEP 552: bit 0 of the flags says that a hash, not a time, ties the bytecode to its source.
fn is_stale(bytes: &[u8]) -> bool {
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    word(4).is_some_and(|flags| flags & 1 == 0) && word(8).is_some_and(|time| i64::from(time) != NORMALIZED_MTIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, mode: u32, bytes: &[u8]) -> Option<TrapKind> {
        look(&TreePath::parse(name.as_bytes()).expect("a path"), mode, true, bytes)
    }

    #[test]
    fn each_trap_is_seen_and_ordinary_files_are_not() {
        assert_eq!(kind("venv/pyvenv.cfg", 0o644, b""), Some(TrapKind::Venv));
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n";
        assert_eq!(kind("model.bin", 0o644, pointer), Some(TrapKind::LfsPointer));
        assert_eq!(kind("data.dvc", 0o644, b"outs:\n- md5: 0\n  path: data\n"), Some(TrapKind::DvcPointer));
        assert_eq!(kind("bin/x", 0o755, b"#!/home/me/venv/bin/python\n"), Some(TrapKind::Shebang));
        assert_eq!(
            kind("bin/x", 0o755, b"#!/bin/sh\n'''exec' \"/home/me/v/bin/python\" \"$0\""),
            Some(TrapKind::Shebang)
        );
        assert_eq!(kind("bin/x", 0o755, b"#!/usr/bin/env python3\n"), None);
        assert_eq!(kind("bin/x", 0o755, b"#! /bin/sh\n"), None);
        assert_eq!(kind("notes", 0o644, b"#!/home/me/x\n"), None);
        let bytecode = |flags: u32, time: u32| [0x0a0d_0dcbu32, flags, time].map(u32::to_le_bytes).concat();
        assert_eq!(kind("a.pyc", 0o644, &bytecode(0, 1_700_000_000)), Some(TrapKind::StaleBytecode));
        assert_eq!(kind("a.pyc", 0o644, &bytecode(0, NORMALIZED_MTIME as u32)), None);
        assert_eq!(kind("a.pyc", 0o644, &bytecode(1, 1_700_000_000)), None);
        assert_eq!(kind("a.pyc", 0o644, b"short"), None);
    }

    #[test]
    fn only_the_first_are_kept() {
        let mut traps = Traps::default();
        for i in 0..50 {
            traps.add(TrapKind::Shebang, TreePath::parse(format!("s{i}").as_bytes()).expect("a path"));
        }
        let all = traps.finish();
        assert_eq!((all.len(), all[0].paths.len(), all[0].count), (1, SHOWN, 50));
    }
}
