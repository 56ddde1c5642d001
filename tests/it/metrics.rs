//! Metrics: what `metrics` prints is what Prometheus takes, the file for the node exporter follows each change, and the
//! dashboard and the alerts in `docs/` ask for nothing that is not there.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::env::Env;
use super::programs::has;
use super::servers::{Process, directory, find, free_port, plain};

fn deployed() -> Env {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0", "--store", "../empty"]);
    env
}

/// What stands before a label or a value.
fn names(text: &str) -> BTreeSet<&str> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

/// The names of metrics in a text that is none of theirs: PromQL, JSON, YAML.
fn asked(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("deploy_tool_")).collect()
}

fn docs(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).expect("read")
}

fn promtool(args: &[&str], input: &str) {
    let mut child = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}\n{input}");
}

#[test]
fn prometheus_takes_what_is_printed() {
    let env = deployed();
    let text = env.ok(&["metrics", "--store", "../empty"]);
    for line in [
        "deploy_tool_component_info{component=\"model\",version=\"1.0.0\",state=\"current\"} 1",
        "deploy_tool_release 1",
        "deploy_tool_changes_total{action=\"deploy\",result=\"done\"} 1",
        "deploy_tool_on_hold 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }
    let whole = text.lines().find_map(|line| line.strip_prefix("deploy_tool_deploy_duration_seconds "));
    let install = text.lines().find(|line| line.starts_with("deploy_tool_version_install_duration_seconds{"));
    let install = install.and_then(|line| line.rsplit(' ').next()).expect("installed");
    let number = |text: &str| text.parse::<f64>().expect("a number");
    assert!(number(whole.expect("the whole")) >= number(install), "{text}");
    let fetched = text.lines().find(|line| line.starts_with("deploy_tool_version_fetched_bytes{")).expect("fetched");
    assert!(!fetched.ends_with(" 0"), "{fetched}");
    if has("promtool", "prometheus") {
        promtool(&["check", "metrics"], &text);
    }
}

#[test]
fn the_file_follows_each_change_and_failure_and_stops_nothing() {
    let env = deployed();
    let config = env.read("project/.deploy-tool.yaml");
    env.write("project/.deploy-tool.yaml", format!("{config}metrics: {{textfile: ../dt.prom}}\n"));
    env.ok(&["deploy", "model@1.0.0", "--dry-run"]);
    assert!(!env.path("dt.prom").exists(), "a dry run writes nothing");
    let mut command = Command::new("sh");
    let shell = env.command(&["deploy", "model@1.0.0"]);
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(shell.get_program()).args(shell.get_args());
    command.env_clear().current_dir(env.path("project"));
    command.envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(command.output().expect("it runs").status.success());
    assert_eq!(fs::metadata(env.path("dt.prom")).expect("there").permissions().mode() & 0o777, 0o644);
    env.publish("1.0.1");
    env.ok(&["deploy", "model@1.0.1"]);
    assert!(env.read("dt.prom").contains("deploy_tool_release 2\n"));
    env.write("project/.deploy-tool.yaml", format!("{config}metrics: {{textfile: ../nowhere/dt.prom}}\n"));
    let ran = env.run(&["rollback"]);
    assert_eq!((ran.status, ran.stderr.matches("cannot write the metrics").count()), (Some(0), 1), "{ran:?}");
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_metrics_that_exist() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops/metrics.rs")).expect("read");
    let env = deployed();
    let text = env.ok(&["metrics", "--store", "../empty"]);
    // Some have no sample on a root where nothing ever failed.
    let known = |name: &str| {
        names(&text).contains(name) || source.contains(&format!("\"{}\"", name.trim_start_matches("deploy_tool_")))
    };
    let dashboard = docs("grafana-dashboard.json");
    serde_json::from_str::<serde_json::Value>(&dashboard).expect("JSON");
    let page = docs("monitoring.md");
    for (what, text) in [("dashboard", &dashboard), ("alerts", &docs("alerts.yaml")), ("page", &page)] {
        let asked = asked(text);
        assert!(asked.len() >= 5, "{what}: {asked:?}");
        let unknown: Vec<_> = asked.into_iter().filter(|name| !known(name)).collect();
        assert_eq!(unknown, Vec::<&str>::new(), "{what}");
    }
    for name in names(&text) {
        assert!(page.contains(&format!("`{name}`")), "docs/monitoring.md does not tell of `{name}`");
    }
    if has("promtool", "prometheus") {
        let path = env.write("rules.yaml", docs("alerts.yaml"));
        promtool(&["check", "rules", path.to_str().expect("UTF-8")], "");
    }
}

/// Answers every request with this text.
fn serve(text: String) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut head, mut bytes) = (Vec::new(), [0; 1024]);
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut bytes) {
                    Ok(count) if count > 0 => head.extend_from_slice(&bytes[..count]),
                    _ => break,
                }
            }
            let start = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
            // A scraper that went away asks again.
            write!(stream, "{start}\r\nContent-Length: {}\r\n\r\n{text}", text.len()).ok();
        }
    });
    port
}

/// Asks Prometheus's HTTP API; no answer while it starts, which it says by 503.
fn ask(port: u16, query: &str) -> Option<serde_json::Value> {
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let request = format!("GET /api/v1/query?query={encoded} HTTP/1.0\r\nHost: prometheus\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{query}: no HTTP: {answer}"));
    if head.split(' ').nth(1) == Some("503") {
        return None;
    }
    Some(serde_json::from_str(body).unwrap_or_else(|e| panic!("{query}: {e}: {answer}")))
}

#[test]
fn a_real_prometheus_answers_each_query_of_the_dashboard() {
    let Some(program) = find("prometheus", "Debian package `prometheus`") else { return };
    let text = deployed().ok(&["metrics", "--store", "../empty"]);
    let (dir, port, served) = (directory(), free_port(), serve(text.clone()));
    let job = format!("{{job_name: node, static_configs: [{{targets: ['127.0.0.1:{served}']}}]}}");
    let config = format!("global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}\nscrape_configs: [{job}]\n");
    fs::write(dir.path().join("prometheus.yml"), config).expect("written");
    let mut command = plain(program, dir.path());
    command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let process = Process::start(&mut command, &dir.path().join("log"), &[port]);
    // A rate needs two samples.
    let scraped = "count_over_time(deploy_tool_release[1m]) >= 3";
    let holds = |answer: &serde_json::Value| answer["data"]["result"].as_array().is_some_and(|all| !all.is_empty());
    process.until("it has scraped", || ask(port, scraped).is_some_and(|answer| holds(&answer)));
    let dashboard: serde_json::Value = serde_json::from_str(&docs("grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().expect("a query")).collect();
    assert!(queries.len() >= 10, "{queries:?}");
    for query in queries {
        let query = query.replace("$instance", ".*").replace("$__range", "1m").replace("$__rate_interval", "1m");
        assert!(!query.contains('$'), "{query}: a variable that the test does not know");
        let answer = ask(port, &query).unwrap_or_else(|| panic!("{query}: it has gone back to its start"));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        // What was scraped has a sample of all of them.
        assert!(asked(&query).is_subset(&names(&text)), "{query}: not in {text}");
        assert!(holds(&answer), "{query}: {answer}");
    }
}
