//! Sentences for what a target refuses.

use std::ops::Range;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use super::Explain;
use crate::cli::words::{Phrase, say};
use crate::target::{Detour, Doing, Error, Fault, NoLogin, Nonsense, Setting, Warning};

impl Explain for Error {
    fn explain(&self) -> Phrase {
        match self {
            Error::Io(e) => e.explain(),
            Error::Relative { name, path } => Phrase::usage("target.relative").with("name", name).path("path", path),
            Error::NotText { name, path } => Phrase::usage("target.not-text").with("name", name).path("path", path),
            Error::FileName { file } => Phrase::refused("target.file-name").with("file", file),
            Error::Taken { place } => Phrase::conflict("target.taken").with("path", place),
            Error::NoFile { path } => Phrase::failed("target.no-file").path("path", path),
            Error::Remote { target, doing, place, fault: Fault::Denied { status } } => Phrase::failed("target.denied")
                .with("name", target)
                .with("place", place)
                .with("doing", self::doing(*doing))
                .with("status", status),
            Error::Remote { target, doing, place, fault: Fault::NoLogin } => Phrase::failed("target.no-login")
                .with("name", target)
                .with("place", place)
                .with("doing", self::doing(*doing)),
            Error::Remote { target, doing, place, fault } => Phrase::failed("target.remote")
                .with("name", target)
                .with("place", place)
                .with("doing", self::doing(*doing))
                .with("fault", self::fault(fault)),
            Error::ReadOnly { target } => Phrase::usage("target.read-only").with("name", target),
            Error::NoList { target } => Phrase::usage("target.no-list").with("name", target),
            Error::Settings { target, reason } => {
                Phrase::usage("target.settings").with("name", target).with("reason", setting(reason))
            }
            Error::Unset(e) => e.explain(),
            Error::Expiry { target, longest } => {
                Phrase::usage("target.expiry").with("name", target).with("days", longest.as_secs() / 86_400)
            }
            Error::GivenUp => Phrase::refused("target.given-up"),
            Error::Source { path, expected, found } => {
                Phrase::refused("target.source").path("path", path).with("expected", expected).with("found", found)
            }
            Error::ReadBack { place, expected, found } => {
                Phrase::refused("target.read-back").with("path", place).with("expected", expected).with("found", found)
            }
        }
    }
}

fn setting(setting: &Setting) -> String {
    let text = |key, text: &str| say(key, &[("text", text.to_owned())]);
    match setting {
        Setting::Endpoint(endpoint) => text("setting.endpoint", endpoint),
        Setting::EndpointOfBucket { endpoint, bucket } => {
            say("setting.endpoint-of-bucket", &[("endpoint", endpoint.clone()), ("bucket", bucket.clone())])
        }
        Setting::Account(account) => text("setting.account", account),
        Setting::Prefix(prefix) => text("setting.prefix", prefix),
        Setting::Region(region) => text("setting.region", region),
        Setting::Bucket(bucket) => text("setting.bucket", bucket),
        Setting::Registry(registry) => text("setting.registry", registry),
        Setting::Repository(repository) => text("setting.repository", repository),
        Setting::Url(reason) => say("setting.url", &[("reason", reason.clone())]),
        Setting::Scheme => say("setting.scheme", &[]),
        Setting::UrlWithLogin => say("setting.url-with-login", &[]),
        Setting::Login => say("setting.login", &[]),
        Setting::Group(group) => text("setting.group", group),
        Setting::Type => say("setting.type", &[]),
        Setting::Library(reason) => reason.clone(),
    }
}

fn detour(detour: Detour) -> String {
    let key = match detour {
        Detour::Circle => "detour.circle",
        Detour::Many => "detour.many",
        Detour::Scheme => "detour.scheme",
        Detour::Downgrade => "detour.downgrade",
        Detour::Login => "detour.login",
        Detour::Region => "detour.region",
        Detour::Elsewhere => "detour.elsewhere",
    };
    say(key, &[])
}

fn doing(doing: Doing) -> String {
    let key = match doing {
        Doing::Size => "target.doing.size",
        Doing::Read => "target.doing.read",
        Doing::Write => "target.doing.write",
        Doing::List => "target.doing.list",
        Doing::Delete => "target.doing.delete",
        Doing::Sign => "target.doing.sign",
    };
    say(key, &[])
}

