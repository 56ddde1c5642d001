//! From references to versions.

use super::super::yank_change;
use super::*;
use crate::model::Yank;

fn yank(repository: &Repository, which: &str) {
    let published = repository.snapshot(None).expect("a snapshot").resolve(&reference(which)).expect("published");
    let note = Yank { at: author().time, reason: "bad".into(), by: "mei".into() };
    repository.commit(&yank_change(&published, &note).expect("a change"), &author()).expect("a commit");
}

/// A repository with these versions of `model`; the content of each is its version unless given after `=`.
fn with(versions: &[&str]) -> (Sandbox, Repository) {
    let sandbox = Sandbox::bare();
    let repository = sandbox.open();
    for text in versions {
        let (version, content) = text.split_once('=').unwrap_or((text, text));
        let change = publishing("model", version, content);
        repository.commit(&change, &author()).expect("a commit");
    }
    (sandbox, repository)
}

fn resolve(repository: &Repository, which: &str) -> Result<String, Error> {
    let found = repository.snapshot(None).expect("a snapshot").resolve(&reference(which));
    found.map(|p| p.version().as_str().to_owned())
}

#[test]
fn exact_latest_and_ranges() {
    let (_sandbox, repository) = with(&["1.0.0", "1.0.2", "1.0.10", "1.1.0", "2.0.0-rc.1", "2.0.0-rc.2", "nightly-1"]);
    let found = |which: &str| resolve(&repository, which).expect(which);
    assert_eq!(found("model@1.0.2"), "1.0.2");
    assert_eq!(found("model@2.0.0-rc.1"), "2.0.0-rc.1");
    assert_eq!(found("model@~1.0"), "1.0.10");
    assert_eq!(found("model@^1.0"), "1.1.0");
    assert_eq!(found("model@<1.0.10"), "1.0.2");
    assert_eq!(found("model@*"), "1.1.0");
    // A range finds pre-releases only of the version it names one of.
    assert_eq!(found("model@>=2.0.0-rc.1"), "2.0.0-rc.2");
    // Natural order puts words behind numbers, and only semver knows pre-releases.
    assert_eq!(found("model"), "nightly-1");
    assert!(
        matches!(resolve(&repository, "model@^2"), Err(Error::NoMatch { known, .. }) if known[0] == version("nightly-1"))
    );
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let (_sandbox, repository) = with(&["1.0.0", "1.0.1"]);
    repository.commit(&publishing("config", "7", "c"), &author()).expect("a commit");
    match resolve(&repository, "modle") {
        Err(Error::NoComponent { known, .. }) => assert_eq!(known, [kind("config"), kind("model")]),
        other => panic!("{other:?}"),
    }
    match resolve(&repository, "model@1.0.7") {
        Err(Error::NoVersion { known, .. }) => assert_eq!(known, [version("1.0.1"), version("1.0.0")]),
        other => panic!("{other:?}"),
    }
    assert!(matches!(resolve(&Sandbox::bare().open(), "model"), Err(Error::NoRecords { .. })));
    assert!(matches!(resolve(&Sandbox::new().open(), "model"), Err(Error::NoRecords { .. })));
}

#[test]
fn prereleases_are_never_the_latest() {
    let (_sandbox, repository) = with(&["1.0.0-rc.1", "1.0.0-rc.2"]);
    match resolve(&repository, "model@latest") {
        Err(Error::OnlyPrereleases { highest, .. }) => assert_eq!(highest, version("1.0.0-rc.2")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn yanked_versions_answer_only_to_their_name() {
    let (_sandbox, repository) = with(&["1.0.0", "1.0.1", "1.1.0"]);
    yank(&repository, "model@1.1.0");
    assert_eq!(resolve(&repository, "model").expect("latest"), "1.0.1");
    assert_eq!(resolve(&repository, "model@^1.0").expect("a range"), "1.0.1");
    let exact = repository.snapshot(None).expect("a snapshot").resolve(&reference("model@1.1.0")).expect("by name");
    assert_eq!(exact.yanked.map(|y| y.reason).as_deref(), Some("bad"));
    assert!(
        matches!(resolve(&repository, "model@^1.1"), Err(Error::AllYanked { highest, .. }) if highest == version("1.1.0"))
    );
    yank(&repository, "model@1.0.0");
    yank(&repository, "model@1.0.1");
    assert!(
        matches!(resolve(&repository, "model"), Err(Error::AllYanked { highest, .. }) if highest == version("1.1.0"))
    );
}

#[test]
fn digests_by_unique_prefix() {
    let (_sandbox, repository) = with(&["1.0.0=a", "1.0.1=b", "1.0.2=b", "1.0.3=c"]);
    let full = |content: &str| format!("model@sha256:{}", Sha256::of(content.as_bytes()));
    assert_eq!(resolve(&repository, &full("a")).expect("a"), "1.0.0");
    assert_eq!(resolve(&repository, &full("a")[..22]).expect("a prefix"), "1.0.0");
    // Two versions of the same bytes are the same package: the highest that is not yanked.
    assert_eq!(resolve(&repository, &full("b")).expect("b"), "1.0.2");
    yank(&repository, "model@1.0.2");
    assert_eq!(resolve(&repository, &full("b")).expect("b"), "1.0.1");
    assert!(matches!(resolve(&repository, &full("d")), Err(Error::NoDigest { .. })));
}

#[test]
fn an_ambiguous_prefix_lists_what_it_fits() {
    // 17 digests over 16 first digits: two of them begin alike.
    let contents: Vec<String> = (0..17).map(|n| format!("1.0.{n}")).collect();
    let (_sandbox, repository) = with(&contents.iter().map(String::as_str).collect::<Vec<_>>());
    let first = |content: &String| Sha256::of(content.as_bytes()).to_string()[..1].to_owned();
    let digits: Vec<String> = contents.iter().map(first).collect();
    let twice = digits.iter().find(|d| digits.iter().filter(|o| o == d).count() > 1).expect("a pair");
    match resolve(&repository, &format!("model@sha256:{twice}")) {
        Err(Error::AmbiguousDigest { matches, .. }) => {
            assert_eq!(matches.len(), digits.iter().filter(|d| *d == twice).count());
            assert!(matches.iter().all(|m| m.sha256.to_string().starts_with(twice.as_str())));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_broken_latest_is_not_skipped_in_silence() {
    let sandbox = Sandbox::new();
    sandbox.publish("1.0.0").expect("a commit");
    sandbox.publish("1.0.1").expect("a commit");
    sandbox.write("records/packages/model/1.0.1/manifest.json", "{}");
    sandbox.git(&["commit", "-q", "-a", "-m", "oops"]);
    assert!(matches!(resolve(&sandbox.open(), "model"), Err(Error::Schema { .. })));
    // Who asks for another version never reads it.
    assert_eq!(resolve(&sandbox.open(), "model@1.0.0").expect("by name"), "1.0.0");
}
