//! The promise "old or new" as a judge: whatever was left of a root, after the next changing command it is as it was before
//! or as it was asked for, and the command that was stopped then succeeds.

use std::fs;

use deploy_tool::deploy::LinkCheck;
use deploy_tool::ops::status::status;
use deploy_tool::ops::{self, Site, links, versions};
use serde_json::Value;

use super::env::{CONFIG, Env};
use super::in_process::site;
use super::scene::{Scene, State, differences};

/// A changing command that changes nothing in a root where nothing is pinned: all it does is to recover.
pub const RECOVER: &[&str] = &["version", "unpin", "model", "1.0.0"];

const HISTORY: &str = "root/.deploy-tool/history.jsonl";

/// What [`Root::open`] makes before anything is deployed, and what a receipt's directory leaves.
///
/// [`Root::open`]: deploy_tool::deploy::Root::open
const SKELETON: [&str; 9] = [
    "root/components",
    "root/links",
    "root/releases",
    "root/.deploy-tool",
    "root/.deploy-tool/format",
    "root/.deploy-tool/journal",
    "root/.deploy-tool/staging",
    "root/.deploy-tool/receipts",
    "root/.deploy-tool/pins",
];

/// Three versions of a model and one configuration, published. The trees are small, since they are put back thousands of
/// times.
pub fn published() -> Env {
    let env = Env::new();
    env.model_in_place();
    env.write("project/models/bert/pytorch_model.bin", [7; 5000]);
    env.write("project/configs/app.conf", "threshold = 0.5\n");
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.write("project/models/bert/config.json", "{\"layers\": 24}\n");
    env.publish("1.0.2");
    env.ok(&["pack", "--type", "config", "--version", "2"]);
    env.ok(&["publish", "config@2"]);
    fs::create_dir(env.path("app")).expect("made");
    env
}

/// The same with `model@1.0.0` deployed, and whatever `more` does.
pub fn scene(more: &[&[&str]]) -> Scene {
    let env = published();
    env.ok(&["deploy", "model@1.0.0"]);
    for args in more {
        env.ok(args);
    }
    Scene::of(env, &["root", "app"])
}

/// Two versions of a model of which one file is cut into several pieces, and all but one of these stay; published.
fn changed_in_part() -> Env {
    let env = Env::new();
    env.model_in_place();
    let mut weights = vec![0; 5_000_000];
    blake3::Hasher::new().finalize_xof().fill(&mut weights);
    env.write("project/models/bert/pytorch_model.bin", &weights);
    env.publish("1.0.0");
    weights[4_000_000] ^= 1;
    env.write("project/models/bert/pytorch_model.bin", &weights);
    env.publish("1.0.1");
    fs::create_dir(env.path("app")).expect("made");
    env
}

/// The same, the first deployed. Each command begins without what another one fetched.
pub fn with_ranges() -> Scene {
    let env = changed_in_part();
    env.configure("store:", "store: {path: ../fresh}");
    env.ok(&["deploy", "model@1.0.0"]);
    Scene::of(env, &["root", "app"]).with(&["store", "gc", "--max-size", "0"])
}

/// Two versions of a model, the first deployed; what makes the second of it is published, and the targets are known to be so
/// slow that nothing else is taken. Each command begins without what another one fetched.
pub fn with_delta() -> Scene {
    let env = Env::with_model();
    let mut weights = vec![0; 100_000];
    blake3::Hasher::new().finalize_xof().fill(&mut weights);
    env.write("project/models/bert/pytorch_model.bin", &weights);
    env.publish("1.0.0");
    weights[40_000] ^= 1;
    env.write("project/models/bert/pytorch_model.bin", &weights);
    env.ok(&["pack", "--type", "model", "--version", "1.0.1"]);
    env.ok(&["publish", "model@1.0.1", "--delta-from", "previous"]);
    fs::create_dir(env.path("app")).expect("made");
    env.configure("store:", "store: {path: ../fresh}");
    env.ok(&["deploy", "model@1.0.0"]);
    env.write("fresh/speeds.json", r#"{"version": 1, "sources": {"near": 1000, "far": 1000}}"#);
    let dry = env.json(&["deploy", "model@1.0.1", "--dry-run"])["components"][0].clone();
    let cost = &dry["cost"];
    assert_eq!(cost["candidates"][cost["chosen"].as_u64().expect("a place") as usize]["way"], "delta", "{dry}");
    Scene::of(env, &["root", "app"]).with(&["store", "gc", "--max-size", "0"])
}

/// As [`RECOVER`], in this process.
fn recover(site: &Site) -> Result<bool, ops::Error> {
    let (model, version) = ("model".parse().expect("a type"), "1.0.0".parse().expect("a version"));
    versions::pin(site, &model, &version, false, false).map(|(changed, _)| changed)
}

/// The same with these versions of the model deployed, one after the other, that have a custom link, and a configuration
/// that names another one instead.
pub fn with_custom_links(versions: &[&str]) -> Scene {
    let env = published();
    let with = |link: &str| {
        let (link, target) = (env.path("app").join(link), env.path("root/links/model"));
        let link = format!("deploy: {{root: ../root, custom_links: {{{}: {}}}}}", link.display(), target.display());
        env.write("project/.deploy-tool.yaml", CONFIG.replace("deploy: {root: ../root}", &link));
    };
    with("old");
    for version in versions {
        env.ok(&["deploy", &format!("model@{version}")]);
    }
    with("new");
    Scene::of(env, &["root", "app"])
}

/// Model and configuration current, and a custom link that leads to the configuration.
pub fn with_linked_config() -> Scene {
    let env = published();
    let (link, target) = (env.path("app/config"), env.path("root/links/config"));
    let link = format!("deploy: {{root: ../root, custom_links: {{{}: {}}}}}", link.display(), target.display());
    env.configure("deploy:", &link);
    env.ok(&["deploy", "model@1.0.0", "config@2"]);
    Scene::of(env, &["root", "app"])
}

/// The points at which a change that [`Scene::trace`] recorded is half prepared, wholly prepared, and just committed.
pub fn stages(trace: &[String]) -> [usize; 3] {
    let is_commit = |line: &String| line.contains(" rename ") && line.ends_with("releases/.current.deploy-tool-new");
    let commit = trace.iter().position(is_commit).expect("there is a commit point") + 1;
    [commit / 2, commit, commit + 1]
}

/// The part of the state that users see: links, releases and version directories.
pub fn visible(state: State) -> State {
    let own = |name: &str| name.starts_with("root/.deploy-tool") || SKELETON.contains(&name);
    state.into_iter().filter(|(name, _)| !own(name)).collect()
}

/// Everything but the empty directories, and the empty history, that every root has, and without times: of the state's
/// own files it counts that they are whole, and of the history which releases it has. Which custom links are ours is left
/// out: a link that does not hold what is noted there is no claim.
pub fn whole(state: State) -> State {
    let own = |name: &str, held: &str| {
        SKELETON.contains(&name)
            || name == "root/.deploy-tool/custom-links.json"
            || (name == HISTORY && held.is_empty())
    };
    let state = state.into_iter().filter(|(name, held)| !own(name, held));
    state.map(|(name, held)| (timeless(&name, &held).unwrap_or(held), name)).map(|(held, name)| (name, held)).collect()
}

/// What a file of the root's own state says, without the times in it; `None` where it is damaged, or has none.
fn timeless(name: &str, held: &str) -> Option<String> {
    if name == HISTORY {
        // A torn last line is none: it has no end, or zeros in it.
        let ended = held.split_inclusive('\n').filter(|line| line.ends_with('\n') && !line.contains('\0'));
        let releases = ended.map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            Some(format!("{} after {}: {} {}", line["release"], line["parent"], line["action"], line["components"]))
        });
        return releases.collect::<Option<Vec<_>>>().map(|releases| releases.join("\n"));
    }
    // It names inodes, which are others each time.
    if name.starts_with("root/.deploy-tool/receipts/") && name.ends_with(".files") {
        return Some("an inventory".to_owned());
    }
    let is_json = name.starts_with("root/.deploy-tool/") && name.ends_with(".json");
    (is_json && serde_json::from_str::<Value>(held).is_ok()).then(|| "whole".to_owned())
}

