//! Searches by the distance operators of pgvector, from `pg_stat_statements`: `pg_vector_search_*`.
//!
//! What a statement is can only be told by its text, and texts are a file of the server, which may be
//! large. So each is looked at once, by the server, and what it is remembered here; each scrape
//! reads counts alone. They are added up here: the server forgets statements, and sums over those
//! that it knows would fall.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics_server::{
    CollectError, Collecting, Collector, CollectorSpec, Desc, HistogramState, Kind, Page,
};
use tokio::time::Instant;

use crate::{
    instance::{Facts, Instance},
    row::{RowError, Rows},
};

/// See the module.
pub(crate) const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "vector_search",
    help: "Searches by pgvector's distance operators and their time, from pg_stat_statements",
    enabled_by_default: false,
    build: || Box::new(VectorSearch { servers: Mutex::default() }),
};

const QUERY: &str = include_str!("vector_search.sql");
const OPERATORS: &str = include_str!("vector_search_operators.sql");
/// Servers and databases of which one collector knows statements.
const SERVERS_MAX: usize = 100;
/// Texts are looked at so often at most: a server whose statements come and go has new ones always.
const TEXTS_PERIOD: Duration = Duration::from_mins(1);
/// Statements whose texts are looked at together.
const TEXTS_MAX: usize = 10_000;

const COUNTS: usize = 3;
const COLUMNS: [(&str, Desc<'static>); COUNTS] = [
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

/// User, database and `queryid`.
type Key = [String; 3];
type Counts = [f64; COUNTS];

struct VectorSearch {
    /// By server and database. The lock is held while one answer is counted.
    servers: Mutex<BTreeMap<String, Searches>>,
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
    /// Searches as of the latest answer.
    known: BTreeMap<Key, Counts>,
    /// Sums by database and operator.
    sums: BTreeMap<(String, String), Sums>,
    /// When texts were last looked at.
    looked: Option<Instant>,
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
        Ok(unknown.into_iter().take(TEXTS_MAX).collect())
    }

    /// Takes what the server says of the texts of `asked`. One that it no longer has is no search.
    fn learn(&mut self, asked: Vec<String>, rows: &Rows, now: Instant) -> Result<(), RowError> {
        self.looked = Some(now);
        self.operators.extend(asked.into_iter().map(|id| (id, None)));
        for row in rows.iter() {
            let Some(id) = row.text("queryid")? else { continue };
            if let Some(operator) = self.operators.get_mut(id) {
                *operator = row.text("operator")?.map(str::to_owned);
            }
        }
        Ok(())
    }

    /// Adds what happened since the answer before.
    fn count(&mut self, rows: &Rows) -> Result<(), RowError> {
        let mut now = BTreeMap::new();
        for row in rows.iter() {
            let text = |name| row.text(name).map(|text| text.unwrap_or_default().to_owned());
            let key = [text("userid")?, text("datname")?, text("queryid")?];
            let [_, datname, id] = &key;
            let Some(Some(operator)) = self.operators.get(id) else { continue };
            let mut counts = Counts::default();
            for (count, (column, _)) in counts.iter_mut().zip(&COLUMNS) {
                *count = row.number(column)?.unwrap_or_default();
            }
            let before = self.known.get(&key).copied().unwrap_or_default();
            // Counts that fell begin again: the statement was forgotten in between.
            let fell = counts.iter().zip(before).any(|(count, before)| *count < before);
            let base = if fell { Counts::default() } else { before };
            let mut more = counts;
            for (more, base) in more.iter_mut().zip(base) {
                *more -= base;
            }
            self.sums.entry((datname.clone(), operator.clone())).or_default().add(more);
            now.insert(key, counts);
        }
        self.known = now;
        Ok(())
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

impl VectorSearch {
    fn servers(&self) -> MutexGuard<'_, BTreeMap<String, Searches>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with what is known of one server.
    fn with<T>(
        &self,
        place: &str,
        act: impl FnOnce(&mut Searches) -> Result<T, RowError>,
    ) -> Result<T, CollectError> {
        let mut servers = self.servers();
        if servers.len() >= SERVERS_MAX && !servers.contains_key(place) {
            return Err(CollectError::Malformed("too many servers for one collector".into()));
        }
        Ok(act(servers.entry(place.to_owned()).or_default())?)
    }
}

impl Collector<Instance> for VectorSearch {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move {
            let place = format!("{}/{}", instance.server(), instance.facts.database);
            let rows = instance.query_slow(&instance.facts.with_schemas(QUERY)).await?;
            let now = Instant::now();
            let unknown = self.with(&place, |searches| searches.unknown(&rows, now))?;
            if !unknown.is_empty() {
                let sql = operators_query(&instance.facts, &unknown);
                let found = instance.query_slow(&sql).await?;
                self.with(&place, |searches| searches.learn(unknown, &found, now))?;
            }
            self.with(&place, |searches| {
                searches.count(&rows)?;
                searches.write(out);
                Ok(())
            })
        })
    }
}

fn operators_query(facts: &Facts, ids: &[String]) -> String {
    // They came from the server as numbers; nothing else is put into SQL.
    let ids = ids.iter().filter_map(|id| id.parse::<i64>().ok());
    let ids = ids.map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let ids = if ids.is_empty() { "NULL".to_owned() } else { ids };
    facts.with_schemas(OPERATORS).replace("@ids@", &ids)
}

#[cfg(test)]
mod tests;
