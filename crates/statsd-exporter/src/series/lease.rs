//! Whether a series still lives: threads which update it against the one which retires it.
//!
//! It has no dependency but its atomic, so that `tests/loom.rs` can put another under it and try
//! every order in which threads may meet.

use super::atomic::{AtomicU64, Ordering};

/// Stands for the time of a lease which is over.
const RETIRED: u64 = u64::MAX;

/// When a series was last updated, or that it has been taken out: one word, so that no update can
/// come between looking at the one and writing the other.
#[derive(Debug)]
pub(crate) struct Lease(AtomicU64);

impl Lease {
    /// Begins at `now_ms`.
    pub(crate) fn new(now_ms: u64) -> Self {
        Self(AtomicU64::new(now_ms))
    }

    /// Renews it, behind an update. `false` says that nobody sees the update: the series was gone.
    #[must_use]
    pub(crate) fn touch(&self, now_ms: u64) -> bool {
        let mut touched = self.0.load(Ordering::Relaxed);
        while touched < now_ms {
            match self.0.compare_exchange_weak(touched, now_ms, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(changed) => touched = changed,
            }
        }
        touched != RETIRED
    }

    /// Whether it is over.
    pub(crate) fn is_retired(&self) -> bool {
        self.0.load(Ordering::Relaxed) == RETIRED
    }

    /// Ends it, whatever its age.
    pub(crate) fn retire(&self) {
        self.0.swap(RETIRED, Ordering::AcqRel);
    }

    /// Ends it if it was not renewed for longer than `ttl_ms`.
    pub(crate) fn retire_idle(&self, ttl_ms: u64, now_ms: u64) -> bool {
        let touched = self.0.load(Ordering::Relaxed);
        if touched == RETIRED {
            return true;
        }
        let idle = now_ms.saturating_sub(touched) > ttl_ms;
        let retire =
            || self.0.compare_exchange(touched, RETIRED, Ordering::AcqRel, Ordering::Relaxed);
        idle && retire().is_ok()
    }
}
