//! `--compat`: under which names families are shown. Ours are those of `redis_exporter`; this is the
//! one table of how the native ones differ, and `docs/valkey-exporter.md` is checked against it.

use std::borrow::Cow;

use clap::ValueEnum;
use metrics_server::Kind;

/// Whose names are used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Compat {
    /// Names, types and units of `redis_exporter`, for dashboards and alerts that exist.
    #[default]
    #[value(name = "redis_exporter")]
    RedisExporter,
    /// Prefix `valkey_`, counters in `_total`, seconds and bytes, quantiles from 0 to 1.
    Native,
}

/// A family as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown<'a> {
    /// Without the namespace.
    pub name: Cow<'a, str>,
    /// Its type.
    pub kind: Kind,
    /// What values are divided by.
    pub divisor: f64,
    /// What quantiles are divided by.
    pub quantile_divisor: f64,
}

/// Families whose native name follows no rule: name, native name, divisor.
const EXCEPTIONS: &[(&str, &str, f64)] = &[
    ("client_biggest_input_buf", "client_biggest_input_buffer_bytes", 1.0),
    ("config_maxmemory", "config_maxmemory_bytes", 1.0),
    ("config_repl_backlog_size", "config_repl_backlog_size_bytes", 1.0),
    ("connected_client_created_at_timestamp", "connected_client_created_timestamp_seconds", 1.0),
    ("connected_client_idle_since_timestamp", "connected_client_idle_since_timestamp_seconds", 1.0),
    ("expired_stale_percentage", "expired_stale_ratio", 100.0),
    (
        "expired_keys_with_volatile_items_stale_percentage",
        "expired_keys_with_volatile_items_stale_ratio",
        100.0,
    ),
    ("latency_spike_last", "latency_spike_last_timestamp_seconds", 1.0),
    ("master_repl_offset", "master_repl_offset_bytes", 1.0),
    ("mem_clients_normal", "mem_clients_normal_bytes", 1.0),
    ("mem_clients_slaves", "mem_clients_slaves_bytes", 1.0),
    ("memory_used_vm_total", "memory_used_vm_bytes", 1.0),
    ("module_fork_last_cow_size", "module_fork_last_cow_size_bytes", 1.0),
    (
        "sentinel_master_setting_failover_timeout",
        "sentinel_master_setting_failover_timeout_seconds",
        1e3,
    ),
    ("slave_repl_offset", "slave_repl_offset_bytes", 1.0),
];

/// Gauges of `redis_exporter` which only rise; also everything with `cluster_stats_messages_`.
const RISING: &[&str] = &[
    "aof_delayed_fsync",
    "cluster_messages_received_total",
    "cluster_messages_sent_total",
    "defrag_hits",
    "defrag_key_hits",
    "defrag_key_misses",
    "defrag_misses",
    "lazyfreed_objects",
    "long_lock_waits_total",
    "rdb_saves_total",
    "replica_partial_resync_accepted",
    "replica_partial_resync_denied",
    "replica_resyncs_full",
    "stream_group_entries_read",
];

/// Counters of `redis_exporter` which are current numbers.
const CURRENT: &[&str] = &["search_active_queries_total"];

/// Ends of names that stand for a unit, what they become, and what values are divided by.
const UNITS: &[(&str, &str, f64)] = &[
    ("_usec", "_seconds", 1e6),
    ("_milliseconds", "_seconds", 1e3),
    ("_ms", "_seconds", 1e3),
    ("_sec", "_seconds", 1.0),
];

impl Compat {
    /// How a family of `redis_exporter` is shown.
    pub fn shown(self, name: &str, kind: Kind) -> Shown<'_> {
        match self {
            Self::RedisExporter => {
                Shown { name: name.into(), kind, divisor: 1.0, quantile_divisor: 1.0 }
            }
            Self::Native => native(name, kind),
        }
    }

    /// The prefix, where the flag does not set another one.
    pub fn namespace(self, flag: &str) -> &str {
        match self {
            Self::Native if flag == "redis" => "valkey",
            _ => flag,
        }
    }
}

