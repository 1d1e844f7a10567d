//! How fast a scan may go.

use std::time::Duration;

/// What a scan in the background may take of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pace {
    /// Keys a second.
    pub(super) keys_per_second: u32,
    /// Of the server's time.
    pub(super) percent: u32,
}

impl Pace {
    /// How long to leave a server alone after a batch of so many keys, which it took so long to
    /// answer. The time on the way counts as the server's.
    pub(super) fn pause(self, keys: u64, took: Duration) -> Duration {
        let rate = f64::from(self.keys_per_second.max(1));
        let by_keys = Duration::try_from_secs_f64(keys as f64 / rate).unwrap_or(Duration::MAX);
        let by_time = took.saturating_mul(100).checked_div(self.percent.clamp(1, 100));
        by_keys.max(by_time.unwrap_or_default()).saturating_sub(took)
    }
}

#[cfg(test)]
mod tests;
