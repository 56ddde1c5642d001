//! Whole deploys from servers that misbehave, one row a behaviour: the root is exactly old or exactly new, what is said names
//! the server and what was wrong, and nobody is asked more often than that may help. (`http_target.rs` has the requests.)

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use super::env::Ran;
use super::fault_server::{Certificate, Seen, Server, Way};
use super::faults_host::{TOKEN, Version, for_package, version};
use super::sample::Sample;

/// What is to come of a behaviour.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// So many requests are answered so, and then it is well again: words are a warning, and mostly there are none.
    Passes(usize),
    /// It is no fault.
    Harmless,
    /// It may pass, so it is asked for five times, with pauses that grow, and then given up.
    Tried,
    /// It will not pass, so it is asked for once.
    Once,
    /// Other bytes than the package's: asked for once more past caches, then refused and kept.
    Lies,
    /// The same, but there are no bytes to keep.
    LiesEmpty,
}

impl Kind {
    /// Whether a deploy fails where there is no other source.
    fn is_fatal(self) -> bool {
        !matches!(self, Passes(_) | Harmless)
    }
}

use Kind::{Harmless, Lies, LiesEmpty, Once, Passes, Tried};

/// A behaviour, what comes of it, and what is said of it.
type Row = (Way, Kind, &'static str);

fn rows() -> Vec<Row> {
    let redirect = |to: &str| Way::RedirectTo(to.to_owned());
    let long = "says that";
    vec![
        (Way::CutAfter(0), Passes(1), ""),
        (Way::CutAfter(0), Tried, "end of file before message length reached"),
        (Way::CutAfter(50_000), Passes(2), ""),
        (Way::CutAfter(50_000), Tried, "end of file before message length reached"),
        (Way::ResetAfter(50_000), Passes(2), ""),
        (Way::ResetAfter(50_000), Tried, "Connection reset by peer"),
        (Way::CutChunks(50_000), Passes(2), ""),
        (Way::CutChunks(50_000), Tried, "unexpected EOF during chunk size line"),
        (Way::StallAfter(50_000), Passes(2), "nothing came from `bad` for 2 s"),
        (Way::StallAfter(0), Tried, "nothing came from `bad` for 2 s"),
        (Way::StallAfter(50_000), Tried, "nothing came from `bad` for 2 s"),
        (Way::Silence, Tried, "nothing came from `bad` for 2 s"),
        (Way::SlowHead, Tried, "nothing came from `bad` for 2 s"),
        (Way::Slow(1), Tried, "bytes came from `bad` in 2 s"),
        (Way::Close, Passes(1), ""),
        (Way::Close, Tried, "connection closed before message completed"),
        (Way::Reset, Passes(2), ""),
        (Way::Reset, Tried, "Connection reset by peer"),
        (Way::Garbage, Tried, "invalid HTTP version"),
        (Way::EndlessHeaders, Tried, "message head is too large"),
        (Way::LongLength, Tried, long),
        (Way::ShortLength, Tried, long),
        (Way::OtherRange, Tried, "which were asked for"),
        (Way::WrongContentRange, Tried, "which were asked for"),
        (Way::NoContentRange, Tried, "it is a part of the file, but does not say which"),
        (Way::Encoded("br"), Tried, "it was encoded on the way (`br`)"),
        (Way::Encoded("gzip"), Harmless, ""),
        (Way::Encoded("identity"), Harmless, ""),
        (Way::Whole, Harmless, ""),
        (Way::NoHead(405), Harmless, ""),
        (Way::Status(500, &[]), Passes(2), ""),
        (Way::Status(500, &[]), Tried, "the server failed (500)"),
        (Way::Status(502, &[]), Passes(1), ""),
        (Way::Status(408, &[]), Passes(1), ""),
        (Way::Status(408, &[]), Tried, "the server failed (408)"),
        (Way::Status(429, &[]), Tried, "the server asks to wait (429)"),
        (Way::Status(429, &[("Retry-After", "3600")]), Once, "the server asks to wait (429)"),
        (Way::Status(400, &[]), Once, "the server answered 400"),
        (Way::Status(401, &[]), Once, "access is refused (401)"),
        (Way::Status(403, &[]), Once, "access is refused (403)"),
        (Way::Status(404, &[]), Once, "`bad` has no file"),
        (Way::Status(410, &[]), Once, "`bad` has no file"),
        (Way::Status(416, &[]), Once, "ends before the bytes asked for"),
        (Way::Status(416, &[("Content-Range", "bytes */1000")]), LiesEmpty, "ends after 1000 of"),
        (Way::Status(451, &[]), Once, "the server answered 451"),
        (Way::Status(304, &[]), Once, "the server answered 304"),
        (Way::Login("Bearer", "another".to_owned()), Once, "access is refused (401)"),
        (Way::RedirectCircle, Once, "it leads in a circle"),
        (Way::RedirectOn, Once, "there were ten before it"),
        (redirect("file:///etc/passwd"), Once, "it is no web address"),
        (redirect("http://mei:pa55@127.0.0.1:9/m.tar"), Once, "it brings a login of its own"),
        (redirect("http://127.0.0.1:1/m.tar"), Tried, "Connection refused"),
        (redirect("http://["), Tried, "it redirects to what is no URL"),
        (Way::WrongByte(60), Passes(1), "has wrong bytes in piece 0"),
        (Way::WrongByte(60), Lies, "has wrong bytes in piece 0"),
        (Way::WrongByte(4_000_000), Lies, "has wrong bytes in piece 8"),
        (Way::Swapped, Lies, "has wrong bytes in piece"),
        (Way::Page, Lies, "ends after 41 of"),
        (Way::Empty, LiesEmpty, "ends after 0 of"),
    ]
}

/// The sources of a deploy.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sources {
    /// The bad one.
    Alone,
    /// The bad one first, and a good one where it fails.
    Before,
    /// The bad one and a good one at once.
    Beside,
}

