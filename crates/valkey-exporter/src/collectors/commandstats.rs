//! Calls and time by command: `commands_total` and its siblings.

use std::collections::BTreeMap;

use super::Snapshot;
use crate::{
    info::{self, Info},
    out::{Metric, Out},
};

const CALLS: Metric = Metric::counter("commands_total", "Total number of calls per command");
const DURATION: Metric = Metric::counter(
    "commands_duration_seconds_total",
    "Total amount of time in seconds spent per command",
);
// The reference has the help texts of these two the wrong way round; so have we.
const REJECTED: Metric = Metric::counter(
    "commands_rejected_calls_total",
    "Total number of errors within command execution per command",
);
const FAILED: Metric = Metric::counter(
    "commands_failed_calls_total",
    "Total number of errors prior command execution per command",
);

/// What is counted of one command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CommandStat {
    pub(super) calls: f64,
    pub(super) microseconds: f64,
    /// Rejected and failed calls, since Redis 6.2.
    errors: Option<(f64, f64)>,
}

/// All commands; a line with a bad item is left out.
pub(super) fn read<'a>(info: &Info<'a>) -> BTreeMap<&'a str, CommandStat> {
    info.section("Commandstats")
        .filter_map(|(field, value)| {
            Some((field.strip_prefix("cmdstat_")?, CommandStat::read(value)?))
        })
        .collect()
}

impl CommandStat {
    fn read(value: &str) -> Option<Self> {
        let items = info::items(value)?;
        let errors = match (items.get("rejected_calls"), items.get("failed_calls")) {
            (Some(_), Some(_)) => {
                Some((items.number("rejected_calls")?, items.number("failed_calls")?))
            }
            _ => None,
        };
        Some(Self { calls: items.number("calls")?, microseconds: items.number("usec")?, errors })
    }
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let stats = read(snapshot.info);
    let mut family = |metric: &Metric, value: fn(&CommandStat) -> Option<f64>| {
        let mut series = out.family(metric);
        for (command, stat) in &stats {
            if let Some(value) = value(stat) {
                series.sample(&[("cmd", command)], value);
            }
        }
    };
    family(&CALLS, |stat| Some(stat.calls));
    family(&DURATION, |stat| Some(stat.microseconds / 1e6));
    family(&REJECTED, |stat| stat.errors.map(|(rejected, _)| rejected));
    family(&FAILED, |stat| stat.errors.map(|(_, failed)| failed));
}
