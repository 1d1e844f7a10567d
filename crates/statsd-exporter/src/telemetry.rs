//! What the exporter tells about itself, under the names of `statsd_exporter`.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use prometheus::{
    IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, core::Collector,
};
use tracing::warn;

use crate::{
    counts::{Counts, EventError, Limit},
    line::{Fault, Kind, Notice},
    series::Store,
};

/// Names which begin so are the exporter's own.
pub const RESERVED_PREFIXES: &[&str] =
    &["statsd_exporter_", "statsd_metric_mapper_", "promhttp_metric_handler_"];

/// Label values of `events_conflict_total` which are kept apart; strangers choose the names.
const CONFLICTS_MAX: usize = 1_000;
/// The `metric_name` of all further ones.
const CONFLICTS_OTHER: &str = "_other";

/// Handles of all families. Those with labels appear with their first label value.
#[derive(Clone, Debug)]
pub struct Telemetry {
    events: Labelled<{ Kind::ALL.len() }>,
    flushed: IntCounter,
    unmapped: IntCounter,
    udp_packets: IntCounter,
    udp_drops: IntCounter,
    tcp_connections: IntCounter,
    tcp_errors: IntCounter,
    tcp_too_long_lines: IntCounter,
    unixgram_packets: IntCounter,
    unix_connections: IntCounter,
    unix_packets: IntCounter,
    lines: IntCounter,
    samples: IntCounter,
    sample_errors: Labelled<{ Fault::ALL.len() }>,
    notices: Labelled<{ Notice::ALL.len() }>,
    tags: IntCounter,
    tag_errors: IntCounter,
    reloads: IntCounterVec,
    loaded_mappings: IntGauge,
    conflicts: IntCounterVec,
    conflict_names: Arc<Mutex<BTreeSet<Arc<str>>>>,
    event_errors: Labelled<{ EventError::ALL.len() }>,
    actions: Labelled<2>,
    metrics: IntGaugeVec,
    metrics_current: IntGaugeVec,
    memory_bytes: IntGauge,
    refused: Labelled<{ Limit::ALL.len() }>,
    refused_logged: Arc<[AtomicBool; Limit::ALL.len()]>,
    cache: Option<Cache>,
}

/// What `statsd_exporter` tells of its mapping cache; here it is told of the aliases.
#[derive(Clone, Debug)]
struct Cache {
    length: IntGauge,
    gets: IntCounter,
    hits: IntCounter,
}

/// Registers families, or hands on the first failure.
struct Registrar<'r>(&'r Registry);

impl Registrar<'_> {
    fn register<C: Collector + Clone + 'static>(
        &self,
        collector: prometheus::Result<C>,
    ) -> prometheus::Result<C> {
        let collector = collector?;
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.register(IntCounter::new(name, help))
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauges(&self, name: &str, help: &str) -> prometheus::Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), &["type"]))
    }
}

