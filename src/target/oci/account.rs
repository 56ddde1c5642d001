//! Who we are to a registry: finds the login when the registry asks for one, exchanges it for tokens and remembers them.
//!
//! The login goes to the registry itself, or to the token server it names over TLS; nowhere else. A token goes to the
//! registry only.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;

use super::super::web::{Web, authorization, basic, protocol, refusal, shown};
use super::super::{Ambient, Fault, NoLogin, Nonsense};
use super::docker::{self, Credential};
use crate::config::Login;

/// How long a token holds whose server does not say (distribution's token specification).
const TOKEN_SECONDS: u64 = 60;
/// No token is used that ends within this time.
const MARGIN: Duration = Duration::from_secs(5);
/// More than any answer of a token server.
const ANSWER: usize = 1 << 20;

/// Where the login comes from.
pub(super) enum Origin {
    /// It is configured.
    Configured(Login),
    /// Docker's own files.
    Docker(Ambient),
    /// There is none.
    Anonymous,
}

/// Who we are to one registry.
pub(super) struct Account {
    registry: Url,
    origin: Origin,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    basic: Option<HeaderValue>,
    tokens: BTreeMap<String, (HeaderValue, Instant)>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    expires_in: Option<u64>,
}

/// What a registry wants, as `WWW-Authenticate` says it.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

impl Account {
    /// The account at the registry with this URL.
    pub fn new(registry: Url, origin: Origin) -> Self {
        Self { registry, origin, known: Mutex::default() }
    }

    /// The header for `scope`, if one was given to us before and still holds.
    pub fn header(&self, scope: &str) -> Option<HeaderValue> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let token = known.tokens.get(scope).filter(|(_, until)| Instant::now() < *until);
        token.map(|(header, _)| header.clone()).or_else(|| known.basic.clone())
    }

    /// Answers the registry's refusal: the header to ask again with; `None` where we have nothing new to say.
    pub async fn log_in(&self, web: &Web, scope: &str, refused: &HeaderMap) -> Result<Option<HeaderValue>, Fault> {
        match challenge(refused) {
            Some(Challenge::Basic) => {
                let Some(Credential::Password(login)) = self.credential()? else { return Ok(None) };
                let header = basic(&login).ok_or_else(bad_secret)?;
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                // The same login again would be refused again.
                let again = known.basic.replace(header.clone()).is_some_and(|before| before == header);
                Ok((!again).then_some(header))
            }
            Some(Challenge::Bearer { realm, service }) => {
                let (header, until) = self.token(web, scope, &realm, service.as_deref()).await?;
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.tokens.insert(scope.to_owned(), (header.clone(), until));
                Ok(Some(header))
            }
            None => Ok(None),
        }
    }

    fn credential(&self) -> Result<Option<Credential>, Fault> {
        match &self.origin {
            Origin::Configured(login) => Ok(Some(Credential::Password(login.clone()))),
            Origin::Docker(ambient) => docker::credential(&host(&self.registry), ambient)
                .map_err(|reason| Fault::Login { reason: Box::new(reason) }),
            Origin::Anonymous => Ok(None),
        }
    }

    /// Gets a token (distribution's "Token Authentication Specification", and its OAuth 2.0 variant for refresh tokens).
    async fn token(
        &self,
        web: &Web,
        scope: &str,
        realm: &str,
        service: Option<&str>,
    ) -> Result<(HeaderValue, Instant), Fault> {
        let url = Url::parse(realm).map_err(|_| protocol(Nonsense::TokenServer))?;
        let plain = self.registry.scheme() == "http" && url.host_str() == self.registry.host_str();
        if url.scheme() != "https" && !(plain && url.scheme() == "http") {
            return Err(Fault::Login { reason: Box::new(NoLogin::Clear(shown(&url))) });
        }
        let fields = [("service", service), ("scope", Some(scope))];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let asked = Instant::now();
        let request = match self.credential()? {
            Some(Credential::Refresh(token)) => {
                let more = [("grant_type", "refresh_token"), ("client_id", "deploy-tool")];
                let mut form = url.clone();
                form.query_pairs_mut()
                    .clear()
                    .extend_pairs(fields.chain(more))
                    .append_pair("refresh_token", token.expose());
                let kind = "application/x-www-form-urlencoded";
                let body = form.query().unwrap_or_default().to_owned();
                web.request(Method::POST, url).header(header::CONTENT_TYPE, kind).body(body)
            }
            other => {
                let mut url = url;
                url.query_pairs_mut().extend_pairs(fields);
                let request = web.request(Method::GET, url);
                match other {
                    Some(Credential::Password(login)) => {
                        request.header(header::AUTHORIZATION, basic(&login).ok_or_else(bad_secret)?)
                    }
                    _ => request,
                }
            }
        };
        let response = web.send(request).await?;
        if let Some(fault) = refusal(&response) {
            return Err(fault);
        }
        let bytes = web.small(response, ANSWER).await?;
        let token: Token = serde_json::from_slice(&bytes).map_err(|_| protocol(Nonsense::NoToken))?;
        let text = if token.token.is_empty() { &token.access_token } else { &token.token };
        let header = authorization("Bearer", text).filter(|_| !text.is_empty());
        let header = header.ok_or_else(|| protocol(Nonsense::NoToken))?;
        let holds = Duration::from_secs(token.expires_in.unwrap_or(TOKEN_SECONDS).min(24 * 3600));
        Ok((header, asked + holds.saturating_sub(MARGIN)))
    }
}

