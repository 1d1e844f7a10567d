//! When to let datagrams gather. Being woken costs more than reading a datagram does, so a listener
//! which is woken for every few waits a moment before it looks again. Pages are read every some
//! seconds, so nobody sees the difference but the processor.

use std::time::Duration;

/// Fewer datagrams at once are not worth being woken for.
const FEW: u64 = 8;
/// A pause has to gather this many to be worth it: it costs as much as being woken once.
const GATHERED_MIN: f64 = 2.0;
/// A pause that gathers this many is long enough: what is saved beyond is little, and a page which is
/// read meanwhile lacks them.
const GATHERED_MAX: f64 = 64.0;
/// A pause fills no more than this share of the socket's buffer.
const BUFFER_SHARE: f64 = 0.25;
/// What the kernel books for a full datagram of Ethernet; a small one takes less.
const TRUESIZE_BYTES: f64 = 2_304.0;
/// Pauses between two looks at how many datagrams come at once without one.
const PROBE_EVERY: u32 = 64;

/// One listener's way of waiting.
#[derive(Debug)]
pub(super) struct Pace {
    pause_max: Duration,
    buffer_datagrams: f64,
    last: Duration,
    /// Datagrams a second, smoothed.
    rate: f64,
    paused: bool,
    pauses: u32,
    worth_it: bool,
}

impl Pace {
    /// Never pauses for longer than `pause_max`, nor for what `buffer_bytes` cannot hold.
    pub(super) const fn new(pause_max: Duration, buffer_bytes: usize) -> Self {
        Self {
            pause_max,
            buffer_datagrams: buffer_bytes as f64 / TRUESIZE_BYTES,
            last: Duration::ZERO,
            rate: 0.0,
            paused: false,
            pauses: 0,
            worth_it: false,
        }
    }

    /// How long to wait after `received` datagrams have been read and none was left at `now`.
    pub(super) fn after(&mut self, received: u64, now: Duration) -> Option<Duration> {
        let seconds = now.saturating_sub(self.last).as_secs_f64().max(1e-6);
        self.last = now;
        self.rate += (received as f64 / seconds - self.rate) / 8.0;
        if !self.paused {
            self.worth_it = received < FEW;
        }
        let room = BUFFER_SHARE * self.buffer_datagrams / self.rate.max(1.0);
        let enough = GATHERED_MAX / self.rate.max(1.0);
        let pause = self.pause_max.as_secs_f64().min(room).min(enough);
        let probe = self.pauses == PROBE_EVERY;
        self.paused = self.worth_it && self.rate * pause >= GATHERED_MIN && !probe;
        self.pauses = if self.paused { self.pauses + 1 } else { 0 };
        self.paused.then(|| Duration::from_secs_f64(pause))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pace;

    const MAX: Duration = Duration::from_micros(750);
    const BUFFER_BYTES: usize = 8 << 20;

    /// The last of many pauses where `received` datagrams come every `micros`.
    fn pause(pace: &mut Pace, received: u64, micros: u64) -> Option<Duration> {
        let mut pause = None;
        for batch in 1..=60 {
            pause =
                pace.after(received, pace.last.max(Duration::ZERO) + Duration::from_micros(micros));
            assert!(pause.is_none_or(|pause| pause <= MAX), "batch {batch}");
        }
        pause
    }

    #[test]
    fn it_waits_where_single_datagrams_come_quickly() {
        let mut pace = Pace::new(MAX, BUFFER_BYTES);
        assert_eq!(pause(&mut pace, 1, 100), Some(MAX), "10,000 a second");
        assert_eq!(pause(&mut pace, 1, 10_000), None, "100 a second: nothing would gather");
        assert_eq!(Pace::new(Duration::ZERO, BUFFER_BYTES).after(1, MAX), None);
    }

    #[test]
    fn it_does_not_wait_where_many_come_at_once() {
        let mut pace = Pace::new(MAX, BUFFER_BYTES);
        assert_eq!(pause(&mut pace, 32, 500), None);
    }

    #[test]
    fn it_leaves_most_of_the_buffer_free() {
        let mut pace = Pace::new(MAX, 212_992);
        let pause = pause(&mut pace, 1, 2).expect("half a million a second");
        assert!(pause.as_secs_f64() * 500_000.0 < 25.0, "{pause:?}");
    }

    #[test]
    fn it_waits_no_longer_than_is_worth_it() {
        let mut pace = Pace::new(MAX, BUFFER_BYTES);
        let pause = pause(&mut pace, 1, 5).expect("200,000 a second");
        assert!((60.0..65.0).contains(&(pause.as_secs_f64() * 200_000.0)), "{pause:?}");
    }

    #[test]
    fn it_looks_again_now_and_then() {
        let mut pace = Pace::new(MAX, BUFFER_BYTES);
        pause(&mut pace, 1, 100);
        let mut without = 0;
        for _ in 0..200 {
            let now = pace.last + Duration::from_micros(100);
            without += u32::from(pace.after(1, now).is_none());
        }
        assert!((2..=6).contains(&without), "{without}");
    }
}
