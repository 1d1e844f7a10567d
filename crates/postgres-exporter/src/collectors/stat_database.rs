//! Activity since the last reset, by database: `pg_stat_database_*`.

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, Page};

use super::columns::{self, Column};
use crate::{
    instance::Instance,
    row::{RowError, Rows},
};

/// See the module.
pub const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_database",
    help: "Activity by database",
    enabled_by_default: true,
    build: || Box::new(StatDatabase),
};

const QUERY: &str = include_str!("stat_database.sql");
const LABELS: &[&str] = &["datid", "datname"];
const COLUMNS: &[Column] = &[
    Column::new("numbackends", Desc::gauge("pg_stat_database_numbackends", "Number of backends currently connected to this database. This is the only column in this view that returns a value reflecting current state; all other columns return the accumulated values since the last reset.")).or_absent(),
    Column::new("xact_commit", Desc::counter("pg_stat_database_xact_commit", "Number of transactions in this database that have been committed")).or_absent(),
    Column::new("xact_rollback", Desc::counter("pg_stat_database_xact_rollback", "Number of transactions in this database that have been rolled back")).or_absent(),
    Column::new("blks_read", Desc::counter("pg_stat_database_blks_read", "Number of disk blocks read in this database")).or_absent(),
    Column::new("blks_hit", Desc::counter("pg_stat_database_blks_hit", "Number of times disk blocks were found already in the buffer cache, so that a read was not necessary (this only includes hits in the PostgreSQL buffer cache, not the operating system's file system cache)")).or_absent(),
    Column::new("tup_returned", Desc::counter("pg_stat_database_tup_returned", "Number of rows returned by queries in this database")).or_absent(),
    Column::new("tup_fetched", Desc::counter("pg_stat_database_tup_fetched", "Number of rows fetched by queries in this database")).or_absent(),
    Column::new("tup_inserted", Desc::counter("pg_stat_database_tup_inserted", "Number of rows inserted by queries in this database")).or_absent(),
    Column::new("tup_updated", Desc::counter("pg_stat_database_tup_updated", "Number of rows updated by queries in this database")).or_absent(),
    Column::new("tup_deleted", Desc::counter("pg_stat_database_tup_deleted", "Number of rows deleted by queries in this database")).or_absent(),
    Column::new("conflicts", Desc::counter("pg_stat_database_conflicts", "Number of queries canceled due to conflicts with recovery in this database. (Conflicts occur only on standby servers; see pg_stat_database_conflicts for details.)")).or_absent(),
    Column::new("temp_files", Desc::counter("pg_stat_database_temp_files", "Number of temporary files created by queries in this database. All temporary files are counted, regardless of why the temporary file was created (e.g., sorting or hashing), and regardless of the log_temp_files setting.")).or_absent(),
    Column::new("temp_bytes", Desc::counter("pg_stat_database_temp_bytes", "Total amount of data written to temporary files by queries in this database. All temporary files are counted, regardless of why the temporary file was created, and regardless of the log_temp_files setting.")).or_absent(),
    Column::new("deadlocks", Desc::counter("pg_stat_database_deadlocks", "Number of deadlocks detected in this database")).or_absent(),
    Column::new("blk_read_time", Desc::counter("pg_stat_database_blk_read_time", "Time spent reading data file blocks by backends in this database, in milliseconds")).or_absent(),
    Column::new("blk_write_time", Desc::counter("pg_stat_database_blk_write_time", "Time spent writing data file blocks by backends in this database, in milliseconds")).or_absent(),
    Column::new("stats_reset_seconds", Desc::counter("pg_stat_database_stats_reset", "Time at which these statistics were last reset")),
    Column::new("active_time", Desc::counter("pg_stat_database_active_time_seconds_total", "Time spent executing SQL statements in this database, in seconds")).or_absent().in_ms(),
];

struct StatDatabase;

impl Collector<Instance> for StatDatabase {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move { Ok(write(&instance.query(QUERY).await?, out)?) })
    }
}

fn write(rows: &Rows, out: &mut Page) -> Result<(), RowError> {
    columns::write(rows, LABELS, COLUMNS, out)
}

#[cfg(test)]
mod tests;
