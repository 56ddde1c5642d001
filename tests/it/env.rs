//! A hermetic place to run the program in: its own home, git configuration, project, targets, records and root.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::scratch;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_deploy-tool");

/// A temporary directory with a home of its own; everything a test does stays in it.
pub struct Env {
    dir: tempfile::TempDir,
}

/// What a run of the program gave.
#[derive(Debug)]
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Env {
    /// In memory-backed storage where the machine has enough of it: the program flushes all the time.
    pub fn new() -> Self {
        Self::in_dir(&scratch::place())
    }

    /// The same below `parent`, for tests that need a certain file system.
    pub fn in_dir(parent: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("deploy-tool-it-").tempdir_in(parent).expect("a directory");
        // So that a test may run the program as another user.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("opened");
        let env = Self { dir };
        for sub in ["home", "project", "project/models/bert", "project/models/tokenizer"] {
            fs::create_dir_all(env.path(sub)).expect("made");
        }
        env.write("home/.gitconfig", GIT_CONFIG);
        env
    }

    /// A path below the temporary directory.
    pub fn path(&self, sub: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(sub)
    }

    /// Writes a file below the temporary directory, with its parents.
    pub fn write(&self, sub: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(sub);
        fs::create_dir_all(path.parent().expect("below the directory")).expect("made");
        fs::write(&path, content).expect("written");
        path
    }

    pub fn read(&self, sub: &str) -> String {
        fs::read_to_string(self.path(sub)).unwrap_or_else(|e| panic!("{sub}: {e}"))
    }

    /// A project with one component `model`, two filesystem targets, a git work tree for records and a root.
    pub fn with_model() -> Self {
        let env = Self::new();
        env.model_in_place();
        env
    }

    pub fn model_in_place(&self) {
        self.write("project/models/bert/config.json", "{\"layers\": 12}\n");
        self.write("project/models/bert/pytorch_model.bin", vec![7u8; 300_000]);
        self.write("project/models/tokenizer/vocab.txt", "a\nb\nc\n");
        self.write("project/.deploy-tool.yaml", CONFIG);
        self.git_init("records");
    }

    /// A git repository with one commit.
    pub fn git_init(&self, sub: &str) {
        fs::create_dir_all(self.path(sub)).expect("made");
        self.git(sub, &["init", "-q"]);
        self.write(&format!("{sub}/README"), "records\n");
        self.git(sub, &["add", "README"]);
        self.git(sub, &["commit", "-qm", "start"]);
    }

    /// Runs git in a directory; it must succeed. Returns its stdout.
    pub fn git(&self, sub: &str, args: &[&str]) -> String {
        let output = self.hermetic("git").args(args).current_dir(self.path(sub)).output().expect("git runs");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// A command with this environment and nothing of the caller's but PATH.
    pub fn hermetic(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(found(program.as_ref()));
        command.env_clear();
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", self.path("home"))
            .env("USER", "mei")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LC_ALL", "C.UTF-8")
            .env("TMPDIR", self.dir.path())
            .current_dir(self.path("project"));
        command
    }

    /// The program, in the project's directory.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.hermetic(PROGRAM);
        command.args(args);
        command
    }

    /// Runs the program in the project's directory.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("the program runs"))
    }

    /// Runs the program, which must succeed; returns its stdout.
    pub fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
        ran.stdout
    }

    /// Runs the program with `--json`, which must succeed; returns the document.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        let out = self.ok(&[args, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}: {out}"))
    }

    /// Runs the program, which must fail with this status; returns its stderr.
    pub fn fails(&self, status: i32, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.status, Some(status), "{args:?}: {ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{args:?}: {ran:?}");
        ran.stderr
    }

    /// Runs the program, which must fail with this status and change nothing anywhere but the note of who held a lock;
    /// returns all that it says on stderr, with `<dir>` for the temporary directory.
    pub fn refused(&self, status: i32, args: &[&str]) -> String {
        let unlocked = || -> Listing {
            let entries = self.listing().into_iter();
            entries.filter(|(path, _)| !path.ends_with("/lock")).collect()
        };
        let before = unlocked();
        let said = self.fails(status, args);
        assert_unchanged(&before, &unlocked(), args);
        self.shown(&said)
    }

    /// Everything below the temporary directory: kind, mode, time of the last change to the nanosecond, content.
    pub fn listing(&self) -> Listing {
        listing(self.dir.path())
    }

    /// Fails with what is not as it was.
    pub fn assert_unchanged(&self, before: &Listing, what: &[&str]) {
        assert_unchanged(before, &self.listing(), what);
    }

    /// A text with `<dir>` for the temporary directory and `<hex>` for every digest and commit.
    pub fn shown(&self, text: &str) -> String {
        let text = text.replace(&self.dir.path().display().to_string(), "<dir>");
        let mut shown = String::new();
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            let hex = rest.find(|c: char| !c.is_ascii_digit() && !('a'..='f').contains(&c)).unwrap_or(rest.len());
            let len = if hex == 0 { c.len_utf8() } else { hex };
            shown.push_str(if hex >= 12 { "<hex>" } else { &rest[..len] });
            rest = &rest[len..];
        }
        shown
    }

    /// A file as the tip of a branch has it, in the records repository `repository`.
    pub fn committed(&self, repository: &str, path: &str) -> String {
        self.git(repository, &["show", &format!("HEAD:{path}")])
    }

    /// Sets one line of the configuration: the first that begins with `start` becomes `line`.
    pub fn configure(&self, start: &str, line: &str) {
        let text = self.read("project/.deploy-tool.yaml");
        assert!(text.contains(start), "{start}: {text}");
        let lines = text.lines().map(|old| if old.trim_start().starts_with(start) { line } else { old });
        self.write("project/.deploy-tool.yaml", lines.map(|line| format!("{line}\n")).collect::<String>());
    }

    /// Packs and publishes the model's directory as this version.
    pub fn publish(&self, version: &str) {
        self.ok(&["pack", "--type", "model", "--version", version]);
        self.ok(&["publish", &format!("model@{version}")]);
    }

    /// What a link below the root holds.
    pub fn link(&self, sub: &str) -> String {
        let path = self.path("root").join(sub);
        fs::read_link(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).display().to_string()
    }
}

