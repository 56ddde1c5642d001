//! Requests to object stores, and what their answers mean: statuses, error documents, silence.
//!
//! `object_store` sends through [`Web`] too. Whatever is no success becomes a [`Fault`] here, which travels through that
//! crate as the source of its own errors and is taken out again by [`Fault::within`]; so nothing is guessed from texts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use object_store::client::{HttpResponseBody, HttpService};
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode, Url};

use crate::net::{self, Ambient};
use crate::target::web::{content_range, retry_after};
use crate::target::{Detour, Fault, Result};

/// How long a store may think after it has all of a request that writes: putting thousands of parts together takes time.
const PATIENCE: Duration = Duration::from_secs(300);

/// A service on the machine itself answers at once or is not there.
const NEARBY: Duration = Duration::from_secs(2);

/// How much of an error document is looked at.
const DOCUMENT: usize = 16 << 10;

/// Sends requests: no redirects, no retries, no total timeout, nothing silent for long.
#[derive(Clone)]
pub struct Web {
    asking: reqwest::Client,
    telling: reqwest::Client,
    nearby: reqwest::Client,
    stall: Duration,
}

impl fmt::Debug for Web {
    /// Nothing of the clients: they know the proxies' passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
    }
}

impl Web {
    /// For the target `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] where the proxies of `ambient` cannot be read.
    pub fn new(name: &str, ambient: &Ambient) -> Result<Self> {
        let settings = |e: reqwest::Error| super::unusable(name, e.without_url());
        let build = |ambient: &Ambient, silence| {
            net::client(ambient)?.read_timeout(silence).connect_timeout(silence.min(net::CONNECT)).build()
        };
        Ok(Self {
            asking: build(ambient, ambient.stall_timeout).map_err(settings)?,
            // Its timeout begins with the request, so it must outlast sending; `answered` watches that.
            telling: build(ambient, Duration::from_secs(24 * 3600)).map_err(settings)?,
            // Never through a proxy, which would be another machine.
            nearby: build(&Ambient::default(), NEARBY).map_err(settings)?,
            stall: ambient.stall_timeout,
        })
    }

    /// How long nothing may come.
    pub fn stall(&self) -> Duration {
        self.stall
    }

    /// Sends a request; what is no success (2xx) is a fault.
    pub async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        pieces: Vec<Bytes>,
    ) -> std::result::Result<reqwest::Response, Fault> {
        let place = url.host_str().unwrap_or_default().to_owned();
        let metadata = is_metadata(&place);
        let client = match method {
            _ if metadata => &self.nearby,
            Method::PUT | Method::POST => &self.telling,
            _ => &self.asking,
        };
        let length: usize = pieces.iter().map(Bytes::len).sum();
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = headers;
        let sent = Arc::new(AtomicU64::new(0));
        if length > 0 {
            request.headers_mut().insert("content-length", length.into());
            let sent = Arc::clone(&sent);
            let told = futures_util::stream::iter(pieces).map(move |piece| {
                sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
                Ok::<_, Fault>(piece)
            });
            *request.body_mut() = Some(reqwest::Body::wrap_stream(told));
        }
        let answer = answered(client, request, &sent, length as u64, self.stall).await;
        match answer {
            Ok(response) if response.status().is_success() => Ok(response),
            // Whatever it says, it is not about the object.
            _ if metadata => Err(Fault::NoLogin),
            Ok(response) => Err(refusal(response).await),
            Err(fault) => Err(fault),
        }
    }
}

