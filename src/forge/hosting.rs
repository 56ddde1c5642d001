//! Which forge hosts a repository, and where its interface is: from the remote's URL and the configuration.

use std::fmt;

use reqwest::Url;

use super::github::{self, GitHub, Gitea};
use super::gitlab::{self, GitLab};
use super::token::{Token, variables};
use super::web::Web;
use super::{Error, Forge, Result, Setting};
use crate::config::{self, ForgeKind};
use crate::net::Ambient;

/// Hosts whose kind is known.
const KNOWN: [(&str, ForgeKind); 4] = [
    ("github.com", ForgeKind::GitHub),
    ("gitlab.com", ForgeKind::GitLab),
    ("codeberg.org", ForgeKind::Gitea),
    ("gitea.com", ForgeKind::Gitea),
];

/// Names under which a host takes ssh on the port of https.
const ALIASES: [(&str, &str); 2] = [("ssh.github.com", "github.com"), ("altssh.gitlab.com", "gitlab.com")];

/// Where a project is hosted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosting {
    /// The kind of forge.
    pub kind: ForgeKind,
    /// The project: `owner/name`, at GitLab perhaps below groups.
    pub project: String,
    /// The URL its interface begins with.
    api: Url,
    /// The URL of the project's page, where the remote's URL tells it.
    page: Option<Url>,
    of_remote: bool,
}

/// Who hosts the repository behind `remote` (a URL as git takes it); `None` where that is not known.
///
/// # Errors
///
/// [`Error::Settings`] for a configuration that lacks what the remote's URL does not say.
pub fn hosting(remote: &str, settings: Option<&config::Forge>) -> Result<Option<Hosting>> {
    let address = Address::parse(remote);
    let known = |host: &str| KNOWN.iter().find(|(known, _)| *known == host).map(|(_, kind)| *kind);
    let kind = settings.map(|settings| settings.kind).or_else(|| known(&address.as_ref()?.host));
    let Some(kind) = kind else { return Ok(None) };
    let wrong = |reason| Error::Settings { reason };
    let given = settings.and_then(|settings| settings.project.clone());
    let project = given.or_else(|| Some(address.as_ref()?.project.clone()));
    let project = project.ok_or_else(|| wrong(Setting::NoProject))?;
    let parts = project.split('/').filter(|part| !part.is_empty()).count();
    if parts < 2 || kind != ForgeKind::GitLab && parts != 2 {
        return Err(wrong(Setting::Project(project)));
    }
    let own = address.as_ref().and_then(|address| Url::parse(&address.api(kind)).ok());
    let parse = |text: &str| Url::parse(text).map_err(|e| wrong(Setting::Api(e.to_string())));
    let api = settings.and_then(|settings| settings.api.as_deref()).map(parse).transpose()?;
    let api = api.or_else(|| own.clone()).ok_or_else(|| wrong(Setting::NoApi))?;
    let of_remote = own.is_some_and(|own| own.origin() == api.origin());
    let page = address.as_ref().and_then(|address| Url::parse(&format!("{}/{project}", address.web())).ok());
    Ok(Some(Hosting { kind, project, api, page, of_remote }))
}

impl Hosting {
    /// Whether the interface is at the remote's own host.
    pub(super) fn is_of_remote(&self) -> bool {
        self.of_remote
    }

