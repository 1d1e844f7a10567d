//! What `postgres_exporter` writes outside its collectors, with a `server` label: `pg_static` and
//! `pg_stat_database_conflicts_*`. `--disable-default-metrics` leaves it out.

use metrics_server::{CollectError, Desc, Page};

use crate::{
    instance::{Facts, Instance},
    prefix::Prefix,
    reading::Reading,
    row::{RowError, Rows},
};

pub(super) const QUERY: &str = include_str!("stat_database_conflicts.sql");
const STATIC: Desc<'static> = Desc::untyped("pg_static", "Version string as reported by postgres");
/// Columns that tell the rows apart.
pub(super) const LABELS: [&str; 2] = ["datid", "datname"];
/// Columns that become families.
pub(super) static CONFLICTS: [(&str, Desc<'static>); 6] = [
    (
        "confl_tablespace",
        Desc::counter(
            "pg_stat_database_conflicts_confl_tablespace",
            "Number of queries in this database that have been canceled due to dropped tablespaces",
        ),
    ),
    (
        "confl_lock",
        Desc::counter(
            "pg_stat_database_conflicts_confl_lock",
            "Number of queries in this database that have been canceled due to lock timeouts",
        ),
    ),
    (
        "confl_snapshot",
        Desc::counter(
            "pg_stat_database_conflicts_confl_snapshot",
            "Number of queries in this database that have been canceled due to old snapshots",
        ),
    ),
    (
        "confl_bufferpin",
        Desc::counter(
            "pg_stat_database_conflicts_confl_bufferpin",
            "Number of queries in this database that have been canceled due to pinned buffers",
        ),
    ),
    (
        "confl_deadlock",
        Desc::counter(
            "pg_stat_database_conflicts_confl_deadlock",
            "Number of queries in this database that have been canceled due to deadlocks",
        ),
    ),
    // From version 16 on; `postgres_exporter` does not know it and passes it through.
    (
        "confl_active_logicalslot",
        Desc::untyped(
            "pg_stat_database_conflicts_confl_active_logicalslot",
            "Unknown metric from pg_stat_database_conflicts",
        ),
    ),
];

/// Adds both to `out`, with the labels of `--constantLabels`; `--metric-prefix` is for the conflicts alone.
///
/// # Errors
///
/// The server does not answer as expected.
pub async fn collect(instance: &Instance, out: &mut Page) -> Result<(), CollectError> {
    let server = instance.server();
    let Reading { constant_labels, metric_prefix, .. } = instance.reading();
    let common = common(&server, constant_labels);
    write_static(&instance.facts, &common, out);
    write_conflicts(&instance.query(QUERY).await?, &common, metric_prefix, out)?;
    Ok(())
}

fn common<'a>(server: &'a str, constant: &'a [(String, String)]) -> Vec<(&'a str, &'a str)> {
    let constant = constant.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    std::iter::once(("server", server)).chain(constant).collect()
}

fn write_static(facts: &Facts, common: &[(&str, &str)], out: &mut Page) {
    let short = facts.version_short();
    let own = [("version", facts.version_text.as_str()), ("short_version", short.as_str())];
    out.sample(STATIC, &[&own[..], common].concat(), 1.0);
}

fn write_conflicts(
    rows: &Rows,
    common: &[(&str, &str)],
    prefix: &Prefix,
    out: &mut Page,
) -> Result<(), RowError> {
    for (column, desc) in CONFLICTS.iter().filter(|(column, _)| rows.has(column)) {
        let mut family = out.family(prefix.rename(desc));
        for row in rows.iter() {
            let mut labels = common.to_vec();
            for label in LABELS {
                labels.push((label, row.text(label)?.unwrap_or_default()));
            }
            family.sample(&labels, row.number(column)?.unwrap_or(f64::NAN));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
