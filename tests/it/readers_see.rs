//! A reader looping through the links during 1 000 switches sees one whole version at every look.
//!
//! 900 switches go through the library, in the test's own process, since starting a debug build a thousand times would
//! take most of the time; 100 go through the program itself.

use deploy_tool::model::{ComponentType, Version};
use deploy_tool::ops::{Site, change};
use deploy_tool::{deploy, ops};

use super::env::Env;
use super::in_process::site;
use super::reader::{Reader, stamped};

const FILE: &str = "config.json";

/// Runs `switch` until the root is free. A process that another test of this binary is just starting holds copies of our
/// open files, the root's lock among them, until it has become another program: only here can a lock outlive its owner.
fn once_free(mut switch: impl FnMut() -> bool) {
    let switched = (0..100).any(|_| {
        let done = switch();
        if !done {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        done
    });
    assert!(switched, "the root stays locked");
}

fn by_program(env: &Env, version: &Version) -> bool {
    let ran = env.run(&["version", "switch", "model", version.as_str()]);
    assert!(matches!(ran.status, Some(0 | 5)), "{ran:?}");
    ran.status == Some(0)
}

fn by_library(site: &Site, model: &ComponentType, version: &Version) -> bool {
    match change::switch(site, model, version, false) {
        Ok(_) => true,
        Err(ops::Error::Deploy(deploy::Error::Locked { .. })) => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn one_whole_version_during_a_thousand_switches() {
    let env = Env::new();
    env.model_in_place();
    for version in ["1.0.0", "1.0.1"] {
        env.write(&format!("project/models/{FILE}"), stamped(version));
        env.publish(version);
        env.ok(&["deploy", &format!("model@{version}")]);
    }
    let site = site(&env);
    let model: ComponentType = "model".parse().expect("a type");
    let versions: [Version; 2] = ["1.0.0", "1.0.1"].map(|v| v.parse().expect("a version"));
    let reader = Reader::start(env.path("root"), &["model"], FILE);
    for n in 0..1000 {
        let version = &versions[n % 2];
        if n % 10 == 0 {
            once_free(|| by_program(&env, version));
        } else {
            once_free(|| by_library(&site, &model, version));
        }
        assert_eq!(env.link("components/model/current"), version.as_str());
    }
    let seen = reader.stop();
    assert_eq!(env.link("releases/current"), "1002");
    assert!(seen.lookups > 500 && seen.releases.len() > 100, "the reader was awake: {} looks", seen.lookups);
}
