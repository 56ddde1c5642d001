//! Reading commits: what is found, and what is not believed.

use super::super::{read_file, yank_change};
use super::*;
use crate::model::Yank;

const DIR: &str = "records/packages/model/1.0.0";

fn get(sandbox: &Sandbox) -> Result<Option<Published>, Error> {
    sandbox.open().snapshot(None)?.get(&kind("model"), &version("1.0.0"))
}

/// Commits the work tree as it is, by git.
fn commit_all(sandbox: &Sandbox) {
    sandbox.git(&["add", "-A"]);
    sandbox.git(&["commit", "-q", "-m", "by hand"]);
}

/// Publishes, lets `spoil` change the committed text of `file`, and reads again.
fn spoiled(file: &str, spoil: impl Fn(String) -> String) -> Error {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    let path = format!("{DIR}/{file}");
    sandbox.write(&path, &spoil(sandbox.read(&path)));
    commit_all(&sandbox);
    let error = get(&sandbox).expect_err("a spoiled file");
    let shown = error.to_string();
    let commit = sandbox.git(&["rev-parse", "--short=12", "HEAD"]);
    assert!(shown.contains(&format!("{commit}:{DIR}/")), "names commit and file: {shown}");
    error
}

#[test]
fn what_was_published_is_read_from_objects_at_any_commit() {
    let sandbox = Sandbox::new();
    let first = sandbox.publish("1.0.0").expect("a commit");
    let second = sandbox.publish("1.0.10").expect("a commit");
    sandbox.publish("1.0.9").expect("a commit");
    // The checkout plays no part.
    fsx::remove_tree(&sandbox.repo.join("records")).expect("removed");

    let repository = sandbox.open();
    let now = repository.snapshot(None).expect("a snapshot");
    assert_eq!(now.components().expect("components"), [kind("model")]);
    let all = now.versions(&kind("model")).expect("versions");
    assert_eq!(all.iter().map(Version::as_str).collect::<Vec<_>>(), ["1.0.0", "1.0.9", "1.0.10"]);
    assert_eq!(now.versions(&kind("config")).expect("none"), []);
    let published = now.get(&kind("model"), &version("1.0.10")).expect("good").expect("published");
    assert_eq!(published.package_sha256(), Sha256::of(b"1.0.10"));
    assert_eq!(published.manifest_sha256, Sha256::of(&published.manifest_bytes));
    assert_eq!(published.commit.as_deref(), now.commit_id());

    let then = repository.snapshot(Some(&first.commit)).expect("a snapshot");
    assert_eq!(then.versions(&kind("model")).expect("versions"), [version("1.0.0")]);
    let parent = repository.snapshot(Some("main~1")).expect("a snapshot");
    assert_eq!(parent.commit_id(), Some(second.commit.as_str()));
    for bad in ["nowhere", "main:records", "a\0b", ""] {
        assert!(matches!(repository.snapshot(Some(bad)), Err(Error::NoRevision { .. })), "{bad:?}");
    }
}

#[test]
fn records_may_lie_anywhere_in_the_repository() {
    let sandbox = Sandbox::new();
    for directory in [".", "deep/er/records"] {
        let repository = Repository::open(&sandbox.repo, directory, None).expect("a repository");
        repository.commit(&publishing("model", "1.0.0", "x"), &author()).expect("a commit");
        let snapshot = repository.snapshot(None).expect("a snapshot");
        assert!(snapshot.get(&kind("model"), &version("1.0.0")).expect("good").is_some());
    }
    assert!(fsx::inspect(&sandbox.repo.join("packages/model/1.0.0/record.json")).expect("a look").is_some());
    sandbox.assert_clean();
}

#[test]
fn foreign_entries_are_passed_over() {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    sandbox.write("records/packages/README.md", "");
    sandbox.write("records/packages/.hidden/x", "");
    sandbox.write("records/packages/model/latest/x", "");
    sandbox.write("records/packages/model/2.0.0/notes.txt", "");
    commit_all(&sandbox);
    let repository = sandbox.open();
    let snapshot = repository.snapshot(None).expect("a snapshot");
    assert_eq!(snapshot.components().expect("components"), [kind("model")]);
    assert_eq!(snapshot.get(&kind("model"), &version("2.0.0")).expect("no record"), None);
    assert_eq!(snapshot.resolve(&reference("model")).expect("a version").version(), &version("1.0.0"));
}

