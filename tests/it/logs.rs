//! Logs: the lines of a deploy, text and JSON, on stderr and in a file; failures; and that no value forges a line.

use serde_json::Value;

use super::env::Env;

fn published() -> Env {
    let env = Env::with_model();
    env.publish("1.0.0");
    env
}

/// The lines of a text log without their times, of which each has one.
fn lines(text: &str) -> Vec<&str> {
    let timed = |line: &&str| line.len() > 20 && line.as_bytes()[10] == b' ' && line.as_bytes()[13] == b':';
    assert!(text.lines().all(|line| timed(&line)), "{text}");
    text.lines().map(|line| &line[20..]).collect()
}

/// The lines of a deploy in their order, in English and in Chinese, and what each has in it.
const SEED: [(&str, &str, &[&str]); 6] = [
    ("[INFO] deploy begins ", "[INFO] 开始部署 ", &["component=model", "version=1.0.0"]),
    ("[INFO] fetching the package from near, far ", "[INFO] 从 near, far 下载包文件 ", &["size=", "source=near,far"]),
    ("[INFO] fetched ", "[INFO] 下载完成 ", &["size=", "duration=", "speed=", "source=near"]),
    ("[INFO] unpacked to /", "[INFO] 解压文件到 /", &["components/model/1.0.0 ", "files=", "duration="]),
    ("[INFO] link moved: current -> 1.0.0 ", "[INFO] 更新链接 current -> 1.0.0 ", &["component=model"]),
    ("[INFO] deployed ", "[INFO] 部署成功 ", &["component=model version=1.0.0", "duration=", "release=1"]),
];

fn parsed(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[test]
fn a_deploy_is_told_line_by_line() {
    let env = published();
    let ran = env.run(&["deploy", "model@1.0.0", "-v", "--store", "../empty", "--log-file", "../log"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let told = lines(&ran.stderr);
    assert_eq!(told.len(), SEED.len(), "{told:#?}");
    for (line, (start, _, parts)) in told.iter().zip(SEED) {
        assert!(line.starts_with(start), "no {start} in {told:#?}");
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    assert_eq!(env.read("log"), ran.stderr, "the file has the same");
}

#[test]
fn in_chinese_the_lines_are_the_example_of_the_design() {
    let env = published();
    let ran = env.run(&["deploy", "model@1.0.0", "--lang", "zh", "-v", "--store", "../empty"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let told = lines(&ran.stderr);
    assert_eq!(told.len(), SEED.len(), "{told:#?}");
    for (line, (_, start, parts)) in told.iter().zip(SEED) {
        assert!(line.starts_with(start), "no {start} in {told:#?}");
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
}

#[test]
fn with_json_stderr_holds_one_object_a_line_whatever_happens() {
    let env = published();
    let json = ["--log-format", "json"];
    let run = |args: &[&str]| {
        let ran = env.run(&[args, &json].concat());
        (ran.status, parsed(&ran.stderr))
    };
    let (status, told) = run(&["deploy", "model@1.0.0", "--store", "../empty"]);
    assert_eq!(status, Some(0), "{told:?}");
    let fetched = told.iter().find(|line| line["event"] == "log.fetch-done").expect("told");
    assert!(fetched["size"].as_u64() > Some(0) && fetched["duration"].is_number(), "{fetched}");
    assert!(fetched["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{fetched}");
    let (status, told) = run(&["deploy", "model@9.9.9"]);
    let last = told.last().expect("a line");
    assert_eq!(
        (status, &last["level"], &last["status"], &last["kind"]),
        (Some(3), &"ERROR".into(), &3.into(), &"not-found".into())
    );
    let (status, told) = run(&["deploy", "--nonsense"]);
    assert_eq!((status, &told[0]["level"]), (Some(2), &"ERROR".into()), "{told:?}");
    env.write("project/.deploy-tool.yaml", "nonsense: 1\n");
    let (status, told) = run(&["status"]);
    assert_eq!((status, told.len()), (Some(2), 1), "{told:?}");
}

#[test]
fn the_configuration_names_a_file_that_is_rotated_and_never_stops_a_command() {
    let env = published();
    let config = env.read("project/.deploy-tool.yaml");
    env.write(
        "project/.deploy-tool.yaml",
        format!("{config}log: {{file: ../run.log, format: json, max_size: 300, keep: 2}}\n"),
    );
    for _ in 0..4 {
        env.ok(&["deploy", "model@1.0.0"]);
    }
    for name in ["run.log", "run.log.1", "run.log.2"] {
        assert!(!parsed(&env.read(name)).is_empty(), "{name}");
    }
    assert!(!env.path("run.log.3").exists());
    env.write("project/.deploy-tool.yaml", format!("{config}log: {{file: ../nowhere/run.log}}\n"));
    let ran = env.run(&["status"]);
    assert_eq!(ran.stderr.matches("cannot write the log").count(), 0, "nothing is logged: {ran:?}");
    let ran = env.run(&["deploy", "model@1.0.0"]);
    assert_eq!((ran.status, ran.stderr.matches("cannot write the log").count()), (Some(0), 1), "{ran:?}");
}

#[test]
fn what_changes_something_has_a_line_where_it_begins_and_one_where_it_ends_and_metrics() {
    let env = published();
    env.ok(&["deploy", "model@1.0.0"]);
    env.git_init("rebuilt");
    let config = env.read("project/.deploy-tool.yaml");
    let more = "log: {file: ../run.log, format: json}\nmetrics: {textfile: ../dt.prom}\n";
    env.write("project/.deploy-tool.yaml", config + more);
    let changes: [(&str, &[&str]); 8] = [
        ("env set", &["env", "set", "model@1.0.0", "--env", "staging"]),
        ("env promote", &["env", "promote", "staging", "prod"]),
        ("record import", &["record", "import", "--from", "near", "--records", "../rebuilt"]),
        ("record yank", &["record", "yank", "model@1.0.0", "--reason", "answers in Latin"]),
        ("version pin", &["version", "pin", "model", "1.0.0"]),
        ("deploy --repair", &["deploy", "--repair"]),
        ("store verify", &["store", "verify", "--set-aside"]),
        ("doctor --fix", &["doctor", "--fix", "--offline"]),
    ];
    for (name, args) in changes {
        env.ok(&[args, &["--dry-run"]].concat());
        assert!(!env.path("run.log").exists() && !env.path("dt.prom").exists(), "{name}: a dry run changes nothing");
        env.ok(args);
        let told = parsed(&env.read("run.log"));
        let of = |line: &Value| (line["event"].clone(), line["command"].clone());
        let (first, last) = (told.first().expect("a line"), told.last().expect("a line"));
        assert_eq!((of(first), of(last)), (("log.begin".into(), name.into()), ("log.done".into(), name.into())));
        assert!(last["duration"].is_number(), "{last}");
        assert!(env.read("dt.prom").contains("deploy_tool_release 1\n"), "{name}");
        for file in ["run.log", "dt.prom"] {
            std::fs::remove_file(env.path(file)).expect("removed");
        }
    }
    let said = env.fails(3, &["env", "promote", "nowhere", "prod"]);
    assert_eq!(parsed(&env.read("run.log")).last().expect("a line")["status"], 3, "{said}");
}

#[test]
fn nothing_that_is_given_forges_a_line() {
    let env = published();
    let name = "x\n2024-01-20 10:00:00 [INFO] deployed component=model";
    let ran = env.run(&["deploy", "--record", name, "-v"]);
    assert_ne!(ran.status, Some(0), "{ran:?}");
    assert!(lines(&ran.stderr).iter().all(|line| !line.starts_with("[INFO] deployed")), "{ran:?}");
}
