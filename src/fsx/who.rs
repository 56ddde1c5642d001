//! Users, groups, and who may do what.

use std::path::Path;

use rustix::process::{getegid, geteuid, getgroups};

/// Whether this process may make entries in the directory `path`.
pub fn may_write(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// The number of a group: of the one that has this name on this machine, else the number that the text is.
pub fn group(text: &str) -> Option<u32> {
    uzers::get_group_by_name(text).map(|group| group.gid()).or_else(|| text.parse().ok())
}

/// The number of the user this process runs as.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The name of a user; the number where there is none.
pub fn user_name(user: u32) -> String {
    uzers::get_user_by_uid(user).map_or_else(|| user.to_string(), |user| user.name().to_string_lossy().into_owned())
}

/// The name of a group; the number where there is none.
pub fn group_name(group: u32) -> String {
    uzers::get_group_by_gid(group)
        .map_or_else(|| group.to_string(), |group| group.name().to_string_lossy().into_owned())
}

/// Whether this process may give its files to a group: it is one of its own, or the process is root's.
pub fn may_give_to(group: u32) -> bool {
    geteuid().is_root()
        || getegid().as_raw() == group
        || getgroups().is_ok_and(|groups| groups.iter().any(|own| own.as_raw() == group))
}

/// Whether nobody but this user is in a group, as many systems make one for each user: it has the user's name and no other
/// members.
pub fn is_private_group(group: u32) -> bool {
    use uzers::os::unix::GroupExt as _;
    let (Some(user), Some(group)) = (uzers::get_user_by_uid(user()), uzers::get_group_by_gid(group)) else {
        return false;
    };
    user.name() == group.name() && group.members().iter().all(|member| member == user.name())
}
