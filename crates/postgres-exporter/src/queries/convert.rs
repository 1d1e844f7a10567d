//! `postgres-exporter convert FILE`: collectors of `sql_exporter` as queries of ours.
//!
//! Metrics that read one query with the same labels become the columns of one query here, so that it
//! is asked once. What has no counterpart is told in comments above the result.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::{FILE_BYTES_MAX, Queries, TIMESTAMPS_REFUSED, UnknownKeys};

/// A collector file, or a configuration with collectors in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    collectors: Vec<Collector>,
    collector_files: Vec<String>,
    #[serde(flatten)]
    alone: Collector,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Collector {
    #[serde(rename = "collector_name")]
    name: Option<String>,
    min_interval: Option<String>,
    metrics: Vec<Metric>,
    queries: Vec<NamedQuery>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct NamedQuery {
    query_name: String,
    query: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Metric {
    #[serde(rename = "metric_name")]
    name: String,
    #[serde(rename = "type")]
    kind: String,
    help: String,
    key_labels: Vec<String>,
    static_labels: BTreeMap<String, Value>,
    value_label: Option<String>,
    values: Vec<String>,
    static_value: Option<f64>,
    timestamp_value: Option<String>,
    query: Option<String>,
    query_ref: Option<String>,
}

/// Metrics which become one query.
struct Group {
    sql: String,
    ttl: Option<String>,
    metrics: Vec<Metric>,
}

/// Reads a file of `sql_exporter` and gives one of ours.
///
/// # Errors
///
/// The file cannot be read, or is none of `sql_exporter`'s.
pub fn file(path: &Path) -> anyhow::Result<String> {
    let context = || format!("cannot convert {}", path.display());
    let size = fs::metadata(path).with_context(context)?.len();
    if size > FILE_BYTES_MAX as u64 {
        bail!("{}: larger than {FILE_BYTES_MAX} bytes", path.display());
    }
    let text = fs::read_to_string(path).with_context(context)?;
    convert(&text).with_context(context)
}

/// Gives the text of a file of ours for one of `sql_exporter`.
///
/// # Errors
///
/// The text is none, or a metric in it says what no query can.
pub fn convert(text: &str) -> anyhow::Result<String> {
    let written: File = serde_yaml_ng::from_str(text)?;
    let mut notes = Vec::new();
    for pattern in &written.collector_files {
        notes.push(format!("collector_files {pattern}: convert these files as well"));
    }
    let mut collectors = written.collectors;
    if written.alone.name.is_some() || !written.alone.metrics.is_empty() {
        collectors.push(written.alone);
    }
    if collectors.is_empty() {
        bail!("there is no collector in it: expected collector_name and metrics, or collectors");
    }
    let mut queries = Mapping::new();
    for collector in collectors {
        for group in groups(collector, &mut notes)? {
            let (name, query) = query(&group)?;
            let mut unique = name.clone();
            let mut number = 1;
            while queries.contains_key(Value::from(unique.clone())) {
                number += 1;
                unique = format!("{name}_{number}");
            }
            queries.insert(Value::from(unique), Value::from(query));
        }
    }
    let yaml = serde_yaml_ng::to_string(&queries)?;
    Queries::parse("the result", &yaml, UnknownKeys::Refuse, &|_| Err(String::new()))?;
    let notes = notes.iter().map(|note| format!("# {note}\n")).collect::<Vec<_>>().concat();
    Ok(format!("# Converted from a collector of sql_exporter.\n{notes}{yaml}"))
}

fn groups(collector: Collector, notes: &mut Vec<String>) -> anyhow::Result<Vec<Group>> {
    let ttl = collector.min_interval.filter(|ttl| !ttl.trim_start_matches('0').is_empty());
    let ttl = ttl.filter(|ttl| ttl != "0s");
    let mut groups: Vec<Group> = Vec::new();
    for mut metric in collector.metrics {
        let name = &metric.name;
        let sql = match (metric.query.take(), &metric.query_ref) {
            (Some(sql), None) => sql,
            (None, Some(wanted)) => {
                let found = collector.queries.iter().find(|query| query.query_name == *wanted);
                found.map(|query| query.query.clone()).with_context(|| {
                    format!("metric {name}: there is no query {wanted:?} in the collector")
                })?
            }
            _ => bail!("metric {name}: needs query or query_ref"),
        };
        if let Some(column) = metric.timestamp_value.take() {
            notes.push(format!(
                "metric {name}: timestamp_value {column} is left out; {TIMESTAMPS_REFUSED}"
            ));
        }
        let fits = |group: &&mut Group| {
            group.sql == sql
                && group.metrics.iter().all(|other| {
                    other.key_labels == metric.key_labels
                        && other.static_labels == metric.static_labels
                        // The value column of one is not to be a label of another.
                        && metric.static_value.is_none()
                        && other.static_value.is_none()
                        && other.values.iter().all(|value| !metric.values.contains(value))
                })
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.metrics.push(metric),
            None => groups.push(Group { sql, ttl: ttl.clone(), metrics: vec![metric] }),
        }
    }
    Ok(groups)
}

/// The name of a group's query, and the query.
fn query(group: &Group) -> anyhow::Result<(String, Mapping)> {
    let first = group.metrics.first().context("a group has a metric")?;
    let mut query = Mapping::new();
    let sql = match first.static_value {
        Some(value) => {
            let inner = group.sql.trim().trim_end_matches(';');
            format!(
                "SELECT converted.*, {value} AS static_value\nFROM (\n{inner}\n) AS converted\n"
            )
        }
        None => group.sql.clone(),
    };
    set(&mut query, "query", sql);
    if let Some(ttl) = &group.ttl {
        set(&mut query, "ttl", ttl.as_str());
    }
    if !first.static_labels.is_empty() {
        let mut labels = Mapping::new();
        for (name, value) in &first.static_labels {
            set(&mut labels, name, value.clone());
        }
        set(&mut query, "labels", labels);
    }
    // sql_exporter shows nothing that is not asked for.
    set(&mut query, "unmapped", "ignore");
    let mut columns = Vec::new();
    for label in &first.key_labels {
        let mut column = Mapping::new();
        set(&mut column, "usage", "LABEL");
        columns.push(single(label, column));
    }
    for metric in &group.metrics {
        columns.extend(values(metric)?);
    }
    set(&mut query, "metrics", columns);
    Ok((first.name.clone(), query))
}

fn values(metric: &Metric) -> anyhow::Result<Vec<Value>> {
    let name = &metric.name;
    let usage = match metric.kind.to_ascii_lowercase().as_str() {
        "counter" => "COUNTER",
        "gauge" => "GAUGE",
        other => bail!("metric {name}: type {other:?} is neither counter nor gauge"),
    };
    let constant = ["static_value".to_owned()];
    let values = match metric.static_value {
        Some(_) => &constant[..],
        None => metric.values.as_slice(),
    };
    if values.is_empty() {
        bail!("metric {name}: needs values or static_value");
    }
    if values.len() > 1 && metric.value_label.is_none() {
        bail!("metric {name}: several values need a value_label");
    }
    Ok(values
        .iter()
        .map(|value| {
            let mut column = Mapping::new();
            set(&mut column, "usage", usage);
            set(&mut column, "family", name.as_str());
            set(&mut column, "description", metric.help.as_str());
            if let Some(label) = metric.value_label.as_ref().filter(|_| values.len() > 1) {
                let mut labels = Mapping::new();
                set(&mut labels, label, value.as_str());
                set(&mut column, "labels", labels);
            }
            set(&mut column, "nulls", "absent");
            single(value, column)
        })
        .collect())
}

fn set(mapping: &mut Mapping, key: &str, value: impl Into<Value>) {
    mapping.insert(Value::from(key), value.into());
}

fn single(key: &str, value: Mapping) -> Value {
    let mut mapping = Mapping::new();
    set(&mut mapping, key, value);
    Value::from(mapping)
}

#[cfg(test)]
mod tests;
