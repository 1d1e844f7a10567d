//! Observations counted in buckets: those of the rule, and exponential ones.

use std::sync::Arc;

use metrics_server::{HistogramState, exposition::NativeBuckets};

use super::{memory::Charge, native::Native};
use crate::mapping::HistogramOptions;

/// The state of one histogram series.
#[derive(Debug)]
pub(super) struct Histogram {
    options: Arc<HistogramOptions>,
    /// Observations of each bucket alone, `+Inf` last.
    counts: Box<[u64]>,
    sum: f64,
    native: Option<Box<Native>>,
    charge: Charge,
}

impl Histogram {
    /// No observations yet.
    pub(super) fn new(options: Arc<HistogramOptions>, mut charge: Charge) -> Self {
        let counts: Box<[u64]> = vec![0; options.bounds.len() + 1].into();
        let native = options.native.as_ref().map(|native| Box::new(Native::new(native)));
        charge.set(size_of_val(&*counts));
        Self { options, counts, sum: 0.0, native, charge }
    }

    /// Adds `weight` observations of `value`.
    pub(super) fn observe(&mut self, value: f64, weight: u32) {
        let bucket = self.options.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] = self.counts[bucket].saturating_add(u64::from(weight));
        self.sum = (self.sum + value * f64::from(weight)).clamp(f64::MIN, f64::MAX);
        if let (Some(native), Some(options)) = (&mut self.native, &self.options.native) {
            native.observe(value, weight, options);
            self.charge.set(size_of_val(&*self.counts) + native.bytes());
        }
    }

    /// Cumulative counts, sum and count; the same observations in exponential buckets.
    pub(super) fn state(&self) -> (HistogramState, Option<NativeBuckets>) {
        let mut count = 0_u64;
        let mut buckets = Vec::with_capacity(self.counts.len());
        for (index, own) in self.counts.iter().enumerate() {
            count = count.saturating_add(*own);
            let bounds = &self.options.bounds;
            buckets.push((bounds.get(index).copied().unwrap_or(f64::INFINITY), count));
        }
        let state = HistogramState { buckets, sum: self.sum, count };
        (state, self.native.as_ref().map(|native| native.state()))
    }

    /// Begins anew with other buckets, if they are others, and says whether they are.
    pub(super) fn adopt(&mut self, options: &Arc<HistogramOptions>) -> bool {
        if self.options == *options {
            return false;
        }
        let native = options.native.as_ref().map(|native| Box::new(Native::new(native)));
        (self.counts, self.native, self.sum) =
            (vec![0; options.bounds.len() + 1].into(), native, 0.0);
        self.options = Arc::clone(options);
        self.charge.set(size_of_val(&*self.counts));
        true
    }
}
