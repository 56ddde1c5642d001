//! The login that `docker login` left for a registry: in docker's `config.json`, or with a credential helper it names.
//!
//! Which is asked first is docker's own order: the registry's helper, the common helper, the file. Only the entry of the
//! very host is used.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use serde::Deserialize;

use super::super::{Ambient, NoLogin};
use crate::config::{Login, Secret};
use crate::fsx;

/// The name docker's own registry has in `config.json`.
const HUB: &str = "https://index.docker.io/v1/";
/// The user that a helper gives with a token that is to be exchanged.
const TOKEN_USER: &str = "<token>";

/// What proves who we are.
pub(super) enum Credential {
    /// User and password.
    Password(Login),
    /// A token that the registry's token server exchanges for others (OAuth 2.0, `refresh_token`).
    Refresh(Secret),
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

/// The login for `host` (with its port where it is not the usual one); `None` where there is none.
///
/// # Errors
///
/// Why it cannot be had, without any secret.
pub(super) fn credential(host: &str, ambient: &Ambient) -> Result<Option<Credential>, NoLogin> {
    let Some(path) = path(ambient) else { return Ok(None) };
    let bytes = match fsx::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(NoLogin::File { path, reason: e.source.to_string() }),
    };
    // What the parser says could hold a piece of the file, so only the place is told.
    let file: File =
        serde_json::from_slice(&bytes).map_err(|e| NoLogin::Json { path, line: e.line(), column: e.column() })?;
    let names = |name: &String| is_of(name, host);
    let helper = file.cred_helpers.iter().find(|(name, _)| names(name)).map(|(_, helper)| helper);
    let entry = file.auths.iter().find(|(name, _)| names(name));
    if let Some(helper) = helper.or(file.creds_store.as_ref()) {
        // A helper is asked by the name under which the login was left.
        let asked = entry.map_or(if is_hub(host) { HUB } else { host }, |(name, _)| name);
        return helped(helper, asked, ambient);
    }
    Ok(entry.and_then(|(_, entry)| entry.credential()))
}

fn path(ambient: &Ambient) -> Option<PathBuf> {
    let dir = ambient.get("DOCKER_CONFIG").map(PathBuf::from);
    let dir = dir.or_else(|| ambient.home.as_ref().map(|home| home.join(".docker")));
    dir.map(|dir| dir.join("config.json"))
}

fn is_hub(host: &str) -> bool {
    host == "registry-1.docker.io"
}

/// Whether an entry of the file is about this host: its name may be a URL.
fn is_of(name: &str, host: &str) -> bool {
    let bare = name.trim_start_matches("https://").trim_start_matches("http://");
    let bare = bare.split('/').next().unwrap_or_default();
    bare == host || is_hub(host) && matches!(bare, "index.docker.io" | "docker.io")
}

impl Entry {
    fn credential(&self) -> Option<Credential> {
        if !self.identitytoken.is_empty() {
            return Some(Credential::Refresh(Secret::new(self.identitytoken.clone())));
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(self.auth.trim()).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let (username, password) = match decoded.as_deref().and_then(|pair| pair.split_once(':')) {
            Some((username, password)) => (username.to_owned(), password.trim_end_matches('\0').to_owned()),
            None => (self.username.clone(), self.password.clone()),
        };
        (!username.is_empty()).then(|| Credential::Password(Login { username, password: Secret::new(password) }))
    }
}

/// Asks `docker-credential-<helper>` (docker's protocol: the registry's name in, JSON out).
fn helped(helper: &str, asked: &str, ambient: &Ambient) -> Result<Option<Credential>, NoLogin> {
    if helper.is_empty() || helper.contains('/') {
        return Err(NoLogin::Helper(helper.to_owned()));
    }
    let program = format!("docker-credential-{helper}");
    let not_run = |e: io::Error| NoLogin::NotRun { program: program.clone(), reason: e.to_string() };
    let mut child = Command::new(&program)
        .arg("get")
        .env_clear()
        .envs(&ambient.variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(not_run)?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read its input says why by how it ends.
        let _ = input.write_all(asked.as_bytes());
    }
    let output = child.wait_with_output().map_err(not_run)?;
    if !output.status.success() {
        // What docker's helpers say where they know no login.
        let said = String::from_utf8_lossy(&output.stdout);
        let unknown = said.contains("credentials not found") || said.contains("no credentials");
        return if unknown { Ok(None) } else { Err(NoLogin::Failed { program, status: output.status }) };
    }
    let given: Helped = serde_json::from_slice(&output.stdout).map_err(|_| NoLogin::Nothing(program.clone()))?;
    let secret = Secret::new(given.secret);
    Ok(Some(match given.username == TOKEN_USER {
        true => Credential::Refresh(secret),
        false => Credential::Password(Login { username: given.username, password: secret }),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(json: &str, host: &str) -> Result<Option<String>, String> {
        let dir = tempfile::tempdir().expect("a directory");
        fsx::write_new(&dir.path().join("config.json"), json.as_bytes()).expect("written");
        let directory = dir.path().display().to_string();
        let ambient = Ambient { variables: [("DOCKER_CONFIG".to_owned(), directory)].into(), ..Ambient::default() };
        let said = credential(host, &ambient).map_err(|e| e.to_string())?.map(|credential| match credential {
            Credential::Password(login) => format!("{} {}", login.username, login.password.expose()),
            Credential::Refresh(token) => format!("token {}", token.expose()),
        });
        Ok(said)
    }

    #[test]
    fn only_the_entry_of_the_very_host_is_used() {
        let json = r#"{"auths": {
            "https://registry.example/v2/": {"auth": "bWVpOnBhc3M="},
            "registry.example:5000": {"username": "o", "password": "p"},
            "azure.example": {"auth": "bWVpOnBhc3M=", "identitytoken": "t"},
            "https://index.docker.io/v1/": {"auth": "aHViOmh1Yg=="}}}"#;
        let ask = |host| ask(json, host).expect("read");
        assert_eq!(ask("registry.example").as_deref(), Some("mei pass"));
        assert_eq!(ask("registry.example:5000").as_deref(), Some("o p"));
        assert_eq!(ask("azure.example").as_deref(), Some("token t"));
        assert_eq!(ask("registry-1.docker.io").as_deref(), Some("hub hub"));
        for other in ["registry.example:443", "sub.registry.example", "example", "registry.example.org"] {
            assert_eq!(ask(other), None, "{other}");
        }
    }

    #[test]
    fn what_cannot_be_had_is_said_without_secrets() {
        let said = ask(r#"{"auths": {"h": {"auth": "s3cret", "password": 5}}}"#, "h").expect_err("no text");
        assert!(!said.contains("s3cret"), "{said}");
        let said = ask(r#"{"credsStore": "../x"}"#, "h").expect_err("a path");
        assert!(said.contains("../x"), "{said}");
        let said = ask(r#"{"credHelpers": {"h": "of-nobody"}}"#, "h").expect_err("not installed");
        assert!(said.starts_with("`docker-credential-of-nobody` cannot be run"), "{said}");
        let nowhere = Ambient::default();
        assert!(credential("h", &nowhere).is_ok_and(|found| found.is_none()));
    }
}
