//! What files mean: the reference example, the defaults, and each part by itself.

use super::*;

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

#[test]
fn candidates_go_up_to_the_root() {
    let all: Vec<_> = find_upward(Path::new("/a/b")).collect();
    assert_eq!(all, ["/a/b/.deploy-tool.yaml", "/a/.deploy-tool.yaml", "/.deploy-tool.yaml"].map(PathBuf::from));
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
