//! `CLIENT LIST`: a series for each client, or what all of them come to.

use std::collections::BTreeMap;

use metrics_server::{HistogramState, Kind};

use super::Snapshot;
use crate::{
    app::Options,
    command::Command,
    facts::Facts,
    limits::Limit,
    out::{Metric, Out},
};

const INFO: Metric = Metric::gauge("connected_client_info", "Details about a connected client");

/// What the list says of one client, as it is shown.
const EACH: [(&str, Metric); 10] = [
    ("sub", Metric::plain("connected_client_channel_subscriptions_count")),
    ("psub", Metric::plain("connected_client_pattern_matching_subscriptions_count")),
    ("ssub", Metric::plain("connected_client_shard_channel_subscriptions_count")),
    ("watch", Metric::plain("connected_client_shard_channel_watched_keys")),
    ("qbuf", Metric::plain("connected_client_query_buffer_length_bytes")),
    ("qbuf-free", Metric::plain("connected_client_query_buffer_free_space_bytes")),
    ("obl", Metric::plain("connected_client_output_buffer_length_bytes")),
    ("oll", Metric::plain("connected_client_output_list_length")),
    ("omem", Metric::plain("connected_client_output_buffer_memory_usage_bytes")),
    ("tot-mem", Metric::plain("connected_client_total_memory_consumed_bytes")),
];
const CREATED: Metric = Metric::plain("connected_client_created_at_timestamp");
const IDLE_SINCE: Metric = Metric::plain("connected_client_idle_since_timestamp");

const BY_NAME: Metric = Metric::gauge("clients_by_name", "Connected clients by their name");
const BY_LIBRARY: Metric =
    Metric::gauge("clients_by_library", "Connected clients by the library they use");
const BY_USER: Metric = Metric::gauge("clients_by_user", "Connected clients by ACL user");
const BY_FLAG: Metric =
    Metric::gauge("clients_by_flag", "Connected clients by flag: the letters of CLIENT LIST");
const BY_TYPE: Metric =
    Metric::gauge("clients_by_type", "Connected clients: normal, pubsub, replica or primary");

const SECONDS: &[f64] = &[1.0, 10.0, 60.0, 600.0, 3_600.0, 86_400.0, 604_800.0];
const BYTES: &[f64] = &[0.0, 1_024.0, 16_384.0, 65_536.0, 1_048_576.0, 16_777_216.0, 268_435_456.0];

/// Histograms of the clients there are now: their buckets go up and down.
const HISTOGRAMS: [(&str, &[f64], Metric); 5] = [
    ("age", SECONDS, histogram("client_age_seconds", "Connected clients by age")),
    (
        "idle",
        SECONDS,
        histogram("client_idle_seconds", "Connected clients by time since they asked"),
    ),
    ("qbuf", BYTES, histogram("client_query_buffer_bytes", "Connected clients by query buffer")),
    ("omem", BYTES, histogram("client_output_buffer_bytes", "Connected clients by output buffer")),
    ("tot-mem", BYTES, histogram("client_memory_bytes", "Connected clients by all their memory")),
];

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric::gauge(name, help).of_kind(Kind::Histogram)
}

/// One line of the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Client<'a> {
    items: Vec<(&'a str, &'a str)>,
    /// Its number, which no other client of the server gets.
    pub id: &'a str,
    /// Without the port.
    pub host: &'a str,
    /// Its port there.
    pub port: &'a str,
    /// How long it has been connected.
    pub age_seconds: Option<i64>,
    /// How long it has been silent.
    pub idle_seconds: Option<i64>,
}

impl<'a> Client<'a> {
    /// Reads `id=3 addr=127.0.0.1:50000 name= …`. `None` for other lines, and where a time is no
    /// number. A name may hold a `=`.
    pub fn read(line: &'a str) -> Option<Self> {
        let items: Vec<_> =
            line.split(' ').filter_map(|item| item.trim_end().split_once('=')).collect();
        let [("id", id), ("addr", address), ..] = items.as_slice() else { return None };
        let (id, address) = (*id, *address);
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (host, port) = address.rsplit_once(':')?;
        let seconds = |name| match find(&items, name) {
            None => Ok(None),
            Some(value) => value.parse::<i64>().map(Some),
        };
        let (age_seconds, idle_seconds) = (seconds("age").ok()?, seconds("idle").ok()?);
        Some(Self { items, id, host, port, age_seconds, idle_seconds })
    }

    /// An item, if the server tells it.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        find(&self.items, name)
    }

    /// An item which counts something; 0 where it is no number, as `redis_exporter` has it.
    pub fn count(&self, name: &str) -> Option<f64> {
        let count = self.get(name)?.parse::<i64>().unwrap_or(0);
        Some(count as f64)
    }

    fn kind(&self) -> &'static str {
        let has = |flag| self.get("flags").is_some_and(|flags| flags.contains(flag));
        match () {
            () if has('S') => "replica",
            () if has('M') => "primary",
            () if has('P') => "pubsub",
            () => "normal",
        }
    }
}

