//! How fast a scan may go.

use std::time::Duration;

/// Shorter sleeps are mostly the timer's own time.
const SLEEP_MIN: Duration = Duration::from_millis(3);

/// What a scan in the background may take of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pace {
    /// Keys a second.
    pub(super) keys_per_second: u32,
    /// Of the server's time.
    pub(super) percent: u32,
}

impl Pace {
    /// Keys to visit, or to look up, in one step. Whoever comes meanwhile waits for it: a step of 1,000 among
    /// millions takes 0.6 ms, one of 100 some 70 µs. Short ones are gentle, and three times as slow where
    /// the scan may have the whole server.
    pub(super) fn step(self) -> u16 {
        u16::try_from(self.percent.saturating_mul(4)).unwrap_or(u16::MAX).clamp(20, 100)
    }

    /// How long to leave a server alone after a batch of so many keys, which it took so long to
    /// answer. The time on the way counts as the server's.
    pub(super) fn pause(self, keys: u64, took: Duration) -> Duration {
        let rate = f64::from(self.keys_per_second.max(1));
        let by_keys = Duration::try_from_secs_f64(keys as f64 / rate).unwrap_or(Duration::MAX);
        let by_time = took.saturating_mul(100).checked_div(self.percent.clamp(1, 100));
        by_keys.max(by_time.unwrap_or_default()).saturating_sub(took)
    }
}

/// What a scan owes of its pauses. A timer is late by a millisecond or so, which is more than a batch takes:
/// short pauses are put together, and what a sleep was too long is taken off the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Debt {
    owed: Duration,
    overpaid: Duration,
}

impl Debt {
    /// Adds a pause; how long to sleep now, if it is worth it.
    pub(super) fn add(&mut self, pause: Duration) -> Option<Duration> {
        let paid = self.overpaid.min(pause);
        self.overpaid = self.overpaid.saturating_sub(paid);
        self.owed = self.owed.saturating_add(pause.saturating_sub(paid));
        (self.owed >= SLEEP_MIN).then(|| std::mem::take(&mut self.owed))
    }

    /// Says how long a sleep really was. One that was very late, on a machine that stood still, gives no burst.
    pub(super) fn slept(&mut self, wanted: Duration, really: Duration) {
        self.overpaid = really.saturating_sub(wanted).min(SLEEP_MIN);
    }
}

#[cfg(test)]
mod tests;
