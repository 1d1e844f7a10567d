//! How many distinct members a window has had.

use foldhash::quality::FixedState;
use hyperloglogplus::{HyperLogLog as _, HyperLogLogPlus};

use super::{Tick, memory::Charge};

/// 4,096 registers: the standard error is 1.04 / 64, 1.6 %; small sets are nearly exact.
const PRECISION: u8 = 12;
/// What the registers and their beginnings take at most.
const BYTES: usize = 4 * 1024;

/// The members of one window, and how many the last one had.
#[derive(Debug)]
pub(super) struct Set {
    window_ms: u64,
    started: Tick,
    members: Members,
    last: Option<f64>,
    _charge: Charge,
}

struct Members(HyperLogLogPlus<u64, FixedState>);

impl Members {
    fn new() -> Self {
        let members = HyperLogLogPlus::new(PRECISION, FixedState::default());
        Self(members.expect("the precision is one that it takes"))
    }

    fn count(&mut self) -> f64 {
        self.0.count().round()
    }
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Members")
    }
}

impl Set {
    pub(super) fn new(window_ms: u64, mut charge: Charge, now: Tick) -> Self {
        charge.set(BYTES);
        let members = Members::new();
        Self { window_ms: window_ms.max(1), started: now, members, last: None, _charge: charge }
    }

    /// Adds a member by its hash.
    pub(super) fn insert(&mut self, member: u64, now: Tick) {
        self.advance(now);
        self.members.0.insert(&member);
    }

    /// Members of the last whole window; of the first one while it lasts.
    pub(super) fn count(&mut self, now: Tick) -> f64 {
        self.advance(now);
        match self.last {
            Some(last) => last,
            None => self.members.count(),
        }
    }

    fn advance(&mut self, now: Tick) {
        let passed = now.0.saturating_sub(self.started.0) / self.window_ms;
        if passed == 0 {
            return;
        }
        self.started = Tick(self.started.0 + passed * self.window_ms);
        self.last = Some(if passed == 1 { self.members.count() } else { 0.0 });
        self.members = Members::new();
    }
}

#[cfg(test)]
mod tests {
    use std::{hash::BuildHasher as _, sync::Arc};

    use foldhash::quality::FixedState;

    use super::{Charge, Set, Tick};
    use crate::series::Memory;

    fn set() -> Set {
        Set::new(1_000, Charge::new(Arc::new(Memory::new(u64::MAX))), Tick(0))
    }

    #[test]
    fn windows_follow_each_other() {
        let mut set = set();
        for member in [1, 2, 2, 3] {
            set.insert(member, Tick(10));
        }
        assert!((set.count(Tick(999)) - 3.0).abs() < 0.1, "the first window while it lasts");
        set.insert(9, Tick(1_500));
        assert!((set.count(Tick(1_999)) - 3.0).abs() < 0.1, "the last whole window");
        assert!((set.count(Tick(2_000)) - 1.0).abs() < 0.1);
        assert!(set.count(Tick(9_000)).abs() < 0.1, "nothing came");
    }

    #[test]
    fn the_error_is_small() {
        for members in [10_u32, 1_000, 50_000] {
            let mut set = set();
            for member in 0..members {
                set.insert(FixedState::default().hash_one(member), Tick(1));
            }
            let error = (set.count(Tick(2)) / f64::from(members) - 1.0).abs();
            assert!(error < 0.05, "three times the standard error: {error} of {members}");
        }
    }
}