#[test]
fn whatever_a_server_does_the_root_is_old_or_new_and_the_words_are_right() {
    let version = version();
    let rows = rows();
    let beside_another = [Sources::Beside, Sources::Before];
    let mut all: Vec<_> =
        beside_another.into_iter().flat_map(|sources| rows.iter().map(move |row| (sources, row))).collect();
    let sample = Sample::of("a server that misbehaves beside another one", all.len());
    all = sample.points().map(|point| all[point - 1]).collect();
    all.extend(rows.iter().map(|row| (Sources::Alone, row)));
    // Those that wait begin first.
    all.sort_by_key(|(sources, (_, kind, _))| (*sources, *kind) == (Sources::Alone, Tried));
    in_parallel(all, |(sources, row)| deploy(&version, *sources, row));
}

/// Runs all of them, many at once since most of their time is waiting; then fails with those that failed.
fn in_parallel<T: Send>(all: Vec<T>, run: impl Fn(&T) + Sync) {
    let (all, failed) = (Mutex::new(all), Mutex::new(0));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let Some(next) = all.lock().expect("no panic").pop() else { return };
                    // Its message is on stderr.
                    if catch_unwind(AssertUnwindSafe(|| run(&next))).is_err() {
                        *failed.lock().expect("no panic") += 1;
                    }
                }
            });
        }
    });
    assert_eq!(failed.into_inner().expect("no panic"), 0, "rows failed");
}

fn deploy(version: &Version, sources: Sources, (way, kind, said): &Row) {
    let (bad, good) = (version.server(), version.server());
    bad.misbehave(way.clone(), if let Passes(times) = kind { *times } else { usize::MAX });
    let servers: &[(&str, &Server)] = &[("bad", &bad), ("good", &good)];
    let (servers, tiers) = match sources {
        Sources::Alone => (&servers[..1], "[bad]"),
        Sources::Before => (servers, "[bad, good]"),
        Sources::Beside => (servers, "[[bad, good]]"),
    };
    let host = version.host(servers, &format!("connections: 1, stall_timeout: 2s, sources: {tiers}"));
    let ran = host.deploy(&[]);
    let what = format!("{way:?} {kind:?} {sources:?}: {ran:#?}");
    let fails = sources == Sources::Alone && kind.is_fatal();
    let status = match kind {
        Lies | LiesEmpty if fails => 4,
        _ => i32::from(fails),
    };
    assert_eq!(ran.status, Some(status), "{what}");
    if fails {
        host.assert_old(&what)
    } else {
        host.assert_new(&what)
    }
    match sources {
        Sources::Alone => alone(&ran, *kind, said, &for_package(&bad), &what),
        Sources::Before if kind.is_fatal() => assert!(names(&ran, "warning: ", said), "{what}"),
        _ => {}
    }
    if sources != Sources::Beside {
        let kept = *kind == Lies || matches!(way, Way::WrongByte(_));
        assert_eq!(host.rejected().len(), usize::from(kept), "{what}");
    }
    assert!(good.seen().iter().all(|seen| !seen.headers.contains_key("authorization")), "{what}");
}

