//! Which commands are in the logs of slow and large ones: their names, never their arguments.

use std::{borrow::Cow, collections::BTreeMap};

use redis::Value;

use super::Snapshot;
use crate::{
    app::Options,
    command::{self, Command, items, number},
    facts::Facts,
    out::{Metric, Out},
};

/// Longest name shown: what a client sent as a command may be anything.
const NAME_BYTES_MAX: usize = 40;

/// A log: how it is asked for, and the families of its entries and of what they took.
struct Log {
    words: &'static str,
    kind: Option<&'static str>,
    entries: Metric,
    sum: Metric,
    divisor: f64,
}

const SLOW: Log = Log {
    words: "SLOWLOG GET",
    kind: None,
    entries: Metric::gauge("slowlog_entries", "Latest entries of the slow log, by command"),
    sum: Metric::gauge("slowlog_entries_seconds", "How long the commands of those entries took"),
    divisor: 1e6,
};
const LARGE: [Log; 2] = [
    Log {
        words: "COMMANDLOG GET",
        kind: Some("large-request"),
        entries: Metric::gauge(
            "commandlog_large_request_entries",
            "Latest entries of the log of large requests, by command",
        ),
        sum: Metric::gauge(
            "commandlog_large_request_entries_bytes",
            "How large the requests of those entries were",
        ),
        divisor: 1.0,
    },
    Log {
        words: "COMMANDLOG GET",
        kind: Some("large-reply"),
        entries: Metric::gauge(
            "commandlog_large_reply_entries",
            "Latest entries of the log of large replies, by command",
        ),
        sum: Metric::gauge(
            "commandlog_large_reply_entries_bytes",
            "How large the replies of those entries were",
        ),
        divisor: 1.0,
    },
];

impl Log {
    fn get(&self, count: u32) -> Command {
        let command = Command::new(self.words).arg(count.to_string());
        self.kind.into_iter().fold(command, Command::arg)
    }
}

fn logs(facts: &Facts) -> impl Iterator<Item = &'static Log> {
    let large: &[_] = if facts.commandlog { &LARGE } else { &[] };
    std::iter::once(&SLOW).chain(large)
}

pub(super) fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    match options.data.log_entries_max {
        0 => Vec::new(),
        _ if facts.sentinel => Vec::new(),
        count => logs(facts).map(|log| log.get(count)).collect(),
    }
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    for log in logs(snapshot.facts) {
        let command = log.get(snapshot.options.data.log_entries_max);
        let Some(answer) = snapshot.answers.get(&command) else { continue };
        let commands = by_command(answer);
        for (name, (entries, _)) in &commands {
            out.family(&log.entries).sample(&[("cmd", name)], *entries as f64);
        }
        for (name, (_, sum)) in &commands {
            out.family(&log.sum).sample(&[("cmd", name)], sum / log.divisor);
        }
    }
}

/// Entries and what they took, by the first word of the command: `[id, time, amount, [word, …], …]`.
fn by_command(answer: &Value) -> BTreeMap<String, (u64, f64)> {
    let mut commands = BTreeMap::<_, (u64, f64)>::new();
    for entry in items(answer) {
        let [_id, _time, amount, words, ..] = items(entry) else { continue };
        let (Some(amount), Some(word)) = (number(amount), items(words).first()) else { continue };
        let (entries, sum) = commands.entry(name(command::text(word))).or_default();
        *entries += 1;
        *sum += amount;
    }
    commands
}

/// In lower case; a word that cannot be the name of a command is `other`.
fn name(word: Option<Cow<'_, str>>) -> String {
    let is_name = |word: &str| {
        (1..=NAME_BYTES_MAX).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    match word {
        Some(word) if is_name(&word) => word.to_ascii_lowercase(),
        _ => "other".to_owned(),
    }
}
