//! Tests of `stat_user_tables`.

use expect_test::expect;

use super::{super::tests::check, ESTIMATE_MARK, QUERY, write};

#[test]
#[expect(clippy::too_many_lines, reason = "the lines are the expected text")]
fn every_column_has_its_family_and_null_is_zero() {
    check(
        "datname | schemaname | relname | seq_scan | seq_tup_read | idx_scan | idx_tup_fetch | n_tup_ins | n_tup_upd | n_tup_del | n_tup_hot_upd | n_live_tup | n_dead_tup | n_mod_since_analyze | last_vacuum | last_autovacuum | last_analyze | last_autoanalyze | vacuum_count | autovacuum_count | analyze_count | autoanalyze_count | table_size_bytes | index_size_bytes
         app | public | t | 3 | 1000 | 0 | 0 | 1000 | 1 | 2 | 1 | 998 | 3 | 0 | 1795645695 | - | 1795645695 | - | 1 | 0 | 1 | 0 | 73728 | 40960
         app | s2 | Odd \"name | 0 | 0 | - | - | 0 | 0 | 0 | 0 | 0 | 0 | 0 | - | - | - | - | 0 | 0 | 0 | 0 | 0 | -",
        write,
        &expect![[r##"
            # HELP pg_stat_user_tables_analyze_count Number of times this table has been manually analyzed
            # TYPE pg_stat_user_tables_analyze_count counter
            pg_stat_user_tables_analyze_count{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_analyze_count{datname="app",relname="t",schemaname="public"} 1
            # HELP pg_stat_user_tables_autoanalyze_count Number of times this table has been analyzed by the autovacuum daemon
            # TYPE pg_stat_user_tables_autoanalyze_count counter
            pg_stat_user_tables_autoanalyze_count{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_autoanalyze_count{datname="app",relname="t",schemaname="public"} 0
            # HELP pg_stat_user_tables_autovacuum_count Number of times this table has been vacuumed by the autovacuum daemon
            # TYPE pg_stat_user_tables_autovacuum_count counter
            pg_stat_user_tables_autovacuum_count{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_autovacuum_count{datname="app",relname="t",schemaname="public"} 0
            # HELP pg_stat_user_tables_idx_scan Number of index scans initiated on this table
            # TYPE pg_stat_user_tables_idx_scan counter
            pg_stat_user_tables_idx_scan{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_idx_scan{datname="app",relname="t",schemaname="public"} 0
            # HELP pg_stat_user_tables_idx_tup_fetch Number of live rows fetched by index scans
            # TYPE pg_stat_user_tables_idx_tup_fetch counter
            pg_stat_user_tables_idx_tup_fetch{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_idx_tup_fetch{datname="app",relname="t",schemaname="public"} 0
            # HELP pg_stat_user_tables_index_size_bytes Total disk space used by this index, in bytes
            # TYPE pg_stat_user_tables_index_size_bytes gauge
            pg_stat_user_tables_index_size_bytes{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_index_size_bytes{datname="app",relname="t",schemaname="public"} 40960
            # HELP pg_stat_user_tables_last_analyze Last time at which this table was manually analyzed
            # TYPE pg_stat_user_tables_last_analyze gauge
            pg_stat_user_tables_last_analyze{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_last_analyze{datname="app",relname="t",schemaname="public"} 1.795645695e+09
            # HELP pg_stat_user_tables_last_autoanalyze Last time at which this table was analyzed by the autovacuum daemon
            # TYPE pg_stat_user_tables_last_autoanalyze gauge
            pg_stat_user_tables_last_autoanalyze{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_last_autoanalyze{datname="app",relname="t",schemaname="public"} 0
            # HELP pg_stat_user_tables_last_autovacuum Last time at which this table was vacuumed by the autovacuum daemon
            # TYPE pg_stat_user_tables_last_autovacuum gauge
            pg_stat_user_tables_last_autovacuum{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_last_autovacuum{datname="app",relname="t",schemaname="public"} 0
            # HELP pg_stat_user_tables_last_vacuum Last time at which this table was manually vacuumed (not counting VACUUM FULL)
            # TYPE pg_stat_user_tables_last_vacuum gauge
            pg_stat_user_tables_last_vacuum{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_last_vacuum{datname="app",relname="t",schemaname="public"} 1.795645695e+09
            # HELP pg_stat_user_tables_n_dead_tup Estimated number of dead rows
            # TYPE pg_stat_user_tables_n_dead_tup gauge
            pg_stat_user_tables_n_dead_tup{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_n_dead_tup{datname="app",relname="t",schemaname="public"} 3
            # HELP pg_stat_user_tables_n_live_tup Estimated number of live rows
            # TYPE pg_stat_user_tables_n_live_tup gauge
            pg_stat_user_tables_n_live_tup{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_n_live_tup{datname="app",relname="t",schemaname="public"} 998
            # HELP pg_stat_user_tables_n_mod_since_analyze Estimated number of rows changed since last analyze
            # TYPE pg_stat_user_tables_n_mod_since_analyze gauge
            pg_stat_user_tables_n_mod_since_analyze{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_n_mod_since_analyze{datname="app",relname="t",schemaname="public"} 0
            # HELP pg_stat_user_tables_n_tup_del Number of rows deleted
            # TYPE pg_stat_user_tables_n_tup_del counter
            pg_stat_user_tables_n_tup_del{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_n_tup_del{datname="app",relname="t",schemaname="public"} 2
            # HELP pg_stat_user_tables_n_tup_hot_upd Number of rows HOT updated (i.e., with no separate index update required)
            # TYPE pg_stat_user_tables_n_tup_hot_upd counter
            pg_stat_user_tables_n_tup_hot_upd{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_n_tup_hot_upd{datname="app",relname="t",schemaname="public"} 1
            # HELP pg_stat_user_tables_n_tup_ins Number of rows inserted
            # TYPE pg_stat_user_tables_n_tup_ins counter
            pg_stat_user_tables_n_tup_ins{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_n_tup_ins{datname="app",relname="t",schemaname="public"} 1000
            # HELP pg_stat_user_tables_n_tup_upd Number of rows updated
            # TYPE pg_stat_user_tables_n_tup_upd counter
            pg_stat_user_tables_n_tup_upd{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_n_tup_upd{datname="app",relname="t",schemaname="public"} 1
            # HELP pg_stat_user_tables_seq_scan Number of sequential scans initiated on this table
            # TYPE pg_stat_user_tables_seq_scan counter
            pg_stat_user_tables_seq_scan{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_seq_scan{datname="app",relname="t",schemaname="public"} 3
            # HELP pg_stat_user_tables_seq_tup_read Number of live rows fetched by sequential scans
            # TYPE pg_stat_user_tables_seq_tup_read counter
            pg_stat_user_tables_seq_tup_read{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_seq_tup_read{datname="app",relname="t",schemaname="public"} 1000
            # HELP pg_stat_user_tables_table_size_bytes Total disk space used by this table, in bytes
            # TYPE pg_stat_user_tables_table_size_bytes gauge
            pg_stat_user_tables_table_size_bytes{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_table_size_bytes{datname="app",relname="t",schemaname="public"} 73728
            # HELP pg_stat_user_tables_vacuum_count Number of times this table has been manually vacuumed (not counting VACUUM FULL)
            # TYPE pg_stat_user_tables_vacuum_count counter
            pg_stat_user_tables_vacuum_count{datname="app",relname="Odd \"name",schemaname="s2"} 0
            pg_stat_user_tables_vacuum_count{datname="app",relname="t",schemaname="public"} 1
        "##]],
    );
}

#[test]
fn the_query_can_be_told_to_measure_nothing() {
    assert_eq!(QUERY.matches(ESTIMATE_MARK).count(), 1);
}
