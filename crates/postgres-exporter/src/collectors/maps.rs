//! `--dumpmaps`: the maps of `postgres_exporter`, as text. They are what it writes outside its
//! collectors: a query each, and the metrics that its columns become.

use std::fmt::{self, Write as _};

use metrics_server::{Desc, Format};

use super::{catalogue, legacy, view::View};
use crate::reading::Compat;

/// The maps that 0.19 has beside the one of both versions.
const OF_0_19: [(&str, &View); 4] = [
    ("pg_replication_slots", &catalogue::REPLICATION_SLOTS_LEGACY_VIEW),
    ("pg_stat_activity", &catalogue::STAT_ACTIVITY_VIEW),
    ("pg_stat_archiver", &catalogue::STAT_ARCHIVER_VIEW),
    ("pg_stat_replication", &catalogue::STAT_REPLICATION_LEGACY_VIEW),
];

/// All maps of a version.
pub fn dump(compat: Compat) -> String {
    let mut text = String::new();
    write(compat, &mut text).expect("memory takes every byte");
    text
}

fn write(compat: Compat, out: &mut String) -> fmt::Result {
    if compat == Compat::V0_19 {
        for (name, view) in OF_0_19 {
            let parts = || view.parts.iter().filter(|part| part.legacy);
            let labels = parts().flat_map(|part| part.labels).copied();
            let columns = parts().flat_map(|part| part.columns);
            let columns = columns.map(|column| (column.name, &column.desc));
            map(name, view.query, labels, columns, out)?;
        }
    }
    let columns = legacy::CONFLICTS.iter().map(|(column, desc)| (*column, desc));
    map("pg_stat_database_conflicts", legacy::QUERY, legacy::LABELS, columns, out)
}

fn map<'a>(
    name: &str,
    query: &str,
    labels: impl IntoIterator<Item = &'a str>,
    columns: impl IntoIterator<Item = (&'a str, &'a Desc<'static>)>,
    out: &mut String,
) -> fmt::Result {
    writeln!(out, "{name}\n{}", query.trim_end())?;
    for label in labels {
        writeln!(out, "  {label:<40} LABEL")?;
    }
    for (column, desc) in columns {
        let usage = desc.kind.as_str(Format::Text).to_uppercase();
        writeln!(out, "  {column:<40} {usage} {}", desc.help)?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests;
