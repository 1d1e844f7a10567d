//! PostgreSQL, as postgres-exporter sees it.

use crate::{
    dashboard::Dashboard,
    panel::{FILLING, NONE_IS_GOOD, Panel, gauge, stat, table, time_series},
};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard::new(
        "lakehouse-postgres",
        "PostgreSQL",
        "Connections, transactions, rows, locks, tables and checkpoints of PostgreSQL.",
    )
    .missing("PostgreSQL or its exporter is down")
    .alerts_of("postgres.*")
    .started("process_start_time_seconds{@}")
    .chosen_by("pg_settings_max_connections")
    .variable("datname", "label_values(pg_database_size_bytes{job=~\"$job\"}, datname)")
    .row("Now", now())
    .row("Connections and transactions", connections())
    .row("Rows and blocks", rows())
    .row("Locks", locks())
    .row("Tables and sizes", tables())
    .row("Checkpoints and replication", checkpoints())
    .row("Exporter", exporter())
}

fn now() -> Vec<Panel> {
    vec![
        stat("Scrape", "none")
            .query("min(up{@})", "")
            .about("DOWN: the exporter does not answer, or cannot reach PostgreSQL.")
            .up_or_down()
            .background()
            .runbook("ServiceDown")
            .wide(6, 3),
        stat("Connections", "percent")
            .query("100 * sum(pg_stat_activity_count{@}) / sum(max by (job, instance) (pg_settings_max_connections{@}))", "")
            .about("Of max_connections.")
            .steps(FILLING)
            .decimals(1)
            .runbook("PostgresConnectionsHigh")
            .wide(6, 3),
        stat("Transactions", "ops")
            .query("sum(rate(pg_stat_database_xact_commit{@}[5m])) + sum(rate(pg_stat_database_xact_rollback{@}[5m]))", "")
            .about("Commits and rollbacks by second.")
            .wide(6, 3),
        stat("Rollbacks", "percent")
            .query("100 * sum(rate(pg_stat_database_xact_rollback{@}[5m])) / (sum(rate(pg_stat_database_xact_commit{@}[5m])) + sum(rate(pg_stat_database_xact_rollback{@}[5m])) > 0)", "")
            .about("Of all transactions.")
            .missing("No transaction in five minutes")
            .steps(&[("green", None), ("yellow", Some(5.0)), ("red", Some(20.0))])
            .decimals(1)
            .wide(6, 3),
        stat("Cache hits", "percent")
            .query("100 * sum(rate(pg_stat_database_blks_hit{@}[5m])) / (sum(rate(pg_stat_database_blks_hit{@}[5m])) + sum(rate(pg_stat_database_blks_read{@}[5m])) > 0)", "")
            .about("Blocks found in shared buffers, of all that were asked for.")
            .missing("No block was read in five minutes")
            .steps(&[("red", None), ("yellow", Some(90.0)), ("green", Some(95.0))])
            .decimals(1)
            .wide(6, 3),
        stat("Longest transaction", "s")
            .query("max(pg_stat_activity_max_tx_duration{@})", "")
            .about("An old transaction keeps VACUUM from removing what it might still see.")
            .steps(&[("green", None), ("yellow", Some(300.0)), ("red", Some(3600.0))])
            .wide(6, 3),
        stat("Deadlocks, 1 h", "short")
            .query("sum(increase(pg_stat_database_deadlocks{@}[1h]))", "")
            .about("Transactions that PostgreSQL ended to free others.")
            .steps(NONE_IS_GOOD)
            .decimals(0)
            .wide(6, 3),
        stat("Size", "bytes")
            .query("sum(pg_database_size_bytes{@})", "")
            .about("All databases together.")
            .wide(6, 3),
    ]
}

fn connections() -> Vec<Panel> {
    vec![
        gauge(
            "Connections in use",
            "100 * sum by (job, instance) (pg_stat_activity_count{@}) / max by (job, instance) (pg_settings_max_connections{@})",
            "{{instance}}",
        )
        .about("Connections of all databases and states, in percent of max_connections.")
        .steps(FILLING)
        .wide(4, 8),
        time_series("Connections by state", "short")
            .query("sum by (state) (pg_stat_activity_count{@,datname=~\"$datname\"}) > 0", "{{state}}")
            .query("sum(max by (job, instance) (pg_settings_max_connections{@}))", "max_connections")
            .about("Many that are idle in transaction: a client forgets to commit.")
            .colour("max_connections", "red")
            .wide(10, 8),
        time_series("Transactions by database", "ops")
            .query("sum by (datname) (rate(pg_stat_database_xact_commit{@,datname=~\"$datname\"}[$__rate_interval]))", "{{datname}} commits")
            .query("sum by (datname) (rate(pg_stat_database_xact_rollback{@,datname=~\"$datname\"}[$__rate_interval])) > 0", "{{datname}} rollbacks")
            .about("By second.")
            .wide(10, 8),
    ]
}

