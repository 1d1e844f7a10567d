//! What one ingest thread has counted since it last told everybody: plain numbers, no lock.

use crate::{
    line::{Fault, Kind, Notice, Tally},
    series::Flags,
};

/// Why an event which could be read was left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventError {
    /// Nothing is left of its name.
    EmptyName,
    /// A counter cannot fall.
    NegativeCounter,
    /// NaN or infinite: a counter, sum or quantile would never recover from it.
    NotFinite,
}

impl EventError {
    /// Every error, in the order of the counters.
    pub const ALL: [Self; 3] = [Self::EmptyName, Self::NegativeCounter, Self::NotFinite];

    /// The `reason` label.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::EmptyName => "empty_metric_name",
            Self::NegativeCounter => "illegal_negative_counter",
            Self::NotFinite => "illegal_non_finite_value",
        }
    }
}

/// What strangers can make grow no further.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// `--statsd.max-series`
    Series,
    /// `--statsd.max-series-per-name`
    SeriesPerName,
    /// `--statsd.max-memory`
    Memory,
    /// `--statsd.max-labels`
    Labels,
    /// `--statsd.max-name-length`
    NameBytes,
    /// `--statsd.max-line-length`
    LineBytes,
    /// `--statsd.max-tcp-connections`
    TcpConnections,
    /// `--statsd.tcp-idle-timeout`
    Idle,
    /// `--statsd.allow-from`
    Source,
}

impl Limit {
    /// Every limit, in the order of the counters.
    pub const ALL: [Self; 9] = [
        Self::Series,
        Self::SeriesPerName,
        Self::Memory,
        Self::Labels,
        Self::NameBytes,
        Self::LineBytes,
        Self::TcpConnections,
        Self::Idle,
        Self::Source,
    ];

    /// The `limit` label.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Series => "series",
            Self::SeriesPerName => "series_per_name",
            Self::Memory => "memory",
            Self::Labels => "labels",
            Self::NameBytes => "name_length",
            Self::LineBytes => "line_length",
            Self::TcpConnections => "tcp_connections",
            Self::Idle => "idle",
            Self::Source => "source",
        }
    }

    /// The flag which sets it.
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Series => "--statsd.max-series",
            Self::SeriesPerName => "--statsd.max-series-per-name",
            Self::Memory => "--statsd.max-memory",
            Self::Labels => "--statsd.max-labels",
            Self::NameBytes => "--statsd.max-name-length",
            Self::LineBytes => "--statsd.max-line-length",
            Self::TcpConnections => "--statsd.max-tcp-connections",
            Self::Idle => "--statsd.tcp-idle-timeout",
            Self::Source => "--statsd.allow-from",
        }
    }
}

/// Counted since the last time it was published.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    pub(crate) events: [u64; Kind::ALL.len()],
    pub(crate) unmapped: u64,
    pub(crate) mapped: u64,
    pub(crate) dropped: u64,
    pub(crate) event_errors: [u64; EventError::ALL.len()],
    pub(crate) lines: u64,
    pub(crate) samples: u64,
    pub(crate) faults: [u64; Fault::ALL.len()],
    pub(crate) tags: u64,
    pub(crate) tag_errors: u64,
    pub(crate) notices: [u64; Notice::ALL.len()],
    pub(crate) udp_packets: u64,
    pub(crate) unixgram_packets: u64,
    pub(crate) unix_connections: u64,
    pub(crate) unix_packets: u64,
    pub(crate) tcp_connections: u64,
    pub(crate) tcp_errors: u64,
    pub(crate) tcp_too_long_lines: u64,
    pub(crate) refused: [u64; Limit::ALL.len()],
    pub(crate) alias_gets: u64,
    pub(crate) alias_hits: u64,
    /// How many aliases there are more than at the last time.
    pub(crate) aliases_gained: i64,
}

impl Counts {
    pub(crate) const fn fault(&mut self, fault: Fault) {
        self.faults[fault as usize] += 1;
    }

    pub(crate) const fn error(&mut self, error: EventError, weight: u64) {
        self.event_errors[error as usize] += weight;
    }

    pub(crate) const fn refuse(&mut self, limit: Limit) {
        self.refused[limit as usize] += 1;
    }

    /// Counts a sample on its way to a series, or to a conflict.
    pub(crate) const fn way(&mut self, flags: Flags, weight: u64) {
        self.tags += flags.tagged as u64;
        if flags.by_rule {
            self.mapped += weight;
        } else {
            self.unmapped += weight;
        }
    }

    pub(crate) const fn line(&mut self, tally: Tally) {
        self.samples += tally.samples;
        self.tag_errors += tally.tag_errors;
        self.tags += tally.tagged;
        self.faults[Fault::InvalidSampleFactor as usize] += tally.rate_errors;
    }
}