    /// The variables that may hold a token for it; none where they would not be looked at.
    pub fn variables(&self) -> Vec<&'static str> {
        if self.of_remote { variables(self.kind).to_vec() } else { Vec::new() }
    }

    /// The page where a person can open the request; `None` where it is not known.
    pub fn by_hand(&self, head: &str, base: &str) -> Option<String> {
        let mut url = self.page.clone()?;
        match self.kind {
            ForgeKind::GitHub | ForgeKind::Gitea => {
                // A branch may have slashes, which stay: the rest of the path is its name.
                let name = |branch: &str| branch.split('/').map(str::to_owned).collect::<Vec<_>>();
                let between = format!("{base}...{head}");
                url.path_segments_mut().ok()?.push("compare").extend(name(&between));
                if self.kind == ForgeKind::GitHub {
                    url.set_query(Some("expand=1"));
                }
            }
            ForgeKind::GitLab => {
                url.path_segments_mut().ok()?.extend(["-", "merge_requests", "new"]);
                url.query_pairs_mut()
                    .append_pair("merge_request[source_branch]", head)
                    .append_pair("merge_request[target_branch]", base);
            }
        }
        Some(url.into())
    }

    /// The forge, as `token` may use it.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] for a proxy or token that cannot be used.
    pub fn connect(&self, token: Token, ambient: &Ambient) -> Result<Box<dyn Forge>> {
        let web = |headers| Web::new(self.api.clone(), self.project.clone(), headers, token, ambient);
        Ok(match self.kind {
            ForgeKind::GitHub => Box::new(GitHub(web(&github::HEADERS)?)),
            ForgeKind::GitLab => Box::new(GitLab(web(&gitlab::HEADERS)?)),
            ForgeKind::Gitea => Box::new(Gitea(web(&github::GITEA_HEADERS)?)),
        })
    }
}

impl fmt::Display for Hosting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.project, self.api.host_str().unwrap_or_default())
    }
}

/// What a remote's URL says: `https://host/owner/name.git`, `ssh://git@host:22/owner/name`, `git@host:owner/name`.
#[derive(Debug)]
struct Address {
    scheme: &'static str,
    host: String,
    /// Of the web; what ssh listens on says nothing about it.
    port: Option<u16>,
    project: String,
}

impl Address {
    fn parse(remote: &str) -> Option<Self> {
        let (scheme, host, port, path) = match remote.split_once("://") {
            Some(_) => {
                let url = Url::parse(remote).ok()?;
                let scheme = match url.scheme() {
                    "http" => "http",
                    "https" | "ssh" | "git+ssh" | "ssh+git" | "git" => "https",
                    _ => return None,
                };
                let port = url.port().filter(|_| url.scheme().starts_with("http"));
                (scheme, url.host_str()?.to_owned(), port, url.path().to_owned())
            }
            // As git tells a host from a path: a colon before any slash.
            None => {
                let (host, path) = remote.split_once(':').filter(|(host, _)| !host.contains('/'))?;
                let host = host.rsplit('@').next()?;
                ("https", host.to_owned(), None, path.to_owned())
            }
        };
        let host = host.to_ascii_lowercase();
        let host = ALIASES.iter().find(|(alias, _)| *alias == host).map_or(host, |(_, name)| (*name).to_owned());
        let project = path.trim_matches('/');
        let project = project.strip_suffix(".git").unwrap_or(project).to_owned();
        (!host.is_empty() && !project.is_empty()).then_some(Self { scheme, host, port, project })
    }

