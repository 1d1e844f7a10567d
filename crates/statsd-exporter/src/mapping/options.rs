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
const DEFAULT_MAX_AGE: Duration = Duration::from_mins(10);
const DEFAULT_AGE_BUCKETS: u32 = 5;
/// More would make each observation dear.
const AGE_BUCKETS_MAX: u32 = 100;
/// More would make each series dear.
const BUCKETS_MAX: usize = 1_000;

/// How a series keeps observations.
#[derive(Clone, Debug, PartialEq)]
pub enum Observer {
    /// Upper bounds, ascending, without `+Inf`.
    Histogram(Arc<[f64]>),
    /// Quantiles of a sliding window.
    Summary(Arc<SummaryOptions>),
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

/// The built-in buckets.
pub(super) fn default_buckets() -> Arc<[f64]> {
    Arc::from(DEFAULT_BUCKETS)
}

/// Checks buckets of a file; an empty list leaves what is there.
pub(super) fn buckets(written: &[f64]) -> Result<Option<Arc<[f64]>>, String> {
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
    Ok(Some(Arc::from(bounds)))
}
