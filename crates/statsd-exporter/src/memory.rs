//! How much memory this process may use, and what limits follow from it.

use std::fs;

/// Where control groups, version 2 and 1, tell their limit to those inside.
const LIMIT_FILES: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
/// What is planned with where there is no limit.
const DEFAULT_BYTES: u64 = 1024 * 1024 * 1024;
/// Version 1 writes a number near 2^63 for no limit.
const NO_LIMIT_BYTES: u64 = 1 << 60;
/// There are as many series as if each took this; most take less, and what they take is counted.
const SERIES_BYTES: u64 = 512;
/// The share of the memory which the aliases of all listeners get together.
const ALIAS_SHARE: u64 = 4;

/// The memory which is planned with: three quarters of the container's limit, or 1 GiB.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Budget {
    bytes: u64,
}

impl Budget {
    /// So many bytes, or what the system tells where it is 0.
    pub(crate) fn of_flag(bytes: u64) -> Self {
        if bytes > 0 {
            return Self { bytes };
        }
        let texts = LIMIT_FILES.iter().filter_map(|path| fs::read_to_string(path).ok());
        Self::of(texts.filter_map(|text| limit(&text)).min())
    }

    fn of(limit: Option<u64>) -> Self {
        Self { bytes: limit.map_or(DEFAULT_BYTES, |bytes| bytes / 4 * 3) }
    }

    /// How many series there may be.
    pub(crate) const fn series_max(self) -> u64 {
        self.bytes / SERIES_BYTES
    }

    /// Bytes for series.
    pub(crate) const fn series_bytes_max(self) -> u64 {
        self.bytes / ALIAS_SHARE * (ALIAS_SHARE - 1)
    }

    /// Bytes for the aliases of one of `listeners`.
    pub(crate) fn alias_bytes_max(self, listeners: usize) -> usize {
        usize::try_from(self.bytes / ALIAS_SHARE).unwrap_or(usize::MAX) / listeners.max(1)
    }
}

/// `max` and very large numbers are no limit.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < NO_LIMIT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::{Budget, limit};

    #[test]
    fn a_small_container_holds_few_series() {
        assert_eq!(limit("67108864\n"), Some(67_108_864));
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("9223372036854771712\n"), None);
        let budget = Budget::of(limit("67108864"));
        assert_eq!(budget.series_max(), 98_304);
        assert_eq!(budget.series_bytes_max(), 37_748_736);
        assert_eq!(budget.alias_bytes_max(2), 6_291_456);
        assert_eq!(Budget::of(None).series_bytes_max(), 805_306_368);
        assert_eq!(Budget::of_flag(1024).series_max(), 2);
    }
}
