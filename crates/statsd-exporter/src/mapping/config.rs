//! The mapping file as it is written: names, types and nothing else.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, de};

use super::duration::GoDuration;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
pub(super) struct File {
    pub(super) defaults: Option<Defaults>,
    pub(super) mappings: Option<Vec<Rule>>,
}

/// `defaults`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Defaults {
    pub(super) observer_type: Option<String>,
    pub(super) match_type: Option<String>,
    pub(super) glob_disable_ordering: Option<bool>,
    pub(super) ttl: Option<GoDuration>,
    /// Ours: in place of `ttl` for one type.
    pub(super) type_ttl: Option<TypeTtl>,
    /// Ours: stars within a segment.
    pub(super) partial_globs: Option<bool>,
    /// Ours: labels of clients which no series gets.
    pub(super) drop_labels: Option<Vec<String>>,
    pub(super) summary_options: Option<SummaryOptions>,
    pub(super) histogram_options: Option<HistogramOptions>,
    /// Before 0.31.
    pub(super) timer_type: Option<String>,
    /// Before 0.31.
    pub(super) buckets: Option<Vec<f64>>,
    /// Before 0.31.
    pub(super) quantiles: Option<Vec<Quantile>>,
}

/// One entry of `mappings`.
#[derive(Debug, Deserialize)]
pub(super) struct Rule {
    #[serde(rename = "match")]
    pub(super) pattern: Option<String>,
    pub(super) name: Option<String>,
    pub(super) labels: Option<LabelTemplates>,
    pub(super) honor_labels: Option<bool>,
    pub(super) observer_type: Option<String>,
    pub(super) match_type: Option<String>,
    pub(super) match_metric_type: Option<String>,
    pub(super) help: Option<String>,
    pub(super) action: Option<String>,
    pub(super) ttl: Option<GoDuration>,
    pub(super) scale: Option<f64>,
    pub(super) summary_options: Option<SummaryOptions>,
    pub(super) histogram_options: Option<HistogramOptions>,
    /// Ours: tags which a sample has to have, as globs.
    pub(super) match_tags: Option<LabelTemplates>,
    /// Ours: new names of labels of clients.
    pub(super) rename_labels: Option<LabelTemplates>,
    /// Ours: labels of clients which the series does not get.
    pub(super) drop_labels: Option<Vec<String>>,
    /// Ours: what the series is, whatever the client says.
    #[serde(rename = "type")]
    pub(super) metric_type: Option<String>,
    /// Ours: the value which the series has before its first sample.
    pub(super) initialize: Option<f64>,
    /// Before 0.31.
    pub(super) timer_type: Option<String>,
    /// Before 0.31.
    pub(super) buckets: Option<Vec<f64>>,
    /// Before 0.31.
    pub(super) quantiles: Option<Vec<Quantile>>,
}

/// `defaults.type_ttl`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TypeTtl {
    pub(super) counter: Option<GoDuration>,
    pub(super) gauge: Option<GoDuration>,
    pub(super) observer: Option<GoDuration>,
}

/// `summary_options`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct SummaryOptions {
    pub(super) quantiles: Option<Vec<Quantile>>,
    pub(super) max_age: Option<GoDuration>,
    pub(super) age_buckets: Option<u32>,
    /// Taken and not used: how much is buffered is our own affair.
    #[serde(rename = "buf_cap")]
    pub(super) _buf_cap: Option<u32>,
}

/// One of `quantiles`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Quantile {
    pub(super) quantile: f64,
    pub(super) error: f64,
}

/// `histogram_options`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct HistogramOptions {
    pub(super) buckets: Option<Vec<f64>>,
    pub(super) native_histogram_bucket_factor: Option<f64>,
    pub(super) native_histogram_max_buckets: Option<u32>,
    /// Ours: no classic buckets.
    pub(super) native_histogram_only: Option<bool>,
}

/// `labels`: a key twice is an error, a value may be any scalar.
#[derive(Clone, Debug, Default)]
pub(super) struct LabelTemplates(pub(super) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for LabelTemplates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelVisitor)
    }
}

struct LabelVisitor;

impl<'de> de::Visitor<'de> for LabelVisitor {
    type Value = LabelTemplates;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("label names and their values")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<LabelTemplates, A::Error> {
        let mut labels = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Option<String>>()? {
            if labels.contains_key(&name) {
                return Err(de::Error::custom(format!("label {name:?} is there twice")));
            }
            labels.insert(name, value.unwrap_or_default());
        }
        Ok(LabelTemplates(labels))
    }
}