fn bad_secret() -> Fault {
    Fault::Login { reason: Box::new(NoLogin::Characters) }
}

/// A URL's host, with its port where it is not the usual one.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What the registry wants; `Bearer` before `Basic`, where it takes both.
fn challenge(refused: &HeaderMap) -> Option<Challenge> {
    let texts = || refused.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let bearer = texts().find_map(|text| {
        let params = params(after_scheme(text, "bearer")?);
        let find = |name: &str| params.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Some(Challenge::Bearer { realm: find("realm")?, service: find("service") })
    });
    bearer.or_else(|| texts().find_map(|text| after_scheme(text, "basic")).map(|_| Challenge::Basic))
}

fn after_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let text = text.trim_start();
    let (head, rest) = (text.get(..scheme.len())?, text.get(scheme.len()..)?);
    (head.eq_ignore_ascii_case(scheme) && (rest.is_empty() || rest.starts_with(' '))).then_some(rest)
}

/// `key="value", key=value` (RFC 9110, 11.2), keys in lower case.
fn params(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_matches(|c: char| c == ',' || c.is_whitespace()).to_ascii_lowercase();
        let after = after.trim_start();
        let mut value = String::new();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut chars = quoted.chars();
            while let Some(c) = chars.next() {
                match c {
                    '"' => break,
                    '\\' => value.extend(chars.next()),
                    c => value.push(c),
                }
            }
            rest = chars.as_str();
        } else {
            let end = after.find(',').unwrap_or(after.len());
            let (plain, behind) = after.split_at(end);
            plain.trim().clone_into(&mut value);
            rest = behind;
        }
        found.push((key, value));
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(text: &str) -> Option<Challenge> {
        let value = HeaderValue::from_str(text).ok()?;
        challenge(&[(header::WWW_AUTHENTICATE, value)].into_iter().collect())
    }

    #[test]
    fn challenges_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
        };
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="a:b,c:pull""#;
        assert_eq!(asked(hub), bearer("https://auth.docker.io/token", Some("registry.docker.io")));
        assert_eq!(asked(r#"bearer scope="pull", realm=https://a/b"#), bearer("https://a/b", None));
        assert_eq!(asked(r#"Basic realm="Registry Realm""#), Some(Challenge::Basic));
        assert_eq!(asked("Basic"), Some(Challenge::Basic));
        assert_eq!(asked("Bearer service=x"), None);
        assert_eq!(asked("Negotiate"), None);
    }

    proptest! {
        #[test]
        fn any_challenge_is_read(text in "(Bearer|Basic|[a-z]{1,3})[ ,=\"\\\\a-zé]{0,24}") {
            asked(&text);
            params(&text);
        }
    }
}
