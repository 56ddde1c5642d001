//! `kill -9` at random moments of `deploy` and `version switch`, 100 of each (fewer in a plain run: `tests/shared/sample.rs`),
//! while an application reads on.
//!
//! The moments are drawn over the measured duration of a whole run. The seed is in every message; `DEPLOY_TOOL_SEED` sets
//! it.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use super::env::Env;
use super::random::Random;
use super::reader::{Reader, stamp, stamped};
use super::sample::share;

const VERSIONS: [&str; 3] = ["1.0.0", "1.0.1", "1.0.2"];

/// Three versions of a model and of a configuration, published; the first ones deployed.
fn three_versions() -> Env {
    let env = Env::new();
    env.model_in_place();
    for version in VERSIONS {
        env.write("project/models/version.txt", stamped(version));
        env.write("project/configs/version.txt", stamped(version));
        for kind in ["model", "config"] {
            env.ok(&["pack", "--type", kind, "--version", version]);
            env.ok(&["publish", &format!("{kind}@{version}")]);
        }
    }
    env.ok(&["deploy", "model@1.0.0", "config@1.0.0"]);
    env
}

/// Runs the command and kills it at `moment`; says whether that came before its end.
fn killed_at(env: &Env, args: &[&str], moment: Duration) -> bool {
    let mut command = env.command(args);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn().expect("it runs");
    std::thread::sleep(moment.saturating_sub(started.elapsed()));
    child.kill().expect("killed, or ended already");
    let status = child.wait().expect("it ends");
    assert!(status.success() || status.signal() == Some(9), "{args:?}: {status}");
    status.signal() == Some(9)
}

fn kills(env: &Env, command: impl Fn(&str) -> Vec<String>, after: impl Fn(&Env)) {
    let (mut random, seed) = Random::seeded();
    // Of fewer than 30, too few may be killed by chance.
    let kills = share(100).max(30);
    let root = env.path("root");
    let now = || {
        let set = ["model", "config"].map(|c| stamp(&root.join("links").join(c).join("version.txt")).expect("there"));
        (env.link("releases/current"), set)
    };
    let args_for = |n: usize| command(VERSIONS[n % VERSIONS.len()]);
    let mut step = 0;
    let mut run_whole = || {
        step += 1;
        let args = args_for(step);
        let started = Instant::now();
        env.ok(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let took = started.elapsed();
        after(env);
        took
    };
    let mut durations = [(); 5].map(|()| run_whole());
    durations.sort();
    let reader = Reader::start(root.clone(), &["model", "config"], "version.txt");
    let mut killed = 0;
    for n in 1..=kills {
        let args = args_for(step + n);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let moment = random.moment(durations[2]);
        let at = format!("seed {seed}, kill {n}: {args:?} at {moment:?}");
        let before = now();
        killed += usize::from(killed_at(env, &args, moment));
        // What the next changing command makes of it; nothing is pinned, so that it changes nothing else.
        env.ok(&["version", "unpin", "model", "1.0.0"]);
        let recovered = now();
        env.ok(&["links", "verify"]);
        env.ok(&args);
        let done = now();
        assert_ne!(done, before, "{at}: the command does something");
        let is_old = recovered == before;
        assert!(is_old || recovered == done, "{at}: neither old nor new: {before:?} {recovered:?} {done:?}");
        after(env);
    }
    let seen = reader.stop();
    assert!(killed > kills / 3, "seed {seed}: only {killed} were killed before their end");
    assert!(seen.releases.len() > kills / 2, "seed {seed}: the reader was awake: {} releases", seen.releases.len());
}

#[test]
fn deploy() {
    // What is neither current nor the parent goes, so that every deploy unpacks.
    let command = |v: &str| vec!["deploy".to_owned(), format!("model@{v}"), format!("config@{v}")];
    let env = three_versions();
    kills(&env, command, |env| drop(env.ok(&["version", "cleanup", "--keep", "0"])));
}

#[test]
fn version_switch() {
    let env = three_versions();
    env.ok(&["deploy", "model@1.0.1"]);
    env.ok(&["deploy", "model@1.0.2"]);
    env.ok(&["deploy", "model@1.0.0"]);
    kills(&env, |v| ["version", "switch", "model", v].map(str::to_owned).to_vec(), |_| {});
}
