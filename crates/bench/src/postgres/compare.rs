//! The pages of `postgres_exporter` and of ours, line by line, against a primary and its standby.
//!
//! What may differ stands in the table "Meant differences" of `docs/postgres-exporter.md`. A value is
//! compared with the other's before and after: what rises with time is between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use e2e::{binary, repository, servers::Postgres};
use tokio_postgres::Client;

use crate::program::{self, Program};

mod differences;

use differences::{Difference, Meant, compare};

/// Collectors which are off in 0.19: they are compared, too.
const COLLECTORS: [&str; 10] = [
    "--collector.buffercache_summary",
    "--collector.database_wraparound",
    "--collector.long_running_transactions",
    "--collector.postmaster",
    "--collector.process_idle",
    "--collector.stat_activity_autovacuum",
    "--collector.stat_checkpointer",
    "--collector.stat_statements",
    "--collector.stat_wal_receiver",
    "--collector.statio_user_indexes",
];
const SETTINGS: [&str; 10] = [
    "-c",
    "shared_preload_libraries=pg_stat_statements",
    "-c",
    "wal_level=logical",
    "-c",
    "autovacuum=off",
    "-c",
    "max_slot_wal_keep_size=1GB",
    "-c",
    "archive_mode=on",
];

/// Compares, prints, and ends with 1 for a difference which is not meant.
pub(crate) async fn run() -> Result<ExitCode> {
    let document = repository().join("docs/postgres-exporter.md");
    let meant = Meant::read(&fs::read_to_string(&document)?)
        .with_context(|| document.display().to_string())?;
    let peer = program::peer().context("POSTGRES_EXPORTER_PEER names no postgres_exporter")?;

    let primary = Postgres::start_with(&SETTINGS).await?;
    let standby = primary.standby(&SETTINGS).await?;
    let busy = occupy(&primary).await?;
    let mut unmeant = 0;
    let mut used = BTreeSet::new();
    for (role, server) in [("primary", &primary), ("standby", &standby)] {
        let differences = differences(&peer, &server.dsn())?;
        unmeant += report(role, &differences, &meant, &mut used)?;
    }
    drop(busy);
    for line in meant.unused(&used) {
        writeln!(io::stdout(), "note: listed as meant, and did not differ: {line}")?;
    }
    writeln!(io::stdout(), "{unmeant} differences are not meant")?;
    Ok(if unmeant == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints differences and gives the number of those which are not meant.
fn report(
    role: &str,
    differences: &[Difference],
    meant: &Meant,
    used: &mut BTreeSet<usize>,
) -> Result<usize> {
    let mut out = io::stdout().lock();
    let mut unmeant = 0;
    for difference in differences {
        if let Some(row) = meant.find(difference) {
            used.insert(row);
        } else {
            unmeant += 1;
            writeln!(out, "{role}: {difference}")?;
        }
    }
    writeln!(out, "{role}: {} differences, {unmeant} of them not meant", differences.len())?;
    Ok(unmeant)
}

/// A server with something to show: databases, tables, locks, sessions, slots, a running VACUUM.
async fn occupy(primary: &Postgres) -> Result<Vec<Client>> {
    let owner = primary.client().await?;
    for statement in [
        "CREATE EXTENSION pg_stat_statements",
        "CREATE EXTENSION pg_buffercache",
        "CREATE DATABASE second",
        "CREATE DATABASE \"Third one\" CONNECTION LIMIT 7",
        "CREATE TABLE big AS SELECT g AS id, repeat('x', 500) AS text FROM generate_series(1, 40000) g",
        "CREATE INDEX big_id ON big (id)",
        "DELETE FROM big WHERE id % 2 = 0",
        "CREATE TABLE \"Odd \"\"name\" (id int PRIMARY KEY, body text)",
        "INSERT INTO \"Odd \"\"name\" SELECT g, 'x' FROM generate_series(1, 1000) g",
        "ANALYZE",
        "SELECT pg_create_logical_replication_slot('decoded', 'pgoutput')",
        "SELECT pg_create_physical_replication_slot('spare')",
        "CHECKPOINT",
    ] {
        owner.batch_execute(statement).await.with_context(|| statement.to_owned())?;
    }
    let locker = primary.client().await?;
    locker.batch_execute("SET application_name = 'locker'").await?;
    locker.batch_execute("BEGIN; LOCK TABLE big IN SHARE UPDATE EXCLUSIVE MODE NOWAIT").await?;
    locker.batch_execute("ROLLBACK; BEGIN; LOCK TABLE \"Odd \"\"name\" IN SHARE MODE").await?;
    let vacuum = primary.client().await?;
    vacuum.batch_execute("SET application_name = 'vacuum'").await?;
    vacuum.batch_execute("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1").await?;
    tokio::spawn(async move {
        // It is still running when the comparison is over.
        let _ended = vacuum.batch_execute("VACUUM big").await;
    });
    let running = "SELECT 1 FROM pg_stat_progress_vacuum WHERE heap_blks_scanned > 0";
    for _ in 0..100 {
        if owner.query_opt(running, &[]).await?.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(vec![owner, locker])
}

/// What differs between the two programs at one server.
fn differences(peer: &Path, dsn: &str) -> Result<Vec<Difference>> {
    let theirs = Program::start(peer, &COLLECTORS, dsn)?;
    let args = [&COLLECTORS[..], &["--compat=0.19"]].concat();
    let ours = Program::start(&binary("postgres-exporter"), &args, dsn)?;
    // Each has its connections, and has compiled what it compiles once.
    for _ in 0..2 {
        ours.page()?;
        theirs.page()?;
    }
    let before = theirs.page()?;
    let page = ours.page()?;
    let after = theirs.page()?;
    Ok(compare(&before, &page, &after))
}

/// Families and series of a page, as their lines have them.
#[derive(Default)]
struct Lines<'a> {
    /// Name to type and help.
    headers: BTreeMap<&'a str, [&'a str; 2]>,
    /// Series to value.
    series: BTreeMap<&'a str, f64>,
}
