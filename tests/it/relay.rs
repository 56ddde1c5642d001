//! A relay in front of a server on loopback: lets bytes through at a pace, counts them, and does something once so many
//! have passed.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// Bytes that pass at once.
const CHUNK: usize = 64 << 10;

/// Chunks of a connection that wait for the line.
const WAITING: usize = 2;

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
                match down.pace {
                    Some(pace) => drop(spawn(move || down.copy_paced(server, client_out, pace))),
                    None => drop(spawn(move || down.copy(server, client_out, true))),
                }
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
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if !down {
                sleep(self.round_trip);
            }
            if !self.pass(&buffer[..count], &mut to, down) {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }

    /// Towards the client at a pace. The next bytes are taken from the server while the last ones wait: the line is busy as
    /// long as there is something to send, whoever is late in this process.
    fn copy_paced(&self, mut from: TcpStream, mut to: TcpStream, pace: u64) {
        let (queue, line) = sync_channel::<(Instant, Vec<u8>)>(WAITING);
        let server = from.try_clone().expect("a handle");
        spawn(move || {
            let mut buffer = vec![0; CHUNK];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if queue.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
        for (arrived, bytes) in line {
            self.wait(arrived, bytes.len() as u64, pace);
            if !self.pass(&bytes, &mut to, true) {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = server.shutdown(Shutdown::Read);
    }

    /// Whether these bytes were taken; counts them.
    fn pass(&self, bytes: &[u8], to: &mut TcpStream, down: bool) -> bool {
        let count = bytes.len() as u64;
        if down {
            self.down.fetch_add(count, Ordering::Relaxed);
        }
        if to.write_all(bytes).is_err() {
            return false;
        }
        if self.passed.fetch_add(count, Ordering::Relaxed) + count > self.after
            && let Some(then) = self.then.lock().expect("no panic").take()
        {
            then();
        }
        true
    }

    /// Waits until so many bytes, which were there to be sent from `arrived` on, have passed the line.
    fn wait(&self, arrived: Instant, count: u64, pace: u64) {
        let due = {
            let mut next = self.next.lock().expect("no panic");
            *next = (*next).max(arrived) + Duration::from_secs_f64(count as f64 / pace as f64);
            *next
        };
        sleep(due.saturating_duration_since(Instant::now()));
    }
}