fn find<'a>(items: &[(&'a str, &'a str)], name: &str) -> Option<&'a str> {
    items.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

pub(super) fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    let clients = options.data.clients;
    let wanted = clients.each || clients.summary;
    // The number of clients is known once INFO has been read.
    let asked = wanted && facts.informed && !facts.sentinel && !has_too_many(options, facts);
    if asked { vec![list()] } else { Vec::new() }
}

fn list() -> Command {
    Command::new("CLIENT LIST")
}

fn has_too_many(options: &Options, facts: &Facts) -> bool {
    facts.clients.is_some_and(|count| count > options.data.clients.list_max)
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let Snapshot { options, facts, answers, .. } = snapshot;
    let clients = options.data.clients;
    if (clients.each || clients.summary) && has_too_many(options, facts) {
        options.data.limits.reached(Limit::ClientsList);
    }
    let Some(text) = answers.text(&list()) else { return };
    let read: Vec<_> = text.split('\n').filter_map(Client::read).collect();
    if clients.each {
        write_each(&read, snapshot, out);
    }
    if clients.summary {
        write_summary(&read, snapshot, out);
    }
}

fn write_each(clients: &[Client<'_>], snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let now =
        snapshot.now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs() as f64;
    let with_port = snapshot.options.data.clients.port;
    for client in clients {
        let name = client.get("name").unwrap_or_default();
        let mut labels = vec![("id", client.id), ("name", name)];
        labels.push(("flags", client.get("flags").unwrap_or_default()));
        labels.push(("db", client.get("db").unwrap_or_default()));
        labels.push(("host", client.host));
        if with_port {
            labels.push(("port", client.port));
        }
        let told = ["user", "resp"].into_iter().filter_map(|item| Some((item, client.get(item)?)));
        labels.extend(told.filter(|(_, value)| !value.is_empty()));
        out.family(&INFO).sample(&labels, 1.0);

        let labels = [("id", client.id), ("name", name)];
        for (metric, seconds) in
            [(&CREATED, client.age_seconds), (&IDLE_SINCE, client.idle_seconds)]
        {
            if let Some(seconds) = seconds {
                out.family(metric).sample(&labels, now - seconds as f64);
            }
        }
        for (item, metric) in &EACH {
            if let Some(count) = client.count(item) {
                out.family(metric).sample(&labels, count);
            }
        }
    }
}

fn write_summary(clients: &[Client<'_>], snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let text = |client: &Client<'_>, item| client.get(item).unwrap_or_default().to_owned();
    let limited = |values: &dyn Fn(&Client<'_>) -> String| {
        let mut counts = counted(clients, |client| vec![values(client)]);
        let data = &snapshot.options.data;
        data.limits.left_out(Limit::ClientsValues, bound(&mut counts, data.clients.values_max));
        counts
    };
    let names = limited(&|client| text(client, "name"));
    write_counts(&BY_NAME, "name", &names, out);
    let users = limited(&|client| text(client, "user"));
    write_counts(&BY_USER, "user", &users, out);
    let libraries =
        limited(&|client| format!("{} {}", text(client, "lib-name"), text(client, "lib-ver")));
    let mut series = out.family(&BY_LIBRARY);
    for (library, count) in &libraries {
        let (name, version) = library.rsplit_once(' ').unwrap_or((library, ""));
        series.sample(&[("library", name), ("version", version)], *count as f64);
    }
    let flags =
        counted(clients, |client| text(client, "flags").chars().map(String::from).collect());
    write_counts(&BY_FLAG, "flag", &flags, out);
    let kinds = counted(clients, |client| vec![client.kind().to_owned()]);
    write_counts(&BY_TYPE, "type", &kinds, out);

    for (item, bounds, metric) in &HISTOGRAMS {
        let values: Vec<_> = clients.iter().filter_map(|client| client.count(item)).collect();
        if !values.is_empty() {
            out.family(metric).histogram(&[], distribution(&values, bounds));
        }
    }
}

/// How many clients have each value.
fn counted(
    clients: &[Client<'_>],
    values: impl Fn(&Client<'_>) -> Vec<String>,
) -> Vec<(String, u64)> {
    let mut counts = BTreeMap::<String, u64>::new();
    for value in clients.iter().flat_map(values) {
        *counts.entry(value).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// Adds up the rarest beyond `max` as `overflow`, and says how many they are.
fn bound(counts: &mut Vec<(String, u64)>, max: usize) -> usize {
    if counts.len() <= max {
        return 0;
    }
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let rest = counts.split_off(max);
    counts.push(("overflow".to_owned(), rest.iter().map(|(_, count)| count).sum()));
    rest.len()
}

fn write_counts(metric: &Metric, label: &str, counts: &[(String, u64)], out: &mut Out<'_>) {
    let mut series = out.family(metric);
    for (value, count) in counts {
        series.sample(&[(label, value)], *count as f64);
    }
}

fn distribution(values: &[f64], bounds: &[f64]) -> HistogramState {
    let below = |bound: f64| values.iter().filter(|value| **value <= bound).count() as u64;
    HistogramState {
        buckets: bounds.iter().map(|bound| (*bound, below(*bound))).collect(),
        sum: values.iter().sum(),
        count: values.len() as u64,
    }
}
