//! What an operation does, told at the moment it does it, as values: whether and how they are logged is the caller's business.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{ComponentType, Version};
use crate::transfer::Given;

/// A version of a component.
pub type Named<'e> = (&'e ComponentType, &'e Version);

/// One step.
#[derive(Debug, Clone, Copy)]
pub enum Event<'e> {
    /// A deploy of this version begins.
    Deploying(Named<'e>),
    /// Its package, or what is missing of it, is asked for.
    Fetching {
        /// The version.
        of: Named<'e>,
        /// The sources that are asked first.
        from: &'e [String],
        /// The bytes that are expected.
        bytes: u64,
    },
    /// It has come.
    Fetched {
        /// The version.
        of: Named<'e>,
        /// What each source gave, the most first.
        from: &'e [Given],
        /// Bytes that an earlier fetch had left.
        resumed: u64,
        /// How long it took.
        took: Duration,
    },
    /// Its tree is there.
    Unpacked {
        /// The version.
        of: Named<'e>,
        /// The version directory, into which it is moved with the others.
        dir: &'e Path,
        /// Files in it.
        files: u64,
        /// Bytes of content in it.
        bytes: u64,
        /// How long it took, fetching included.
        took: Duration,
    },
    /// A component's links lead elsewhere now.
    Linked {
        /// The component.
        component: &'e ComponentType,
        /// The version they lead to; `None` where it left.
        to: Option<&'e Version>,
    },
    /// The deploy of this version is done.
    Deployed {
        /// The version.
        of: Named<'e>,
        /// The release it is in; `None` where it was current already.
        release: Option<u64>,
        /// How long the deploy took, with all its components.
        took: Duration,
    },
}

/// Who is told of events, if anybody is; called from several threads. Clones tell the same.
#[derive(Clone, Default)]
pub struct Events(Option<Arc<Hear>>);

type Hear = dyn Fn(Event<'_>) + Send + Sync;

impl Events {
    /// Events that `hear` is called with.
    pub fn to(hear: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    /// Tells of one.
    pub(super) fn tell(&self, event: Event<'_>) {
        if let Some(hear) = &self.0 {
            hear(event);
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Events(heard)" } else { "Events" })
    }
}
