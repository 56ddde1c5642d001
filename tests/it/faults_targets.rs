//! Targets of the configuration that cannot be used on this host: each is one source or one copy less, and not the end of a
//! command that has others.

use super::env::Env;

/// What cannot be used: a login that nothing stands for, a bucket that nobody named, a file that is not there.
const BROKEN: [(&str, &str, &str); 3] = [
    ("unset", "{type: s3, bucket: \"${NO_SUCH_BUCKET}\"}", "`NO_SUCH_BUCKET`"),
    ("nowhere", "{type: filesystem, path: \"${NO_SUCH_DISK}/packages\"}", "`NO_SUCH_DISK`"),
    ("keyless", "{type: gcs, bucket: b, service_account: ./no-such-key.json}", "no-such-key.json"),
];

/// A version on the target `near`; the record says that it lies on the broken ones, too.
fn published() -> Env {
    let env = Env::with_model();
    env.configure("default:", "  default: [near]");
    env.publish("1.0.0");
    let targets: String = BROKEN.iter().map(|(name, target, _)| format!("    {name}: {target}\n")).collect();
    let config = env.read("project/.deploy-tool.yaml").replace("  targets:\n", &format!("  targets:\n{targets}"));
    env.write("project/.deploy-tool.yaml", config);
    let places = [
        r#"{"name": "unset", "type": "s3", "endpoint": "http://127.0.0.1:1", "bucket": "b", "object_key": "k/model-1.0.0.tar.gz"}"#,
        r#"{"name": "nowhere", "type": "filesystem", "path": "/nowhere/packages/model/1.0.0/"}"#,
        r#"{"name": "keyless", "type": "gcs", "bucket": "b", "object_key": "k/model-1.0.0.tar.gz"}"#,
    ];
    let mut record = record(&env);
    let places = places.iter().map(|place| serde_json::from_str(place).expect("JSON"));
    record["locations"].as_array_mut().expect("a list").extend(places);
    env.write(RECORD, format!("{record:#}\n"));
    env.git("records", &["commit", "-qam", "more places"]);
    std::fs::remove_dir_all(env.path("store")).expect("removed");
    env
}

const RECORD: &str = "records/records/packages/model/1.0.0/record.json";

fn record(env: &Env) -> serde_json::Value {
    serde_json::from_str(&env.read(RECORD)).expect("JSON")
}

#[test]
fn a_deploy_goes_on_without_them_and_says_so() {
    let env = published();
    let ran = env.run(&["deploy", "model@1.0.0"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for (name, _, why) in BROKEN {
        let warnings = ran.stderr.lines().filter(|line| line.starts_with("warning: ") && line.contains(name));
        let warnings: Vec<_> = warnings.collect();
        assert!(warnings.len() == 1 && warnings[0].contains(why), "{name}: {ran:?}");
    }
    env.ok(&["links", "verify"]);
    assert_eq!(env.link("components/model/current"), "1.0.0");
}

#[test]
fn what_no_record_names_is_nobodys_business() {
    let env = published();
    env.git("records", &["reset", "-q", "--hard", "HEAD~1"]);
    let ran = env.run(&["deploy", "model@1.0.0"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    env.ok(&["version", "list"]);
}

#[test]
fn with_none_but_them_the_reasons_are_said_and_nothing_is_changed() {
    let env = published();
    std::fs::remove_dir_all(env.path("targets/near")).expect("removed");
    let said = env.fails(1, &["deploy", "model@1.0.0"]);
    assert!(BROKEN.iter().all(|(name, _, why)| said.contains(name) && said.contains(why)), "{said}");
    let mut record = record(&env);
    record["locations"].as_array_mut().expect("a list").remove(0);
    env.write(RECORD, format!("{record:#}\n"));
    env.git("records", &["commit", "-qam", "fewer places"]);
    let said = env.fails(2, &["deploy", "model@1.0.0"]);
    assert!(BROKEN.iter().all(|(name, _, why)| said.contains(name) && said.contains(why)), "{said}");
    assert!(said.contains("hint: "), "{said}");
    assert!(!env.path("root/components/model").exists());
}

#[test]
fn a_publication_goes_on_without_them_as_far_as_enough_hold_it() {
    let env = published();
    env.configure("default:", "  default: [unset, far, keyless]");
    let before = record(&env)["locations"].as_array().expect("a list").len();
    let dry = env.run(&["publish", "model@1.0.0", "--dry-run"]);
    let ran = env.run(&["publish", "model@1.0.0"]);
    for ran in [&dry, &ran] {
        assert_eq!(ran.status, Some(0), "{ran:?}");
        for (name, why) in [("`unset`", "`NO_SUCH_BUCKET`"), ("`keyless`", "no-such-key.json")] {
            let named = |line: &str| line.starts_with("warning: ") && line.contains(name) && line.contains(why);
            assert!(ran.stderr.lines().any(named), "{ran:?}");
        }
    }
    let places = record(&env)["locations"].as_array().expect("a list").clone();
    assert_eq!((places.len(), places[before]["name"].as_str()), (before + 1, Some("far")));
    // Too few of them, and none at all.
    let config = env.read("project/.deploy-tool.yaml").replace("  default:", "  require: 2\n  default:");
    env.write("project/.deploy-tool.yaml", config);
    let said = env.fails(1, &["publish", "model@1.0.0"]);
    assert!(said.contains("1 of the 2") && said.contains("`NO_SUCH_BUCKET`"), "{said}");
    let said = env.fails(2, &["publish", "model@1.0.0", "--to", "unset"]);
    assert!(said.contains("`NO_SUCH_BUCKET`") && said.contains("hint: "), "{said}");
}
