//! Statements by the time that they take, from the extension: `pg_stat_statements_*`.

use std::collections::BTreeSet;

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, Page};

use super::columns::{self, Column, UNKNOWN};
use crate::{
    instance::{Facts, Instance},
    reading::Statements,
    row::{RowError, Rows},
};

/// See the module.
pub(super) const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_statements",
    help: "Statements by the time they take, from the extension pg_stat_statements",
    enabled_by_default: false,
    build: || Box::new(StatStatements),
};

const QUERY: &str = include_str!("stat_statements.sql");
const LABELS: &[&str] = &["user", "datname", "queryid"];
const COLUMNS: &[Column] = &[
    Column::new(
        "calls",
        Desc::counter("pg_stat_statements_calls_total", "Number of times executed"),
    ),
    Column::new(
        "seconds",
        Desc::counter(
            "pg_stat_statements_seconds_total",
            "Total time spent in the statement, in seconds",
        ),
    )
    .in_ms(),
    Column::new(
        "rows",
        Desc::counter(
            "pg_stat_statements_rows_total",
            "Total number of rows retrieved or affected by the statement",
        ),
    ),
    Column::new(
        "read_seconds",
        Desc::counter(
            "pg_stat_statements_block_read_seconds_total",
            "Total time the statement spent reading blocks, in seconds",
        ),
    )
    .in_ms(),
    Column::new(
        "write_seconds",
        Desc::counter(
            "pg_stat_statements_block_write_seconds_total",
            "Total time the statement spent writing blocks, in seconds",
        ),
    )
    .in_ms(),
];
const TEXT: Desc<'static> =
    Desc::counter("pg_stat_statements_query_id", "SQL Query to queryid mapping");

struct StatStatements;

impl Collector<Instance> for StatStatements {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move {
            let statements = &instance.reading().statements;
            let rows = instance.query_slow(&query(&instance.facts, statements)).await?;
            Ok(write(&rows, statements.include_query, out)?)
        })
    }
}

/// The query in the words of this version. Without texts the server does not read the file where
/// it keeps them.
fn query(facts: &Facts, statements: &Statements) -> String {
    let (read, write) = if facts.major() >= 17 {
        ("shared_blk_read_time", "shared_blk_write_time")
    } else {
        ("blk_read_time", "blk_write_time")
    };
    let marks = [
        ("@total@", "total_exec_time".to_owned()),
        ("@read@", read.to_owned()),
        ("@write@", write.to_owned()),
        ("@text@", if statements.include_query { "query" } else { "NULL::text" }.to_owned()),
        ("@showtext@", statements.include_query.to_string()),
        ("@length@", statements.query_length.to_string()),
        ("@databases@", array(&statements.exclude_databases)),
        ("@users@", array(&statements.exclude_users)),
        ("@limit@", statements.limit.to_string()),
    ];
    let sql = facts.with_schemas(QUERY).into_owned();
    marks.into_iter().fold(sql, |sql, (mark, text)| sql.replace(mark, &text))
}

/// An array of names as SQL. Backslashes are written as themselves whatever the server's
/// `standard_conforming_strings`.
fn array(names: &[String]) -> String {
    let quote = |name: &String| {
        format!("E'{}'", name.replace('\\', r"\\").replace('\'', r"''").replace('@', r"\x40"))
    };
    format!("ARRAY[{}]::name[]", names.iter().map(quote).collect::<Vec<_>>().join(", "))
}

fn write(rows: &Rows, texts: bool, out: &mut Page) -> Result<(), RowError> {
    columns::write(rows, LABELS, COLUMNS, out)?;
    if texts {
        let mut seen = BTreeSet::new();
        let mut family = out.family(TEXT);
        for row in rows.iter() {
            let id = row.text("queryid")?.unwrap_or(UNKNOWN);
            if seen.insert(id) {
                let text = row.text("query")?.unwrap_or(UNKNOWN);
                family.sample(&[("queryid", id), ("query", text)], 1.0);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
