//! What a user sees at a terminal, and that none of it is in a pipe: bars, colour, width, questions, signals.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use rustix::process::Signal;

use super::env::{Env, PROGRAM, Ran};
use super::links::deployed;
use super::programs::has;

/// Runs the program on a pseudo-terminal of this width, where `input` is typed.
pub fn on_terminal(env: &Env, columns: u32, vars: &[(&str, &str)], args: &[&str], input: &str) -> Ran {
    let call = [&[PROGRAM], args].concat().iter().map(|arg| format!("'{arg}'")).collect::<Vec<_>>().join(" ");
    let mut script = env.hermetic("script");
    script.args(["-qefc", &format!("stty cols {columns} rows 40; exec {call}"), "/dev/null"]);
    script.env("TERM", "xterm").env("SHELL", "/bin/sh").envs(vars.iter().copied());
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = script.spawn().expect("it runs");
    child.stdin.as_mut().expect("piped").write_all(input.as_bytes()).expect("typed");
    // The terminal stays open until the program has ended.
    let stdin = child.stdin.take();
    let mut seen = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut seen).expect("UTF-8");
    let status = child.wait().expect("it ends");
    drop(stdin);
    Ran { status: status.code(), stdout: seen.replace("\r\n", "\n"), stderr: String::new() }
}

/// A text without escape sequences that colour.
fn bare(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |bare, part| {
        bare + part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').get(1..).unwrap_or("")
    })
}

#[test]
fn colour_is_for_terminals_and_who_asks_for_it() {
    let env = deployed();
    let seen = |vars: &[(&str, &str)], more: &[&str]| {
        on_terminal(&env, 120, vars, &[&["version", "list"], more].concat(), "").stdout
    };
    let painted = seen(&[], &[]);
    assert!(painted.contains('\u{1b}'), "{painted:?}");
    assert_eq!(bare(&painted).trim_end(), env.ok(&["version", "list"]).trim_end(), "the words are the same");
    assert!(!seen(&[], &["--color", "never"]).contains('\u{1b}'));
    assert!(!seen(&[("NO_COLOR", "1")], &[]).contains('\u{1b}'));
    assert!(!seen(&[("TERM", "dumb")], &[]).contains('\u{1b}'));
    assert!(seen(&[("NO_COLOR", "1")], &["--color", "always"]).contains('\u{1b}'));
    assert!(env.ok(&["version", "list", "--color=always"]).contains('\u{1b}'), "in a pipe, too");
    let forced = env.command(&["version", "list"]).env("CLICOLOR_FORCE", "1").output().expect("it runs");
    assert!(String::from_utf8_lossy(&forced.stdout).contains('\u{1b}'));
    let error = env.run(&["version", "pin", "model", "9", "--color", "always"]);
    assert!(error.stderr.starts_with("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m "), "{error:?}");
    assert!(!env.ok(&["status", "--json", "--color", "always"]).contains('\u{1b}'), "JSON is data");
}

#[test]
fn tables_fit_sixty_columns() {
    let env = deployed();
    for args in [&["version", "list"][..], &["record", "list"], &["store", "list"], &["links", "list"], &["status"]] {
        let seen = bare(&on_terminal(&env, 60, &[], args, "").stdout);
        let table = seen.lines().filter(|line| !line.contains(": release") && !line.contains(" contents"));
        for line in table.filter(|line| line.contains("  ")) {
            assert!(line.chars().count() <= 60, "{args:?}: {line:?}");
        }
    }
}

#[test]
fn bars_are_drawn_on_a_terminal_taken_away_and_never_in_a_pipe() {
    let env = Env::with_model();
    env.write("project/models/bert/pytorch_model.bin", vec![7; 3_000_000]);
    env.publish("1.0.0");
    let seen = on_terminal(&env, 100, &[], &["deploy", "model@1.0.0"], "").stdout;
    assert!(seen.contains("unpack model"), "{seen:?}");
    assert!(!seen.lines().last().expect("a line").contains("unpack model"), "{seen:?}");
    assert!(seen.contains("\u{1b}[2K"), "taken away: {seen:?}");
    std::fs::remove_dir_all(env.path("root")).ok();
    let quiet = deployed().run(&["deploy", "model@1.0.0"]);
    assert!(!quiet.stderr.contains("unpack") && !quiet.stderr.contains('\u{1b}'), "{quiet:?}");
}

