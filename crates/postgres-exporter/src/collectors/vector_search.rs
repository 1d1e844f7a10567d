//! Searches by the distance operators of pgvector, from `pg_stat_statements`: `pg_vector_search_*`.
//!
//! What a statement is can only be told by its text, and texts are a file of the server, which may be
//! large. So each is looked at once, by the server, and what it is remembered here; each scrape
//! reads counts alone. What happened since the scrape before is added up here: the server forgets
//! statements, and sums over those that it knows would fall.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, HistogramState, Kind, Page};
use tokio::time::Instant;
use tracing::warn;

use super::statements::{Column, Servers, counts, key, with_ids};
use crate::{
    instance::{Facts, Instance},
    row::{RowError, Rows},
};

/// See the module.
pub(crate) const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "vector_search",
    help: "Searches by pgvector's distance operators and their time, from pg_stat_statements",
    enabled_by_default: false,
    build: || Box::new(VectorSearch { servers: Servers::default() }),
};

const QUERY: &str = include_str!("vector_search.sql");
const OPERATORS: &str = include_str!("vector_search_operators.sql");
/// Texts are looked at so often at most: a server whose statements come and go has new ones always.
const TEXTS_PERIOD: Duration = Duration::from_mins(1);
/// Statements whose texts are looked at together.
const TEXTS_MAX: usize = 10_000;

const COUNTS: usize = 3;
const COLUMNS: [Column; COUNTS] = [
    (
        "calls",
        Desc::counter(
            "pg_vector_search_calls_total",
            "Times that statements with this distance operator were executed",
        ),
    ),
    ("seconds", Desc::counter("pg_vector_search_seconds_total", "Time spent executing them")),
    ("rows", Desc::counter("pg_vector_search_rows_total", "Rows that they returned")),
];

/// The server knows sums alone, so a call counts as taking what those of its statement took on average
/// since the scrape before.
const MEAN: Desc<'static> = Desc::new(
    "pg_vector_search_mean_seconds",
    "Times executed, by the mean time of a statement's executions between two scrapes",
    Kind::Histogram,
);
/// Upper bounds of its buckets: a search takes milliseconds where an index serves it, and seconds without.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// The columns of calls and of their time.
const CALLS: usize = 0;
const SECONDS: usize = 1;

/// User, database, `queryid`, and whether a client or another statement runs it. The server forgets each
/// of these by itself.
type Key = [String; 4];
type Counts = [f64; COUNTS];

struct VectorSearch {
    servers: Servers<Searches>,
}

/// What searches with one operator did in one database.
#[derive(Debug, Default)]
struct Sums {
    counts: Counts,
    /// Calls whose mean time is below each bound; those above all are in `counts` alone.
    buckets: [f64; BOUNDS.len()],
}

impl Sums {
    fn add(&mut self, more: Counts) {
        for (sum, more) in self.counts.iter_mut().zip(more) {
            *sum += more;
        }
        let mean = more[SECONDS] / more[CALLS].max(1.0);
        for (_, bucket) in BOUNDS.iter().zip(&mut self.buckets).filter(|(bound, _)| mean <= **bound)
        {
            *bucket += more[CALLS];
        }
    }

    fn histogram(&self) -> HistogramState {
        let buckets = BOUNDS.into_iter().zip(self.buckets.map(whole)).collect();
        HistogramState { buckets, sum: self.counts[SECONDS], count: whole(self.counts[CALLS]) }
    }
}

/// A number of calls, which has been added up of whole ones.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates, and calls are no fractions"
)]
const fn whole(calls: f64) -> u64 {
    calls as u64
}

/// What is known of one server's statements.
#[derive(Debug, Default)]
struct Searches {
    /// The operator of each statement, by `queryid`; `None` for one that is no search.
    operators: BTreeMap<String, Option<String>>,
    /// Counts that are in the sums: of searches, and of statements which may turn out to be some.
    known: BTreeMap<Key, Counts>,
    /// Sums by database and operator, of databases that are there.
    sums: BTreeMap<(String, String), Sums>,
    /// When texts were last asked for.
    looked: Option<Instant>,
    /// When the latest answer that was counted had come.
    counted: Option<Instant>,
}

impl Searches {
    /// The statements whose text should be looked at now; all that are gone are forgotten.
    fn unknown(&mut self, rows: &Rows, now: Instant) -> Result<Vec<String>, RowError> {
        let mut ids = BTreeSet::new();
        for row in rows.iter() {
            ids.extend(row.text("queryid")?.map(str::to_owned));
        }
        self.operators.retain(|id, _| ids.contains(id));
        let early = self.looked.is_some_and(|at| now.duration_since(at) < TEXTS_PERIOD);
        let unknown: Vec<_> =
            ids.into_iter().filter(|id| !early && !self.operators.contains_key(id)).collect();
        if !unknown.is_empty() {
            // However that ends: a server which fails is not asked more often.
            self.looked = Some(now);
        }
        Ok(unknown.into_iter().take(TEXTS_MAX).collect())
    }