/// What came of a request, as the end of a sentence.
pub(super) fn fault(fault: &Fault) -> String {
    let (key, args) = match fault {
        Fault::Missing => ("target.fault.missing", vec![]),
        Fault::Denied { status } => ("target.fault.denied", vec![("status", status.to_string())]),
        Fault::Busy { status, .. } => ("target.fault.busy", vec![("status", status.to_string())]),
        Fault::Server { status } => ("target.fault.server", vec![("status", status.to_string())]),
        Fault::Status { status } => ("target.fault.status", vec![("status", status.to_string())]),
        Fault::Short { .. } => ("target.fault.short", vec![]),
        Fault::Refused { status, code } => {
            ("target.fault.refused", vec![("status", status.to_string()), ("code", code.clone())])
        }
        Fault::NoLogin => ("target.fault.no-login", vec![]),
        Fault::Redirect { to, reason } => {
            ("target.fault.redirect", vec![("to", to.clone()), ("reason", detour(*reason))])
        }
        Fault::Connection { reason } => ("target.fault.connection", vec![("reason", reason.clone())]),
        Fault::Tls { reason } => ("target.fault.tls", vec![("reason", reason.clone())]),
        Fault::Stalled { after } => ("target.fault.stalled", vec![("seconds", seconds(*after))]),
        Fault::Login { reason } => ("target.fault.login", vec![("reason", no_login(reason))]),
        Fault::Protocol { reason } => ("target.fault.protocol", vec![("reason", nonsense(reason))]),
    };
    say(key, &args)
}

fn nonsense(nonsense: &Nonsense) -> String {
    let (key, args) = match nonsense {
        Nonsense::NoSize => ("nonsense.no-size", vec![]),
        Nonsense::NoRange => ("nonsense.no-range", vec![]),
        Nonsense::OtherLength { found, asked } => {
            ("nonsense.other-length", vec![("found", found.to_string()), ("asked", asked.to_string())])
        }
        Nonsense::OtherRange { found, asked } => {
            let range = |range: &Range<u64>| format!("{}–{}", range.start, range.end);
            ("nonsense.other-range", vec![("found", range(found)), ("asked", range(asked))])
        }
        Nonsense::Unasked => ("nonsense.unasked", vec![]),
        Nonsense::TooLong => ("nonsense.too-long", vec![]),
        Nonsense::Location => ("nonsense.location", vec![]),
        Nonsense::Encoded(encoding) => ("nonsense.encoded", vec![("encoding", encoding.clone())]),
        Nonsense::NoTag => ("nonsense.no-tag", vec![]),
        Nonsense::HoldsNothing { written } => ("nonsense.holds-nothing", vec![("written", written.to_string())]),
        Nonsense::HoldsOther { written, holds } => {
            ("nonsense.holds-other", vec![("written", written.to_string()), ("holds", holds.to_string())])
        }
        Nonsense::Lost => ("nonsense.lost", vec![]),
        Nonsense::LostPart => ("nonsense.lost-part", vec![]),
        Nonsense::OtherManifest => ("nonsense.other-manifest", vec![]),
        Nonsense::NoPosition => ("nonsense.no-position", vec![]),
        Nonsense::NoUpload => ("nonsense.no-upload", vec![]),
        Nonsense::List => ("nonsense.list", vec![]),
        Nonsense::TokenServer => ("nonsense.token-server", vec![]),
        Nonsense::NoToken => ("nonsense.no-token", vec![]),
        Nonsense::Key => ("nonsense.key", vec![]),
        Nonsense::Tag => ("nonsense.tag", vec![]),
        Nonsense::Manifest => ("nonsense.manifest", vec![]),
        Nonsense::Json(reason) => ("nonsense.json", vec![("reason", reason.clone())]),
        Nonsense::Library(reason) => return reason.clone(),
    };
    say(key, &args)
}

fn no_login(reason: &NoLogin) -> String {
    let program = |program: &String| ("program", program.clone());
    let (key, args) = match reason {
        NoLogin::File { path, reason } => {
            ("fsx.read", vec![("path", path.display().to_string()), ("reason", reason.clone())])
        }
        NoLogin::Json { path, line, column } => (
            "no-login.json",
            vec![("path", path.display().to_string()), ("line", line.to_string()), ("column", column.to_string())],
        ),
        NoLogin::Helper(helper) => ("no-login.helper", vec![("helper", helper.clone())]),
        NoLogin::NotRun { program: name, reason } => {
            ("no-login.not-run", vec![program(name), ("reason", reason.clone())])
        }
        NoLogin::Failed { program: name, status } => {
            let (key, number) = match status.code() {
                Some(code) => ("check.exit", code),
                None => ("check.signal", status.signal().unwrap_or_default()),
            };
            ("no-login.failed", vec![program(name), ("outcome", say(key, &[("value", number.to_string())]))])
        }
        NoLogin::Nothing(name) => ("no-login.nothing", vec![program(name)]),
        NoLogin::Clear(url) => ("no-login.clear", vec![("url", url.clone())]),
        NoLogin::Characters => ("no-login.characters", vec![]),
    };
    say(key, &args)
}

/// A time in seconds, with a tenth where it is not a whole number.
pub(super) fn seconds(time: Duration) -> String {
    let text = format!("{:.1}", time.as_secs_f64());
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// The sentence of a warning.
pub fn warning(warning: &Warning) -> String {
    match warning {
        Warning::WorldWritable { path, mode } => {
            say("target.world-writable", &[("path", path.display().to_string()), ("mode", format!("{mode:04o}"))])
        }
    }
}
