//! The collectors: one row of a table, one file and one query each.

use metrics_server::CollectorSpec;

use crate::instance::{Facts, Instance};

mod columns;
pub mod database;
pub mod legacy;
pub mod locks;
pub mod replication;
pub mod settings;
pub mod stat_activity;
pub mod stat_bgwriter;
pub mod stat_checkpointer;
pub mod stat_database;
pub mod stat_user_tables;

/// Begins the names of the families which tell how collectors fared.
pub const NAMESPACE: &str = "pg";

/// Every collector there is.
pub const TABLE: &[CollectorSpec<Instance>] = &[
    database::SPEC,
    locks::SPEC,
    replication::SPEC,
    settings::SPEC,
    stat_activity::SPEC,
    stat_bgwriter::SPEC,
    stat_checkpointer::SPEC,
    stat_database::SPEC,
    stat_user_tables::SPEC,
];

/// Collectors of `postgres_exporter` which are not there yet: their flags are taken, with a warning.
pub const PLANNED: [&str; 17] = [
    "buffercache_summary",
    "database_wraparound",
    "long_running_transactions",
    "postmaster",
    "process_idle",
    "replication_slots",
    "roles",
    "stat_activity_autovacuum",
    "stat_archiver",
    "stat_progress_vacuum",
    "stat_replication",
    "stat_statements",
    "stat_wal_receiver",
    "statio_user_indexes",
    "statio_user_tables",
    "wal",
    "xlog_location",
];

/// Why a collector has nothing to do on this server, if so: the `reason` label.
pub fn skip_reason(collector: &str, facts: &Facts) -> Option<&'static str> {
    match collector {
        "stat_checkpointer" if facts.major() < 17 => Some("version"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
