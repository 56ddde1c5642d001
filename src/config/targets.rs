//! `publish.targets.<name>`: which keys each kind of target has, and what they mean.
//!
//! A secret that is empty, or whose variable is unset, counts as not given: a host that only looks at its root must not
//! fail because nobody logged in.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::{Error, Problem};
use super::reader::{Item, keys, text};
use super::settings::Target;
use crate::model::ComponentType;

/// Where a target is, by its `type`, and what it is reached with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPlace {
    /// A directory.
    Filesystem {
        /// The directory.
        path: PathBuf,
        /// Whether the file names it by a relative path: then a record names it relative to the records repository,
        /// if it is in there.
        relative: bool,
        /// The permission bits of published files; directories may be searched by whoever may read.
        mode: Option<u32>,
        /// The group of what is published, by name or number.
        group: Option<String>,
    },
    /// A store that speaks S3.
    S3(S3),
    /// Baidu's object store.
    Bos(Bos),
    /// Google's object store.
    Gcs(Gcs),
    /// Azure's object store.
    Azure(Azure),
    /// A web server; only read.
    Http(Http),
    /// An OCI registry.
    Oci(Oci),
    /// Anything that takes a variable this host does not have: nothing but this target is the worse for it.
    Unset(Box<Error>),
}

impl TargetPlace {
    /// Whether packages can be published there.
    pub fn is_writable(&self) -> bool {
        !matches!(self, TargetPlace::Http(_))
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes what must not be shown.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for whoever needs it to log in.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `access_key`, `secret_key`, `session_token`; the store's usual chain where they are not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// Names the key.
    pub access_key: String,
    /// Signs with it.
    pub secret_key: Secret,
    /// Goes with a key that expires.
    pub session_token: Option<Secret>,
}

/// `type: s3`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// Where the store answers, as a URL; AWS where none is given. TLS unless it says `http://`.
    pub endpoint: Option<String>,
    /// The region; `us-east-1` where neither this nor the environment says.
    pub region: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// What every key begins with; no slash at either end.
    pub prefix: String,
    /// Where the bucket's name stands.
    pub addressing: Addressing,
    /// The key to sign with.
    pub credentials: Option<KeyPair>,
    /// Whether requests are never signed.
    pub anonymous: bool,
}

/// Where the bucket's name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// In the path: `https://host/bucket/key`.
    Path,
    /// In the host: `https://bucket.host/key`.
    VirtualHost,
}

/// `type: bos`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bos {
    /// The host of BOS's own interface, such as `bj.bcebos.com`; with `http://` where it has no TLS.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// What every key begins with; no slash at either end.
    pub prefix: String,
    /// How requests are signed.
    pub auth: BosAuth,
    /// The key to sign with; `BCE_ACCESS_KEY_ID` and `BCE_SECRET_ACCESS_KEY` where none is given.
    pub credentials: Option<KeyPair>,
    /// Whether requests are never signed.
    pub anonymous: bool,
}

/// How requests to BOS are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BosAuth {
    /// As S3 has it, at the S3 endpoint that belongs to the native one.
    S3,
    /// BOS's own way, `bce-auth-v1`, at the native endpoint.
    Bce,
}

/// `type: gcs`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gcs {
    /// The bucket.
    pub bucket: String,
    /// What every key begins with; no slash at either end.
    pub prefix: String,
    /// Where the store answers, as a URL; Google's own where none is given.
    pub endpoint: Option<String>,
    /// The file of a service account's key; application default credentials where none is given.
    pub service_account: Option<PathBuf>,
    /// Whether requests are never signed.
    pub anonymous: bool,
}

/// `type: azure`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Azure {
    /// The storage account.
    pub account: String,
    /// Where the store answers, as a URL; Azure's own where none is given.
    pub endpoint: Option<String>,
    /// The container.
    pub container: String,
    /// What every key begins with; no slash at either end.
    pub prefix: String,
    /// The account's key.
    pub access_key: Option<Secret>,
    /// A shared access signature.
    pub sas_token: Option<Secret>,
    /// Whether requests are never signed.
    pub anonymous: bool,
}

/// `type: http`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// What every URL begins with; ends with a slash.
    pub url: String,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// Sent as `Authorization: Basic`.
    pub login: Option<Login>,
}

/// `username` and `password`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who.
    pub username: String,
    /// Proves it.
    pub password: Secret,
}

/// `type: oci`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oci {
    /// The registry's host, with its port where it is not the usual one; with `http://` where it has no TLS.
    pub registry: String,
    /// The repository; each component has one of its own below it.
    pub repository: String,
    /// The login; docker's `config.json` where none is given.
    pub login: Option<Login>,
}

