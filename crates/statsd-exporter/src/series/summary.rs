//! Quantiles of a window which slides in steps.

use std::{collections::VecDeque, sync::Arc};

use metrics_server::SummaryState;

use super::{Tick, memory::Charge, sketch::Sketch};
use crate::mapping::SummaryOptions;

/// Observations of a window which are kept as they are: quantiles of quiet series are exact, and
/// they cost 16 bytes an observation.
const EXACT_MAX: usize = 96;
/// Observations which wait to be sorted into the sketches of a busy series.
const WAITING_MAX: usize = 128;
/// Observations for which room is made first, and at most at once.
const ROOM: std::ops::RangeInclusive<usize> = 4..=32;
/// What the sketches of one busy series take together, roughly.
const SKETCHES_BYTES: usize = 10 * 1024;

/// The state of one summary series.
///
/// The window is cut into `age_buckets` steps. At each step the oldest one is forgotten, so
/// quantiles are about between `max_age` less one step and `max_age`, as in Go's client library.
#[derive(Debug)]
pub(super) struct Summary {
    options: Arc<SummaryOptions>,
    started: Tick,
    /// Number of the current step since `started`.
    step: u64,
    window: Window,
    charge: Charge,
    sum: f64,
    count: u64,
}

#[derive(Debug)]
enum Window {
    Exact(VecDeque<Observation>),
    Sketched(Box<Sketched>),
}

#[derive(Clone, Copy, Debug)]
struct Observation {
    value: f64,
    weight: u32,
    /// The low bits of the step it was made in; windows are far shorter than this counts.
    step: u32,
}

#[derive(Debug)]
struct Sketched {
    /// One for each step that has not been forgotten, oldest first. Each has everything since its
    /// step began, so the first one is the window.
    sketches: VecDeque<Sketch>,
    waiting: Vec<(f64, u32)>,
}

impl Summary {
    /// No observations yet.
    pub(super) const fn new(options: Arc<SummaryOptions>, charge: Charge, now: Tick) -> Self {
        let window = Window::Exact(VecDeque::new());
        Self { options, started: now, step: 0, window, charge, sum: 0.0, count: 0 }
    }

    /// Adds `weight` observations of `value`.
    pub(super) fn observe(&mut self, value: f64, weight: u32, now: Tick) {
        self.count = self.count.saturating_add(u64::from(weight));
        self.sum = (self.sum + value * f64::from(weight)).clamp(f64::MIN, f64::MAX);
        if self.options.targets.is_empty() {
            return;
        }
        self.advance(now);
        if let Window::Exact(observations) = &self.window
            && observations.len() >= EXACT_MAX
            && self.charge.has_room(SKETCHES_BYTES)
        {
            self.window = Window::Sketched(Box::new(self.sketched(observations)));
            self.settle();
        }
        match &mut self.window {
            Window::Exact(observations) => {
                let capacity = observations.capacity();
                if observations.len() == capacity {
                    let more = capacity.clamp(*ROOM.start(), *ROOM.end());
                    let bytes = more * size_of::<Observation>();
                    // Where there is no memory left, quantiles are of the latest observations.
                    if capacity == 0 || (capacity < EXACT_MAX && self.charge.has_room(bytes)) {
                        observations.reserve_exact(more);
                        self.charge.set(observations.capacity() * size_of::<Observation>());
                    } else {
                        observations.pop_front();
                    }
                }
                observations.push_back(Observation { value, weight, step: low_bits(self.step) });
            }
            Window::Sketched(sketched) => {
                sketched.waiting.push((value, weight));
                if sketched.waiting.len() >= WAITING_MAX {
                    sketched.flush(&self.options);
                    self.settle();
                }
            }
        }
    }

    /// Accounts for the memory there is now.
    fn settle(&mut self) {
        let bytes = match &self.window {
            Window::Exact(observations) => observations.capacity() * size_of::<Observation>(),
            Window::Sketched(sketched) => {
                let sketches: usize = sketched.sketches.iter().map(Sketch::bytes).sum();
                sketches + sketched.waiting.capacity() * size_of::<(f64, u32)>()
            }
        };
        self.charge.set(bytes);
    }

    /// Begins its window anew with other quantiles or another age, if they are others, and says
    /// whether they are.
    pub(super) fn adopt(&mut self, options: &Arc<SummaryOptions>, now: Tick) -> bool {
        let others = self.options != *options;
        if others {
            self.options = Arc::clone(options);
            (self.started, self.step) = (now, 0);
            self.window = Window::Exact(VecDeque::new());
            self.settle();
        }
        others
    }

