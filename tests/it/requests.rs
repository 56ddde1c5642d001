//! `--pr` and `--branch`: real pushes to a bare repository, and requests to forges that are strict about their interface.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::Value;

use super::env::{Env, Ran};
use super::environments::published;
use super::forge_server::{Forge, Kind, Pull, TOKEN, canned};
use super::programs::has;
use super::remote::{mirror, sign_commits};
use super::signatures::keygen;

const KINDS: [Kind; 3] = [Kind::GitHub, Kind::GitLab, Kind::Gitea];
const BRANCH: &str = "deploy-tool/prod/model-1.0.0";
const SET: [&str; 6] = ["env", "set", "model@1.0.0", "--env", "prod", "--pr"];

/// A records repository whose `origin` is a bare repository behind a URL of a forge.
struct Bot {
    env: Env,
    forge: Forge,
}

impl Bot {
    fn new(kind: Kind) -> Self {
        let env = published();
        with_remote(&env);
        let forge = Forge::start(kind, env.path("host/o/r.git"));
        let records = format!("records: {{repository: ../records, forge: {}}}", forge.settings());
        env.configure("records:", &records);
        Self { env, forge }
    }

    /// The same, and the records are that repository by its URL.
    fn by_url(kind: Kind) -> Self {
        let bot = Self::new(kind);
        bot.env.git("host/o/r.git", &["config", "uploadpack.allowFilter", "true"]);
        bot.env.git("host/o/r.git", &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        let repository = "repository: \"https://forge.test/o/r.git\"";
        bot.env.configure("records:", &format!("records: {{{repository}, forge: {}}}", bot.forge.settings()));
        bot
    }

    /// A runner that starts from nothing.
    fn forget(&self) {
        fs::remove_dir_all(self.env.path("store.records")).expect("removed");
    }

    /// Merges what the base has meanwhile into the branch, as a forge does that is asked to update it.
    fn update_branch(&self, branch: &str) {
        fs::remove_dir_all(self.env.path("other")).ok();
        self.env.git("", &["clone", "-q", "-b", branch, "host/o/r.git", "other"]);
        self.env.git("other", &["merge", "-q", "--no-ff", "-m", "Merge branch 'main'", "origin/main"]);
        self.env.git("other", &["push", "-q", "origin", branch]);
    }

    /// A commit on the base by somebody else, which no clone of ours has fetched.
    fn move_base(&self, name: &str) {
        fs::remove_dir_all(self.env.path("mover")).ok();
        self.env.git("", &["clone", "-q", "host/o/r.git", "mover"]);
        self.env.write(&format!("mover/{name}"), "notes\n");
        self.env.git("mover", &["add", "."]);
        self.env.git("mover", &["commit", "-qm", name]);
        self.env.git("mover", &["push", "-q", "origin", "main"]);
    }

    fn ahead(&self, branch: &str) -> String {
        self.env.git("host/o/r.git", &["rev-list", "--count", &format!("main..{branch}")])
    }

    fn output(&self, args: &[&str]) -> Output {
        self.env.command(args).env("BOT_TOKEN", TOKEN).output().expect("it runs")
    }

    /// Runs the program as a bot does; what it says never holds the token.
    fn run(&self, args: &[&str]) -> Ran {
        let ran = Ran::of(self.output(args));
        assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "{ran:?}");
        ran
    }

    fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
        ran.stdout
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).expect("JSON")
    }

    fn fails(&self, status: i32, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.status, Some(status), "{args:?}: {ran:?}");
        self.env.shown(&ran.stderr)
    }

    /// The branches of the remote that are not its base.
    fn branches(&self) -> Vec<String> {
        let refs = self.env.git("host/o/r.git", &["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"]);
        refs.lines().filter(|name| *name != "main").map(str::to_owned).collect()
    }

    fn tip(&self, branch: &str) -> String {
        self.env.git("host/o/r.git", &["rev-parse", branch]).trim().to_owned()
    }

    /// Every branch of the user's own repository, and what of the base it knows.
    fn own(&self) -> String {
        self.env.git("records", &["for-each-ref", "refs/heads", "refs/remotes/origin/main"])
            + &self.env.git("records", &["status", "--porcelain"])
    }
}

fn with_remote(env: &Env) {
    fs::create_dir_all(env.path("host/o")).expect("made");
    env.git("", &["init", "-q", "--bare", "-b", "main", "host/o/r.git"]);
    let rewrite = format!("url.{}/.insteadOf", env.path("host").display());
    env.git("records", &["config", "--global", &rewrite, "https://forge.test/"]);
    env.git("records", &["remote", "add", "origin", "https://forge.test/o/r.git"]);
    env.git("records", &["push", "-q", "origin", "main"]);
}

fn request(report: &Value) -> (&str, u64) {
    let request = &report["request"];
    (request["state"].as_str().unwrap_or_default(), request["number"].as_u64().unwrap_or_default())
}

