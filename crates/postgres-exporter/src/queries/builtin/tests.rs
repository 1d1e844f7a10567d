//! The files of our own collectors.

use std::{collections::BTreeSet, fmt::Write as _};

use expect_test::expect_file;
use metrics_server::Format;

use super::{
    super::{Databases, Query, Usage, pgbouncer},
    BUILTIN, Builtin, skip_reason,
};
use crate::instance::Facts;

#[test]
fn every_file_can_be_read_and_every_column_has_its_place() {
    assert!(BUILTIN.is_sorted_by_key(|builtin| builtin.name));
    let mut namespaces = BTreeSet::new();
    for builtin in &BUILTIN {
        for query in builtin.queries() {
            let (name, sql) = (&query.name, &query.sql);
            assert!(query.builtin && query.namespace.starts_with("pg_"), "{name}");
            assert!(namespaces.insert(query.namespace.clone()), "{name} is there twice");
            let code = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
            assert!(code.clone().all(|line| !line.contains(';')), "{name}: one statement");
            for column in &query.columns {
                let words: Vec<_> = sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
                let known = words.contains(&column.name.as_str()) || sql.contains("SELECT *");
                assert!(known, "{name}: {} is not in the SQL", column.name);
                if let Usage::Number(number) = &column.usage {
                    assert!(number.help.len() > 5, "{name}: {} has no help", column.name);
                }
            }
        }
    }
}

#[test]
fn a_collector_without_its_view_is_skipped() {
    let facts = |version| Facts { version, ..Facts::default() };
    assert_eq!(skip_reason("stat_io", &facts(150_004)), Some("version"));
    assert_eq!(skip_reason("stat_io", &facts(160_000)), None);
    assert_eq!(skip_reason("subscriptions", &facts(140_000)), None, "one of two is there");
    let standby = Facts { in_recovery: true, ..facts(170_000) };
    assert_eq!(skip_reason("xmin_horizon", &standby), Some("role"));
    assert_eq!(skip_reason("locks", &facts(90_000)), None, "not one of these");
}

/// What stands above the collectors in their documentation.
const INTRODUCTION: &str = "\
# Collectors beyond postgres_exporter's

Collectors that `postgres_exporter` does not have. All are off by default, so that a page has what it had; each is switched on by
`--collector.NAME`. They are files of [queries](postgres-queries.md) inside the program (`crates/postgres-exporter/src/queries/builtin`),
and this page is written from them: `UPDATE_EXPECT=1 cargo test -p postgres-exporter builtin`.

Each was run against PostgreSQL 17 (`tests/tests/postgres_collectors.rs`), as a role in `pg_monitor` and, for `bloat` and
`sequences`, `pg_read_all_data`; on 13, 15 and 18 each gave an answer (`tests/run.sh versions`). Versions 14 and 16 were not run.
`pgvector` and `vector_search` were run with pgvector 0.8.0.

Collectors of what is in a database read the connected one, or with `--auto-discover-databases` each of them.
";

/// And below: collectors with a program of their own.
const STATEMENTS: &str = "
## top_statements

Statements that take most time now, and all others as one, from pg_stat_statements.

Reads the server, through the extension in the connected database. Cost: the server copies the counts of all its statements (5,000
by default) for each scrape; texts are read, with `--collector.stat_statements.include_query`, for new members alone.
Privileges: pg_monitor.

The 50 statements with most time (or `--collector.stat_statements.limit` where that is less) have series of their own. A statement takes
the place of one of them only when it takes half as much time again, so that series do not come and go. All others are one series with
`queryid=\"other\"`, to which is added what they did since the scrape before; so the rate over all series is that of the server.

| metric | type | |
|---|---|---|
| `pg_top_statements_calls_total{user,datname,queryid}` | counter | Times executed |
| `pg_top_statements_seconds_total{user,datname,queryid}` | counter | Time spent executing |
| `pg_top_statements_rows_total{user,datname,queryid}` | counter | Rows retrieved or affected |
| `pg_top_statements_blocks_hit_total{user,datname,queryid}` | counter | Blocks found in shared buffers |
| `pg_top_statements_blocks_read_total{user,datname,queryid}` | counter | Blocks read into shared buffers |
| `pg_top_statements_temp_blocks_written_total{user,datname,queryid}` | counter | Temporary blocks written |
| `pg_top_statements_query_info{queryid,query}` | gauge | Text of a statement with series of its own |

## vector_search

Searches by pgvector's distance operators and their time, from pg_stat_statements.

