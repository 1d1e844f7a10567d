//! Observations counted in buckets.

use std::sync::Arc;

use metrics_server::HistogramState;

/// The state of one histogram series.
#[derive(Debug)]
pub(super) struct Histogram {
    /// Upper bounds, ascending, without `+Inf`.
    bounds: Arc<[f64]>,
    /// Observations of each bucket alone, `+Inf` last.
    counts: Box<[u64]>,
    sum: f64,
}

impl Histogram {
    /// No observations yet.
    pub(super) fn new(bounds: Arc<[f64]>) -> Self {
        let counts = vec![0; bounds.len() + 1].into();
        Self { bounds, counts, sum: 0.0 }
    }

    /// Adds `weight` observations of `value`.
    pub(super) fn observe(&mut self, value: f64, weight: u32) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] = self.counts[bucket].saturating_add(u64::from(weight));
        self.sum = (self.sum + value * f64::from(weight)).clamp(f64::MIN, f64::MAX);
    }

    /// Bytes of the counts.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.counts)
    }

    /// Cumulative counts, sum and count.
    pub(super) fn state(&self) -> HistogramState {
        let mut count = 0_u64;
        let mut buckets = Vec::with_capacity(self.counts.len());
        for (index, own) in self.counts.iter().enumerate() {
            count = count.saturating_add(*own);
            buckets.push((self.bounds.get(index).copied().unwrap_or(f64::INFINITY), count));
        }
        HistogramState { buckets, sum: self.sum, count }
    }
}
