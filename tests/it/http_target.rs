//! Web servers as targets: what comes of each way to misbehave, and where a login goes. (`faults.rs` has whole deploys.)

use std::io::{self, Read as _};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use deploy_tool::config::{self, Secret, TargetPlace};
use deploy_tool::model::{HttpPlace, Place, Sha256};
use deploy_tool::target::{self, Ambient, Detour, Error, Fault, Target, Wanted};

use super::fault_server::{Certificate, Server, Way};

const PATH: &str = "/packages/model/1.0.0/model-1.0.0.tar.zst";

fn bytes() -> Vec<u8> {
    (0..100_000u32).map(|n| (n * 7 + n / 251) as u8).collect()
}

fn server() -> Server {
    Server::start(&[(PATH, &bytes()), ("/packages/again.tar", &bytes()), ("/packages/empty.tar", b"")])
}

fn impatient() -> Ambient {
    Ambient { stall_timeout: Duration::from_secs(1), ..Ambient::default() }
}

fn target(url: &str, token: Option<&str>) -> Arc<dyn Target> {
    let token = token.map(|token| Secret::new(token.to_owned()));
    let place = TargetPlace::Http(config::Http { url: url.to_owned(), token, login: None });
    let target = config::Target { name: "web".to_owned(), place, backup: false };
    target::open(&target, &impatient(), None).expect("a target")
}

/// What came of reading.
#[derive(Debug)]
enum Got {
    Bytes(u64, Vec<u8>),
    Refused(Fault),
    Broken(io::ErrorKind),
}

fn read(target: &dyn Target, key: &str, range: Option<Range<u64>>) -> Got {
    let mut reading = match target.read(key, range) {
        Ok(reading) => reading,
        Err(Error::Remote { fault, .. }) => return Got::Refused(fault),
        Err(other) => panic!("{other}"),
    };
    let mut got = Vec::new();
    match reading.body.read_to_end(&mut got) {
        Ok(_) => Got::Bytes(reading.start, got),
        Err(e) => Got::Broken(e.kind()),
    }
}

/// Reads the bytes 1000 to 90000 of a server that does this to every request.
fn part(way: Way) -> Got {
    let server = server();
    server.misbehave(way, usize::MAX);
    read(target(&server.url("/packages/"), None).as_ref(), &server.url(PATH), Some(1_000..90_000))
}

#[test]
fn whole_files_parts_lengths_and_what_is_not_there() {
    let server = server();
    let target = target(&server.url("/packages/"), None);
    let key = server.url(PATH);
    assert_eq!(target.size(&key).expect("answered"), Some(100_000));
    assert!(matches!(read(target.as_ref(), &key, None), Got::Bytes(0, got) if got == bytes()));
    for range in [0..1, 5..70_000, 99_999..100_000] {
        let expected = bytes()[range.start as usize..range.end as usize].to_vec();
        let got = read(target.as_ref(), &key, Some(range.clone()));
        assert!(matches!(got, Got::Bytes(start, got) if start == range.start && got == expected), "{range:?}");
    }
    let nothing = server.url("/packages/nothing.tar");
    assert_eq!(target.size(&nothing).expect("answered"), None);
    assert!(matches!(read(target.as_ref(), &nothing, None), Got::Refused(Fault::Missing)));
    let empty = server.url("/packages/empty.tar");
    assert_eq!(target.size(&empty).expect("answered"), Some(0));
    assert!(matches!(read(target.as_ref(), &empty, None), Got::Bytes(0, got) if got.is_empty()));
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.headers["accept-encoding"] == "identity"));
    assert!(seen.iter().all(|seen| !seen.headers.contains_key("cache-control")));
    target.read_fresh(&key, None).expect("read");
    assert_eq!(server.seen().last().expect("a request").headers["cache-control"], "no-cache");
}

#[test]
fn lengths_are_asked_of_servers_that_refuse_head() {
    for status in [403, 405, 501] {
        let server = server();
        server.misbehave(Way::NoHead(status), usize::MAX);
        let target = target(&server.url("/packages/"), None);
        assert_eq!(target.size(&server.url(PATH)).expect("answered"), Some(100_000), "{status}");
        assert_eq!(target.size(&server.url("/packages/empty.tar")).expect("answered"), Some(0), "{status}");
        assert_eq!(target.size(&server.url("/packages/nothing.tar")).expect("answered"), None, "{status}");
    }
    let server = server();
    server.misbehave(Way::Encoded("br"), usize::MAX);
    let size = target(&server.url("/packages/"), None).size(&server.url(PATH));
    assert!(matches!(size, Ok(Some(100_000))), "a part's length is no compressed one: {size:?}");
}

