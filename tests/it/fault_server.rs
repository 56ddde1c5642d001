//! A web server on loopback that misbehaves on demand: HTTP/1.1 by hand, since no library would let it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, Issuer, KeyPair};

/// How a request for a package is answered.
#[derive(Debug, Clone)]
pub enum Way {
    /// The right headers, so many bytes of the body, then the end of the connection.
    CutAfter(usize),
    /// The same, but the connection is reset.
    ResetAfter(usize),
    /// The same, but the connection stays open and nothing more comes.
    StallAfter(usize),
    /// The body in chunks, and the end of the connection before the last.
    CutChunks(usize),
    /// No answer at all.
    Silence,
    /// The connection ends before an answer.
    Close,
    /// The connection is reset before an answer.
    Reset,
    /// `Content-Length` says more than comes.
    LongLength,
    /// `Content-Length` says less than the file has.
    ShortLength,
    /// One byte of the file, at this offset, is another.
    WrongByte(usize),
    /// 200 and the whole file, whatever was asked for.
    Whole,
    /// 206 with the bytes behind those asked for.
    OtherRange,
    /// 206 and the right bytes, but `Content-Range` names others.
    WrongContentRange,
    /// 206 without `Content-Range`.
    NoContentRange,
    /// This status, with these headers and a body that is no package.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// This status for HEAD alone.
    NoHead(u16),
    /// Back to the same URL by way of another.
    RedirectCircle,
    /// Ever on to new URLs.
    RedirectOn,
    /// To this URL.
    RedirectTo(String),
    /// As it is, but called compressed.
    Encoded(&'static str),
    /// So many bytes every half second.
    Slow(usize),
    /// A header every half second, without end.
    SlowHead,
    /// 200 and nothing in it.
    Empty,
    /// 200 and a page for people.
    Page,
    /// What is no HTTP.
    Garbage,
    /// Headers without end.
    EndlessHeaders,
    /// From the second request on, other bytes of the same length.
    Swapped,
    /// 401, unless this `Authorization` comes; what is wanted stands in the second.
    Login(&'static str, String),
}

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub at: Instant,
}

struct Shared {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    ways: Mutex<Vec<(Way, usize)>>,
    seen: Mutex<Vec<Seen>>,
    stopped: AtomicBool,
    of_all: AtomicBool,
    tls: Option<Arc<rustls::ServerConfig>>,
}

/// A running server; dropped, it takes no more connections.
pub struct Server {
    pub port: u16,
    shared: Arc<Shared>,
}

/// A server's certificate and key.
pub struct Certificate {
    config: Arc<rustls::ServerConfig>,
    authority: String,
}

impl Certificate {
    /// For these names, by an authority that nobody trusts who was not given it.
    pub fn new(names: &[&str]) -> Self {
        let key = || KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let (authority_key, server_key) = (key(), key());
        let authority = params.self_signed(&authority_key).expect("signed").pem();
        let issuer = Issuer::new(params, authority_key);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate =
            CertificateParams::new(names).expect("names").signed_by(&server_key, &issuer).expect("signed");
        let private = rustls::pki_types::PrivateKeyDer::try_from(server_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .expect("they belong together");
        Self { config: Arc::new(config), authority }
    }

    /// The certificate of the authority behind it, as PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl Server {
    /// Serves `files`, by path.
    pub fn start(files: &[(&str, &[u8])]) -> Self {
        Self::with(files, None)
    }

    /// The same behind TLS.
    pub fn start_tls(files: &[(&str, &[u8])], certificate: &Certificate) -> Self {
        Self::with(files, Some(certificate.config.clone()))
    }

    fn with(files: &[(&str, &[u8])], tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let files = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
        let shared = Arc::new(Shared {
            files: Mutex::new(files),
            ways: Mutex::default(),
            seen: Mutex::default(),
            stopped: AtomicBool::new(false),
            of_all: AtomicBool::new(false),
            tls,
        });
        let of_listener = shared.clone();
        spawn(move || {
            for stream in listener.incoming().flatten() {
                if of_listener.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let shared = of_listener.clone();
                // A client that goes away is no failure of the server.
                spawn(move || drop(serve(&shared, stream)));
            }
        });
        Self { port, shared }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    /// Answers the next so many requests for packages that way, and those behind as it should.
    pub fn misbehave(&self, way: Way, times: usize) -> &Self {
        self.shared.ways.lock().expect("no panic").push((way, times));
        self
    }

    /// Misbehaves towards requests for other files, too.
    pub fn to_all(&self) -> &Self {
        self.shared.of_all.store(true, Ordering::Relaxed);
        self
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("no panic").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Shared {
    /// How this request is answered; `None` for well.
    fn way(&self, path: &str) -> Option<Way> {
        let path = path.split('?').next().unwrap_or_default();
        let package = [".tar", ".tar.gz", ".tar.zst"].iter().any(|end| path.ends_with(end)) || path.contains("/hop/");
        if !package && !self.of_all.load(Ordering::Relaxed) {
            return None;
        }
        let mut ways = self.ways.lock().expect("no panic");
        let (way, times) = ways.iter_mut().find(|(_, times)| *times > 0)?;
        *times -= 1;
        Some(way.clone())
    }
}

trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}

fn serve(shared: &Shared, stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_nodelay(true)?;
    let Some(config) = &shared.tls else {
        let head = peek(&stream)?;
        return answer(shared, &head, &stream, Some(&stream));
    };
    let connection = rustls::ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    answer(shared, &head, &mut stream, None)?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// The head of a request, left unread: to close a connection with something unread resets it.
fn peek(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = stream.peek(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = buffer[..count].windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(buffer[..end + 4].to_vec());
        }
        sleep(Duration::from_millis(1));
    }
}

fn parse(head: &[u8]) -> Seen {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Seen { method, path, headers, at: Instant::now() }
}

/// What `Range: bytes=a-b` asks for.
fn range(seen: &Seen) -> Option<(usize, usize)> {
    let (first, last) = seen.headers.get("range")?.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse::<usize>().ok()? + 1))
}

/// An answer that is still right.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, body: &[u8]) -> Self {
        Self { status, headers: Vec::new(), body: body.to_vec() }
    }

    fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// What a good server says to this request.
    fn right(seen: &Seen, file: Option<&Vec<u8>>) -> Self {
        let Some(file) = file else { return Self::new(404, b"not here\n").header("Content-Length", 9) };
        match range(seen) {
            Some((first, end)) if first < file.len() => {
                let end = end.min(file.len());
                Self::new(206, &file[first..end])
                    .header("Content-Range", format!("bytes {first}-{}/{}", end - 1, file.len()))
                    .header("Content-Length", end - first)
            }
            Some(_) => Self::new(416, b"").header("Content-Range", format!("bytes */{}", file.len())),
            None => Self::new(200, file).header("Content-Length", file.len()),
        }
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Answer\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        (head + "\r\n").into_bytes()
    }

    fn send(&self, seen: &Seen, mut to: impl Both, bytes: usize) -> io::Result<()> {
        to.write_all(&self.head())?;
        if seen.method != "HEAD" {
            to.write_all(&self.body[..bytes.min(self.body.len())])?;
        }
        to.flush()
    }
}

fn answer(shared: &Shared, head: &[u8], mut to: impl Both, plain: Option<&TcpStream>) -> io::Result<()> {
    // The head of a plain connection was only looked at.
    let take = || match plain {
        Some(mut stream) => stream.read_exact(&mut vec![0; head.len()]),
        None => Ok(()),
    };
    let seen = parse(head);
    let requests = {
        let mut all = shared.seen.lock().expect("no panic");
        all.push(seen.clone());
        all.iter().filter(|other| other.path == seen.path).count()
    };
    let path = seen.path.split('?').next().unwrap_or_default();
    let file = shared.files.lock().expect("no panic").get(path).cloned();
    let right = Answer::right(&seen, file.as_ref());
    let way = shared.way(&seen.path);
    if !matches!(way, Some(Way::Reset | Way::ResetAfter(_))) {
        take()?;
    }
    let all = usize::MAX;
    let (first, end) = range(&seen).unwrap_or((0, right.body.len()));
    let total = file.as_ref().map_or(0, Vec::len);
    let shifted = |by: usize| format!("bytes {}-{}/{total}", first + by, end + by - 1);
    match way {
        None => right.send(&seen, to, all),
        Some(Way::CutAfter(n) | Way::ResetAfter(n)) => {
            right.send(&seen, to, n)?;
            // So that what was sent arrives before the reset does.
            sleep(Duration::from_millis(50));
            Ok(())
        }
        Some(Way::StallAfter(n)) => {
            right.send(&seen, to, n)?;
            wait_for_the_end(shared);
            Ok(())
        }
        Some(Way::CutChunks(n)) => {
            let mut chunked = Answer { status: right.status, headers: right.headers, body: Vec::new() };
            chunked.headers.retain(|(name, _)| name != "Content-Length");
            let chunked = chunked.header("Transfer-Encoding", "chunked");
            to.write_all(&chunked.head())?;
            let body = &right.body[..n.min(right.body.len())];
            to.write_all(format!("{:x}\r\n", body.len()).as_bytes())?;
            to.write_all(body)?;
            to.write_all(b"\r\n")
        }
        Some(Way::Silence) => {
            wait_for_the_end(shared);
            Ok(())
        }
        Some(Way::Close | Way::Reset) => Ok(()),
        Some(Way::LongLength) => {
            let length = right.body.len() + 7;
            right.header("Content-Length", length).send(&seen, to, all)
        }
        Some(Way::ShortLength) => {
            let length = right.body.len() / 2;
            right.header("Content-Length", length).send(&seen, to, all)
        }
        Some(Way::WrongByte(at)) => {
            let first = range(&seen).map_or(0, |(first, _)| first);
            let mut wrong = right;
            if let Some(byte) = at.checked_sub(first).and_then(|at| wrong.body.get_mut(at)) {
                *byte ^= 1;
            }
            wrong.send(&seen, to, all)
        }
        Some(Way::Whole) => {
            let file = file.unwrap_or_default();
            Answer::new(200, &file).header("Content-Length", file.len()).send(&seen, to, all)
        }
        Some(Way::OtherRange) => {
            let file = file.unwrap_or_default();
            let body = &file[(first + 1).min(file.len())..(end + 1).min(file.len())];
            Answer::new(206, body)
                .header("Content-Range", shifted(1))
                .header("Content-Length", body.len())
                .send(&seen, to, all)
        }
        Some(Way::WrongContentRange) => {
            let wrong = Answer { status: 206, ..right };
            wrong.header("Content-Range", shifted(3)).send(&seen, to, all)
        }
        Some(Way::NoContentRange) => {
            let mut without = Answer { status: 206, ..right };
            without.headers.retain(|(name, _)| name != "Content-Range");
            without.send(&seen, to, all)
        }
        Some(Way::Status(status, headers)) => {
            let mut answer = Answer::new(status, b"<Error><Code>AnError</Code></Error>").header("Content-Length", 35);
            for (name, value) in headers {
                answer = answer.header(name, value);
            }
            answer.send(&seen, to, all)
        }
        Some(Way::NoHead(status)) if seen.method == "HEAD" => Answer::new(status, b"").send(&seen, to, all),
        Some(Way::NoHead(_)) => right.send(&seen, to, all),
        Some(Way::RedirectCircle) => {
            let other = match seen.path.strip_prefix("/hop/1") {
                Some(rest) => rest.to_owned(),
                None => format!("/hop/1{}", seen.path),
            };
            redirect(&other).send(&seen, to, all)
        }
        Some(Way::RedirectOn) => redirect(&format!("/hop/{requests}{}", seen.path)).send(&seen, to, all),
        Some(Way::RedirectTo(url)) => redirect(&url).send(&seen, to, all),
        Some(Way::Encoded(encoding)) => right.header("Content-Encoding", encoding).send(&seen, to, all),
        Some(Way::Slow(rate)) => {
            to.write_all(&right.head())?;
            for part in right.body.chunks(rate) {
                to.write_all(part)?;
                to.flush()?;
                sleep(Duration::from_millis(500));
            }
            Ok(())
        }
        Some(Way::SlowHead) => {
            to.write_all(b"HTTP/1.1 200 OK\r\n")?;
            while !shared.stopped.load(Ordering::Relaxed) {
                to.write_all(b"X-Wait: 1\r\n")?;
                sleep(Duration::from_millis(500));
            }
            Ok(())
        }
        Some(Way::Empty) => Answer::new(200, b"").header("Content-Length", 0).send(&seen, to, all),
        Some(Way::Page) => {
            let page = b"<html>Please log in to the network</html>";
            Answer::new(200, page).header("Content-Length", page.len()).send(&seen, to, all)
        }
        Some(Way::Garbage) => to.write_all(b"220 mail.example ESMTP ready\r\n"),
        Some(Way::EndlessHeaders) => {
            to.write_all(b"HTTP/1.1 200 OK\r\n")?;
            for n in 0..100_000 {
                to.write_all(format!("X-{n}: {n}\r\n").as_bytes())?;
            }
            Ok(())
        }
        Some(Way::Swapped) if requests == 1 => right.send(&seen, to, all),
        Some(Way::Swapped) => {
            let mut other = right;
            other.body.iter_mut().for_each(|byte| *byte = !*byte);
            other.send(&seen, to, all)
        }
        Some(Way::Login(header, wanted)) => match seen.headers.get("authorization") {
            Some(given) if *given == wanted => right.send(&seen, to, all),
            _ => Answer::new(401, b"")
                .header("WWW-Authenticate", header)
                .header("Content-Length", 0)
                .send(&seen, to, all),
        },
    }
}

fn redirect(to: &str) -> Answer {
    Answer::new(302, b"").header("Location", to).header("Content-Length", 0)
}

/// Keeps a connection open until the test is over.
fn wait_for_the_end(shared: &Shared) {
    while !shared.stopped.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(20));
    }
}