/// Reads one target.
pub(super) fn target(key: &Item<'_>, item: Item<'_>, base: &Path) -> Result<Target, Error> {
    let name = key.text_as_written().to_owned();
    // A target's name obeys the rule of component types: it is a directory's name and an option's value too.
    if name.parse::<ComponentType>().is_err() {
        return Err(key.error(Problem::TargetName { name: key.shown() }));
    }
    // Which keys a target has depends on its type, so the type is read first.
    let kinds: [(&str, Kind); 7] = [
        ("filesystem", filesystem),
        ("s3", s3),
        ("bos", bos),
        ("gcs", gcs),
        ("azure", azure),
        ("http", http),
        ("oci", oci),
    ];
    let kind = item.peek("type")?.ok_or_else(|| key.error(Problem::Missing { name: "type" }))?.choice(&kinds)?;
    let role = item.peek("role")?;
    let place = match kind(key, item, base) {
        Err(error) if matches!(*error.problem, Problem::UnsetVariable { .. }) => TargetPlace::Unset(Box::new(error)),
        place => place?,
    };
    let backup = role.map(|role| role.choice(&[("backup", ())])).transpose()?.is_some();
    Ok(Target { name, place, backup })
}

/// Reads what a kind of target needs.
type Kind = for<'a> fn(&Item<'a>, Item<'a>, &Path) -> Result<TargetPlace, Error>;

fn filesystem(key: &Item<'_>, item: Item<'_>, base: &Path) -> Result<TargetPlace, Error> {
    let [_, _, path, mode, group] = keys(Some(item), ["type", "role", "path", "mode", "group"])?;
    let path = path.ok_or_else(|| key.error(Problem::Missing { name: "path" }))?;
    let text = path.text()?;
    let relative = !text.starts_with(['/', '~']);
    let mode = mode.map(|item| octal(&item)).transpose()?;
    Ok(TargetPlace::Filesystem { path: path.path(base)?, relative, mode, group: self::text(group)? })
}

fn s3(key: &Item<'_>, item: Item<'_>, _: &Path) -> Result<TargetPlace, Error> {
    let known = [
        "type",
        "role",
        "endpoint",
        "region",
        "bucket",
        "prefix",
        "addressing",
        "access_key",
        "secret_key",
        "session_token",
        "anonymous",
    ];
    let [_, _, endpoint, region, bucket, prefix, addressing, access, secret, token, anonymous] =
        keys(Some(item), known)?;
    let endpoint = endpoint.map(|item| url(&item)).transpose()?;
    let usual = if endpoint.is_some() { Addressing::Path } else { Addressing::VirtualHost };
    let choices = [("path", Addressing::Path), ("virtual-host", Addressing::VirtualHost)];
    let place = S3 {
        endpoint,
        region: text(region)?,
        bucket: required(key, bucket, "bucket")?,
        prefix: self::prefix(prefix)?,
        addressing: addressing.map(|item| item.choice(&choices)).transpose()?.unwrap_or(usual),
        credentials: key_pair(access, secret, token)?,
        anonymous: flag(anonymous)?,
    };
    Ok(TargetPlace::S3(place))
}

fn bos(key: &Item<'_>, item: Item<'_>, _: &Path) -> Result<TargetPlace, Error> {
    let known = [
        "type",
        "role",
        "endpoint",
        "bucket",
        "prefix",
        "auth",
        "access_key",
        "secret_key",
        "session_token",
        "anonymous",
    ];
    let [_, _, endpoint, bucket, prefix, auth, access, secret, token, anonymous] = keys(Some(item), known)?;
    let auth = auth.map(|item| item.choice(&[("s3", BosAuth::S3), ("bce", BosAuth::Bce)])).transpose()?;
    let place = Bos {
        endpoint: required(key, endpoint, "endpoint")?,
        bucket: required(key, bucket, "bucket")?,
        prefix: self::prefix(prefix)?,
        auth: auth.unwrap_or(BosAuth::S3),
        credentials: key_pair(access, secret, token)?,
        anonymous: flag(anonymous)?,
    };
    Ok(TargetPlace::Bos(place))
}

