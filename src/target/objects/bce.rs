//! `bce-auth-v1`, the way Baidu's cloud signs requests.
//!
//! ```text
//! prefix    = bce-auth-v1/<access key>/<2015-04-27T08:23:49Z>/<seconds it is valid>
//! key       = hex(HMAC-SHA256(secret key, prefix))
//! request   = <METHOD>\n<path>\n<query, sorted>\n<header:value, sorted, one a line>
//! signature = hex(HMAC-SHA256(key, request))
//! header    = <prefix>/<names of the signed headers>/<signature>
//! ```
//!
//! Source: Baidu's "Generate V1 Authentication String", whose examples are in the tests here.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;

use crate::config::KeyPair;

/// What is signed of a request.
pub struct Request<'a> {
    /// `GET`, `PUT` …
    pub method: &'a str,
    /// Not encoded, from `/` on.
    pub path: &'a str,
    /// Not encoded; an empty value for a name alone.
    pub query: &'a [(&'a str, &'a str)],
    /// Names in lower case.
    pub headers: &'a [(&'a str, &'a str)],
}

/// The value of `Authorization`, or of the query's `authorization`, valid for `seconds` from `time` on.
pub fn authorization(keys: &KeyPair, time: &str, seconds: u64, request: &Request<'_>) -> String {
    let prefix = format!("bce-auth-v1/{}/{time}/{seconds}", keys.access_key);
    let key = hmac(keys.secret_key.expose().as_bytes(), prefix.as_bytes());
    let mut headers: Vec<String> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{}:{}", encoded(name, false), encoded(value.trim(), false)))
        .collect();
    headers.sort_unstable();
    let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let path = encoded(request.path, true);
    let text = [request.method, &path, &query(request.query), &headers.join("\n")].join("\n");
    format!("{prefix}/{}/{}", names.join(";"), hmac(key.as_bytes(), text.as_bytes()))
}

/// A query in the order it is signed in, encoded, without `?`.
pub fn query(pairs: &[(&str, &str)]) -> String {
    let mut pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encoded(name, false), encoded(value, false))).collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// A time as signatures have it: UTC, whole seconds.
pub fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// RFC 3986: unreserved characters as they are, every other byte as `%XX`; `/` stays if it `divides`.
pub fn encoded(text: &str, divides: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' if divides => out.push('/'),
            other => _ = write!(out, "%{other:02X}"),
        }
    }
    out
}

/// In lowercase hexadecimal digits.
fn hmac(key: &[u8], text: &[u8]) -> String {
    // A key of any length will do, so that there is no error to speak of.
    let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(text);
    mac.finalize().into_bytes().iter().fold(String::with_capacity(64), |mut out, byte| {
        _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn signature(access_key: &str, secret_key: &str, upload: &str, md5: &str) -> String {
        let (access_key, secret_key) = (access_key.to_owned(), Secret::new(secret_key.to_owned()));
        let keys = KeyPair { access_key, secret_key, session_token: None };
        let request = Request {
            method: "PUT",
            path: "/v1/test/myfolder/readme.txt",
            query: &[("partNumber", "9"), ("uploadId", upload)],
            headers: &[
                ("host", "bj.bcebos.com"),
                ("content-type", "text/plain"),
                ("content-length", "8"),
                ("content-md5", md5),
                ("x-bce-date", "2015-04-27T08:23:49Z"),
            ],
        };
        authorization(&keys, "2015-04-27T08:23:49Z", 1800, &request)
    }

    #[test]
    fn the_published_examples_come_out() {
        let md5 = "NFzcPqhviddjRNnSOGo4rw==";
        assert_eq!(
            signature(&"a".repeat(32), &"b".repeat(32), "a44cc9bab11cbd156984767aad637851", md5),
            "bce-auth-v1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/2015-04-27T08:23:49Z/1800/\
             content-length;content-md5;content-type;host;x-bce-date/\
             d74a04362e6a848f5b39b15421cb449427f419c95a480fd6b8cf9fc783e2999e"
        );
        let keys = ("0b0f67dfb88244b289b72b142befad0c", "bad522c2126a4618a8125f4b6cf6356f");
        let older = signature(keys.0, keys.1, "VXBsb2FkIElpZS5tMnRzIHVwbG9hZA", "0a52730597fb4ffa01fc117d9e71e3a9");
        assert!(older.ends_with("/a19e6386e990691aca1114a20357c83713f1cb4be3d74942bb4ed37469ecdacf"), "{older}");
        let pairs = [("text", ""), ("text1", "测试"), ("text10", "test")];
        assert_eq!(query(&pairs), "text10=test&text1=%E6%B5%8B%E8%AF%95&text=");
        assert_eq!(encoded("/example/测试", true), "/example/%E6%B5%8B%E8%AF%95");
    }

    #[test]
    fn texts_are_encoded_and_sorted() {
        assert_eq!(encoded("/größe/a b+c~", true), "/gr%C3%B6%C3%9Fe/a%20b%2Bc~");
        assert_eq!(encoded("a/b", false), "a%2Fb");
        assert_eq!(query(&[("uploads", ""), ("maxKeys", "1"), ("prefix", "a/b")]), "maxKeys=1&prefix=a%2Fb&uploads=");
        assert_eq!(stamp(Timestamp::from_second(1_430_123_029).expect("a time")), "2015-04-27T08:23:49Z");
    }
}
