//! Tests of the room on real repositories, made and judged by the `git` program.

mod committing;
mod environments;
mod opening;
mod proposing;
mod racing;
mod reading;
mod resolving;
mod work_tree;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use super::{Author, Change, Committed, Error, Published, Repository, publish_change};
use crate::fsx;
use crate::model::{
    ComponentType, Manifest, Record, RecordManifest, RecordPackage, Reference, Sha256, Version, to_canonical_json,
};

/// A directory with a repository in it, and `git` with a configuration of its own.
pub(super) struct Sandbox {
    home: tempfile::TempDir,
    pub repo: PathBuf,
}

impl Sandbox {
    /// A work tree on the unborn branch `main`.
    pub fn unborn() -> Self {
        let sandbox = Self::empty("repo");
        sandbox.git(&["init", "-q", "-b", "main", "."]);
        sandbox.identify();
        sandbox
    }

    /// A work tree on `main` with one commit of `README.md`.
    pub fn new() -> Self {
        let sandbox = Self::unborn();
        sandbox.write("README.md", "hello\n");
        sandbox.git(&["add", "."]);
        sandbox.git(&["commit", "-q", "-m", "first"]);
        sandbox
    }

    /// A bare repository, unborn.
    pub fn bare() -> Self {
        let sandbox = Self::empty("bare.git");
        sandbox.git(&["init", "-q", "--bare", "-b", "main", "."]);
        sandbox.identify();
        sandbox
    }

    /// An empty directory that is no repository.
    pub fn empty(name: &str) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let repo = home.path().join(name);
        fsx::create_dir_all(&repo).expect("a directory");
        Self { home, repo }
    }

    /// In the repository's own configuration, which wins over the one of whoever runs the tests.
    fn identify(&self) {
        self.git(&["config", "user.name", "Mei"]);
        self.git(&["config", "user.email", "mei@example.org"]);
        self.git(&["config", "core.autocrlf", "false"]);
    }

    /// A directory beside the repository.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs git in the repository and gives its output; fails the test where git fails.
    pub fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.repo, args)
    }

    pub fn git_in(&self, dir: &Path, args: &[&str]) -> String {
        let out = self.try_git(dir, args);
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
    }

    pub fn try_git(&self, dir: &Path, args: &[&str]) -> Output {
        let mut git = Command::new("git");
        git.current_dir(dir).args(args).env_clear();
        git.env("PATH", option_env!("PATH").unwrap_or("/usr/bin:/bin"));
        git.env("HOME", self.home.path()).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        git.output().expect("git runs")
    }

    pub fn write(&self, path: &str, text: &str) {
        write(&self.repo.join(path), text);
    }

    pub fn read(&self, path: &str) -> String {
        fsx::read_text(&self.repo.join(path)).expect("a file")
    }

    pub fn open(&self) -> Repository {
        self.open_branch(None).expect("a repository")
    }

    pub fn open_branch(&self, branch: Option<&str>) -> Result<Repository, Error> {
        Repository::open(&self.repo, "records", branch).map(|r| r.with_patience(Duration::from_millis(50)))
    }

    /// Publishes `model@<version>` by our own code.
    pub fn publish(&self, version: &str) -> Result<Committed, Error> {
        self.open().commit(&publishing("model", version, version), &author())
    }

    /// What a healthy repository says: nothing lost, nothing staged, nothing changed.
    pub fn assert_clean(&self) {
        assert_eq!(self.git(&["status", "--porcelain"]), "");
        self.assert_sound();
    }

    pub fn assert_sound(&self) {
        assert_eq!(self.git(&["fsck", "--strict", "--no-dangling"]), "");
        for dir in [self.repo.join(".git"), self.repo.clone()] {
            let names = fsx::list(&dir).expect("a listing").into_iter().map(|e| e.name.to_string_lossy().into_owned());
            let leftovers: Vec<_> = names.filter(|n| n.contains("lock") || n.contains("deploy-tool")).collect();
            assert_eq!(leftovers, Vec::<String>::new());
        }
    }
}

pub(super) fn write(path: &Path, text: &str) {
    fsx::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fsx::remove_file_opt(path).expect("a file");
    fsx::write_new(path, text.as_bytes()).expect("a file");
}

pub(super) fn author() -> Author {
    let time = "2024-01-20T10:30:00Z".parse().expect("a time");
    Author { name: "Fallback".into(), email: "fallback@example.org".into(), time }
}

pub(super) fn kind(text: &str) -> ComponentType {
    text.parse().expect("a component type")
}

pub(super) fn version(text: &str) -> Version {
    text.parse().expect("a version")
}

pub(super) fn reference(text: &str) -> Reference {
    text.parse().expect("a reference")
}

/// A manifest whose package is the digest of `content`.
pub(super) fn manifest(kind: &str, version: &str, content: &str) -> Manifest {
    let text = format!(
        r#"{{"component": {{"type": "{kind}", "version": "{version}", "created_at": "2024-01-20T10:00:00Z"}},
            "package": {{"file": "{kind}-{version}.tar.gz", "size": {}, "algorithm": "gzip",
                         "checksum": {{"algorithm": "sha256", "value": "{}"}}}},
            "metadata": {{"source_path": "./{kind}", "pack_version": "1.0"}}}}"#,
        content.len(),
        Sha256::of(content.as_bytes()),
    );
    Manifest::parse(text.as_bytes()).expect("a manifest")
}

/// A record that pins `manifest`, with one location a name.
pub(super) fn record(manifest: &Manifest, locations: &[&str]) -> Record {
    let places =
        locations.iter().map(|name| format!(r#"{{"name": "{name}", "type": "filesystem", "path": "{name}/"}}"#));
    let text = format!(
        r#"{{"component": {{"type": "{}", "version": "{}"}}, "locations": [{}], "published_at": "2024-01-20T10:30:00Z"}}"#,
        manifest.component.kind,
        manifest.component.version,
        places.collect::<Vec<_>>().join(", "),
    );
    let mut record = Record::parse(text.as_bytes()).expect("a record");
    let package = &manifest.package;
    record.manifest = Some(RecordManifest { sha256: Sha256::of(&to_canonical_json(manifest)) });
    record.package =
        Some(RecordPackage { file: package.file.clone(), size: package.size, checksum: package.checksum.clone() });
    record
}

/// The change that publishes a version at the location `local`.
pub(super) fn publishing(kind: &str, version: &str, content: &str) -> Change {
    let manifest = manifest(kind, version, content);
    publish_change(&to_canonical_json(&manifest), &record(&manifest, &["local"]), None, None).expect("a good record")
}

/// The change that adds the location `name` to a published version.
pub(super) fn adding(published: &Published, name: &str) -> Change {
    let mut record = published.record.clone();
    let more = self::record(&published.manifest, &[name]).locations;
    record.locations.extend(more);
    publish_change(&published.manifest_bytes, &record, Some(published), None).expect("only a location more")
}
