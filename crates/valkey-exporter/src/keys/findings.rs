//! What a pass over keys found, and how it is shown.

use std::{collections::BTreeMap, time::Duration};

use super::{argument::KeyName, groups::Tally, streams::Stream};
use crate::{
    collectors::KEY_GROUPS_DURATION,
    out::{Metric, Out},
};

const SIZE: Metric = Metric::gauge("key_size", "The length or size of \"key\"");
const VALUE: Metric = Metric::gauge("key_value", "The value of \"key\"");
const VALUE_AS_STRING: Metric =
    Metric::gauge("key_value_as_string", "The value of \"key\" as a string");
const MEMORY: Metric =
    Metric::gauge("key_memory_usage_bytes", "The memory usage of \"key\" in bytes");
const COUNT: Metric = Metric::gauge("keys_count", "Count of keys");
const GROUP_COUNT: Metric = Metric::gauge("key_group_count", "Count of keys in key group");
const GROUP_MEMORY: Metric =
    Metric::gauge("key_group_memory_usage_bytes", "Total memory usage of key group in bytes");
const DISTINCT_GROUPS: Metric =
    Metric::gauge("number_of_distinct_key_groups", "Number of distinct key groups");

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) keys: Vec<Key>,
    pub(super) counts: Vec<(KeyName, u64)>,
    pub(super) streams: Vec<Stream>,
    /// By database, and how long it took.
    pub(super) groups: Option<(BTreeMap<u32, Tally>, Duration)>,
}

/// One key, as far as the server told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) at: KeyName,
    pub(super) size: Option<f64>,
    pub(super) memory_bytes: Option<f64>,
    pub(super) value: Option<Value>,
}

/// What a string holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Text(String),
}

impl Value {
    /// `None` for an empty one, and for bytes that are no text.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())?;
        Some(text.parse().map_or_else(|_no_number| Self::Text(text.to_owned()), Self::Number))
    }
}

impl Findings {
    pub(super) fn write(&self, shown_groups_max: usize, out: &mut Out<'_>) {
        for key in &self.keys {
            key.write(out);
        }
        for (pattern, count) in &self.counts {
            let database = pattern.database_label();
            let name = String::from_utf8_lossy(&pattern.name);
            out.family(&COUNT).sample(&[("db", &database), ("key", &name)], *count as f64);
        }
        for stream in &self.streams {
            stream.write(out);
        }
        if let Some((databases, took)) = &self.groups {
            for (database, tally) in databases {
                write_groups(&format!("db{database}"), tally, shown_groups_max, out);
            }
            out.value(&KEY_GROUPS_DURATION, took.as_millis() as f64);
        }
    }
}

fn write_groups(database: &str, tally: &Tally, shown_max: usize, out: &mut Out<'_>) {
    for (name, group) in tally.shown(shown_max) {
        let labels = [("db", database), ("key_group", &*name)];
        out.family(&GROUP_COUNT).sample(&labels, group.keys as f64);
        out.family(&GROUP_MEMORY).sample(&labels, group.bytes as f64);
    }
    out.family(&DISTINCT_GROUPS).sample(&[("db", database)], tally.distinct() as f64);
}

impl Key {
    fn write(&self, out: &mut Out<'_>) {
        let database = self.at.database_label();
        let name = String::from_utf8_lossy(&self.at.name);
        let labels = [("db", database.as_str()), ("key", &*name)];
        for (metric, value) in [(&SIZE, self.size), (&MEMORY, self.memory_bytes)] {
            if let Some(value) = value {
                out.family(metric).sample(&labels, value);
            }
        }
        match &self.value {
            Some(Value::Number(number)) => out.family(&VALUE).sample(&labels, *number),
            Some(Value::Text(text)) => {
                let [database, name] = labels;
                out.family(&VALUE_AS_STRING).sample(&[database, name, ("val", text)], 1.0);
            }
            None => {}
        }
    }
}