fn gcs(key: &Item<'_>, item: Item<'_>, base: &Path) -> Result<TargetPlace, Error> {
    let known = ["type", "role", "bucket", "prefix", "endpoint", "service_account", "anonymous"];
    let [_, _, bucket, prefix, endpoint, service_account, anonymous] = keys(Some(item), known)?;
    let place = Gcs {
        bucket: required(key, bucket, "bucket")?,
        prefix: self::prefix(prefix)?,
        endpoint: endpoint.map(|item| url(&item)).transpose()?,
        service_account: service_account.map(|item| item.path(base)).transpose()?,
        anonymous: flag(anonymous)?,
    };
    Ok(TargetPlace::Gcs(place))
}

fn azure(key: &Item<'_>, item: Item<'_>, _: &Path) -> Result<TargetPlace, Error> {
    let known = ["type", "role", "account", "endpoint", "container", "prefix", "access_key", "sas_token", "anonymous"];
    let [_, _, account, endpoint, container, prefix, access_key, sas_token, anonymous] = keys(Some(item), known)?;
    let place = Azure {
        account: required(key, account, "account")?,
        endpoint: endpoint.map(|item| url(&item)).transpose()?,
        container: required(key, container, "container")?,
        prefix: self::prefix(prefix)?,
        access_key: self::secret(access_key)?,
        sas_token: self::secret(sas_token)?,
        anonymous: flag(anonymous)?,
    };
    Ok(TargetPlace::Azure(place))
}

fn http(key: &Item<'_>, item: Item<'_>, _: &Path) -> Result<TargetPlace, Error> {
    let [_, _, url, token, username, password] =
        keys(Some(item), ["type", "role", "url", "token", "username", "password"])?;
    let mut url = self::url(&url.ok_or_else(|| key.error(Problem::Missing { name: "url" }))?)?;
    if !url.ends_with('/') {
        url.push('/');
    }
    let place = Http { url, token: secret(token)?, login: login(username, password)? };
    Ok(TargetPlace::Http(place))
}

fn oci(key: &Item<'_>, item: Item<'_>, _: &Path) -> Result<TargetPlace, Error> {
    let [_, _, registry, repository, username, password] =
        keys(Some(item), ["type", "role", "registry", "repository", "username", "password"])?;
    let place = Oci {
        registry: required(key, registry, "registry")?,
        repository: required(key, repository, "repository")?.trim_matches('/').to_owned(),
        login: login(username, password)?,
    };
    Ok(TargetPlace::Oci(place))
}

fn required(key: &Item<'_>, item: Option<Item<'_>>, name: &'static str) -> Result<String, Error> {
    item.ok_or_else(|| key.error(Problem::Missing { name }))?.text()
}

fn prefix(item: Option<Item<'_>>) -> Result<String, Error> {
    Ok(text(item)?.map(|text| text.trim_matches('/').to_owned()).unwrap_or_default())
}

fn flag(item: Option<Item<'_>>) -> Result<bool, Error> {
    Ok(item.map(|item| item.boolean()).transpose()?.unwrap_or(false))
}

/// `https://…` or `http://…`, without user, password, query or fragment.
pub(super) fn url(item: &Item<'_>) -> Result<String, Error> {
    let text = item.text()?;
    let bad = || item.error(Problem::Url { value: item.shown() });
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(bad)?;
    let host = rest.split('/').next().unwrap_or_default();
    let plain = !host.is_empty() && !host.contains('@') && !rest.contains(['?', '#', ' ', '\\']);
    if plain { Ok(text) } else { Err(bad()) }
}

/// Permission bits.
pub(super) fn octal(item: &Item<'_>) -> Result<u32, Error> {
    let text = item.text()?;
    let mode = u32::from_str_radix(text.trim_start_matches("0o"), 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| item.error(Problem::Mode { value: item.shown() }))
}

/// A secret, if it is given.
pub(super) fn secret(item: Option<Item<'_>>) -> Result<Option<Secret>, Error> {
    let given = item.map(|item| item.text_if_given()).transpose()?.flatten();
    Ok(given.map(Secret))
}

fn key_pair(
    access: Option<Item<'_>>,
    secret: Option<Item<'_>>,
    token: Option<Item<'_>>,
) -> Result<Option<KeyPair>, Error> {
    let access = access.map(|item| item.text_if_given()).transpose()?.flatten();
    let pair = access.zip(self::secret(secret)?);
    let session_token = self::secret(token)?;
    Ok(pair.map(|(access_key, secret_key)| KeyPair { access_key, secret_key, session_token }))
}

fn login(username: Option<Item<'_>>, password: Option<Item<'_>>) -> Result<Option<Login>, Error> {
    let username = username.map(|item| item.text_if_given()).transpose()?.flatten();
    Ok(username.zip(secret(password)?).map(|(username, password)| Login { username, password }))
}
