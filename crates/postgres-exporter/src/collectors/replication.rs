//! How far a standby is behind: `pg_replication_*`.

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, Page};

use super::columns::{self, Column};
use crate::{
    instance::Instance,
    row::{RowError, Rows},
};

/// See the module.
pub const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "replication",
    help: "Lag of a standby",
    enabled_by_default: true,
    build: || Box::new(Replication),
};

const QUERY: &str = include_str!("replication.sql");
const LABELS: &[&str] = &[];
const COLUMNS: &[Column] = &[
    Column::new(
        "lag_seconds",
        Desc::gauge("pg_replication_lag_seconds", "Replication lag behind master in seconds"),
    ),
    Column::new(
        "is_replica",
        Desc::gauge("pg_replication_is_replica", "Indicates if the server is a replica"),
    ),
    Column::new(
        "last_replay_seconds",
        Desc::gauge("pg_replication_last_replay_seconds", "Age of last replay in seconds"),
    ),
];

struct Replication;

impl Collector<Instance> for Replication {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move { Ok(write(&instance.query(QUERY).await?, out)?) })
    }
}

fn write(rows: &Rows, out: &mut Page) -> Result<(), RowError> {
    columns::write(rows, LABELS, COLUMNS, out)
}

#[cfg(test)]
mod tests;
