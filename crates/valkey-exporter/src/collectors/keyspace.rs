//! Keys by database: `db_keys` and its siblings.

use std::collections::BTreeSet;

use super::{Snapshot, config};
use crate::{
    command::Command,
    info::{self, Items},
    out::{Metric, Out},
};

const KEYS: Metric = Metric::gauge("db_keys", "Total number of keys by DB");
const EXPIRING: Metric = Metric::gauge("db_keys_expiring", "Total number of expiring keys by DB");
const CACHED: Metric = Metric::gauge("db_keys_cached", "Total number of cached keys by DB");
const EXPIRING_ITEMS: Metric = Metric::gauge(
    "db_keys_with_expiring_items",
    "Total number of keys by DB that have items with an expiry of their own",
);
const AVERAGE_TTL: Metric = Metric::gauge("db_avg_ttl_seconds", "Avg TTL in seconds");

/// Databases of a server which does not tell how many it has.
const DATABASES_DEFAULT: u32 = 16;
/// Empty databases beyond this are not shown: a setting of two thousand million would be a page.
const DATABASES_MAX: u32 = 4_096;

/// What the server says of one database.
#[derive(Clone, Copy, Debug)]
struct Database {
    keys: f64,
    expiring: f64,
    average_ttl_seconds: Option<f64>,
    cached: Option<f64>,
    expiring_items: Option<f64>,
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let mut shown = BTreeSet::new();
    for (name, value) in snapshot.info.section("Keyspace") {
        let Some(index) = info::index(name, "db") else { continue };
        if let Some(database) = Database::read(value) {
            database.write(name, out);
            shown.insert(index);
        } else if counts_are_unreadable(value) {
            // It has keys, only nobody can say how many: a zero would be wrong.
            shown.insert(index);
        }
    }
    let empty = (0..empty_databases(snapshot)).filter(|index| !shown.contains(index));
    let mut empty: Vec<_> = empty.map(|index| ["db", &index.to_string()].concat()).collect();
    // In the order of the page, which then has nothing to sort.
    empty.sort_unstable();
    let empty: Vec<_> = empty.iter().filter_map(|name| out.labels(&[("db", name)])).collect();
    for metric in [&KEYS, &EXPIRING] {
        let mut series = out.family(metric);
        for labels in &empty {
            series.sample_of(labels, 0.0);
        }
    }
}

impl Database {
    /// `keys=1,expires=0,avg_ttl=0`, by name: servers differ in what follows and in which order.
    fn read(value: &str) -> Option<Self> {
        let items = info::items(value)?;
        let average_ttl_ms = optional(&items, "avg_ttl")?;
        let expiring_items = match optional(&items, "keys_with_volatile_items")? {
            None => optional(&items, "subexpiry")?,
            known => known,
        };
        Some(Self {
            keys: items.number("keys")?,
            expiring: items.number("expires")?,
            average_ttl_seconds: average_ttl_ms.filter(|ms| *ms >= 0.0).map(|ms| ms / 1e3),
            cached: optional(&items, "cached_keys")?,
            expiring_items,
        })
    }

    fn write(&self, name: &str, out: &mut Out<'_>) {
        let values = [
            (&KEYS, Some(self.keys)),
            (&EXPIRING, Some(self.expiring)),
            (&AVERAGE_TTL, self.average_ttl_seconds),
            (&CACHED, self.cached),
            (&EXPIRING_ITEMS, self.expiring_items),
        ];
        for (metric, value) in values {
            if let Some(value) = value {
                out.family(metric).sample(&[("db", name)], value);
            }
        }
    }
}

/// `Some(None)` for an item which is not there, `None` for one which is no number.
#[expect(clippy::option_option, reason = "absent and unreadable are told apart by `?`")]
fn optional(items: &Items<'_>, name: &str) -> Option<Option<f64>> {
    match items.get(name) {
        None => Some(None),
        Some(_) => items.number(name).map(Some),
    }
}

fn counts_are_unreadable(value: &str) -> bool {
    info::items(value).is_some_and(|items| {
        ["keys", "expires"]
            .iter()
            .any(|name| items.get(name).is_some() && items.number(name).is_none())
    })
}

/// How many databases are shown even when they are empty.
fn empty_databases(snapshot: &Snapshot<'_>) -> u32 {
    let shown = snapshot.options.include_empty_databases && !snapshot.facts.sentinel;
    if shown { databases(snapshot) } else { 0 }
}

/// How many databases the server has.
pub(crate) fn databases(snapshot: &Snapshot<'_>) -> u32 {
    let Snapshot { info, answers, facts, .. } = snapshot;
    let setting = |name| config::get(snapshot, name).and_then(|value| value.parse().ok());
    let count = if info.get("cluster_enabled") == Some("1") {
        let told = !facts.cluster || answers.get(&Command::new("CLUSTER INFO")).is_some();
        if told { setting("cluster-databases").unwrap_or(1) } else { 0 }
    } else {
        setting("databases").unwrap_or(DATABASES_DEFAULT)
    };
    count.min(DATABASES_MAX)
}
