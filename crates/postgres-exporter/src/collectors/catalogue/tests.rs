//! Tests of the catalogue: rows as a server of version 17 answered them.

use expect_test::{Expect, expect};
use metrics_server::Page;

use super::{
    super::{
        tests::check,
        view::{Old, View},
    },
    *,
};
use crate::{
    prefix::Prefix,
    row::{RowError, Rows},
};

fn check_view(view: &View, answer: &str, expected: &Expect) {
    check(answer, |rows: &Rows, out: &mut Page| view.write(rows, None, out), expected);
}

fn check_0_19(view: &View, answer: &str, expected: &Expect) {
    check_prefix(view, &Prefix::default(), answer, expected);
}

fn check_prefix(view: &View, prefix: &Prefix, answer: &str, expected: &Expect) {
    let old = Old { labels: &[("server", "db:5432"), ("cluster", "c1")], prefix };
    let write =
        |rows: &Rows, out: &mut Page| -> Result<(), RowError> { view.write(rows, Some(&old), out) };
    check(answer, write, expected);
}

#[test]
fn a_prefix_is_for_what_0_19_has_maps_for() {
    let prefix = Prefix::new("acme");
    check_prefix(
        &STAT_ARCHIVER_VIEW,
        &prefix,
        "archived_count | failed_count
         7              | 0",
        &expect![[r##"
            # HELP acme_stat_archiver_archived_count Number of WAL files that have been successfully archived
            # TYPE acme_stat_archiver_archived_count counter
            acme_stat_archiver_archived_count{cluster="c1",server="db:5432"} 7
            # HELP acme_stat_archiver_failed_count Number of failed attempts for archiving WAL files
            # TYPE acme_stat_archiver_failed_count counter
            acme_stat_archiver_failed_count{cluster="c1",server="db:5432"} 0
        "##]],
    );
    check_prefix(
        &REPLICATION_SLOT_VIEW,
        &prefix,
        "slot_name | slot_type | current_wal_lsn | wal_status
         standby   | physical  | 16              | reserved",
        &expect![[r##"
            # HELP pg_replication_slot_slot_current_wal_lsn current wal lsn value
            # TYPE pg_replication_slot_slot_current_wal_lsn gauge
            pg_replication_slot_slot_current_wal_lsn{slot_name="standby",slot_type="physical"} 16
        "##]],
    );
}

const SLOTS: &str = "
    slot_name | slot_type | database | active | pg_wal_lsn_diff | current_wal_lsn | confirmed_flush_lsn | safe_wal_size | wal_status | has_wal_status
    standby   | physical  | -        | t      | 16              | 50332136        | 0                   | -             | reserved   | 1
    decoded   | logical   | app      | f      | 1024            | 50332136        | -                   | 4096          | extended   | 1
    new       | physical  | -        | f      | -               | 50332136        | -                   | -             | -          | -";

#[test]
fn slots_of_0_20_have_one_prefix_and_no_server() {
    check_view(
        &REPLICATION_SLOTS_VIEW,
        SLOTS,
        &expect![[r##"
        # HELP pg_replication_slots_active Flag indicating if the slot is active
        # TYPE pg_replication_slots_active gauge
        pg_replication_slots_active{database="",slot_name="new"} 0
        pg_replication_slots_active{database="",slot_name="standby"} 1
        pg_replication_slots_active{database="app",slot_name="decoded"} 0
        # HELP pg_replication_slots_pg_wal_lsn_diff Replication lag in bytes
        # TYPE pg_replication_slots_pg_wal_lsn_diff gauge
        pg_replication_slots_pg_wal_lsn_diff{database="",slot_name="standby"} 16
        pg_replication_slots_pg_wal_lsn_diff{database="app",slot_name="decoded"} 1024
        # HELP pg_replication_slots_safe_wal_size_bytes number of bytes that can be written to WAL such that this slot is not in danger of getting in state lost
        # TYPE pg_replication_slots_safe_wal_size_bytes gauge
        pg_replication_slots_safe_wal_size_bytes{slot_name="decoded",slot_type="logical"} 4096
        # HELP pg_replication_slots_slot_confirmed_flush_lsn last lsn confirmed flushed to the replication slot
        # TYPE pg_replication_slots_slot_confirmed_flush_lsn gauge
        pg_replication_slots_slot_confirmed_flush_lsn{slot_name="standby",slot_type="physical"} 0
        # HELP pg_replication_slots_slot_current_wal_lsn current wal lsn value
        # TYPE pg_replication_slots_slot_current_wal_lsn gauge
        pg_replication_slots_slot_current_wal_lsn{slot_name="decoded",slot_type="logical"} 5.0332136e+07
        pg_replication_slots_slot_current_wal_lsn{slot_name="new",slot_type="physical"} 5.0332136e+07
        pg_replication_slots_slot_current_wal_lsn{slot_name="standby",slot_type="physical"} 5.0332136e+07
        # HELP pg_replication_slots_slot_is_active whether the replication slot is active or not
        # TYPE pg_replication_slots_slot_is_active gauge
        pg_replication_slots_slot_is_active{slot_name="decoded",slot_type="logical"} 0
        pg_replication_slots_slot_is_active{slot_name="new",slot_type="physical"} 0
        pg_replication_slots_slot_is_active{slot_name="standby",slot_type="physical"} 1
        # HELP pg_replication_slots_wal_status availability of WAL files claimed by this slot
        # TYPE pg_replication_slots_wal_status gauge
        pg_replication_slots_wal_status{slot_name="decoded",slot_type="logical",wal_status="extended"} 1
        pg_replication_slots_wal_status{slot_name="standby",slot_type="physical",wal_status="reserved"} 1
    "##]],
    );
}

#[test]
fn slots_of_0_19_have_two_prefixes() {
    check_0_19(
        &REPLICATION_SLOT_VIEW,
        SLOTS,
        &expect![[r##"
        # HELP pg_replication_slot_safe_wal_size_bytes number of bytes that can be written to WAL such that this slot is not in danger of getting in state lost
        # TYPE pg_replication_slot_safe_wal_size_bytes gauge
        pg_replication_slot_safe_wal_size_bytes{slot_name="decoded",slot_type="logical"} 4096
        # HELP pg_replication_slot_slot_confirmed_flush_lsn last lsn confirmed flushed to the replication slot
        # TYPE pg_replication_slot_slot_confirmed_flush_lsn gauge
        pg_replication_slot_slot_confirmed_flush_lsn{slot_name="standby",slot_type="physical"} 0
        # HELP pg_replication_slot_slot_current_wal_lsn current wal lsn value
        # TYPE pg_replication_slot_slot_current_wal_lsn gauge
        pg_replication_slot_slot_current_wal_lsn{slot_name="decoded",slot_type="logical"} 5.0332136e+07
        pg_replication_slot_slot_current_wal_lsn{slot_name="new",slot_type="physical"} 5.0332136e+07
        pg_replication_slot_slot_current_wal_lsn{slot_name="standby",slot_type="physical"} 5.0332136e+07
        # HELP pg_replication_slot_slot_is_active whether the replication slot is active or not
        # TYPE pg_replication_slot_slot_is_active gauge
        pg_replication_slot_slot_is_active{slot_name="decoded",slot_type="logical"} 0
        pg_replication_slot_slot_is_active{slot_name="new",slot_type="physical"} 0
        pg_replication_slot_slot_is_active{slot_name="standby",slot_type="physical"} 1
        # HELP pg_replication_slot_wal_status availability of WAL files claimed by this slot
        # TYPE pg_replication_slot_wal_status gauge
        pg_replication_slot_wal_status{slot_name="decoded",slot_type="logical",wal_status="extended"} 1
        pg_replication_slot_wal_status{slot_name="standby",slot_type="physical",wal_status="reserved"} 1
    "##]],
    );
    check_0_19(
        &REPLICATION_SLOTS_LEGACY_VIEW,
        SLOTS,
        &expect![[r##"
        # HELP pg_replication_slots_active Flag indicating if the slot is active
        # TYPE pg_replication_slots_active gauge
        pg_replication_slots_active{cluster="c1",database="",server="db:5432",slot_name="new"} 0
        pg_replication_slots_active{cluster="c1",database="",server="db:5432",slot_name="standby"} 1
        pg_replication_slots_active{cluster="c1",database="app",server="db:5432",slot_name="decoded"} 0
        # HELP pg_replication_slots_pg_wal_lsn_diff Replication lag in bytes
        # TYPE pg_replication_slots_pg_wal_lsn_diff gauge
        pg_replication_slots_pg_wal_lsn_diff{cluster="c1",database="",server="db:5432",slot_name="new"} NaN
        pg_replication_slots_pg_wal_lsn_diff{cluster="c1",database="",server="db:5432",slot_name="standby"} 16
        pg_replication_slots_pg_wal_lsn_diff{cluster="c1",database="app",server="db:5432",slot_name="decoded"} 1024
    "##]],
    );
}

const ACTIVITY: &str = "
    datname | state  | usename | application_name | backend_type   | wait_event_type | wait_event | count | max_tx_duration
    app     | active | monitor | psql             | client backend | -               | -          | 2     | 1.25
    app     | idle   | -       | -                | -              | -               | -          | 0     | 0
    app     | idle in transaction | u | ''        | client backend | Client          | ClientRead | 1     | 61.5";

#[test]
fn a_state_which_nobody_is_in_is_zero_with_empty_labels() {
    check_view(
        &STAT_ACTIVITY_VIEW,
        ACTIVITY,
        &expect![[r##"
        # HELP pg_stat_activity_count number of connections in this state
        # TYPE pg_stat_activity_count gauge
        pg_stat_activity_count{application_name="",backend_type="",datname="app",state="idle",usename="",wait_event="",wait_event_type=""} 0
        pg_stat_activity_count{application_name="",backend_type="client backend",datname="app",state="idle in transaction",usename="u",wait_event="ClientRead",wait_event_type="Client"} 1
        pg_stat_activity_count{application_name="psql",backend_type="client backend",datname="app",state="active",usename="monitor",wait_event="",wait_event_type=""} 2
        # HELP pg_stat_activity_max_tx_duration max duration in seconds any active transaction has been running
        # TYPE pg_stat_activity_max_tx_duration gauge
        pg_stat_activity_max_tx_duration{application_name="",backend_type="",datname="app",state="idle",usename="",wait_event="",wait_event_type=""} 0
        pg_stat_activity_max_tx_duration{application_name="",backend_type="client backend",datname="app",state="idle in transaction",usename="u",wait_event="ClientRead",wait_event_type="Client"} 61.5
        pg_stat_activity_max_tx_duration{application_name="psql",backend_type="client backend",datname="app",state="active",usename="monitor",wait_event="",wait_event_type=""} 1.25
    "##]],
    );
    check_0_19(
        &STAT_ACTIVITY_VIEW,
        ACTIVITY,
        &expect![[r##"
        # HELP pg_stat_activity_count number of connections in this state
        # TYPE pg_stat_activity_count gauge
        pg_stat_activity_count{application_name="",backend_type="",cluster="c1",datname="app",server="db:5432",state="idle",usename="",wait_event="",wait_event_type=""} 0
        pg_stat_activity_count{application_name="",backend_type="client backend",cluster="c1",datname="app",server="db:5432",state="idle in transaction",usename="u",wait_event="ClientRead",wait_event_type="Client"} 1
        pg_stat_activity_count{application_name="psql",backend_type="client backend",cluster="c1",datname="app",server="db:5432",state="active",usename="monitor",wait_event="",wait_event_type=""} 2
        # HELP pg_stat_activity_max_tx_duration max duration in seconds any active transaction has been running
        # TYPE pg_stat_activity_max_tx_duration gauge
        pg_stat_activity_max_tx_duration{application_name="",backend_type="",cluster="c1",datname="app",server="db:5432",state="idle",usename="",wait_event="",wait_event_type=""} 0
        pg_stat_activity_max_tx_duration{application_name="",backend_type="client backend",cluster="c1",datname="app",server="db:5432",state="idle in transaction",usename="u",wait_event="ClientRead",wait_event_type="Client"} 61.5
        pg_stat_activity_max_tx_duration{application_name="psql",backend_type="client backend",cluster="c1",datname="app",server="db:5432",state="active",usename="monitor",wait_event="",wait_event_type=""} 1.25
    "##]],
    );
}

#[test]
fn what_was_never_archived_has_no_age() {
    let answer = "archived_count | failed_count | last_archive_age\n0 | 0 | -";
    check_view(
        &STAT_ARCHIVER_VIEW,
        answer,
        &expect![[r#"
        # HELP pg_stat_archiver_archived_count Number of WAL files that have been successfully archived
        # TYPE pg_stat_archiver_archived_count counter
        pg_stat_archiver_archived_count 0
        # HELP pg_stat_archiver_failed_count Number of failed attempts for archiving WAL files
        # TYPE pg_stat_archiver_failed_count counter
        pg_stat_archiver_failed_count 0
    "#]],
    );
    check_0_19(
        &STAT_ARCHIVER_VIEW,
        answer,
        &expect![[r##"
        # HELP pg_stat_archiver_archived_count Number of WAL files that have been successfully archived
        # TYPE pg_stat_archiver_archived_count counter
        pg_stat_archiver_archived_count{cluster="c1",server="db:5432"} 0
        # HELP pg_stat_archiver_failed_count Number of failed attempts for archiving WAL files
        # TYPE pg_stat_archiver_failed_count counter
        pg_stat_archiver_failed_count{cluster="c1",server="db:5432"} 0
        # HELP pg_stat_archiver_last_archive_age Time in seconds since last WAL segment was successfully archived
        # TYPE pg_stat_archiver_last_archive_age gauge
        pg_stat_archiver_last_archive_age{cluster="c1",server="db:5432"} NaN
    "##]],
    );
}

#[test]
fn a_vacuum_is_in_one_of_its_phases() {
    check_view(
        &STAT_PROGRESS_VACUUM_VIEW,
        "datname | relname | phase_0 | phase_1 | phase_2 | phase_3 | phase_4 | phase_5 | phase_6 | heap_blks_total | heap_blks_scanned | heap_blks_vacuumed | index_vacuum_count | max_dead_tuples | num_dead_tuples
         app | orders | 0 | 1 | 0 | 0 | 0 | 0 | 0 | 3000 | 400 | 50 | 1 | 500 | 600",
        &expect![[r##"
            # HELP pg_stat_progress_vacuum_heap_blks Total number of heap blocks in the table being vacuumed.
            # TYPE pg_stat_progress_vacuum_heap_blks gauge
            pg_stat_progress_vacuum_heap_blks{datname="app",relname="orders"} 3000
            # HELP pg_stat_progress_vacuum_heap_blks_scanned Number of heap blocks scanned so far.
            # TYPE pg_stat_progress_vacuum_heap_blks_scanned gauge
            pg_stat_progress_vacuum_heap_blks_scanned{datname="app",relname="orders"} 400
            # HELP pg_stat_progress_vacuum_heap_blks_vacuumed Number of heap blocks vacuumed so far.
            # TYPE pg_stat_progress_vacuum_heap_blks_vacuumed gauge
            pg_stat_progress_vacuum_heap_blks_vacuumed{datname="app",relname="orders"} 50
            # HELP pg_stat_progress_vacuum_index_vacuums Number of completed index vacuum cycles.
            # TYPE pg_stat_progress_vacuum_index_vacuums gauge
            pg_stat_progress_vacuum_index_vacuums{datname="app",relname="orders"} 1
            # HELP pg_stat_progress_vacuum_max_dead_tuples Maximum number of dead tuples that can be stored before cleanup is performed.
            # TYPE pg_stat_progress_vacuum_max_dead_tuples gauge
            pg_stat_progress_vacuum_max_dead_tuples{datname="app",relname="orders"} 500
            # HELP pg_stat_progress_vacuum_num_dead_tuples Current number of dead tuples found so far.
            # TYPE pg_stat_progress_vacuum_num_dead_tuples gauge
            pg_stat_progress_vacuum_num_dead_tuples{datname="app",relname="orders"} 600
            # HELP pg_stat_progress_vacuum_phase Current vacuum phase (1 = active, 0 = inactive). Label 'phase' is human-readable.
            # TYPE pg_stat_progress_vacuum_phase gauge
            pg_stat_progress_vacuum_phase{datname="app",phase="cleaning up indexes",relname="orders"} 0
            pg_stat_progress_vacuum_phase{datname="app",phase="initializing",relname="orders"} 0
            pg_stat_progress_vacuum_phase{datname="app",phase="performing final cleanup",relname="orders"} 0
            pg_stat_progress_vacuum_phase{datname="app",phase="scanning heap",relname="orders"} 1
            pg_stat_progress_vacuum_phase{datname="app",phase="truncating heap",relname="orders"} 0
            pg_stat_progress_vacuum_phase{datname="app",phase="vacuuming heap",relname="orders"} 0
            pg_stat_progress_vacuum_phase{datname="app",phase="vacuuming indexes",relname="orders"} 0
        "##]],
    );
}

#[test]
fn standbys_are_told_apart() {
    let answer = "
        application_name | client_addr | state | slot_name | reply_time | pg_current_wal_lsn_bytes | pg_wal_lsn_diff
        walreceiver | 10.0.0.1/32 | streaming | standby | 1795645694.25 | 50332136 | 0
        walreceiver | - | catchup | - | - | 50332136 | -";
    check_view(
        &STAT_REPLICATION_VIEW,
        answer,
        &expect![[r##"
        # HELP pg_stat_replication_pg_current_wal_lsn_bytes WAL position in bytes
        # TYPE pg_stat_replication_pg_current_wal_lsn_bytes gauge
        pg_stat_replication_pg_current_wal_lsn_bytes{application_name="walreceiver",client_addr="",slot_name="",state="catchup"} 5.0332136e+07
        pg_stat_replication_pg_current_wal_lsn_bytes{application_name="walreceiver",client_addr="10.0.0.1/32",slot_name="standby",state="streaming"} 5.0332136e+07
        # HELP pg_stat_replication_pg_wal_lsn_diff Lag in bytes between master and slave
        # TYPE pg_stat_replication_pg_wal_lsn_diff gauge
        pg_stat_replication_pg_wal_lsn_diff{application_name="walreceiver",client_addr="10.0.0.1/32",slot_name="standby",state="streaming"} 0
    "##]],
    );
    check_0_19(
        &STAT_REPLICATION_LEGACY_VIEW,
        answer,
        &expect![[r##"
        # HELP pg_stat_replication_pg_current_wal_lsn_bytes WAL position in bytes
        # TYPE pg_stat_replication_pg_current_wal_lsn_bytes gauge
        pg_stat_replication_pg_current_wal_lsn_bytes{application_name="walreceiver",client_addr="",cluster="c1",server="db:5432",slot_name="",state="catchup"} 5.0332136e+07
        pg_stat_replication_pg_current_wal_lsn_bytes{application_name="walreceiver",client_addr="10.0.0.1/32",cluster="c1",server="db:5432",slot_name="standby",state="streaming"} 5.0332136e+07
        # HELP pg_stat_replication_pg_wal_lsn_diff Lag in bytes between master and slave
        # TYPE pg_stat_replication_pg_wal_lsn_diff gauge
        pg_stat_replication_pg_wal_lsn_diff{application_name="walreceiver",client_addr="",cluster="c1",server="db:5432",slot_name="",state="catchup"} NaN
        pg_stat_replication_pg_wal_lsn_diff{application_name="walreceiver",client_addr="10.0.0.1/32",cluster="c1",server="db:5432",slot_name="standby",state="streaming"} 0
        # HELP pg_stat_replication_reply_time Unknown metric from pg_stat_replication
        # TYPE pg_stat_replication_reply_time untyped
        pg_stat_replication_reply_time{application_name="walreceiver",client_addr="",cluster="c1",server="db:5432",slot_name="",state="catchup"} NaN
        pg_stat_replication_reply_time{application_name="walreceiver",client_addr="10.0.0.1/32",cluster="c1",server="db:5432",slot_name="standby",state="streaming"} 1.79564569425e+09
    "##]],
    );
}

#[test]
fn a_standby_tells_what_it_receives() {
    check_view(
        &STAT_WAL_RECEIVER_VIEW,
        "upstream_host | slot_name | status | receive_start_lsn | receive_start_tli | flushed_lsn | received_tli | last_msg_send_time | last_msg_receipt_time | latest_end_lsn | latest_end_time | upstream_node
         primary | standby | streaming | 50331648 | 1 | 50332136 | 1 | 1795645694.25 | 1795645694.5 | 50332136 | 1795645694.25 | -",
        &expect![[r##"
            # HELP pg_stat_wal_receiver_flushed_lsn Last write-ahead log location already received and flushed to disk, the initial value of this field being the first log location used when WAL receiver is started represented as a decimal
            # TYPE pg_stat_wal_receiver_flushed_lsn counter
            pg_stat_wal_receiver_flushed_lsn{slot_name="standby",status="streaming",upstream_host="primary"} 5.0332136e+07
            # HELP pg_stat_wal_receiver_last_msg_receipt_time Send time of last message received from origin WAL sender
            # TYPE pg_stat_wal_receiver_last_msg_receipt_time counter
            pg_stat_wal_receiver_last_msg_receipt_time{slot_name="standby",status="streaming",upstream_host="primary"} 1.7956456945e+09
            # HELP pg_stat_wal_receiver_last_msg_send_time Send time of last message received from origin WAL sender
            # TYPE pg_stat_wal_receiver_last_msg_send_time counter
            pg_stat_wal_receiver_last_msg_send_time{slot_name="standby",status="streaming",upstream_host="primary"} 1.79564569425e+09
            # HELP pg_stat_wal_receiver_latest_end_lsn Last write-ahead log location reported to origin WAL sender as integer
            # TYPE pg_stat_wal_receiver_latest_end_lsn counter
            pg_stat_wal_receiver_latest_end_lsn{slot_name="standby",status="streaming",upstream_host="primary"} 5.0332136e+07
            # HELP pg_stat_wal_receiver_latest_end_time Time of last write-ahead log location reported to origin WAL sender
            # TYPE pg_stat_wal_receiver_latest_end_time counter
            pg_stat_wal_receiver_latest_end_time{slot_name="standby",status="streaming",upstream_host="primary"} 1.79564569425e+09
            # HELP pg_stat_wal_receiver_receive_start_lsn First write-ahead log location used when WAL receiver is started represented as a decimal
            # TYPE pg_stat_wal_receiver_receive_start_lsn counter
            pg_stat_wal_receiver_receive_start_lsn{slot_name="standby",status="streaming",upstream_host="primary"} 5.0331648e+07
            # HELP pg_stat_wal_receiver_receive_start_tli First timeline number used when WAL receiver is started
            # TYPE pg_stat_wal_receiver_receive_start_tli gauge
            pg_stat_wal_receiver_receive_start_tli{slot_name="standby",status="streaming",upstream_host="primary"} 1
            # HELP pg_stat_wal_receiver_received_tli Timeline number of last write-ahead log location received and flushed to disk
            # TYPE pg_stat_wal_receiver_received_tli gauge
            pg_stat_wal_receiver_received_tli{slot_name="standby",status="streaming",upstream_host="primary"} 1
        "##]],
    );
}

#[test]
fn small_views_are_their_columns() {
    check_view(
        &BUFFERCACHE_SUMMARY_VIEW,
        "buffers_used | buffers_unused | buffers_dirty | buffers_pinned | usagecount_avg\n0 | 16384 | 0 | 0 | -",
        &expect![[r#"
            # HELP pg_buffercache_summary_buffers_dirty Number of dirty shared buffers
            # TYPE pg_buffercache_summary_buffers_dirty gauge
            pg_buffercache_summary_buffers_dirty 0
            # HELP pg_buffercache_summary_buffers_pinned Number of pinned shared buffers
            # TYPE pg_buffercache_summary_buffers_pinned gauge
            pg_buffercache_summary_buffers_pinned 0
            # HELP pg_buffercache_summary_buffers_unused Number of unused shared buffers
            # TYPE pg_buffercache_summary_buffers_unused gauge
            pg_buffercache_summary_buffers_unused 16384
            # HELP pg_buffercache_summary_buffers_used Number of used shared buffers
            # TYPE pg_buffercache_summary_buffers_used gauge
            pg_buffercache_summary_buffers_used 0
        "#]],
    );
    check_view(
        &DATABASE_WRAPAROUND_VIEW,
        "datname | age_datfrozenxid | age_datminmxid\napp | 21 | 0",
        &expect![[r##"
            # HELP pg_database_wraparound_age_datfrozenxid_seconds Age of the oldest transaction ID that has not been frozen.
            # TYPE pg_database_wraparound_age_datfrozenxid_seconds gauge
            pg_database_wraparound_age_datfrozenxid_seconds{datname="app"} 21
            # HELP pg_database_wraparound_age_datminmxid_seconds Age of the oldest multi-transaction ID that has been replaced with a transaction ID.
            # TYPE pg_database_wraparound_age_datminmxid_seconds gauge
            pg_database_wraparound_age_datminmxid_seconds{datname="app"} 0
        "##]],
    );
    check_view(
        &LONG_RUNNING_TRANSACTIONS_VIEW,
        "transactions | age_seconds\n0 | -",
        &expect![[r#"
        # HELP pg_long_running_transactions Current number of long running transactions
        # TYPE pg_long_running_transactions gauge
        pg_long_running_transactions 0
        # HELP pg_long_running_transactions_oldest_timestamp_seconds The current maximum transaction age in seconds
        # TYPE pg_long_running_transactions_oldest_timestamp_seconds gauge
        pg_long_running_transactions_oldest_timestamp_seconds 0
    "#]],
    );
    check_view(
        &POSTMASTER_VIEW,
        "start_time_seconds\n1795645694.353",
        &expect![[r#"
        # HELP pg_postmaster_start_time_seconds Time at which postmaster started
        # TYPE pg_postmaster_start_time_seconds gauge
        pg_postmaster_start_time_seconds 1.795645694353e+09
    "#]],
    );
}

#[test]
fn roles_autovacuum_and_files_are_their_columns() {
    check_view(
        &ROLES_VIEW,
        "rolname | rolconnlimit\nmonitor | 8\npg_monitor | -1",
        &expect![[r##"
        # HELP pg_roles_connection_limit Connection limit set for the role
        # TYPE pg_roles_connection_limit gauge
        pg_roles_connection_limit{rolname="monitor"} 8
        pg_roles_connection_limit{rolname="pg_monitor"} -1
    "##]],
    );
    check_view(
        &STAT_ACTIVITY_AUTOVACUUM_VIEW,
        "relname | timestamp_seconds\norders | 1795645694.353",
        &expect![[r##"
            # HELP pg_stat_activity_autovacuum_timestamp_seconds Start timestamp of the vacuum process in seconds
            # TYPE pg_stat_activity_autovacuum_timestamp_seconds gauge
            pg_stat_activity_autovacuum_timestamp_seconds{relname="orders"} 1.795645694353e+09
        "##]],
    );
    check_view(
        &WAL_VIEW,
        "segments | size\n3 | 50331648",
        &expect![[r#"
        # HELP pg_wal_segments Number of WAL segments
        # TYPE pg_wal_segments gauge
        pg_wal_segments 3
        # HELP pg_wal_size_bytes Total size of WAL segments
        # TYPE pg_wal_size_bytes gauge
        pg_wal_size_bytes 5.0331648e+07
    "#]],
    );
}

#[test]
fn tables_and_indexes_have_their_blocks() {
    let indexes = "
        datname | schemaname | relname | indexrelname | idx_blks_read | idx_blks_hit
        app     | lake       | orders  | orders_pkey  | 2             | 100";
    check_view(
        &STATIO_USER_INDEXES_VIEW,
        indexes,
        &expect![[r##"
        # HELP pg_statio_user_indexes_idx_blks_hit_total Number of buffer hits in this index
        # TYPE pg_statio_user_indexes_idx_blks_hit_total counter
        pg_statio_user_indexes_idx_blks_hit_total{indexrelname="orders_pkey",relname="orders",schemaname="lake"} 100
        # HELP pg_statio_user_indexes_idx_blks_read_total Number of disk blocks read from this index
        # TYPE pg_statio_user_indexes_idx_blks_read_total counter
        pg_statio_user_indexes_idx_blks_read_total{indexrelname="orders_pkey",relname="orders",schemaname="lake"} 2
    "##]],
    );
    check_view(
        &STATIO_USER_INDEXES_EACH_VIEW,
        indexes,
        &expect![[r##"
        # HELP pg_statio_user_indexes_idx_blks_hit_total Number of buffer hits in this index
        # TYPE pg_statio_user_indexes_idx_blks_hit_total counter
        pg_statio_user_indexes_idx_blks_hit_total{datname="app",indexrelname="orders_pkey",relname="orders",schemaname="lake"} 100
        # HELP pg_statio_user_indexes_idx_blks_read_total Number of disk blocks read from this index
        # TYPE pg_statio_user_indexes_idx_blks_read_total counter
        pg_statio_user_indexes_idx_blks_read_total{datname="app",indexrelname="orders_pkey",relname="orders",schemaname="lake"} 2
    "##]],
    );
    check_view(
        &STATIO_USER_TABLES_VIEW,
        "datname | schemaname | relname | heap_blks_read | heap_blks_hit | idx_blks_read | idx_blks_hit | toast_blks_read | toast_blks_hit | tidx_blks_read | tidx_blks_hit
         app | lake | orders | 5 | 20 | 2 | 100 | - | - | - | -",
        &expect![[r##"
            # HELP pg_statio_user_tables_heap_blocks_hit Number of buffer hits in this table
            # TYPE pg_statio_user_tables_heap_blocks_hit counter
            pg_statio_user_tables_heap_blocks_hit{datname="app",relname="orders",schemaname="lake"} 20
            # HELP pg_statio_user_tables_heap_blocks_read Number of disk blocks read from this table
            # TYPE pg_statio_user_tables_heap_blocks_read counter
            pg_statio_user_tables_heap_blocks_read{datname="app",relname="orders",schemaname="lake"} 5
            # HELP pg_statio_user_tables_idx_blocks_hit Number of buffer hits in all indexes on this table
            # TYPE pg_statio_user_tables_idx_blocks_hit counter
            pg_statio_user_tables_idx_blocks_hit{datname="app",relname="orders",schemaname="lake"} 100
            # HELP pg_statio_user_tables_idx_blocks_read Number of disk blocks read from all indexes on this table
            # TYPE pg_statio_user_tables_idx_blocks_read counter
            pg_statio_user_tables_idx_blocks_read{datname="app",relname="orders",schemaname="lake"} 2
            # HELP pg_statio_user_tables_tidx_blocks_hit Number of buffer hits in this table's TOAST table indexes (if any)
            # TYPE pg_statio_user_tables_tidx_blocks_hit counter
            pg_statio_user_tables_tidx_blocks_hit{datname="app",relname="orders",schemaname="lake"} 0
            # HELP pg_statio_user_tables_tidx_blocks_read Number of disk blocks read from this table's TOAST table indexes (if any)
            # TYPE pg_statio_user_tables_tidx_blocks_read counter
            pg_statio_user_tables_tidx_blocks_read{datname="app",relname="orders",schemaname="lake"} 0
            # HELP pg_statio_user_tables_toast_blocks_hit Number of buffer hits in this table's TOAST table (if any)
            # TYPE pg_statio_user_tables_toast_blocks_hit counter
            pg_statio_user_tables_toast_blocks_hit{datname="app",relname="orders",schemaname="lake"} 0
            # HELP pg_statio_user_tables_toast_blocks_read Number of disk blocks read from this table's TOAST table (if any)
            # TYPE pg_statio_user_tables_toast_blocks_read counter
            pg_statio_user_tables_toast_blocks_read{datname="app",relname="orders",schemaname="lake"} 0
        "##]],
    );
}
