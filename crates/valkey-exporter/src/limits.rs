//! How often each limit left something out: what a peer can make grow is bounded, and it is told.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::out::{Metric, Out};

const REACHED: Metric = Metric::counter(
    "exporter_limit_reached_total",
    "What was left out because of a limit, by the flag which sets it",
);

/// Limits, in the order of [`FLAGS`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "each is the flag of its name, which has a text")]
pub enum Limit {
    ClientsList,
    ClientsValues,
    InfoLines,
    InfoUnknown,
    KeysFound,
    KeysGroups,
    KeysPatternSteps,
    KeysRemembered,
    KeysScrape,
    KeysValueBytes,
    ScriptValues,
    SearchIndexes,
    StreamsGroups,
}

/// The flag of each [`Limit`].
const FLAGS: [&str; 13] = [
    "clients.list-max",
    "clients.values-max",
    "info.lines",
    "info.unknown",
    "keys.found-max",
    "keys.groups-max",
    "keys.pattern-steps-max",
    "keys.remembered-max",
    "keys.scrape-max",
    "keys.value-bytes-max",
    "script.values-max",
    "search.indexes-max",
    "streams.groups-max",
];

/// Counts by limit.
#[derive(Debug, Default)]
pub struct Limits([AtomicU64; FLAGS.len()]);

impl Limits {
    /// Something was left out.
    pub fn reached(&self, limit: Limit) {
        self.left_out(limit, 1);
    }

    /// So many things were left out.
    pub fn left_out(&self, limit: Limit, count: usize) {
        if let Some(counter) = self.0.get(limit as usize) {
            counter.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// Whether a limit left something out yet.
    pub fn any_reached(&self) -> bool {
        self.0.iter().any(|counter| counter.load(Ordering::Relaxed) > 0)
    }

    /// The count of one limit.
    pub fn count(&self, limit: Limit) -> u64 {
        self.0.get(limit as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// All counts, zeros too.
    pub fn write(&self, out: &mut Out<'_>) {
        let mut series = out.family(&REACHED);
        for (flag, counter) in FLAGS.iter().zip(&self.0) {
            series.sample(&[("limit", flag)], counter.load(Ordering::Relaxed) as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FLAGS, Limit, Limits};

    #[test]
    fn each_limit_counts_under_its_flag() {
        assert_eq!(FLAGS.get(Limit::StreamsGroups as usize), Some(&"streams.groups-max"));
        assert_eq!(FLAGS.get(Limit::KeysFound as usize), Some(&"keys.found-max"));
        let limits = Limits::default();
        limits.left_out(Limit::KeysFound, 3);
        limits.reached(Limit::KeysFound);
        assert_eq!((limits.count(Limit::KeysFound), limits.count(Limit::KeysGroups)), (4, 0));
    }
}