    /// Takes what the server says of the texts of `asked`. One that it no longer has is no search.
    fn learn(&mut self, asked: Vec<String>, rows: &Rows) -> Result<(), RowError> {
        self.operators.extend(asked.into_iter().map(|id| (id, None)));
        for row in rows.iter() {
            let Some(id) = row.text("queryid")? else { continue };
            if let Some(operator) = self.operators.get_mut(id) {
                *operator = row.text("operator")?.map(str::to_owned);
            }
        }
        Ok(())
    }

    /// Adds what happened since the answer before; the first one tells where counting begins, so that a
    /// restart of the exporter adds nothing. One which was `asked` for before the latest one `came` may
    /// be older than that, and is left out.
    fn count(&mut self, rows: &Rows, asked: Instant, came: Instant) -> Result<(), RowError> {
        if self.counted.is_some_and(|latest| asked < latest) {
            return Ok(());
        }
        let mut now = BTreeMap::new();
        let mut found = Vec::new();
        let mut databases = BTreeSet::new();
        for row in rows.iter() {
            let datname = row.text("datname")?;
            databases.extend(datname);
            let Some(id) = row.text("queryid")? else { continue };
            let operator = self.operators.get(id);
            if operator.is_some_and(Option::is_none) {
                continue;
            }
            let key: Key = key(&row, ["userid", "dbid", "queryid", "toplevel"])?;
            let counts = counts(&row, &COLUMNS)?;
            let base = self.base(&key, &counts);
            if let (Some(Some(operator)), Some(datname)) = (operator, datname) {
                let mut more = counts;
                for (more, base) in more.iter_mut().zip(base) {
                    *more -= base;
                }
                found.push(((datname.to_owned(), operator.clone()), more));
            }
            now.insert(key, if operator.is_some() { counts } else { base });
        }
        for (place, more) in found {
            self.sums.entry(place).or_default().add(more);
        }
        self.sums.retain(|(datname, _), _| databases.contains(datname.as_str()));
        self.known = now;
        self.counted = Some(came);
        Ok(())
    }

    /// What of a statement's `counts` is in the sums, or came before there were any.
    fn base(&self, key: &Key, counts: &Counts) -> Counts {
        if self.counted.is_none() {
            return *counts;
        }
        let before = self.known.get(key).copied().unwrap_or_default();
        // Counts that fell begin again: the statement was forgotten in between.
        let fell = counts.iter().zip(before).any(|(count, before)| *count < before);
        if fell { Counts::default() } else { before }
    }

    fn write(&self, out: &mut Page) {
        for (index, (_, desc)) in COLUMNS.iter().enumerate() {
            let mut family = out.family(desc.clone());
            for ((datname, operator), sums) in &self.sums {
                family.sample(&labels(datname, operator), sums.counts[index]);
            }
        }
        let mut family = out.family(MEAN);
        for ((datname, operator), sums) in &self.sums {
            family.histogram(&labels(datname, operator), sums.histogram());
        }
    }
}

fn labels<'a>(datname: &'a str, operator: &'a str) -> [(&'static str, &'a str); 2] {
    [("datname", datname), ("operator", operator)]
}

impl Collector<Instance> for VectorSearch {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move {
            let asked = Instant::now();
            let rows = instance.query_slow(&instance.facts.with_schemas(QUERY)).await?;
            let came = Instant::now();
            let unknown = self.servers.with(instance, |searches| searches.unknown(&rows, came))?;
            if !unknown.is_empty() {
                let sql = operators_query(&instance.facts, &unknown);
                match instance.query_slow(&sql).await {
                    Ok(found) => {
                        self.servers.with(instance, |searches| searches.learn(unknown, &found))?;
                    }
                    // What is known already is counted nevertheless.
                    Err(error) => {
                        warn!(server = instance.server(), %error, "texts of statements were not read");
                    }
                }
            }
            self.servers.with(instance, |searches| {
                searches.count(&rows, asked, came)?;
                searches.write(out);
                Ok(())
            })
        })
    }
}

fn operators_query(facts: &Facts, ids: &[String]) -> String {
    with_ids(&facts.with_schemas(OPERATORS), ids)
}

#[cfg(test)]
mod tests;
