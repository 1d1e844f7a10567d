//! The text of a web configuration file, in the form of exporter-toolkit: strict, and without I/O.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_yaml_ng::Value;

use crate::args::parse_duration;

/// The whole file. What is absent or empty has its default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "settings")]
pub(super) struct File {
    pub(super) tls_server_config: Option<Tls>,
    pub(super) http_server_config: Option<Http>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) basic_auth_users: Option<UniqueMap>,
}

/// `tls_server_config`. A text that is absent, empty or `null` is the same.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "settings")]
pub(in crate::http) struct Tls {
    pub(in crate::http) cert: Option<String>,
    pub(in crate::http) key: Option<Secret>,
    pub(in crate::http) client_ca: Option<String>,
    pub(in crate::http) cert_file: Option<String>,
    pub(in crate::http) key_file: Option<String>,
    pub(in crate::http) client_auth_type: Option<String>,
    pub(in crate::http) client_ca_file: Option<String>,
    pub(in crate::http) cipher_suites: Option<Vec<String>>,
    pub(in crate::http) curve_preferences: Option<Vec<String>>,
    pub(in crate::http) min_version: Option<String>,
    pub(in crate::http) max_version: Option<String>,
    pub(in crate::http) prefer_server_cipher_suites: Option<Boolean>,
    /// An empty list lets nobody in, no list lets in every certificate that is valid.
    pub(in crate::http) client_allowed_sans: Option<Vec<String>>,
}

/// `http_server_config`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "settings")]
pub(super) struct Http {
    pub(super) http2: Option<Boolean>,
    pub(super) headers: Option<UniqueMap>,
}

/// `rate_limit`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "settings")]
pub(super) struct RateLimit {
    pub(super) interval: Option<Interval>,
    pub(super) burst: Option<i64>,
}

/// Reads the first document of `text`.
///
/// # Errors
///
/// What is wrong and in which line. No value of a secret is in it.
pub(super) fn parse(text: &str) -> Result<File, String> {
    let first = || serde_yaml_ng::Deserializer::from_str(text).next();
    let Some(document) = first() else { return Ok(File::default()) };
    let error = match Option::<File>::deserialize(document) {
        Ok(file) => return Ok(file.unwrap_or_default()),
        Err(error) => hide_text(&error.to_string()),
    };
    // `<<: *anchor` is read in a second pass, which knows no lines.
    let merged = first().and_then(|document| Value::deserialize(document).ok()).and_then(merge);
    merged.and_then(|value| File::deserialize(value).ok()).ok_or(error)
}

/// A value in the wrong place may be a secret: only its type is told.
fn hide_text(error: &str) -> String {
    let Some((before, quoted)) = error.split_once("string \"") else { return error.to_owned() };
    let after = quoted.rsplit_once('"').map_or("", |(_value, after)| after);
    format!("{before}text{after}")
}

/// `value` with its merge keys resolved, where it has any.
fn merge(mut value: Value) -> Option<Value> {
    let before = value.clone();
    value.apply_merge().ok()?;
    (value != before).then_some(value)
}

/// A text which is not shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(in crate::http) struct Secret(pub(in crate::http) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A boolean as YAML 1.1 and Go write it: `yes`, `on` and `true` are the same.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Boolean(pub(in crate::http) bool);

impl<'de> Deserialize<'de> for Boolean {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
                Ok(Self(true))
            }
            "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off"
            | "OFF" => Ok(Self(false)),
            other => Err(de::Error::custom(format!("expected true or false, not {other:?}"))),
        }
    }
}

/// A duration in Go's form, or a number of nanoseconds. Nothing and less is zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval(pub(super) Duration);

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Ok(nanoseconds) = text.parse::<i64>() {
            return Ok(Self(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))));
        }
        match text.strip_prefix('-') {
            Some(negative) => parse_duration(negative).map(|_| Self(Duration::ZERO)),
            None => parse_duration(text.strip_prefix('+').unwrap_or(&text)).map(Self),
        }
        .map_err(de::Error::custom)
    }
}

/// Names and texts; a name that is there twice is an error. `null` is an empty text.
#[derive(Clone, Default)]
pub(super) struct UniqueMap(pub(super) BTreeMap<String, String>);

impl fmt::Debug for UniqueMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<'de> Deserialize<'de> for UniqueMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = UniqueMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names and texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueMap, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((name, text)) = map.next_entry::<String, Option<String>>()? {
                    let text = text.unwrap_or_default();
                    if entries.contains_key(&name) {
                        return Err(de::Error::custom(format!("{name:?} is there twice")));
                    }
                    entries.insert(name, text);
                }
                Ok(UniqueMap(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}