#[test]
fn a_body_that_is_not_what_was_announced_breaks() {
    use io::ErrorKind::{ConnectionReset, TimedOut, UnexpectedEof};
    for (way, expected) in [
        (Way::CutAfter(0), &[UnexpectedEof, ConnectionReset][..]),
        (Way::CutAfter(50_000), &[UnexpectedEof, ConnectionReset]),
        (Way::ResetAfter(50_000), &[ConnectionReset]),
        (Way::CutChunks(50_000), &[UnexpectedEof, ConnectionReset]),
        (Way::StallAfter(0), &[TimedOut]),
        (Way::StallAfter(50_000), &[TimedOut]),
    ] {
        let got = part(way.clone());
        assert!(matches!(got, Got::Broken(kind) if expected.contains(&kind)), "{way:?}: {got:?}");
    }
    let server = server();
    server.misbehave(Way::LongLength, usize::MAX);
    let got = read(target(&server.url("/packages/"), None).as_ref(), &server.url(PATH), None);
    assert!(matches!(got, Got::Broken(UnexpectedEof | ConnectionReset)), "{got:?}");
}

#[test]
fn an_answer_that_makes_no_sense_is_a_fault() {
    for way in [
        Way::OtherRange,
        Way::WrongContentRange,
        Way::NoContentRange,
        Way::LongLength,
        Way::ShortLength,
        Way::Encoded("gzip"),
        Way::Encoded("br"),
        Way::RedirectTo("http://[".to_owned()),
    ] {
        let got = part(way.clone());
        assert!(matches!(got, Got::Refused(Fault::Protocol { .. })), "{way:?}: {got:?}");
    }
    assert!(matches!(part(Way::Encoded("identity")), Got::Bytes(1_000, _)));
    assert!(matches!(part(Way::Encoded("zstd")), Got::Bytes(1_000, _)), "what a server makes of the file's name");
    for way in [Way::Close, Way::Reset, Way::Garbage, Way::EndlessHeaders] {
        let got = part(way.clone());
        assert!(matches!(got, Got::Refused(Fault::Connection { .. })), "{way:?}: {got:?}");
    }
    let got = part(Way::Silence);
    assert!(matches!(got, Got::Refused(Fault::Stalled { after }) if after == Duration::from_secs(1)), "{got:?}");
    let closed = TcpPort::free();
    let got = read(target(&closed.url("/"), None).as_ref(), &closed.url("/m.tar"), None);
    assert!(matches!(got, Got::Refused(Fault::Connection { .. })), "{got:?}");
}

/// A port where nobody listens.
struct TcpPort(u16);

impl TcpPort {
    fn free() -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        Self(listener.local_addr().expect("an address").port())
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.0)
    }
}

#[test]
fn what_no_header_tells_is_left_to_digests() {
    let wrong = |got| matches!(got, Got::Bytes(1_000, got) if got.len() == 89_000 && got != bytes()[1_000..90_000]);
    assert!(wrong(part(Way::WrongByte(5_000))));
    assert!(matches!(part(Way::Empty), Got::Bytes(0, got) if got.is_empty()));
    assert!(matches!(part(Way::Page), Got::Bytes(0, got) if got.starts_with(b"<html>")));
    assert!(matches!(part(Way::Slow(45_000)), Got::Bytes(1_000, got) if got == bytes()[1_000..90_000]));
    let server = server();
    server.misbehave(Way::Swapped, usize::MAX);
    let target = target(&server.url("/packages/"), None);
    let part = || read(target.as_ref(), &server.url(PATH), Some(1_000..90_000));
    assert!(!wrong(part()) && wrong(part()));
}

#[test]
fn a_server_that_cannot_prove_who_it_is_is_refused() {
    let server = Server::start_tls(&[(PATH, &bytes())], &Certificate::new(&["127.0.0.1"]));
    let got = read(target(&server.url("/packages/"), Some("s3cret")).as_ref(), &server.url(PATH), None);
    assert!(matches!(got, Got::Refused(Fault::Tls { .. })), "{got:?}");
    assert!(server.seen().is_empty(), "it got no request, so no login");
}

#[test]
fn two_hundred_for_a_part_is_the_whole_file() {
    assert!(matches!(part(Way::Whole), Got::Bytes(0, got) if got == bytes()));
}

#[test]
fn a_status_says_what_to_do() {
    use std::time::Duration;
    let date = &[("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Retry-After", "Sun, 06 Nov 1994 08:49:40 GMT")];
    let busy = |status, seconds: Option<u64>| Fault::Busy { status, retry_after: seconds.map(Duration::from_secs) };
    for (way, expected) in [
        (Way::Status(404, &[]), Fault::Missing),
        (Way::Status(410, &[]), Fault::Missing),
        (Way::Status(401, &[]), Fault::Denied { status: 401 }),
        (Way::Status(403, &[]), Fault::Denied { status: 403 }),
        (Way::Status(429, &[("Retry-After", "7")]), busy(429, Some(7))),
        (Way::Status(503, date), busy(503, Some(3))),
        (Way::Status(503, &[]), busy(503, None)),
        (Way::Status(408, &[]), Fault::Server { status: 408 }),
        (Way::Status(500, &[]), Fault::Server { status: 500 }),
        (Way::Status(502, &[]), Fault::Server { status: 502 }),
        (Way::Status(416, &[]), Fault::Short { total: None }),
        (Way::Status(416, &[("Content-Range", "bytes */7")]), Fault::Short { total: Some(7) }),
        (Way::Status(400, &[]), Fault::Status { status: 400 }),
        (Way::Status(304, &[]), Fault::Status { status: 304 }),
        (Way::Status(302, &[]), Fault::Status { status: 302 }),
    ] {
        match part(way.clone()) {
            Got::Refused(fault) => assert_eq!(fault, expected, "{way:?}"),
            other => panic!("{way:?}: {other:?}"),
        }
    }
}

