//! Asking a server: which databases, one after the other on one connection each, and what came back.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::{FutureExt as _, StreamExt as _, future::join_all, stream};
use metrics_server::Page;
use tokio::time::{Instant, timeout_at};

use super::{Accumulator, Databases, Query, Tally, value};
use crate::{databases::Database, instance::Instance, row::Rows, session::QueryError};

/// Settings of a query beside those that hold for all of ours: values are written as
/// [`value`](super::value) reads them, and tables are found as the role finds them elsewhere.
const SETTINGS: &str = "SET LOCAL datestyle=ISO;SET LOCAL intervalstyle=postgres;";
/// And for queries of others.
const OTHERS: &str = "SET LOCAL search_path TO DEFAULT;";

/// What is the same for all queries of a run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// `--queries.tag`.
    pub tags: Vec<String>,
    /// `--queries.rows-max`, for queries without their own.
    pub rows_max: Option<u32>,
    /// `--queries.series-max`, for queries without their own.
    pub series_max: Option<u32>,
}

/// How one query went on one server.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Its families.
    pub page: Page,
    /// What became of the rows.
    pub tally: Tally,
    /// Why it failed, in one database at least.
    pub failure: Option<String>,
    /// Why it was not asked at all.
    pub skipped: Option<&'static str>,
    /// Time that the slowest database took, without that for the queries before it.
    pub elapsed: Duration,
    /// The oldest age that its freshness check saw.
    pub age_seconds: Option<f64>,
}

/// One query in one database.
enum Answer {
    Rows(Rows),
    Skipped(&'static str),
    Failed(String),
}

/// Asks all `queries` and tells how each went, in their order. What is not there by `end` has failed.
pub async fn ask(
    instance: &Instance,
    queries: &[(Arc<Query>, Option<&Accumulator>)],
    labels: &[(&str, &str)],
    run: &Run,
    end: Instant,
) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(queries.len());
    for (query, _) in queries {
        let skipped = query.refusal(&instance.facts, &run.tags);
        outcomes.push(Outcome { skipped, ..Outcome::default() });
    }
    let mut plan: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, (query, _)) in queries.iter().enumerate() {
        let Some(outcome) = outcomes.get_mut(index).filter(|outcome| outcome.skipped.is_none())
        else {
            continue;
        };
        match timeout_at(end, databases(instance, &query.gate.databases)).await {
            Ok(Ok(names)) if names.is_empty() => outcome.skipped = Some("database"),
            Ok(Ok(names)) => {
                for name in names {
                    plan.entry(name).or_default().push(index);
                }
            }
            Ok(Err(error)) => outcome.failure = Some(error.to_string()),
            Err(_elapsed) => outcome.failure = Some("deadline exceeded".to_owned()),
        }
    }
    let visits = plan.iter().map(|(name, indexes)| {
        // When the server ended the query before, on the same connection.
        let ended = Arc::new(Mutex::new(Instant::now()));
        let asking = indexes.iter().map(|index| {
            let query = queries.get(*index).map(|(query, _)| query);
            let database = instance.database(name);
            let ended = Arc::clone(&ended);
            async move {
                let query = query?;
                let answer = timeout_at(end, one(instance, &database, query, end)).await;
                let answer =
                    answer.unwrap_or_else(|_late| Answer::Failed("deadline exceeded".to_owned()));
                let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
                let before = std::mem::replace(&mut *ended, Instant::now());
                Some((*index, name.as_str(), answer, ended.duration_since(before)))
            }
        });
        // On one connection, one after the other, which ends with the last of them.
        join_all(asking).boxed()
    });
    // The connection for long queries of the connected database has a place of its own unless all
    // databases are visited.
    let visits_max = instance.target().visits_max();
    let visits_max = if instance.discovers() { visits_max } else { visits_max.saturating_sub(1) };
    let mut answers = stream::iter(visits.collect::<Vec<_>>()).buffer_unordered(visits_max.max(1));
    while let Some(answers) = answers.next().await {
        for (index, database, answer, elapsed) in answers.into_iter().flatten() {
            if let (Some(outcome), Some((query, accumulator))) =
                (outcomes.get_mut(index), queries.get(index))
            {
                let place = Place { instance, database, labels, run, accumulator: *accumulator };
                outcome.take(query, answer, elapsed, &place);
            }
        }
    }
    outcomes
}

/// Where an answer came from, and what all series get.
struct Place<'a> {
    instance: &'a Instance,
    database: &'a str,
    labels: &'a [(&'a str, &'a str)],
    run: &'a Run,
    accumulator: Option<&'a Accumulator>,
}

