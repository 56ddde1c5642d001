//! The README's words are true: its commands, run in order as a stranger would, succeed and print what it says.
//!
//! Compared is everything but digests, commit ids, times, the host's name, and where the stranger's home is. Two things are
//! different: `cargo run … --` and the installed `deploy-tool` are the program under test, and `cargo test` is not run.
//! Building it and testing it from a fresh clone is what `.ci/run` does.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::env::{Env, PROGRAM};

/// Where the stranger of the README lives.
const HOME: &str = "/home/mei";

/// A machine with a clone of this project in the home directory, and the program installed.
struct Stranger {
    env: Env,
    cwd: PathBuf,
}

impl Stranger {
    fn new() -> Self {
        let env = Env::new();
        fs::remove_file(env.path("home/.gitconfig")).expect("a stranger has none");
        env.write("bin/.keep", "");
        symlink(PROGRAM, env.path("bin/deploy-tool")).expect("linked");
        let clone = env.path("home/deploy-tool");
        fs::create_dir_all(clone.join("examples")).expect("made");
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy_committed(&here.join("examples/sentiment"), &clone.join("examples/sentiment"));
        let identity = ["-c", "user.name=Mei", "-c", "user.email=mei@example.org"];
        env.git("home/deploy-tool", &["init", "-q"]);
        env.git("home/deploy-tool", &["add", "."]);
        env.git("home/deploy-tool", &[&identity[..], &["commit", "-qm", "all"]].concat());
        Self { env, cwd: clone }
    }

    /// Runs one line of shell and stays where it went; returns what it printed.
    fn run(&mut self, line: &str) -> String {
        let line = match line.strip_prefix("cargo run --release --locked -- ") {
            Some(arguments) => format!("deploy-tool {arguments}"),
            None if line.starts_with("cargo ") => return String::new(),
            None => line.to_owned(),
        };
        let went = self.env.path("went");
        let script = format!("{{ {line}\n}} 2>&1 && pwd >'{}'", went.display());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut paths = vec![self.env.path("bin")];
        paths.extend(std::env::split_paths(&path));
        let mut shell = self.env.hermetic("sh");
        shell.args(["-c", &script]).current_dir(&self.cwd).env("PATH", std::env::join_paths(paths).expect("paths"));
        let output = shell.output().expect("sh runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(output.status.success(), "`{line}` failed:\n{text}");
        self.cwd = PathBuf::from(fs::read_to_string(went).expect("it went somewhere").trim_end());
        text.replace(&self.env.path("home").display().to_string(), HOME)
    }
}

/// What git has of the example: without what shipping it here may have left.
fn copy_committed(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let left = [".deploy-tool", "deployments", "dist", "__pycache__"].iter().any(|name| entry.file_name() == *name);
        if !left {
            let status = Command::new("cp").arg("-a").args([entry.path(), to.to_owned()]).status();
            assert!(status.expect("cp runs").success());
        }
    }
}

/// The fenced blocks of a Markdown text, with their kind.
fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            blocks.push((kind, lines.by_ref().take_while(|line| *line != "```").collect()));
        }
    }
    blocks
}

/// The text with everything that differs from day to day and from machine to machine put aside.
fn comparable(text: &str) -> String {
    let word = |word: &str| {
        let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_id = core.len() >= 12 && core.bytes().all(|b| b.is_ascii_hexdigit());
        let is_time = core.len() == 20 && core.ends_with('Z') && core.as_bytes().get(10) == Some(&b'T');
        match core.strip_prefix("mei@") {
            Some(_) => "mei@HOST".to_owned(),
            None if is_id => word.replace(core, "ID"),
            None if is_time => "TIME".to_owned(),
            None => word.to_owned(),
        }
    };
    let line = |line: &str| {
        // The last figure of what took time is its seconds.
        let line = match line.strip_suffix(" s").and_then(|rest| rest.rsplit_once(", ")) {
            Some((rest, seconds)) if seconds.parse::<f64>().is_ok() => format!("{rest}, SECONDS"),
            _ => line.to_owned(),
        };
        line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
    };
    text.trim_end().lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_command_does_and_prints_what_the_readme_says() {
    let readme = include_str!("../../README.md");
    let mut stranger = Stranger::new();
    let mut printed = String::new();
    let mut compared = 0;
    for (kind, lines) in blocks(readme) {
        match kind {
            "sh" => printed = lines.iter().map(|line| stranger.run(line)).collect(),
            // The layouts further down are drawings.
            "text" if compared == 0 => {
                assert_eq!(comparable(&printed), comparable(&lines.join("\n")));
                compared += 1;
            }
            "console" => {
                for example in lines.join("\n").split("$ ").filter(|example| !example.is_empty()) {
                    let (command, expected) = example.split_once('\n').unwrap_or((example, ""));
                    assert_eq!(comparable(&stranger.run(command)), comparable(expected), "$ {command}");
                    compared += 1;
                }
            }
            _ => {}
        }
    }
    assert!(compared > 15, "only {compared} commands were found");
}

/// The commands that help lists.
fn commands(env: &Env, args: &[&str]) -> Vec<String> {
    let help = env.ok(&[args, &["--help"]].concat());
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_command_is_named() {
    let env = Env::new();
    let listed: Vec<Vec<&str>> = blocks(include_str!("../../README.md"))
        .into_iter()
        .find(|(_, lines)| lines.first().is_some_and(|line| line.starts_with("init ")))
        .map(|(_, lines)| lines.into_iter().map(|line| line.split_whitespace().collect()).collect())
        .expect("a list of commands");
    let (mut plain, mut groups) = (Vec::new(), Vec::new());
    for command in commands(&env, &[]) {
        match commands(&env, &[&command]) {
            below if below.is_empty() => plain.push(command),
            below => groups.push([vec![command], below].concat()),
        }
    }
    assert!(groups.len() >= 5, "{groups:?}");
    assert_eq!(listed, [vec![plain], groups].concat());
}

#[test]
fn the_example_answers_the_same_before_packing_and_shipped() {
    let mut stranger = Stranger::new();
    let example = "examples/sentiment";
    stranger.run(&format!("{example}/check.sh"));
    stranger.run(&format!("deploy-tool ship {example}"));
    stranger.run(&format!("{example}/check.sh {example}/deployments/links"));

    let links = |stranger: &mut Stranger| stranger.run(&format!("readlink {example}/deployments/components/*/current"));
    assert_eq!(links(&mut stranger), "1.0.0\n".repeat(3));
    let release = format!("readlink {example}/deployments/releases/current");
    assert!(stranger.run(&format!("deploy-tool ship {example}")).contains("unchanged"));
    assert_eq!(stranger.run(&release), "1\n", "the second ship makes no release");

    stranger.run(&format!("echo '# looked at' >>{example}/configs/predict.conf"));
    stranger.run(&format!("deploy-tool ship {example}"));
    assert_eq!(links(&mut stranger), "1.0.1\n1.0.0\n1.0.0\n", "config, model, runtime");
    assert_eq!(stranger.run(&release), "2\n");
    stranger.run(&format!("{example}/check.sh {example}/deployments/links"));
}
