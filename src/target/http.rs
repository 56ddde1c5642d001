//! A web server as a target: files below a URL, only read.
//!
//! A key is a file's URL. A place's URL is its package's; index and manifest lie beside it. A URL that somebody signed
//! holds the right to read in its query, so it never becomes a key: the target keeps it.
//!
//! No conditional requests are made. Whether a file was replaced between two requests is told by the digests of pieces
//! and package, which holds for servers behind a balancer too, whose ETags differ.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Response, Url};

use super::web::{Web, authorization, basic, has_login, reading_headers, shown};
use super::{
    Ambient, Doing, Error, Fault, Listed, Nonsense, Parcel, Placed, Reading, Result, Setting, Target, Wanted,
    is_file_name,
};
use crate::config::{self, Login, Secret};
use crate::model::Place;

/// A web server.
pub(super) struct Http {
    name: String,
    base: Url,
    login: Option<HeaderValue>,
    signed: Option<Url>,
    web: Web,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("name", &self.name).field("base", &shown(&self.base)).finish_non_exhaustive()
    }
}

impl Http {
    /// The configured target `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`].
    pub fn new(name: &str, settings: &config::Http, ambient: &Ambient) -> Result<Self> {
        let base = parse(name, &settings.url)?;
        let login = match (&settings.token, &settings.login) {
            (Some(token), _) => Some(authorization("Bearer", token.expose())),
            (None, Some(login)) => Some(basic(login)),
            (None, None) => None,
        };
        let login = login.map(|header| header.ok_or_else(|| bad_login(name))).transpose()?;
        Ok(Self { name: name.to_owned(), base, login, signed: None, web: Web::new(name, ambient)? })
    }

    /// The folder of a package that no configured target has, read without a login.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] where `url` is none.
    pub fn anonymous(name: &str, url: &str, ambient: &Ambient) -> Result<Self> {
        let base = parse(name, url)?.join("./");
        let base =
            base.map_err(|e| Error::Settings { target: name.to_owned(), reason: Setting::Url(e.to_string()) })?;
        Ok(Self { name: name.to_owned(), base, login: None, signed: None, web: Web::new(name, ambient)? })
    }

    fn ask(&self, url: &Url, method: Method, headers: HeaderMap) -> impl Future<Output = Outcome> + '_ {
        let login = self.login.clone().filter(|_| url.origin() == self.base.origin());
        self.web.follow(method, url.clone(), headers, login)
    }

    /// The URL that a key stands for.
    fn url(&self, key: &str) -> std::result::Result<Url, Fault> {
        match &self.signed {
            Some(signed) if shown(signed) == key => Ok(signed.clone()),
            _ => Url::parse(key).map_err(|e| Fault::Protocol { reason: Nonsense::Library(e.to_string()) }),
        }
    }

    fn begin_to_read(&self, key: &str, range: Option<Range<u64>>, fresh: bool) -> Result<Reading> {
        let read = self.url(key).and_then(|url| {
            let headers = reading_headers(range.as_ref(), fresh);
            let response = self.web.run(self.ask(&url, Method::GET, headers))?;
            self.web.reading(response, range.as_ref())
        });
        read.map_err(|fault| self.remote(Doing::Read, key, fault))
    }

    fn remote(&self, doing: Doing, key: &str, fault: Fault) -> Error {
        Error::Remote { target: self.name.clone(), doing, place: self.shown(key), fault }
    }
}

type Outcome = std::result::Result<Response, Fault>;

/// A target for one URL that somebody gave us, signed or not, and the file's key there. The URL's query and login appear
/// in neither.
///
/// # Errors
///
/// [`Error::Settings`] where `url` is none of http or https.
pub fn from_url(name: &str, url: &str, ambient: &Ambient) -> Result<(Arc<dyn Target>, String)> {
    let mut url = web_address(name, url)?;
    let password = percent_decode_str(url.password().unwrap_or_default()).decode_utf8_lossy().into_owned();
    let username = percent_decode_str(url.username()).decode_utf8_lossy().into_owned();
    let login = has_login(&url).then(|| Login { username, password: Secret::new(password) });
    let login = login.map(|login| basic(&login).ok_or_else(|| bad_login(name))).transpose()?;
    // Both only fail for URLs without a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    let (key, base) = (shown(&url), url.clone());
    let target = Http { name: name.to_owned(), base, login, signed: Some(url), web: Web::new(name, ambient)? };
    Ok((Arc::new(target), key))
}

fn web_address(name: &str, text: &str) -> Result<Url> {
    let settings = |reason| Error::Settings { target: name.to_owned(), reason };
    let url = Url::parse(text).map_err(|e| settings(Setting::Url(e.to_string())))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(settings(Setting::Scheme));
    }
    Ok(url)
}

/// A URL without a login or fragment.
fn parse(name: &str, text: &str) -> Result<Url> {
    let url = web_address(name, text)?;
    if has_login(&url) || url.fragment().is_some() {
        return Err(Error::Settings { target: name.to_owned(), reason: Setting::UrlWithLogin });
    }
    Ok(url)
}

fn bad_login(name: &str) -> Error {
    Error::Settings { target: name.to_owned(), reason: Setting::Login }
}

