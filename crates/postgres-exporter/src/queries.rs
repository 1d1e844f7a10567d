//! SQL to metrics: files which say what to ask a server and what becomes of the answer.
//!
//! [`Queries::parse`] reads a file, [`Query::refusal`] tells where a query has nothing to do,
//! [`Query::write`] turns an answer into families. All of it is pure.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use metrics_server::Kind;
use serde_yaml_ng::Value;
use thiserror::Error;

use crate::{instance::Facts, prefix::Prefix};

mod accumulate;
pub mod args;
pub mod ask;
pub mod builtin;
mod check;
pub mod convert;
pub mod engine;
pub mod explain;
mod expose;
mod file;
pub mod glob;
pub mod load;
pub mod pgbouncer;
pub mod value;
mod version;

pub use accumulate::Accumulator;
pub use engine::Engine;
pub use expose::{Dropped, Tally};
pub use version::{Range, RangeError};

/// Queries of one file.
pub const QUERIES_MAX: usize = 1_000;
/// Bytes of one file: people write them.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Rows of one answer that become series, unless the query or a flag says otherwise.
pub const ROWS_MAX: u32 = 10_000;
/// Series of one answer, unless the query or a flag says otherwise.
pub const SERIES_MAX: u32 = 100_000;

const TIMESTAMPS_REFUSED: &str = "series cannot have timestamps of their own: Prometheus would \
     neither mark them stale nor join them with others; write the time as a value of its own, with \
     usage: GAUGE";

/// Why a file cannot be used: which file, where in it, and what to do.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{file}: {reason}")]
pub struct QueriesError {
    file: String,
    reason: String,
}

/// What to do with keys which nobody knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnknownKeys {
    /// The file cannot be used.
    Refuse,
    /// They are told in the warnings, as they are ignored by `postgres_exporter`.
    Warn,
}

/// The queries of one file, checked.
#[derive(Clone, Debug, Default)]
pub struct Queries {
    /// In the order of the file.
    pub queries: Vec<Arc<Query>>,
    /// What somebody should change in the file, a sentence each.
    pub warnings: Vec<String>,
}

/// One query, checked: nothing about it can be wrong any more but its SQL.
#[derive(Clone, Debug)]
pub struct Query {
    /// Its key in the file.
    pub name: String,
    /// Begins the names of its families.
    pub namespace: String,
    /// What is asked.
    pub sql: Arc<str>,
    /// Where it is asked.
    pub gate: Gate,
    /// How long an answer is served again.
    pub ttl: Duration,
    /// Longest time on the server; the exporter's own limit holds as well.
    pub timeout: Option<Duration>,
    /// Asked in the background so often, and not by scrapes.
    pub schedule: Option<Duration>,
    /// What background runs find is added up: counters are made of samples.
    pub accumulate: bool,
    /// A failure fails the whole run: none of the queries has series.
    pub fatal: bool,
    /// Labels of all its series.
    pub labels: Vec<(String, String)>,
    /// See [`Column`].
    pub columns: Vec<Column>,
    /// Columns which nothing is said of become families of unknown kind.
    pub unmapped: bool,
    /// What such a column has for NULL.
    pub null: Null,
    /// See [`ROWS_MAX`].
    pub rows_max: Option<u32>,
    /// See [`SERIES_MAX`].
    pub series_max: Option<u32>,
    /// A check on `/health`.
    pub freshness: Option<Freshness>,
    /// It is ours: names in it are those of the server's catalogue, whatever the role's search path.
    pub builtin: bool,
}

/// What is written for NULL.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Null {
    /// This number.
    Value(f64),
    /// No sample.
    Absent,
}

/// Where a query is asked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Gate {
    /// On primaries or standbys alone.
    pub role: Option<Role>,
    /// The server's version is in all of them.
    pub versions: Vec<Range>,
    /// See [`Databases`].
    pub databases: Databases,
    /// The database has all of these.
    pub extensions: Vec<String>,
    /// The database has all of these.
    pub schemas: Vec<String>,
    /// The exporter logs in as one of these; empty for any.
    pub users: Vec<String>,
    /// `--queries.tag` has these, and not those with `false`.
    pub tags: Vec<(String, bool)>,
    /// Queries whose first value has to be true.
    pub predicates: Vec<String>,
}

/// The role of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Takes writes.
    Primary,
    /// Is in recovery.
    Standby,
}

