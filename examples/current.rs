//! Which version of each component is current on a root, and files of one release that belong together.
//!
//! `cargo run --example current -- /opt/deployments`

#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::error::Error;
use std::path::Path;

use deploy_tool::deploy::View;

/// The components of the current release, one a line, with how many bytes each has.
pub fn describe(root: &Path) -> Result<String, Box<dyn Error>> {
    let state = View::open(root)?.state()?;
    let Some(release) = state.release else { return Ok("nothing is deployed\n".to_owned()) };

    // One look at the link decides for all that follows: whatever is deployed meanwhile, this set stays what it was.
    let set = std::fs::canonicalize(root.join("releases/current"))?;
    let mut lines = format!("release {}\n", release.number);
    for (component, version) in &release.components {
        let files = std::fs::read_dir(set.join(component.as_str()))?.count();
        lines += &format!("{component}@{version}: {files} entries\n");
    }
    Ok(lines)
}

#[allow(dead_code)]
fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args_os().nth(1).ok_or("usage: current ROOT")?;
    print!("{}", describe(Path::new(&root))?);
    Ok(())
}
