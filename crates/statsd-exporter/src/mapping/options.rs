//! How observations are kept: buckets, or quantiles of a sliding window.

use std::{sync::Arc, time::Duration};

use super::config;

/// Buckets of a histogram where nothing else is asked for, in seconds.
const DEFAULT_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Quantiles of a summary where nothing else is asked for.
const DEFAULT_TARGETS: [Target; 3] = [
    Target { quantile: 0.5, error: 0.05 },
    Target { quantile: 0.9, error: 0.01 },
    Target { quantile: 0.99, error: 0.001 },
];
/// The width of native buckets where nothing else is asked for.
const NATIVE_FACTOR: f64 = 1.1;
/// How many there are at most where nothing else is asked for.
const NATIVE_BUCKETS_MAX: usize = 256;
const DEFAULT_MAX_AGE: Duration = Duration::from_mins(10);
const DEFAULT_AGE_BUCKETS: u32 = 5;
/// More would make each observation dear.
const AGE_BUCKETS_MAX: u32 = 100;
/// More would make each series dear.
const BUCKETS_MAX: usize = 1_000;

/// How a series keeps observations.
#[derive(Clone, Debug, PartialEq)]
pub enum Observer {
    /// Observations in buckets.
    Histogram(Arc<HistogramOptions>),
    /// Quantiles of a sliding window.
    Summary(Arc<SummaryOptions>),
}

/// The buckets of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramOptions {
    /// Upper bounds, ascending, without `+Inf`.
    pub bounds: Box<[f64]>,
    /// Exponential buckets beside them, which only protobuf shows.
    pub native: Option<NativeOptions>,
}

/// Exponential buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeOptions {
    /// Resolution at the start, -4 (coarse) to 8 (fine).
    pub schema: i32,
    /// Buckets of one series; beyond it the resolution is halved.
    pub buckets_max: usize,
    /// Where the buckets of one power of two end, as fractions from 0.5 to 1; empty where a bucket
    /// is wider.
    pub bounds: Arc<[f64]>,
}

impl NativeOptions {
    /// Buckets which are wider by `factor` at most, each than the one before; none where that is not
    /// above 1.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to what is a schema")]
    pub fn new(factor: f64, buckets_max: usize) -> Option<Self> {
        if factor.is_nan() || factor <= 1.0 {
            return None;
        }
        let schema = -(factor.log2().log2().floor().clamp(-8.0, 4.0) as i32);
        let steps = if schema > 0 { 1 << schema } else { 0 };
        let bound = |step: i32| 0.5 * (f64::from(step) / f64::from(steps)).exp2();
        Some(Self { schema, buckets_max, bounds: (0..steps).map(bound).collect() })
    }
}

impl Default for HistogramOptions {
    fn default() -> Self {
        let native = NativeOptions::new(NATIVE_FACTOR, NATIVE_BUCKETS_MAX);
        Self { bounds: DEFAULT_BUCKETS.into(), native }
    }
}

impl HistogramOptions {
    /// Fills what `written` leaves open from `self`.
    pub(super) fn overridden(&self, written: &config::HistogramOptions) -> Result<Self, String> {
        let mut options = self.clone();
        if let Some(bounds) = buckets(written.buckets.as_deref().unwrap_or_default())? {
            options.bounds = bounds;
        }
        if written.native_histogram_only == Some(true) {
            options.bounds = Box::default();
        }
        let factor = written.native_histogram_bucket_factor;
        let buckets_max = written.native_histogram_max_buckets.filter(|count| *count > 0);
        let known = self.native.as_ref().map_or(NATIVE_BUCKETS_MAX, |native| native.buckets_max);
        let buckets_max = buckets_max.map_or(known, |count| count as usize);
        match (factor, &mut options.native) {
            (Some(factor), native) => *native = NativeOptions::new(factor, buckets_max),
            (None, Some(native)) => native.buckets_max = buckets_max,
            (None, None) => {}
        }
        if options.native.is_none() && written.native_histogram_only == Some(true) {
            return Err("native_histogram_only with a bucket factor of no more than 1".to_owned());
        }
        Ok(options)
    }
}

/// What a summary promises.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryOptions {
    /// Ascending, each quantile once.
    pub targets: Vec<Target>,
    /// How long an observation counts.
    pub max_age: Duration,
    /// In how many steps the window moves, at least 1.
    pub age_buckets: u32,
}

/// A quantile, and how far its rank may be from the exact one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// 0 to 1.
    pub quantile: f64,
    /// A share of all observations.
    pub error: f64,
}

impl Default for SummaryOptions {
    fn default() -> Self {
        Self {
            targets: DEFAULT_TARGETS.to_vec(),
            max_age: DEFAULT_MAX_AGE,
            age_buckets: DEFAULT_AGE_BUCKETS,
        }
    }
}

impl SummaryOptions {
    /// Fills what `written` leaves open from `self`.
    pub(super) fn overridden(&self, written: &config::SummaryOptions) -> Result<Self, String> {
        let mut options = self.clone();
        if let Some(quantiles) = written.quantiles.as_ref().filter(|list| !list.is_empty()) {
            options.targets = targets(quantiles)?;
        }
        if let Some(max_age) = written.max_age.filter(|age| !age.0.is_zero()) {
            options.max_age = max_age.0;
        }
        if let Some(age_buckets) = written.age_buckets.filter(|count| *count > 0) {
            if age_buckets > AGE_BUCKETS_MAX {
                return Err(format!("age_buckets {age_buckets} is above {AGE_BUCKETS_MAX}"));
            }
            options.age_buckets = age_buckets;
        }
        Ok(options)
    }
}

fn targets(quantiles: &[config::Quantile]) -> Result<Vec<Target>, String> {
    let mut targets: Vec<Target> = Vec::new();
    for &config::Quantile { quantile, error } in quantiles {
        if !(0.0..=1.0).contains(&quantile) {
            return Err(format!("quantile {quantile} is not between 0 and 1"));
        }
        if !(0.0..=1.0).contains(&error) {
            return Err(format!("error {error} of quantile {quantile} is not between 0 and 1"));
        }
        targets.retain(|known| known.quantile.to_bits() != quantile.to_bits());
        targets.push(Target { quantile, error });
    }
    targets.sort_by(|a, b| a.quantile.total_cmp(&b.quantile));
    Ok(targets)
}

/// Checks buckets of a file; an empty list leaves what is there.
fn buckets(written: &[f64]) -> Result<Option<Box<[f64]>>, String> {
    let bounds = match written {
        [rest @ .., f64::INFINITY] => rest,
        all => all,
    };
    if written.is_empty() {
        return Ok(None);
    }
    if bounds.len() > BUCKETS_MAX {
        return Err(format!("{} buckets are more than {BUCKETS_MAX}", bounds.len()));
    }
    if let Some(bad) = bounds.iter().find(|bound| !bound.is_finite()) {
        return Err(format!("bucket {bad} is not a finite number"));
    }
    for (lower, upper) in bounds.iter().zip(bounds.iter().skip(1)) {
        if lower >= upper {
            return Err(format!("buckets must ascend, but {lower} stands before {upper}"));
        }
    }
    Ok(Some(bounds.into()))
}
