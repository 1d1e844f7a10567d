//! The collectors: one row of a table and one query each. Those which are a query and a list of its
//! columns stand in `catalogue`, the others have a file of their own.

use metrics_server::CollectorSpec;

use crate::{
    instance::{Facts, Instance},
    queries::{builtin, pgbouncer},
};

mod catalogue;
mod columns;
pub mod database;
pub mod legacy;
pub mod locks;
pub mod maps;
mod process_idle;
pub mod replication;
pub mod settings;
pub mod stat_bgwriter;
pub mod stat_checkpointer;
pub mod stat_database;
mod stat_statements;
pub mod stat_user_tables;
mod statements;
pub mod top_statements;
pub mod vector_search;
mod view;

/// Begins the names of the families which tell how collectors fared.
pub const NAMESPACE: &str = "pg";

/// Every collector there is: those of `postgres_exporter`, and ours.
pub const TABLE: &[CollectorSpec<Instance>] =
    &joined::<{ COMPATIBLE.len() + BEYOND.len() }>(COMPATIBLE, BEYOND);

/// The collectors that it lacks.
const BEYOND: &[CollectorSpec<Instance>] =
    &joined::<{ builtin::COUNT + PROGRAMS.len() }>(&builtin::TABLE, PROGRAMS);

/// Those of them which are no file of queries.
const PROGRAMS: &[CollectorSpec<Instance>] =
    &[pgbouncer::SPEC, top_statements::SPEC, vector_search::SPEC];

/// The collectors of `postgres_exporter`.
pub const COMPATIBLE: &[CollectorSpec<Instance>] = &[
    catalogue::BUFFERCACHE_SUMMARY,
    database::SPEC,
    catalogue::DATABASE_WRAPAROUND,
    locks::SPEC,
    catalogue::LONG_RUNNING_TRANSACTIONS,
    catalogue::POSTMASTER,
    process_idle::SPEC,
    replication::SPEC,
    catalogue::REPLICATION_SLOT,
    catalogue::REPLICATION_SLOTS,
    catalogue::ROLES,
    settings::SPEC,
    catalogue::STAT_ACTIVITY,
    catalogue::STAT_ACTIVITY_AUTOVACUUM,
    catalogue::STAT_ARCHIVER,
    stat_bgwriter::SPEC,
    stat_checkpointer::SPEC,
    stat_database::SPEC,
    catalogue::STAT_PROGRESS_VACUUM,
    catalogue::STAT_REPLICATION,
    stat_statements::SPEC,
    stat_user_tables::SPEC,
    catalogue::STAT_WAL_RECEIVER,
    catalogue::STATIO_USER_INDEXES,
    catalogue::STATIO_USER_TABLES,
    catalogue::WAL,
    catalogue::XLOG_LOCATION,
];

/// The collectors which 0.19 had no switch for: `--disable-default-metrics` switched them off there.
pub const DEFAULTS_OF_0_19: [&str; 4] =
    ["replication_slots", "stat_activity", "stat_archiver", "stat_replication"];

/// Why a collector has nothing to do on this server, if so: the `reason` label.
pub fn skip_reason(collector: &str, facts: &Facts) -> Option<&'static str> {
    let without = |name: &str| (!facts.extensions.contains_key(name)).then_some("extension");
    match collector {
        "stat_checkpointer" if facts.major() < 17 => Some("version"),
        "buffercache_summary" if facts.major() < 16 => Some("version"),
        "buffercache_summary" => without("pg_buffercache"),
        "stat_statements" | "top_statements" | "vector_search" => without("pg_stat_statements"),
        "wal" if !facts.may_list_wal => Some("privilege"),
        "xlog_location" if facts.major() >= 10 => Some("version"),
        _ => builtin::skip_reason(collector, facts),
    }
}

/// Two tables as one.
const fn joined<const N: usize>(
    first: &[CollectorSpec<Instance>],
    second: &[CollectorSpec<Instance>],
) -> [CollectorSpec<Instance>; N] {
    const ROW: CollectorSpec<Instance> = database::SPEC;
    let mut all = [ROW; N];
    let mut at = 0;
    while at < N {
        let row = if at < first.len() { &first[at] } else { &second[at - first.len()] };
        let CollectorSpec { name, help, enabled_by_default, build } = *row;
        all[at] = CollectorSpec { name, help, enabled_by_default, build };
        at += 1;
    }
    all
}

#[cfg(test)]
mod tests;
