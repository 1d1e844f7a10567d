//! The page of each version of PostgreSQL that there is an image of, with every collector switched on.
//!
//! Images come from `POSTGRES_VERSIONS_TEST_IMAGES`, separated by spaces.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ops::RangeInclusive,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    Page, eventually,
    postgres::{is, scrape},
    servers::{Postgres, Setup},
};

/// What there is an image of where the environment names none.
const IMAGES: &str = "postgres:13 postgres:14 postgres:15 postgres:16 postgres:17 postgres:18";
/// The newest version that is known.
const NEWEST: u32 = 18;

/// Every collector that is off by default and reads the server itself.
const COLLECTORS: [&str; 31] = [
    "archive_backlog",
    "bloat",
    "blocking",
    "buffercache_summary",
    "database_wraparound",
    "indexes",
    "long_running_transactions",
    "pending_restart",
    "postmaster",
    "prepared_transactions",
    "process_idle",
    "sequences",
    "stat_activity_autovacuum",
    "stat_io",
    "stat_progress_analyze",
    "stat_progress_basebackup",
    "stat_progress_cluster",
    "stat_progress_copy",
    "stat_progress_create_index",
    "stat_slru",
    "stat_ssl",
    "stat_statements",
    "stat_wal",
    "stat_wal_receiver",
    "statio_user_indexes",
    "subscriptions",
    "top_statements",
    "vector_search",
    "wait_events",
    "xlog_location",
    "xmin_horizon",
];

/// Collectors that some versions have nothing for, and the versions that have.
const COLLECTOR_VERSIONS: &[(&str, RangeInclusive<u32>)] = &[
    ("buffercache_summary", 16..=NEWEST),
    ("stat_checkpointer", 17..=NEWEST),
    ("stat_io", 16..=NEWEST),
    ("stat_progress_copy", 14..=NEWEST),
    ("stat_wal", 14..=NEWEST),
    ("xlog_location", 0..=9),
];

/// Beginnings of the names of families which some versions do not have, and the versions that have.
/// The first one that fits counts.
const FAMILY_VERSIONS: &[(&str, RangeInclusive<u32>)] = &[
    ("pg_buffercache_summary_", 16..=NEWEST),
    ("pg_stat_bgwriter_buffers_backend", 0..=16),
    ("pg_stat_bgwriter_buffers_checkpoint_", 0..=16),
    ("pg_stat_bgwriter_checkpoint", 0..=16),
    ("pg_stat_checkpointer_", 17..=NEWEST),
    ("pg_stat_database_active_time_", 14..=NEWEST),
    ("pg_stat_database_conflicts_confl_active_logicalslot", 16..=NEWEST),
    ("pg_stat_io_", 16..=NEWEST),
    ("pg_stat_wal_syncs_", 14..=17),
    ("pg_stat_wal_sync_", 14..=17),
    ("pg_stat_wal_writes_", 14..=17),
    ("pg_stat_wal_write_", 14..=17),
    ("pg_stat_wal_receiver_", 0..=0),
    ("pg_stat_wal_", 14..=NEWEST),
    ("pg_subscription_apply_errors_", 15..=NEWEST),
    ("pg_subscription_sync_errors_", 15..=NEWEST),
    ("pg_subscription_tables", 14..=NEWEST),
];

fn has(versions: &[(&str, RangeInclusive<u32>)], name: &str, version: u32) -> bool {
    let known = versions.iter().find(|(start, _)| name.starts_with(start));
    known.is_none_or(|(_, range)| range.contains(&version))
}

/// Which collectors are skipped, by reason.
fn skipped(page: &Page) -> BTreeMap<&str, &str> {
    let skipped = page.all("pg_scrape_collector_skipped", &[]);
    skipped.map(|sample| (&*sample.labels["collector"], &*sample.labels["reason"])).collect()
}

/// Families which do not depend on what the server is doing just now.
fn lasting(page: &Page) -> BTreeSet<String> {
    let passing = ["pg_stat_progress_", "pg_settings_", "pg_wait_events_", "pg_blocking_root_"];
    let names = page.types.keys().filter(|name| name.starts_with("pg_"));
    names.filter(|name| passing.iter().all(|start| !name.starts_with(start))).cloned().collect()
}