    fn web(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}", self.scheme, self.host)
    }

    fn api(&self, kind: ForgeKind) -> String {
        let web = self.web();
        match kind {
            ForgeKind::GitHub if self.host == "github.com" => "https://api.github.com".to_owned(),
            ForgeKind::GitHub => format!("{web}/api/v3"),
            ForgeKind::GitLab => format!("{web}/api/v4"),
            ForgeKind::Gitea => format!("{web}/api/v1"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn of(remote: &str) -> Hosting {
        hosting(remote, None).expect("no mistake").expect("known")
    }

    fn settings(kind: ForgeKind) -> config::Forge {
        config::Forge { kind, api: None, project: None, token: None }
    }

    #[test]
    fn the_url_of_a_remote_tells_the_forge() {
        for remote in [
            "https://github.com/o/r.git",
            "https://mei:secret@github.com/o/r/",
            "git@github.com:o/r.git",
            "github.com:o/r",
            "ssh://git@github.com:22/o/r.git",
            "ssh://git@ssh.github.com:443/o/r.git",
            "https://GitHub.com/o/r",
        ] {
            let hosting = of(remote);
            assert_eq!((hosting.kind, hosting.project.as_str()), (ForgeKind::GitHub, "o/r"), "{remote}");
            assert_eq!(hosting.api.as_str(), "https://api.github.com/", "{remote}");
            assert!(!format!("{hosting:?}").contains("secret"));
        }
        let gitlab = of("git@gitlab.com:group/sub/r.git");
        assert_eq!((gitlab.project.as_str(), gitlab.api.as_str()), ("group/sub/r", "https://gitlab.com/api/v4"));
        assert_eq!(of("https://codeberg.org/o/r").api.as_str(), "https://codeberg.org/api/v1");
        for remote in ["/srv/r.git", "../r", "file:///srv/o/r.git", "https://example.org/o/r", "C:/o/r", ""] {
            assert_eq!(hosting(remote, None), Ok(None), "{remote}");
        }
    }

    #[test]
    fn the_configuration_says_what_the_url_does_not() {
        let own = |remote, kind| hosting(remote, Some(&settings(kind))).map(|h| h.expect("known").api.to_string());
        let ghe = own("git@git.example.org:o/r", ForgeKind::GitHub);
        assert_eq!(ghe.as_deref(), Ok("https://git.example.org/api/v3"));
        let gitlab = own("https://git.example.org:8443/o/r", ForgeKind::GitLab);
        assert_eq!(gitlab.as_deref(), Ok("https://git.example.org:8443/api/v4"));
        let gitea = own("ssh://git@git.example.org:2222/o/r", ForgeKind::Gitea);
        assert_eq!(gitea.as_deref(), Ok("https://git.example.org/api/v1"));
        for (remote, kind) in [("/srv/r.git", ForgeKind::GitHub), ("https://host/a/b/c", ForgeKind::Gitea)] {
            assert!(matches!(own(remote, kind), Err(Error::Settings { .. })), "{remote}");
        }
    }

    #[test]
    fn pages_to_open_a_request_by_hand() {
        let page = |remote: &str| of(remote).by_hand("deploy-tool/prod/model-1+2", "main").expect("a page");
        let github = "https://github.com/o/r/compare/main...deploy-tool/prod/model-1+2?expand=1";
        assert_eq!(page("git@github.com:o/r.git"), github);
        assert_eq!(
            page("https://codeberg.org/o/r"),
            "https://codeberg.org/o/r/compare/main...deploy-tool/prod/model-1+2"
        );
        let gitlab = "https://gitlab.com/o/r/-/merge_requests/new?merge_request%5Bsource_branch%5D=deploy-tool%2Fprod%2Fmodel-1%2B2&merge_request%5Btarget_branch%5D=main";
        assert_eq!(page("https://gitlab.com/o/r"), gitlab);
    }

    #[test]
    fn a_token_of_the_environment_stays_with_the_host_of_the_remote() {
        let set =
            |name: &str| Ambient { variables: [(name.to_owned(), "t0ken".to_owned())].into(), ..Ambient::default() };
        let ambient = set("GH_TOKEN");
        let header = |token: Option<Token>| {
            let (name, value) = token.expect("a token").header().expect("a header");
            format!("{name}: {}", value.to_str().expect("text"))
        };
        assert_eq!(header(Token::find(&of("github.com:o/r"), None, &ambient)), "authorization: Bearer t0ken");
        assert_eq!(header(Token::find(&of("gitlab.com:o/r"), None, &set("CI_JOB_TOKEN"))), "job-token: t0ken");
        assert_eq!(header(Token::find(&of("gitlab.com:o/r"), None, &set("GITLAB_TOKEN"))), "private-token: t0ken");
        assert_eq!(
            header(Token::find(&of("gitea.com:o/r"), None, &set("FORGEJO_TOKEN"))),
            "authorization: token t0ken"
        );
        assert!(Token::find(&of("gitlab.com:o/r"), None, &ambient).is_none());
        let api = Some("https://evil.example.org/api".to_owned());
        let elsewhere = config::Forge { api, ..settings(ForgeKind::GitHub) };
        let elsewhere = hosting("github.com:o/r", Some(&elsewhere)).expect("no mistake").expect("known");
        assert!(Token::find(&elsewhere, None, &ambient).is_none() && elsewhere.variables().is_empty());
        let given = Secret::new("given".to_owned());
        assert_eq!(header(Token::find(&elsewhere, Some(&given), &ambient)), "authorization: Bearer given");
    }
}
