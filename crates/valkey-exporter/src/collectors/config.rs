//! Settings, by `CONFIG GET`.

use std::borrow::Cow;

use super::Snapshot;
use crate::{
    app::Options,
    command::{self, Command},
    facts::{ConfigForm, Facts},
    out::{Metric, Out},
};

/// What is asked for by name. The pattern is for the settings of COMMANDLOG.
const NAMES: [&str; 8] = [
    "databases",
    "cluster-databases",
    "maxmemory",
    "maxclients",
    "io-threads",
    "repl-backlog-size",
    BUFFER_LIMIT,
    "commandlog-*",
];

const BUFFER_LIMIT: &str = "client-output-buffer-limit";

/// Settings which are one number each, and their families.
const NUMBERS: [(&str, Metric); 10] = [
    ("maxmemory", Metric::plain("config_maxmemory")),
    ("maxclients", Metric::plain("config_maxclients")),
    ("io-threads", Metric::plain("config_io_threads")),
    ("repl-backlog-size", Metric::plain("config_repl_backlog_size")),
    ("commandlog-execution-slower-than", Metric::plain("commandlog_execution_slower_than")),
    ("commandlog-slow-execution-max-len", Metric::plain("commandlog_slow_execution_max_len")),
    ("commandlog-request-larger-than", Metric::plain("commandlog_request_larger_than")),
    ("commandlog-large-request-max-len", Metric::plain("commandlog_large_request_max_len")),
    ("commandlog-reply-larger-than", Metric::plain("commandlog_reply_larger_than")),
    ("commandlog-large-reply-max-len", Metric::plain("commandlog_large_reply_max_len")),
];

const BUFFER_BYTES: Metric = Metric::gauge(
    "config_client_output_buffer_limit_bytes",
    "The configured buffer limits per class",
);
const BUFFER_SECONDS: Metric = Metric::gauge(
    "config_client_output_buffer_limit_overcome_seconds",
    "How long for buffer limits per class to be exceeded before replicas are dropped",
);
const MEMORY_MAX: Metric = Metric::plain("memory_max_bytes");
const KEY_VALUE: Metric = Metric::gauge("config_key_value", "Config key and value");
const VALUE: Metric = Metric::gauge("config_value", "Config key and value as metric");

/// Words in the name of a setting whose value nobody may see; so are names which end in `auth`.
const SECRET_WORDS: [&str; 3] = ["pass", "secret", "token"];

/// `CONFIG GET name name …`.
pub fn named(options: &Options) -> Command {
    let file: &[_] = if options.data.rdb_file_size { &["dir", "dbfilename"] } else { &[] };
    NAMES.iter().chain(file).fold(get_command(options), |command, name| command.arg(*name))
}

fn pattern(options: &Options, pattern: &str) -> Command {
    get_command(options).arg(pattern)
}

/// The command may be renamed.
fn get_command(options: &Options) -> Command {
    let name = options.config_command.as_deref().unwrap_or("CONFIG");
    Command::default().arg(name).arg("GET")
}

pub(super) fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    if options.config_command.is_none() {
        return Vec::new();
    }
    let named_works = facts.config == ConfigForm::Named;
    if named_works && !options.include_config_metrics {
        return vec![named(options)];
    }
    let mut commands = vec![pattern(options, "*")];
    if facts.commandlog && facts.informed && !named_works {
        commands.push(pattern(options, "commandlog-*"));
    }
    commands
}

/// The value of one setting, if the server told it.
pub(super) fn get<'a>(snapshot: &Snapshot<'a>, name: &str) -> Option<Cow<'a, str>> {
    settings(snapshot).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn settings<'a>(snapshot: &Snapshot<'a>) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let options = snapshot.options;
    [named(options), pattern(options, "*"), pattern(options, "commandlog-*")]
        .iter()
        .filter_map(|command| snapshot.answers.get(command))
        .flat_map(command::pairs)
        .filter_map(|(name, value)| Some((name, command::text(value)?)))
        .collect()
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let settings = settings(snapshot);
    for (name, value) in &settings {
        if let Some((_, metric)) = NUMBERS.iter().find(|(known, _)| known == name)
            && let Ok(number) = value.parse()
        {
            out.value(metric, number);
        }
        if name == BUFFER_LIMIT {
            write_buffer_limits(value, out);
        }
        if name == "maxmemory"
            && snapshot.info.get("maxmemory").is_none()
            && let Ok(number) = value.parse()
        {
            out.value(&MEMORY_MAX, number);
        }
        if snapshot.options.include_config_metrics {
            write_any(name, value, snapshot.options.redact_config_metrics, out);
        }
    }
}

/// `normal 0 0 0 slave 268435456 67108864 60 …`: class, hard limit, soft limit, seconds.
fn write_buffer_limits(value: &str, out: &mut Out<'_>) {
    let words: Vec<_> = value.split_ascii_whitespace().collect();
    for limit in words.chunks_exact(4) {
        let &[class, hard, soft, seconds] = limit else { continue };
        let (Ok(hard), Ok(soft), Ok(seconds)) = (hard.parse(), soft.parse(), seconds.parse())
        else {
            continue;
        };
        out.family(&BUFFER_BYTES).sample(&[("class", class), ("limit", "hard")], hard);
        out.family(&BUFFER_BYTES).sample(&[("class", class), ("limit", "soft")], soft);
        out.family(&BUFFER_SECONDS).sample(&[("class", class), ("limit", "soft")], seconds);
    }
}

fn write_any(name: &str, value: &str, redact: bool, out: &mut Out<'_>) {
    if redact && is_secret(name) {
        return;
    }
    out.family(&KEY_VALUE).sample(&[("key", name), ("value", value)], 1.0);
    if let Ok(number) = value.parse() {
        out.family(&VALUE).sample(&[("key", name)], number);
    }
}

/// Whether nobody may see the value.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("auth") || SECRET_WORDS.iter().any(|word| name.contains(word))
}
