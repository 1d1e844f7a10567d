//! Collectors that `postgres_exporter` does not have, as files of queries in our own format.
//!
//! Each is a `.yml` with `.sql` files beside it in `builtin/`, and a row of [`BUILTIN`]: so they are
//! data, and show what the format can do. Those with a schedule run in the background.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use metrics_server::{CollectError, Collecting, Collector, CollectorChoice, CollectorSpec, Page};

use tokio::time::Instant;

use super::{
    Queries, Query, UnknownKeys,
    ask::{Run, ask},
    load::Loaded,
};
use crate::instance::{Facts, Instance};

/// One collector and its files.
#[derive(Debug)]
pub struct Builtin {
    /// The noun: `--collector.<name>`.
    pub name: &'static str,
    /// For `--help`.
    pub help: &'static str,
    /// What it costs the server, for the documentation.
    pub cost: &'static str,
    /// What the role needs, for the documentation.
    pub privileges: &'static str,
    yaml: &'static str,
    files: &'static [(&'static str, &'static str)],
}

macro_rules! builtin {
    ($name:literal, $help:literal, $cost:literal, $privileges:literal, [$($sql:literal),+]) => {
        Builtin {
            name: $name,
            help: $help,
            cost: $cost,
            privileges: $privileges,
            yaml: include_str!(concat!("builtin/", $name, ".yml")),
            files: &[$(($sql, include_str!(concat!("builtin/", $sql)))),+],
        }
    };
}

/// How many there are.
pub const COUNT: usize = 20;

/// All of them, by name. None is on by default: a page of `postgres_exporter` has none of them.
pub const BUILTIN: [Builtin; COUNT] = [
    builtin!(
        "archive_backlog",
        "WAL files that wait to be archived",
        "one folder is listed, a line a file",
        "pg_monitor",
        ["archive_backlog.sql"]
    ),
    builtin!(
        "bloat",
        "Estimated bloat of tables and B-tree indexes",
        "reads statistics of all columns of a database and looks at its 1,000 largest indexes, 0.1 s each for 1,000 tables with 3,000 indexes; off the main connection",
        "SELECT on the tables (pg_read_all_data), or tables are left out",
        ["bloat.sql", "bloat_indexes.sql"]
    ),
    builtin!(
        "blocking",
        "Blocked sessions and the roots of their trees",
        "takes the lock manager's lock once for each session that waits",
        "pg_monitor",
        ["blocking.sql", "blocking_roots.sql"]
    ),
    builtin!(
        "indexes",
        "Usage, size and problems of indexes",
        "a walk over the catalogue of indexes, no lock and no file",
        "none",
        ["indexes.sql", "index_problems.sql"]
    ),
    builtin!(
        "pending_restart",
        "Settings that wait for a restart",
        "one pass over the settings",
        "none (all settings: pg_monitor)",
        ["pending_restart.sql", "pending_restarts.sql"]
    ),
    builtin!(
        "pgvector",
        "HNSW and IVFFlat indexes, and their building",
        "a walk over the catalogue of indexes",
        "none (the building: pg_monitor)",
        ["pgvector.sql", "pgvector_build.sql"]
    ),
    builtin!(
        "prepared_transactions",
        "Prepared transactions",
        "reads shared memory",
        "none",
        ["prepared_transactions.sql"]
    ),
    builtin!(
        "sequences",
        "How near sequences are to their end",
        "reads the head of each sequence, so a block a sequence",
        "USAGE or SELECT on the sequences, or they are left out",
        ["sequences.sql"]
    ),
    builtin!(
        "stat_io",
        "Reads and writes by who and what for, from version 16 on",
        "reads shared memory",
        "none",
        ["stat_io.sql"]
    ),
    builtin!(
        "stat_progress_analyze",
        "Progress of ANALYZE, from version 13 on",
        "reads shared memory",
        "pg_monitor",
        ["stat_progress_analyze.sql"]
    ),
    builtin!(
        "stat_progress_basebackup",
        "Progress of base backups, from version 13 on",
        "reads shared memory",
        "pg_monitor",
        ["stat_progress_basebackup.sql"]
    ),
    builtin!(
        "stat_progress_cluster",
        "Progress of CLUSTER and VACUUM FULL, from version 12 on",
        "reads shared memory",
        "pg_monitor",
        ["stat_progress_cluster.sql"]
    ),
    builtin!(
        "stat_progress_copy",
        "Progress of COPY, from version 14 on",
        "reads shared memory",
        "pg_monitor",
        ["stat_progress_copy.sql"]
    ),
    builtin!(
        "stat_progress_create_index",
        "Progress of CREATE INDEX and REINDEX, from version 12 on",
        "reads shared memory",
        "pg_monitor",
        ["stat_progress_create_index.sql"]
    ),
    builtin!(
        "stat_slru",
        "Caches of the transaction logs, from version 13 on",
        "reads shared memory",
        "none",
        ["stat_slru.sql"]
    ),
    builtin!(
        "stat_ssl",
        "Sessions by protocol and cipher",
        "reads shared memory",
        "pg_monitor",
        ["stat_ssl.sql"]
    ),
    builtin!(
        "stat_wal",
        "WAL made and written, from version 14 on",
        "reads shared memory",
        "none",
        ["stat_wal.sql"]
    ),
    builtin!(
        "subscriptions",
        "Workers, lag, tables and errors of subscriptions",
        "reads shared memory, and a row a table that is subscribed",
        "none",
        [
            "subscriptions.sql",
            "subscription_enabled.sql",
            "subscription_tables.sql",
            "subscription_stats.sql"
        ]
    ),
    builtin!(
        "wait_events",
        "What sessions wait for, looked at once a second",
        "reads shared memory once a second, whether scraped or not",
        "pg_monitor",
        ["wait_events.sql"]
    ),
    builtin!(
        "xmin_horizon",
        "Who keeps dead rows from being removed",
        "reads shared memory",
        "pg_monitor",
        ["xmin_horizon.sql"]
    ),
];