Reads the server, through the extension in the connected database. Cost: as of `top_statements`. Texts of new statements are looked at
by the server, once each, once a minute at most; but for a single one of them the server reads its whole file of texts, and holds it
in memory meanwhile: 0.16 s, measured once, for 4,800 statements with texts below 1 kB; longer ones take longer. Privileges: pg_monitor.

A search is a `SELECT` or `WITH` whose text has a distance operator: `<->`, `<=>`, `<#>`, `<+>`, `<~>` or `<%>`; of several the first
one tells. Others have operators of these names, too: pg_trgm, PostGIS, and PostgreSQL itself for points. Sums are kept here, so that
they do not fall when the server forgets a statement. They begin at 0 with the first scrape of a server after the exporter's start,
whatever was done before, and are there for as long as their database is. A statement's text is known up to a minute late; its calls are
added then. Of two scrapes at the same time one may add nothing; the next one does. `rate(…_seconds_total) / rate(…_calls_total)` is the mean latency. The server
keeps no distribution of it: in the histogram a call counts as taking what those of its statement took on average since the scrape
before, so a slow kind of search is seen, and a single slow one among many is not. Which index a search used is not known to pg_stat_statements: `pgvector` counts scans by index.

| metric | type | |
|---|---|---|
| `pg_vector_search_calls_total{datname,operator}` | counter | Times that statements with this distance operator were executed |
| `pg_vector_search_seconds_total{datname,operator}` | counter | Time spent executing them |
| `pg_vector_search_rows_total{datname,operator}` | counter | Rows that they returned |
| `pg_vector_search_mean_seconds{datname,operator}` | histogram | Times executed, by the mean time of a statement's executions between two scrapes |

## pgbouncer

Pools, traffic and databases of the PgBouncer whose console is the data source of the environment variable
`PGBOUNCER_DATA_SOURCE_NAME`, for example `postgresql://stats:secret@127.0.0.1:6432/pgbouncer?sslmode=disable`.

Reads PgBouncer's console, on one connection that is kept. Cost: none for the server. Privileges: a role of `stats_users`.
Run against PgBouncer 1.18 by hand, and by its recorded answers. It is shown with scrapes of the server, so not while that is down, and not on `/probe`.

| metric | type | |
|---|---|---|
";

#[test]
fn the_documentation_tells_every_collector() {
    let mut text = INTRODUCTION.to_owned();
    for builtin in &BUILTIN {
        document(builtin, &mut text).expect("memory takes every byte");
    }
    text.push_str(STATEMENTS);
    for query in pgbouncer::shows() {
        families(query, &mut text).expect("memory takes every byte");
    }
    expect_file!["../../../../../docs/postgres-collectors.md"].assert_eq(&text);
}

fn document(builtin: &Builtin, text: &mut String) -> std::fmt::Result {
    let queries = builtin.queries();
    let first = queries.first().expect("every collector has a query");
    let place = match first.gate.databases {
        Databases::Connected => "the server",
        _ => "each database",
    };
    writeln!(text, "\n## {}\n\n{}.\n", builtin.name, builtin.help)?;
    writeln!(text, "Reads {place}. Cost: {}. Privileges: {}.", builtin.cost, builtin.privileges)?;
    let of_server = |query: &Query| query.gate.databases == Databases::Connected;
    for query in &queries {
        let mut notes = Vec::new();
        if of_server(query) != of_server(first) {
            notes.push("asked in each database".to_owned());
        }
        if let Some(role) = query.gate.role {
            notes.push(format!("on a {role} alone"));
        }
        if let Some(every) = query.schedule {
            notes.push(format!(
                "asked every {every:?} in the background, and not on servers of `/probe`"
            ));
        }
        if !query.ttl.is_zero() {
            notes.push(format!("an answer is kept for {:?}", query.ttl));
        }
        if !query.gate.extensions.is_empty() {
            let extensions = query.gate.extensions.join("`, `");
            notes.push(format!("where the extension `{extensions}` is"));
        }
        if !notes.is_empty() {
            writeln!(text, "`{}`: {}.", query.namespace, notes.join("; "))?;
        }
    }
    writeln!(text, "\n| metric | type | |\n|---|---|---|")?;
    queries.iter().try_for_each(|query| families(query, text))
}

fn families(query: &Query, text: &mut String) -> std::fmt::Result {
    let labels: Vec<_> = query
        .columns
        .iter()
        .filter_map(|column| match &column.usage {
            Usage::Label(label) => Some(label.as_str()),
            _ => None,
        })
        .collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    for column in &query.columns {
        if let Usage::Number(number) = &column.usage {
            let kind = number.kind.as_str(Format::Text);
            writeln!(text, "| `{}{labels}` | {kind} | {} |", number.family, number.help)?;
        }
    }
    Ok(())
}
