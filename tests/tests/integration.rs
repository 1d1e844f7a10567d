//! The exporters against real servers.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    Exporter, Page, eventually, get, get_with,
    servers::{
        MONITOR_PASSWORD, MONITOR_PASSWORD_ENCODED, Postgres, Seaweedfs, Statsd,
        VALKEY_MAXMEMORY_BYTES, Valkey,
    },
};
use testcontainers::{ContainerAsync, GenericImage};

#[tokio::test(flavor = "multi_thread")]
async fn postgres_connections_are_counted_by_state() -> Result<()> {
    let server = Postgres::start().await?;
    let exporter = server.exporter(&[])?;
    let idle = |page: &Page| page.sum("pg_stat_activity_count", &[("state", "idle")]);
    let before = idle(&exporter.metrics()?);
    let sessions = (server.client().await?, server.client().await?, server.client().await?);
    eventually("three more sessions are idle", || {
        let now = idle(&exporter.metrics()?);
        ensure!((now - before - 3.0).abs() < f64::EPSILON, "{before} → {now}");
        Ok(())
    })?;
    drop(sessions);
    let page = exporter.metrics()?;
    ensure!(page.kind("pg_stat_activity_count") == Some("gauge"), "a gauge");
    let labels = page.all("pg_stat_activity_count", &[]).next().context("a sample")?;
    for label in ["datname", "state", "usename", "application_name"] {
        ensure!(labels.labels.contains_key(label), "{label}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, clippy::float_cmp, reason = "a test waits for counts at rest")]
async fn postgres_rows_and_transactions_are_counted() -> Result<()> {
    let server = Postgres::start().await?;
    let exporter = server.exporter(&[])?;
    // A table's definition is rows as well. A session hands in its counts at the latest when it ends.
    server.client().await?.batch_execute("CREATE TABLE counted (id int)").await?;
    let client = server.client().await?;
    // And so are the statistics which autovacuum writes.
    client.batch_execute("ALTER SYSTEM SET autovacuum = off").await?;
    client.batch_execute("SELECT pg_reload_conf()").await?;
    let value = |page: &Page, what: &str| {
        let name = format!("pg_stat_database_{what}");
        page.value(&name, &[("datname", "lakehouse")]).with_context(|| name.clone())
    };
    let mut before = exporter.metrics()?;
    eventually("the counts are at rest", || {
        let earlier = std::mem::replace(&mut before, exporter.metrics()?);
        std::thread::sleep(Duration::from_millis(1_200));
        before = exporter.metrics()?;
        let at_rest = value(&earlier, "tup_inserted")? == value(&before, "tup_inserted")?;
        ensure!(at_rest, "still counting");
        Ok(())
    })?;
    client.batch_execute("INSERT INTO counted SELECT generate_series(1, 100)").await?;
    client.batch_execute("UPDATE counted SET id = id + 1000 WHERE id <= 50").await?;
    client.batch_execute("DELETE FROM counted WHERE id BETWEEN 51 AND 70").await?;
    for _ in 0..5 {
        client.batch_execute("BEGIN; SELECT 1; ROLLBACK").await?;
    }
    for _ in 0..10 {
        client.batch_execute("BEGIN; SELECT 1; COMMIT").await?;
    }
    for (what, least, exact) in [
        ("tup_inserted", 100.0, true),
        ("tup_updated", 50.0, true),
        ("tup_deleted", 20.0, true),
        ("xact_rollback", 5.0, false),
        ("xact_commit", 10.0, false),
    ] {
        let before = value(&before, what)?;
        eventually(what, || {
            let page = exporter.metrics()?;
            let rise = value(&page, what)? - before;
            ensure!(rise >= least && (!exact || rise <= least), "rose by {rise}, not {least}");
            let kind = page.kind(&format!("pg_stat_database_{what}"));
            ensure!(kind == Some("counter"), "{kind:?}");
            Ok(())
        })?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_settings_tables_locks_and_sizes_are_shown() -> Result<()> {
    let server = Postgres::start().await?;
    let exporter = server.exporter(&[])?;
    let client = server.client().await?;
    client.batch_execute("CREATE TABLE shown AS SELECT generate_series(1, 7) AS id").await?;
    let setting = client.query_one("SHOW max_connections", &[]).await?;
    let setting: f64 = setting.get::<_, &str>(0).parse()?;
    let page = eventually("the table's statistics arrive", || {
        let page = exporter.metrics()?;
        let live = page.value("pg_stat_user_tables_n_live_tup", &[("relname", "shown")]);
        ensure!(live == Some(7.0), "{live:?}");
        Ok(page)
    })?;
    ensure!(page.value("pg_settings_max_connections", &[]) == Some(setting), "max_connections");
    ensure!(page.value("pg_up", &[]) == Some(1.0), "pg_up");
    let size = page.value("pg_database_size_bytes", &[("datname", "lakehouse")]);
    ensure!(size.is_some_and(|bytes| bytes > 1e6), "{size:?}");
    let locks =
        page.value("pg_locks_count", &[("datname", "lakehouse"), ("mode", "accesssharelock")]);
    ensure!(locks.is_some(), "locks");
    ensure!(page.value("pg_replication_is_replica", &[]) == Some(0.0), "replication");
    ensure!(page.all("pg_stat_bgwriter_buffers_alloc_total", &[]).count() == 1, "bgwriter");
    for collector in
        ["database", "locks", "replication", "stat_bgwriter", "stat_database", "stat_user_tables"]
    {
        let success = page.value("pg_scrape_collector_success", &[("collector", collector)]);
        ensure!(success == Some(1.0), "{collector}: {success:?}\n{}", exporter.log());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_may_stop_hang_and_return() -> Result<()> {
    let server = Postgres::start().await?;
    let exporter = server.exporter(&["--web.fail-when-down"])?;
    stops_hangs_and_returns(&server.container, &exporter, "pg_up").await?;
    let log = exporter.stop()?.log;
    ensure!(!log.contains(MONITOR_PASSWORD) && !log.contains(MONITOR_PASSWORD_ENCODED), "{log}");
    Ok(())
}

/// Pauses, stops and starts a server again: the page tells within the time that a scraper allows.
async fn stops_hangs_and_returns(
    server: &ContainerAsync<GenericImage>,
    exporter: &Exporter,
    gauge: &str,
) -> Result<()> {
    let is = |status: u16, value: u8| {
        let line = format!("{gauge} {value}");
        eventually(&line, || {
            let address = format!("http://{}/metrics", exporter.address());
            let answer = get_with(&address, &[("X-Prometheus-Scrape-Timeout-Seconds", "5")])?;
            ensure!(answer.status == status, "{}", answer.status);
            ensure!(answer.body.contains(&format!("\n{line}\n")), "{}", answer.body);
            Ok(())
        })
    };
    is(200, 1)?;
    server.pause().await?;
    within(Duration::from_secs(10), "while it hangs", || is(503, 0))?;
    server.unpause().await?;
    is(200, 1)?;
    server.stop_with_timeout(Some(10)).await?;
    within(Duration::from_secs(10), "while it is down", || is(503, 0))?;
    server.start().await?;
    is(200, 1)
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long an answer takes")]
fn within(limit: Duration, what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    work()?;
    ensure!(start.elapsed() < limit, "{what}: {:?}", start.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn valkey_memory_clients_and_commands_are_shown() -> Result<()> {
    let server = Valkey::start().await?;
    let exporter = server.exporter(&[])?;
    let mut connection = server.connect().await?;
    redis::cmd("SET").arg("here").arg(1).exec_async(&mut connection).await?;
    let before = exporter.metrics()?;
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(server.connect().await?);
    }
    for _ in 0..10 {
        redis::cmd("GET").arg("here").exec_async(&mut connection).await?;
        redis::cmd("GET").arg("missing").exec_async(&mut connection).await?;
    }
    for _ in 0..100 {
        redis::cmd("PING").exec_async(&mut connection).await?;
    }
    let after = exporter.metrics()?;
    drop(sessions);

    let rise = |name: &str, labels: &[(&str, &str)]| -> Result<f64> {
        let value = |page: &Page| page.value(name, labels).with_context(|| name.to_owned());
        Ok(value(&after)? - value(&before).unwrap_or(0.0))
    };
    for (name, labels, expected) in [
        ("redis_keyspace_hits_total", &[][..], 10.0),
        ("redis_keyspace_misses_total", &[], 10.0),
        ("redis_connected_clients", &[], 5.0),
        ("redis_commands_total", &[("cmd", "get")], 20.0),
    ] {
        let rise = rise(name, labels)?;
        ensure!((rise - expected).abs() < f64::EPSILON, "{name} rose by {rise}");
    }
    ensure!(rise("redis_commands_processed_total", &[])? >= 120.0, "commands");
    ensure!(
        after.value("redis_memory_max_bytes", &[]) == Some(VALKEY_MAXMEMORY_BYTES),
        "maxmemory"
    );
    ensure!(after.value("redis_config_maxclients", &[]).is_some_and(|n| n > 0.0), "maxclients");
    ensure!(after.value("redis_db_keys", &[("db", "db0")]) == Some(1.0), "keys");
    ensure!(after.value("redis_up", &[]) == Some(1.0), "up");

    let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await?;
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).context("used")?;
    let used: f64 = used.trim().parse()?;
    let shown = after.value("redis_memory_used_bytes", &[]).context("memory")?;
    ensure!((shown - used).abs() < 0.2 * used, "{shown} is not about {used}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn valkey_may_stop_hang_and_return() -> Result<()> {
    let server = Valkey::start().await?;
    let exporter = server.exporter(&["--web.fail-when-down"])?;
    stops_hangs_and_returns(&server.container, &exporter, "redis_up").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn seaweedfs_has_what_the_rules_read() -> Result<()> {
    let server = Seaweedfs::start().await?;
    let file = format!("{}/lake/orders.csv", server.filer);
    eventually("a file is written", || {
        let answer = ureq::put(&file).send("id,total\n1,84\n").context("PUT")?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        Ok(())
    })?;
    ensure!(get(&file)?.body.contains("1,84"), "it reads back");
    let page = Page::parse(&get(&format!("{}/metrics", server.metrics))?.body);
    for kind in ["all", "used", "free"] {
        let resource = page.sum("SeaweedFS_volumeServer_resource", &[("type", kind)]);
        ensure!(resource > 0.0, "resource {kind}");
    }
    ensure!(page.sum("SeaweedFS_volumeServer_request_total", &[]) > 0.0, "requests");
    let master = page.types.keys().any(|name| name.starts_with("SeaweedFS_master_"));
    ensure!(master, "the master's families");
    Ok(())
}

/// Names without end, over UDP, at a container with 64 MiB: what there is no room for is refused and
/// counted, what is there goes on, and the container lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_names_does_not_kill_a_small_container() -> Result<()> {
    const MEMORY_BYTES: i64 = 64 << 20;
    const NAMES: usize = 600_000;
    let server = Statsd::start(MEMORY_BYTES).await?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let page = || -> Result<Page> {
        let answer = get(&format!("{}/metrics", server.address))?;
        ensure!(answer.status == 200, "{}", answer.status);
        Ok(Page::parse(&answer.body))
    };
    socket.send_to(b"there.before:1|c", server.udp)?;
    let lines: Vec<String> = (0..NAMES)
        .map(|number| match number % 3 {
            0 => format!("flood.{number}.some.name:1|c"),
            1 => format!("flood.labels:1|g|#host:host{number},region:eu"),
            _ => format!("flood.timers:{number}|ms|#host:host{}", number % 20_000),
        })
        .collect();
    for (number, lines) in lines.chunks(20).enumerate() {
        socket.send_to(lines.join("\n").as_bytes(), server.udp)?;
        // About 100,000 lines a second, and a page now and then.
        if number % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if number % 5_000 == 0 {
            page()?;
        }
    }
    socket.send_to(b"there.before:5|c\nlast:1|c", server.udp)?;
    let page = eventually("what is there goes on", || {
        let page = page()?;
        ensure!(page.value("there_before", &[]) == Some(6.0), "not yet");
        Ok(page)
    })?;
    let refused = page.sum("statsd_exporter_limit_refusals_total", &[]);
    ensure!(refused > 10_000.0, "{refused} refused");
    let resident = page.value("process_resident_memory_bytes", &[]).context("resident memory")?;
    ensure!(resident < MEMORY_BYTES as f64, "{resident} bytes");
    ensure!(server.container.is_running().await?, "the container has ended");
    let live = get(&format!("{}/health/live", server.address))?;
    ensure!(live.status == 200, "{}", live.body);
    Ok(())
}
