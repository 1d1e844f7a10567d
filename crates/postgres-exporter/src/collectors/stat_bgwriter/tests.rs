//! Tests of `stat_bgwriter`: rows as servers answered them.

use expect_test::expect;

use super::{super::tests::check, write};

#[test]
fn version_15_tells_of_checkpoints() {
    check(
        "checkpoints_timed | checkpoints_req | checkpoint_write_time | checkpoint_sync_time | buffers_checkpoint | buffers_clean | maxwritten_clean | buffers_backend | buffers_backend_fsync | buffers_alloc | stats_reset | stats_reset_seconds
         3 | 1 | 1234 | 56 | 789 | 0 | 0 | 12 | 0 | 1808 | 2026-11-25 22:28:14.35+00 | 1795645694",
        write,
        &expect![[r#"
            # HELP pg_stat_bgwriter_buffers_alloc_total Number of buffers allocated
            # TYPE pg_stat_bgwriter_buffers_alloc_total counter
            pg_stat_bgwriter_buffers_alloc_total 1808
            # HELP pg_stat_bgwriter_buffers_backend_fsync_total Number of times a backend had to execute its own fsync call (normally the background writer handles those even when the backend does its own write)
            # TYPE pg_stat_bgwriter_buffers_backend_fsync_total counter
            pg_stat_bgwriter_buffers_backend_fsync_total 0
            # HELP pg_stat_bgwriter_buffers_backend_total Number of buffers written directly by a backend
            # TYPE pg_stat_bgwriter_buffers_backend_total counter
            pg_stat_bgwriter_buffers_backend_total 12
            # HELP pg_stat_bgwriter_buffers_checkpoint_total Number of buffers written during checkpoints
            # TYPE pg_stat_bgwriter_buffers_checkpoint_total counter
            pg_stat_bgwriter_buffers_checkpoint_total 789
            # HELP pg_stat_bgwriter_buffers_clean_total Number of buffers written by the background writer
            # TYPE pg_stat_bgwriter_buffers_clean_total counter
            pg_stat_bgwriter_buffers_clean_total 0
            # HELP pg_stat_bgwriter_checkpoint_sync_time_total Total amount of time that has been spent in the portion of checkpoint processing where files are synchronized to disk, in milliseconds
            # TYPE pg_stat_bgwriter_checkpoint_sync_time_total counter
            pg_stat_bgwriter_checkpoint_sync_time_total 56
            # HELP pg_stat_bgwriter_checkpoint_write_time_total Total amount of time that has been spent in the portion of checkpoint processing where files are written to disk, in milliseconds
            # TYPE pg_stat_bgwriter_checkpoint_write_time_total counter
            pg_stat_bgwriter_checkpoint_write_time_total 1234
            # HELP pg_stat_bgwriter_checkpoints_req_total Number of requested checkpoints that have been performed
            # TYPE pg_stat_bgwriter_checkpoints_req_total counter
            pg_stat_bgwriter_checkpoints_req_total 1
            # HELP pg_stat_bgwriter_checkpoints_timed_total Number of scheduled checkpoints that have been performed
            # TYPE pg_stat_bgwriter_checkpoints_timed_total counter
            pg_stat_bgwriter_checkpoints_timed_total 3
            # HELP pg_stat_bgwriter_maxwritten_clean_total Number of times the background writer stopped a cleaning scan because it had written too many buffers
            # TYPE pg_stat_bgwriter_maxwritten_clean_total counter
            pg_stat_bgwriter_maxwritten_clean_total 0
            # HELP pg_stat_bgwriter_stats_reset_total Time at which these statistics were last reset
            # TYPE pg_stat_bgwriter_stats_reset_total counter
            pg_stat_bgwriter_stats_reset_total 1.795645694e+09
        "#]],
    );
}

#[test]
fn version_17_does_not() {
    check(
        "buffers_clean | maxwritten_clean | buffers_alloc | stats_reset | stats_reset_seconds
         5 | 1 | 336 | - | -",
        write,
        &expect![[r#"
            # HELP pg_stat_bgwriter_buffers_alloc_total Number of buffers allocated
            # TYPE pg_stat_bgwriter_buffers_alloc_total counter
            pg_stat_bgwriter_buffers_alloc_total 336
            # HELP pg_stat_bgwriter_buffers_clean_total Number of buffers written by the background writer
            # TYPE pg_stat_bgwriter_buffers_clean_total counter
            pg_stat_bgwriter_buffers_clean_total 5
            # HELP pg_stat_bgwriter_maxwritten_clean_total Number of times the background writer stopped a cleaning scan because it had written too many buffers
            # TYPE pg_stat_bgwriter_maxwritten_clean_total counter
            pg_stat_bgwriter_maxwritten_clean_total 1
            # HELP pg_stat_bgwriter_stats_reset_total Time at which these statistics were last reset
            # TYPE pg_stat_bgwriter_stats_reset_total counter
            pg_stat_bgwriter_stats_reset_total 0
        "#]],
    );
}
