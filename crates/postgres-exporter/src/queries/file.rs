//! A file of queries as it is written: names, types and nothing else.
//!
//! One format for what several programs have: the keys of `postgres_exporter`, of `CloudNativePG` and
//! of `pg_exporter` stand beside our own, and mean here what they mean there.

use std::{collections::BTreeMap, fmt, marker::PhantomData, time::Duration};

use serde::{Deserialize, Deserializer, de};

use super::QUERIES_MAX;

/// The whole file: queries by name, in order.
#[derive(Debug, Default)]
pub(super) struct File(pub(super) Vec<(String, Query)>);

/// One query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the keys of the file")]
pub(super) struct Query {
    /// Begins the families' names; the key where it is left out.
    pub(super) name: Option<String>,
    /// For people.
    #[serde(rename = "desc")]
    pub(super) _description: Option<String>,
    pub(super) query: Option<String>,
    /// Ours: a file beside this one.
    pub(super) query_file: Option<String>,
    /// Ours, as `sql_exporter`: another query of this file, whose SQL is used.
    pub(super) query_ref: Option<String>,

    // Where it runs.
    pub(super) master: bool,
    pub(super) primary: bool,
    pub(super) role: Option<Role>,
    #[serde(alias = "target_databases")]
    pub(super) databases: Option<Texts>,
    #[serde(alias = "runonserver")]
    pub(super) versions: Option<String>,
    pub(super) min_version: Option<Version>,
    pub(super) max_version: Option<Version>,
    pub(super) extensions: Texts,
    pub(super) schemas: Texts,
    pub(super) tags: Texts,
    pub(super) predicate_query: Option<String>,
    pub(super) predicate_queries: Option<Vec<Predicate>>,
    pub(super) skip: bool,
    pub(super) fatal: bool,

    // When, and how long.
    #[serde(alias = "cache_seconds")]
    pub(super) ttl: Option<Seconds>,
    pub(super) timeout: Option<Seconds>,
    pub(super) schedule: Option<Seconds>,
    pub(super) accumulate: bool,

    // What becomes of the answer.
    #[serde(alias = "static_labels")]
    pub(super) labels: Option<Entries<Scalar>>,
    pub(super) unmapped: Option<Unmapped>,
    pub(super) nulls: Option<Nulls>,
    pub(super) rows_max: Option<u32>,
    pub(super) series_max: Option<u32>,
    #[serde(alias = "metrics_mapping")]
    pub(super) metrics: Option<Columns>,
    pub(super) health: Option<Health>,

    /// Refused, with a reason.
    #[serde(alias = "timestamp_value")]
    pub(super) timestamp: Option<serde_yaml_ng::Value>,
}

/// One entry of `predicate_queries`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Predicate {
    #[serde(rename = "name")]
    pub(super) _name: Option<String>,
    #[serde(rename = "predicate_query")]
    pub(super) sql: Option<String>,
    /// Taken and not used: it is asked when the query runs.
    #[serde(rename = "ttl")]
    pub(super) _ttl: Option<Seconds>,
}

/// What becomes of one column.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Column {
    pub(super) usage: Option<Usage>,
    #[serde(alias = "help")]
    pub(super) description: Option<String>,
    /// `rename` of `pg_exporter`, `name` of `CloudNativePG`.
    #[serde(alias = "name")]
    pub(super) rename: Option<String>,
    /// Ours: the family's whole name.
    pub(super) family: Option<String>,
    /// Ours: labels of this column's series alone.
    pub(super) labels: Option<Entries<Scalar>>,
    #[serde(alias = "mapping")]
    pub(super) metric_mapping: Option<Entries<Number>>,
    pub(super) scale: Option<Number>,
    pub(super) default: Option<Number>,
    pub(super) nulls: Option<Nulls>,
    #[serde(alias = "pg_version", alias = "supported_versions")]
    pub(super) versions: Option<String>,
    pub(super) states: Texts,
    pub(super) buckets: Option<Entries<String>>,
    pub(super) quantiles: Option<Entries<String>>,
    pub(super) sum: Option<String>,
    pub(super) count: Option<String>,
    pub(super) cumulative: Option<bool>,
}

