//! Locks held or awaited, by database and mode: `pg_locks_*`.

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, Page};

use super::columns::{self, Column};
use crate::{
    instance::Instance,
    row::{RowError, Rows},
};

/// See the module.
pub const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "locks",
    help: "Locks by database and mode",
    enabled_by_default: true,
    build: || Box::new(Locks),
};

const QUERY: &str = include_str!("locks.sql");
const LABELS: &[&str] = &["datname", "mode"];
const COLUMNS: &[Column] =
    &[Column::new("count", Desc::gauge("pg_locks_count", "Number of locks"))];

struct Locks;

impl Collector<Instance> for Locks {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move { Ok(write(&instance.query(QUERY).await?, out)?) })
    }
}

fn write(rows: &Rows, out: &mut Page) -> Result<(), RowError> {
    columns::write(rows, LABELS, COLUMNS, out)
}

#[cfg(test)]
mod tests;
