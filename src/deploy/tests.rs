//! The transaction on a real disk: what it makes, what it leaves when it fails.

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::fsx;
use crate::model::{Blake3, ComponentType, Sha256, Timestamp};

fn component(name: &str) -> ComponentType {
    name.parse().expect("a type")
}

fn request(after: &[(&str, &str)], installs: &[(&str, &str)], parent: Option<u64>) -> Request {
    let parse = |(c, v): &(&str, &str)| (component(c), v.parse().expect("a version"));
    let after: Set = after.iter().map(parse).collect();
    let detail =
        |version: &crate::model::Version| EntryComponent { version: version.clone(), package: None, commit: None };
    Request {
        action: Action::Deploy,
        details: after.iter().map(|(c, v)| (c.clone(), detail(v))).collect(),
        after,
        installs: installs.iter().map(parse).map(|(component, version)| Install { component, version }).collect(),
        parent,
        restores: None,
        origins: Default::default(),
        environment: None,
        custom_links: Vec::new(),
        at: Timestamp::from_unix(100).expect("a time"),
        by: "mei@host".into(),
    }
}

fn stage(install: &Install, dir: &Path, _: &AtomicBool) -> Result<Staged, Error> {
    fsx::write_new(&dir.join("name"), format!("{}@{}", install.component, install.version).as_bytes())?;
    let inventory = Inventory { tree: Blake3::of(b"tree"), items: Vec::new() };
    let receipt = Receipt {
        component: install.component.clone(),
        version: install.version.clone(),
        package: Sha256::of(b"package"),
        tree: Blake3::of(b"tree"),
        files: 1,
        bytes: 1,
        installed_at: Timestamp::from_unix(100).expect("a time"),
        record: ReceiptRecord { manifest: Sha256::of(b"manifest"), commit: None },
        mutable: false,
        dependencies: Vec::new(),
    };
    Ok(Staged { receipt, inventory, work: ComponentWork::default() })
}

fn run(root: &Root, request: Request) -> Result<Done, Error> {
    let plan = plan(root.layout(), &root.view().state()?, request)?;
    begin(root, &plan, stage)?.commit()
}

fn open(path: &Path) -> (Root, Recovery) {
    Root::open(path, "test", Duration::ZERO, Others::Refused).expect("a root")
}

fn names(dir: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for entry in fsx::list(dir).expect("listed") {
        let path = dir.join(&entry.name);
        match entry.kind {
            fsx::FileKind::Directory => out.extend(names(&path)),
            _ => out.push(path.display().to_string()),
        }
    }
    out
}

#[test]
fn a_deploy_makes_the_layout_of_the_design() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("opt/deployments");
    let (opened, recovery) = open(&root);
    assert_eq!(recovery, Recovery::Clean);
    let both = [("model", "1.0.0"), ("config", "2")];
    assert_eq!(run(&opened, request(&both, &both, None)).expect("deployed").release, 1);
    let link = |p: &str| fsx::read_link(&root.join(p)).expect("a link").display().to_string();
    assert_eq!(link("links/model"), "../components/model/current");
    assert_eq!(link("components/model/current"), "1.0.0");
    assert_eq!(link("releases/1/config"), "../../components/config/2");
    assert_eq!(link("releases/current"), "1");
    assert_eq!(fsx::read_text(&root.join("links/model/name")).expect("read"), "model@1.0.0");
    assert!(check_links(opened.view(), &[]).expect("checked").iter().all(LinkCheck::is_ok));
    assert!(fsx::list(&opened.layout().journals()).expect("listed").is_empty());
}

#[test]
fn a_failed_stage_leaves_the_root_as_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let (root, _) = open(dir.path());
    let _ = run(&root, request(&[("model", "1")], &[("model", "1")], None)).expect("deployed");
    let before = names(dir.path());
    let wanted = request(&[("model", "2"), ("config", "1")], &[("model", "2"), ("config", "1")], Some(1));
    let plan = plan(root.layout(), &root.view().state().expect("read"), wanted).expect("a plan");
    let result = begin(&root, &plan, |install, dir, stop| match install.component.as_str() {
        "config" => Err(Error::NotDeployed { component: install.component.clone() }),
        _ => stage(install, dir, stop),
    });
    assert!(matches!(result, Err(Error::NotDeployed { .. })));
    assert_eq!(names(dir.path()), before);
}

