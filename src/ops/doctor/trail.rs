//! The history: whether it can be read, and whether anybody edited it.

use super::finding::Finding;
use crate::deploy::{Error, View};

pub(super) fn look(view: &View) -> Vec<Finding> {
    let path = view.layout().history();
    vec![match view.verify_trail() {
        Ok(verified) => Finding::ok("history-ok").number("lines", verified.lines),
        Err(error @ Error::Trail { .. }) => Finding::error("history-edited").path("path", &path).because(error),
        Err(error) => Finding::error("history-unreadable").path("path", &path).because(error),
    }]
}
