//! The end of all changes: what an interrupted program needs in order to say truly what it leaves.

use std::sync::atomic::{AtomicBool, Ordering};

static HALTED: AtomicBool = AtomicBool::new(false);

/// From now on no change of the disk begins: whoever comes to one waits for ever. A change that has begun ends by itself.
/// For a program that is about to end.
pub fn halt() {
    HALTED.store(true, Ordering::SeqCst);
}

/// Goes on, unless all changes are over.
pub(super) fn pass() {
    while HALTED.load(Ordering::Relaxed) {
        std::thread::park();
    }
}