fn rows() -> Vec<Panel> {
    vec![
        time_series("Rows written", "ops")
            .query("sum(rate(pg_stat_database_tup_inserted{@,datname=~\"$datname\"}[$__rate_interval]))", "inserted")
            .query("sum(rate(pg_stat_database_tup_updated{@,datname=~\"$datname\"}[$__rate_interval]))", "updated")
            .query("sum(rate(pg_stat_database_tup_deleted{@,datname=~\"$datname\"}[$__rate_interval]))", "deleted")
            .about("By second.")
            .wide(8, 8),
        time_series("Rows read", "ops")
            .query("sum(rate(pg_stat_database_tup_returned{@,datname=~\"$datname\"}[$__rate_interval]))", "scanned")
            .query("sum(rate(pg_stat_database_tup_fetched{@,datname=~\"$datname\"}[$__rate_interval]))", "fetched by index")
            .about("Many scanned and few fetched: an index is missing.")
            .wide(8, 8),
        time_series("Cache hits by database", "percent")
            .query("100 * sum by (datname) (rate(pg_stat_database_blks_hit{@,datname=~\"$datname\"}[5m])) / (sum by (datname) (rate(pg_stat_database_blks_hit{@,datname=~\"$datname\"}[5m])) + sum by (datname) (rate(pg_stat_database_blks_read{@,datname=~\"$datname\"}[5m])) > 0)", "{{datname}}")
            .about("Of the blocks asked for, those found in shared buffers.")
            .missing("No block was read in five minutes")
            .percent()
            .wide(8, 8),
    ]
}

fn locks() -> Vec<Panel> {
    vec![
        time_series("Locks by mode", "short")
            .query("sum by (mode) (pg_locks_count{@,datname=~\"$datname\"}) > 0", "{{mode}}")
            .about("Held or awaited. An access exclusive lock stops all who read the table.")
            .missing("No lock in this range, or PostgreSQL is down")
            .wide(8, 8),
        time_series("Deadlocks and conflicts", "short")
            .query("sum by (datname) (increase(pg_stat_database_deadlocks{@,datname=~\"$datname\"}[5m]))", "{{datname}} deadlocks")
            .query("sum by (datname) (increase(pg_stat_database_conflicts{@,datname=~\"$datname\"}[5m]))", "{{datname}} conflicts")
            .about("In five minutes. Conflicts are queries that a standby cancelled.")
            .wide(8, 8),
        time_series("Temporary files", "Bps")
            .query("sum by (datname) (rate(pg_stat_database_temp_bytes{@,datname=~\"$datname\"}[$__rate_interval]))", "{{datname}}")
            .about("Sorts and joins that did not fit into work_mem.")
            .wide(8, 8),
    ]
}

fn tables() -> Vec<Panel> {
    vec![
        table("Tables")
            .column("live rows", "short", "sum by (datname, schemaname, relname) (pg_stat_user_tables_n_live_tup{@,datname=~\"$datname\"})")
            .column("dead rows", "short", "sum by (datname, schemaname, relname) (pg_stat_user_tables_n_dead_tup{@,datname=~\"$datname\"})")
            .column("size", "bytes", "sum by (datname, schemaname, relname) (pg_stat_user_tables_table_size_bytes{@,datname=~\"$datname\"})")
            .column("indexes", "bytes", "sum by (datname, schemaname, relname) (pg_stat_user_tables_index_size_bytes{@,datname=~\"$datname\"})")
            .column("sequential scans, 1 h", "short", "sum by (datname, schemaname, relname) (increase(pg_stat_user_tables_seq_scan{@,datname=~\"$datname\"}[1h]))")
            .column("index scans, 1 h", "short", "sum by (datname, schemaname, relname) (increase(pg_stat_user_tables_idx_scan{@,datname=~\"$datname\"}[1h]))")
            .about("Tables of the database in the exporter's connection string. Many dead rows: autovacuum does not keep up.")
            .missing("The database in the exporter's connection string has no tables, or the role may not see them")
            .wide(24, 7),
        time_series("Database sizes", "bytes")
            .query("pg_database_size_bytes{@,datname=~\"$datname\"}", "{{datname}}")
            .about("On disk, indexes included.")
            .wide(24, 7),
    ]
}

fn checkpoints() -> Vec<Panel> {
    vec![
        time_series("Checkpoints, by hour", "short")
            .query("sum(increase(pg_stat_checkpointer_num_timed_total{@}[1h])) or sum(increase(pg_stat_bgwriter_checkpoints_timed_total{@}[1h]))", "by the clock")
            .query("sum(increase(pg_stat_checkpointer_num_requested_total{@}[1h])) or sum(increase(pg_stat_bgwriter_checkpoints_req_total{@}[1h]))", "because WAL was full")
            .about("More of the second kind than of the first: max_wal_size is too small.")
            .wide(8, 8),
        time_series("Buffers written by checkpoints", "ops")
            .query("sum(rate(pg_stat_checkpointer_buffers_written_total{@}[$__rate_interval])) or sum(rate(pg_stat_bgwriter_buffers_checkpoint_total{@}[$__rate_interval]))", "checkpointer")
            .query("sum(rate(pg_stat_bgwriter_buffers_clean_total{@}[$__rate_interval]))", "background writer")
            .about("Blocks by second.")
            .wide(8, 8),
        time_series("Replication lag", "s")
            .query("pg_replication_lag_seconds{@}", "{{instance}}")
            .about("Of a standby behind its primary; 0 on a primary.")
            .wide(8, 8),
    ]
}

fn exporter() -> Vec<Panel> {
    vec![
        time_series("Duration of each collector", "s")
            .query("pg_scrape_collector_duration_seconds{@}", "{{collector}}")
            .about("What a scrape waits for."),
        time_series("Collectors that failed", "short")
            .query("count by (job, instance) (pg_scrape_collector_success{@} == 0) or 0 * max by (job, instance) (pg_exporter_last_scrape_error{@})", "{{instance}}")
            .about("The exporter's log says why."),
    ]
}