#[test]
fn no_report_is_printed_behind_a_bar() {
    let env = Env::with_model();
    env.write("project/models/bert/pytorch_model.bin", vec![7; 3_000_000]);
    for args in [&["pack", "--type", "model", "--version", "1.0.0"][..], &["publish", "model@1.0.0"]] {
        let seen = on_terminal(&env, 120, &[], args, "").stdout;
        assert!(seen.contains(&format!("{} model ", args[0])), "{seen:?}");
        // What stands on a line in the end is what came after the line was cleared last.
        let left = seen.lines().map(|line| line.rsplit("\u{1b}[2K").next().unwrap_or_default());
        assert!(left.clone().any(|line| line.contains("model@1.0.0")), "{seen:?}");
        assert!(left.clone().all(|line| !line.contains("B/s")), "{seen:?}");
    }
}

#[test]
fn what_hashes_or_removes_much_draws_bars_too() {
    let env = Env::with_model();
    for (version, byte) in [("1.0.0", 1), ("1.0.1", 2)] {
        env.write("project/models/bert/pytorch_model.bin", vec![byte; 3_000_000]);
        env.publish(version);
        env.ok(&["deploy", &format!("model@{version}")]);
    }
    env.ok(&["undeploy", "model"]);
    env.ok(&["deploy", "model@1.0.1"]);
    let seen = |args: &[&str]| {
        let ran = on_terminal(&env, 120, &[], args, "");
        assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
        assert!(ran.stdout.contains("\u{1b}[2K"), "{args:?}: taken away: {ran:?}");
        ran.stdout
    };
    let verified = seen(&["store", "verify"]);
    assert!(verified.contains("verify the store ") && verified.contains("B/s"), "{verified:?}");
    assert!(seen(&["doctor", "--deep", "--offline"]).contains("verify the store "));
    let fetched = seen(&["record", "check", "HEAD", "--fetch", "--store", "../fresh"]);
    assert!(fetched.contains("fetch model ") && fetched.contains("B/s"), "{fetched:?}");
    let package = "../targets/near/model/1.0.1/model-1.0.1.tar.gz";
    let adopted = seen(&["pack", "--index-only", package, "--type", "model", "--version", "9.0.0"]);
    assert!(adopted.contains("pack model ") && adopted.contains("B/s"), "{adopted:?}");
    let removed = seen(&["version", "cleanup", "--keep", "0", "--yes"]);
    assert!(removed.contains("remove versions of model ") && removed.contains("/s "), "{removed:?}");
    assert!(!env.path("root/components/model/1.0.0").exists());
    assert!(seen(&["store", "gc", "--max-size", "0", "--yes"]).contains("clean the store "));
}

