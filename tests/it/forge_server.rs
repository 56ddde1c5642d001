//! A forge on loopback: GitHub, GitLab or Gitea as their published interfaces have it, and strict about it.
//!
//! Every request is held to the schema of its endpoint: path, method, headers, parameters of the query and fields of the
//! body, each with its type, what is required and what is not known. What breaks it is noted and answered as the forge
//! does. Sources: GitHub, "REST API endpoints for pull requests" (2022-11-28); GitLab, "Merge requests API" (v4);
//! Gitea, `swagger.v1.json` (`CreatePullRequestOption`, `EditPullRequestOption`, `repoListPullRequests`).

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::spawn;

use serde_json::{Value, json};

pub const TOKEN: &str = "t0ken-for-b0ts";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    GitHub,
    GitLab,
    Gitea,
}

/// A request that was opened.
#[derive(Debug, Clone)]
pub struct Pull {
    pub number: u64,
    pub head: String,
    pub base: String,
    pub title: String,
    pub body: String,
    pub open: bool,
    /// Whether its branch is in a fork.
    pub fork: bool,
}

/// What the next request is answered with, whatever it asks for.
#[derive(Debug, Clone)]
pub struct Canned {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

pub fn canned(status: u16, headers: &[(&'static str, &str)], body: &str) -> Canned {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Canned { status, headers, body: body.to_owned() }
}

#[derive(Debug, Default)]
pub struct State {
    pub pulls: Vec<Pull>,
    /// `GET /path?query`, in order.
    pub seen: Vec<String>,
    /// What broke the schema.
    pub broken: Vec<String>,
    pub canned: VecDeque<Canned>,
    /// How many items a page has at most.
    pub page: usize,
    /// How many lists are still answered as if nothing were open.
    pub stale: usize,
}

/// The server; it stops with the test.
#[derive(Debug, Clone)]
pub struct Forge {
    kind: Kind,
    port: u16,
    git: PathBuf,
    state: Arc<Mutex<State>>,
}

struct Asked {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Value,
}

type Answer = (u16, Vec<(&'static str, String)>, Value);

impl Forge {
    /// A forge that hosts the bare repository `git` as the project `o/r`.
    pub fn start(kind: Kind, git: PathBuf) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = State { page: 30, ..State::default() };
        let forge = Self { kind, port, git, state: Arc::new(Mutex::new(state)) };
        let server = forge.clone();
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                spawn(move || server.serve(stream));
            }
        });
        forge
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    /// `records.forge` for it.
    pub fn settings(&self) -> String {
        let kind = match self.kind {
            Kind::GitHub => "github",
            Kind::GitLab => "gitlab",
            Kind::Gitea => "gitea",
        };
        format!("{{type: {kind}, api: 'http://127.0.0.1:{}{}', token: '${{BOT_TOKEN}}'}}", self.port, self.prefix())
    }

    /// The requests that are open.
    pub fn open(&self) -> Vec<Pull> {
        self.state().pulls.iter().filter(|pull| pull.open && !pull.fork).cloned().collect()
    }

    /// How often a method was used.
    pub fn count(&self, method: &str) -> usize {
        self.state().seen.iter().filter(|seen| seen.starts_with(&format!("{method} "))).count()
    }

    /// Fails where any request broke the published interface.
    pub fn assert_kept(&self) {
        let broken = self.state().broken.clone();
        assert!(broken.is_empty(), "{broken:#?}");
    }

    fn prefix(&self) -> &'static str {
        match self.kind {
            Kind::GitHub => "/api/v3",
            Kind::GitLab => "/api/v4",
            Kind::Gitea => "/api/v1",
        }
    }

    fn serve(&self, mut stream: TcpStream) {
        while let Some(asked) = read(&stream) {
            let (status, headers, body) = self.answer(&asked);
            let mut head = format!("HTTP/1.1 {status} .\r\nContent-Type: application/json\r\nDate: {}\r\n", now());
            headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
            let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
            let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let query: Vec<_> = asked.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut state = self.state();
        state.seen.push(format!("{} {}?{}", asked.method, asked.path, query.join("&")));
        if let Some(canned) = state.canned.pop_front() {
            return (canned.status, canned.headers, Value::String(canned.body));
        }
        drop(state);
        match self.checked(asked) {
            Ok(answer) => answer,
            Err((status, why)) => {
                if status != 409 && !why.contains("already exists") {
                    self.state().broken.push(format!("{} {}: {why}", asked.method, asked.path));
                }
                let message = match self.kind {
                    Kind::GitHub if status == 422 => {
                        json!({"message": "Validation Failed", "errors": [{"resource": "PullRequest", "code": "custom", "message": why}]})
                    }
                    Kind::GitLab => json!({"message": [why]}),
                    _ => json!({"message": why}),
                };
                (status, Vec::new(), message)
            }
        }
    }

    fn checked(&self, asked: &Asked) -> Result<Answer, (u16, String)> {
        let header = |name: &str| asked.headers.get(name).map(String::as_str);
        let (name, value) = match self.kind {
            Kind::GitHub => ("authorization", format!("Bearer {TOKEN}")),
            Kind::GitLab => ("private-token", TOKEN.to_owned()),
            Kind::Gitea => ("authorization", format!("token {TOKEN}")),
        };
        if header(name) != Some(&value) {
            return Err((401, format!("`{name}` is {:?}", header(name))));
        }
        if self.kind == Kind::GitHub {
            let (accept, version) = (header("accept"), header("x-github-api-version"));
            if (accept, version) != (Some("application/vnd.github+json"), Some("2022-11-28")) {
                return Err((415, format!("accept {accept:?}, version {version:?}")));
            }
            if header("user-agent").is_none_or(str::is_empty) {
                return Err((403, "Request forbidden by administrative rules: no user agent".to_owned()));
            }
        }
        let pulls = match self.kind {
            Kind::GitHub | Kind::Gitea => format!("{}/repos/o/r/pulls", self.prefix()),
            Kind::GitLab => format!("{}/projects/o%2Fr/merge_requests", self.prefix()),
        };
        let rest = asked.path.strip_prefix(&pulls).ok_or((404, "Not Found".to_owned()))?;
        let number = rest.strip_prefix('/').map(|number| number.parse::<u64>());
        let update = if self.kind == Kind::GitLab { "PUT" } else { "PATCH" };
        match (asked.method.as_str(), number) {
            ("GET", None) if rest.is_empty() => self.list(asked),
            ("POST", None) if rest.is_empty() => self.create(asked),
            (method, Some(Ok(number))) if method == update => self.edit(asked, number),
            _ => Err((405, "Method Not Allowed".to_owned())),
        }
    }

    fn list(&self, asked: &Asked) -> Result<Answer, (u16, String)> {
        let known: &[&str] = match self.kind {
            Kind::GitHub => &["state", "head", "base", "sort", "direction", "per_page", "page"],
            Kind::GitLab => &["state", "source_branch", "target_branch", "order_by", "sort", "per_page", "page"],
            Kind::Gitea => &["state", "sort", "milestone", "labels", "page", "limit"],
        };
        if let Some(name) = asked.query.keys().find(|name| !known.contains(&name.as_str())) {
            return Err((400, format!("`{name}` is no parameter")));
        }
        let get = |name: &str| asked.query.get(name).map(String::as_str);
        let open = if self.kind == Kind::GitLab { "opened" } else { "open" };
        if get("state") != Some(open) {
            return Err((400, format!("state is {:?}", get("state"))));
        }
        let number = |name: &str, most: usize| match get(name).map(str::parse::<usize>) {
            None => Ok(None),
            Some(Ok(number)) if (1..=most).contains(&number) => Ok(Some(number)),
            Some(_) => Err((400, format!("`{name}` is {:?}", get(name)))),
        };
        let size = number(if self.kind == Kind::Gitea { "limit" } else { "per_page" }, 100)?;
        let page = number("page", usize::MAX)?.unwrap_or(1);
        let mut state = self.state();
        if state.stale > 0 {
            state.stale -= 1;
            return Ok((200, Vec::new(), json!([])));
        }
        let wanted = |pull: &&Pull| {
            pull.open
                && match self.kind {
                    // Filtered by owner and branch: a fork of the same owner has them too.
                    Kind::GitHub => get("head").is_none_or(|head| head == format!("o:{}", pull.head)),
                    Kind::GitLab => {
                        get("source_branch").is_none_or(|head| head == pull.head)
                            && get("target_branch").is_none_or(|base| base == pull.base)
                    }
                    Kind::Gitea => true,
                }
        };
        let size = size.unwrap_or(30).min(state.page);
        let all: Vec<_> = state.pulls.iter().filter(wanted).collect();
        let items: Vec<_> = all.iter().skip((page - 1) * size).take(size).map(|pull| self.shown(pull)).collect();
        let more = all.len() > page * size;
        let mut headers = Vec::new();
        match self.kind {
            Kind::GitLab => headers.push(("x-next-page", if more { (page + 1).to_string() } else { String::new() })),
            // As behind a proxy: the link leads to where the forge thinks it is.
            _ if more => {
                let next = format!("<https://forge.invalid/x?state=open&page={}>; rel=\"next\"", page + 1);
                headers.push(("Link", next));
            }
            _ => {}
        }
        Ok((200, headers, json!(items)))
    }

    fn create(&self, asked: &Asked) -> Result<Answer, (u16, String)> {
        let (head, base, body) = self.names();
        let (required, optional): (&[&str], &[(&str, &str)]) = match self.kind {
            Kind::GitHub => (
                &["title", "head", "base"],
                &[("body", "string"), ("maintainer_can_modify", "boolean"), ("draft", "boolean")],
            ),
            Kind::GitLab => (
                &["source_branch", "target_branch", "title"],
                &[("description", "string"), ("remove_source_branch", "boolean"), ("squash", "boolean")],
            ),
            Kind::Gitea => (&["head", "base", "title"], &[("body", "string"), ("assignee", "string")]),
        };
        let fields = fields(&asked.body, required, optional)?;
        let get = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (head, base) = (get(head), get(base));
        let tip = |branch: &str| {
            let mut git = Command::new("git");
            git.arg("--git-dir").arg(&self.git).args(["rev-parse", "-q", "--verify", &format!("refs/heads/{branch}")]);
            let output = git.output().expect("git runs");
            output.status.success().then_some(output.stdout)
        };
        let (from, to) = (tip(&head), tip(&base));
        if from.is_none() || to.is_none() || from == to {
            return Err((422, format!("no commits between {base} and {head}")));
        }
        if get("title").is_empty() || get("title").chars().count() > 255 || get(body).chars().count() > 65_536 {
            return Err((422, "the title or body is too long or empty".to_owned()));
        }
        let mut state = self.state();
        let same = |pull: &Pull| pull.open && !pull.fork && (&pull.head, &pull.base) == (&head, &base);
        if let Some(number) = state.pulls.iter().find(|pull| same(pull)).map(|pull| pull.number) {
            return Err(match self.kind {
                Kind::GitHub => (422, format!("A pull request already exists for o:{head}.")),
                Kind::GitLab => {
                    (409, format!("Another open merge request already exists for this source branch: !{number}"))
                }
                Kind::Gitea => (409, format!("pull request already exists for these targets [id: {number}]")),
            });
        }
        let number = state.pulls.len() as u64 + 1;
        let pull = Pull { number, head, base, title: get("title"), body: get(body), open: true, fork: false };
        state.pulls.push(pull.clone());
        Ok((201, Vec::new(), self.shown(&pull)))
    }

    fn edit(&self, asked: &Asked, number: u64) -> Result<Answer, (u16, String)> {
        let (_, _, body) = self.names();
        let state_field = if self.kind == Kind::GitLab { "state_event" } else { "state" };
        let fields = fields(&asked.body, &[], &[("title", "string"), (body, "string"), (state_field, "string")])?;
        let mut state = self.state();
        let pull = state.pulls.iter_mut().find(|pull| pull.number == number).ok_or((404, "Not Found".to_owned()))?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        pull.title = text("title").unwrap_or_else(|| pull.title.clone());
        pull.body = text(body).unwrap_or_else(|| pull.body.clone());
        let pull = pull.clone();
        Ok((if self.kind == Kind::Gitea { 201 } else { 200 }, Vec::new(), self.shown(&pull)))
    }

    /// The fields for the branch, the one it goes into, and the text.
    fn names(&self) -> (&'static str, &'static str, &'static str) {
        match self.kind {
            Kind::GitHub | Kind::Gitea => ("head", "base", "body"),
            Kind::GitLab => ("source_branch", "target_branch", "description"),
        }
    }

    /// A request as the forge shows it: with Windows' ends of lines, as browsers leave them.
    fn shown(&self, pull: &Pull) -> Value {
        let url = format!("https://forge.test/o/r/pulls/{}", pull.number);
        let body = pull.body.replace('\n', "\r\n");
        let owner = if pull.fork { "o-fork" } else { "o" };
        let repo = if pull.fork { 2 } else { 1 };
        match self.kind {
            Kind::GitHub => json!({
                "number": pull.number, "html_url": url, "title": pull.title, "body": body, "state": "open",
                "head": {"ref": pull.head, "label": format!("{owner}:{}", pull.head), "sha": "", "repo": {"id": repo, "full_name": format!("{owner}/r")}},
                "base": {"ref": pull.base, "label": format!("o:{}", pull.base), "sha": "", "repo": {"id": 1, "full_name": "o/r"}},
            }),
            Kind::GitLab => json!({
                "id": 1000 + pull.number, "iid": pull.number, "project_id": 1, "web_url": url, "title": pull.title,
                "description": body, "state": "opened", "source_branch": pull.head, "target_branch": pull.base,
                "source_project_id": repo, "target_project_id": 1,
            }),
            Kind::Gitea => json!({
                "id": 1000 + pull.number, "number": pull.number, "html_url": url, "title": pull.title, "body": body,
                "state": "open",
                "head": {"ref": pull.head, "label": pull.head, "sha": "", "repo_id": repo},
                "base": {"ref": pull.base, "label": pull.base, "sha": "", "repo_id": 1},
            }),
        }
    }
}

/// The fields of a body that has all that is required and nothing that is not known.
fn fields(
    body: &Value,
    required: &[&str],
    optional: &[(&str, &str)],
) -> Result<serde_json::Map<String, Value>, (u16, String)> {
    let Value::Object(fields) = body else { return Err((400, format!("the body is {body}"))) };
    for name in required {
        if !fields.get(*name).is_some_and(Value::is_string) {
            return Err((422, format!("`{name}` is missing or no text")));
        }
    }
    for (name, value) in fields {
        let kind = optional.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind);
        let good = match kind {
            Some("string") => value.is_string(),
            Some(_) => value.is_boolean(),
            None => required.contains(&name.as_str()),
        };
        if !good {
            return Err((422, format!("`{name}` is not known, or not of its type: {value}")));
        }
    }
    Ok(fields.clone())
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let decode =
        |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (decode(name), decode(value))).collect();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Asked { method, path: path.to_owned(), query, headers, body })
}

/// The time in the form of HTTP.
fn now() -> String {
    httpdate::fmt_http_date(std::time::SystemTime::now())
}