/// The links that readers follow and that lead nowhere.
pub fn dangling(scene: &Scene) -> Vec<String> {
    let followed = |name: &str| name.starts_with("root/links/") || name.ends_with("/current");
    let links = scene.links().into_iter().filter(|name| followed(name) && !name.contains(".deploy-tool-new"));
    let mut dangling: Vec<String> = links.filter(|name| !scene.env.path(name).exists()).collect();
    dangling.sort();
    dangling
}

#[track_caller]
pub fn same(found: &State, expected: &State, what: &str) {
    let differences = differences(found, expected);
    assert!(differences.is_empty(), "{what}: {differences:#?}");
}

/// A command that makes a release or removes one, and the two states there may be.
pub struct Change<'a> {
    args: &'a [&'a str],
    before: State,
    after: State,
}

impl<'a> Change<'a> {
    /// Runs the command on what was saved.
    pub fn of(scene: &Scene, args: &'a [&'a str]) -> Self {
        scene.restore();
        Self::next(scene, args)
    }

    /// Runs the command on what is there.
    pub fn next(scene: &Scene, args: &'a [&'a str]) -> Self {
        let before = whole(scene.names());
        let output = scene.run(args, None);
        assert!(output.status.success(), "{args:?}: {output:?}");
        let change = Self { args, before, after: whole(scene.names()) };
        assert_ne!(change.before, change.after, "the command does something");
        change
    }

    /// Judges what was left of the root at `at`, before and after the next changing command.
    pub fn judge(&self, scene: &Scene, at: &str) {
        let Self { args, before, after } = self;
        let root = scene.env.path("root");
        // What readers knew before is there, and what they may know already leads somewhere.
        for link in ["links/model", "components/model/current", "releases/current"] {
            assert!(before.is_empty() || root.join(link).exists(), "{at}: {link} dangles");
        }
        let dangling = dangling(scene);
        assert!(!dangling.iter().any(|link| link.ends_with("/current")), "{at}: {dangling:?}");
        let site = site(&scene.env);
        let is_root = root.join(".deploy-tool/format").exists();
        if is_root {
            status(&site).unwrap_or_else(|e| panic!("{at}: status: {e}"));
            recover(&site).unwrap_or_else(|e| panic!("{at}: recovery: {e}"));
        }
        let recovered = whole(scene.names());
        if recovered != *after {
            let (old, new) = (differences(&recovered, before), differences(&recovered, after));
            let is_old = if is_root { old.is_empty() } else { visible(scene.names()).is_empty() };
            assert!(is_old, "{at}: neither old nor new; to the old: {old:#?}, to the new: {new:#?}");
            let again = scene.run(args, None);
            assert!(again.status.success(), "{at}: the same command again: {again:?}");
            same(&whole(scene.names()), after, &format!("{at}: the same command again"));
        }
        let links = links::check(&site).unwrap_or_else(|e| panic!("{at}: links: {e}"));
        assert!(links.iter().all(LinkCheck::is_ok), "{at}: {links:?}");
    }

    /// As [`Self::judge`], of a run that said it was done.
    pub fn judge_done(&self, scene: &Scene, at: &str) {
        same(&visible(scene.names()), &visible(self.after.clone()), &format!("{at}: said done, but is not"));
        self.judge(scene, at);
    }
}
