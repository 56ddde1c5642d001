//! A token, and the header it goes in.

use std::fmt;

use reqwest::header::{HeaderName, HeaderValue};

use super::Hosting;
use crate::config::{ForgeKind, Secret};
use crate::net::Ambient;

/// What a forge knows the caller by.
#[derive(Clone)]
pub struct Token {
    secret: Secret,
    header: &'static str,
    /// What stands before the secret.
    scheme: &'static str,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token for a forge: the configured one, else that of the variables its own tools look at. Those were not given
    /// for just any host: they count only where the interface is that of the remote's own host.
    pub fn find(hosting: &Hosting, configured: Option<&Secret>, ambient: &Ambient) -> Option<Self> {
        let well_known = || {
            let names = variables(hosting.kind);
            let found = names.iter().find_map(|name| ambient.get(name));
            found.filter(|_| hosting.is_of_remote()).map(|token| Secret::new(token.to_owned()))
        };
        let secret = configured.cloned().or_else(well_known)?;
        let is_job = ambient.get("CI_JOB_TOKEN") == Some(secret.expose());
        let (header, scheme) = match hosting.kind {
            ForgeKind::GitHub => ("authorization", "Bearer "),
            ForgeKind::Gitea => ("authorization", "token "),
            ForgeKind::GitLab if is_job => ("job-token", ""),
            ForgeKind::GitLab => ("private-token", ""),
        };
        Some(Self { secret, header, scheme })
    }

    /// The header; `None` for a token with characters that no request can carry.
    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let mut value = HeaderValue::from_str(&format!("{}{}", self.scheme, self.secret.expose().trim())).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_static(self.header), value))
    }

    /// A text without the token.
    pub(super) fn redact(&self, text: &str) -> String {
        match self.secret.expose().trim() {
            "" => text.to_owned(),
            secret => text.replace(secret, "…"),
        }
    }
}

/// The variables that hold a token, the first that is set counts.
pub(super) fn variables(kind: ForgeKind) -> [&'static str; 2] {
    match kind {
        ForgeKind::GitHub => ["GITHUB_TOKEN", "GH_TOKEN"],
        ForgeKind::GitLab => ["GITLAB_TOKEN", "CI_JOB_TOKEN"],
        ForgeKind::Gitea => ["GITEA_TOKEN", "FORGEJO_TOKEN"],
    }
}
