//! Waiting for what other programs do, with an end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// Tries `attempt` for half a minute; see [`eventually_within`].
///
/// # Errors
///
/// The last failure, once the time is over.
pub fn eventually<T>(what: &str, attempt: impl FnMut() -> Result<T>) -> Result<T> {
    eventually_within(Duration::from_secs(30), what, attempt)
}

/// Tries `attempt` until it succeeds or `limit` is over.
///
/// # Errors
///
/// The last failure, once the time is over.
#[expect(clippy::disallowed_methods, reason = "tests wait for other programs")]
pub fn eventually_within<T>(
    limit: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let error = match attempt() {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if start.elapsed() > limit {
            bail!("{what}: not within {limit:?}: {error:#}");
        }
        std::thread::sleep(PAUSE);
    }
}
