//! What is below a directory, as something that can be compared.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Every name below `dir` with what it is: a link's target; a file's mode and content; a directory's mode. Names and
/// contents that are not UTF-8 are escaped.
pub fn snapshot(dir: &Path) -> BTreeMap<String, String> {
    walk(dir, |meta| format!("{:o} ", meta.mode() & 0o7777))
}

/// The same without modes but for the owner's execute bit of a file, which is all a package keeps.
pub fn content(dir: &Path) -> BTreeMap<String, String> {
    walk(dir, |meta| match meta.is_file() && meta.mode() & 0o100 != 0 {
        true => "x ".to_owned(),
        false => String::new(),
    })
}

/// A root without the note in its lock, which names its last holder, the bytes kept aside for inspection, and what it has
/// seen of branches, which is no part of what is deployed.
pub fn root(dir: &Path) -> BTreeMap<String, String> {
    let mut all = snapshot(dir);
    let besides = [".deploy-tool/lock", ".deploy-tool/seen.json"];
    all.retain(|name, _| !besides.contains(&name.as_str()) && !name.starts_with(".deploy-tool/rejected"));
    all
}

/// The same without its history, which has a line for each link that was mended.
pub fn unlogged(dir: &Path) -> BTreeMap<String, String> {
    let mut all = root(dir);
    all.remove(".deploy-tool/history.jsonl");
    all
}

fn walk(dir: &Path, mode: impl Fn(&fs::Metadata) -> String) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut directories = vec![dir.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display())) {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(dir).expect("below").as_os_str().as_bytes().escape_ascii().to_string();
            let meta = fs::symlink_metadata(&path).expect("there");
            let what = if meta.is_symlink() {
                format!("-> {}", fs::read_link(&path).expect("a link").display())
            } else if meta.is_dir() {
                directories.push(path);
                format!("directory {}", mode(&meta))
            } else if meta.is_file() {
                let bytes = fs::read(&path).expect("read");
                let digest = deploy_tool::model::Sha256::of(&bytes);
                let shown = &bytes[..bytes.len().min(200)];
                format!("file {}{} {digest} {}", mode(&meta), bytes.len(), shown.escape_ascii())
            } else {
                format!("special {:?}", meta.file_type())
            };
            out.insert(name, what);
        }
    }
    out
}
