//! The Python module of the wheel reads from a root what the program made current there.

use std::process::Command;

use super::env::{Env, Ran};
use super::environments::published;
use super::programs::has;

/// Runs Python as an application beside the root would: with the module, and without the program.
fn python(env: &Env, script: &str) -> Ran {
    let mut python: Command = env.hermetic("python3");
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/src/python");
    python.args(["-B", "-W", "error", "-c", script]).env("PYTHONPATH", module).current_dir(env.path("project"));
    Ran::of(python.output().expect("python3 runs"))
}

/// The same; it must succeed. Returns what it printed.
fn answer(env: &Env, expression: &str) -> String {
    let ran =
        python(env, &format!("import deploy_tool\nrelease = deploy_tool.open_release('../root')\nprint({expression})"));
    assert_eq!(ran.status, Some(0), "{expression}: {}", ran.stderr);
    ran.stdout.trim_end().replace(&env.path("").display().to_string(), "")
}

#[test]
fn current_is_what_was_deployed_switched_to_and_rolled_back_to() {
    if !has("python3", "python3") {
        return;
    }
    let env = published();
    let current = "deploy_tool.current('model', root='../root')";
    for (args, version) in [
        (&["deploy", "model@1.0.0", "config@1"][..], "1.0.0"),
        (&["deploy", "model@1.0.1"], "1.0.1"),
        (&["version", "switch", "model", "1.0.0"], "1.0.0"),
        (&["rollback"], "1.0.1"),
    ] {
        env.ok(args);
        assert_eq!(answer(&env, &format!("{current}.version")), version, "after {args:?}");
        assert_eq!(answer(&env, &format!("{current}.path")), format!("root/components/model/{version}"));
        assert_eq!(answer(&env, "release['model'].version + ' ' + release['config'].version"), format!("{version} 1"));
    }
    assert_eq!(answer(&env, "release"), "<release 4: config@1 model@1.0.1>");
    assert_eq!(answer(&env, "*sorted(release), len(release), release.number"), "config model 2 4");
}

#[test]
fn what_is_not_deployed_is_an_error_of_its_own() {
    if !has("python3", "python3") {
        return;
    }
    let env = published();
    let ran = python(&env, "import deploy_tool\ndeploy_tool.open_release('../root')");
    assert!(ran.stderr.contains("FileNotFoundError") && ran.stderr.contains("releases/current"), "{}", ran.stderr);
    env.ok(&["deploy", "model@1.0.0"]);
    let ran = python(&env, "import deploy_tool\ndeploy_tool.current('config', '../root')");
    assert!(ran.stderr.trim_end().ends_with("KeyError: 'config'"), "{}", ran.stderr);
}

/// A reader that asks all the time while versions change sees only sets that belonged together.
#[test]
fn a_release_that_is_read_while_others_are_made_is_one_of_them() {
    if !has("python3", "python3") {
        return;
    }
    let env = published();
    env.ok(&["deploy", "model@1.0.0", "config@1"]);
    let script = "import deploy_tool, os, pathlib\n\
        open('../ready', 'w').close()\n\
        seen = set()\n\
        while not os.path.exists('../done'):\n\
        \x20   release = deploy_tool.open_release('../root')\n\
        \x20   seen.add((release.number, release['model'].version))\n\
        \x20   assert release['model'].path.is_dir()\n\
        assert all(version == ('1.0.0' if number % 2 else '1.0.1') for number, version in seen), seen\n\
        assert len(seen) > 1, seen\n";
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| python(&env, script));
        let gone_on = std::time::Instant::now();
        while !env.path("ready").exists() && gone_on.elapsed().as_secs() < 60 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        for release in 0..8 {
            env.ok(&["deploy", if release % 2 == 0 { "model@1.0.1" } else { "model@1.0.0" }]);
        }
        env.write("done", "");
        let ran = reader.join().expect("it ended");
        assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    });
}
