//! The switches of the fault points, for tests of what a crash leaves behind. Release builds have none.
//!
//! `DEPLOY_TOOL_FAULT=kill:17` (or `eio`, `enospc`) stops the program at its 17th change of the disk;
//! `DEPLOY_TOOL_FAULT_TRACE=FILE` lists them all. `DEPLOY_TOOL_FAULT_LOCKS=lie` (or `none`) makes file locks worthless.
//! `DEPLOY_TOOL_LINK_LIMIT=177` refuses a file its 178th name.

use std::path::Path;

use crate::fsx::{self, fault};

/// Arms what the environment asks for.
pub(super) fn arm() -> Result<(), fsx::Error> {
    if !cfg!(debug_assertions) {
        return Ok(());
    }
    if let Some(path) = std::env::var_os("DEPLOY_TOOL_FAULT_TRACE") {
        fault::trace(Path::new(&path))?;
    }
    match std::env::var("DEPLOY_TOOL_FAULT_LOCKS").unwrap_or_default().as_str() {
        "lie" => fault::pretend(fault::Locks::Lie),
        "none" => fault::pretend(fault::Locks::Unsupported),
        _ => {}
    }
    let wanted = std::env::var("DEPLOY_TOOL_FAULT").unwrap_or_default();
    if let Some((name, number)) = wanted.split_once(':') {
        let fault = match name {
            "kill" => fault::Fault::Kill,
            "eio" => fault::Fault::Eio,
            _ => fault::Fault::Enospc,
        };
        fault::arm(fault, number.parse().unwrap_or(0));
    }
    if let Some(most) = std::env::var("DEPLOY_TOOL_LINK_LIMIT").ok().and_then(|most| most.parse().ok()) {
        fault::limit_links(most);
    }
    Ok(())
}
