//! SIGINT and SIGTERM while something is being changed: the program says what it leaves and how to go on, and ends by the
//! signal, as shells expect (130, 143).
//!
//! No change of the disk begins after the signal, so that what is said is what is left. `deploy --watch` has its own way to
//! end, and commands that only read just end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressDrawTarget};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::args::{Commands, EnvCommands, LinksCommands, RecordCommands, StoreCommands, VersionCommands};
use super::log::Log;
use super::words::say;
use crate::fsx;
use crate::ops::Site;

/// What a change that has begun may take to end.
const BEGUN: Duration = Duration::from_millis(20);

/// The watch over the signals.
#[derive(Clone)]
pub(super) struct Interrupt {
    seen: Arc<AtomicBool>,
    place: Arc<Mutex<Option<Before>>>,
}

/// The root that is being changed, and its release before.
struct Before {
    site: Site,
    release: Option<u64>,
}

impl Interrupt {
    /// Watches where the command changes something.
    pub fn watch(command: &Commands, bars: MultiProgress, log: &Log) -> Self {
        let interrupt = Self { seen: Arc::default(), place: Arc::default() };
        if changes(command) {
            interrupt.clone().listen(bars, log.clone());
        }
        interrupt
    }

    /// Without a handler the signals do what they always do, which loses words and nothing else.
    fn listen(self, bars: MultiProgress, log: Log) {
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
        std::thread::spawn(move || {
            for signal in signals.forever() {
                // Before anything can fail because of the halt.
                self.seen.store(true, Ordering::SeqCst);
                fsx::halt();
                std::thread::sleep(BEGUN);
                let _ = bars.clear();
                bars.set_draw_target(ProgressDrawTarget::hidden());
                log.interrupted(&self.words());
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        });
    }

    /// The root that the command works on.
    pub fn at(&self, site: &Site) {
        let before = Before { release: current(site), site: site.clone() };
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    }

    /// Waits for the end where a signal has come: what failed because of it is no failure of its own.
    pub fn end_if_seen(&self) {
        while self.seen.load(Ordering::SeqCst) {
            std::thread::park();
        }
    }

    fn words(&self) -> String {
        let command = shlex::try_join(std::env::args().collect::<Vec<_>>().iter().map(String::as_str));
        let mut args = vec![("command", command.unwrap_or_default())];
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Before { site, release }) = &*place else { return say("interrupted.other", &args) };
        let now = current(site);
        args.extend(now.map(|release| ("release", release.to_string())));
        match (now, *release) {
            (Some(now), before) if before != Some(now) => say("interrupted.new", &args),
            (Some(_), _) => say("interrupted.old", &args),
            (None, _) => say("interrupted.old-empty", &args),
        }
    }
}

fn current(site: &Site) -> Option<u64> {
    site.view().ok()?.state().ok()?.release.map(|release| release.number)
}

/// Whether a command writes anything.
fn changes(command: &Commands) -> bool {
    match command {
        Commands::Pack(args) => !args.dry.dry_run,
        Commands::Publish(args) => !args.dry.dry_run,
        Commands::Deploy(args) => !args.dry.dry_run && args.watch.is_none(),
        Commands::Ship(args) => !args.dry.dry_run,
        Commands::Rollback(args) => !args.dry.dry_run,
        Commands::Undeploy(args) => !args.dry.dry_run,
        Commands::Confirm(args) => !args.dry.dry_run,
        Commands::Doctor(args) => args.fix && !args.dry_run,
        Commands::Version(args) => matches!(args, VersionCommands::Switch(_) | VersionCommands::Cleanup(_)),
        Commands::Links(args) => matches!(args, LinksCommands::Repair(_)),
        Commands::Env(args) => matches!(args, EnvCommands::Set(_) | EnvCommands::Promote(_)),
        Commands::Record(args) => matches!(args, RecordCommands::Import(_) | RecordCommands::Yank(_)),
        Commands::Store(args) => matches!(args, StoreCommands::Gc(_)),
        _ => false,
    }
}

/// Whether a command changes the root, of which can be said what release it is at.
pub(super) fn changes_root(command: &Commands) -> bool {
    match command {
        Commands::Deploy(_) | Commands::Ship(_) | Commands::Rollback(_) | Commands::Undeploy(_) => true,
        Commands::Version(args) => matches!(args, VersionCommands::Switch(_)),
        _ => false,
    }
}