#[test]
fn files_that_do_not_agree_are_refused() {
    let error = spoiled("manifest.json", |text| text.replace("\n}", "\n} "));
    assert!(matches!(error, Error::ManifestDigest { .. }), "{error}");
    let error = spoiled("record.json", |text| text.replace("\"size\": 5", "\"size\": 6"));
    assert!(matches!(error, Error::PackageDiffers { .. }), "{error}");
    let error = spoiled("record.json", |text| text.replacen("1.0.0", "1.0.1", 1));
    assert!(matches!(error, Error::Misplaced { says, .. } if says == "model@1.0.1"));
    let error = spoiled("record.json", |text| text.replacen("{", "{\"schema\": 2,", 1));
    assert!(matches!(error, Error::Schema { .. }), "{error}");
    let error = spoiled("record.json", |_| "{".into());
    assert!(matches!(error, Error::Schema { .. }), "{error}");
    let error = spoiled("record.json", |text| text + &" ".repeat(5 << 20));
    assert!(matches!(error, Error::TooBig { .. }), "{error}");
}

#[test]
fn a_version_in_the_directory_of_another_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    sandbox.git(&["mv", DIR, "records/packages/model/1.0.1"]);
    commit_all(&sandbox);
    let repository = sandbox.open();
    let moved = repository.snapshot(None).expect("a snapshot").get(&kind("model"), &version("1.0.1"));
    assert!(matches!(moved, Err(Error::Misplaced { belongs, .. }) if belongs == "model@1.0.1"));
}

#[test]
fn half_a_version_and_links_are_refused() {
    for (gone, record_missing) in [("record.json", true), ("manifest.json", false)] {
        let sandbox = Sandbox::new();
        sandbox.publish("1.0.0").expect("a commit");
        sandbox.git(&["rm", "-q", &format!("{DIR}/{gone}")]);
        commit_all(&sandbox);
        match get(&sandbox) {
            Err(Error::RecordMissing { file }) if record_missing => assert!(file.path.ends_with(gone)),
            Err(Error::ManifestMissing { file }) if !record_missing => assert!(file.path.ends_with(gone)),
            other => panic!("{other:?}"),
        }
    }
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    let record = sandbox.repo.join(DIR).join("record.json");
    fsx::remove_file(&record).expect("removed");
    fsx::symlink(Path::new("manifest.json"), &record).expect("a link");
    commit_all(&sandbox);
    assert!(matches!(get(&sandbox), Err(Error::WrongKind { .. })));
}

#[test]
fn the_seeds_own_form_needs_its_manifest() {
    let manifest = manifest("model", "1.0.0", "x");
    let mut bare = record(&manifest, &["local"]);
    (bare.manifest, bare.package) = (None, None);
    let text = String::from_utf8(to_canonical_json(&bare)).expect("UTF-8");
    let sandbox = Sandbox::new();
    sandbox.write(&format!("{DIR}/record.json"), &text);
    commit_all(&sandbox);
    assert!(matches!(get(&sandbox), Err(Error::ManifestMissing { .. })));
    let file = sandbox.repo.join(DIR).join("record.json");
    assert!(matches!(read_file(&file), Err(Error::ManifestMissing { .. })));

    sandbox.write(&format!("{DIR}/manifest.json"), &String::from_utf8(to_canonical_json(&manifest)).expect("UTF-8"));
    commit_all(&sandbox);
    assert_eq!(get(&sandbox).expect("good").expect("published").package_sha256(), Sha256::of(b"x"));
}

#[test]
fn a_file_is_read_without_git() {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    let file = sandbox.repo.join(DIR).join("record.json");
    let published = read_file(&file).expect("a record");
    assert_eq!((published.version().as_str(), &published.commit, &published.yanked), ("1.0.0", &None, &None));
    assert!(matches!(read_file(&sandbox.repo.join("none.json")), Err(Error::NoFile { .. })));
    sandbox.write(&format!("{DIR}/manifest.json"), "{}");
    assert!(matches!(read_file(&file), Err(Error::Schema { .. })));
}

#[test]
fn a_yank_is_read_with_the_version_and_stands() {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    let published = get(&sandbox).expect("good").expect("published");
    let yank = Yank { at: author().time, reason: "wrong labels".into(), by: "mei".into() };
    let change = yank_change(&published, &yank).expect("the first yank");
    sandbox.open().commit(&change, &author()).expect("a commit");
    let now = get(&sandbox).expect("good").expect("published");
    assert_eq!(now.yanked, Some(yank.clone()));
    assert_eq!(now.record_bytes, published.record_bytes);
    assert!(matches!(yank_change(&now, &yank), Err(Error::Immutable { what: "yanked.json", .. })));
    sandbox.assert_clean();
}
