//! Size and connection limit of each database: `pg_database_*`.

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, Page};

use super::columns::{self, Column};
use crate::{
    databases::Selection,
    instance::Instance,
    row::{RowError, Rows},
};

/// See the module.
pub const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "database",
    help: "Size and connection limit of each database",
    enabled_by_default: true,
    build: || Box::new(Database),
};

const QUERY: &str = include_str!("database.sql");
const LABELS: &[&str] = &["datname"];
const COLUMNS: &[Column] = &[
    // A database that we may not measure has no size; 0 would be a lie.
    Column::new(
        "size_bytes",
        Desc::gauge("pg_database_size_bytes", "Disk space used by the database"),
    )
    .or_absent(),
    Column::new(
        "connection_limit",
        Desc::gauge("pg_database_connection_limit", "Connection limit set for the database"),
    ),
];

struct Database;

impl Collector<Instance> for Database {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move {
            let rows = instance.query_slow(QUERY).await?;
            Ok(write(&rows, &instance.reading().databases, out)?)
        })
    }
}

fn write(rows: &Rows, selection: &Selection, out: &mut Page) -> Result<(), RowError> {
    let kept = rows.without("datname", |name| selection.excludes(name))?;
    columns::write(&kept, LABELS, COLUMNS, out)
}

#[cfg(test)]
mod tests;
