//! Latency events and histograms: `LATENCY LATEST`, `LATENCY HISTOGRAM`.

use std::collections::BTreeMap;

use metrics_server::{HistogramState, Kind};
use redis::Value;

use super::{
    Snapshot,
    commandstats::{self, CommandStat},
};
use crate::{
    app::Options,
    command::{self, Command, items, number},
    facts::Facts,
    out::{Metric, Out},
};

const LAST: Metric = Metric::gauge("latency_spike_last", "When the latency spike last occurred");
const DURATION: Metric =
    Metric::gauge("latency_spike_duration_seconds", "Length of the last latency spike in seconds");
const MAX: Metric =
    Metric::gauge("latency_spike_max_seconds", "Length of the longest latency spike in seconds");
const SPIKES: Metric =
    Metric::counter("latency_spikes_total", "Latency spikes since LATENCY RESET");
const SPIKES_SECONDS: Metric = Metric::counter(
    "latency_spikes_seconds_total",
    "Length of all latency spikes since LATENCY RESET in seconds",
);
const HISTOGRAM: Metric =
    Metric::gauge("commands_latencies_usec", "A histogram of latencies per command")
        .of_kind(Kind::Histogram);

pub(super) fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    let mut commands = Vec::new();
    if options.latency {
        commands.push(Command::new("LATENCY LATEST"));
        if facts.informed && facts.latency_histogram {
            commands.push(Command::new("LATENCY HISTOGRAM"));
        }
    }
    commands
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    if let Some(events) = snapshot.answers.get(&Command::new("LATENCY LATEST")) {
        for event in items(events) {
            write_event(items(event), out);
        }
    }
    if let Some(histograms) = snapshot.answers.get(&Command::new("LATENCY HISTOGRAM")) {
        let stats = commandstats::read(snapshot.info);
        let mut series = out.family(&HISTOGRAM);
        for (name, histogram) in command::pairs(histograms) {
            if let Some(state) = read_histogram(histogram, microseconds(&stats, &name)) {
                series.histogram(&[("cmd", &name)], state);
            }
        }
    }
}

/// `[name, time, last ms, max ms]`, and since Valkey 8.1 `sum ms, count`.
fn write_event(event: &[Value], out: &mut Out<'_>) -> Option<()> {
    let name = command::text(event.first()?)?;
    let labels = [("event_name", &*name)];
    let at = |index: usize| event.get(index).and_then(number);
    let (last, duration) = (at(1)?, at(2)?);
    out.family(&LAST).sample(&labels, last);
    out.family(&DURATION).sample(&labels, duration / 1e3);
    for (metric, value) in [
        (&MAX, at(3).map(|ms| ms / 1e3)),
        (&SPIKES_SECONDS, at(4).map(|ms| ms / 1e3)),
        (&SPIKES, at(5)),
    ] {
        if let Some(value) = value {
            out.family(metric).sample(&labels, value);
        }
    }
    Some(())
}

/// `{calls: n, histogram_usec: {bound: cumulative count}}`.
fn read_histogram(value: &Value, sum: f64) -> Option<HistogramState> {
    let parts = command::pairs(value);
    let part = |name: &str| parts.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let count = whole(part("calls")?)?;
    let mut buckets = command::pairs(part("histogram_usec")?)
        .into_iter()
        .map(|(bound, count)| Some((bound.parse().ok()?, whole(count)?)))
        .collect::<Option<Vec<(f64, u64)>>>()?;
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    buckets.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
    Some(HistogramState { buckets, sum, count })
}

fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        other => command::text(other)?.parse().ok(),
    }
}

/// Time spent in a command and its subcommands: the histogram of `config` is of all `config|…`.
fn microseconds(stats: &BTreeMap<&str, CommandStat>, name: &str) -> f64 {
    let is_own = |command: &str| {
        command.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
    };
    // Sorted by name, so that a command stands before its subcommands; others may stand between.
    let own = stats.range(name..).take_while(|(command, _)| command.starts_with(name));
    own.filter(|(command, _)| is_own(command)).map(|(_, stat)| stat.microseconds).sum()
}
