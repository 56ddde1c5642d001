//! Every refusal with its place, and that there is nothing between reading and refusing.

use super::*;

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
    let top = ["version", "project", "components", "pack", "records", "publish", "deploy", "store", "log", "metrics"];
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