/// The databases of a server in which a query is asked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Databases {
    /// The one of the data source, and all others where the exporter discovers databases.
    #[default]
    Discovered,
    /// The one of the data source.
    Connected,
    /// All whose name fits one of the globs, and none that begins with `!`.
    Matching(Vec<String>),
}

/// One column of the answer and what becomes of it.
#[derive(Clone, Debug)]
pub struct Column {
    /// As the server names it.
    pub name: String,
    /// On servers of these versions alone.
    pub versions: Option<Range>,
    /// See [`Usage`].
    pub usage: Usage,
}

/// What becomes of a column.
#[derive(Clone, Debug)]
pub enum Usage {
    /// A label of all series of its row.
    Label(String),
    /// A label of the info series of its row.
    Info(String),
    /// Nothing.
    Discard,
    /// A sample.
    Number(Number),
    /// One series a state, of which one is 1.
    States {
        /// Name of the family.
        family: String,
        /// See the server's documentation.
        help: String,
        /// Label with the state.
        label: String,
        /// All there are.
        states: Vec<String>,
    },
    /// A histogram.
    Histogram(Histogram),
    /// A summary.
    Summary(Summary),
}

/// A column of numbers.
#[derive(Clone, Debug)]
pub struct Number {
    /// Name of the family.
    pub family: String,
    /// See the server's documentation.
    pub help: String,
    /// What it is.
    pub kind: Kind,
    /// Labels of this column's series beside those of the row.
    pub labels: Vec<(String, String)>,
    /// How it is read.
    pub reading: Reading,
    /// What a value is multiplied by.
    pub scale: f64,
    /// What is written for NULL; not scaled.
    pub null: Null,
}

/// How a text becomes a number.
#[derive(Clone, Debug)]
pub enum Reading {
    /// A number, boolean, time or interval as PostgreSQL writes it.
    Plain,
    /// A word of this table.
    Words(BTreeMap<String, f64>),
    /// Milliseconds of a duration.
    Duration,
}

/// A histogram of a row.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Name of the family.
    pub family: String,
    /// See the server's documentation.
    pub help: String,
    /// Where bounds and counts stand.
    pub buckets: Buckets,
    /// Column with the sum.
    pub sum: Option<String>,
    /// Column with the number of all observations; that of the last bucket where there is none.
    pub count: Option<String>,
    /// What bounds and sum are multiplied by.
    pub scale: f64,
}

/// Where a histogram's bounds and counts stand.
#[derive(Clone, Debug)]
pub enum Buckets {
    /// In two columns of arrays: bounds, and cumulative counts.
    Arrays {
        /// Column of the upper bounds.
        bounds: String,
        /// Column of the counts.
        counts: String,
    },
    /// In a column each, ascending.
    Columns {
        /// Upper bound and column.
        columns: Vec<(f64, String)>,
        /// Whether a count has those of lower buckets in it.
        cumulative: bool,
    },
}

/// A summary of a row.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Name of the family.
    pub family: String,
    /// See the server's documentation.
    pub help: String,
    /// Quantile and column, ascending.
    pub quantiles: Vec<(f64, String)>,
    /// Column with the sum.
    pub sum: Option<String>,
    /// Column with the number of all observations.
    pub count: Option<String>,
    /// What quantiles and sum are multiplied by.
    pub scale: f64,
}

/// A check: the newest row is not older than so much.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Freshness {
    /// The check's noun.
    pub name: String,
    /// Column with an age in seconds or the time of the newest row; the first where it is `None`.
    pub column: Option<String>,
    /// Older fails.
    pub age_max: Duration,
}

impl Queries {
    /// Reads the text of the file `file`, whose name stands in errors. `read` reads files which it
    /// names.
    ///
    /// # Errors
    ///
    /// What is wrong first.
    pub fn parse(
        file: &str,
        text: &str,
        unknown_keys: UnknownKeys,
        read: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Self, QueriesError> {
        let wrong = |reason: String| QueriesError { file: file.to_owned(), reason };
        if text.len() > FILE_BYTES_MAX {
            return Err(wrong(format!("larger than {FILE_BYTES_MAX} bytes, split it")));
        }
        let yaml = |error: serde_yaml_ng::Error| wrong(error.to_string().replace('\n', " "));
        let written: Option<file::File> = serde_yaml_ng::from_str(text).map_err(yaml)?;
        let unknown: Vec<_> = unknown_keys_of(text).map_err(yaml)?;
        if unknown_keys == UnknownKeys::Refuse
            && let Some(first) = unknown.first()
        {
            return Err(wrong(first.clone()));
        }
        let mut queries = check::queries(written.unwrap_or_default(), read).map_err(wrong)?;
        queries.warnings.extend(unknown);
        Ok(queries)
    }

    /// The same queries with `prefix` in their names, and in those of their families.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &Prefix) -> Self {
        if *prefix != Prefix::default() {
            for query in &mut self.queries {
                Arc::make_mut(query).take_prefix(prefix);
            }
        }
        self
    }
}