/// Whether a line that begins so names the bad server and what was wrong.
fn names(ran: &Ran, begins: &str, said: &str) -> bool {
    ran.stderr.lines().any(|line| line.starts_with(begins) && line.contains("`bad`") && line.contains(said))
}

/// What is said, and asked for, where there is no other source.
fn alone(ran: &Ran, kind: Kind, said: &str, asked: &[Seen], what: &str) {
    let range = |seen: &Seen| seen.headers.get("range").cloned();
    let last = asked.last().expect("it was asked");
    // The first time, pieces before the bad one may have come with it.
    let end = |seen: &Seen| range(seen).and_then(|range| range.split('-').next_back().map(str::to_owned));
    let again: Vec<&Seen> = asked.iter().rev().take_while(|seen| end(seen) == end(last)).collect();
    let fresh: Vec<bool> = again.iter().map(|seen| seen.headers.contains_key("cache-control")).collect();
    match kind {
        Passes(_) | Harmless if said.is_empty() => assert_eq!(ran.stderr, "", "{what}"),
        Passes(_) | Harmless => assert!(names(ran, "warning: ", said), "{what}"),
        Tried | Once | Lies | LiesEmpty => {
            assert!(names(ran, "error: ", said) && ran.stderr.contains("\nhint: "), "{what}");
        }
    }
    match kind {
        Passes(_) | Harmless => {}
        Once => assert_eq!(fresh, [false], "{what}"),
        Lies | LiesEmpty => assert_eq!(fresh, [true, false], "the newest first: {what}"),
        Tried => {
            // The first of them may have brought the pieces before the one that was asked for then.
            let tries = asked.last_chunk::<5>().unwrap_or_else(|| panic!("five times: {what}"));
            assert!(tries.iter().all(|seen| !seen.headers.contains_key("cache-control")), "{what}");
            assert!(tries.iter().skip(1).all(|seen| range(seen) == range(last)), "{what}");
            let waited = last.at.duration_since(tries[0].at);
            assert!(waited >= Duration::from_millis(250 + 500 + 1000 + 2000), "{waited:?}: {what}");
        }
    }
}