/// `health`: a check which `/health` shows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Health {
    /// The check's noun; the query's name where it is left out.
    pub(super) name: Option<String>,
    /// Column with the age in seconds, or with the time of the newest row.
    pub(super) column: Option<String>,
    pub(super) max_age: Option<Seconds>,
}

/// What a column is used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Usage {
    Label,
    Gauge,
    Counter,
    Untyped,
    Histogram,
    Summary,
    Info,
    StateSet,
    Discard,
    MappedMetric,
    Duration,
}

impl Usage {
    const ALL: [(&'static str, Self); 11] = [
        ("LABEL", Self::Label),
        ("GAUGE", Self::Gauge),
        ("COUNTER", Self::Counter),
        ("UNTYPED", Self::Untyped),
        ("HISTOGRAM", Self::Histogram),
        ("SUMMARY", Self::Summary),
        ("INFO", Self::Info),
        ("STATESET", Self::StateSet),
        ("DISCARD", Self::Discard),
        ("MAPPEDMETRIC", Self::MappedMetric),
        ("DURATION", Self::Duration),
    ];
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_scalar(deserializer, "a usage like GAUGE", |text| {
            let upper = text.to_ascii_uppercase().replace(['_', '-'], "");
            if upper == "TIMESTAMP" {
                return Err(super::TIMESTAMPS_REFUSED.to_owned());
            }
            let known = Self::ALL.iter().find(|(name, _)| *name == upper);
            known.map(|(_, usage)| *usage).ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
                format!("usage {text:?} is unknown, write one of {}", names.join(", "))
            })
        })
    }
}

/// `role`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    Any,
    #[serde(alias = "master")]
    Primary,
    #[serde(alias = "replica", alias = "slave")]
    Standby,
}

/// `unmapped`: what becomes of columns that `metrics` does not name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unmapped {
    Untyped,
    Ignore,
}

/// `nulls`: what is written for NULL.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Nulls {
    Nan,
    Zero,
    Absent,
}

/// `metrics`: a list of maps of one column each, or one map of columns.
#[derive(Debug, Default)]
pub(super) struct Columns(pub(super) Vec<(String, Column)>);

/// A map whose order is kept and whose keys are there once.
#[derive(Debug)]
pub(super) struct Entries<T>(pub(super) Vec<(String, T)>);

/// A text, or a list of texts.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts(pub(super) Vec<String>);

/// Text, number or boolean, as a text.
#[derive(Clone, Debug)]
pub(super) struct Scalar(pub(super) String);

/// A number, which may be written as a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) f64);

/// A number of seconds, or a text like `1m30s`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Seconds(pub(super) Duration);

/// A version as `server_version_num` has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Version(pub(super) u32);

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries: Entries<Query> = read_entries(deserializer, "queries by name", QUERIES_MAX)?;
        Ok(Self(entries.0))
    }
}

/// Entries of one map, of which there are no more in a sensible file.
const ENTRIES_MAX: usize = 1_000;

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_entries(deserializer, "names and their values", ENTRIES_MAX)
    }
}

fn read_entries<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    what: &'static str,
    entries_max: usize,
) -> Result<Entries<T>, D::Error> {
    deserializer.deserialize_map(EntriesVisitor { what, entries_max, values: PhantomData })
}

struct EntriesVisitor<T> {
    what: &'static str,
    entries_max: usize,
    values: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> de::Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
        let mut entries = Vec::new();
        let mut seen = BTreeMap::new();
        while let Some(Scalar(name)) = map.next_key()? {
            if seen.insert(name.clone(), ()).is_some() {
                return Err(de::Error::custom(format!("{name:?} is there twice")));
            }
            if entries.len() == self.entries_max {
                let message = format!("more than {} {}", self.entries_max, self.what);
                return Err(de::Error::custom(message));
            }
            entries.push((name, map.next_value()?));
        }
        Ok(Entries(entries))
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnsVisitor)
    }
}