impl Target for Http {
    fn name(&self) -> &str {
        &self.name
    }

    fn shown(&self, key: &str) -> String {
        Url::parse(key).map_or_else(|_| key.to_owned(), |url| shown(&url))
    }

    /// Below the target's own URL: the same scheme, host and port, and its path before. `..` was resolved by parsing; a
    /// slash in disguise would be resolved by some servers only, so no such URL is in here.
    fn locate(&self, place: &Place, wanted: Wanted<'_>) -> Option<String> {
        let Place::Http(place) = place else { return None };
        let mut url = parse(&self.name, &place.url).ok()?;
        let path = url.path().to_ascii_lowercase();
        let disguised = path.contains("%2f") || path.contains("%5c");
        let inside = url.origin() == self.base.origin() && url.path().starts_with(self.base.path());
        if self.signed.is_some() || disguised || !inside || !is_file_name(wanted.file) {
            return None;
        }
        let last = url.path_segments()?.next_back()?.to_owned();
        if percent_decode_str(&last).decode_utf8().is_ok_and(|name| name == wanted.file) {
            return Some(url.into());
        }
        url.set_query(None);
        url.path_segments_mut().ok()?.pop().push(wanted.file);
        Some(url.into())
    }

    fn size(&self, key: &str) -> Result<Option<u64>> {
        let size = self
            .url(key)
            .and_then(|url| self.web.run(self.web.size(|method, headers| self.ask(&url, method, headers))));
        size.map_err(|fault| self.remote(Doing::Size, key, fault))
    }

    fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Reading> {
        self.begin_to_read(key, range, false)
    }

    fn read_fresh(&self, key: &str, range: Option<Range<u64>>) -> Result<Reading> {
        self.begin_to_read(key, range, true)
    }

    fn put(&self, _: &Parcel<'_>, _: &(dyn Fn(u64) + Sync)) -> Result<Placed> {
        Err(Error::ReadOnly { target: self.name.clone() })
    }

    fn list(&self, _: &str) -> Result<Vec<Listed>> {
        Err(Error::NoList { target: self.name.clone() })
    }

    fn delete(&self, _: &str) -> Result<()> {
        Err(Error::ReadOnly { target: self.name.clone() })
    }

    /// Whoever may read without a login needs no other URL; for others there is none.
    fn presign(&self, key: &str, _: Duration) -> Result<Option<String>> {
        Ok((self.login.is_none() && self.signed.is_none()).then(|| key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HttpPlace, Sha256};

    fn target(url: &str) -> Http {
        let token = Some(Secret::new("s3cret".to_owned()));
        let settings = config::Http { url: url.to_owned(), token, login: None };
        Http::new("web", &settings, &Ambient::default()).expect("a target")
    }

    fn locate(target: &Http, url: &str, file: &str) -> Option<String> {
        let place = Place::Http(HttpPlace { url: url.to_owned(), extra: Default::default() });
        target.locate(&place, Wanted { file, sha256: Sha256::of(b"") })
    }

    #[test]
    fn files_lie_beside_the_package_and_only_below_the_configured_url() {
        let target = target("https://host/packages/");
        let at = |url, file| locate(&target, url, file);
        let package = "https://host/packages/model/1.0.0/m-1.0.0.tar.gz";
        assert_eq!(at(package, "m-1.0.0.tar.gz").as_deref(), Some(package));
        let index = "https://host/packages/model/1.0.0/m%20%251.index.zst";
        assert_eq!(at(package, "m %1.index.zst").as_deref(), Some(index));
        let signed = format!("{package}?sig=1");
        assert_eq!(at(&signed, "m-1.0.0.tar.gz").as_deref(), Some(signed.as_str()));
        let manifest = "https://host/packages/model/1.0.0/manifest.json";
        assert_eq!(at(&signed, "manifest.json").as_deref(), Some(manifest));
        for elsewhere in [
            "http://host/packages/m.tar",
            "https://host:444/packages/m.tar",
            "https://host.example/packages/m.tar",
            "https://host/other/m.tar",
            "https://host/packages/../other/m.tar",
            "https://host/packages/%2e%2e/other/m.tar",
            "https://host/packages/..%2fother/m.tar",
            "https://mei@host/packages/m.tar",
            "file:///packages/m.tar",
            "m.tar",
        ] {
            assert_eq!(at(elsewhere, "m.tar"), None, "{elsewhere}");
        }
        assert_eq!(at(package, "../m.tar"), None);
    }

    #[test]
    fn a_given_url_keeps_its_secrets() {
        let url = "https://mei:pa%40ss@host/b/m.tar.gz?X-Amz-Signature=5ec7e7";
        let (target, key) = from_url("given", url, &Ambient::default()).expect("a target");
        assert_eq!(key, "https://host/b/m.tar.gz");
        assert_eq!(target.shown(&key), key);
        let debug = format!("{target:?}");
        assert!(!debug.contains("5ec7e7") && !debug.contains("pass") && !debug.contains("pa%40ss"), "{debug}");
        assert!(from_url("given", "file:///etc/passwd", &Ambient::default()).is_err());
        assert!(!format!("{:?}", self::target("https://host/")).contains("s3cret"));
    }
}
