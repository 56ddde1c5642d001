//! Completion in real shells, manual pages, and examples that are commands.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::env::{Env, PROGRAM};
use super::links::deployed;
use super::programs::has;

/// A command that finds the program by its name.
fn shell(env: &Env, name: &str) -> Command {
    let mut command = env.hermetic(name);
    let dir = Path::new(PROGRAM).parent().expect("a directory").display().to_string();
    command.env("PATH", format!("{dir}:{}", std::env::var("PATH").expect("set"))).env("TERM", "xterm");
    command
}

/// Types at an interactive shell and presses Tab; what the line is then. `prepare` makes Ctrl-T write the line to `line`.
fn completed(env: &Env, program: &str, prepare: &str, cases: &[&str]) -> Vec<String> {
    let mut script = shell(env, "script");
    script.args(["-qefc", &format!("stty cols 200 rows 40; exec {program}"), "/dev/null"]);
    script.env("SHELL", "/bin/sh").stdin(Stdio::piped()).stdout(fs::File::create(env.path("screen")).expect("made"));
    let mut child = script.spawn().expect("it runs");
    let mut keys = child.stdin.take().expect("piped");
    let wait_for = |name: &str| {
        let until = Instant::now() + Duration::from_secs(60);
        while !env.path("project").join(name).exists() {
            assert!(Instant::now() < until, "{name}: {}", env.read("screen"));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    keys.write_all(format!("{prepare}; touch ready\n").as_bytes()).expect("typed");
    wait_for("ready");
    // The prompt is there soon after.
    std::thread::sleep(Duration::from_millis(300));
    let mut lines = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        keys.write_all(format!("{case}\t\u{14}").as_bytes()).expect("typed");
        let name = format!("line{number}");
        wait_for(&name);
        std::thread::sleep(Duration::from_millis(50));
        lines.push(env.read(&format!("project/{name}")).trim_end_matches('\n').to_owned());
        keys.write_all(b"\x15").expect("typed");
    }
    keys.write_all(b"exit\n").expect("typed");
    drop(keys);
    child.wait().expect("it ends");
    lines
}

const CASES: [&str; 8] = [
    "deploy-tool undep",
    "deploy-tool deploy mod",
    "deploy-tool deploy model@1.0.1",
    "deploy-tool version switch model 1.0.0",
    "deploy-tool undeploy m",
    "deploy-tool deploy --env pr",
    "deploy-tool publish model@1.0.1 --to ne",
    "deploy-tool status --dee",
];
const COMPLETED: [&str; 8] = [
    "deploy-tool undeploy",
    "deploy-tool deploy model@1.0.",
    "deploy-tool deploy model@1.0.1",
    "deploy-tool version switch model 1.0.0",
    "deploy-tool undeploy model",
    "deploy-tool deploy --env prod",
    "deploy-tool publish model@1.0.1 --to near",
    "deploy-tool status --deep",
];

fn scene() -> Env {
    let env = deployed();
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    env
}

#[test]
fn bash_completes_what_is_recorded_and_installed() {
    let env = scene();
    let prepare = "n=0; dump() { printf '%s\\n' \"$READLINE_LINE\" > line$n; n=$((n+1)); }; bind -x '\"\\C-t\": dump'; \
                   source <(deploy-tool completions bash)";
    let lines = completed(&env, "bash --norc --noprofile -i", prepare, &CASES);
    assert_eq!(lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>(), COMPLETED, "{}", env.read("screen"));
    // The function by itself, as a script would call it.
    let script = "source <(deploy-tool completions bash); COMP_LINE='deploy-tool deploy model@'; COMP_POINT=${#COMP_LINE}; \
                  COMP_WORDS=(deploy-tool deploy model @); COMP_CWORD=3; _deploy_tool deploy-tool @ model; \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = shell(&env, "bash").args(["-c", script]).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "@1.0.1\n@1.0.0\n", "{output:?}");
}

#[test]
fn zsh_completes_the_same() {
    if !has("zsh", "zsh") {
        return;
    }
    let env = scene();
    let prepare = "autoload -Uz compinit; compinit -u -d dump; n=0; dump() { print -r -- \"$BUFFER\" > line$n; n=$((n+1)) }; \
                   zle -N dump; bindkey -e; bindkey '^T' dump; source <(deploy-tool completions zsh)";
    let lines = completed(&env, "zsh -f -i", prepare, &CASES);
    assert_eq!(lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>(), COMPLETED, "{}", env.read("screen"));
}

#[test]
fn fish_completes_the_same() {
    if !has("fish", "fish") {
        return;
    }
    let env = scene();
    for (line, found) in [
        ("deploy-tool deploy mod", "model@1.0.1\nmodel@1.0.0\n"),
        ("deploy-tool version switch model ", "1.0.1\n1.0.0\n"),
        ("deploy-tool rollback --to ", "2\n1\n"),
        ("deploy-tool deploy --env ", "prod\n"),
    ] {
        let script = format!("deploy-tool completions fish | source; complete -C '{line}'");
        let output = shell(&env, "fish").args(["--no-config", "-c", &script]).output().expect("it runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout), found, "{line}: {output:?}");
    }
}

#[test]
fn completing_says_nothing_where_something_is_wrong_and_writes_nothing() {
    let env = scene();
    let ask = |env: &Env, words: &[&str]| {
        let mut command = env.command(words);
        command.env("DEPLOY_TOOL_COMPLETE", "fish").output().expect("it runs")
    };
    let words = ["deploy-tool", "deploy", "mod"];
    let before = env.listing();
    assert_eq!(String::from_utf8_lossy(&ask(&env, &words).stdout), "model@1.0.1\nmodel@1.0.0\n");
    env.assert_unchanged(&before, &words);
    env.write("project/.deploy-tool.yaml", "version: [");
    for (more, env) in [(&words[..], &env), (&words, &Env::new()), (&[], &env), (&["deploy-tool"], &env)] {
        let output = ask(env, more);
        assert!(output.status.success() && output.stderr.is_empty(), "{more:?}: {output:?}");
    }
    let other = env.command(&["deploy-tool", ""]).env("DEPLOY_TOOL_COMPLETE", "nosuch").output().expect("it runs");
    assert!(other.status.success() && other.stdout.is_empty() && other.stderr.is_empty(), "{other:?}");
}

#[test]
fn manual_pages_are_read_without_a_warning() {
    let env = Env::new();
    env.ok(&["man", "--output", "pages"]);
    let pages: Vec<_> =
        fs::read_dir(env.path("project/pages")).expect("listed").map(|e| e.expect("one").path()).collect();
    assert!(pages.len() > 35, "{}", pages.len());
    for page in &pages {
        let text = fs::read_to_string(page).expect("read");
        assert!(text.contains(".SH EXAMPLES") && text.contains(".SH NAME"), "{}", page.display());
    }
    assert_eq!(env.ok(&["man", "version", "list"]), env.read("project/pages/deploy-tool-version-list.1"));
    env.fails(3, &["man", "nothing"]);
    if has("mandoc", "mandoc") {
        let output = Command::new("mandoc").args(["-Tlint", "-Werror"]).args(&pages).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
