//! `type: bos`: Baidu's object store, by its S3 interface or its own.
//!
//! A configuration and a record name the native endpoint, `bj.bcebos.com`. The S3 interface of that is
//! `https://s3.bj.bcebos.com` with the bucket in front of the host; the native host itself refuses S3's signature.
//! An endpoint of any other host is taken as it is, with the bucket in the path.

use super::library::Library;
use super::native::Native;
use super::s3::{self, Login};
use super::web::Web;
use super::{Objects, place, settings};
use crate::config::{Bos, BosAuth, KeyPair};
use crate::model::{BosPlace, Place};
use crate::target::{Ambient, Result, Setting};

/// The hosts whose names follow Baidu's pattern.
const BAIDU: &str = ".bcebos.com";

/// A configured target.
pub(super) fn open(name: &str, config: &Bos, ambient: &Ambient) -> Result<Objects> {
    let keys = || config.credentials.clone().or_else(|| super::keys(ambient, "BCE"));
    let keys = if config.anonymous { None } else { keys() };
    let home = BosPlace {
        endpoint: config.endpoint.clone(),
        bucket: config.bucket.clone(),
        object_key: String::new(),
        extra: Default::default(),
    };
    let home_place = Place::Bos(home.clone());
    match config.auth {
        BosAuth::S3 => Objects::new(name, home_place, &config.prefix, library(name, &home, keys, ambient)?),
        BosAuth::Bce => Objects::new(name, home_place, &config.prefix, native(name, &home, keys, ambient)?),
    }
}

/// The store of a record's place, without a login: the native interface, which every endpoint named by a record has.
pub(super) fn anonymous(name: &str, place: &BosPlace, ambient: &Ambient) -> Result<Objects> {
    Objects::new(name, Place::Bos(place.clone()), "", native(name, place, None, ambient)?)
}

fn library(name: &str, place: &BosPlace, keys: Option<KeyPair>, ambient: &Ambient) -> Result<Library> {
    let (endpoint, region) = s3_endpoint(&place.endpoint).ok_or_else(|| no_endpoint(name, place))?;
    let (region, virtual_host) = (region.as_deref().unwrap_or("bj"), region.is_some());
    let at = s3::Where { bucket: &place.bucket, endpoint: &endpoint, region, virtual_host };
    s3::bucket(name, &at, keys.map_or(Login::Anonymous, Login::Keys), ambient)
}

fn native(name: &str, place: &BosPlace, keys: Option<KeyPair>, ambient: &Ambient) -> Result<Native> {
    let base = native_base(&place.endpoint, &place.bucket).ok_or_else(|| no_endpoint(name, place))?;
    Ok(Native::new(base, keys, Web::new(name, ambient)?))
}

fn no_endpoint(name: &str, place: &BosPlace) -> crate::target::Error {
    let (endpoint, bucket) = (place.endpoint.clone(), place.bucket.clone());
    settings(name, Setting::EndpointOfBucket { endpoint, bucket })
}

/// The S3 endpoint that belongs to a native one, and its region if it follows the pattern.
fn s3_endpoint(endpoint: &str) -> Option<(String, Option<String>)> {
    let url = place::url(endpoint)?;
    let Some(region) = region(url.host_str()?) else { return Some((url.to_string(), None)) };
    Some((format!("{}://s3.{region}{BAIDU}", url.scheme()), Some(region.to_owned())))
}

/// What every native URL begins with, bucket included; ends with a slash.
fn native_base(endpoint: &str, bucket: &str) -> Option<reqwest::Url> {
    let url = place::url(endpoint)?;
    let plain = !bucket.is_empty() && bucket.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let base = match region(url.host_str()?) {
        _ if !plain => return None,
        Some(region) => format!("{}://{bucket}.{region}{BAIDU}/", url.scheme()),
        None => format!("{url}{bucket}/"),
    };
    base.parse().ok()
}

/// `bj` of `bj.bcebos.com` and `s3.bj.bcebos.com`.
fn region(host: &str) -> Option<&str> {
    let region = host.strip_suffix(BAIDU)?;
    let region = region.strip_prefix("s3.").unwrap_or(region);
    (!region.is_empty() && !region.contains('.')).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_endpoints_follow_from_the_native_one() {
        let s3 = |endpoint| s3_endpoint(endpoint).map(|(url, region)| (url, region.unwrap_or_default()));
        let bj = Some(("https://s3.bj.bcebos.com".to_owned(), "bj".to_owned()));
        assert_eq!(s3("bj.bcebos.com"), bj);
        assert_eq!(s3("https://bj.bcebos.com/"), bj);
        assert_eq!(s3("s3.bj.bcebos.com"), bj);
        assert_eq!(s3("http://127.0.0.1:9000"), Some(("http://127.0.0.1:9000/".to_owned(), String::new())));
        assert_eq!(s3("bj bcebos.com"), None);
        let native = |endpoint, bucket| native_base(endpoint, bucket).map(String::from);
        assert_eq!(native("bj.bcebos.com", "b").as_deref(), Some("https://b.bj.bcebos.com/"));
        assert_eq!(native("http://127.0.0.1:9000", "b").as_deref(), Some("http://127.0.0.1:9000/b/"));
        assert_eq!(native("bj.bcebos.com", "evil.host/"), None);
    }
}
