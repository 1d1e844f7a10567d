//! A real `PgBouncer` in transaction mode: a server is watched through it, and it is watched itself.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    Exporter, Page, eventually,
    postgres::{becomes, connections, is, scrape, succeeded},
    servers::{PgBouncer, Postgres},
};
use tokio_postgres::{Client, SimpleQueryMessage};

/// The families of a server on a page, without those that come and go.
fn families(page: &Page) -> BTreeSet<&str> {
    let names = page.types.keys().map(String::as_str);
    names.filter(|name| name.starts_with("pg_") && !name.contains("_progress_")).collect()
}

async fn shown(client: &Client, setting: &str) -> Result<String> {
    let answer = client.simple_query(&format!("SHOW {setting}")).await?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    row.with_context(|| format!("no {setting}"))
}

/// What a session of the exporter's role sees of the settings that queries are bounded by.
async fn settings(client: &Client) -> Result<Vec<String>> {
    let mut settings = Vec::new();
    for name in ["statement_timeout", "lock_timeout", "jit", "search_path", "transaction_read_only"]
    {
        settings.push(shown(client, name).await?);
    }
    Ok(settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_watched_through_a_pool_of_one_connection() -> Result<()> {
    let server = Postgres::start().await?;
    let owner = server.client().await?;
    let pooler = PgBouncer::start(&server, 1).await?;
    let other = pooler.client().await?;
    let before = settings(&other).await?;

    let dsn = pooler.dsn();
    let exporter = Exporter::start(
        "postgres-exporter",
        &["--auto-discover-databases"],
        &[("DATA_SOURCE_NAME", &dsn)],
    )?;
    becomes(&exporter, 1.0)?;
    // A pool each for `lakehouse` and `postgres`, and nobody comes past them.
    let through = connections(&owner).await?;
    ensure!((1..=2).contains(&through), "{through} connections");

    let direct = server.exporter(&[])?;
    becomes(&direct, 1.0)?;
    eventually("both see the same", || {
        let page = scrape(&exporter, "/metrics", 10)?;
        is(&page, "pg_exporter_last_scrape_error", &[], 0.0)?;
        for database in ["lakehouse", "postgres"] {
            is(&page, "pg_scrape_database_success", &[("datname", database)], 1.0)?;
        }
        let straight = scrape(&direct, "/metrics", 10)?;
        let mut expected = families(&straight);
        expected.insert("pg_scrape_database_success");
        let found = families(&page);
        ensure!(
            found == expected,
            "{:?}",
            found.symmetric_difference(&expected).collect::<Vec<_>>()
        );
        Ok(())
    })?;
    drop(direct);

    // The one connection of the pool is lent to others as it was.
    let after = settings(&other).await?;
    ensure!(after == before, "{after:?}, not {before:?}");

    // Somebody keeps the only connection: no page waits for ever, and none is wrong.
    other.batch_execute("BEGIN").await?;
    becomes(&exporter, 0.0)?;
    other.batch_execute("COMMIT").await?;
    becomes(&exporter, 1.0)?;

    // The server's side of it is ended.
    let end =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'monitor'";
    let ended: i64 = owner.query_one(end, &[]).await?.get(0);
    ensure!(ended > 0, "the pool has connections");
    becomes(&exporter, 1.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_tells_its_pools_and_may_go_away() -> Result<()> {
    let server = Postgres::start().await?;
    let pooler = PgBouncer::start(&server, 2).await?;
    let (dsn, console) = (pooler.dsn(), pooler.console_dsn());
    let exporter = Exporter::start(
        "postgres-exporter",
        &["--collector.pgbouncer"],
        &[("DATA_SOURCE_NAME", &dsn), ("PGBOUNCER_DATA_SOURCE_NAME", &console)],
    )?;
    becomes(&exporter, 1.0)?;
    let waiting = pooler.client().await?;
    waiting.batch_execute("BEGIN").await?;
    let queries = ("pgbouncer_stats_queries_pooled_total", &[("database", "lakehouse")][..]);
    let page = scrape(&exporter, "/metrics", 10)?;
    succeeded(&page, "pgbouncer", 1.0)?;
    let pool = [("database", "lakehouse"), ("user", "monitor")];
    let active = page.value("pgbouncer_pools_server_active_connections", &pool);
    ensure!(active.is_some_and(|count| count >= 1.0), "{active:?}");
    let clients = page.value("pgbouncer_pools_client_active_connections", &pool);
    ensure!(clients.is_some_and(|count| count >= 1.0), "{clients:?}");
    let databases = [("name", "lakehouse"), ("database", "lakehouse")];
    is(&page, "pgbouncer_databases_pool_size", &databases, 2.0)?;
    is(&page, "pgbouncer_databases_paused", &databases, 0.0)?;
    let before = page.value(queries.0, queries.1).context("queries")?;
    waiting.batch_execute("COMMIT").await?;
    eventually("queries are counted", || {
        let now = scrape(&exporter, "/metrics", 10)?.value(queries.0, queries.1);
        ensure!(now.is_some_and(|now| now > before), "{now:?}");
        Ok(())
    })?;

    pooler.container.stop_with_timeout(Some(1)).await?;
    becomes(&exporter, 0.0)?;
    succeeded(&scrape(&exporter, "/metrics", 10)?, "pgbouncer", 0.0)?;
    pooler.container.start().await?;
    becomes(&exporter, 1.0)?;
    eventually("the console answers again", || {
        succeeded(&scrape(&exporter, "/metrics", 10)?, "pgbouncer", 1.0)
    })
}