#[test]
fn three_runs_make_one_request() {
    for kind in KINDS {
        let bot = Bot::new(kind);
        let own = bot.own();
        let first = bot.json(&SET);
        assert_eq!((request(&first), first["branch"].as_str()), (("opened", 1), Some(BRANCH)), "{kind:?}: {first}");
        assert_eq!(first["request"]["url"], "https://forge.test/o/r/pulls/1");
        assert_eq!((first["pushed"].as_bool(), first["commit"].as_str()), (Some(true), Some(bot.tip(BRANCH).as_str())));
        for _ in 0..2 {
            let again = bot.json(&SET);
            assert_eq!(request(&again), ("unchanged", 1), "{kind:?}: {again}");
            assert_eq!((&again["commit"], &again["pushed"]), (&first["commit"], &Value::Bool(false)));
        }
        assert_eq!((bot.forge.count("POST"), bot.forge.count("PATCH") + bot.forge.count("PUT")), (1, 0), "{kind:?}");
        assert_eq!(bot.branches(), [BRANCH]);
        // One file, on top of the remote's branch; nothing of the user's own moved.
        let changed = bot.env.git("host/o/r.git", &["diff", "--name-only", "main", BRANCH]);
        assert_eq!(changed, "records/environments/prod.json\n");
        assert_eq!(bot.env.git("host/o/r.git", &["rev-list", "--count", &format!("main..{BRANCH}")]), "1\n");
        assert_eq!(bot.own(), own, "{kind:?}");
        bot.forge.assert_kept();
    }
}