/// Where a program is that is called by its name. The standard library looks for it in the `PATH` that a command is given
/// only in a copy of this process, and to copy it with all that the tests hold takes longer than most programs run.
fn found(program: &OsStr) -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&paths).map(|path| path.join(program));
    places.find(|place| place.is_file()).unwrap_or_else(|| program.into())
}

/// What a directory holds, by path.
pub type Listing = BTreeMap<String, String>;

/// Everything below `dir` and `dir` itself: kind, mode, time of the last change to the nanosecond, content. Nothing where
/// there is no `dir`.
pub fn listing(dir: &Path) -> Listing {
    fn walk(path: &Path, out: &mut Listing) {
        let meta = fs::symlink_metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let held = if meta.is_symlink() {
            format!("-> {}", fs::read_link(path).expect("a link").display())
        } else if meta.is_file() {
            format!("{}", blake3::hash(&fs::read(path).expect("read")))
        } else {
            for entry in fs::read_dir(path).expect("listed") {
                walk(&entry.expect("an entry").path(), out);
            }
            String::new()
        };
        let is = format!("{:o} {}.{:09} {held}", meta.mode(), meta.mtime(), meta.mtime_nsec());
        out.insert(path.display().to_string(), is);
    }
    let mut out = Listing::new();
    if dir.exists() {
        walk(dir, &mut out);
    }
    out
}

/// Fails with what differs.
pub fn assert_unchanged(before: &Listing, after: &Listing, what: &[&str]) {
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name)).map(|(name, _)| format!("- {name}"));
    let changed = after.iter().filter(|(name, is)| before.get(*name) != Some(is));
    let changed = changed.map(|(name, is)| format!("+ {name}: {is} (was {:?})", before.get(name)));
    let differences: Vec<_> = gone.chain(changed).collect();
    assert!(differences.is_empty(), "{what:?} changed something:\n{}", differences.join("\n"));
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The user's configuration of git. Without the sample hooks, which would be most of each repository, and without a look
/// for work at every commit, which starts two more processes.
const GIT_CONFIG: &str = "\
[user]
\tname = Mei
\temail = mei@example.org
[init]
\tdefaultBranch = main
\ttemplateDir =
[maintenance]
\tauto = false
";

/// The configuration of [`Env::with_model`].
pub const CONFIG: &str = "\
version: 1
project: {name: demo}
components:
  model: {source: ./models}
  config: {source: ./configs}
records: {repository: ../records}
publish:
  default: [near, far]
  targets:
    near: {type: filesystem, path: ../targets/near}
    far: {type: filesystem, path: ../targets/far}
deploy: {root: ../root}
store: {path: ../store}
";
