//! The only room that touches the file system: `std::fs` is banned everywhere else.
//!
//! Promises: every error names the action and the path; every change of the disk passes a fault point
//! ([`fault`]), so that tests can stop the program at each of them; each function's doc says what survives a
//! power cut. Must not know: what the files mean.

#![allow(clippy::disallowed_methods)]

mod beneath;
mod claim;
mod dir;
mod error;
pub mod fault;
mod file;
mod flush;
mod halt;
mod hand;
mod link;
mod lock;
mod place;
mod processes;
mod space;
mod usage;
mod who;

pub use beneath::Dir;
pub use dir::{
    DirEntry, FileKind, canonical, create_dir, create_dir_all, list, remove_dir, remove_tree, remove_tree_told, rename,
    rename_new, set_group, set_group_below, set_mode, without_parents,
};
pub use error::{Action, Error, Result};
pub use file::{
    Stat, allocate, append, create_beside, create_new, extend, inspect, inspect_followed, open, open_or_create, read,
    read_opt, read_tail, read_text, remove_file, remove_file_opt, remove_unfinished, reserve, touch, truncate,
    write_all_at, write_atomic, write_atomic_mode, write_hint, write_new, write_unflushed, written,
};
pub use flush::{Filesystem, flush_dir, flush_file};
pub use halt::halt;
pub use hand::Hand;
pub use link::{hard_link, read_link, read_link_opt, replace_link, symlink};
pub use lock::{Lock, LockError, Mode, Weakness};
pub use place::{copy_atomic, place_atomic};
pub use processes::{Look, Process, using};
pub use space::{Space, space, try_reserve};
pub use usage::{Freed, Usage, freed};
pub use who::{group, group_name, is_private_group, may_give_to, may_write, user, user_name};