impl Query {
    fn take_prefix(&mut self, prefix: &Prefix) {
        let old = std::mem::take(&mut self.namespace);
        self.namespace = prefix.apply(&old).into_owned();
        for column in &mut self.columns {
            let family = match &mut column.usage {
                Usage::Label(_) | Usage::Info(_) | Usage::Discard => continue,
                Usage::Number(number) => &mut number.family,
                Usage::States { family, .. } => family,
                Usage::Histogram(histogram) => &mut histogram.family,
                Usage::Summary(summary) => &mut summary.family,
            };
            // One that the file spells out in whole may be called anything.
            if let Some(rest) = family.strip_prefix(&old) {
                *family = format!("{}{rest}", self.namespace);
            }
        }
    }

    /// Why it has nothing to do on this server, if so: the `reason` label.
    pub fn refusal(&self, facts: &Facts, tags: &[String]) -> Option<&'static str> {
        let role = if facts.in_recovery { Role::Standby } else { Role::Primary };
        if self.gate.role.is_some_and(|wanted| wanted != role) {
            return Some("role");
        }
        if !self.gate.versions.iter().all(|range| range.contains(facts)) {
            return Some("version");
        }
        let given = |(tag, wanted): &(String, bool)| tags.contains(tag) == *wanted;
        (!self.gate.tags.iter().all(given)).then_some("tag")
    }

    /// What the database has to have, as one query which answers with a boolean.
    pub fn requirement(&self) -> Option<String> {
        let gate = &self.gate;
        let one_of = |what: &str, names: &[String]| {
            names.iter().map(|name| what.replace('?', &literal(name))).collect::<Vec<_>>()
        };
        let extension = "EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = ?)";
        let schema = "EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = ?)";
        let mut conditions = one_of(extension, &gate.extensions);
        conditions.extend(one_of(schema, &gate.schemas));
        if !gate.users.is_empty() {
            conditions.push(format!("({})", one_of("current_user = ?", &gate.users).join(" OR ")));
        }
        (!conditions.is_empty()).then(|| format!("SELECT {}", conditions.join(" AND ")))
    }
}

impl Databases {
    /// Whether the query is asked in the database `name`. Discovered ones are `discovered` as a whole.
    pub fn takes(&self, name: &str, connected: bool, discovered: bool) -> bool {
        match self {
            Self::Connected => connected,
            Self::Discovered => connected || discovered,
            Self::Matching(globs) => {
                let (without, with): (Vec<_>, Vec<_>) =
                    globs.iter().partition(|glob| glob.starts_with('!'));
                let excluded =
                    without.iter().any(|glob| glob::fits(glob.trim_start_matches('!'), name));
                let included = with.is_empty() || with.iter().any(|glob| glob::fits(glob, name));
                included && !excluded
            }
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
        })
    }
}

/// The keys of a file which nobody reads, each as a warning.
fn unknown_keys_of(text: &str) -> Result<Vec<String>, serde_yaml_ng::Error> {
    let tree = with_text_keys(serde_yaml_ng::from_str(text)?);
    let mut unknown = Vec::new();
    let _again: Option<file::File> = serde_ignored::deserialize(tree, |path| {
        let path = path.to_string().replace('?', "").replace("..", ".");
        let path = path.trim_start_matches('.');
        unknown.push(format!("unknown key {path}: remove it or mend its spelling"));
    })?;
    Ok(unknown)
}

/// Keys which are numbers, as those of buckets, become texts: `serde_ignored` knows no others.
fn with_text_keys(tree: Value) -> Value {
    match tree {
        Value::Mapping(entries) => {
            let entries = entries.into_iter().map(|(key, value)| {
                let key = match key {
                    Value::Number(number) => Value::String(number.to_string()),
                    Value::Bool(value) => Value::String(value.to_string()),
                    key => key,
                };
                (key, with_text_keys(value))
            });
            Value::Mapping(entries.collect())
        }
        Value::Sequence(values) => {
            Value::Sequence(values.into_iter().map(with_text_keys).collect())
        }
        tree => tree,
    }
}

/// A text as SQL writes it. A backslash has a meaning only behind an `E`.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests;
