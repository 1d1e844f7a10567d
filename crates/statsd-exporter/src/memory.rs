//! How much memory this process may use, and what limits follow from it.

use std::fs;

/// Where control groups, version 2 and 1, tell their limit to those inside.
const LIMIT_FILES: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
/// What is planned with where there is no limit.
const DEFAULT_BYTES: u64 = 1024 * 1024 * 1024;
/// Version 1 writes a number near 2^63 for no limit.
const NO_LIMIT_BYTES: u64 = 1 << 60;
/// What a series is planned with, its share of a page that is being made included. A flood of new
/// counters, gauges and timers in 64 MiB peaks at about 45 MiB with it, and at 62 MiB with 1,024.
const SERIES_BYTES: u64 = 1_536;
/// The share of the memory which the aliases of one listener get.
const ALIAS_SHARE: u64 = 8;

/// The memory which is planned with: three quarters of the container's limit, or 1 GiB.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Budget {
    bytes: u64,
}

impl Budget {
    /// Asks the system.
    pub(crate) fn read() -> Self {
        let texts = LIMIT_FILES.iter().filter_map(|path| fs::read_to_string(path).ok());
        Self::of(texts.filter_map(|text| limit(&text)).min())
    }

    fn of(limit: Option<u64>) -> Self {
        Self { bytes: limit.map_or(DEFAULT_BYTES, |bytes| bytes / 4 * 3) }
    }

    /// How many series fit.
    pub(crate) const fn series_max(self) -> u64 {
        self.bytes / SERIES_BYTES
    }

    /// Bytes for the aliases of one listener.
    pub(crate) fn alias_bytes_max(self) -> usize {
        usize::try_from(self.bytes / ALIAS_SHARE).unwrap_or(usize::MAX)
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
        assert_eq!((budget.series_max(), budget.alias_bytes_max()), (32_768, 6_291_456));
        assert_eq!(Budget::of(None).series_max(), 699_050);
    }
}