#[test]
fn a_reviewer_is_told_what_changes() {
    let bot = Bot::new(Kind::GitHub);
    bot.env.ok(&["env", "set", "model@1.0.0", "config@2", "--env", "staging"]);
    bot.env.ok(&["env", "set", "model@1.0.1", "config@1", "--env", "prod"]);
    bot.env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    bot.env.git("records", &["push", "-q", "origin", "main"]);
    let said = bot.ok(&["env", "promote", "staging", "prod", "--pr"]);
    assert_snapshot!(bot.env.shown(&said), @r"
    config: 1 -> 2
    proposed serial 3 of `prod`: commit <hex>
    pushed `deploy-tool/prod/config-2` to `origin`
    opened request 1 into `main`: https://forge.test/o/r/pulls/1
    ");
    bot.env.ok(&["env", "set", "model@1.0.1", "--env", "staging"]);
    bot.env.git("records", &["push", "-q", "origin", "main"]);
    bot.ok(&["env", "promote", "staging", "prod", "model", "--pr"]);
    let pull = bot.forge.open().pop().expect("a request");
    assert_eq!((pull.head.as_str(), pull.base.as_str()), ("deploy-tool/prod/model-1.0.1", "main"));
    assert_eq!(pull.title, "prod: model 1.0.0 -> 1.0.1");
    assert_snapshot!(bot.env.shown(&pull.body), @r"
    Environment `prod`, serial 3, promoted from `staging`.

    ### `model` `1.0.0` → `1.0.1`

    | | package | size |
    |---|---|---|
    | before | `sha256:<hex>` | 613 B |
    | after | `sha256:<hex>` | 610 B |

    Files: 0 added, 0 removed, 1 changed, 4 the same.

    <details><summary>What differs</summary>

    | change | path | was | is |
    |---|---|---|---|
    | changed | `bert/config.json` | 5 B | 5 B |

    </details>

    - A host fetches: 1.2 KiB, the whole package
    - Needs: nothing
    - Needed by: nothing
    - Lies at: `near` (`file://<dir>/targets/near/model/1.0.1/model-1.0.1.tar.gz`), `far` (`file://<dir>/targets/far/model/1.0.1/model-1.0.1.tar.gz`)
    - Signed by: nobody
    ");
    let message = bot.env.git("host/o/r.git", &["log", "-1", "--format=%B", "deploy-tool/prod/model-1.0.1"]);
    assert_snapshot!(bot.env.shown(message.trim_end()), @r"
    env: prod model 1.0.1

    model: 1.0.0 -> 1.0.1 sha256:<hex>
    Serial: 3
    Promoted from staging, serial 2

    Proposed-On: deploy-tool/prod/model-1.0.1
    Base: <hex>
    ");
    bot.forge.assert_kept();
}

#[test]
fn another_change_on_the_same_branch_updates_the_request() {
    for kind in KINDS {
        let bot = Bot::new(kind);
        let set = |version| bot.json(&["env", "set", version, "--env", "prod", "--pr", "--branch", "bot/prod"]);
        assert_eq!(request(&set("model@1.0.0")), ("opened", 1), "{kind:?}");
        let before = bot.tip("bot/prod");
        assert_eq!(request(&set("model@1.0.1")), ("updated", 1), "{kind:?}");
        assert_ne!(bot.tip("bot/prod"), before);
        let open = bot.forge.open();
        assert_eq!((open.len(), open[0].title.as_str()), (1, "prod: model 1.0.1"), "{kind:?}");
        assert!(open[0].body.contains("`model`") && bot.branches() == ["bot/prod"], "{kind:?}");
        bot.forge.assert_kept();
    }
}

#[test]
fn a_base_that_moved_is_built_upon_anew() {
    let bot = Bot::new(Kind::GitHub);
    bot.ok(&SET);
    // Somebody else's change, which this repository has not fetched.
    bot.env.git("", &["clone", "-q", "host/o/r.git", "other"]);
    bot.env.write("other/NOTES", "notes\n");
    bot.env.git("other", &["add", "."]);
    bot.env.git("other", &["commit", "-qm", "notes"]);
    bot.env.git("other", &["push", "-q", "origin", "main"]);
    let own = bot.own();
    assert_eq!(request(&bot.json(&SET)), ("updated", 1));
    assert_eq!(bot.env.git("host/o/r.git", &["rev-list", "--count", &format!("main..{BRANCH}")]), "1\n");
    assert_eq!(bot.env.git("host/o/r.git", &["show", &format!("{BRANCH}:NOTES")]), "notes\n");
    assert_eq!(request(&bot.json(&SET)), ("unchanged", 1));
    assert_eq!(bot.own(), own, "no reference of ours moved");
    // Merged: there is nothing to do, and the branch that is left over is no obstacle to the next change.
    bot.env.git("other", &["fetch", "-q"]);
    bot.env.git("other", &["merge", "-q", "--squash", &format!("origin/{BRANCH}")]);
    bot.env.git("other", &["commit", "-qm", "merged"]);
    bot.env.git("other", &["push", "-q", "origin", "main"]);
    bot.forge.state().pulls[0].open = false;
    let done = bot.json(&SET);
    assert_eq!(
        (done["changes"].as_array().map(Vec::len), done.get("request"), done["commit"].is_null()),
        (Some(0), None, true)
    );
    assert_eq!(bot.forge.count("POST"), 1);
    assert_eq!(request(&bot.json(&["env", "set", "model@1.0.1", "--env", "prod", "--pr"])), ("opened", 2));
    bot.forge.assert_kept();
}

#[test]
fn a_closed_request_stays_closed_and_a_new_one_is_opened() {
    for kind in KINDS {
        let bot = Bot::new(kind);
        bot.ok(&SET);
        bot.forge.state().pulls[0].open = false;
        assert_eq!(request(&bot.json(&SET)), ("opened", 2), "{kind:?}");
        assert!(!bot.forge.state().pulls[0].open);
        assert_eq!(request(&bot.json(&SET)), ("unchanged", 2), "{kind:?}");
        bot.forge.assert_kept();
    }
}

#[test]
fn a_refusal_of_a_second_request_leads_to_the_first() {
    for kind in KINDS {
        let bot = Bot::new(kind);
        bot.ok(&SET);
        // The list is behind: opening is refused with 422 or 409, and the list is asked again.
        bot.forge.state().stale = 1;
        assert_eq!(request(&bot.json(&SET)), ("unchanged", 1), "{kind:?}");
        assert_eq!((bot.forge.count("POST"), bot.forge.open().len()), (2, 1), "{kind:?}");
        bot.forge.assert_kept();
    }
}

#[test]
fn the_open_request_is_found_behind_others() {
    for kind in KINDS {
        let bot = Bot::new(kind);
        let decoy = |number: u64, head: &str, base: &str, fork: bool| Pull {
            number,
            head: head.to_owned(),
            base: base.to_owned(),
            title: "decoy".to_owned(),
            body: String::new(),
            open: true,
            fork,
        };
        {
            let mut state = bot.forge.state();
            state.page = 2;
            state.pulls.extend((1..=5).map(|number| decoy(number, BRANCH, "main", true)));
            state.pulls.push(decoy(6, BRANCH, "release", false));
            state.pulls.push(decoy(7, "other", "main", false));
        }
        assert_eq!(request(&bot.json(&SET)), ("opened", 8), "{kind:?}");
        assert_eq!(request(&bot.json(&SET)), ("unchanged", 8), "{kind:?}");
        let pages = bot.forge.state().seen.iter().filter(|seen| seen.contains("page=3")).count();
        assert!(pages >= 1, "{kind:?}: {:?}", bot.forge.state().seen);
        assert!(bot.forge.state().pulls[..7].iter().all(|pull| pull.title == "decoy"));
        bot.forge.assert_kept();
    }
}

#[test]
fn what_passes_is_waited_for() {
    for kind in KINDS {
        let bot = Bot::new(kind);
        bot.forge.state().canned.push_back(canned(502, &[], "<html>bad gateway</html>"));
        bot.forge.state().canned.push_back(canned(429, &[("Retry-After", "1")], "{\"message\":\"slow down\"}"));
        let began = Instant::now();
        assert_eq!(request(&bot.json(&SET)), ("opened", 1), "{kind:?}");
        assert!(began.elapsed() >= Duration::from_millis(1_500), "{:?}", began.elapsed());
        bot.forge.assert_kept();
    }
    // GitHub's own way: 403, nothing left, and when there will be.
    let bot = Bot::new(Kind::GitHub);
    let reset = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now").as_secs() + 2;
    let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &*reset.to_string())];
    bot.forge.state().canned.push_back(canned(403, &headers, "{\"message\":\"API rate limit exceeded\"}"));
    assert_eq!(request(&bot.json(&SET)), ("opened", 1));
}

#[test]
fn what_does_not_pass_is_told_and_the_next_run_goes_on() {
    let bot = Bot::new(Kind::GitHub);
    let refused = |answers: Vec<super::forge_server::Canned>, status| {
        bot.forge.state().canned = answers.into();
        let said = bot.fails(status, &SET);
        bot.forge.state().canned.clear();
        said.replace(&bot.forge.settings(), "<api>")
    };
    let port = |said: String| {
        let api = bot.forge.settings();
        let at = api.find("127.0.0.1:").expect("a port");
        let host: String = api[at..].chars().take_while(|c| *c != '/').collect();
        said.replace(&host, "<host>")
    };
    let limit = canned(429, &[("Retry-After", "3000")], "");
    assert_snapshot!(port(refused(vec![limit], 1)), @r"
    error: cannot ask `http://<host>` now: it answered 429 and wants to be left alone for 3000 s

    hint: run the command again then: it goes on from where it is
    ");
    let denied = canned(403, &[], &format!("{{\"message\":\"{TOKEN} may not\"}}"));
    assert_snapshot!(port(refused(vec![denied], 1)), @r"
    error: cannot look for an open request: `http://<host>` answered 403: … may not

    hint: the token needs the right to read and write pull or merge requests of the project
    ");
    assert_snapshot!(port(refused(vec![canned(401, &[], "{\"message\":\"Bad credentials\"}")], 1)), @r"
    error: cannot look for an open request: `http://<host>` answered 401: Bad credentials

    hint: the token needs the right to read and write pull or merge requests of the project
    ");
    assert_snapshot!(port(refused(vec![canned(404, &[], "{\"message\":\"Not Found\"}")], 3)), @r"
    error: cannot open requests: `http://<host>` has no project `o/r` that the token may see

    hint: set `records.forge.project`, or give the token the right to read the project
    ");
    let invalid = "{\"message\":\"Validation Failed\",\"errors\":[{\"message\":\"base is protected\"}]}";
    let list = canned(200, &[], "[]");
    assert_snapshot!(port(refused(vec![list.clone(), canned(422, &[], invalid), list], 1)), @r"
    error: cannot open the request: `http://<host>` answered 422: Validation Failed; base is protected

    hint: mend what the answer says, then run the command again
    ");
    assert_snapshot!(port(refused(vec![canned(200, &[], "<html>login</html>")], 1)), @r"
    error: `http://<host>` does not answer as its interface should: its answer is not as documented: expected value at line 1 column 1

    hint: look at `records.forge`: `type` says which interface it is, `api` where it begins
    ");
    let down = canned(503, &[], "");
    assert_snapshot!(port(refused(vec![down; 4], 1)), @r"
    error: cannot ask `http://<host>`: it answered 503 again and again

    hint: run the command again later: it goes on from where it is
    ");
    // What was pushed is there, once.
    assert_eq!((request(&bot.json(&SET)), bot.branches().len()), (("opened", 1), 1));
}

#[test]
fn a_token_does_not_follow_a_redirect_to_another_host() {
    let bot = Bot::new(Kind::GitHub);
    let other = Forge::start(Kind::GitHub, bot.env.path("host/o/r.git"));
    let api = other.settings();
    let start = api.find("http://").expect("a URL");
    let elsewhere: String = api[start..].chars().take_while(|c| *c != '\'').collect();
    for status in [301, 302, 307, 308] {
        let to = format!("{elsewhere}/repos/o/r/pulls?secret=1");
        bot.forge.state().canned.push_back(canned(status, &[("Location", &to)], ""));
        let said = bot.fails(1, &SET);
        assert!(
            said.contains("redirects to") && said.contains("/repos/o/r/pulls`") && !said.contains("secret"),
            "{said}"
        );
    }
    assert_eq!(other.state().seen, Vec::<String>::new());
    // Within the host it is followed, as for a project that was renamed.
    bot.forge.state().canned.push_back(canned(307, &[("Location", "/api/v3/repos/o/r/pulls?state=open")], ""));
    assert_eq!(request(&bot.json(&SET)), ("opened", 1));
}

#[test]
fn without_a_token_the_branch_is_pushed_and_the_page_is_named() {
    let bot = Bot::new(Kind::GitHub);
    let ran = bot.env.run(&SET);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_snapshot!(bot.env.shown(&ran.stdout), @r"
    model: (none) -> 1.0.0
    proposed serial 1 of `prod`: commit <hex>
    pushed `deploy-tool/prod/model-1.0.0` to `origin`
    the request into `main` is to be opened at https://forge.test/o/r/compare/main...deploy-tool/prod/model-1.0.0?expand=1
    ");
    // The interface is not at the remote's host: no variable would be looked at.
    assert_eq!(ran.stderr, "");
    bot.env.configure("records:", "records: {repository: ../records, forge: {type: github}}");
    let ran = bot.env.run(&SET);
    assert_snapshot!(bot.env.shown(&ran.stderr), @r"
    warning: no request was opened, since there is no token: none of `GITHUB_TOKEN`, `GH_TOKEN` is set
    hint: give the token in one of these variables, or name another in `records.forge.token`
    ");
    assert_eq!(bot.forge.state().seen, Vec::<String>::new());
}

#[test]
fn in_chinese_the_reasons_are_chinese_too() {
    let bot = Bot::new(Kind::GitHub);
    let zh = [&SET[..], &["--lang", "zh"]].concat();
    let said = |status, words: &str| {
        let said = bot.fails(status, &zh);
        let sentence = said.split("\n\n").next().unwrap_or_default().replace("expected value at line 1 column 1", "");
        assert!(sentence.contains(words), "no {words} in {said}");
        assert_eq!(super::reasons::english(&sentence), None, "{said}");
    };
    bot.forge.state().canned.push_back(canned(200, &[], "<html>login</html>"));
    said(1, "它的应答与文档不符");
    bot.forge.state().canned.push_back(canned(302, &[("Location", "http://[")], ""));
    said(1, "它重定向到的不是 URL");
    let forge = |more: &str| {
        let settings = bot.forge.settings();
        let settings = settings.trim_end_matches('}').to_owned();
        bot.env.configure("records:", &format!("records: {{repository: ../records, forge: {settings}{more}}}}}"));
    };
    forge(", project: r");
    said(2, "`r` 不是项目的名称");
}

#[test]
fn a_host_that_nobody_knows_gets_the_branch() {
    let bot = Bot::new(Kind::GitHub);
    bot.env.configure("records:", "records: {repository: ../records}");
    let report = bot.json(&SET);
    assert_eq!((request(&report), bot.branches().len()), (("by-hand", 0), 1));
    assert!(report["request"]["url"].is_null());
    assert_snapshot!(bot.env.shown(&bot.ok(&SET)), @r"
    model: (none) -> 1.0.0
    proposed serial 1 of `prod`: commit <hex>
    `deploy-tool/prod/model-1.0.0` of `origin` holds it already
    a request to merge `deploy-tool/prod/model-1.0.0` into `main` is to be opened where the repository is hosted
    ");
    // A host may name the page in its answer to the push.
    hook(&bot, "echo 'Create a request for it by visiting:'; echo '  https://forge.test/new?head=b'");
    let report = bot.json(&["env", "set", "model@1.0.1", "--env", "prod", "--pr"]);
    assert_eq!(
        (request(&report), report["request"]["url"].as_str()),
        (("by-hand", 0), Some("https://forge.test/new?head=b"))
    );
}

/// Makes the remote say something to each push.
fn hook(bot: &Bot, script: &str) {
    let path = bot.env.write("host/o/r.git/hooks/post-receive", format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
}

#[test]
fn gitlab_opens_a_request_with_the_push_where_there_is_no_token() {
    let bot = Bot::new(Kind::GitLab);
    bot.env.configure("records:", "records: {repository: ../records, forge: {type: gitlab}}");
    // A server that takes no options gets the branch all the same.
    let report = bot.json(&SET);
    let page = "https://forge.test/o/r/-/merge_requests/new?merge_request%5Bsource_branch%5D=deploy-tool%2Fprod%2Fmodel-1.0.0&merge_request%5Btarget_branch%5D=main";
    assert_eq!((request(&report), report["request"]["url"].as_str()), (("by-hand", 0), Some(page)));
    bot.env.git("host/o/r.git", &["config", "receive.advertisePushOptions", "true"]);
    hook(
        &bot,
        "env | grep ^GIT_PUSH_OPTION | sort >options; echo 'View merge request for b:'; echo '  https://forge.test/o/r/-/merge_requests/5'",
    );
    let report = bot.json(&["env", "set", "model@1.0.1", "--env", "prod", "--pr"]);
    assert_eq!(request(&report), ("opened", 5));
    assert_snapshot!(bot.env.read("host/o/r.git/options"), @r"
    GIT_PUSH_OPTION_0=merge_request.create
    GIT_PUSH_OPTION_1=merge_request.target=main
    GIT_PUSH_OPTION_2=merge_request.title=prod: model 1.0.1
    GIT_PUSH_OPTION_COUNT=3
    ");
}

#[test]
fn work_of_others_on_the_branch_is_not_lost() {
    let bot = Bot::new(Kind::GitHub);
    bot.ok(&SET);
    bot.env.git("", &["clone", "-q", "-b", BRANCH, "host/o/r.git", "other"]);
    bot.env.write("other/fix", "fix\n");
    bot.env.git("other", &["add", "."]);
    bot.env.git("other", &["commit", "-qm", "a reviewer's fix"]);
    bot.env.git("other", &["push", "-q", "origin", BRANCH]);
    let tip = bot.tip(BRANCH);
    assert_snapshot!(bot.fails(5, &SET), @r"
    error: cannot push: `deploy-tool/prod/model-1.0.0` has the commit <hex>, which this command did not make, and it would be lost

    hint: merge or delete that branch first, or name another one with `--branch`
    ");
    assert_eq!(bot.tip(BRANCH), tip);
    // Nor is a branch of somebody's taken for one of ours, whatever its name.
    bot.env.git("other", &["push", "-q", "origin", &format!("{BRANCH}:refs/heads/theirs")]);
    bot.fails(5, &["env", "set", "model@1.0.0", "--env", "prod", "--pr", "--branch", "theirs"]);
    let said = bot.fails(2, &["env", "set", "model@1.0.0", "--env", "prod", "--pr", "--branch", "main"]);
    assert!(said.contains("`main` is the branch that it is for"), "{said}");
    bot.fails(2, &["env", "set", "model@1.0.0", "--env", "prod", "--pr", "--branch", "a..b"]);
}

#[test]
fn bots_that_run_at_once_make_one_request() {
    let bot = Bot::new(Kind::Gitea);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| bot.json(&SET))).collect();
        for run in runs {
            let report = run.join().expect("ran");
            assert_eq!(report["request"]["number"], 1, "{report}");
        }
    });
    assert_eq!((bot.forge.open().len(), bot.branches().len()), (1, 1));
    assert_eq!(bot.env.git("host/o/r.git", &["rev-list", "--count", &format!("main..{BRANCH}")]), "1\n");
    bot.forge.assert_kept();
}

#[test]
fn a_dry_run_changes_nothing() {
    let bot = Bot::new(Kind::GitHub);
    let dry = [&SET[..], &["--dry-run"]].concat();
    let before = bot.env.listing();
    assert_snapshot!(bot.ok(&dry), @r"
    model: (none) -> 1.0.0
    would make the environment `prod`
    would push `deploy-tool/prod/model-1.0.0` to `origin`
    would open a request into `main`
    ");
    assert_eq!(request(&bot.json(&dry)), ("opened", 0));
    bot.env.assert_unchanged(&before, &dry);
    bot.ok(&SET);
    assert_eq!(request(&bot.json(&dry)), ("updated", 1));
    assert_eq!(bot.forge.count("POST"), 1);
    bot.forge.assert_kept();
}

#[test]
fn a_request_says_who_signed_and_signing_again_changes_nothing() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let bot = Bot::new(Kind::GitHub);
    keygen(&bot.env, "mei", "ed25519");
    bot.env.write("project/models/bert/config.json", "1.1.0");
    bot.env.ok(&["pack", "--type", "model", "--version", "1.1.0"]);
    let key = format!("--sign={}", bot.env.path("keys/mei").display());
    let args = ["publish", "model@1.1.0", "--pr", &key];
    assert_eq!(request(&bot.json(&args)), ("opened", 1));
    let body = bot.forge.open().pop().expect("a request").body;
    assert!(body.contains("Signed by: `SHA256:"), "{body}");
    assert_eq!(request(&bot.json(&args)), ("unchanged", 1));
    bot.forge.assert_kept();
}

#[test]
fn a_publication_is_proposed_once_and_its_bytes_are_at_the_targets() {
    let bot = Bot::new(Kind::GitLab);
    bot.env.write("project/models/bert/config.json", "1.1.0");
    bot.env.ok(&["pack", "--type", "model", "--version", "1.1.0"]);
    let args = ["publish", "model@1.1.0", "--pr"];
    let own = bot.own();
    let dry = bot.json(&["publish", "model@1.1.0", "--pr", "--dry-run"]);
    assert_eq!((request(&dry), dry["branch"].as_str()), (("opened", 0), Some("deploy-tool/publish/model-1.1.0")));
    let first = bot.json(&args);
    assert_eq!(request(&first), ("opened", 1));
    for _ in 0..2 {
        let again = bot.json(&args);
        assert_eq!((request(&again), &again["commit"]), (("unchanged", 1), &first["commit"]));
    }
    // A runner that starts from nothing packs the same content again: the proposal stands.
    fs::remove_dir_all(bot.env.path("store")).expect("removed");
    bot.env.ok(&["pack", "--type", "model", "--version", "1.1.0"]);
    assert_eq!(request(&bot.json(&args)), ("unchanged", 1));
    assert_eq!(bot.own(), own);
    let pull = bot.forge.open().pop().expect("a request");
    assert_eq!(pull.title, "publish: model 1.1.0");
    for words in
        ["### `model` `1.0.1` → `1.1.0`", "Files: 0 added, 0 removed, 1 changed, 4 the same.", "A host fetches: "]
    {
        assert!(pull.body.contains(words), "{words}: {}", pull.body);
    }
    bot.env.fails(3, &["deploy", "model@1.1.0"]);
    // Merged, it is published.
    bot.env.git("", &["clone", "-q", "host/o/r.git", "other"]);
    bot.env.git("other", &["merge", "-q", "--ff-only", "origin/deploy-tool/publish/model-1.1.0"]);
    bot.env.git("other", &["push", "-q", "origin", "main"]);
    bot.forge.state().pulls[0].open = false;
    let done = bot.json(&args);
    assert_eq!((done["unchanged"].as_bool(), done["commit"].is_null()), (Some(true), true));
    assert_eq!(bot.forge.count("POST"), 1);
    bot.env.git("records", &["pull", "-q", "--ff-only", "origin", "main"]);
    bot.env.ok(&["deploy", "model@1.1.0"]);
    bot.forge.assert_kept();
}

#[test]
fn a_repository_that_no_request_can_be_made_at() {
    let env = published();
    assert_snapshot!(env.shown(&env.fails(2, &SET)), @r"
    error: cannot propose the change: the records repository `<dir>/records` has no remote

    hint: add the one that requests are made at with `git -C <dir>/records remote add origin URL`
    ");
    with_remote(&env);
    env.configure("records:", "records: {repository: ../records, branch: release}");
    assert_snapshot!(env.shown(&env.fails(2, &SET)), @r"
    error: cannot propose the change: the remote `origin` has no branch `release`

    hint: push it once, or set `records.branch` to the branch that changes are for
    ");
    env.configure("records:", "records: {repository: ../records, remote: upstream}");
    assert_snapshot!(env.shown(&env.fails(2, &SET)), @r"
    error: cannot propose the change: the records repository `<dir>/records` has no remote `upstream`, which `records.remote` names

    hint: `git -C <dir>/records remote -v` shows those that there are
    ");
    fs::remove_dir_all(env.path("host")).expect("removed");
    env.configure("records:", "records: {repository: ../records}");
    let said = env.fails(1, &SET);
    assert!(
        said.contains("cannot ask the remote") && said.contains("does not appear to be a git repository"),
        "{said}"
    );
}

#[test]
fn a_detached_head_does_not_matter() {
    let bot = Bot::new(Kind::GitHub);
    bot.env.git("records", &["checkout", "-q", "--detach"]);
    assert_eq!(request(&bot.json(&SET)), ("opened", 1));
    bot.forge.assert_kept();
}

#[test]
fn who_holds_a_request_back_still_does() {
    let bot = Bot::new(Kind::GitLab);
    let set = |version| bot.json(&["env", "set", version, "--env", "prod", "--pr", "--branch", "bot/prod"]);
    set("model@1.0.0");
    bot.forge.state().pulls[0].title.insert_str(0, "Draft: ");
    assert_eq!(request(&set("model@1.0.0")), ("unchanged", 1));
    assert_eq!(request(&set("model@1.0.1")), ("updated", 1));
    assert_eq!(bot.forge.open()[0].title, "Draft: prod: model 1.0.1");
    // Other words of a person's are put right.
    bot.forge.state().pulls[0].body = "nothing".to_owned();
    assert_eq!(request(&set("model@1.0.1")), ("updated", 1));
    assert_ne!(bot.forge.open()[0].body, "nothing");
    bot.forge.assert_kept();
}

#[test]
fn a_clone_without_history_is_enough() {
    let bot = Bot::new(Kind::GitHub);
    let records = bot.env.read("project/.deploy-tool.yaml").replace("../records,", "../runner,");
    bot.env.write("project/.deploy-tool.yaml", records);
    let url = format!("file://{}", bot.env.path("host/o/r.git").display());
    let checkout = || {
        fs::remove_dir_all(bot.env.path("runner")).ok();
        bot.env.git("", &["clone", "-q", "--depth", "1", &url, "runner"]);
        bot.env.git("runner", &["remote", "set-url", "origin", "https://forge.test/o/r.git"]);
    };
    checkout();
    assert_eq!(request(&bot.json(&SET)), ("opened", 1));
    checkout();
    assert_eq!(request(&bot.json(&SET)), ("unchanged", 1));
    // What the branch stands on is older than all that the next checkout has.
    bot.env.ok(&["env", "set", "config@1", "--env", "staging", "--records", "../records"]);
    bot.env.git("records", &["push", "-q", "origin", "main"]);
    checkout();
    assert_eq!(request(&bot.json(&SET)), ("updated", 1));
    assert_eq!(bot.env.git("host/o/r.git", &["rev-list", "--count", &format!("main..{BRANCH}")]), "1\n");
    bot.forge.assert_kept();
}

#[test]
fn a_repository_by_url_is_proposed_to_without_a_clone() {
    for kind in KINDS {
        let bot = Bot::by_url(kind);
        let first = bot.json(&SET);
        assert_eq!((request(&first), first["remote"].as_str()), (("opened", 1), Some("https://forge.test/o/r.git")));
        assert_eq!((first["branch"].as_str(), first["pushed"].as_bool()), (Some(BRANCH), Some(true)), "{first}");
        for _ in 0..2 {
            let again = bot.json(&SET);
            assert_eq!((request(&again), &again["commit"]), (("unchanged", 1), &first["commit"]), "{kind:?}: {again}");
            bot.forget();
        }
        assert_eq!((bot.branches(), bot.ahead(BRANCH)), (vec![BRANCH.to_owned()], "1\n".to_owned()));
        // The base moved, and nothing of what was before it is here.
        bot.move_base("NOTES");
        assert_eq!(request(&bot.json(&SET)), ("updated", 1), "{kind:?}");
        let refs = bot.env.git(&mirror(&bot.env), &["for-each-ref", "--format=%(refname)"]);
        assert_eq!((bot.ahead(BRANCH), refs.as_str()), ("1\n".to_owned(), "refs/heads/main\n"));
        let commits = bot.env.git(&mirror(&bot.env), &["cat-file", "--batch-check", "--batch-all-objects"]);
        let commits = commits.lines().filter(|line| line.contains(" commit ")).count();
        assert_eq!(commits, 3, "the tip, what was proposed on the one before it, and what is now");
        bot.forge.assert_kept();
    }
    let bot = Bot::by_url(Kind::GitHub);
    bot.env.write("project/models/bert/config.json", "1.1.0");
    bot.env.ok(&["pack", "--type", "model", "--version", "1.1.0"]);
    let args = ["publish", "model@1.1.0", "--pr"];
    let dry = bot.json(&[&args[..], &["--dry-run"]].concat());
    assert_eq!((request(&dry), bot.branches().len()), (("opened", 0), 0));
    let first = bot.json(&args);
    assert_eq!(request(&first), ("opened", 1));
    bot.forget();
    assert_eq!(request(&bot.json(&args)), ("unchanged", 1));
    bot.env.fails(3, &["deploy", "model@1.1.0"]);
    bot.env.ok(&["deploy", "model@1.1.0", "--at", "deploy-tool/publish/model-1.1.0"]);
    bot.forge.assert_kept();
}

#[test]
fn a_branch_that_the_forge_brought_up_to_date_is_still_ours() {
    for make in [Bot::new, Bot::by_url] {
        let bot = make(Kind::GitHub);
        bot.ok(&SET);
        bot.move_base("NOTES");
        bot.update_branch(BRANCH);
        assert_eq!(request(&bot.json(&SET)), ("updated", 1));
        assert_eq!(bot.ahead(BRANCH), "1\n");
        // Somebody's work is not, whatever was merged on top of it; from nothing, and from what is here.
        bot.env.git("", &["clone", "-q", "-b", BRANCH, "host/o/r.git", "theirs"]);
        bot.env.git("theirs", &["commit", "-q", "--allow-empty", "-m", "a reviewer's fix"]);
        bot.env.git("theirs", &["push", "-q", "origin", BRANCH]);
        bot.move_base("MORE");
        bot.update_branch(BRANCH);
        let tip = bot.tip(BRANCH);
        bot.fails(5, &SET);
        fs::remove_dir_all(bot.env.path("store.records")).ok();
        bot.fails(5, &SET);
        assert_eq!(bot.tip(BRANCH), tip);
        bot.forge.assert_kept();
    }
}

#[test]
fn a_proposal_is_signed_where_git_is_told_to() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    for make in [Bot::new, Bot::by_url] {
        let bot = make(Kind::GitHub);
        sign_commits(&bot.env);
        assert_eq!(request(&bot.json(&SET)), ("opened", 1));
        assert_eq!(bot.env.git("host/o/r.git", &["log", "-1", "--format=%G? %s", BRANCH]), "G env: prod model 1.0.0\n");
        assert_eq!(request(&bot.json(&SET)), ("unchanged", 1));
        bot.forge.assert_kept();
    }
}

#[test]
fn a_comparison_as_markdown() {
    let env = published();
    assert_snapshot!(env.ok(&["record", "diff", "model@1.0.0", "model@1.0.1", "--format", "markdown"]), @r"
    ### `model@1.0.0` → `model@1.0.1`

    Files: 0 added, 0 removed, 1 changed, 4 the same.

    | change | path | was | is |
    |---|---|---|---|
    | changed | `bert/config.json` | 5 B | 5 B |
    ");
}
