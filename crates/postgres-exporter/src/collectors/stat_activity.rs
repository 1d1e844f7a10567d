//! Connections by what they do: `pg_stat_activity_*`.

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, LabelBlock, Page};

use crate::{
    instance::Instance,
    row::{RowError, Rows},
};

/// See the module.
pub const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_activity",
    help: "Connections by state",
    enabled_by_default: true,
    build: || Box::new(StatActivity),
};

const QUERY: &str = include_str!("stat_activity.sql");
const LABELS: [&str; 7] = [
    "datname",
    "state",
    "usename",
    "application_name",
    "backend_type",
    "wait_event_type",
    "wait_event",
];
const COUNT: Desc<'static> =
    Desc::gauge("pg_stat_activity_count", "number of connections in this state");
const DURATION: Desc<'static> = Desc::gauge(
    "pg_stat_activity_max_tx_duration",
    "max duration in seconds any active transaction has been running",
);

struct StatActivity;

impl Collector<Instance> for StatActivity {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move { Ok(write(&instance.query(QUERY).await?, out)?) })
    }
}

/// Unlike elsewhere NULL is an empty label: a database and state which nobody is in has a row of 0
/// whose other labels are empty.
fn write(rows: &Rows, out: &mut Page) -> Result<(), RowError> {
    let mut series = Vec::with_capacity(rows.len());
    for row in rows.iter() {
        let mut pairs = Vec::with_capacity(LABELS.len());
        for label in LABELS {
            pairs.push((label, row.text(label)?.unwrap_or_default()));
        }
        let labels = LabelBlock::new(&pairs).expect("label names are ours, distinct and valid");
        let duration = row.number("max_tx_duration")?.unwrap_or_default();
        series.push((labels, row.number("count")?.unwrap_or_default(), duration));
    }
    let mut count = out.family(COUNT);
    for (labels, value, _) in &series {
        count.series(labels, *value);
    }
    let mut duration = out.family(DURATION);
    for (labels, _, value) in &series {
        duration.series(labels, *value);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