#[test]
fn versions_are_staged_at_once_and_told_of_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let (root, _) = open(dir.path());
    let all = [("a", "1"), ("b", "1"), ("c", "1")];
    let plan = plan(root.layout(), &State::default(), request(&all, &all, None)).expect("a plan");
    // Each waits for the others: one after the other they would wait for ever.
    let together = Barrier::new(all.len());
    let staged = |install: &Install, dir: &Path, stop: &AtomicBool| {
        together.wait();
        stage(install, dir, stop)
    };
    let staged = staging::stage_all(root.layout(), &plan.installs, staged).expect("staged");
    let names: Vec<_> = staged.iter().map(|staged| staged.receipt.component.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn the_first_failure_is_told_and_stops_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let (root, _) = open(dir.path());
    let all: Vec<(String, &str)> = (b'a'..=b'z').map(|name| (char::from(name).to_string(), "1")).collect();
    let all: Vec<(&str, &str)> = all.iter().map(|(name, version)| (name.as_str(), *version)).collect();
    let plan = plan(root.layout(), &State::default(), request(&all, &all, None)).expect("a plan");
    let begun = std::sync::atomic::AtomicUsize::new(0);
    let result = begin(&root, &plan, |install, _, stop| -> Result<Staged, Error> {
        begun.fetch_add(1, Ordering::Relaxed);
        if install.component.as_str() == "b" {
            return Err(Error::NoParent { release: Some(17) });
        }
        while !stop.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        Err(Error::NotDeployed { component: install.component.clone() })
    });
    assert!(matches!(result, Err(Error::NoParent { release: Some(17) })), "{result:?}");
    assert!(begun.into_inner() <= 4, "none is begun after it");
    assert!(fsx::list(&root.layout().staging()).expect("listed").is_empty());
    assert!(fsx::list(&root.layout().components()).expect("listed").is_empty());
}

#[test]
fn recovery_undoes_before_and_finishes_after_the_commit_point() {
    let dir = tempfile::tempdir().expect("a directory");
    let (root, _) = open(dir.path());
    let _ = run(&root, request(&[("model", "1")], &[("model", "1")], None)).expect("deployed");
    let wanted = request(&[("model", "2")], &[("model", "2")], Some(1));
    let plan = plan(root.layout(), &root.view().state().expect("read"), wanted).expect("a plan");
    let journal = journal::ReleaseJournal {
        entry: plan.entry.clone(),
        installs: plan.installs.iter().map(|i| (i.component.clone(), i.version.clone())).collect(),
        links: plan.links.clone(),
    };
    journal.open(root.layout()).expect("opened");
    drop(root);
    let (root, recovery) = open(dir.path());
    assert_eq!(recovery, Recovery::Undone { release: 2 });

    let done = run(&root, request(&[("model", "2")], &[("model", "2")], Some(1))).expect("deployed");
    assert_eq!(done.release, 2);
    let layout = root.layout().clone();
    let model = component("model");
    fsx::replace_link(Path::new("1"), &layout.current(&model), &Layout::temporary(&layout.current(&model)))
        .expect("as if stopped before the rename");
    journal.open(&layout).expect("opened");
    drop(root);
    let (root, recovery) = open(dir.path());
    assert_eq!(recovery, Recovery::Finished { release: 2 });
    assert_eq!(fsx::read_link(&layout.current(&model)).expect("a link"), Path::new("2"));
    assert_eq!(root.view().history().expect("read").entries.len(), 2);
}

