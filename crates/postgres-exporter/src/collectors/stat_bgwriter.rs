//! The background writer and, before version 17, checkpoints: `pg_stat_bgwriter_*`.

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, Page};

use super::columns::{self, Column};
use crate::{
    instance::Instance,
    row::{RowError, Rows},
};

/// See the module.
pub const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_bgwriter",
    help: "Background writer",
    enabled_by_default: true,
    build: || Box::new(StatBgwriter),
};

const QUERY: &str = include_str!("stat_bgwriter.sql");
const LABELS: &[&str] = &[];
const COLUMNS: &[Column] = &[
    Column::new(
        "checkpoints_timed",
        Desc::counter(
            "pg_stat_bgwriter_checkpoints_timed_total",
            "Number of scheduled checkpoints that have been performed",
        ),
    ),
    Column::new(
        "checkpoints_req",
        Desc::counter(
            "pg_stat_bgwriter_checkpoints_req_total",
            "Number of requested checkpoints that have been performed",
        ),
    ),
    Column::new(
        "checkpoint_write_time",
        Desc::counter(
            "pg_stat_bgwriter_checkpoint_write_time_total",
            "Total amount of time that has been spent in the portion of checkpoint processing where files are written to disk, in milliseconds",
        ),
    ),
    Column::new(
        "checkpoint_sync_time",
        Desc::counter(
            "pg_stat_bgwriter_checkpoint_sync_time_total",
            "Total amount of time that has been spent in the portion of checkpoint processing where files are synchronized to disk, in milliseconds",
        ),
    ),
    Column::new(
        "buffers_checkpoint",
        Desc::counter(
            "pg_stat_bgwriter_buffers_checkpoint_total",
            "Number of buffers written during checkpoints",
        ),
    ),
    Column::new(
        "buffers_clean",
        Desc::counter(
            "pg_stat_bgwriter_buffers_clean_total",
            "Number of buffers written by the background writer",
        ),
    ),
    Column::new(
        "maxwritten_clean",
        Desc::counter(
            "pg_stat_bgwriter_maxwritten_clean_total",
            "Number of times the background writer stopped a cleaning scan because it had written too many buffers",
        ),
    ),
    Column::new(
        "buffers_backend",
        Desc::counter(
            "pg_stat_bgwriter_buffers_backend_total",
            "Number of buffers written directly by a backend",
        ),
    ),
    Column::new(
        "buffers_backend_fsync",
        Desc::counter(
            "pg_stat_bgwriter_buffers_backend_fsync_total",
            "Number of times a backend had to execute its own fsync call (normally the background writer handles those even when the backend does its own write)",
        ),
    ),
    Column::new(
        "buffers_alloc",
        Desc::counter("pg_stat_bgwriter_buffers_alloc_total", "Number of buffers allocated"),
    ),
    Column::new(
        "stats_reset_seconds",
        Desc::counter(
            "pg_stat_bgwriter_stats_reset_total",
            "Time at which these statistics were last reset",
        ),
    ),
];

struct StatBgwriter;

impl Collector<Instance> for StatBgwriter {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move { Ok(write(&instance.query(QUERY).await?, out)?) })
    }
}

fn write(rows: &Rows, out: &mut Page) -> Result<(), RowError> {
    columns::write(rows, LABELS, COLUMNS, out)
}

#[cfg(test)]
mod tests;
