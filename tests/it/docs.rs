//! What `docs/` shows as configuration is configuration, and its units run what they say.

use std::fs;
use std::path::Path;
use std::process::Command;

use deploy_tool::config::{self, Gcs, TargetPlace};
use serde_json::Value;

use super::book::pages;
use super::env::{Env, PROGRAM};
use super::environments::published;
use super::programs::has;

/// The fenced blocks of a kind in a Markdown text, each with the number of its first line.
fn blocks(text: &str, kind: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(found) = line.strip_prefix("```") {
            let block: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            if found == kind {
                blocks.push((number + 2, block.join("\n")));
            }
        }
    }
    blocks
}

#[test]
fn every_configuration_in_the_documents_is_read_without_a_word() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut kinds = Vec::new();
    for (page, text) in pages() {
        for (line, block) in blocks(&text, "yaml") {
            // The variables are those of another machine: each has some value here, and keys are in base64.
            let given = |_: &str| Some("Z2l2ZW4=".to_owned());
            let (config, warnings) = config::parse(&block, &docs.join(config::FILE_NAME), &given, Some(&docs))
                .unwrap_or_else(|e| panic!("{page}, the block at line {line}: {e}"));
            assert!(warnings.is_empty(), "{page}, the block at line {line}: {warnings:?}");
            // On a host where none of the variables is set, too.
            let none = |_: &str| None;
            config::parse(&block, &docs.join(config::FILE_NAME), &none, Some(&docs))
                .unwrap_or_else(|e| panic!("{page}, the block at line {line}: {e}"));
            let ambient = deploy_tool::target::Ambient::default();
            for target in &config.publish.targets {
                let place = format!("{:?}", target.place);
                kinds.push(place.split(['(', ' ']).next().unwrap_or_default().to_owned());
                let opened = deploy_tool::target::open(target, &ambient, None);
                match &target.place {
                    // The key is read, and there is none here.
                    TargetPlace::Gcs(Gcs { service_account: Some(file), .. }) => {
                        let refusal = opened.expect_err("no key").to_string();
                        assert!(refusal.contains(&*file.to_string_lossy()), "{refusal}");
                    }
                    _ => assert!(opened.is_ok(), "{page}, the block at line {line}: {opened:?}"),
                }
            }
        }
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, ["Azure", "Bos", "Filesystem", "Gcs", "Http", "Oci", "S3"], "every kind of target is shown");
}

/// The calls of the program in a text: lines of blocks, and what stands between backquotes. Without what the shell does
/// besides, and without those that leave something out or take it from a variable.
fn calls(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let start = |line: &&str| line.starts_with("deploy-tool ");
        let bare = line.trim_start().trim_start_matches("- ").trim_start_matches("run: ").trim_start_matches("$ ");
        found.extend(Some(bare).filter(start));
        found.extend(line.split('`').skip(1).step_by(2).filter(start));
    }
    let ends = [" && ", " || ", " | ", " > ", " >> ", " #"];
    let cut = |call: &str| ends.iter().fold(call, |call, end| call.split(end).next().unwrap_or_default()).to_owned();
    found
        .into_iter()
        .map(cut)
        .filter(|call| !call.contains(['…', '<', '|', '$', '{']) && !call.contains(" .."))
        .collect()
}

#[test]
fn every_command_in_the_documents_is_one() {
    let env = Env::new();
    env.git("", &["init", "-q", "here"]);
    let mut count = 0;
    for (page, text) in pages() {
        for call in calls(&text) {
            // Everything that stands before is read first, and refused where it is not known.
            let script = format!("{} --help", call.replacen("deploy-tool", PROGRAM, 1));
            let output =
                env.hermetic("sh").args(["-c", &script]).current_dir(env.path("here")).output().expect("it runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{page}: `{call}`: {said}");
            count += 1;
        }
    }
    assert!(count > 60, "only {count} were found");
}