impl Outcome {
    fn take(&mut self, query: &Query, answer: Answer, elapsed: Duration, place: &Place<'_>) {
        self.elapsed = self.elapsed.max(elapsed);
        let rows = match answer {
            Answer::Rows(rows) => rows,
            Answer::Skipped(reason) => {
                // Asked elsewhere, it is not skipped as a whole.
                if self.tally.rows == 0 && self.failure.is_none() {
                    self.skipped = Some(reason);
                }
                return;
            }
            Answer::Failed(reason) => {
                let several = query.gate.databases.are_several(place.instance.discovers());
                self.failure =
                    Some(if several { format!("{}: {reason}", place.database) } else { reason });
                return;
            }
        };
        self.skipped = None;
        let rows = match place.accumulator {
            Some(accumulator) => accumulator.add(query, place.database, &rows),
            None => rows,
        };
        let mut labels = place.labels.to_vec();
        if query.gate.databases.are_several(place.instance.discovers()) {
            labels.push(("datname", place.database));
        }
        let mut query = query.clone();
        query.rows_max = query.rows_max.or(place.run.rows_max);
        query.series_max = query.series_max.or(place.run.series_max);
        let tally = query.write(&rows, &place.instance.facts, &labels, &mut self.page);
        self.tally.add(&tally);
        if let Some(age) = query.age_seconds(&rows, unix_seconds()) {
            self.age_seconds = Some(self.age_seconds.map_or(age, |other| other.max(age)));
        }
    }
}

/// The clock of this process, for ages of times which the server wrote.
#[expect(clippy::disallowed_methods, reason = "a time in an answer is compared with now")]
fn unix_seconds() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

impl Databases {
    /// Whether series need a label with the database.
    pub fn are_several(&self, discovers: bool) -> bool {
        match self {
            Self::Connected => false,
            Self::Discovered => discovers,
            Self::Matching(globs) => {
                globs.len() > 1 || globs.iter().any(|glob| glob.contains(['*', '?', '[', '!']))
            }
        }
    }
}

async fn databases(instance: &Instance, wanted: &Databases) -> Result<Vec<String>, QueryError> {
    let connected = &instance.facts.database;
    let discovers = instance.discovers();
    let listed = match wanted {
        Databases::Connected => false,
        Databases::Discovered => discovers,
        Databases::Matching(_) => true,
    };
    if !listed {
        return Ok(vec![connected.clone()]);
    }
    let selection = &instance.reading().databases;
    let names = instance.databases().await?.iter().filter(|name| {
        let discovered = discovers && selection.takes(name);
        wanted.takes(name, *name == connected, discovered)
    });
    Ok(names.cloned().collect())
}

async fn one(instance: &Instance, database: &Database<'_>, query: &Query, end: Instant) -> Answer {
    let limit = limit(query, end);
    let path = if query.builtin { "" } else { OTHERS };
    let settings = format!("{limit}{SETTINGS}{path}");
    // What we ask of a server as a whole is quick; it does not queue behind what may not be.
    let quick = query.builtin && query.gate.databases == Databases::Connected;
    let send = async |sql: &str| {
        let sql = format!("{settings}{sql}");
        if quick { instance.query(&sql).await } else { database.query(&sql).await }
    };
    let gates = query.requirement().into_iter().map(|sql| (sql, "requirement"));
    let gates = gates.chain(query.gate.predicates.iter().map(|sql| (sql.clone(), "predicate")));
    for (sql, reason) in gates {
        match send(&sql).await {
            Ok(rows) if is_true(&rows) => {}
            Ok(_) => return Answer::Skipped(reason),
            Err(error) => return Answer::Failed(format!("{reason}: {error}")),
        }
    }
    match send(&query.sql).await {
        Ok(rows) => Answer::Rows(rows),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

/// The server ends the query itself when its time is over, and so does not go on for nobody.
fn limit(query: &Query, end: Instant) -> String {
    let Some(timeout) = query.timeout else { return String::new() };
    let left = end.saturating_duration_since(Instant::now());
    let limit = timeout.min(left).as_millis().max(1);
    format!("SET LOCAL statement_timeout={limit};")
}

/// Whether the first value of an answer is true.
fn is_true(rows: &Rows) -> bool {
    let first = rows.iter().next().and_then(|row| row.cells().next().flatten());
    first.and_then(value::number).is_some_and(|number| number != 0.0)
}

impl Query {
    /// The oldest age of its freshness check in an answer, `now` in seconds since 1970. No row and
    /// NULL are as old as can be.
    pub fn age_seconds(&self, rows: &Rows, now: f64) -> Option<f64> {
        let check = self.freshness.as_ref()?;
        let column = check.column.as_deref().or_else(|| rows.columns().next())?;
        let ages = rows.iter().map(|row| match row.text(column).ok().flatten() {
            Some(text) => value::time(text)
                .map(|time| now - time)
                .or_else(|| value::number(text))
                .filter(|age| !age.is_nan())
                .unwrap_or(f64::INFINITY),
            None => f64::INFINITY,
        });
        Some(ages.fold(if rows.is_empty() { f64::INFINITY } else { f64::NEG_INFINITY }, f64::max))
    }
}
