//! Permissions, full disks and file systems: the whole message, the exit status, and that nothing was changed.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;

use super::env::{Env, Listing, PROGRAM, Ran, assert_unchanged};

/// `nobody` on every system.
const NOBODY: u32 = 65534;

/// An environment whose files belong to an ordinary user, and the way to run the program as that one. Root may write
/// everywhere, so root runs it as `nobody`.
pub struct Ordinary {
    pub env: Env,
    program: PathBuf,
}

impl Ordinary {
    pub fn new(env: Env) -> Self {
        let program = env.path("deploy-tool");
        if rustix::process::geteuid().is_root() {
            let owner = format!("{NOBODY}:{NOBODY}");
            let status = Command::new("chown").args(["-R", &owner]).arg(env.path("")).status().expect("chown runs");
            assert!(status.success(), "chown");
        }
        // Where it was built may be closed to others. A copy made by this process could not be run while a child that another
        // test starts at this moment still holds it open for writing.
        let status = Command::new("cp").arg(PROGRAM).arg(&program).status().expect("cp runs");
        assert!(status.success(), "cp");
        Self { env, program }
    }

    fn id(&self) -> u32 {
        if rustix::process::geteuid().is_root() { NOBODY } else { rustix::process::geteuid().as_raw() }
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        let mut command = match rustix::process::geteuid().is_root() {
            true => {
                let mut command = self.env.hermetic("setpriv");
                let id = NOBODY.to_string();
                command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(&self.program);
                command
            }
            false => self.env.hermetic(&self.program),
        };
        Ran::of(command.args(args).output().expect("it runs"))
    }

    pub fn ok(&self, args: &[&str]) {
        let ran = self.run(args);
        assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
    }

    /// Takes the permission to write `sub` away, runs, and gives it back; what is said. Nothing may change outside the store.
    fn without_write(&self, sub: &str, status: i32, args: &[&str]) -> String {
        let path = self.env.path(sub);
        let mode = fs::metadata(&path).expect("there").mode();
        let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        let public = || -> Listing {
            let store = self.env.path("store").display().to_string();
            self.env.listing().into_iter().filter(|(path, _)| !path.starts_with(&store)).collect()
        };
        set(0o555);
        let (before, ran, after) = (public(), self.run(args), public());
        set(mode);
        assert_eq!(ran.status, Some(status), "{sub}: {args:?}: {ran:?}");
        assert_unchanged(&before, &after, args);
        self.env.shown(&ran.stderr)
    }
}

