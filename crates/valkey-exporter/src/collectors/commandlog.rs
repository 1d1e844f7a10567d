//! Slow and large commands kept by Valkey 8.1: `COMMANDLOG LEN`. Its settings are read by `config`.

use super::Snapshot;
use crate::{
    app::Options,
    command::{Command, number},
    facts::{Facts, commandlog_probe},
    out::{Metric, Out},
};

const LENGTHS: [(&str, Metric); 3] = [
    ("COMMANDLOG LEN slow", Metric::plain("commandlog_slow_length")),
    ("COMMANDLOG LEN large-request", Metric::plain("commandlog_large_request_length")),
    ("COMMANDLOG LEN large-reply", Metric::plain("commandlog_large_reply_length")),
];

pub(super) fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    if options.data.tile38 {
        return Vec::new();
    }
    match (facts.informed, facts.commandlog) {
        (_, true) => LENGTHS.iter().map(|(words, _)| Command::new(words)).collect(),
        // Once a connection: forks of Redis have it as well, and no version tells.
        (false, false) => vec![commandlog_probe()],
        (true, false) => Vec::new(),
    }
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    for (words, metric) in &LENGTHS {
        if let Some(length) = snapshot.answers.get(&Command::new(words)).and_then(number) {
            out.value(metric, length);
        }
    }
}
