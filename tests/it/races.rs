//! Two deployers and a cleanup race, each killed at a random moment, 300 times over (less often in a plain run:
//! `tests/shared/sample.rs`), while an application reads on: it never sees anything missing or mixed, and no good version is
//! ever lost.
//!
//! The deployers want different versions of two components that must agree; the cleanup removes all it may. Who finds the
//! root locked tries again. The seed is in every message, and `DEPLOY_TOOL_SEED` sets it.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use deploy_tool::deploy::{LinkCheck, View};
use deploy_tool::ops::{links, versions};

use super::env::Env;
use super::in_process::site;
use super::random::Random;
use super::reader::{Reader, stamped};
use super::sample::share;
use super::tree::snapshot;

const COMPONENTS: [&str; 2] = ["model", "config"];
const VERSIONS: [&str; 4] = ["1.0.0", "1.0.1", "1.0.2", "1.0.3"];
const PINNED: &str = "1.0.0";
const CLEANUP: [&str; 4] = ["version", "cleanup", "--keep", "0"];

/// How a racer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Killed,
    /// Its moment came while it had no process.
    Stopped,
}

/// The versions of both components, published and deployed once each; what their trees hold.
fn published(env: &Env) -> BTreeMap<(&'static str, &'static str), BTreeMap<String, String>> {
    env.model_in_place();
    env.write("project/models/bert/pytorch_model.bin", [7; 5000]);
    let mut trees = BTreeMap::new();
    for version in VERSIONS.into_iter().rev() {
        env.write("project/models/version.txt", stamped(version));
        env.write("project/configs/version.txt", stamped(version));
        for kind in COMPONENTS {
            env.ok(&["pack", "--type", kind, "--version", version]);
            env.ok(&["publish", &format!("{kind}@{version}")]);
        }
        env.ok(&deploy(version).each_ref().map(String::as_str));
        for kind in COMPONENTS {
            trees.insert((kind, version), snapshot(&env.path(format!("root/components/{kind}/{version}"))));
        }
    }
    COMPONENTS.iter().for_each(|kind| drop(env.ok(&["version", "pin", kind, PINNED])));
    trees
}

fn deploy(version: &str) -> [String; 3] {
    ["deploy".to_owned(), format!("model@{version}"), format!("config@{version}")]
}

/// Runs the command until it is done, again and again while the root is locked; from `killed` on, where there is such a
/// moment, no more.
fn race(env: &Env, args: &[&str], killed: Option<Instant>) -> End {
    let killed_or_late = killed.unwrap_or_else(|| Instant::now() + Duration::from_secs(60));
    loop {
        let mut command = env.command(args);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
        let status = loop {
            match child.try_wait().expect("known") {
                Some(status) => break status,
                None if Instant::now() >= killed_or_late => {
                    child.kill().expect("killed, or ended already");
                    break child.wait().expect("it ends");
                }
                None => std::thread::sleep(Duration::from_micros(300)),
            }
        };
        match (status.code(), status.signal()) {
            (Some(0), _) => return End::Done,
            (_, Some(9)) if killed.is_some() => return End::Killed,
            (Some(5), _) if Instant::now() < killed_or_late => {}
            (Some(5), _) if killed.is_some() => return End::Stopped,
            _ => panic!("{args:?}: {:?}", child.wait_with_output()),
        }
    }
}

