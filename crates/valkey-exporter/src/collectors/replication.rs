//! Replicas of a primary, and the primary of a replica.

use std::collections::BTreeMap;

use super::Snapshot;
use crate::{
    info,
    out::{Metric, Out},
};

const REPLICA_OFFSET: Metric =
    Metric::gauge("connected_slave_offset_bytes", "Offset of connected slave");
const REPLICA_LAG: Metric = Metric::gauge("connected_slave_lag_seconds", "Lag of connected slave");
const LINK_UP: Metric = Metric::gauge("master_link_up", "Master link status on Redis slave");
const LAST_IO: Metric = Metric::gauge("master_last_io_seconds_ago", "Master last io seconds ago");
const SYNCING: Metric = Metric::gauge("master_sync_in_progress", "Master sync in progress");
const DOWN_SINCE: Metric =
    Metric::gauge("master_link_down_seconds", "Time since the link to the master is down");
const SYNC_LEFT: Metric =
    Metric::gauge("master_sync_remaining_bytes", "Bytes of a running sync which are still to come");
const SYNC_READ: Metric =
    Metric::gauge("master_sync_read_bytes", "Bytes of a running sync which have come");
const SYNC_SIZE: Metric = Metric::gauge("master_sync_size_bytes", "Bytes of a running sync");
const FAILOVER: Metric = Metric::gauge(
    "master_failover_in_progress",
    "Whether a failover that FAILOVER asked for is under way",
);
const OFFSET: Metric = Metric::gauge("slave_repl_offset", "Slave replication offset");
const REPLICA_INFO: Metric = Metric::gauge("slave_info", "Information about the Redis slave");

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let mut masters: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (field, value) in snapshot.info.section("Replication") {
        if info::index(field, "slave").is_some() {
            write_replica(value, out);
        } else if let Some((index, what)) = master_field(field) {
            masters.entry(index).or_default().push((what, value));
        }
    }
    for fields in masters.values() {
        write_master(fields, out);
    }
    let first = masters.get("").map(Vec::as_slice).unwrap_or_default();
    let labels = master_labels(first);
    let get = |field| snapshot.info.get(field);
    if let Some(offset) = get("slave_repl_offset").and_then(info::number) {
        out.family(&OFFSET).sample(&labels, offset);
    }
    if let Some(state) = get("master_failover_state") {
        out.value(&FAILOVER, f64::from(u8::from(state != "no-failover")));
    }
    if get("role") == Some("slave") {
        let read_only = ("read_only", get("slave_read_only").unwrap_or_default());
        out.family(&REPLICA_INFO).sample(&[labels[0], labels[1], read_only], 1.0);
    }
}

/// `ip=10.0.0.1,port=6379,state=online,offset=98,lag=0`; nothing of a line with a bad item.
fn write_replica(value: &str, out: &mut Out<'_>) {
    let Some(items) = info::items(value) else { return };
    let Some(offset) = items.number("offset") else { return };
    let lag = items.number("lag");
    if lag.is_none() && items.get("lag").is_some() {
        return;
    }
    let get = |name| items.get(name).unwrap_or_default();
    let labels =
        [("slave_ip", get("ip")), ("slave_port", get("port")), ("slave_state", get("state"))];
    out.family(&REPLICA_OFFSET).sample(&labels, offset);
    if let Some(lag) = lag {
        out.family(&REPLICA_LAG).sample(&labels, lag);
    }
}

/// `master_host` is `("", "host")`, `KeyDB`'s `master_1_host` is `("1", "host")`.
fn master_field(field: &str) -> Option<(&str, &str)> {
    let rest = field.strip_prefix("master_")?;
    match rest.split_once('_') {
        Some((index, what)) if !index.is_empty() && info::index(index, "").is_some() => {
            Some((index, what))
        }
        _ => Some(("", rest)),
    }
}

fn find<'a>(fields: &[(&str, &'a str)], wanted: &str) -> Option<&'a str> {
    fields.iter().find(|(what, _)| *what == wanted).map(|(_, value)| *value)
}

fn master_labels<'a>(fields: &[(&str, &'a str)]) -> [(&'static str, &'a str); 2] {
    let get = |what| find(fields, what).unwrap_or_default();
    [("master_host", get("host")), ("master_port", get("port"))]
}

fn write_master(fields: &[(&str, &str)], out: &mut Out<'_>) {
    let labels = master_labels(fields);
    if let Some(status) = find(fields, "link_status") {
        out.family(&LINK_UP).sample(&labels, f64::from(u8::from(status == "up")));
    }
    for (metric, what) in [
        (&LAST_IO, "last_io_seconds_ago"),
        (&SYNCING, "sync_in_progress"),
        (&DOWN_SINCE, "link_down_since_seconds"),
        (&SYNC_LEFT, "sync_left_bytes"),
        (&SYNC_READ, "sync_read_bytes"),
        (&SYNC_SIZE, "sync_total_bytes"),
    ] {
        if let Some(number) = find(fields, what).and_then(info::number) {
            out.family(metric).sample(&labels, number);
        }
    }
}
