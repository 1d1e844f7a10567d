//! How long connections have been idle: the histogram `pg_process_idle_seconds`.

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, HistogramState, Kind, Page};

use super::columns::UNKNOWN;
use crate::{
    instance::Instance,
    row::{RowError, Rows},
};

/// See the module.
pub(super) const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "process_idle",
    help: "How long connections have been idle",
    enabled_by_default: false,
    build: || Box::new(ProcessIdle),
};

const QUERY: &str = include_str!("process_idle.sql");
const SECONDS: Desc<'static> =
    Desc::new("pg_process_idle_seconds", "Idle time of server processes", Kind::Histogram);
/// Upper bounds, and the column which counts up to each.
const BUCKETS: [(f64, &str); 9] = [
    (1.0, "le_1"),
    (2.0, "le_2"),
    (5.0, "le_5"),
    (15.0, "le_15"),
    (30.0, "le_30"),
    (60.0, "le_60"),
    (90.0, "le_90"),
    (120.0, "le_120"),
    (300.0, "le_300"),
];

struct ProcessIdle;

impl Collector<Instance> for ProcessIdle {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move { Ok(write(&instance.query(QUERY).await?, out)?) })
    }
}

fn write(rows: &Rows, out: &mut Page) -> Result<(), RowError> {
    let mut family = out.family(SECONDS);
    for row in rows.iter() {
        let count = |column: &str| {
            let text = row.text(column)?.unwrap_or("0");
            text.parse::<u64>().map_err(|_error| RowError::NotANumber(column.to_owned()))
        };
        let mut state = HistogramState {
            buckets: Vec::with_capacity(BUCKETS.len()),
            sum: row.number("seconds_sum")?.unwrap_or_default(),
            count: count("seconds_count")?,
        };
        for (bound, column) in BUCKETS {
            state.buckets.push((bound, count(column)?));
        }
        let labels = [
            ("application_name", row.text("application_name")?.unwrap_or(UNKNOWN)),
            ("state", row.text("state")?.unwrap_or(UNKNOWN)),
        ];
        family.histogram(&labels, state);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