/// Waits for the head of the answer, as long as something moves.
async fn answered(
    client: &reqwest::Client,
    request: reqwest::Request,
    sent: &AtomicU64,
    length: u64,
    stall: Duration,
) -> std::result::Result<reqwest::Response, Fault> {
    let mut answer = std::pin::pin!(client.execute(request));
    let (mut before, mut since) = (0, Instant::now());
    loop {
        let patience = if sent.load(Ordering::Relaxed) < length { stall } else { PATIENCE };
        match tokio::time::timeout(patience.saturating_sub(since.elapsed()), &mut answer).await {
            Ok(answer) => return answer.map_err(|e| Fault::of(&e, stall)),
            Err(_) => {
                let now = sent.load(Ordering::Relaxed);
                if now == before && since.elapsed() >= patience {
                    return Err(Fault::Stalled { after: patience });
                }
                if now != before {
                    (before, since) = (now, Instant::now());
                }
            }
        }
    }
}

/// The services that give an instance its login.
fn is_metadata(host: &str) -> bool {
    host == "metadata.google.internal" || host.starts_with("169.254.") || host == "[fd00:ec2::254]"
}

impl HttpConnector for Web {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Web {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        let unknown = |fault: Fault| HttpError::new(HttpErrorKind::Unknown, fault);
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse().map_err(|e| HttpError::new(HttpErrorKind::Unknown, e))?;
        let pieces: Vec<Bytes> = body.into_data_stream().try_collect().await?;
        let (streams, stall) = (matches!(parts.method, Method::GET), self.stall);
        let mut response = self.send(parts.method, url, parts.headers, pieces).await.map_err(unknown)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = match streams {
            true => {
                HttpResponseBody::new(reqwest::Body::from(response).map_err(move |e| unknown(Fault::of(&e, stall))))
            }
            false => HttpResponseBody::from(whole(response).await.map_err(unknown)?),
        };
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// The body of an answer that is short.
pub async fn whole(response: reqwest::Response) -> std::result::Result<Bytes, Fault> {
    match tokio::time::timeout(PATIENCE, response.bytes()).await {
        Ok(bytes) => bytes.map_err(|e| Fault::of(&e, PATIENCE)),
        Err(_) => Err(Fault::Stalled { after: PATIENCE }),
    }
}

/// What an answer means that is no success.
async fn refusal(mut response: reqwest::Response) -> Fault {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut document = Vec::new();
    // A HEAD has none; one that does not come is done without.
    while document.len() < DOCUMENT {
        match tokio::time::timeout(NEARBY, response.chunk()).await {
            Ok(Ok(Some(piece))) => document.extend_from_slice(&piece),
            _ => break,
        }
    }
    meaning(status, &headers, &String::from_utf8_lossy(&document))
}

/// Statuses as HTTP has them, with what the error documents of S3, BOS, Google and Azure add.
fn meaning(status: StatusCode, headers: &HeaderMap, document: &str) -> Fault {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let code = header("x-ms-error-code").map(str::to_owned).or_else(|| named(document, "Code")).unwrap_or_default();
    let region = header("x-amz-bucket-region").map(str::to_owned).or_else(|| named(document, "Region"));
    let number = status.as_u16();
    match (number, code.as_str(), region) {
        (300..=399, _, Some(to)) | (400, "AuthorizationHeaderMalformed", Some(to)) => {
            Fault::Redirect { to, reason: Detour::Region }
        }
        (300..=399, ..) => {
            let to = headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
            let to = to.split(['?', '#']).next().unwrap_or_default().to_owned();
            Fault::Redirect { to, reason: Detour::Elsewhere }
        }
        (401 | 403, ..) | (400, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) => {
            Fault::Denied { status: number }
        }
        (404, "" | "NoSuchKey" | "NoSuchUpload" | "BlobNotFound" | "ResourceNotFound", _) => Fault::Missing,
        (429 | 503, ..) => Fault::Busy { status: number, retry_after: retry_after(headers) },
        (408 | 500..=599, ..) | (400, "RequestTimeout", _) => Fault::Server { status: number },
        (416, ..) => Fault::Short { total: content_range(headers).and_then(|(_, total)| total) },
        (_, "", _) => Fault::Status { status: number },
        _ => Fault::Refused { status: number, code },
    }
}

/// The text of `<Code>…</Code>` or `"code": "…"`, if it is one word.
fn named(document: &str, name: &str) -> Option<String> {
    let xml = || document.split_once(&format!("<{name}>"))?.1.split_once('<');
    let json = || {
        let after = document.split_once(&format!("\"{}\"", name.to_lowercase()))?.1;
        after.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?.split_once('"')
    };
    let word = xml().or_else(json)?.0;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!word.is_empty() && word.len() <= 64 && word.chars().all(plain)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::block_on;

    fn meaning(status: u16, headers: &[(&'static str, &str)], document: &str) -> Fault {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a value"));
        }
        super::meaning(StatusCode::from_u16(status).expect("a status"), &map, document)
    }

    /// The other side takes the connection and nothing else.
    #[test]
    fn silence_while_sending_is_noticed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/b/k", listener.local_addr().expect("bound")).parse().expect("a URL");
        let mut web = Web::new("t", &Ambient::default()).expect("a client");
        web.stall = Duration::from_millis(50);
        let pieces = vec![Bytes::from(vec![0; 1 << 20]); 64];
        let sent = block_on(web.send(Method::PUT, url, HeaderMap::new(), pieces)).expect("a runtime");
        assert_eq!(sent.map(|_| ()), Err(Fault::Stalled { after: web.stall }));
    }

    #[test]
    fn a_server_without_tls_is_not_asked_without_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("https://{}/b/k", listener.local_addr().expect("bound")).parse().expect("a URL");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("answered");
        });
        let web = Web::new("t", &Ambient::default()).expect("a client");
        let sent = block_on(web.send(Method::GET, url, HeaderMap::new(), Vec::new())).expect("a runtime");
        assert!(matches!(sent, Err(Fault::Tls { .. })), "{sent:?}");
        server.join().expect("no panic");
    }

    #[test]
    fn answers_mean_what_the_stores_say() {
        let xml = |code: &str| format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>x</Message></Error>");
        let refused = |status, code: &str| Fault::Refused { status, code: code.to_owned() };
        assert_eq!(meaning(404, &[], ""), Fault::Missing);
        assert_eq!(meaning(404, &[], &xml("NoSuchKey")), Fault::Missing);
        assert_eq!(meaning(404, &[], &xml("NoSuchBucket")), refused(404, "NoSuchBucket"));
        assert_eq!(meaning(404, &[], r#"{"code" : "NoSuchBucket"}"#), refused(404, "NoSuchBucket"));
        assert_eq!(meaning(404, &[("x-ms-error-code", "BlobNotFound")], ""), Fault::Missing);
        assert_eq!(meaning(403, &[], &xml("SignatureDoesNotMatch")), Fault::Denied { status: 403 });
        assert_eq!(meaning(400, &[], &xml("ExpiredToken")), Fault::Denied { status: 400 });
        assert_eq!(meaning(400, &[], &xml("EntityTooLarge")), refused(400, "EntityTooLarge"));
        assert_eq!(meaning(400, &[], &xml("<b>no word</b>")), Fault::Status { status: 400 });
        let wait = Some(Duration::from_secs(7));
        assert_eq!(meaning(503, &[("retry-after", "7")], ""), Fault::Busy { status: 503, retry_after: wait });
        assert_eq!(meaning(429, &[], ""), Fault::Busy { status: 429, retry_after: None });
        assert_eq!(meaning(500, &[], ""), Fault::Server { status: 500 });
        let region = |fault| matches!(fault, Fault::Redirect { to, .. } if to == "eu-west-1");
        assert!(region(meaning(301, &[("x-amz-bucket-region", "eu-west-1")], "")));
        let document = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        assert!(region(meaning(400, &[], document)));
        let moved = meaning(307, &[("location", "https://elsewhere/x?token=secret")], "");
        assert!(matches!(moved, Fault::Redirect { to, .. } if to == "https://elsewhere/x"));
    }
}