/// The lists of arguments for containers of this program, and what files for it hold, anywhere in `value`.
fn embedded(value: &Value, arguments: &mut Vec<Vec<String>>, files: &mut Vec<String>) {
    let texts =
        |list: &Value| list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if value["image"].as_str().is_some_and(|image| image.contains("/deploy-tool:")) {
        arguments.push(texts(&value["args"]));
    }
    files.extend(value["data"]["host.yaml"].as_str().map(str::to_owned));
    match value {
        Value::Array(items) => items.iter().for_each(|item| embedded(item, arguments, files)),
        Value::Object(map) => map.values().for_each(|item| embedded(item, arguments, files)),
        _ => {}
    }
}

#[test]
fn every_other_yaml_is_yaml_and_what_it_runs_is_a_command() {
    let env = Env::new();
    let (mut arguments, mut files, mut documents) = (Vec::new(), Vec::new(), 0);
    for (page, text) in pages() {
        for (line, block) in blocks(&text, "yml") {
            for document in block.split("\n---\n") {
                let value: Value = serde_saphyr::from_str(document).unwrap_or_else(|e| panic!("{page}:{line}: {e}"));
                embedded(&value, &mut arguments, &mut files);
                documents += 1;
            }
        }
    }
    for args in &arguments {
        let args: Vec<&str> = args.iter().map(String::as_str).chain(["--help"]).collect();
        env.ok(&args);
    }
    for file in &files {
        let (_, warnings) = config::parse(file, Path::new("/host.yaml"), &|_| None, None).expect("a configuration");
        assert!(warnings.is_empty(), "{warnings:?}");
    }
    assert!(documents >= 6 && !arguments.is_empty() && !files.is_empty(), "{documents} {arguments:?} {files:?}");
}

/// The units in `docs/systemd/`, by name: what they start before, and what they start, with `%i` for `prod`.
fn units() -> Vec<(String, Vec<String>, Vec<String>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/systemd");
    let unit = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).expect("read").replace("%i", "prod");
        let values = |key: &str| text.lines().filter_map(|l| l.strip_prefix(key)).map(str::to_owned).collect();
        (entry.file_name().into_string().expect("UTF-8"), values("ExecStartPre="), values("ExecStart="))
    };
    let mut units: Vec<_> = fs::read_dir(dir).expect("listed").map(|entry| unit(entry.expect("an entry"))).collect();
    units.sort();
    units
}

#[test]
fn what_the_units_start_does_what_they_say() {
    let env: Env = published();
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    env.git("", &["clone", "-q", "--bare", "records", "home/records.git"]);
    env.configure("records:", "records: {repository: ../home/records.git, branch: main}");
    env.ok(&["env", "set", "config@1", "--env", "prod", "--records", "../records"]);
    let mut started = Vec::new();
    for (name, before, start) in units() {
        for line in before {
            let line = line.trim_start_matches('-').replace("%h", "home");
            let args: Vec<_> = line.split_whitespace().skip(1).collect();
            env.git("", &args);
        }
        for line in start {
            let args: Vec<_> = line.split_whitespace().skip(1).collect();
            started.push(name.clone());
            match args.contains(&"--watch") {
                // It would not end by itself.
                true => drop(env.ok(&[&args[..], &["--help"]].concat())),
                false => drop(env.ok(&args)),
            }
        }
    }
    assert_eq!(started, ["deploy-tool-env@.service", "deploy-tool-recover.service", "deploy-tool-watch@.service"]);
    assert_eq!(env.read("root/links/config/app.conf"), "1", "fetched and deployed");
}

#[test]
fn systemd_understands_the_units() {
    if !has("systemd-analyze", "systemd") {
        return;
    }
    let env = Env::new();
    for (name, ..) in units() {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/systemd").join(&name));
        let text = text.expect("read").replace("%h/.cargo/bin/deploy-tool", PROGRAM).replace("%h", "/tmp");
        env.write(&format!("units/{}", name.replace("@.", "@prod.")), text);
    }
    for (name, ..) in units() {
        let unit = env.path("units").join(name.replace("@.", "@prod."));
        let mut verify = Command::new("systemd-analyze");
        verify.args(["verify", "--user", "--man=no"]).arg(unit).env("SYSTEMD_UNIT_PATH", env.path("units").join(":"));
        verify.env("XDG_RUNTIME_DIR", env.path("home"));
        let output = verify.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("units/"), "{name}: {output:?}");
    }
}
