//! The README's list of commands is whole, and the example does what it is there for. That every command of the README does
//! what it says is in `book`.

use super::book::reader::Reader;
use super::env::Env;
use super::json::commands;

#[test]
fn every_command_is_named() {
    let env = Env::new();
    let lines = include_str!("../../README.md").lines().skip_while(|line| !line.starts_with("init "));
    let listed: Vec<Vec<&str>> =
        lines.take_while(|line| *line != "```").map(|line| line.split_whitespace().collect()).collect();
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
    let mut reader = Reader::stranger();
    let mut run = |line: &str| {
        let (status, printed) = reader.run(line);
        assert_eq!(status, 0, "`{line}`: {printed}");
        printed
    };
    run("cd examples/sentiment");
    run("./check.sh");
    run("deploy-tool ship");
    run("./check.sh deployments/links");

    let links = "readlink deployments/components/*/current";
    assert_eq!(run(links), "1.0.0\n".repeat(3));
    let release = "readlink deployments/releases/current";
    assert!(run("deploy-tool ship").contains("unchanged"));
    assert_eq!(run(release), "1\n", "the second ship makes no release");

    run("echo '# looked at' >>configs/predict.conf");
    run("deploy-tool ship");
    assert_eq!(run(links), "1.0.1\n1.0.0\n1.0.0\n", "config, model, runtime");
    assert_eq!(run(release), "2\n");
    run("./check.sh deployments/links");
}
