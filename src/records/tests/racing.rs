//! Many publishers on one repository: everything lands, once, in a line.

use super::*;

const THREADS: usize = 8;
const EACH: usize = 10;

fn race(sandbox: &Sandbox) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let repository = sandbox.open().with_patience(Duration::from_secs(120));
                for n in 0..EACH {
                    let version = format!("{thread}.{n}.0");
                    repository.commit(&publishing("model", &version, &version), &author()).expect("lands");
                }
            });
        }
    });
    let commits = (THREADS * EACH).to_string();
    assert_eq!(sandbox.git(&["rev-list", "--count", "main"]), commits);
    assert_eq!(sandbox.git(&["rev-list", "--count", "--first-parent", "main"]), commits);
    let repository = sandbox.open();
    let snapshot = repository.snapshot(None).expect("a snapshot");
    let versions = snapshot.versions(&kind("model")).expect("versions");
    assert_eq!(versions.len(), THREADS * EACH);
    for version in &versions {
        assert!(snapshot.get(&kind("model"), version).expect("good").is_some());
    }
    assert_eq!(sandbox.git(&["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
fn a_work_tree_takes_turns() {
    let sandbox = Sandbox::unborn();
    race(&sandbox);
    sandbox.assert_clean();
}

#[test]
fn a_bare_repository_compares_and_swaps() {
    race(&Sandbox::bare());
}

#[test]
fn one_version_has_one_winner() {
    let sandbox = Sandbox::bare();
    let won = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (sandbox, won) = (&sandbox, &won);
            scope.spawn(move || {
                let repository = sandbox.open().with_patience(Duration::from_secs(60));
                match repository.commit(&publishing("model", "1.0.0", &thread.to_string()), &author()) {
                    Ok(_) => won.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
                    Err(Error::Changed { .. }) => 0,
                    Err(other) => panic!("{other}"),
                };
            });
        }
    });
    assert_eq!(won.into_inner(), 1);
    assert_eq!(sandbox.git(&["rev-list", "--count", "main"]), "1");
}