impl Telemetry {
    /// Registers all families. Without `cache`, the three of the mapping cache are left out, as
    /// `--statsd.cache-size=0` asks.
    ///
    /// # Errors
    ///
    /// `registry` has one of them already.
    #[expect(clippy::too_many_lines, reason = "a table of families")]
    pub fn register(registry: &Registry, cache: bool) -> prometheus::Result<Self> {
        let registrar = Registrar(registry);
        let r = &registrar;
        Ok(Self {
            events: Labelled::new(
                r.counters(
                    "statsd_exporter_events_total",
                    "The total number of StatsD events seen.",
                    &["type"],
                )?,
                Kind::ALL.map(Kind::as_str),
            ),
            flushed: r.counter(
                "statsd_exporter_event_queue_flushed_total",
                "Number of times events were flushed to exporter",
            )?,
            unmapped: r.counter(
                "statsd_exporter_events_unmapped_total",
                "The total number of StatsD events no mapping was found for.",
            )?,
            udp_packets: r.counter(
                "statsd_exporter_udp_packets_total",
                "The total number of StatsD packets received over UDP.",
            )?,
            udp_drops: r.counter(
                "statsd_exporter_udp_packet_drops_total",
                "The total number of dropped StatsD packets which received over UDP.",
            )?,
            tcp_connections: r.counter(
                "statsd_exporter_tcp_connections_total",
                "The total number of TCP connections handled.",
            )?,
            tcp_errors: r.counter(
                "statsd_exporter_tcp_connection_errors_total",
                "The number of errors encountered reading from TCP.",
            )?,
            tcp_too_long_lines: r.counter(
                "statsd_exporter_tcp_too_long_lines_total",
                "The number of lines discarded due to being too long.",
            )?,
            unixgram_packets: r.counter(
                "statsd_exporter_unixgram_packets_total",
                "The total number of StatsD packets received over Unixgram.",
            )?,
            unix_connections: r.counter(
                "statsd_exporter_unix_connections_total",
                "The total number of connections to the Unix stream socket.",
            )?,
            unix_packets: r.counter(
                "statsd_exporter_unix_packets_total",
                "The total number of StatsD packets received over the Unix stream socket.",
            )?,
            lines: r.counter(
                "statsd_exporter_lines_total",
                "The total number of StatsD lines received.",
            )?,
            samples: r.counter(
                "statsd_exporter_samples_total",
                "The total number of StatsD samples received.",
            )?,
            sample_errors: Labelled::new(
                r.counters(
                    "statsd_exporter_sample_errors_total",
                    "The total number of errors parsing StatsD samples.",
                    &["reason"],
                )?,
                Fault::ALL.map(Fault::reason),
            ),
            notices: Labelled::new(
                r.counters(
                    "statsd_exporter_dogstatsd_notices_total",
                    "Events and service checks of DogStatsD, which are no metrics.",
                    &["type"],
                )?,
                Notice::ALL.map(Notice::as_str),
            ),
            tags: r.counter(
                "statsd_exporter_tags_total",
                "The total number of DogStatsD tags processed.",
            )?,
            tag_errors: r.counter(
                "statsd_exporter_tag_errors_total",
                "The number of errors parsing DogStatsD tags.",
            )?,
            reloads: r.counters(
                "statsd_exporter_config_reloads_total",
                "The number of configuration reloads.",
                &["outcome"],
            )?,
            loaded_mappings: r.register(IntGauge::new(
                "statsd_exporter_loaded_mappings",
                "The current number of configured metric mappings.",
            ))?,
            conflicts: r.counters(
                "statsd_exporter_events_conflict_total",
                "The total number of StatsD events with conflicting names.",
                &["type", "metric_name"],
            )?,
            conflict_names: Arc::default(),
            event_errors: Labelled::new(
                r.counters(
                    "statsd_exporter_events_error_total",
                    "The total number of StatsD events discarded due to errors.",
                    &["reason"],
                )?,
                EventError::ALL.map(EventError::reason),
            ),
            actions: Labelled::new(
                r.counters(
                    "statsd_exporter_events_actions_total",
                    "The total number of StatsD events by action.",
                    &["action"],
                )?,
                ["map", "drop"],
            ),
            metrics: r.gauges("statsd_exporter_metrics_total", "The total number of metrics.")?,
            metrics_current: r.gauges(
                "statsd_exporter_metrics_current",
                "Number of series which are exposed now.",
            )?,
            memory_bytes: r.register(IntGauge::new(
                "statsd_exporter_series_memory_bytes",
                "Memory of all series, as --statsd.max-memory counts it.",
            ))?,
            refused: Labelled::new(
                r.counters(
                    "statsd_exporter_limit_refusals_total",
                    "What was refused because as much as is allowed was there, by limit.",
                    &["limit"],
                )?,
                Limit::ALL.map(Limit::noun),
            ),
            refused_logged: Arc::default(),
            cache: cache.then(|| Cache::register(r)).transpose()?,
        })
    }

