//! Slow commands: how many are kept, and which was the last.

use super::Snapshot;
use crate::{
    app::Options,
    command::{Command, items, number},
    facts::Facts,
    out::{Metric, Out},
};

const LENGTH: Metric = Metric::gauge("slowlog_length", "Total slowlog");
const LAST_ID: Metric = Metric::gauge("slowlog_last_id", "Last id of slowlog");
const LAST_DURATION: Metric = Metric::gauge(
    "last_slow_execution_duration_seconds",
    "The amount of time needed for last slow execution, in seconds",
);

pub(super) fn commands(_options: &Options, _facts: &Facts) -> Vec<Command> {
    vec![Command::new("SLOWLOG LEN"), Command::new("SLOWLOG GET 1")]
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let length = snapshot.answers.get(&Command::new("SLOWLOG LEN"));
    if let Some(length) = length.and_then(number) {
        out.value(&LENGTH, length);
    }
    if let Some(entries) = snapshot.answers.get(&Command::new("SLOWLOG GET 1")) {
        // Id, time, microseconds, and the command itself, which is nobody's business.
        let entry = items(entries).first().map(items).unwrap_or_default();
        let at = |index: usize| entry.get(index).and_then(number).unwrap_or(0.0);
        out.value(&LAST_ID, at(0));
        out.value(&LAST_DURATION, at(2) / 1e6);
    }
}
