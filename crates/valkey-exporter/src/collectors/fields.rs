//! Fields of `INFO` which are one number each, by the catalogue.

use metrics_server::Kind;

use super::Snapshot;
use crate::{
    app::Options,
    fields::{self, SYSTEM_MEMORY, default_help},
    info,
    limits::Limit,
    out::{Metric, Out},
};

/// Sections whose lines are read by a collector of their own.
const OTHERS: [&str; 4] = ["Commandstats", "Errorstats", "Keyspace", "Latencystats"];

/// Numbers of other sections which collectors of their own show, or which say nothing new.
const NOT_UNKNOWN: [&str; 20] = [
    "arch_bits",
    "lru_clock",
    "master_last_io_seconds_ago",
    "master_link_down_since_seconds",
    "master_port",
    "master_replid",
    "master_replid2",
    "master_sync_in_progress",
    "master_sync_left_bytes",
    "master_sync_read_bytes",
    "master_sync_total_bytes",
    "paused_timeout_milliseconds",
    "redis_git_dirty",
    "redis_git_sha1",
    "server_time_usec",
    "slave_read_only",
    "slave_repl_offset",
    "tcp_port",
    "total_system_memory",
    "uptime_in_days",
];

/// Unknown fields shown of one answer: `INFO`, and `INFO MODULES`.
const UNKNOWN_MAX: usize = 500;

const IO_THREAD: Metric = Metric::counter(
    "active_time_io_thread_seconds_total",
    "Time an I/O thread was busy, in seconds",
);
const START_TIME: Metric = Metric::gauge(
    "start_time_seconds",
    "Start time of the Redis instance since unix epoch in seconds.",
);
pub(crate) const KEY_GROUPS_DURATION: Metric = Metric::gauge(
    "last_key_groups_scrape_duration_milliseconds",
    "Duration of the last key group metrics scrape in milliseconds",
);

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let mut unknown = UnknownFields::new(snapshot.options);
    for line in snapshot.info.lines().filter(|line| !OTHERS.contains(&line.section)) {
        if !write_field(line.field, line.value, out) {
            unknown.write(line.field, line.value, out);
        }
    }
    let number = |field| snapshot.info.get(field).and_then(info::number);
    if snapshot.options.include_system_metrics
        && let Some(bytes) = number(SYSTEM_MEMORY.field)
    {
        out.start(SYSTEM_MEMORY.name, SYSTEM_MEMORY.help(), SYSTEM_MEMORY.kind).sample(&[], bytes);
    }
    if let Some(uptime) = number("uptime_in_seconds")
        && let Ok(now) = snapshot.now.duration_since(std::time::UNIX_EPOCH)
    {
        out.value(&START_TIME, now.as_secs() as f64 - uptime);
    }
    if !snapshot.options.data.keys.has_groups() {
        out.value(&KEY_GROUPS_DURATION, 0.0);
    }
}

/// Writes a field if the catalogue or the rule for `cluster_*` knows it and its value is a number.
/// Whether something was written.
pub(super) fn write_field(field: &str, value: &str, out: &mut Out<'_>) -> bool {
    let Some(number) = info::number(value) else { return false };
    if let Some(row) = fields::find(field) {
        out.start(row.name, row.help(), row.kind).sample(&[], number / row.divisor);
    } else if field.starts_with("cluster_") {
        let name = metric_name(field);
        out.start(&name, default_help(&name), Kind::Gauge).sample(&[], number);
    } else if let Some(thread) = info::index(field, "used_active_time_io_thread_") {
        out.family(&IO_THREAD).sample(&[("thread", &thread.to_string())], number);
    } else {
        return false;
    }
    true
}

/// Numbers of one answer which are in no catalogue, where they are wanted.
pub(super) struct UnknownFields<'a> {
    options: &'a Options,
    shown: usize,
}

impl<'a> UnknownFields<'a> {
    pub(super) const fn new(options: &'a Options) -> Self {
        Self { options, shown: 0 }
    }

    /// Writes a number under a name of its own, so that it never meets another.
    pub(super) fn write(&mut self, field: &str, value: &str, out: &mut Out<'_>) {
        let Ok(number) = value.parse() else { return };
        if !self.options.info_unknown || NOT_UNKNOWN.contains(&field) {
            return;
        }
        if self.shown == UNKNOWN_MAX {
            self.options.data.limits.reached(Limit::InfoUnknown);
            return;
        }
        self.shown += 1;
        let name = format!("info_{}", metric_name(field));
        out.start(&name, "A field of INFO that this version does not know", Kind::Gauge)
            .sample(&[], number);
    }
}

fn metric_name(field: &str) -> String {
    field.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