    /// Adds what a thread has counted, and empties `counts`.
    pub fn publish(&self, counts: &mut Counts) {
        self.flushed.inc();
        for (counter, count) in [
            (&self.unmapped, counts.unmapped),
            (&self.udp_packets, counts.udp_packets),
            (&self.tcp_connections, counts.tcp_connections),
            (&self.tcp_errors, counts.tcp_errors),
            (&self.tcp_too_long_lines, counts.tcp_too_long_lines),
            (&self.unixgram_packets, counts.unixgram_packets),
            (&self.unix_connections, counts.unix_connections),
            (&self.unix_packets, counts.unix_packets),
            (&self.lines, counts.lines),
            (&self.samples, counts.samples),
            (&self.tags, counts.tags),
            (&self.tag_errors, counts.tag_errors),
        ] {
            counter.inc_by(count);
        }
        self.events.add(counts.events);
        self.notices.add(counts.notices);
        self.sample_errors.add(counts.faults);
        self.event_errors.add(counts.event_errors);
        self.actions.add([counts.mapped, counts.dropped]);
        self.refused.add(counts.refused);
        for (limit, count) in Limit::ALL.into_iter().zip(counts.refused) {
            self.log_first(limit, count);
        }
        if let Some(cache) = &self.cache {
            cache.length.add(counts.aliases_gained);
            cache.gets.inc_by(counts.alias_gets);
            cache.hits.inc_by(counts.alias_hits);
        }
        *counts = Counts::default();
    }

    /// Counts what summaries had to do without for lack of memory, and logs the first.
    pub fn memory_refused(&self, count: u64) {
        if count > 0 {
            let mut counts = [0; Limit::ALL.len()];
            counts[Limit::Memory as usize] = count;
            self.refused.add(counts);
            self.log_first(Limit::Memory, count);
        }
    }

    fn log_first(&self, limit: Limit, count: u64) {
        if count > 0 && !self.refused_logged[limit as usize].swap(true, Ordering::Relaxed) {
            warn!(limit = limit.noun(), flag = limit.flag(), "limit reached; refusals are counted");
        }
    }

    /// Counts events whose name has another type. Rare: it takes a lock.
    pub fn conflict(&self, kind: Kind, name: &Arc<str>, weight: u64) {
        let mut names = self.conflict_names.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.contains(name) && names.len() < CONFLICTS_MAX {
            names.insert(Arc::clone(name));
        }
        let name = if names.contains(name) { name } else { CONFLICTS_OTHER };
        self.conflicts.with_label_values(&[kind.as_str(), name]).inc_by(weight);
    }

    /// Counts datagrams which the kernel threw away because a socket's buffer was full.
    pub fn udp_dropped(&self, count: u64) {
        self.udp_drops.inc_by(count);
    }

    /// Counts a reload of the mapping file.
    pub fn reloaded(&self, succeeded: bool) {
        let outcome = if succeeded { "success" } else { "failure" };
        self.reloads.with_label_values(&[outcome]).inc();
    }

    /// Shows how many rules there are.
    pub fn loaded(&self, rules_count: usize) {
        self.loaded_mappings.set(i64::try_from(rules_count).unwrap_or(i64::MAX));
    }

    /// Reads what only the store knows, for a scrape.
    pub fn read(&self, store: &Store) {
        for (kind, count) in store.ever().filter(|(_, count)| *count > 0) {
            self.metrics.with_label_values(&[kind]).set(count);
        }
        self.memory_refused(store.memory().take_refused());
        let used = store.memory().used();
        self.memory_bytes.set(i64::try_from(used).unwrap_or(i64::MAX));
        for (kind, count) in store.current() {
            self.metrics_current.with_label_values(&[kind]).set(count);
        }
    }
}

impl Cache {
    fn register(r: &Registrar<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            length: r.register(IntGauge::new(
                "statsd_metric_mapper_cache_length",
                "The count of unique metrics currently cached.",
            ))?,
            gets: r.counter(
                "statsd_metric_mapper_cache_gets_total",
                "The count of total metric cache gets.",
            )?,
            hits: r.counter(
                "statsd_metric_mapper_cache_hits_total",
                "The count of total metric cache hits.",
            )?,
        })
    }
}

/// A family of one label whose values are known: each series is looked up once.
#[derive(Clone, Debug)]
struct Labelled<const N: usize> {
    family: IntCounterVec,
    labels: [&'static str; N],
    series: [OnceLock<IntCounter>; N],
}

impl<const N: usize> Labelled<N> {
    fn new(family: IntCounterVec, labels: [&'static str; N]) -> Self {
        Self { family, labels, series: std::array::from_fn(|_| OnceLock::new()) }
    }

    /// Adds counts, leaving out what has never been counted.
    fn add(&self, counts: [u64; N]) {
        for ((label, series), count) in self.labels.iter().zip(&self.series).zip(counts) {
            if count > 0 {
                series.get_or_init(|| self.family.with_label_values(&[label])).inc_by(count);
            }
        }
    }
}
