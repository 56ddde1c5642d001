//! A relay in front of a server on loopback: lets bytes through at a pace, counts them, and does something once so many
//! have passed.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// What the connections of a relay share.
struct Shared {
    to: u16,
    /// Bytes a second towards the client, over all connections.
    pace: Option<u64>,
    /// How long what a client says takes to the server.
    round_trip: Duration,
    /// When the next byte towards the client may pass.
    next: Mutex<Instant>,
    passed: AtomicU64,
    down: AtomicU64,
    after: u64,
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    stopped: AtomicBool,
}

/// A running relay; dropped, it takes no more connections.
pub struct Relay {
    pub port: u16,
    shared: Arc<Shared>,
}

impl Relay {
    /// In front of `to`: `pace` bytes a second towards clients where one is given, and `then` as soon as more than `after`
    /// bytes have passed, in either direction.
    pub fn start(to: u16, pace: Option<u64>, after: u64, then: impl FnOnce() + Send + 'static) -> Self {
        Self::with(to, pace, Duration::ZERO, after, then)
    }

    /// In front of `to`: `pace` bytes a second towards clients where one is given, and a request is that much longer on its way.
    pub fn shaped(to: u16, pace: Option<u64>, round_trip: Duration) -> Self {
        Self::with(to, pace, round_trip, u64::MAX, || {})
    }

    fn with(
        to: u16,
        pace: Option<u64>,
        round_trip: Duration,
        after: u64,
        then: impl FnOnce() + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let next = Mutex::new(Instant::now());
        let (passed, down, stopped) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        let then: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(Some(Box::new(then)));
        let shared = Arc::new(Shared { to, pace, round_trip, next, passed, down, after, then, stopped });
        let of_listener = shared.clone();
        spawn(move || {
            for client in listener.incoming().flatten() {
                if of_listener.stopped.load(Ordering::Relaxed) {
                    return;
                }
                // A server that is gone: dropping the client's side tells it so.
                let Ok(server) = TcpStream::connect(("127.0.0.1", of_listener.to)) else { continue };
                let both = client.try_clone().and_then(|client| Ok((client, server.try_clone()?)));
                let (client_out, server_out) = both.expect("handles");
                let (up, down) = (of_listener.clone(), of_listener.clone());
                spawn(move || up.copy(client, server_out, false));
                spawn(move || down.copy(server, client_out, true));
            }
        });
        Self { port, shared }
    }

    /// Bytes that have passed towards clients.
    pub fn down(&self) -> u64 {
        self.shared.down.load(Ordering::Relaxed)
    }

    /// Bytes that have passed, in both directions.
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn copy(&self, mut from: TcpStream, mut to: TcpStream, down: bool) {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            match (down, self.pace) {
                (true, Some(pace)) => self.wait(count as u64, pace),
                (true, None) => {}
                (false, _) => sleep(self.round_trip),
            }
            if down {
                self.down.fetch_add(count as u64, Ordering::Relaxed);
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
            if self.passed.fetch_add(count as u64, Ordering::Relaxed) + count as u64 > self.after
                && let Some(then) = self.then.lock().expect("no panic").take()
            {
                then();
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }

    /// Waits until `count` more bytes are due.
    fn wait(&self, count: u64, pace: u64) {
        let due = {
            let mut next = self.next.lock().expect("no panic");
            *next = (*next).max(Instant::now()) + Duration::from_secs_f64(count as f64 / pace as f64);
            *next
        };
        sleep(due.saturating_duration_since(Instant::now()));
    }
}