#[test]
fn a_journal_that_comes_back_undoes_no_release_that_was_done() {
    let dir = tempfile::tempdir().expect("a directory");
    let (root, _) = open(dir.path());
    let _ = run(&root, request(&[("model", "1")], &[("model", "1")], None)).expect("deployed");
    let wanted = request(&[("model", "1"), ("config", "1")], &[("config", "1")], Some(1));
    let plan = plan(root.layout(), &root.view().state().expect("read"), wanted.clone()).expect("a plan");
    let journal = journal::ReleaseJournal {
        entry: plan.entry.clone(),
        installs: plan.installs.iter().map(|i| (i.component.clone(), i.version.clone())).collect(),
        links: plan.links.clone(),
    };
    let _ = run(&root, wanted).expect("deployed");
    let _ = run(&root, request(&[("model", "2"), ("config", "1")], &[("model", "2")], Some(2))).expect("deployed");
    let before = names(dir.path());
    journal.open(root.layout()).expect("opened");
    drop(root);
    let (root, recovery) = open(dir.path());
    assert_eq!(recovery, Recovery::Finished { release: 2 });
    assert_eq!(names(dir.path()), before);
    assert!(check_links(root.view(), &[]).expect("checked").iter().all(LinkCheck::is_ok));
}

#[test]
fn a_torn_journal_of_an_uncommitted_release_is_undone() {
    let dir = tempfile::tempdir().expect("a directory");
    let (root, _) = open(dir.path());
    let _ = run(&root, request(&[("model", "1")], &[("model", "1")], None)).expect("deployed");
    let before = names(dir.path());
    fsx::write_new(&root.layout().journals().join("2.json"), b"{\"entry\":").expect("torn");
    fsx::create_dir(&root.layout().release(2)).expect("created");
    let (layout, model) = (root.layout().clone(), component("model"));
    fsx::symlink(Path::new("2"), &Layout::temporary(&layout.current(&model))).expect("made");
    drop(root);
    assert_eq!(open(dir.path()).1, Recovery::Undone { release: 2 });
    assert_eq!(names(dir.path()), before);
}

#[test]
fn two_cannot_change_one_root() {
    let dir = tempfile::tempdir().expect("a directory");
    let _held = open(dir.path());
    match Root::open(dir.path(), "second", Duration::ZERO, Others::Refused) {
        Err(Error::Locked { holder, .. }) => assert_eq!(holder, "test"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn cleanup_removes_versions_and_the_releases_that_name_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let (root, _) = open(dir.path());
    for (number, version) in ["1", "2", "3", "4"].iter().enumerate() {
        let parent = (number > 0).then_some(number as u64);
        let _ = run(&root, request(&[("model", version)], &[("model", version)], parent)).expect("deployed");
    }
    let retention = Retention { last: Some(1), younger_than: None };
    let now = Timestamp::from_unix(200).expect("a time");
    let plan = root.view().plan_cleanup(Rule { retention, only: None, force: false }, now).expect("a plan");
    root.cleanup(&plan, &Who { by: "mei@host".into(), at: now }, &mut |_| {}).expect("cleaned");
    let left = root.view().versions(&component("model")).expect("listed");
    assert_eq!(left.iter().map(|v| v.as_str()).collect::<Vec<_>>(), ["3", "4"]);
    assert!(root.view().release(1).expect("read").is_none());
    assert!(root.view().release(3).expect("read").is_some());
    assert!(check_links(root.view(), &[]).expect("checked").iter().all(LinkCheck::is_ok));
}

#[test]
fn repair_mends_links_and_leaves_real_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let (root, _) = open(dir.path());
    let both = [("model", "1"), ("config", "1")];
    let _ = run(&root, request(&both, &both, None)).expect("deployed");
    let layout = root.layout().clone();
    fsx::remove_file(&layout.link(&component("model"))).expect("removed");
    fsx::remove_file(&layout.link(&component("config"))).expect("removed");
    fsx::write_new(&layout.link(&component("config")), b"mine").expect("written");
    let checks = check_links(root.view(), &[]).expect("checked");
    let who = Who { by: "mei@host".into(), at: Timestamp::from_unix(200).expect("a time") };
    assert_eq!(root.repair_links(&checks, &who).expect("repaired"), 1);
    let bad: Vec<_> = check_links(root.view(), &[]).expect("checked").into_iter().filter(|c| !c.is_ok()).collect();
    assert_eq!(bad.len(), 1);
    assert_eq!(bad[0].state, LinkState::Replaced);
}