fn native(name: &str, kind: Kind) -> Shown<'_> {
    let kind = if RISING.contains(&name) || name.starts_with("cluster_stats_messages_") {
        Kind::Counter
    } else if CURRENT.contains(&name) {
        Kind::Gauge
    } else {
        kind
    };
    let quantile_divisor =
        if kind == Kind::Summary && name == "latency_percentiles_usec" { 100.0 } else { 1.0 };
    if let Some((_, to, divisor)) = EXCEPTIONS.iter().find(|(from, ..)| *from == name) {
        return Shown { name: (*to).into(), kind, divisor: *divisor, quantile_divisor };
    }
    // `total` is said once, at the end, and of counters only.
    let stem = name.strip_suffix("_total").unwrap_or(name);
    let stem = stem.strip_prefix("total_").unwrap_or(stem);
    let counted = kind == Kind::Counter;
    let stem = if counted { stem.strip_suffix("_count").unwrap_or(stem) } else { stem };
    let unit = UNITS.iter().find_map(|(end, unit, divisor)| {
        stem.strip_suffix(end).map(|rest| (format!("{rest}{unit}"), *divisor))
    });
    let (stem, divisor) = unit.unwrap_or_else(|| (stem.to_owned(), 1.0));
    let name = if counted { format!("{stem}_total") } else { stem };
    Shown { name: name.into(), kind, divisor, quantile_divisor }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::expect;
    use metrics_server::Kind;

    use super::Compat;
    use crate::fields::FIELDS;

    #[test]
    fn names_follow_rules() {
        let mut shown = String::new();
        for (name, kind) in [
            ("up", Kind::Gauge),
            ("commands_total", Kind::Counter),
            ("total_error_replies", Kind::Counter),
            ("io_threaded_reads_processed", Kind::Counter),
            ("search_hybrid_requests_count", Kind::Counter),
            ("search_active_queries_total", Kind::Counter),
            ("rdb_saves_total", Kind::Gauge),
            ("server_threads_total", Kind::Gauge),
            ("total_blocking_keys", Kind::Gauge),
            ("cluster_stats_messages_ping_sent", Kind::Gauge),
            ("eventloop_duration_sum_usec_total", Kind::Counter),
            ("aof_last_rewrite_duration_sec", Kind::Gauge),
            ("commands_latencies_usec", Kind::Histogram),
            ("latency_percentiles_usec", Kind::Summary),
            ("sentinel_master_setting_down_after_milliseconds", Kind::Gauge),
            ("sentinel_master_setting_failover_timeout", Kind::Gauge),
        ] {
            let to = Compat::Native.shown(name, kind);
            writeln!(shown, "{name} {} {:?} {}", to.name, to.kind, to.divisor).expect("memory");
            assert_eq!(Compat::RedisExporter.shown(name, kind).name, name);
        }
        expect![[r#"
            up up Gauge 1
            commands_total commands_total Counter 1
            total_error_replies error_replies_total Counter 1
            io_threaded_reads_processed io_threaded_reads_processed_total Counter 1
            search_hybrid_requests_count search_hybrid_requests_total Counter 1
            search_active_queries_total search_active_queries Gauge 1
            rdb_saves_total rdb_saves_total Counter 1
            server_threads_total server_threads Gauge 1
            total_blocking_keys blocking_keys Gauge 1
            cluster_stats_messages_ping_sent cluster_stats_messages_ping_sent_total Counter 1
            eventloop_duration_sum_usec_total eventloop_duration_sum_seconds_total Counter 1000000
            aof_last_rewrite_duration_sec aof_last_rewrite_duration_seconds Gauge 1
            commands_latencies_usec commands_latencies_seconds Histogram 1000000
            latency_percentiles_usec latency_percentiles_seconds Summary 1000000
            sentinel_master_setting_down_after_milliseconds sentinel_master_setting_down_after_seconds Gauge 1000
            sentinel_master_setting_failover_timeout sentinel_master_setting_failover_timeout_seconds Gauge 1000
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn no_two_families_share_a_native_name_and_every_counter_ends_in_total() {
        let mut names = std::collections::BTreeSet::new();
        for row in FIELDS {
            let shown = Compat::Native.shown(row.name, row.kind);
            assert!(names.insert(shown.name.clone()), "{} is there twice", shown.name);
            assert_eq!(
                shown.kind == Kind::Counter,
                shown.name.ends_with("_total"),
                "{}",
                shown.name
            );
        }
    }
}