/// Their rows in the collector table.
pub const TABLE: [CollectorSpec<Instance>; COUNT] = table();

const fn table() -> [CollectorSpec<Instance>; COUNT] {
    [
        spec::<0>(),
        spec::<1>(),
        spec::<2>(),
        spec::<3>(),
        spec::<4>(),
        spec::<5>(),
        spec::<6>(),
        spec::<7>(),
        spec::<8>(),
        spec::<9>(),
        spec::<10>(),
        spec::<11>(),
        spec::<12>(),
        spec::<13>(),
        spec::<14>(),
        spec::<15>(),
        spec::<16>(),
        spec::<17>(),
        spec::<18>(),
        spec::<19>(),
    ]
}

const fn spec<const N: usize>() -> CollectorSpec<Instance> {
    CollectorSpec {
        name: BUILTIN[N].name,
        help: BUILTIN[N].help,
        enabled_by_default: false,
        build: || Box::new(Declared { queries: queries(N), kept: Mutex::default() }),
    }
}

/// The queries of `BUILTIN[index]`, read once.
fn queries(index: usize) -> &'static [Arc<Query>] {
    static READ: [OnceLock<Vec<Arc<Query>>>; COUNT] = [const { OnceLock::new() }; COUNT];
    match (READ.get(index), BUILTIN.get(index)) {
        (Some(read), Some(builtin)) => read.get_or_init(|| builtin.queries()),
        _ => &[],
    }
}

impl Builtin {
    /// Its queries.
    ///
    /// # Panics
    ///
    /// Its files are wrong, which a test excludes.
    pub fn queries(&self) -> Vec<Arc<Query>> {
        let read = |name: &str| {
            let file = self.files.iter().find(|(known, _)| *known == name);
            file.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
        };
        let parsed = Queries::parse(self.name, self.yaml, UnknownKeys::Refuse, &read);
        let parsed = parsed.expect("a test reads all of them").queries;
        let ours = |query: Arc<Query>| Arc::new(Query { builtin: true, ..Query::clone(&query) });
        parsed.into_iter().map(ours).collect()
    }
}

/// Why a collector of these has nothing to do on this server, if so: none of its queries has.
pub fn skip_reason(collector: &str, facts: &Facts) -> Option<&'static str> {
    let index = BUILTIN.iter().position(|builtin| builtin.name == collector)?;
    let reasons: Option<Vec<_>> =
        queries(index).iter().map(|query| query.refusal(facts, &[])).collect();
    reasons?.first().copied()
}

/// Whether a collector of these runs in the background alone, so that a server of `/probe` has nothing of it.
pub fn runs_in_background(collector: &str) -> bool {
    let index = BUILTIN.iter().position(|builtin| builtin.name == collector);
    index.is_some_and(|index| queries(index).iter().all(|query| query.schedule.is_some()))
}

/// The queries of all chosen collectors that run in the background.
pub fn scheduled(choice: &CollectorChoice) -> Vec<Loaded> {
    let chosen = BUILTIN.iter().enumerate().filter(|(_, builtin)| choice.is_enabled(builtin.name));
    let all = chosen.flat_map(|(index, _)| queries(index));
    all.filter(|query| query.schedule.is_some())
        .map(|query| Loaded { query: Arc::clone(query), server: false })
        .collect()
}

/// Answers kept of one collector: servers times queries.
const KEPT_MAX: usize = 200;

/// A collector which asks the queries of one file.
struct Declared {
    queries: &'static [Arc<Query>],
    /// Answers to queries with a `ttl`, by query, server and database. The lock is held for a few
    /// instructions only.
    kept: Mutex<BTreeMap<String, (Instant, Page)>>,
}

impl Declared {
    /// What is known of a query, if that is fresh.
    fn fresh(&self, query: &Query, place: &str) -> Option<Page> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, page) = kept.get(place).filter(|_| !query.ttl.is_zero())?;
        (at.elapsed() < query.ttl).then(|| page.clone())
    }

    fn keep(&self, query: &Query, place: String, page: &Page) {
        if !query.ttl.is_zero() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT_MAX || kept.contains_key(&place) {
                kept.insert(place, (Instant::now(), page.clone()));
            }
        }
    }
}

impl Collector<Instance> for Declared {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move {
            let place = |query: &Query| {
                format!("{} {}/{}", query.name, instance.server(), instance.facts.database)
            };
            let mut asked = Vec::new();
            for query in self.queries.iter().filter(|query| query.schedule.is_none()) {
                match self.fresh(query, &place(query)) {
                    Some(page) => out.merge(page),
                    None => asked.push((Arc::clone(query), None)),
                }
            }
            let outcomes = ask(instance, &asked, &[], &Run::default(), instance.deadline()).await;
            for ((query, _), outcome) in asked.iter().zip(outcomes) {
                if let Some(failure) = outcome.failure {
                    return Err(CollectError::Malformed(failure.into()));
                }
                self.keep(query, place(query), &outcome.page);
                out.merge(outcome.page);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
