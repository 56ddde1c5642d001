//! `record check` on requests to merge that have one defect each, and on good ones: `tests/fixtures/requests/`.
//!
//! ```text
//! base/            the repository that every request is made to: records, and what lies at their locations
//! *.patch          what some requests have in their base besides: a policy, a heartbeat
//! bad/, good/      a request each: a sentence, what is done besides the patch, what is found, a patch as `git apply` takes it
//! ```
//!
//! | line | does |
//! |---|---|
//! | `With: P` | adds the patch `P` to the base |
//! | `Signed: W N F` | adds `W`'s signature of `F` in the namespace `N` to the base |
//! | `Sign: W N F [G]` | the same in the request; beside `G` where it is given |
//! | `Remove: F`, `Grow: F N` | removes `F`; adds `N` spaces to it |
//! | `Trust: T` | says this in `deploy.trust`; `none` for no such section |
//! | `Fetch` | checks with `--fetch` |
//! | `Finds:`, `Says:`, `Do:` | what is found: severity, rule, file and line; the message; the hint |
//!
//! `UPDATE_REQUESTS=1 cargo test --test it review` writes the last three anew, for somebody to read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use insta::assert_snapshot;
use serde_json::Value;

use super::env::Env;
use super::programs::has;
use super::reasons;
use super::signatures::{keygen, signers};

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/requests")
}

/// A repository `records` as every request finds it, people with keys, and a host that knows them.
pub fn scene() -> Env {
    let env = Env::with_model();
    let people = ["mei", "li", "ops", "wu", "old", "late", "eve"];
    people.iter().for_each(|name| keygen(&env, name, "ed25519"));
    let lines = [
        ("mei@x", "", "mei"),
        ("li@x", "", "li"),
        ("ops@x", "", "ops"),
        ("wu@x", "", "wu"),
        ("mei@x", "", "old"),
        ("mei@x", "valid-before=\"20200101Z\"", "late"),
    ];
    signers(&env, "signers", &lines);
    env.write("project/revoked", env.read("keys/old.pub"));
    copy(&fixtures().join("base"), &env.path("records"));
    env.git("records", &["add", "-A"]);
    env.git("records", &["commit", "-qm", "base"]);
    trust(&env, Some("require: false"));
    env
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("a kind").is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).expect("copied")),
        }
    }
}

fn trust(env: &Env, more: Option<&str>) {
    let keys = "allowed_signers: signers, revoked: revoked";
    let trust = more.map(|more| format!(", trust: {{{keys}, {more}}}")).unwrap_or_default();
    let config =
        format!("records: {{repository: ../records}}\ndeploy: {{root: ../root{trust}}}\nstore: {{path: ../store}}\n");
    env.write("project/.deploy-tool.yaml", config);
}

/// A request of the fixtures.
struct Case {
    path: PathBuf,
    /// The lines before the patch, and the patch.
    lines: Vec<String>,
    patch: String,
}