#[test]
fn a_root_without_write_permission() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.publish("1.0.1");
    let user = Ordinary::new(env);
    // The directory that shall hold the root.
    fs::create_dir(user.env.path("srv")).expect("made");
    let owner = fs::metadata(user.env.path("project")).expect("there");
    std::os::unix::fs::chown(user.env.path("srv"), Some(owner.uid()), Some(owner.gid())).expect("given");
    let fresh = ["deploy", "model@1.0.0", "--root", "../srv/app"];
    assert_snapshot!(user.without_write("srv", 1, &fresh), @r"
    error: cannot change the root `<dir>/srv/app`: no write permission on your own `<dir>/srv` (mode 0555)

    hint: give it to yourself with `chmod u+w <dir>/srv`, or choose another root with `--root`
    ");
    user.ok(&["deploy", "model@1.0.0"]);
    user.ok(&["deploy", "model@1.0.1"]);
    let switch = ["version", "switch", "model", "1.0.0"];
    assert_snapshot!(user.without_write("root/components/model", 1, &switch), @r"
    error: cannot change the root `<dir>/root`: no write permission on your own `<dir>/root/components/model` (mode 0555)

    hint: give it to yourself with `chmod u+w <dir>/root/components/model`, or choose another root with `--root`
    ");
    assert_snapshot!(user.without_write("root/links", 1, &switch), @r"
    error: cannot change the root `<dir>/root`: no write permission on your own `<dir>/root/links` (mode 0555)

    hint: give it to yourself with `chmod u+w <dir>/root/links`, or choose another root with `--root`
    ");
    assert_snapshot!(user.without_write("root/.deploy-tool/journal", 1, &["rollback"]), @r"
    error: cannot change the root `<dir>/root`: no write permission on your own `<dir>/root/.deploy-tool/journal` (mode 0555)

    hint: give it to yourself with `chmod u+w <dir>/root/.deploy-tool/journal`, or choose another root with `--root`
    ");
    assert_snapshot!(user.without_write("root/components", 1, &["version", "cleanup", "--keep", "0"]), @r"
    error: cannot change the root `<dir>/root`: no write permission on your own `<dir>/root/components` (mode 0555)

    hint: give it to yourself with `chmod u+w <dir>/root/components`, or choose another root with `--root`
    ");
    user.without_write("root", 0, &["status"]);
    user.without_write("root", 0, &["links", "verify"]);
    user.ok(&switch);
}

#[test]
fn a_root_of_another_user() {
    // Root may write everywhere, and nobody else can make files of another user: whose directory this is depends on who runs.
    let env = Env::with_model();
    env.publish("1.0.0");
    let user = Ordinary::new(env);
    let (of_another, root) = match rustix::process::geteuid().is_root() {
        true => (user.env.path("home-of-root"), "../home-of-root/app"),
        false => (PathBuf::from("/usr"), "/usr/app"),
    };
    fs::create_dir_all(&of_another).expect("made");
    let mode = format!("{:04o}", fs::metadata(&of_another).expect("there").mode() & 0o7777);
    let ran = user.run(&["deploy", "model", "--root", root]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let place = root.trim_end_matches("/app").replace("..", "<dir>");
    let said = user.env.shown(&ran.stderr).replace(&place, "<place>").replace(&mode, "<mode>");
    let said = said.replace(&format!("you are {}", user.id()), "you are <user>");
    assert_snapshot!(said, @r"
    error: cannot change the root `<place>/app`: no write permission on `<place>` (mode <mode>, owner 0, you are <user>)

    hint: become the owner of `<place>` with `chown`, or choose another root with `--root`
    ");
}

#[test]
fn a_store_or_a_target_without_write_permission() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.ok(&["pack", "--type", "model", "--version", "1.0.1"]);
    let user = Ordinary::new(env);
    let said = user.without_write("store/tmp", 1, &["pack", "--type", "model", "--version", "1.0.2"]);
    assert_snapshot!(without_number(&said), @r"error: cannot create `<dir>/store/tmp/.incoming.<n>`: Permission denied (os error 13)");
    let said = user.without_write("targets/near/model", 1, &["publish", "model@1.0.1", "--to", "near"]);
    assert_snapshot!(said, @r"
    error: the package lies on 0 of the 1 target it has to: `near`: cannot create the directory `<dir>/targets/near/model/1.0.1`: Permission denied (os error 13)

    hint: mend the targets and publish again, or lower `publish.require`; what was placed stays and is found again
    ");
}

/// A temporary file's name without the number of the process.
fn without_number(text: &str) -> String {
    let word = |word: &str| match word.rsplit_once("/.incoming.") {
        Some((dir, _)) => format!("{dir}/.incoming.<n>`:"),
        None => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_root_on_another_file_system_than_the_store() {
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    let env = Env::with_model();
    let here = device(&env.path("")).expect("there");
    let elsewhere = ["/dev/shm", env!("CARGO_TARGET_TMPDIR"), "/var/tmp", "/run/shm"].map(Path::new);
    let elsewhere = elsewhere.into_iter().find(|path| device(path).is_some_and(|found| found != here));
    let elsewhere = elsewhere.expect("a second file system that can be written, such as /dev/shm");
    let other = tempfile::tempdir_in(elsewhere).expect("a directory");
    let root = other.path().join("app");
    let root = root.to_str().expect("text");
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["deploy", "model@1.0.0", "--root", root]);
    env.ok(&["deploy", "model@1.0.1", "--root", root]);
    let config = Path::new(root).join("links/model/bert/config.json");
    assert_eq!(fs::read_to_string(&config).expect("read"), "{\"layers\": 6}\n");
    env.ok(&["version", "switch", "model", "1.0.0", "--root", root]);
    env.ok(&["rollback", "--root", root]);
    assert_eq!(fs::read_to_string(&config).expect("read"), "{\"layers\": 6}\n");
    env.ok(&["links", "verify", "--root", root]);
    // And a target there.
    env.configure("far:", &format!("    far: {{type: filesystem, path: {}/far}}", other.path().display()));
    env.publish("1.0.2");
    env.ok(&["deploy", "model@1.0.2", "--root", root]);
}