struct ColumnsVisitor;

impl<'de> de::Visitor<'de> for ColumnsVisitor {
    type Value = Columns;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of columns, each `- name: {usage: …}`")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Columns, A::Error> {
        let visitor =
            EntriesVisitor { what: "columns", entries_max: ENTRIES_MAX, values: PhantomData };
        Ok(Columns(visitor.visit_map(map)?.0))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Columns, A::Error> {
        let mut columns: Vec<(String, Column)> = Vec::new();
        while let Some(Entries(entries)) = list.next_element::<Entries<Column>>()? {
            for (name, column) in entries {
                if columns.iter().any(|(known, _)| *known == name) {
                    return Err(de::Error::custom(format!("column {name:?} is there twice")));
                }
                if columns.len() == ENTRIES_MAX {
                    return Err(de::Error::custom(format!("more than {ENTRIES_MAX} columns")));
                }
                columns.push((name, column));
            }
        }
        Ok(Columns(columns))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Columns, E> {
        Ok(Columns::default())
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> de::Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Texts, E> {
        Ok(Texts(vec![text.to_owned()]))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Texts, E> {
        Ok(Texts::default())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
        let mut texts = Vec::new();
        while let Some(Scalar(text)) = list.next_element()? {
            if texts.len() == ENTRIES_MAX {
                return Err(de::Error::custom(format!("more than {ENTRIES_MAX} entries")));
            }
            texts.push(text);
        }
        Ok(Texts(texts))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_scalar(deserializer, "a text or a number", |text| Ok(Self(text.to_owned())))
    }
}

/// Reads a text, number or boolean by `parse`, whose errors then tell where in the file it stands.
fn read_scalar<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    what: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    deserializer.deserialize_any(ScalarVisitor { what, parse })
}

struct ScalarVisitor<F> {
    what: &'static str,
    parse: F,
}

impl<T, F: Fn(&str) -> Result<T, String>> de::Visitor<'_> for ScalarVisitor<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<T, E> {
        self.visit_str(if value { "true" } else { "false" })
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_unit<E: de::Error>(self) -> Result<T, E> {
        self.visit_str("")
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_scalar(deserializer, "a number", |text| {
            let number = text.trim().parse();
            number.map(Self).map_err(|_error| format!("{text:?} is not a number"))
        })
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_scalar(deserializer, "seconds or a duration like 1m30s", |text| {
            let duration = match text.parse::<f64>() {
                Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
                Err(_error) => metrics_server::args::parse_duration(text).ok(),
            };
            duration
                .map(Self)
                .ok_or_else(|| format!("{text:?} is neither seconds nor a duration like 1m30s"))
        })
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_scalar(deserializer, "a version like 170000 or 17", |text| {
            version(text)
                .map(Self)
                .ok_or_else(|| format!("{text:?} is not a version like 170000 or 17"))
        })
    }
}

/// `140000`, `14`, `14.2` and `9.6` as `server_version_num` has them.
fn version(text: &str) -> Option<u32> {
    if let Ok(number) = text.parse::<u32>() {
        return Some(if number < 1_000 { number * 10_000 } else { number });
    }
    let parts = text.split('.').map(|part| part.parse().ok().filter(|part| *part < 1_000));
    match parts.collect::<Option<Vec<u32>>>()?.as_slice() {
        [major, minor] | [major, minor, _] if *major >= 10 => Some(major * 10_000 + minor),
        [major, minor] => Some(major * 10_000 + minor * 100),
        [major, minor, patch] => Some(major * 10_000 + minor * 100 + patch),
        _ => None,
    }
}
