//! Percentiles of each command's time: `latency_percentiles_usec`.

use metrics_server::{Kind, SummaryState};

use super::{Snapshot, commandstats};
use crate::{
    info,
    out::{Metric, Out},
};

const PERCENTILES: Metric = Metric::gauge(
    "latency_percentiles_usec",
    "A summary of latency percentile distribution per command",
)
.of_kind(Kind::Summary);

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let stats = commandstats::read(snapshot.info);
    let mut series = out.family(&PERCENTILES);
    for (field, value) in snapshot.info.section("Latencystats") {
        let Some(command) = field.strip_prefix("latency_percentiles_usec_") else { continue };
        // Sum and count come from there.
        let Some(stat) = stats.get(command) else { continue };
        if let Some(quantiles) = quantiles(value) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count: the cast saturates"
            )]
            let count = stat.calls as u64;
            let state = SummaryState { quantiles, sum: stat.microseconds, count };
            series.summary(&[("cmd", command)], state);
        }
    }
}

/// `p50=1,p99.9=2`: the quantile label is 50 and 99.9, as dashboards have it. Nothing of a line
/// with a bad item.
fn quantiles(value: &str) -> Option<Vec<(f64, f64)>> {
    let mut quantiles = info::items(value)?
        .iter()
        .map(|(name, value)| Some((name.strip_prefix('p')?.parse().ok()?, value.parse().ok()?)))
        .collect::<Option<Vec<(f64, f64)>>>()?;
    quantiles.sort_by(|a, b| a.0.total_cmp(&b.0));
    // One that is told twice would be a series twice.
    quantiles.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
    Some(quantiles)
}