#[test]
fn a_server_is_asked_again_when_it_says_and_no_sooner() {
    let version = version();
    const DATE: (&str, &str) = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let ways: [(&'static [(&str, &str)], u64); 3] = [
        (&[("Retry-After", "2")], 2),
        (&[DATE, ("Retry-After", "Sun, 06 Nov 1994 08:49:40 GMT")], 3),
        (&[DATE, ("Retry-After", "soon")], 0),
    ];
    let all = [429, 503].into_iter().flat_map(|status| ways.map(|(headers, seconds)| (status, headers, seconds)));
    in_parallel(all.collect(), |(status, headers, seconds)| {
        let bad = version.server();
        bad.misbehave(Way::Status(*status, headers), 1);
        let host = version.host(&[("bad", &bad)], "connections: 1");
        let ran = host.deploy(&[]);
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{status} {headers:?}: {ran:?}");
        host.assert_new("it waited");
        let asked = for_package(&bad);
        let waited = asked[1].at.duration_since(asked[0].at);
        assert!(waited >= Duration::from_secs(*seconds), "{status} {headers:?}: {waited:?}");
    });
}

#[test]
fn a_login_follows_no_redirect_to_another_server() {
    let version = version();
    let (bad, other) = (version.server(), version.server());
    bad.misbehave(Way::RedirectTo(other.url("/packages/model/1.0.0/model-1.0.0.tar.gz")), usize::MAX);
    let host = version.host(&[("bad", &bad)], "connections: 1");
    let ran = host.deploy(&[]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    host.assert_new("redirected");
    let login = format!("Bearer {TOKEN}");
    let given =
        |server: &Server| server.seen().iter().filter(|s| s.headers.get("authorization") == Some(&login)).count();
    assert_eq!(given(&bad), bad.seen().len(), "it is configured for this one");
    assert!(!for_package(&other).is_empty() && given(&other) == 0, "{:?}", other.seen());
}

#[test]
fn https_is_what_it_says_or_nothing() {
    let version = version();
    let certificate = |name: &str| Certificate::new(&[name]);
    let (right, wrong) = (certificate("127.0.0.1"), certificate("elsewhere.example"));
    // Trusted, and for this host.
    let bad = version.server_tls(&right);
    let host = version.host(&[("bad", &bad)], "connections: 1").trusting(&right);
    let ran = host.deploy(&[]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    host.assert_new("over TLS");
    // Trusted, for another host; and by an authority that this host does not know.
    for (certificate, trusted) in [(&wrong, &wrong), (&right, &wrong)] {
        let bad = version.server_tls(certificate);
        for with_good in [false, true] {
            let good = version.server();
            let servers: [(&str, &Server); 2] = [("bad", &bad), ("good", &good)];
            let host = version.host(&servers[..1 + usize::from(with_good)], "sources: [bad]").trusting(trusted);
            let ran = host.deploy(&[]);
            assert_eq!(ran.status, Some(i32::from(!with_good)), "{ran:?}");
            let begins = if with_good { "warning: " } else { "error: " };
            assert!(names(&ran, begins, "could not prove who it is"), "{ran:?}");
            if with_good { host.assert_new("the other") } else { host.assert_old("no other") }
        }
        assert!(bad.seen().is_empty(), "it got no request, so no login");
    }
    // From https to http is no way to go.
    let (bad, plain) = (version.server_tls(&right), version.server());
    bad.misbehave(Way::RedirectTo(plain.url("/m.tar.gz")), usize::MAX);
    let host = version.host(&[("bad", &bad)], "connections: 1").trusting(&right);
    let ran = host.deploy(&[]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(names(&ran, "error: ", "it leaves https for http"), "{ran:?}");
    host.assert_old("a redirect to http");
    assert_eq!((for_package(&bad).len(), plain.seen().len()), (1, 0));
}

#[test]
fn an_expired_url_is_asked_once_and_shown_without_its_signature() {
    let version = version();
    let given = version.server();
    given.misbehave(Way::Status(403, &[]), usize::MAX);
    let url = format!("{}?X-Amz-Signature=5ec7e7", given.url("/packages/model/1.0.0/model-1.0.0.tar.gz"));
    for with_good in [false, true] {
        let good = version.server();
        let servers: [(&str, &Server); 1] = [("good", &good)];
        let host = version.host(&servers[..usize::from(with_good)], "connections: 1");
        let before = for_package(&given).len();
        let ran = host.deploy(&["--url", &url]);
        assert_eq!(ran.status, Some(i32::from(!with_good)), "{ran:?}");
        assert!(ran.stderr.contains("of `--url`: access is refused (403)"), "{ran:?}");
        assert!(with_good || ran.stderr.contains("hint: ") && ran.stderr.contains("expired"), "{ran:?}");
        assert!(!ran.stderr.contains("5ec7e7"), "{ran:?}");
        if with_good {
            host.assert_new("the other")
        } else {
            host.assert_old("no other")
        }
        assert_eq!(for_package(&given).len() - before, 1);
    }
}

#[test]
fn an_index_is_fetched_past_servers_that_trickle_or_lie_about_it() {
    let version = version();
    let ways = [Way::Slow(1), Way::SlowHead, Way::Silence, Way::WrongByte(40), Way::Page, Way::Status(500, &[])];
    let all = ways.iter().flat_map(|way| ["[bad, good]", "[[bad, good]]"].map(|tiers| (way, tiers)));
    in_parallel(all.collect(), |(way, tiers)| {
        let (bad, good) = (version.server(), version.server());
        bad.misbehave((*way).clone(), usize::MAX).to_all();
        let host = version.host(&[("bad", &bad), ("good", &good)], &format!("stall_timeout: 30s, sources: {tiers}"));
        let ran = host.deploy(&[]);
        assert_eq!(ran.status, Some(0), "{way:?} {tiers}: {ran:?}");
        let waited = !matches!(way, Way::Status(..));
        assert!(!waited || names(&ran, "warning: ", ""), "{way:?} {tiers}: {ran:?}");
        host.assert_new("past the bad one");
    });
}

#[test]
fn what_a_liar_gave_is_kept_as_it_came() {
    let version = version();
    let bad = version.server();
    bad.misbehave(Way::Page, usize::MAX);
    let host = version.host(&[("bad", &bad)], "connections: 1");
    assert_eq!(host.deploy(&[]).status, Some(4));
    assert_eq!(host.rejected(), [b"<html>Please log in to the network</html>"]);
}