#[test]
fn redirects_are_followed_until_it_makes_no_sense() {
    let reason = |way| match part(way) {
        Got::Refused(Fault::Redirect { to, reason }) => (to, reason),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(Way::RedirectCircle).1, Detour::Circle);
    assert_eq!(reason(Way::RedirectOn).1, Detour::Many);
    assert_eq!(reason(Way::RedirectTo("file:///etc/passwd".to_owned())).1, Detour::Scheme);
    let (to, why) = reason(Way::RedirectTo("http://mei:pass@127.0.0.1/m.tar?sig=5ec7e7".to_owned()));
    assert_eq!((to.as_str(), why), ("http://127.0.0.1/m.tar", Detour::Login));
    let (from, to) = (server(), server());
    from.misbehave(Way::RedirectTo("/packages/../packages/moved.tar".to_owned()), 1);
    from.misbehave(Way::RedirectTo(to.url(PATH)), 1);
    let target = target(&from.url("/packages/"), None);
    assert!(matches!(read(target.as_ref(), &from.url(PATH), Some(3..9)), Got::Bytes(3, got) if got == bytes()[3..9]));
    assert_eq!(to.seen().last().expect("it was asked").headers["range"], "bytes=3-8");
}

#[test]
fn a_login_goes_to_its_own_host_and_nowhere_else() {
    let (own, other) = (server(), server());
    let web = target(&own.url("/packages/"), Some("s3cret"));
    assert!(matches!(read(web.as_ref(), &own.url(PATH), None), Got::Bytes(..)));
    assert_eq!(own.seen()[0].headers["authorization"], "Bearer s3cret");
    // A redirect elsewhere, and from there back again.
    own.misbehave(Way::RedirectTo(other.url("/hop/x.tar")), 1);
    other.misbehave(Way::RedirectTo(own.url("/packages/again.tar")), 1);
    assert!(matches!(read(web.as_ref(), &own.url(PATH), None), Got::Bytes(..)));
    assert!(own.seen()[1].headers.contains_key("authorization"));
    assert!(!own.seen()[2].headers.contains_key("authorization"), "not after it was elsewhere");
    assert!(web.size(&own.url(PATH)).is_ok());
    assert!(own.seen()[3].headers.contains_key("authorization"));
    // A place on another host, port or scheme is not in the target at all.
    let place = |url: String| Place::Http(HttpPlace { url, extra: Default::default() });
    let wanted = Wanted { file: "model-1.0.0.tar.zst", sha256: Sha256::of(b"") };
    let elsewhere = place(other.url(PATH));
    assert_eq!(web.locate(&elsewhere, wanted), None);
    assert_eq!(web.locate(&place(own.url(PATH).replace("127.0.0.1", "localhost")), wanted), None);
    assert_eq!(web.locate(&place(own.url(PATH).replace("http:", "https:")), wanted), None);
    assert_eq!(web.locate(&place(own.url("/private/model-1.0.0.tar.zst")), wanted), None);
    // It is read without a login.
    let anonymous = target::anonymous("web", &elsewhere, &impatient()).expect("a target").expect("of this kind");
    let key = anonymous.locate(&elsewhere, wanted).expect("its own place");
    assert!(matches!(read(anonymous.as_ref(), &key, None), Got::Bytes(..)));
    assert!(other.seen().iter().all(|seen| !seen.headers.contains_key("authorization")));
}

#[test]
fn a_given_url_is_used_as_it_is_and_shown_to_nobody() {
    let server = server();
    let url = format!("{}?X-Amz-Signature=5ec7e7&x=1", server.url(PATH).replace("http://", "http://mei:pa%40ss@"));
    let (target, key) = target::from_url("given", &url, &impatient()).expect("a target");
    assert_eq!(key, server.url(PATH));
    assert!(matches!(read(target.as_ref(), &key, Some(3..9)), Got::Bytes(3, got) if got == bytes()[3..9]));
    let seen = server.seen();
    assert_eq!(seen[0].path, format!("{PATH}?X-Amz-Signature=5ec7e7&x=1"));
    assert_eq!(seen[0].headers["authorization"], "Basic bWVpOnBhQHNz");
    // Expired.
    server.misbehave(Way::Status(403, &[]), 1);
    let error = target.read(&key, None).map(|_| ()).expect_err("refused");
    assert!(matches!(&error, Error::Remote { fault: Fault::Denied { status: 403 }, .. }), "{error}");
    drop(server);
    let gone = target.size(&key).expect_err("nobody is there");
    for said in [format!("{error} {error:?}"), format!("{gone} {gone:?}"), format!("{target:?}"), target.shown(&key)] {
        assert!(!said.contains("5ec7e7") && !said.contains("pa%40ss") && !said.contains("pa@ss"), "{said}");
    }
}