impl Case {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("read");
        let at = text.find("diff --git ").unwrap_or(text.len());
        let lines = text[..at].lines().map(str::to_owned).collect();
        Self { path: path.to_owned(), lines, patch: text[at..].to_owned() }
    }

    fn name(&self) -> String {
        self.path.file_stem().expect("a name").display().to_string()
    }

    fn values<'c>(&'c self, key: &'c str) -> impl Iterator<Item = &'c str> {
        self.lines.iter().filter_map(move |line| line.strip_prefix(key)?.strip_prefix(": "))
    }

    fn has(&self, line: &str) -> bool {
        self.lines.iter().any(|known| known == line)
    }

    /// Makes the request; it is `base..HEAD` of the repository then.
    fn make(&self, env: &Env) {
        let git = |args: &[&str]| env.git("records", args);
        git(&["checkout", "-q", "-f", "-B", "request", "main"]);
        git(&["clean", "-fdxq"]);
        for patch in self.values("With") {
            git(&["apply", &fixtures().join(patch).display().to_string()]);
        }
        self.values("Signed").for_each(|words| sign(env, words));
        git(&["add", "-A"]);
        git(&["commit", "-q", "--allow-empty", "-m", "base"]);
        git(&["tag", "-f", "base"]);
        if !self.patch.is_empty() {
            let patch = env.write("patch", &self.patch);
            git(&["apply", "--whitespace=nowarn", &patch.display().to_string()]);
        }
        self.values("Sign").for_each(|words| sign(env, words));
        self.values("Remove").for_each(|file| fs::remove_file(env.path("records").join(file)).expect("removed"));
        for (file, count) in self.values("Grow").filter_map(|words| words.split_once(' ')) {
            let path = env.path("records").join(file);
            let more = " ".repeat(count.parse().expect("a number"));
            fs::write(&path, fs::read_to_string(&path).expect("read") + &more).expect("written");
        }
        git(&["add", "-A"]);
        git(&["commit", "-qm", "request"]);
    }

    fn check(&self, env: &Env, more: &[&str]) -> super::env::Ran {
        let trusted = self.values("Trust").next().unwrap_or("require: false");
        trust(env, Some(trusted).filter(|trusted| *trusted != "none"));
        let fetch = self.has("Fetch").then_some("--fetch");
        let args = ["record", "check", "base..HEAD"].into_iter().chain(fetch);
        env.run(&args.chain(more.iter().copied()).collect::<Vec<_>>())
    }
}

/// `W N F [G]`: `ssh-keygen -Y sign`.
fn sign(env: &Env, words: &str) {
    let words: Vec<_> = words.split(' ').collect();
    let [who, namespace, file, ref beside @ ..] = words[..] else { panic!("{words:?}") };
    let beside = beside.first().unwrap_or(&file);
    let mut command = env.hermetic("ssh-keygen");
    command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(env.path("keys").join(who));
    command.stdin(fs::File::open(env.path("records").join(file)).expect("the file")).stderr(Stdio::null());
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{words:?}");
    env.write(&format!("records/{beside}.sigs/{who}.sig"), output.stdout);
}

fn cases(kind: &str) -> Vec<Case> {
    let entries = fs::read_dir(fixtures().join(kind)).expect("listed");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| Case::read(path)).collect()
}

