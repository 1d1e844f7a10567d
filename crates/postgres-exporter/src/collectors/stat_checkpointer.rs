//! Checkpoints since version 17: `pg_stat_checkpointer_*`.

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, Page};

use super::columns::{self, Column};
use crate::{
    instance::Instance,
    row::{RowError, Rows},
};

/// See the module.
pub const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_checkpointer",
    help: "Checkpoints, from version 17 on",
    enabled_by_default: true,
    build: || Box::new(StatCheckpointer),
};

const QUERY: &str = include_str!("stat_checkpointer.sql");
const LABELS: &[&str] = &[];
const COLUMNS: &[Column] = &[
    Column::new(
        "num_timed",
        Desc::counter(
            "pg_stat_checkpointer_num_timed_total",
            "Number of scheduled checkpoints due to timeout",
        ),
    ),
    Column::new(
        "num_requested",
        Desc::counter(
            "pg_stat_checkpointer_num_requested_total",
            "Number of requested checkpoints that have been performed",
        ),
    ),
    Column::new(
        "restartpoints_timed",
        Desc::counter(
            "pg_stat_checkpointer_restartpoints_timed_total",
            "Number of scheduled restartpoints due to timeout or after a failed attempt to perform it",
        ),
    ),
    Column::new(
        "restartpoints_req",
        Desc::counter(
            "pg_stat_checkpointer_restartpoints_req_total",
            "Number of requested restartpoints",
        ),
    ),
    Column::new(
        "restartpoints_done",
        Desc::counter(
            "pg_stat_checkpointer_restartpoints_done_total",
            "Number of restartpoints that have been performed",
        ),
    ),
    Column::new(
        "write_time",
        Desc::counter(
            "pg_stat_checkpointer_write_time_total",
            "Total amount of time that has been spent in the portion of processing checkpoints and restartpoints where files are written to disk, in milliseconds",
        ),
    ),
    Column::new(
        "sync_time",
        Desc::counter(
            "pg_stat_checkpointer_sync_time_total",
            "Total amount of time that has been spent in the portion of processing checkpoints and restartpoints where files are synchronized to disk, in milliseconds",
        ),
    ),
    Column::new(
        "buffers_written",
        Desc::counter(
            "pg_stat_checkpointer_buffers_written_total",
            "Number of buffers written during checkpoints and restartpoints",
        ),
    ),
    Column::new(
        "stats_reset_seconds",
        Desc::counter(
            "pg_stat_checkpointer_stats_reset_total",
            "Time at which these statistics were last reset",
        ),
    ),
];

struct StatCheckpointer;

impl Collector<Instance> for StatCheckpointer {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move { Ok(write(&instance.query(QUERY).await?, out)?) })
    }
}

fn write(rows: &Rows, out: &mut Page) -> Result<(), RowError> {
    columns::write(rows, LABELS, COLUMNS, out)
}

#[cfg(test)]
mod tests;
