//! What is known of a server from what it has answered: it decides which commands are sent.

use std::collections::BTreeSet;

use crate::{
    command::{self, Answers, Command},
    info::Info,
};

/// Which `CONFIG GET` a server understands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ConfigForm {
    /// Several names at once, as Redis 7 and Valkey do: the answer is short.
    #[default]
    Named,
    /// One pattern: everything, and take from it what is needed.
    Everything,
}

/// Kept with a connection, so that a second scrape needs one round trip only. A reconnect forgets
/// everything: the server may be another one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// `INFO` has been read, so that the other facts are not guesses.
    pub informed: bool,
    /// `INFO ALL` is refused, plain `INFO` may be answered.
    pub info_all_refused: bool,
    /// It is a node of a cluster, and `INFO` does not say how the cluster is.
    pub cluster: bool,
    /// It is a node of a cluster.
    pub clustered: bool,
    /// It may know `CLUSTER GETSLOTMIGRATIONS` (Valkey 9).
    pub slot_migrations: bool,
    /// It may have `LATENCY HISTOGRAM` (Redis 7, every Valkey).
    pub latency_histogram: bool,
    /// It has `COMMANDLOG` (Valkey 8.1).
    pub commandlog: bool,
    /// See [`ConfigForm`].
    pub config: ConfigForm,
    /// It is a Sentinel.
    pub sentinel: bool,
    /// The primaries that a Sentinel watches.
    pub sentinel_masters: Vec<String>,
    /// Its clients at the last scrape, if it tells.
    pub clients: Option<u64>,
    /// Its search indexes, as far as it was asked.
    pub search_indexes: Vec<String>,
    /// Commands it does not know: asking again would only raise its count of errors.
    pub lacking: BTreeSet<Command>,
}

/// Asks whether the command exists, which is no error where it does not.
pub fn commandlog_probe() -> Command {
    Command::new("COMMAND INFO COMMANDLOG")
}

/// Names the search indexes.
pub fn search_list() -> Command {
    Command::new("FT._LIST")
}

impl Facts {
    /// Learns from what has been answered so far.
    pub fn learn(&mut self, answers: &Answers, info: Option<&Info<'_>>, config_named: &Command) {
        if refused(answers, &Command::new("INFO ALL")) {
            self.info_all_refused = true;
        }
        if let Some(refusal) = refusal(answers, config_named)
            && !refusal.starts_with("NOPERM")
        {
            self.config = ConfigForm::Everything;
        }
        let probe = answers.get(&commandlog_probe());
        if probe.is_some_and(|value| command::items(value).iter().any(|item| !is_nothing(item))) {
            self.commandlog = true;
        }
        self.lacking.extend(answers.refusals().filter_map(|(command, reason)| {
            let reason = reason.to_ascii_lowercase();
            reason.starts_with("err unknown").then(|| command.clone())
        }));
        if let Some(names) = answers.get(&search_list()) {
            let names = command::items(names).iter().filter_map(command::text);
            self.search_indexes = names.map(std::borrow::Cow::into_owned).collect();
        }
        if let Some(info) = info {
            self.learn_info(info);
        }
    }

    fn learn_info(&mut self, info: &Info<'_>) {
        let version = |field| info.get(field).and_then(version);
        self.informed = true;
        self.clients = info.get("connected_clients").and_then(|count| count.parse().ok());
        self.clustered = info.get("cluster_enabled") == Some("1");
        self.cluster = self.clustered && info.get("cluster_state").is_none();
        self.slot_migrations = version("valkey_version").is_some_and(|version| version >= (9, 0));
        self.latency_histogram = version("redis_version").is_none_or(|version| version >= (7, 0));
        self.commandlog |= version("valkey_version").is_some_and(|version| version >= (8, 1));
        self.sentinel = info.has_section("Sentinel");
        self.sentinel_masters = info
            .section("Sentinel")
            .filter(|(field, _)| crate::info::index(field, "master").is_some())
            .filter_map(|(_, value)| Some(crate::info::items(value)?.get("name")?.to_owned()))
            .collect();
    }
}

fn is_nothing(value: &redis::Value) -> bool {
    matches!(value, redis::Value::Nil)
        || matches!(value, redis::Value::Array(items) if items.is_empty())
}

fn refused(answers: &Answers, command: &Command) -> bool {
    refusal(answers, command).is_some()
        || answers.text(command).is_some_and(|text| text.trim().is_empty())
}

fn refusal<'a>(answers: &'a Answers, command: &Command) -> Option<&'a str> {
    match answers.outcome(command)? {
        Err(command::Failure::Refused(reason)) => Some(reason),
        _ => None,
    }
}

/// Major and minor of `8.1.3`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((
        parts.next()?.parse().ok()?,
        parts.next().and_then(|part| part.parse().ok()).unwrap_or(0),
    ))
}
