//! The one asynchronous runtime of the program, and bodies of answers read from it like files.

use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();

/// Runs a future to its end, on threads that are started with the first one.
///
/// # Errors
///
/// No threads could be started.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    Ok(runtime()?.block_on(future))
}

/// Runs a future beside the caller.
///
/// # Errors
///
/// No threads could be started.
pub fn spawn<F>(future: F) -> io::Result<JoinHandle<F::Output>>
where
    F: Future<Output: Send> + Send + 'static,
{
    Ok(runtime()?.spawn(future))
}

fn runtime() -> io::Result<&'static Runtime> {
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("network").enable_all().build()
    });
    runtime.as_ref().map_err(|e| io::Error::new(e.kind(), e.to_string()))
}

/// The body of an answer.
pub struct Body {
    stream: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
    current: Bytes,
    stall: Duration,
}

impl Body {
    /// Reads `stream`; fails with [`io::ErrorKind::TimedOut`] once nothing has come for `stall`.
    pub fn new(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static, stall: Duration) -> Self {
        Self { stream: Box::pin(stream), current: Bytes::new(), stall }
    }
}

impl Read for Body {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            let (next, stall) = (self.stream.next(), self.stall);
            // The timer belongs to the runtime, so it is made in there.
            match block_on(async move { tokio::time::timeout(stall, next).await })? {
                Ok(Some(part)) => self.current = part?,
                Ok(None) => return Ok(0),
                Err(_) => {
                    let message = format!("nothing came for {} s", self.stall.as_secs());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
            }
        }
        let part = self.current.split_to(out.len().min(self.current.len()));
        out[..part.len()].copy_from_slice(&part);
        Ok(part.len())
    }
}
