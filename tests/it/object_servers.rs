//! Object stores in this process, on loopback: S3 by `s3s`, and BOS's own interface with its signature checked by code
//! that shares nothing with the library's.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use serde_json::json;
use sha2::Digest as _;

pub const BUCKET: &str = "artifacts";
pub const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A request a server got.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub authorization: Option<String>,
}

/// A server that ends when it is dropped.
pub struct Server {
    pub address: String,
    log: Arc<Mutex<Vec<Seen>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    /// Answers every request with `answer`.
    pub fn start<F, A>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<Answer>> + Send,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("threads");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&log);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, seen) = (answer.clone(), Arc::clone(&seen));
                let service = service_fn(move |request: Request<Incoming>| {
                    let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
                    seen.lock().expect("not poisoned").push(Seen {
                        method: request.method().to_string(),
                        target: request.uri().to_string(),
                        authorization: request.headers().get("authorization").map(text),
                    });
                    let answer = answer.clone();
                    async move { Ok::<_, std::convert::Infallible>(answer(request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, log, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked since the last time.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.log.lock().expect("not poisoned"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The body of an answer.
pub type Answer = http_body_util::combinators::UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Answer> {
    let mut response = Response::new(Full::new(body.into()).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        let name: hyper::header::HeaderName = name.parse().expect("a name");
        response.headers_mut().insert(name, value.parse().expect("a value"));
    }
    response
}

/// An S3 server over `root`, with one bucket; `signed` says whether it wants [`ACCESS_KEY`].
pub fn s3(root: &Path, signed: bool) -> Server {
    std::fs::create_dir_all(root.join(BUCKET)).expect("made");
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).expect("a directory"));
    if signed {
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    }
    let service = Arc::new(builder.build());
    Server::start(move |mut request| {
        let service = Arc::clone(&service);
        if !signed {
            // A store that is open to all does not look.
            request.headers_mut().remove("authorization");
        }
        async move {
            match service.call(request).await {
                Ok(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
                Err(e) => answer(500, &[], format!("{e:?}")),
            }
        }
    })
}

/// The file in which the S3 server keeps an object.
pub fn s3_file(root: &Path, key: &str) -> PathBuf {
    root.join(BUCKET).join(key)
}

/// What the BOS server holds.
#[derive(Default)]
pub struct Bos {
    pub objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, BTreeMap<usize, Bytes>>,
}

/// A server with BOS's own interface and one bucket, which checks the signature of every request.
pub fn bos() -> (Server, Arc<Mutex<Bos>>) {
    let state = Arc::new(Mutex::new(Bos::default()));
    let held = Arc::clone(&state);
    let server = Server::start(move |request| {
        let held = Arc::clone(&held);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            if let Err(why) = check_signature(&parts, &body) {
                return refuse(403, &why);
            }
            let query = pairs(parts.uri.query().unwrap_or_default());
            let path = decoded(parts.uri.path());
            let Some(key) = path.strip_prefix(&format!("/{BUCKET}/")) else { return refuse(404, "NoSuchBucket") };
            let range = parts.headers.get("range").map(|value| value.to_str().expect("text").to_owned());
            let mut held = held.lock().expect("not poisoned");
            held.answer(parts.method.as_str(), key, &query, range.as_deref(), body)
        }
    });
    (server, state)
}

fn refuse(status: u16, code: &str) -> Response<Answer> {
    answer(status, &[], json!({ "code": code, "message": "no" }).to_string())
}

impl Bos {
    fn answer(
        &mut self,
        method: &str,
        key: &str,
        query: &BTreeMap<String, String>,
        range: Option<&str>,
        body: Bytes,
    ) -> Response<Answer> {
        let tag = |bytes: &[u8]| hex(&sha2::Sha256::digest(bytes))[..32].to_owned();
        let upload = query.get("uploadId");
        match (method, key, upload) {
            ("POST", _, None) if query.contains_key("uploads") => {
                let id = format!("upload-{}", self.uploads.len());
                self.uploads.insert(id.clone(), BTreeMap::new());
                answer(200, &[], json!({ "bucket": BUCKET, "key": key, "uploadId": id }).to_string())
            }
            ("PUT", _, Some(upload)) => {
                let Some(parts) = self.uploads.get_mut(upload) else { return refuse(404, "NoSuchUpload") };
                let tag = tag(&body);
                parts.insert(query["partNumber"].parse().expect("a number"), body);
                answer(200, &[("etag", &format!("\"{tag}\""))], "")
            }
            ("POST", _, Some(upload)) => {
                let Some(parts) = self.uploads.remove(upload) else { return refuse(404, "NoSuchUpload") };
                let said: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
                let held: Vec<_> =
                    parts.iter().map(|(number, part)| json!({ "partNumber": number, "eTag": tag(part) })).collect();
                if said != json!({ "parts": held }) {
                    return refuse(400, "InvalidPart");
                }
                let whole: Vec<u8> = parts.into_values().flatten().collect();
                let tag = tag(&whole);
                self.objects.insert(key.to_owned(), whole.into());
                answer(200, &[], json!({ "bucket": BUCKET, "key": key, "eTag": tag }).to_string())
            }
            ("DELETE", _, Some(upload)) => match self.uploads.remove(upload) {
                Some(_) => answer(204, &[], ""),
                None => refuse(404, "NoSuchUpload"),
            },
            ("PUT", _, None) => {
                self.objects.insert(key.to_owned(), body);
                answer(200, &[("etag", "\"x\"")], "")
            }
            ("GET", "", None) => {
                let (prefix, marker) = (query.get("prefix"), query.get("marker"));
                let after = |key: &&String| marker.is_none_or(|marker| *key > marker);
                let fits = |key: &&String| prefix.is_none_or(|prefix| key.starts_with(prefix));
                let keys: Vec<_> = self.objects.keys().filter(after).filter(fits).collect();
                let page: Vec<_> = keys.iter().take(2).collect();
                let contents: Vec<_> =
                    page.iter().map(|key| json!({ "key": key, "size": self.objects[**key].len() })).collect();
                let body = json!({ "contents": contents, "isTruncated": keys.len() > 2, "nextMarker": page.last() });
                answer(200, &[], body.to_string())
            }
            ("DELETE", ..) => match self.objects.remove(key) {
                Some(_) => answer(204, &[], ""),
                None => refuse(404, "NoSuchKey"),
            },
            ("GET" | "HEAD", ..) => {
                let Some(bytes) = self.objects.get(key) else { return refuse(404, "NoSuchKey") };
                let length = bytes.len();
                let Some((from, to)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
                    return answer(
                        200,
                        &[("content-length", &length.to_string())],
                        match method {
                            "GET" => bytes.clone(),
                            _ => Bytes::new(),
                        },
                    );
                };
                let (from, to): (usize, usize) = (from.parse().expect("from"), to.parse().expect("to"));
                let said = format!("bytes {from}-{to}/{length}");
                answer(206, &[("content-range", &said)], bytes.slice(from..=to))
            }
            _ => refuse(405, "MethodNotAllowed"),
        }
    }
}

fn check_signature(parts: &hyper::http::request::Parts, body: &[u8]) -> Result<(), String> {
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
    if let Some(announced) = header("x-bce-content-sha256")
        && announced != hex(&sha2::Sha256::digest(body))
    {
        return Err("BadDigest".to_owned());
    }
    let raw = parts.uri.query().unwrap_or_default();
    let given = header("authorization").or_else(|| pairs(raw).remove("authorization")).ok_or("AccessDenied")?;
    let fields: Vec<&str> = given.split('/').collect();
    let &["bce-auth-v1", ACCESS_KEY, time, seconds, names, signature] = fields.as_slice() else {
        return Err("InvalidAccessKeyId".to_owned());
    };
    let prefix = format!("bce-auth-v1/{ACCESS_KEY}/{time}/{seconds}");
    let key = hmac(SECRET_KEY.as_bytes(), &prefix);
    let mut query: Vec<String> = raw
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("authorization="))
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    query.sort();
    let mut headers: Vec<String> =
        names.split(';').map(|name| format!("{name}:{}", encoded(header(name).unwrap_or_default().trim()))).collect();
    headers.sort();
    let text = format!("{}\n{}\n{}\n{}", parts.method, parts.uri.path(), query.join("&"), headers.join("\n"));
    if hmac(key.as_bytes(), &text) == signature { Ok(()) } else { Err("SignatureDoesNotMatch".to_owned()) }
}

fn hmac(key: &[u8], text: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("any length");
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if let (b'%', [high, low, tail @ ..]) = (first, tail) {
            let digits = [*high, *low];
            let digits = std::str::from_utf8(&digits).expect("ASCII");
            bytes.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    let split = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(split).collect()
}

/// A request without anything that could be a login: status and body of `http://<rest>`.
pub fn bare_get(rest: &str) -> (u16, Vec<u8>) {
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("connected");
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("answered");
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    let body = bytes.split_off(end);
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return (status, body);
    }
    let (mut whole, mut rest) = (Vec::new(), &body[..]);
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n").expect("a length");
        let length = std::str::from_utf8(&rest[..line]).expect("ASCII");
        let length = usize::from_str_radix(length, 16).expect("hexadecimal");
        if length == 0 {
            return (status, whole);
        }
        whole.extend_from_slice(&rest[line + 2..line + 2 + length]);
        rest = &rest[line + 4 + length..];
    }
}
