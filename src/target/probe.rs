//! Whether something answers: one look for a health check. No login, no proxy, and no redirect is followed, since it is
//! this very address that has to answer.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use super::Fault;
use crate::net::{Ambient, block_on, client};

/// The status that `url` answers with within `limit`. What the answer holds is not read.
///
/// # Errors
///
/// [`Fault::Stalled`] where nothing came in time, else that nobody answers there.
pub fn ask_web(url: &str, limit: Duration) -> Result<u16, Fault> {
    let ambient = Ambient { stall_timeout: limit, ..Ambient::default() };
    let ask = || async {
        let mut builder = client(&ambient)?.timeout(limit);
        if url.starts_with("http://") {
            // Without TLS it makes no difference which certificates the system trusts, or whether it has any.
            builder = builder.tls_certs_only([]);
        }
        builder.build()?.get(url).send().await.map(|answer| answer.status().as_u16())
    };
    let answer = block_on(async { ask().await }).map_err(|e| Fault::Connection { reason: e.to_string() })?;
    answer.map_err(|e| Fault::of(&e, limit))
}

/// Whether the port `host:port` takes a connection within `limit`; every address of the host is tried.
///
/// # Errors
///
/// What the system said of the last one.
pub fn ask_port(address: &str, limit: Duration) -> io::Result<()> {
    let deadline = Instant::now() + limit;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in address.to_socket_addrs()? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(_) => return Ok(()),
            Err(e) => last = e,
        }
    }
    Err(last)
}
