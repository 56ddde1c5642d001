//! From the errors of libraries to a [`Fault`].

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use super::{Fault, Nonsense};

impl Fault {
    /// What came of a request that got no answer, or of a body that broke off; `waited` is for how long somebody waited.
    /// Names the host, never the URL, whose query may be a secret.
    pub(super) fn of(error: &reqwest::Error, waited: Duration) -> Self {
        let reasons: Vec<String> = chain(error).skip(1).map(ToString::to_string).collect();
        let host = error.url().and_then(|url| url.host_str()).map(str::to_owned);
        let reason = host.into_iter().chain(reasons.last().cloned()).collect::<Vec<_>>().join(": ");
        if chain(error).any(is_tls) {
            Fault::Tls { reason }
        } else if error.is_timeout() && !error.is_connect() {
            Fault::Stalled { after: waited }
        } else if error.is_builder() {
            Fault::Protocol { reason: Nonsense::Library(reason) }
        } else {
            Fault::Connection { reason }
        }
    }

    /// A failure in the middle of a body, as files have it.
    pub(super) fn in_body(error: &reqwest::Error, waited: Duration) -> io::Error {
        let kind = match Self::of(error, waited) {
            Fault::Stalled { .. } => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::ConnectionReset,
        };
        io::Error::new(kind, Self::of(error, waited))
    }

    /// The fault an error was made from, however deep.
    pub(super) fn within(error: &(dyn StdError + 'static)) -> Option<Self> {
        chain(error).find_map(|error| error.downcast_ref::<Fault>().cloned())
    }
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

/// Whether TLS failed. An `io::Error` hides what it was made from from its own `source`, and one may be in another.
fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || within.is_some_and(|error| is_tls(error))
}
