//! Tests of `stat_checkpointer`: rows as servers answered them.

use expect_test::expect;

use super::{super::tests::check, write};

#[test]
fn every_column_of_version_17_has_its_family() {
    check(
        "num_timed | num_requested | restartpoints_timed | restartpoints_req | restartpoints_done | write_time | sync_time | buffers_written | stats_reset | stats_reset_seconds
         2 | 3 | 0 | 0 | 0 | 90.5 | 7 | 950 | 2026-11-25 22:44:20.1+00 | 1795646660",
        write,
        &expect![[r#"
            # HELP pg_stat_checkpointer_buffers_written_total Number of buffers written during checkpoints and restartpoints
            # TYPE pg_stat_checkpointer_buffers_written_total counter
            pg_stat_checkpointer_buffers_written_total 950
            # HELP pg_stat_checkpointer_num_requested_total Number of requested checkpoints that have been performed
            # TYPE pg_stat_checkpointer_num_requested_total counter
            pg_stat_checkpointer_num_requested_total 3
            # HELP pg_stat_checkpointer_num_timed_total Number of scheduled checkpoints due to timeout
            # TYPE pg_stat_checkpointer_num_timed_total counter
            pg_stat_checkpointer_num_timed_total 2
            # HELP pg_stat_checkpointer_restartpoints_done_total Number of restartpoints that have been performed
            # TYPE pg_stat_checkpointer_restartpoints_done_total counter
            pg_stat_checkpointer_restartpoints_done_total 0
            # HELP pg_stat_checkpointer_restartpoints_req_total Number of requested restartpoints
            # TYPE pg_stat_checkpointer_restartpoints_req_total counter
            pg_stat_checkpointer_restartpoints_req_total 0
            # HELP pg_stat_checkpointer_restartpoints_timed_total Number of scheduled restartpoints due to timeout or after a failed attempt to perform it
            # TYPE pg_stat_checkpointer_restartpoints_timed_total counter
            pg_stat_checkpointer_restartpoints_timed_total 0
            # HELP pg_stat_checkpointer_stats_reset_total Time at which these statistics were last reset
            # TYPE pg_stat_checkpointer_stats_reset_total counter
            pg_stat_checkpointer_stats_reset_total 1.79564666e+09
            # HELP pg_stat_checkpointer_sync_time_total Total amount of time that has been spent in the portion of processing checkpoints and restartpoints where files are synchronized to disk, in milliseconds
            # TYPE pg_stat_checkpointer_sync_time_total counter
            pg_stat_checkpointer_sync_time_total 7
            # HELP pg_stat_checkpointer_write_time_total Total amount of time that has been spent in the portion of processing checkpoints and restartpoints where files are written to disk, in milliseconds
            # TYPE pg_stat_checkpointer_write_time_total counter
            pg_stat_checkpointer_write_time_total 90.5
        "#]],
    );
}

#[test]
fn what_version_18_adds_has_none_yet() {
    check(
        "num_timed | num_done | slru_written | stats_reset_seconds
         2 | 3 | 4 | 5",
        write,
        &expect![[r#"
            # HELP pg_stat_checkpointer_num_timed_total Number of scheduled checkpoints due to timeout
            # TYPE pg_stat_checkpointer_num_timed_total counter
            pg_stat_checkpointer_num_timed_total 2
            # HELP pg_stat_checkpointer_stats_reset_total Time at which these statistics were last reset
            # TYPE pg_stat_checkpointer_stats_reset_total counter
            pg_stat_checkpointer_stats_reset_total 5
        "#]],
    );
}