    /// Quantiles of the window; sum and count of all time.
    pub(super) fn state(&mut self, now: Tick) -> SummaryState {
        self.advance(now);
        let quantiles = match &mut self.window {
            Window::Exact(observations) => {
                let mut sorted: Vec<(f64, u32)> = observations
                    .iter()
                    .map(|observation| (observation.value, observation.weight))
                    .collect();
                sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
                let value = |quantile| exact_quantile(&sorted, quantile);
                self.options.targets.iter().map(|t| (t.quantile, value(t.quantile))).collect()
            }
            Window::Sketched(sketched) => {
                sketched.flush(&self.options);
                let value = |quantile| {
                    sketched.sketches.front().map_or(f64::NAN, |window| window.quantile(quantile))
                };
                self.options.targets.iter().map(|t| (t.quantile, value(t.quantile))).collect()
            }
        };
        SummaryState { quantiles, sum: self.sum, count: self.count }
    }

    /// Forgets what has become too old.
    fn advance(&mut self, now: Tick) {
        let step = now.0.saturating_sub(self.started.0) / self.step_ms();
        let passed = step.saturating_sub(self.step);
        if passed == 0 {
            return;
        }
        self.step = step;
        let age_buckets = self.options.age_buckets;
        match &mut self.window {
            Window::Exact(observations) => {
                let current = low_bits(step);
                let old = |first: &Observation| current.wrapping_sub(first.step) >= age_buckets;
                if passed >= u64::from(age_buckets) {
                    observations.clear();
                }
                while observations.front().is_some_and(old) {
                    observations.pop_front();
                }
                if observations.is_empty() {
                    observations.shrink_to_fit();
                }
            }
            Window::Sketched(sketched) => {
                sketched.flush(&self.options);
                for _ in 0..passed.min(u64::from(age_buckets)) {
                    sketched.sketches.rotate_left(1);
                    if let Some(newest) = sketched.sketches.back_mut() {
                        newest.clear();
                    }
                }
                if sketched.sketches.front().is_none_or(Sketch::is_empty) {
                    self.window = Window::Exact(VecDeque::new());
                }
            }
        }
        self.settle();
    }

    /// The sketches of a window that has become too large to be kept as it is.
    fn sketched(&self, observations: &VecDeque<Observation>) -> Sketched {
        let age_buckets = self.options.age_buckets;
        let current = low_bits(self.step);
        let sketches = (0..age_buckets).rev().map(|age| {
            let mut sketch = Sketch::default();
            let mut sorted: Vec<(f64, u32)> = observations
                .iter()
                .filter(|observation| current.wrapping_sub(observation.step) <= age)
                .map(|observation| (observation.value, observation.weight))
                .collect();
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            sketch.merge(&sorted, &self.options.targets);
            sketch
        });
        Sketched { sketches: sketches.collect(), waiting: Vec::with_capacity(WAITING_MAX) }
    }

    fn step_ms(&self) -> u64 {
        let window_ms = u64::try_from(self.options.max_age.as_millis()).unwrap_or(u64::MAX);
        (window_ms / u64::from(self.options.age_buckets)).max(1)
    }
}

impl Sketched {
    fn flush(&mut self, options: &SummaryOptions) {
        if self.waiting.is_empty() {
            return;
        }
        self.waiting.sort_by(|a, b| a.0.total_cmp(&b.0));
        for sketch in &mut self.sketches {
            sketch.merge(&self.waiting, &options.targets);
        }
        self.waiting.clear();
    }
}

/// The value at the rank of `quantile`, counting weights.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank is between 1 and the count"
)]
fn exact_quantile(sorted: &[(f64, u32)], quantile: f64) -> f64 {
    let count: u64 = sorted.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let rank = ((quantile * count as f64).ceil() as u64).clamp(1, count.max(1));
    let mut last = 0;
    for (value, weight) in sorted {
        last += u64::from(*weight);
        if last >= rank {
            return *value;
        }
    }
    f64::NAN
}

#[expect(clippy::cast_possible_truncation, reason = "only differences of near steps are used")]
const fn low_bits(step: u64) -> u32 {
    step as u32
}

#[cfg(test)]
mod tests;