#[test]
fn no_reader_sees_anything_missing_or_mixed_and_no_good_version_is_lost() {
    let env = Env::new();
    let trees = published(&env);
    let (mut random, seed) = Random::seeded();
    let (root, site) = (env.path("root"), site(&env));
    let (model, unused) = ("model".parse().expect("a type"), "9.9.9".parse().expect("a version"));
    let started = Instant::now();
    env.ok(&deploy("1.0.1").each_ref().map(String::as_str));
    env.ok(&CLEANUP);
    // Three commands, one after the other.
    let round = started.elapsed() * 3 / 2;
    let reader = Reader::start(root.clone(), &COMPONENTS, "version.txt");
    let (rounds, mut kills) = (share(300), 0);
    for n in 1..=rounds {
        let first = random.below(VERSIONS.len());
        let second = (first + 1 + random.below(VERSIONS.len() - 1)) % VERSIONS.len();
        let wanted = [VERSIONS[first], VERSIONS[second]];
        let view = View::open(&root).expect("a root");
        let before = view.history().expect("read").entries;
        // Two of three are killed.
        let mut moment = || Some(random.moment(round)).filter(|_| random.below(3) > 0);
        let moments = [(); 3].map(|()| moment());
        let at = format!("seed {seed}, round {n}: {wanted:?} and a cleanup, killed at {moments:?}");
        let begun = Instant::now();
        let ends: Vec<End> = std::thread::scope(|scope| {
            let commands =
                [deploy(wanted[0]).to_vec(), deploy(wanted[1]).to_vec(), CLEANUP.map(str::to_owned).to_vec()];
            let env = &env;
            let racers = commands.into_iter().zip(moments).map(|(args, moment)| {
                let killed = moment.map(|moment| begun + moment);
                scope.spawn(move || race(env, &args.iter().map(String::as_str).collect::<Vec<_>>(), killed))
            });
            let racers: Vec<_> = racers.collect();
            racers.into_iter().map(ScopedJoinHandle::join).map(|end| end.unwrap_or_else(|_| panic!("{at}"))).collect()
        });
        kills += ends.iter().filter(|end| **end == End::Killed).count();

        // What the next changing command makes of it.
        versions::pin(&site, &model, &unused, false, false).unwrap_or_else(|e| panic!("{at}: {ends:?}: recovery: {e}"));
        let after = view.history().expect("read").entries;
        assert_eq!(after[..before.len()], before, "{at}: {ends:?}: the history only grows");
        let made: Vec<_> = after[before.len()..].iter().map(|entry| entry.set()).collect();
        for set in &made {
            let found: Vec<&str> = set.values().map(|version| version.as_str()).collect();
            assert!(found.len() == 2 && found[0] == found[1], "{at}: {ends:?}: {found:?} do not agree");
            assert!(wanted.contains(&found[0]), "{at}: {ends:?}: {found:?} is nobody's");
        }
        let last = after.last().expect("there is a release");
        assert_eq!(env.link("releases/current"), last.release.to_string(), "{at}: {ends:?}");
        for (end, version) in ends.iter().zip(wanted) {
            let is = |set: &deploy_tool::deploy::Set| set.values().any(|found| found.as_str() == version);
            // One that found its version current made no release.
            let known = before.last().map(|entry| entry.set()).into_iter().chain(made.clone()).any(|set| is(&set));
            assert!(*end != End::Done || known, "{at}: {ends:?}: {version} was done and is not there");
        }
        let checks = links::check(&site).expect("checked");
        assert!(checks.iter().all(LinkCheck::is_ok), "{at}: {ends:?}: {checks:?}");
        let parent = view.parent_of(last.release).expect("read").map(|entry| entry.set());
        let kept = [last.set(), parent.unwrap_or_default()].into_iter().flatten();
        let kept = kept.map(|(kind, version)| (kind.to_string(), version.to_string()));
        for (kind, version) in kept.chain(COMPONENTS.map(|kind| (kind.to_owned(), PINNED.to_owned()))) {
            let tree = snapshot(&root.join("components").join(&kind).join(&version));
            let whole = trees.iter().find(|((k, v), _)| (*k, *v) == (&*kind, &*version)).map(|(_, tree)| tree);
            assert_eq!(Some(&tree), whole, "{at}: {ends:?}: {kind} {version} is not whole");
        }
    }
    let seen = reader.stop();
    let mixed: Vec<_> = seen.releases.iter().filter(|(_, set)| set[0] != set[1]).collect();
    assert!(mixed.is_empty(), "seed {seed}: {mixed:?}");
    assert!(kills > rounds / 2, "seed {seed}: only {kills} were killed");
    assert!(seen.releases.len() > rounds / 10, "seed {seed}: the reader was awake: {} releases", seen.releases.len());
}
