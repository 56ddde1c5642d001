//! The configuration as a whole: the reference example, the defaults, every refusal with its place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{ByteSize, Choice, ComponentType, Compression, RepositoryUrl, RepositoryUrlError};

fn env(name: &str) -> Option<String> {
    match name {
        "DATA" => Some("/data".into()),
        "LEVEL" => Some("7".into()),
        "STRUCTURE" => Some("x}\npack: {output: /stolen}".into()),
        "TOKEN" => Some("hidden-token".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn read(text: &str) -> Result<(Config, Vec<Warning>), Error> {
    parse(text, Path::new("/p/.deploy-tool.yaml"), &env, Some(Path::new("/home/mei")))
}

fn good(text: &str) -> Config {
    let (config, warnings) = read(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(warnings, []);
    config
}

fn kind(name: &str) -> ComponentType {
    name.parse().expect("a component type")
}

/// The example of the design, without the keys of features that come later.
const REFERENCE: &str = r#"
version: 1
project: {name: sentiment, type: ml, description: reviews, root: .}
components:
  model:   {source: ./models, description: weights, compression: zstd}
  config:  {source: ./configs, mutable: true}
  runtime: {source: ./runtime, depends: {config: ">=1.0"}}
pack:    {output: dist, compression: gzip, level: {gzip: 6, zstd: 3}, exclude: ["*.tmp"]}
records: {repository: ., branch: main, directory: records}
publish:
  default: [local, mirror]
  require: 1
  targets:
    local: {type: filesystem, path: /data/packages}
    mirror: {type: filesystem, path: ../mirror}
    cold: {type: filesystem, path: "${DATA}/cold", role: backup}
deploy:
  root: /opt/deployments
  sources: [local, [mirror, cold]]
  custom_links: {/app/models: /opt/deployments/links/model}
  hooks: {pre_switch: [], post_switch: [["systemctl", "--user", "reload", "app"]]}
  health: {http: "http://127.0.0.1:8080/healthz", timeout: 30s, healthy_for: 5s}
  keep: {last: 4, days: 30}
store:   {path: ~/.cache/deploy-tool, max_size: 20GiB}
"#;

#[test]
fn the_reference_example_means_what_it_says() {
    let config = good(REFERENCE);
    assert_eq!(config.project.name, "sentiment");
    assert_eq!(config.project.kind.as_deref(), Some("ml"));
    assert_eq!(config.project.root, Path::new("/p"));
    let model = &config.components[&kind("model")];
    assert_eq!((model.source.as_path(), model.source_as_written.as_str()), (Path::new("/p/models"), "./models"));
    assert_eq!(model.compression, Choice::Fixed(Compression::Zstd));
    assert_eq!(model.exclude.last().map(String::as_str), Some("*.tmp"));
    assert!(config.components[&kind("config")].mutable);
    let runtime = &config.components[&kind("runtime")];
    assert_eq!(runtime.compression, Choice::Fixed(Compression::Gzip));
    assert_eq!(runtime.depends[0].kind, kind("config"));
    assert_eq!(runtime.depends[0].version.to_string(), ">=1.0");
    assert_eq!(config.pack.output, Path::new("/p/dist"));
    assert_eq!((config.pack.level[&Compression::Gzip], config.pack.level[&Compression::Zstd]), (6, 3));
    assert_eq!(config.records.repository, Some(RepositoryPlace::Path("/p".into())));
    assert_eq!(config.records.branch.as_deref(), Some("main"));
    assert_eq!(config.records.directory, Path::new("records"));
    assert_eq!(config.publish.default, ["local", "mirror"]);
    let place = |name: &str| config.target(name).map(|t| (t.place.clone(), t.backup));
    let at = |path: &str| TargetPlace::Filesystem {
        path: path.into(),
        relative: path.contains(".."),
        mode: None,
        group: None,
    };
    assert_eq!(place("local"), Some((at("/data/packages"), false)));
    assert_eq!(place("mirror"), Some((at("/p/../mirror"), false)));
    assert_eq!(place("cold"), Some((at("/data/cold"), true)));
    assert_eq!(config.deploy.root.as_deref(), Some(Path::new("/opt/deployments")));
    assert_eq!(config.deploy.sources, [vec!["local"], vec!["mirror", "cold"]]);
    let links: Vec<_> = config.deploy.custom_links.into_iter().collect();
    assert_eq!(links, [(PathBuf::from("/app/models"), PathBuf::from("/opt/deployments/links/model"))]);
    assert_eq!(config.deploy.keep, Keep { last: 4, days: Some(30) });
    assert_eq!(config.store.path, Path::new("/home/mei/.cache/deploy-tool"));
    assert_eq!(config.store.max_size, ByteSize(20 << 30));
}

#[test]
fn an_empty_file_has_every_default() {
    let config = good("");
    for text in ["# only a comment\n", "---\n", "version: 1", "pack:\n# output: x\ndeploy: {}\npublish: null\n"] {
        assert_eq!(good(text), config, "{text:?}");
    }
    assert_eq!(config, Config::default_for(Path::new("/p"), &env, Some(Path::new("/home/mei"))));
    assert_eq!(config.project.name, "p");
    assert!(config.components.is_empty() && config.publish.targets.is_empty() && config.deploy.sources.is_empty());
    assert_eq!((config.publish.require, config.pack.compression), (1, Choice::Fixed(Compression::Gzip)));
    assert_eq!(config.pack.output, Path::new("/p/dist"));
    assert_eq!((config.records.repository, config.deploy.root), (None, None));
    assert_eq!(config.deploy.keep, Keep { last: 5, days: None });
    assert_eq!((config.deploy.connections, config.deploy.bandwidth), (4, None));
    assert_eq!((config.deploy.stall_timeout, config.deploy.memory), (Duration::from_secs(30), ByteSize(64 << 20)));
    assert_eq!(config.store.path, Path::new("/home/mei/.cache/deploy-tool"));
    assert_eq!(config.pack.exclude, DEFAULT_EXCLUDES);
}

#[test]
fn how_packages_are_fetched() {
    let text = "deploy: {connections: 8, bandwidth: 50MiB/s, stall_timeout: 2m, memory: 64MiB}";
    let deploy = good(text).deploy;
    assert_eq!((deploy.connections, deploy.bandwidth), (8, Some(ByteSize(50 << 20))));
    assert_eq!((deploy.stall_timeout, deploy.memory), (Duration::from_secs(120), ByteSize(64 << 20)));
    assert_eq!(good("deploy: {bandwidth: 1MB}").deploy.bandwidth, Some(ByteSize(1_000_000)));
    let value = |value: &str| value.to_owned();
    refused("deploy: {bandwidth: 0}", 1, 21, "deploy.bandwidth", Problem::Size { value: value("0") });
    refused("deploy: {stall_timeout: fast}", 1, 25, "deploy.stall_timeout", Problem::Span { value: value("fast") });
    refused("deploy: {stall_timeout: 0s}", 1, 25, "deploy.stall_timeout", Problem::Span { value: value("0s") });
}

#[test]
fn hooks_are_argument_lists_and_a_shell_is_asked_for() {
    let text = "deploy:\n  hooks:\n    pre_switch: [[./may-i, '${DATA}', ''], [~/bin/ask]]\n    post_switch:\n    \
                - {run: [systemctl, reload, app], timeout: 500ms}\n    - {shell: 'kill $$(cat pid) || true'}\n";
    let hooks = good(text).deploy.hooks;
    let all = hooks.pre_switch.iter().chain(&hooks.post_switch);
    let all: Vec<_> =
        all.map(|h| (h.program.name.to_str().expect("UTF-8"), h.program.args.clone(), h.timeout)).collect();
    let minute = Duration::from_secs(60);
    let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        all,
        [
            ("/p/may-i", texts(&["/data", ""]), minute),
            ("/home/mei/bin/ask", texts(&[]), minute),
            ("systemctl", texts(&["reload", "app"]), Duration::from_millis(500)),
            ("sh", texts(&["-c", "kill $(cat pid) || true"]), minute),
        ]
    );
    // Messages show what the file says, and no value of a variable.
    assert_eq!(hooks.pre_switch[0].program.shown, "./may-i ${DATA} ");
    assert_eq!(good("").deploy.hooks, Hooks::default());
    let key = "deploy.hooks.post_switch[0]";
    let shape = Problem::Shape { wanted: Shape::List, found: Shape::Scalar };
    refused("deploy: {hooks: {post_switch: [reload app]}}", 1, 32, key, shape);
    refused("deploy: {hooks: {post_switch: [[]]}}", 1, 32, key, Problem::Empty);
    let one_of = Problem::OneOf { names: &["run", "shell"] };
    refused("deploy: {hooks: {post_switch: [{timeout: 1s}]}}", 1, 32, key, one_of.clone());
    refused("deploy: {hooks: {post_switch: [{run: [a], shell: b}]}}", 1, 32, key, one_of);
    let never = Problem::Span { value: "0s".into() };
    let text = "deploy: {hooks: {post_switch: [{run: [a], timeout: 0s}]}}";
    refused(text, 1, 52, "deploy.hooks.post_switch[0].timeout", never);
}

#[test]
fn health_is_one_probe_that_can_pass() {
    let health = |text: &str| good(&format!("deploy: {{health: {text}}}")).deploy.health.expect("given");
    let seconds = Duration::from_secs;
    let web = health("{http: 'http://127.0.0.1:8080/healthz?token=${DATA}'}");
    assert_eq!((web.timeout, web.healthy_for, web.interval), (seconds(30), seconds(5), seconds(1)));
    let url = "http://127.0.0.1:8080/healthz";
    assert_eq!(web.probe, Probe::Http { url: format!("{url}?token=/data"), shown: url.into() });
    let port = health("{tcp: '[::1]:80', timeout: 2s, interval: 100ms}");
    assert_eq!((port.probe, port.healthy_for), (Probe::Tcp("[::1]:80".into()), seconds(1)));
    let command = health("{command: [bin/check, --fast], healthy_for: 0s}");
    let program =
        Program { name: "/p/bin/check".into(), args: vec!["--fast".into()], shown: "bin/check --fast".into() };
    assert_eq!((command.probe, command.healthy_for), (Probe::Command(program), seconds(0)));
    let one_of = Problem::OneOf { names: &["http", "command", "tcp"] };
    refused("deploy: {health: {timeout: 1s}}", 1, 18, "deploy.health", one_of.clone());
    refused("deploy: {health: {tcp: 'a:1', command: [b]}}", 1, 18, "deploy.health", one_of);
    for bad in ["ftp://h/", "http://me:x@h/", "http://h/#a", "http://"] {
        let text = format!("deploy: {{health: {{http: '{bad}'}}}}");
        refused(&text, 1, 25, "deploy.health.http", Problem::HealthUrl { value: bad.into() });
    }
    for bad in ["80", ":80", "host:0", "host:99999"] {
        let text = format!("deploy: {{health: {{tcp: '{bad}'}}}}");
        refused(&text, 1, 24, "deploy.health.tcp", Problem::Address { value: bad.into() });
    }
    let never = Problem::NotShorter { value: "3s".into(), than: "timeout" };
    refused("deploy: {health: {tcp: 'a:1', timeout: 3s, healthy_for: 3s}}", 1, 57, "deploy.health.healthy_for", never);
    let confirm = |text: &str| good(&format!("deploy: {{confirm: {text}}}")).deploy.confirm.map(|span| span.0);
    assert_eq!((confirm("10m"), confirm("0s")), (Some(seconds(600)), None));
}

#[test]
fn how_files_are_shared() {
    let deploy = good("").deploy;
    assert_eq!((deploy.link, deploy.verify, deploy.share_with), (Link::Auto, Verify::Receipt, Vec::<PathBuf>::new()));
    let deploy = good("deploy: {link: hardlink, verify: always, share_with: [other, /srv/roots/b]}").deploy;
    assert_eq!((deploy.link, deploy.verify), (Link::Hardlink, Verify::Always));
    assert_eq!(deploy.share_with, ["/p/other", "/srv/roots/b"].map(PathBuf::from));
    for link in ["auto", "reflink", "copy"] {
        good(&format!("deploy: {{link: {link}}}"));
    }
    assert_eq!(bad("deploy: {link: symlink}").2, "deploy.link");
    assert_eq!(bad("deploy: {verify: never}").2, "deploy.verify");
}

#[test]
fn a_type_that_the_file_does_not_name_is_packed_by_the_same_rules() {
    let config = good("project: {root: src}\npack: {compression: xz, exclude: ['*.o']}\ncomponents: {model: }");
    assert_eq!(config.component(&kind("model")), config.components[&kind("model")]);
    let other = config.component(&kind("other"));
    assert_eq!(
        (other.source.as_path(), other.compression),
        (Path::new("/p/src/other"), Choice::Fixed(Compression::Xz))
    );
    assert_eq!(other.exclude.last().map(String::as_str), Some("*.o"));
}

#[test]
fn the_store_follows_the_cache_directory_and_needs_no_home() {
    let store = |env: &dyn Fn(&str) -> Option<String>, home| {
        Config::default_for(Path::new("/p"), env, home).store.path.display().to_string()
    };
    assert_eq!(store(&|name| (name == "XDG_CACHE_HOME").then(|| "/c".into()), None), "/c/deploy-tool");
    assert_eq!(store(&|name| (name == "XDG_CACHE_HOME").then(|| "c".into()), None), "/p/.deploy-tool/store");
}

#[test]
fn variables_fill_values_and_never_change_the_structure() {
    let config = good("pack: {level: \"${LEVEL}\", compression: \"${CODEC:-zstd}\", threads: '${LEVEL}'}");
    assert_eq!((config.pack.level[&Compression::Zstd], config.pack.threads), (7, Some(7)));
    let config = good("project: {description: '${STRUCTURE}', name: 'a$$b'}");
    assert_eq!(config.project.description.as_deref(), Some("x}\npack: {output: /stolen}"));
    assert_eq!((config.pack.output.as_path(), config.project.name.as_str()), (Path::new("/p/dist"), "a$b"));
}

#[test]
fn scalars_keep_their_spelling_anchors_and_merges_are_followed() {
    let text = "project: {name: 1.10, type: yes, description: 007}\n\
                components:\n  a: &a {source: 2.50, mutable: true}\n  b: {<<: *a, source: .Inf}\n  no: {source: ~}";
    let config = good(text);
    assert_eq!((config.project.name.as_str(), config.project.kind.as_deref()), ("1.10", Some("yes")));
    assert_eq!(config.project.description.as_deref(), Some("007"));
    let source = |name| config.components[&kind(name)].source.clone();
    assert_eq!([source("a"), source("b"), source("no")], ["/p/2.50", "/p/.Inf", "/home/mei"].map(PathBuf::from));
    assert!(config.components[&kind("b")].mutable);
}

#[test]
fn sources_default_to_one_tier_and_the_backups_behind_it() {
    let targets = "publish: {targets: {c: {type: filesystem, path: c, role: backup}, a: {type: filesystem, path: a}, \
                   b: {type: filesystem, path: b}}}";
    let config = good(targets);
    assert_eq!(config.deploy.sources, [vec!["a", "b"], vec!["c"]]);
    assert_eq!(config.publish.default, ["c", "a", "b"]);
}

/// The place, key and problem of a refusal.
fn bad(text: &str) -> (u64, u64, String, Problem) {
    let error = read(text).expect_err(text);
    assert_eq!(error.file, Path::new("/p/.deploy-tool.yaml"));
    (error.place.line, error.place.column, error.key, *error.problem)
}

fn refused(text: &str, line: u64, column: u64, key: &str, problem: Problem) {
    assert_eq!(bad(text), (line, column, key.to_owned(), problem), "{text}");
}

#[test]
fn broken_yaml() {
    refused("pack:\n\toutput: x\n", 2, 1, "", Problem::Tab);
    refused("pack:\n  output: x\n\tthreads: 2\n", 3, 1, "", Problem::Tab);
    refused("pack: {}\nstore: {}\npack: {}\n", 3, 1, "", Problem::DuplicateKey { name: "pack".into() });
    refused("pack: {}\n---\nstore: {}\n", 3, 1, "", Problem::SecondDocument);
    for (text, line, column) in [("pack: {}}", 1, 9), ("a: b: c", 1, 5), ("a: \"x", 1, 4), ("a: *nope", 1, 4)] {
        let (l, c, _, problem) = bad(text);
        assert!(matches!(&problem, Problem::Syntax { reason } if !reason.contains("line")), "{problem}");
        assert_eq!((l, c), (line, column), "{text}");
    }
}

#[test]
fn unknown_keys_name_the_nearest_one() {
    let unknown = |name: &str, nearest: Option<&str>, known: &[&'static str]| Problem::UnknownKey {
        name: name.into(),
        nearest: nearest.map(str::to_owned),
        known: known.to_vec(),
    };
    let top = ["version", "project", "components", "pack", "records", "publish", "deploy", "store"];
    refused("version: 1\ncomponent: {}\n", 2, 1, "component", unknown("component", Some("components"), &top));
    let pack = ["output", "compression", "level", "exclude", "threads"];
    let text = "pack:\n  output: x\n  compresion: gzip\n";
    refused(text, 3, 3, "pack.compresion", unknown("compresion", Some("compression"), &pack));
    let deploy = [
        "root",
        "sources",
        "connections",
        "bandwidth",
        "stall_timeout",
        "memory",
        "custom_links",
        "link",
        "share_with",
        "verify",
        "keep",
        "allow_shared_root",
        "hooks",
        "health",
        "confirm",
        "trust",
    ];
    refused("deploy: {hoks: {}}", 1, 10, "deploy.hoks", unknown("hoks", Some("hooks"), &deploy));
    let hooks = unknown("post_swich", Some("post_switch"), &["pre_switch", "post_switch"]);
    refused("deploy: {hooks: {post_swich: []}}", 1, 18, "deploy.hooks.post_swich", hooks);
    let probes = ["http", "command", "tcp", "timeout", "healthy_for", "interval"];
    let health = unknown("healthyfor", Some("healthy_for"), &probes);
    refused("deploy: {health: {tcp: 'a:1', healthyfor: 1s}}", 1, 31, "deploy.health.healthyfor", health);
    let known =
        ["source", "description", "compression", "mutable", "depends", "mtime", "exclude", "platform", "mode", "group"];
    let text = "components:\n  model: {owner: me}";
    refused(text, 2, 11, "components.model.owner", unknown("owner", None, &known));
    for later in ["trust: {}", "components: {a: {owner: x}}"] {
        assert!(matches!(bad(later).3, Problem::UnknownKey { .. }), "{later}");
    }
    // A typo is named before what follows from it.
    assert_eq!(bad("publish: {default: [local], targts: {local: {}}}").2, "publish.targts");
}

#[test]
fn versions() {
    refused("later: 3\nversion: 2", 2, 10, "version", Problem::NewerVersion { found: 2 });
    let choice = |value: &str| Problem::Choice { value: value.into(), nearest: None, allowed: vec!["1"] };
    refused("version: one", 1, 10, "version", choice("one"));
    refused("version: 0.9", 1, 10, "version", choice("0.9"));
}

#[test]
fn wrong_shapes_and_missing_values() {
    let shape = |wanted, found| Problem::Shape { wanted, found };
    refused("- a", 1, 1, "", shape(Shape::Mapping, Shape::List));
    refused("just text", 1, 1, "", shape(Shape::Mapping, Shape::Scalar));
    refused("pack: gzip", 1, 7, "pack", shape(Shape::Mapping, Shape::Scalar));
    refused("pack: {exclude: '*.o'}", 1, 17, "pack.exclude", shape(Shape::List, Shape::Scalar));
    refused("pack:\n  output: [a]", 2, 11, "pack.output", shape(Shape::Scalar, Shape::List));
    refused("pack: {exclude: [a, {}]}", 1, 21, "pack.exclude[1]", shape(Shape::Scalar, Shape::Mapping));
    refused("pack: {exclude: [a, ]}\nstore: {path: ''}", 2, 15, "store.path", Problem::Empty);
    refused("store: {path: '${EMPTY}'}", 1, 15, "store.path", Problem::Empty);
    refused("publish: {default: [null]}", 1, 21, "publish.default[0]", Problem::Empty);
    let key = "publish.targets.local";
    refused("publish: {targets: {local: /x}}", 1, 28, key, shape(Shape::Mapping, Shape::Scalar));
    refused("publish: {targets: {local: {path: x}}}", 1, 21, key, Problem::Missing { name: "type" });
    refused("publish: {targets: {local: {type: filesystem}}}", 1, 21, key, Problem::Missing { name: "path" });
}

#[test]
fn variables_without_a_value() {
    let unset = Problem::UnsetVariable { variable: "NOPE".into() };
    refused("store:\n  path: ${NOPE}/x\n", 2, 9, "store.path", unset.clone());
    // A target is one among several: it alone cannot be used.
    let text = "publish: {targets: {a: {type: s3, role: backup, bucket: '${NOPE}'}, b: {type: filesystem, path: /p}}}";
    let targets = good(text).publish.targets;
    assert!(targets[0].backup && matches!(&targets[0].place, TargetPlace::Unset(why) if *why.problem == unset));
    assert!(matches!(targets[1].place, TargetPlace::Filesystem { .. }));
    let typo = bad("publish: {targets: {a: {type: s3, bucket: '${NOPE}', bukcet: b}}}");
    assert_eq!(typo.2, "publish.targets.a.bukcet");
    refused("store: {path: $HOME}", 1, 15, "store.path", Problem::Dollar { value: "$HOME".into() });
}

#[test]
fn values_that_do_not_fit() {
    let number = |value: &str, min, max| Problem::Number { value: value.into(), min, max };
    let choice = |value: &str, nearest: Option<&str>, allowed: &[&'static str]| Problem::Choice {
        value: value.into(),
        nearest: nearest.map(str::to_owned),
        allowed: allowed.to_vec(),
    };
    let codecs = Compression::ALL.map(Compression::name);
    let choices: Vec<_> = Choice::names().collect();
    refused("pack: {compression: gizp}", 1, 21, "pack.compression", choice("gizp", Some("gzip"), &choices));
    refused("pack: {level: {brotli: 1}}", 1, 16, "pack.level.brotli", choice("brotli", None, &codecs));
    refused("pack: {level: 13}", 1, 15, "pack.level", number("13", 1, 12));
    refused("pack: {level: {zstd: 23}}", 1, 22, "pack.level.zstd", number("23", 1, 22));
    refused("pack: {level: {bzip2: 0}}", 1, 23, "pack.level.bzip2", number("0", 1, 9));
    refused("pack: {threads: 0}", 1, 17, "pack.threads", number("0", 1, 1024));
    refused("pack: {threads: many}", 1, 17, "pack.threads", number("many", 1, 1024));
    let lz4 = Problem::NoLevels { compression: Compression::Lz4 };
    refused("pack: {compression: lz4, level: 1}", 1, 33, "pack.level", lz4.clone());
    refused("pack: {level: {lz4: 1}}", 1, 21, "pack.level.lz4", lz4);
    refused("store: {max_size: much}", 1, 19, "store.max_size", Problem::Size { value: "much".into() });
    let boolean = Problem::Boolean { value: "yes".into() };
    refused("components: {a: {mutable: yes}}", 1, 27, "components.a.mutable", boolean);
    let mtime = choice("normalise", Some("normalize"), &["normalize", "keep"]);
    refused("components: {a: {mtime: normalise}}", 1, 25, "components.a.mtime", mtime);
    let kinds = ["filesystem", "s3", "bos", "gcs", "azure", "http", "oci"];
    let ftp = choice("ftp", None, &kinds);
    refused("publish: {targets: {a: {type: ftp, path: b}}}", 1, 31, "publish.targets.a.type", ftp);
    let url = Problem::Url { value: "https://me:x@h/".into() };
    refused("publish: {targets: {a: {type: http, url: 'https://me:x@h/'}}}", 1, 42, "publish.targets.a.url", url);
    let mode = Problem::Mode { value: "999".into() };
    let text = "publish: {targets: {a: {type: filesystem, path: b, mode: 999}}}";
    refused(text, 1, 58, "publish.targets.a.mode", mode);
    let text = "publish: {default: [a], targets: {a: {type: http, url: 'https://h'}}}";
    refused(text, 1, 21, "publish.default[0]", Problem::ReadOnlyTarget { name: "a".into() });
    refused("deploy: {keep: {last: -1}}", 1, 23, "deploy.keep.last", number("-1", 0, u32::MAX.into()));
}

#[test]
fn names_requirements_and_patterns() {
    let (line, column, key, problem) = bad("components:\n  ../x: {}");
    assert_eq!((line, column, key.as_str()), (2, 3, "components.../x"));
    assert!(matches!(problem, Problem::ComponentType { name, .. } if name == "../x"));
    let text = "publish: {targets: {a b: {}}}";
    refused(text, 1, 21, "publish.targets.a b", Problem::TargetName { name: "a b".into() });
    let (line, column, key, problem) = bad("components: {a: {depends: {b: soon}}}");
    assert_eq!((line, column, key.as_str()), (1, 31, "components.a.depends.b"));
    assert!(matches!(problem, Problem::Requirement { value, .. } if value == "soon"));
    refused("components: {a: {depends: {a: '1'}}}", 1, 28, "components.a.depends.a", Problem::SelfDependency);
    let (_, column, key, problem) = bad("pack: {exclude: [ok, '{a']}");
    assert_eq!((column, key.as_str()), (22, "pack.exclude[1]"));
    assert!(matches!(problem, Problem::Pattern { value, .. } if value == "{a"));
    refused("records: {branch: a..b}", 1, 19, "records.branch", Problem::Branch { value: "a..b".into() });
}

#[test]
fn paths_that_lead_elsewhere() {
    for outside in ["/records", "../records", "a/../../b"] {
        let text = format!("records: {{directory: {outside}}}");
        refused(&text, 1, 22, "records.directory", Problem::LeadsOut { value: outside.into() });
    }
    assert_eq!(good("records: {directory: ./a//b/}").records.directory, Path::new("a/b"));
    assert_eq!(good("records: {directory: .}").records.directory, Path::new(""));
    let key = "deploy.custom_links.app/models";
    refused("deploy: {custom_links: {app/models: x}}", 1, 25, key, Problem::NotAbsolute { value: "app/models".into() });
    let second = Problem::SecondLink { path: "/app".into() };
    refused("deploy: {custom_links: {/app: x, /app/: y}}", 1, 34, "deploy.custom_links./app/", second);
    refused("store: {path: \"a\\0b\"}", 1, 15, "store.path", Problem::NotAPath { value: "a\\u{0}b".into() });
    let links = good("deploy: {custom_links: {~/app: x}}").deploy.custom_links;
    assert_eq!(links.into_iter().next(), Some(("/home/mei/app".into(), "/p/x".into())));
    let error = parse("store: {path: ~/x}", Path::new("/p/f"), &env, None).expect_err("no home");
    assert_eq!(*error.problem, Problem::NoHome { value: "~/x".into() });
}

#[test]
fn targets_that_are_named_exist_once() {
    let with = |rest: &str| {
        let targets = "publish:\n  targets: {local: {type: filesystem, path: x}, far: {type: filesystem, path: y}}\n";
        format!("{targets}{rest}")
    };
    let none = |name: &str, nearest: Option<&str>| Problem::NoTarget {
        name: name.into(),
        nearest: nearest.map(str::to_owned),
        known: vec!["local".into(), "far".into()],
    };
    refused(&with("  default: [loca]"), 3, 13, "publish.default[0]", none("loca", Some("local")));
    let twice = Problem::Repeated { name: "far".into() };
    refused(&with("  default: [far, local, far]"), 3, 25, "publish.default[2]", twice.clone());
    let require = Problem::Number { value: "3".into(), min: 1, max: 2 };
    refused(&with("  require: 3"), 3, 12, "publish.require", require);
    refused(&with("deploy: {sources: [[local, s3]]}"), 3, 28, "deploy.sources[0][1]", none("s3", None));
    refused(&with("deploy: {sources: [far, [local, far]]}"), 3, 33, "deploy.sources[1][1]", twice);
}

#[test]
fn secrets_are_warned_about_and_never_repeated() {
    let (_, warnings) = read("project:\n  description: AKIAIOSFODNN7EXAMPLE\n").expect("valid");
    let place = Place { line: 2, column: 16 };
    let key = "project.description".to_owned();
    assert_eq!(warnings, [Warning::LiteralSecret { file: "/p/.deploy-tool.yaml".into(), place, key }]);
    let error = read("pack: {compression: '${TOKEN}'}").expect_err("no compression");
    assert!(!format!("{error} {error:?}").contains("hidden"), "{error}");
}

#[test]
fn long_and_strange_values_are_cut_and_escaped_in_messages() {
    let error = read(&format!("store: {{max_size: \"\\e[2J{}\"}}", "9".repeat(500))).expect_err("no size");
    let Problem::Size { value } = *error.problem else { panic!("{error}") };
    assert!(value.starts_with("\\u{1b}[2J999") && value.ends_with("9…") && value.len() < 120, "{value}");
}

#[test]
fn bombs_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    assert!(matches!(bad(&bomb).3, Problem::Syntax { .. }));
    assert!(matches!(bad(&"[".repeat(100_000)).3, Problem::Syntax { .. }));
    assert!(matches!(bad(&"a: {".repeat(100_000)).3, Problem::Syntax { .. }));
}

#[test]
fn candidates_go_up_to_the_root() {
    let all: Vec<_> = find_upward(Path::new("/a/b")).collect();
    assert_eq!(all, ["/a/b/.deploy-tool.yaml", "/a/.deploy-tool.yaml", "/.deploy-tool.yaml"].map(PathBuf::from));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(\\PC|[\\n\\t:{}\\[\\]*&!|>'\"%@`#,?~$-]){0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn any_change_of_a_good_file_is_read_or_refused(at in 0..REFERENCE.len(), with in "[ \\t\\n:{}\\[\\]*&!|>'\"%#,?~$0a-]{0,3}") {
        let mut text = REFERENCE.to_owned();
        text.replace_range(at..at + 1, &with);
        if let Err(error) = read(&text) {
            let lines = text.lines().count() as u64;
            prop_assert!((1..=lines + 1).contains(&error.place.line), "{}", error);
        }
    }
}

#[test]
fn a_repository_is_a_path_or_a_url() {
    let place = |text: &str| good(&format!("records: {{repository: {text:?}}}")).records.repository;
    for url in ["https://host/r.git", "ssh://git@host/r.git", "git@host:r.git", "file:///srv/r.git"] {
        let parsed = RepositoryUrl::parse(url).expect("good");
        assert_eq!(place(url), parsed.map(RepositoryPlace::Url), "{url}");
    }
    assert_eq!(place("./a:b"), Some(RepositoryPlace::Path("/p/a:b".into())));
    assert_eq!(place("~/r"), Some(RepositoryPlace::Path("/home/mei/r".into())));
    let reason = RepositoryUrlError::Password;
    let text = "records: {repository: \"https://mei:s3cret@host/r\"}";
    refused(text, 1, 23, "records.repository", Problem::RepositoryUrl { reason });
}