#[test]
fn what_cannot_be_taken_back_is_asked_for_at_a_terminal_alone() {
    let env = deployed();
    let undeploy = &["undeploy", "model"][..];
    let no = on_terminal(&env, 100, &[], undeploy, "n\n");
    assert_eq!(no.status, Some(1), "{no:?}");
    assert!(no.stdout.contains("[y/N]") && no.stdout.contains("--yes"), "{no:?}");
    assert_eq!(env.link("links/model"), "../components/model/current");
    let yes = on_terminal(&env, 100, &[], undeploy, "y\n");
    assert_eq!(yes.status, Some(0), "{yes:?}");
    assert!(!env.path("root/links/model").exists());
    env.ok(&["rollback"]);
    let skipped = on_terminal(&env, 100, &[], &["undeploy", "model", "--yes"], "");
    assert!(skipped.status == Some(0) && !skipped.stdout.contains("[y/N]"), "{skipped:?}");
    env.ok(&["rollback"]);
    env.ok(undeploy);
    // Nothing goes, so nothing is asked.
    let kept = on_terminal(&env, 100, &[], &["version", "cleanup", "--keep", "9"], "");
    assert!(kept.status == Some(0) && !kept.stdout.contains("[y/N]"), "{kept:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let env = deployed();
    for args in ["version list", "--help", "status --json", "completions bash", "man", "deploy nothing@1 --json"] {
        let call = format!("{{ {PROGRAM} {args}; echo \"$?\" > code; }} 2> said | true; sleep 0.2");
        let status = env.hermetic("bash").args(["-c", &call]).status().expect("it runs");
        assert!(status.success(), "{args}");
        let said = env.read("project/said");
        assert!(!said.contains("panicked") && !said.contains("pipe"), "{args}: {said}");
    }
    let call = format!("{PROGRAM} deploy nothing@1 2>&1 | true");
    assert!(env.hermetic("bash").args(["-c", &call]).status().expect("it runs").success());
}

/// Runs a deploy and sends the signal when it is about to make its n-th change; nothing where there are fewer.
fn interrupted(env: &Env, args: &[&str], nth: usize, signal: Signal) -> Option<(Option<i32>, String)> {
    let socket = env.path("steps");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).expect("a socket");
    let mut command = env.command(&[&["deploy", "model@1.0.1"], args].concat());
    let mut child = command
        .env("DEPLOY_TOOL_FAULT_TRACE", &socket)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let (program, _) = listener.accept().expect("it calls");
    let mut answers = program.try_clone().expect("both ways");
    let mut reached = false;
    for (number, line) in BufReader::new(program).lines().map_while(Result::ok).enumerate() {
        assert!(!line.is_empty());
        if number + 1 == nth {
            reached = true;
            super::watch::signal(&child, signal);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        if answers.write_all(b".").is_err() {
            break;
        }
    }
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("UTF-8");
    let status = child.wait().expect("it ends");
    reached.then_some((status.signal(), said))
}

#[test]
fn where_stderr_is_a_log_so_is_what_an_interrupted_deploy_says() {
    let env = Env::with_model();
    env.publish("1.0.1");
    let args = ["--log-format", "json", "--log-file", "../log"];
    for nth in [1, 5, 9, 13] {
        let (ended, said) = interrupted(&env, &args, nth, Signal::INT).expect("so many steps");
        assert_eq!(ended, Some(2), "{nth}: {said}");
        let parsed = said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
        let parsed: Vec<serde_json::Value> = parsed.collect();
        let last = parsed.last().expect("a line");
        assert_eq!((&last["event"], &last["level"]), (&"interrupted".into(), &"WARN".into()), "{nth}: {said}");
    }
}

#[test]
fn an_interrupted_deploy_says_what_is_left_and_how_to_go_on() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["deploy", "model@1.0.0"]);
    let (mut old, mut new) = (0, 0);
    for nth in (1..400).step_by(4) {
        env.ok(&["deploy", "model@1.0.0"]);
        env.ok(&["version", "cleanup", "--keep", "0"]);
        let before = env.link("releases/current");
        let (signal, number) = if nth % 8 == 1 { (Signal::INT, 2) } else { (Signal::TERM, 15) };
        let Some((ended, said)) = interrupted(&env, &[], nth, signal) else { break };
        if ended.is_none() {
            // It came when all was done.
            break;
        }
        assert_eq!(ended, Some(number), "{nth}: {said}");
        let line = said.lines().last().expect("a line").to_owned();
        let now = env.link("releases/current");
        assert!(line.starts_with("interrupted: "), "{nth}: {said}");
        if now == before {
            assert!(line.contains("nothing has changed") && line.contains("deploy model@1.0.1"), "{nth}: {said}");
            old += 1;
        } else {
            assert!(line.contains(&format!("release {now} is current")), "{nth}: {said}");
            new += 1;
        }
        env.ok(&["deploy", "model@1.0.1"]);
    }
    assert!(old > 2 && new > 0, "{old} before the commit, {new} after it");
}

#[test]
fn script_is_there() {
    assert!(has("script", "bsdutils"), "the other tests of this file run it");
}
