//! Every order in which an update and the retirement of its series may meet.

// Its two modules are the one under test and the atomics it is given.
mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}
#[path = "../src/series/lease.rs"]
mod lease;

use atomic::{AtomicU64, Ordering};
use lease::Lease;
use loom::{sync::Arc, thread};

/// A series of one number, as `Series::apply` and `Family::retire_idle` use it.
struct Series {
    lease: Lease,
    value: AtomicU64,
}

/// An update is seen by who reads the series after it was retired, or `touch` says that it may not
/// have been; and a series which was retired for good never renews.
#[test]
fn no_update_is_lost_in_silence() {
    loom::model(|| {
        let series = Arc::new(Series { lease: Lease::new(0), value: AtomicU64::new(0) });
        let updating = {
            let series = Arc::clone(&series);
            thread::spawn(move || {
                series.value.fetch_add(1, Ordering::Relaxed);
                series.lease.touch(20)
            })
        };
        // At 15 the series has been idle for longer than 10, unless the update came first.
        let retired = series.lease.retire_idle(10, 15);
        let after = series.value.load(Ordering::Relaxed);
        let kept = updating.join().expect("no panic");
        assert!(!(retired && kept), "the update went to a series which nobody sees");
        assert!(after <= 1 && (kept || retired), "it is kept, or its sender knows");
        assert_eq!(series.lease.is_retired(), retired, "a retirement is final, or has not been");
        assert_eq!(series.value.load(Ordering::Relaxed), 1);
    });
}

/// Two threads update while one retires: whoever is told that its update was kept is right.
#[test]
fn two_updates_agree() {
    loom::model(|| {
        let lease = Arc::new(Lease::new(0));
        let update = |lease: &Arc<Lease>| {
            let lease = Arc::clone(lease);
            thread::spawn(move || lease.touch(20))
        };
        let (first, second) = (update(&lease), update(&lease));
        let retired = lease.retire_idle(10, 15);
        let kept = [first, second].map(|thread| thread.join().expect("no panic"));
        assert!(!retired || kept == [false, false]);
    });
}

/// A series that is dropped by name stays dropped, and whoever updates it later is told.
#[test]
fn a_dropped_series_stays_dropped() {
    loom::model(|| {
        let lease = Arc::new(Lease::new(0));
        let updating = {
            let lease = Arc::clone(&lease);
            thread::spawn(move || {
                let _kept = lease.touch(20);
            })
        };
        lease.retire();
        updating.join().expect("no panic");
        assert!(lease.is_retired() && !lease.touch(30));
    });
}
