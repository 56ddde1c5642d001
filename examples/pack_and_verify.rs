//! A directory to a package and back, with every digest checked on the way.
//!
//! `cargo run --example pack_and_verify -- models /tmp/model.tar.zst /tmp/unpacked`

#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::error::Error;
use std::fs::{self, File};
use std::path::Path;

use deploy_tool::archive::{Mtime, PackOptions, Source, UnpackOptions, check, pack, unpack};
use deploy_tool::model::{Choice, Compression, MAX_HOLE_BYTES};

/// Packs `tree`, reads the package back, and unpacks it into `into`, which is made. Returns the digest of the tree.
pub fn there_and_back(tree: &Path, package: &Path, into: &Path) -> Result<String, Box<dyn Error>> {
    let compression = Compression::Zstd;
    let options = PackOptions {
        source: tree,
        excludes: &["*.tmp".to_owned()],
        dereference: false,
        mtime: Mtime::Normalize,
        compression: Choice::Fixed(compression),
        level: None,
        threads: 0,
        progress: &|_| {},
    };
    let packed = pack(&options, File::create(package)?)?;

    // With a plain tar reader: every entry, byte and offset as the index says.
    check(&File::open(package)?, compression, &packed.index)?;

    fs::create_dir(into)?;
    let options = UnpackOptions {
        threads: 0,
        keep_write_bits: false,
        mode_mask: None,
        expected: None,
        max_bytes: Some(packed.bytes),
        max_holes: MAX_HOLE_BYTES,
        whole: true,
        progress: &|_| {},
    };
    let file = File::open(package)?;
    let unpacked = unpack(Source::File(&file), compression, Some(&packed.index), into, &options)?;
    if unpacked.tree != packed.tree {
        return Err(format!("packed {} and unpacked {}", packed.tree, unpacked.tree).into());
    }
    Ok(unpacked.tree.to_string())
}

#[allow(dead_code)]
fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let [tree, package, into] = &args[..] else { return Err("usage: pack_and_verify TREE PACKAGE DIRECTORY".into()) };
    println!("tree {}", there_and_back(Path::new(tree), Path::new(package), Path::new(into))?);
    Ok(())
}