/// Starts a server and reads its page: its version, and its families.
async fn look(image: &str) -> Result<(u32, BTreeSet<String>)> {
    let arguments =
        ["-c", "shared_preload_libraries=pg_stat_statements", "-c", "wal_level=logical"];
    let server = Postgres::start_as(Setup {
        arguments: &arguments,
        // Version 13 would make passwords that the others do not.
        environment: &[("POSTGRES_INITDB_ARGS", "--auth-host=scram-sha-256")],
        image: Some(image),
        ..Setup::default()
    })
    .await?;
    let owner = server.client().await?;
    let version = "SELECT current_setting('server_version_num')::int / 10000";
    let version = u32::try_from(owner.query_one(version, &[]).await?.get::<_, i32>(0))?;
    for statement in [
        "CREATE EXTENSION pg_stat_statements",
        "CREATE EXTENSION pg_buffercache",
        "CREATE TABLE seen (id serial PRIMARY KEY, text text)",
        "GRANT SELECT ON seen, seen_id_seq TO monitor",
        "INSERT INTO seen (text) SELECT repeat('x', 100) FROM generate_series(1, 30000)",
        "DELETE FROM seen WHERE id % 10 <> 0",
        "VACUUM ANALYZE seen",
        "SELECT pg_create_physical_replication_slot('kept', true)",
        "CREATE SUBSCRIPTION sleeping CONNECTION 'host=127.0.0.1 dbname=lakehouse' PUBLICATION none \
         WITH (connect = false, enabled = false, slot_name = NONE)",
    ] {
        owner.batch_execute(statement).await.with_context(|| statement.to_owned())?;
    }
    let switches = COLLECTORS.map(|name| format!("--collector.{name}"));
    let exporter = server.exporter(&switches.each_ref().map(String::as_str))?;
    let page = eventually("every collector has an answer", || {
        let page = scrape(&exporter, "/metrics", 20)?;
        is(&page, "pg_up", &[], 1.0)?;
        is(&page, "pg_exporter_last_scrape_error", &[], 0.0)?;
        let failed =
            page.samples.iter().find(|s| s.name == "pg_scrape_collector_success" && s.value < 1.0);
        ensure!(failed.is_none(), "{failed:?}\n{}", exporter.log());
        Ok(page)
    })?;
    let without = COLLECTOR_VERSIONS.iter().filter(|(_, range)| !range.contains(&version));
    let expected: BTreeMap<_, _> = without.map(|(name, _)| (*name, "version")).collect();
    ensure!(skipped(&page) == expected, "{:?}, not {expected:?}", skipped(&page));

    let count = "SELECT count(*) FROM pg_settings WHERE vartype IN ('bool', 'integer', 'real')";
    let count = usize::try_from(owner.query_one(count, &[]).await?.get::<_, i64>(0))?;
    let settings = page.types.keys().filter(|name| name.starts_with("pg_settings_")).count();
    ensure!(settings == count, "{settings} settings of {count}");
    Ok((version, lasting(&page)))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_version_has_the_families_that_it_should() -> Result<()> {
    let images =
        env::var("POSTGRES_VERSIONS_TEST_IMAGES").unwrap_or_else(|_unset| IMAGES.to_owned());
    let mut seen = BTreeMap::new();
    for image in images.split_whitespace() {
        let (version, families) = look(image).await.with_context(|| image.to_owned())?;
        ensure!(version <= NEWEST, "{version} is not known");
        seen.insert(version, families);
    }
    let all: BTreeSet<_> = seen.values().flatten().collect();
    let mut wrong = Vec::new();
    for (version, families) in &seen {
        for family in &all {
            let expected = has(FAMILY_VERSIONS, family, *version);
            let found = families.contains(*family);
            if found != expected {
                let what = if found { "has" } else { "lacks" };
                wrong.push(format!("version {version} {what} {family}"));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    // One version alone would have nothing to be compared with.
    ensure!(seen.len() > 1, "{:?}", seen.keys());
    Ok(())
}
