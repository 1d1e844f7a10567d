//! Tests of `stat_database`: rows as servers answered them.

use expect_test::expect;

use super::{super::tests::check, write};

#[test]
fn version_15_has_every_family() {
    check(
        "datid | datname | numbackends | xact_commit | xact_rollback | blks_read | blks_hit | tup_returned | tup_fetched | tup_inserted | tup_updated | tup_deleted | conflicts | temp_files | temp_bytes | deadlocks | checksum_failures | checksum_last_failure | blk_read_time | blk_write_time | session_time | active_time | stats_reset | stats_reset_seconds
         16385 | app | 2 | 96 | 1 | 16 | 5040 | 1597 | 1096 | 1053 | 1 | 0 | 0 | 0 | 0 | 0 | - | - | 0.5 | 0 | 120.5 | 32.232 | - | -",
        write,
        &expect![[r##"
            # HELP pg_stat_database_active_time_seconds_total Time spent executing SQL statements in this database, in seconds
            # TYPE pg_stat_database_active_time_seconds_total counter
            pg_stat_database_active_time_seconds_total{datid="16385",datname="app"} 0.032232
            # HELP pg_stat_database_blk_read_time Time spent reading data file blocks by backends in this database, in milliseconds
            # TYPE pg_stat_database_blk_read_time counter
            pg_stat_database_blk_read_time{datid="16385",datname="app"} 0.5
            # HELP pg_stat_database_blk_write_time Time spent writing data file blocks by backends in this database, in milliseconds
            # TYPE pg_stat_database_blk_write_time counter
            pg_stat_database_blk_write_time{datid="16385",datname="app"} 0
            # HELP pg_stat_database_blks_hit Number of times disk blocks were found already in the buffer cache, so that a read was not necessary (this only includes hits in the PostgreSQL buffer cache, not the operating system's file system cache)
            # TYPE pg_stat_database_blks_hit counter
            pg_stat_database_blks_hit{datid="16385",datname="app"} 5040
            # HELP pg_stat_database_blks_read Number of disk blocks read in this database
            # TYPE pg_stat_database_blks_read counter
            pg_stat_database_blks_read{datid="16385",datname="app"} 16
            # HELP pg_stat_database_conflicts Number of queries canceled due to conflicts with recovery in this database. (Conflicts occur only on standby servers; see pg_stat_database_conflicts for details.)
            # TYPE pg_stat_database_conflicts counter
            pg_stat_database_conflicts{datid="16385",datname="app"} 0
            # HELP pg_stat_database_deadlocks Number of deadlocks detected in this database
            # TYPE pg_stat_database_deadlocks counter
            pg_stat_database_deadlocks{datid="16385",datname="app"} 0
            # HELP pg_stat_database_numbackends Number of backends currently connected to this database. This is the only column in this view that returns a value reflecting current state; all other columns return the accumulated values since the last reset.
            # TYPE pg_stat_database_numbackends gauge
            pg_stat_database_numbackends{datid="16385",datname="app"} 2
            # HELP pg_stat_database_stats_reset Time at which these statistics were last reset
            # TYPE pg_stat_database_stats_reset counter
            pg_stat_database_stats_reset{datid="16385",datname="app"} 0
            # HELP pg_stat_database_temp_bytes Total amount of data written to temporary files by queries in this database. All temporary files are counted, regardless of why the temporary file was created, and regardless of the log_temp_files setting.
            # TYPE pg_stat_database_temp_bytes counter
            pg_stat_database_temp_bytes{datid="16385",datname="app"} 0
            # HELP pg_stat_database_temp_files Number of temporary files created by queries in this database. All temporary files are counted, regardless of why the temporary file was created (e.g., sorting or hashing), and regardless of the log_temp_files setting.
            # TYPE pg_stat_database_temp_files counter
            pg_stat_database_temp_files{datid="16385",datname="app"} 0
            # HELP pg_stat_database_tup_deleted Number of rows deleted by queries in this database
            # TYPE pg_stat_database_tup_deleted counter
            pg_stat_database_tup_deleted{datid="16385",datname="app"} 0
            # HELP pg_stat_database_tup_fetched Number of rows fetched by queries in this database
            # TYPE pg_stat_database_tup_fetched counter
            pg_stat_database_tup_fetched{datid="16385",datname="app"} 1096
            # HELP pg_stat_database_tup_inserted Number of rows inserted by queries in this database
            # TYPE pg_stat_database_tup_inserted counter
            pg_stat_database_tup_inserted{datid="16385",datname="app"} 1053
            # HELP pg_stat_database_tup_returned Number of rows returned by queries in this database
            # TYPE pg_stat_database_tup_returned counter
            pg_stat_database_tup_returned{datid="16385",datname="app"} 1597
            # HELP pg_stat_database_tup_updated Number of rows updated by queries in this database
            # TYPE pg_stat_database_tup_updated counter
            pg_stat_database_tup_updated{datid="16385",datname="app"} 1
            # HELP pg_stat_database_xact_commit Number of transactions in this database that have been committed
            # TYPE pg_stat_database_xact_commit counter
            pg_stat_database_xact_commit{datid="16385",datname="app"} 96
            # HELP pg_stat_database_xact_rollback Number of transactions in this database that have been rolled back
            # TYPE pg_stat_database_xact_rollback counter
            pg_stat_database_xact_rollback{datid="16385",datname="app"} 1
        "##]],
    );
}

#[test]
fn version_13_has_no_active_time_and_null_costs_its_sample() {
    check(
        "datid | datname | numbackends | xact_commit | stats_reset_seconds
         1 | template1 | - | 5 | -",
        write,
        &expect![[r##"
            # HELP pg_stat_database_stats_reset Time at which these statistics were last reset
            # TYPE pg_stat_database_stats_reset counter
            pg_stat_database_stats_reset{datid="1",datname="template1"} 0
            # HELP pg_stat_database_xact_commit Number of transactions in this database that have been committed
            # TYPE pg_stat_database_xact_commit counter
            pg_stat_database_xact_commit{datid="1",datname="template1"} 5
        "##]],
    );
}