/// A text without what is another one each time.
fn shown(env: &Env, text: &str) -> String {
    let text = text.replace(&env.path("").display().to_string(), "<dir>/");
    let words = text.split(' ').map(|word| if word.starts_with("SHA256:") { "<key>" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// What was found, as the fixtures say it.
fn told(env: &Env, report: &Value) -> Vec<String> {
    let text = |finding: &Value, key: &str| shown(env, finding[key].as_str().expect("text"));
    let findings = report["findings"].as_array().expect("a list").iter();
    let lines = |finding: &Value| {
        let place = format!("{}:{}", text(finding, "file"), finding["line"]);
        let (severity, rule) = (text(finding, "severity"), text(finding, "rule"));
        [
            format!("Finds: {severity} {rule} {place}"),
            format!("Says: {}", text(finding, "message")),
            format!("Do: {}", text(finding, "hint")),
        ]
    };
    findings.flat_map(lines).collect()
}

fn is_told(line: &str) -> bool {
    ["Finds: ", "Says: ", "Do: "].iter().any(|start| line.starts_with(start))
}

/// Runs every request of a kind; the rules that were found.
fn run(kind: &str, status: i32) -> Vec<String> {
    let env = scene();
    let mut rules = Vec::new();
    let mut wrong = Vec::new();
    for case in cases(kind) {
        case.make(&env);
        let ran = case.check(&env, &["--json"]);
        let report: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{}: {e}: {ran:?}", case.name()));
        if ran.status != Some(status) || report["refused"] != Value::Bool(status == 4) {
            wrong.push(format!("{}: {ran:?}", case.name()));
            continue;
        }
        let told = told(&env, &report);
        rules.extend(told.iter().filter_map(|line| line.strip_prefix("Finds: ")).map(str::to_owned));
        let finds = told.iter().filter(|line| line.starts_with("Finds: ")).count();
        if kind == "bad" && finds != 1 {
            wrong.push(format!("{}: {told:#?}", case.name()));
            continue;
        }
        if std::env::var_os("UPDATE_REQUESTS").is_some() {
            let mut lines: Vec<_> = case.lines.iter().filter(|line| !is_told(line)).cloned().collect();
            while lines.last().is_some_and(String::is_empty) {
                lines.pop();
            }
            lines.extend([String::new()].into_iter().filter(|_| !told.is_empty()).chain(told.clone()));
            fs::write(&case.path, lines.join("\n") + "\n\n" + &case.patch).expect("written");
        }
        let chinese = case.check(&env, &["--json", "--lang", "zh"]);
        let chinese: Value = serde_json::from_str(&chinese.stdout).expect("JSON");
        // What is not JSON is told of in the words of who reads it.
        let words = chinese["findings"].as_array().expect("a list").iter().filter(|found| found["rule"] != "malformed");
        let words = words.flat_map(|found| [&found["message"], &found["hint"]]).filter_map(Value::as_str);
        wrong.extend(words.filter(|words| reasons::english(words).is_some()).map(|words| format!("English: {words}")));
        let expected: Vec<_> = case.lines.iter().filter(|line| is_told(line)).cloned().collect();
        if expected != told {
            wrong.push(format!("{}: found {told:#?}, not {expected:#?}", case.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    rules
}

#[test]
fn each_bad_request_is_refused_for_its_one_defect_and_each_good_one_passes() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    assert!(cases("bad").len() >= 40 && cases("good").len() >= 10);
    let (bad, good) = (run("bad", 4), run("good", 0));
    assert!(bad.iter().all(|found| found.starts_with("error ")), "{bad:#?}");
    let found = bad.iter().chain(&good).filter_map(|line| line.split(' ').nth(1));
    let found: BTreeSet<&str> = found.collect();
    let words = include_str!("../../src/cli/words/en.txt").lines().filter_map(|line| line.split_once(" = "));
    let rules = words.filter_map(|(key, _)| key.strip_prefix("review.")).filter(|rule| !rule.ends_with(".hint"));
    assert_eq!(found, rules.collect(), "every rule is broken by a request, and none is that there is not");
}

#[test]
fn a_request_is_told_in_the_form_that_is_asked_for() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = scene();
    let case = Case::read(&fixtures().join("bad/misplaced-version.patch"));
    case.make(&env);
    assert_snapshot!(case.check(&env, &[]).stdout, @r"
    records/packages/model/1.0.2/manifest.json:4: error: the file speaks of model@1.0.3, and belongs to model@1.0.2 [misplaced]
      hint: publish the version instead of copying its files
    must not be merged (files: 2, errors: 1, warnings: 0)
    ");
    assert_snapshot!(case.check(&env, &["--format", "github"]).stdout, @"::error file=records/packages/model/1.0.2/manifest.json,line=4,title=misplaced::the file speaks of model@1.0.3, and belongs to model@1.0.2%0Apublish the version instead of copying its files");
    assert_snapshot!(case.check(&env, &["--format", "markdown"]).stdout, @r"
    ### Records

    must not be merged (files: 2, errors: 1, warnings: 0)

    | | where | rule | what |
    |---|---|---|---|
    | error | `records/packages/model/1.0.2/manifest.json:4` | `misplaced` | `the file speaks of model@1.0.3, and belongs to model@1.0.2` |
    ");
    let good = Case::read(&fixtures().join("good/publish.patch"));
    good.make(&env);
    assert_snapshot!(good.check(&env, &[]).stdout, @"may be merged (files: 2, warnings: 0)");
    assert_eq!(good.check(&env, &["--format", "github"]).stdout, "");
}

#[test]
fn what_the_branch_did_meanwhile_is_not_the_requests_doing() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = scene();
    let git = |args: &[&str]| env.git("records", args);
    // Others publish, and withdraw what the request pins.
    Case::read(&fixtures().join("good/publish.patch")).make(&env);
    git(&["branch", "-f", "theirs"]);
    let check = |args: &[&str]| env.run(&[&["record", "check"], args, &["--json"]].concat());
    git(&["checkout", "-q", "-B", "ours", "main"]);
    Case::read(&fixtures().join("good/serial-back.patch")).make(&env);
    git(&["branch", "-f", "ours"]);
    assert_eq!(check(&["theirs..ours"]).status, Some(0));
    // Without the commit that both have, all that differs is the request's.
    let (theirs, ours) = (git(&["rev-parse", "theirs^{tree}"]), git(&["rev-parse", "ours^{tree}"]));
    let ran = check(&[&format!("{}..{}", theirs.trim(), ours.trim())]);
    assert_eq!(ran.status, Some(4));
    assert!(ran.stdout.contains("\"deleted\""), "{ran:?}");
    // A serial number that somebody else has taken.
    git(&["checkout", "-q", "-f", "theirs"]);
    let prod = env.read("records/records/environments/prod.json");
    env.write("records/records/environments/prod.json", prod.replace("\"serial\": 1", "\"serial\": 9"));
    git(&["commit", "-qam", "meanwhile"]);
    let ran = check(&["theirs..ours"]);
    assert!(ran.status == Some(4) && ran.stdout.contains("\"serial-fell\""), "{ran:?}");
}

#[test]
fn nothing_is_read_but_what_differs() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = scene();
    Case::read(&fixtures().join("good/publish.patch")).make(&env);
    // Every object of a version that the request has nothing to do with is gone.
    let version = "HEAD:records/packages/model/1.0.0";
    for object in env.git("records", &["ls-tree", "-r", version]).lines() {
        let id = object.split_whitespace().nth(2).expect("an id");
        fs::remove_file(env.path("records/.git/objects").join(&id[..2]).join(&id[2..])).expect("removed");
    }
    assert_eq!(env.run(&["record", "check", "base..HEAD"]).status, Some(0));
    assert_eq!(env.run(&["record", "check", "HEAD"]).status, Some(1));
}

#[test]
fn names_in_a_request_say_nothing_of_themselves() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = scene();
    Case::read(&fixtures().join("good/publish.patch")).make(&env);
    env.write("records/records/packages/x\n::notice ::fine\u{1b}[2J|` @mei", "x");
    env.git("records", &["add", "-A"]);
    env.git("records", &["commit", "-qm", "odd"]);
    for (format, lines) in [("text", 3), ("github", 1), ("markdown", 7)] {
        let ran = env.run(&["record", "check", "base..HEAD", "--format", format]);
        assert_eq!((ran.status, ran.stdout.lines().count()), (Some(4), lines), "{ran:?}");
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains("\n::notice"), "{ran:?}");
    }
}

#[test]
fn a_repository_by_url_is_checked_without_a_checkout() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = scene();
    let url = format!("file://{}", env.path("records.git").display());
    env.git("", &["init", "-q", "--bare", "records.git"]);
    env.git("records.git", &["config", "uploadpack.allowFilter", "true"]);
    for (case, status) in [("good/publish.patch", 0), ("bad/pin-missing.patch", 4)] {
        Case::read(&fixtures().join(case)).make(&env);
        env.git("records", &["push", "-qf", "--mirror", &env.path("records.git").display().to_string()]);
        let ran = env.run(&["record", "check", "main..request", "--records", &url]);
        assert_eq!(ran.status, Some(status), "{case}: {ran:?}");
    }
}
