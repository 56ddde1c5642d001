//! The HTTP client all rooms share, and what of the process's environment they look at.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

/// How long a connection may take to come about.
pub const CONNECT: Duration = Duration::from_secs(15);

/// How long nothing may come before a transfer counts as stalled, where nobody says.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The variables whose values are logins: what targets look for where the configuration names no login.
const LOGINS: [&str; 11] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "BCE_ACCESS_KEY_ID",
    "BCE_SECRET_ACCESS_KEY",
    "BCE_SESSION_TOKEN",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
];

/// What targets look up outside the configuration: logins, proxies, the clouds' own settings.
#[derive(Clone)]
pub struct Ambient {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The home directory, where logins of other tools lie.
    pub home: Option<PathBuf>,
    /// How long nothing may come before a transfer counts as stalled.
    pub stall_timeout: Duration,
}

impl Default for Ambient {
    fn default() -> Self {
        Self { variables: BTreeMap::new(), home: None, stall_timeout: STALL_TIMEOUT }
    }
}

impl std::fmt::Debug for Ambient {
    /// Names only: values are secrets, some of them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
        f.debug_struct("Ambient").field("variables", &names).field("home", &self.home).finish_non_exhaustive()
    }
}

impl Ambient {
    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The variables without the ones that hold a login of a target.
    pub fn without_logins(&self) -> impl Iterator<Item = (&String, &String)> {
        self.variables.iter().filter(|(name, _)| !LOGINS.contains(&name.as_str()))
    }
}

/// A client that follows no redirect, sends no referrer, undoes no compression and takes its proxies from `ambient`.
///
/// # Errors
///
/// A proxy's URL that cannot be read.
pub fn client(ambient: &Ambient) -> reqwest::Result<reqwest::ClientBuilder> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Fails only where one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT.min(ambient.stall_timeout))
        .read_timeout(ambient.stall_timeout)
        .user_agent(concat!("deploy-tool/", env!("CARGO_PKG_VERSION")))
        .http2_adaptive_window(true)
        .no_proxy();
    let either = |upper: &str, lower: &str| ambient.get(upper).or_else(|| ambient.get(lower)).map(str::to_owned);
    let except = either("NO_PROXY", "no_proxy").and_then(|list| reqwest::NoProxy::from_string(&list));
    if let Some(proxy) = either("HTTPS_PROXY", "https_proxy") {
        builder = builder.proxy(reqwest::Proxy::https(proxy)?.no_proxy(except.clone()));
    }
    // The upper-case name can be set by a request where the program runs as a CGI script.
    if let Some(proxy) = ambient.get("http_proxy") {
        builder = builder.proxy(reqwest::Proxy::http(proxy)?.no_proxy(except.clone()));
    }
    if let Some(proxy) = either("ALL_PROXY", "all_proxy") {
        builder = builder.proxy(reqwest::Proxy::all(proxy)?.no_proxy(except));
    }
    Ok(builder)
}
