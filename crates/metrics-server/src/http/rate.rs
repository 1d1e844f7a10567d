//! A token bucket, as `rate_limit` of the web configuration file describes it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often requests are let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Rate {
    /// Time in which one request becomes possible again; not zero.
    pub(super) interval: Duration,
    /// Requests which may come at once; none or less lets nobody in.
    pub(super) burst: i64,
}

/// The requests which may come now. Its lock is held for a few instructions.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    /// When `tokens` was right; `None` before the first request.
    at: Option<Instant>,
}

impl Bucket {
    /// A full bucket.
    pub(super) const fn new(rate: Rate) -> Self {
        let state = State { tokens: rate.burst as f64, at: None };
        Self { rate, state: Mutex::new(state) }
    }

    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = state.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let refilled = elapsed.as_secs_f64() / self.rate.interval.as_secs_f64();
        state.tokens = (state.tokens + refilled).min(self.rate.burst as f64);
        state.at = Some(now);
        let admitted = state.tokens >= 1.0;
        if admitted {
            state.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Bucket, Rate};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test starts its own clock")]
    fn a_burst_is_let_in_and_then_one_each_interval() {
        let start = Instant::now();
        for (burst, at_ms, expected) in [
            (
                2,
                &[0, 0, 0, 999, 1_000, 1_001, 9_000, 9_000, 9_000][..],
                &[true, true, false, false, true, false, true, true, false][..],
            ),
            (0, &[0, 5_000][..], &[false, false][..]),
            (-3, &[0, 5_000][..], &[false, false][..]),
        ] {
            let bucket = Bucket::new(Rate { interval: Duration::from_secs(1), burst });
            let admitted: Vec<_> =
                at_ms.iter().map(|at| bucket.take(start + Duration::from_millis(*at))).collect();
            assert_eq!(admitted, expected, "burst {burst}");
        }
    }
}
