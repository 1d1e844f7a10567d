//! Streams: what `XINFO` says of them, their groups and their consumers. What a server does not tell
//! is left out, since a lag of zero would mean that nobody is behind.

use redis::Value;

use crate::{
    command::{items, number, pairs, text},
    out::{Metric, Out},
};

use super::argument::KeyName;

/// How an item of `XINFO` is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Read {
    Number,
    /// Milliseconds, shown in seconds.
    Milliseconds,
    /// `1638006862416-0`: the time in front.
    Id,
    /// An entry, of which the id is shown; 0 where the stream is empty.
    Entry,
}

type Row = (&'static str, Read, Metric);

const STREAM: [Row; 9] = [
    (
        "length",
        Read::Number,
        Metric::gauge("stream_length", "The number of elements of the stream"),
    ),
    (
        "radix-tree-keys",
        Read::Number,
        Metric::gauge("stream_radix_tree_keys", "Radix tree keys count"),
    ),
    (
        "radix-tree-nodes",
        Read::Number,
        Metric::gauge("stream_radix_tree_nodes", "Radix tree nodes count"),
    ),
    (
        "last-generated-id",
        Read::Id,
        Metric::gauge("stream_last_generated_id", "The latest generated id of the stream"),
    ),
    ("groups", Read::Number, Metric::gauge("stream_groups", "Groups count of stream")),
    (
        "max-deleted-entry-id",
        Read::Id,
        Metric::gauge(
            "stream_max_deleted_entry_id",
            "The epoch timestamp (ms) of last deleted message",
        ),
    ),
    (
        "entries-added",
        Read::Number,
        Metric::counter("stream_entries_added_total", "Entries ever added to the stream"),
    ),
    (
        "first-entry",
        Read::Entry,
        Metric::gauge("stream_first_entry_id", "The epoch timestamp (ms) of the first message"),
    ),
    (
        "last-entry",
        Read::Entry,
        Metric::gauge("stream_last_entry_id", "The epoch timestamp (ms) of the last message"),
    ),
];

const GROUP: [Row; 5] = [
    (
        "consumers",
        Read::Number,
        Metric::gauge("stream_group_consumers", "Consumers count of stream group"),
    ),
    (
        "pending",
        Read::Number,
        Metric::gauge(
            "stream_group_messages_pending",
            "Pending number of messages in that stream group",
        ),
    ),
    (
        "last-delivered-id",
        Read::Id,
        Metric::gauge(
            "stream_group_last_delivered_id",
            "The epoch timestamp (ms) of the last delivered message",
        ),
    ),
    (
        "entries-read",
        Read::Number,
        Metric::gauge("stream_group_entries_read", "Entries that were delivered to the group"),
    ),
    (
        "lag",
        Read::Number,
        Metric::gauge("stream_group_lag", "Entries that are still to be delivered to the group"),
    ),
];

const CONSUMER: [Row; 2] = [
    (
        "pending",
        Read::Number,
        Metric::gauge(
            "stream_group_consumer_messages_pending",
            "Pending number of messages for this specific consumer",
        ),
    ),
    (
        "idle",
        Read::Milliseconds,
        Metric::gauge("stream_group_consumer_idle_seconds", "Consumer idle time in seconds"),
    ),
];

/// The values of one table, each `None` where the server does not tell it.
type Values = Vec<Option<f64>>;

/// A stream, as far as it was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Where it is.
    pub key: KeyName,
    values: Values,
    /// Its groups.
    pub groups: Vec<Group>,
}

/// A group of consumers.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The same as the server has it.
    pub name_bytes: Vec<u8>,
    values: Values,
    /// Its consumers, unless they are not wanted.
    pub consumers: Vec<Consumer>,
}

/// A consumer of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Consumer {
    name: String,
    values: Values,
}

/// Reads `XINFO STREAM`. `None` if the answer is no table.
pub fn read_stream(key: KeyName, answer: &Value) -> Option<Stream> {
    let values = read(&STREAM, answer);
    let known = values.iter().any(Option::is_some);
    known.then(|| Stream { key, values, groups: Vec::new() })
}

/// Reads `XINFO GROUPS`.
pub fn read_groups(answer: &Value) -> Vec<Group> {
    let groups = items(answer).iter().filter_map(|group| {
        let name = get(group, "name")?;
        let name_bytes = match name {
            Value::BulkString(bytes) => bytes.clone(),
            other => text(other)?.into_owned().into_bytes(),
        };
        let name = String::from_utf8_lossy(&name_bytes).into_owned();
        Some(Group { name, name_bytes, values: read(&GROUP, group), consumers: Vec::new() })
    });
    groups.collect()
}

/// Reads `XINFO CONSUMERS`.
pub fn read_consumers(answer: &Value) -> Vec<Consumer> {
    let consumers = items(answer).iter().filter_map(|consumer| {
        let name = text(get(consumer, "name")?)?.into_owned();
        Some(Consumer { name, values: read(&CONSUMER, consumer) })
    });
    consumers.collect()
}

fn get<'a>(answer: &'a Value, name: &str) -> Option<&'a Value> {
    pairs(answer).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn read(rows: &[Row], answer: &Value) -> Values {
    let told = pairs(answer);
    let find = |name: &str| told.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    rows.iter()
        .map(|(name, how, _)| {
            let value = find(name)?;
            match how {
                Read::Number => number(value),
                Read::Milliseconds => number(value).map(|milliseconds| milliseconds / 1e3),
                Read::Id => id(&text(value)?),
                Read::Entry if matches!(value, Value::Nil) => Some(0.0),
                Read::Entry => id(&text(items(value).first()?)?),
            }
        })
        .collect()
}

/// The time of an id.
fn id(text: &str) -> Option<f64> {
    let time = text.split('-').next().unwrap_or_default();
    time.parse::<u64>().ok().map(|milliseconds| milliseconds as f64)
}

impl Stream {
    /// Writes everything that is known of it.
    pub fn write(&self, out: &mut Out<'_>) {
        let database = self.key.database_label();
        let name = String::from_utf8_lossy(&self.key.name);
        let stream = [("db", database.as_str()), ("stream", &*name)];
        write(&STREAM, &self.values, &stream, out);
        for group in &self.groups {
            let [db, stream] = stream;
            let labels = [db, stream, ("group", group.name.as_str())];
            write(&GROUP, &group.values, &labels, out);
            for consumer in &group.consumers {
                let [db, stream, group] = labels;
                let labels = [db, stream, group, ("consumer", consumer.name.as_str())];
                write(&CONSUMER, &consumer.values, &labels, out);
            }
        }
    }
}

fn write(rows: &[Row], values: &[Option<f64>], labels: &[(&str, &str)], out: &mut Out<'_>) {
    for ((_, _, metric), value) in rows.iter().zip(values) {
        if let Some(value) = value {
            out.family(metric).sample(labels, *value);
        }
    }
}

#[cfg(test)]
mod tests;
