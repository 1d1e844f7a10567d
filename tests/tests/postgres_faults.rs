//! What goes wrong with a server, and what it costs: only what it concerns, seen, and not for ever.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    Exporter, Page, eventually, get_with,
    postgres::{becomes, connections, is, scrape, succeeded},
    repository,
    servers::{MONITOR_PASSWORD, Postgres},
};
use tokio_postgres::Client;

/// The default of `--max-connections`.
const CONNECTIONS_MAX: i64 = 3;

async fn end_connections(owner: &Client) -> Result<()> {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'postgres-exporter'";
    owner.batch_execute(end).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_hold_up_no_scrape_and_no_more_connections_than_allowed() -> Result<()> {
    let server = Postgres::start().await?;
    let owner = server.client().await?;
    owner.batch_execute("CREATE TABLE locked AS SELECT generate_series(1, 10000) AS id").await?;
    // Which also gives back the pages that were taken in advance.
    owner.batch_execute("VACUUM (ANALYZE) locked").await?;
    let size = "SELECT relpages * 8192.0::float8 FROM pg_class WHERE relname = 'locked'";
    let size: f64 = owner.query_one(size, &[]).await?.get(0);
    ensure!(size > 0.0, "the table has pages");
    let exporter = server.exporter(&[])?;
    becomes(&exporter, 1.0)?;

    let locker = server.client().await?;
    locker.batch_execute("BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE").await?;
    for _ in 0..6 {
        let page = scrape(&exporter, "/metrics", 10)?;
        is(&page, "pg_up", &[], 1.0)?;
        for collector in ["database", "stat_user_tables", "statio_user_tables", "stat_database"] {
            succeeded(&page, collector, 1.0)?;
        }
        is(&page, "pg_stat_user_tables_table_size_bytes", &[("relname", "locked")], size)?;
        let connections = connections(&owner).await?;
        ensure!(connections <= CONNECTIONS_MAX, "{connections} connections");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    locker.batch_execute("ROLLBACK").await?;

    // A query in the middle of which its connection is ended.
    locker.batch_execute("BEGIN; LOCK TABLE pg_stat_archiver IN ACCESS EXCLUSIVE MODE").await?;
    let address = format!("http://{}/metrics", exporter.address());
    let scraping = std::thread::spawn(move || get_with(&address, &[]));
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE application_name = 'postgres-exporter' AND wait_event_type = 'Lock'";
    let mut ended = 0_i64;
    for _ in 0..100 {
        ended = owner.query_one(end, &[]).await?.get(0);
        if ended > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ensure!(ended == 1, "{ended} connections waited for the lock");
    let response = scraping.join().ok().context("the scraper panicked")??;
    ensure!(response.status == 200, "{}", response.status);
    let page = Page::parse(&response.body);
    succeeded(&page, "stat_archiver", 0.0)?;
    is(&page, "pg_exporter_last_scrape_error", &[], 1.0)?;
    locker.batch_execute("ROLLBACK").await?;
    let page = scrape(&exporter, "/metrics", 10)?;
    is(&page, "pg_up", &[], 1.0)?;
    succeeded(&page, "stat_archiver", 1.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_odd_costs_only_itself() -> Result<()> {
    let server = Postgres::start().await?;
    let owner = server.client().await?;
    owner
        .batch_execute(
            "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
        )
        .await?;
    owner.batch_execute("CREATE DATABASE short").await?;
    owner.batch_execute("CREATE DATABASE closed").await?;
    owner.batch_execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC").await?;
    psql(&server, "ascii", "DO $$ BEGIN EXECUTE format('CREATE TABLE %I (id int)', 'odd' || chr(255)); END $$; CREATE TABLE even (id int)").await?;

    let exporter = server.exporter(&["--auto-discover-databases"])?;
    becomes(&exporter, 1.0)?;
    let page = scrape(&exporter, "/metrics", 10)?;
    let table = |name| [("datname", "ascii"), ("relname", name)];
    is(&page, "pg_stat_user_tables_seq_scan", &table("even"), 0.0)?;
    is(&page, "pg_stat_user_tables_seq_scan", &table("\u{fffd}"), 0.0)?;
    for (database, asked) in [("lakehouse", true), ("short", true), ("closed", false)] {
        let value = page.value("pg_scrape_database_success", &[("datname", database)]);
        ensure!(value == asked.then_some(1.0), "{database}: {value:?}");
    }
    let connections = connections(&owner).await?;
    ensure!(connections <= CONNECTIONS_MAX, "{connections} connections");
    // Nobody is left there who would keep a database from being dropped.
    eventually("the database can be dropped", || {
        let dropping = async { owner.batch_execute("DROP DATABASE IF EXISTS short").await };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(dropping))?;
        Ok(())
    })?;
    let page = scrape(&exporter, "/metrics", 10)?;
    ensure!(page.value("pg_scrape_database_success", &[("datname", "short")]).is_none());
    succeeded(&page, "stat_user_tables", 1.0)?;

    // A role with no rights but to log in.
    owner.batch_execute("CREATE ROLE poor LOGIN PASSWORD 'poor'").await?;
    let dsn = format!("postgresql://poor:poor@127.0.0.1:{}/postgres?sslmode=disable", server.port);
    let poor = Exporter::start("postgres-exporter", &[], &[("DATA_SOURCE_NAME", &dsn)])?;
    let page = scrape(&poor, "/metrics", 10)?;
    is(&page, "pg_up", &[], 1.0)?;
    let reason = [("collector", "wal"), ("reason", "privilege")];
    is(&page, "pg_scrape_collector_skipped", &reason, 1.0)?;
    succeeded(&page, "stat_database", 1.0)?;

    // The role that the script makes has all it needs.
    let script = fs::read_to_string(repository().join("deploy/postgres/monitoring-role.sql"))?;
    for password in ["first", "it's"] {
        let script = format!(
            "\\set password '{}'\n\\set role least\n{script}",
            password.replace('\'', "''")
        );
        psql(&server, "lakehouse", &script).await?;
    }
    owner.batch_execute("GRANT CONNECT ON DATABASE lakehouse TO least").await?;
    let dsn = format!(
        "host=127.0.0.1 port={} user=least password='it\\'s' dbname=lakehouse sslmode=disable",
        server.port
    );
    let least = Exporter::start("postgres-exporter", &[], &[("DATA_SOURCE_NAME", &dsn)])?;
    let page = scrape(&least, "/metrics", 10)?;
    is(&page, "pg_exporter_last_scrape_error", &[], 0.0)?;
    let failed =
        page.samples.iter().find(|s| s.name == "pg_scrape_collector_success" && s.value < 1.0);
    ensure!(failed.is_none(), "{failed:?}");
    ensure!(page.all("pg_scrape_collector_skipped", &[]).next().is_none(), "nothing is skipped");
    Ok(())
}

/// Runs a script in the server's container as its owner.
async fn psql(server: &Postgres, database: &str, script: &str) -> Result<()> {
    let command = "printf '%s' \"$1\" | PGPASSWORD=owner psql --no-psqlrc -v ON_ERROR_STOP=1 -h 127.0.0.1 -U postgres -d \"$2\"";
    server.run(command, &[script, database]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_fail_are_seen_and_come_back() -> Result<()> {
    let server = Postgres::start_with(&["-c", "max_connections=12"]).await?;
    let owner = server.client().await?;
    let exporter = server.exporter(&[])?;
    becomes(&exporter, 1.0)?;

    owner.batch_execute("ALTER ROLE monitor PASSWORD 'another'").await?;
    end_connections(&owner).await?;
    becomes(&exporter, 0.0)?;
    let health = exporter.get("/health")?;
    ensure!(health.status == 503, "{health:?}");
    owner.batch_execute(&format!("ALTER ROLE monitor PASSWORD '{MONITOR_PASSWORD}'")).await?;
    becomes(&exporter, 1.0)?;

    // As many sessions as the server has.
    end_connections(&owner).await?;
    let mut sessions = Vec::new();
    while let Ok(session) = lake(&server).await {
        sessions.push(session);
    }
    ensure!(!sessions.is_empty(), "the server is full");
    becomes(&exporter, 0.0)?;
    drop(sessions);
    becomes(&exporter, 1.0)?;
    drop(exporter);

    // A password in a file is read at each login.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("password");
    let write = |text: &str| -> Result<()> {
        fs::write(&file, text)?;
        Ok(fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?)
    };
    write(MONITOR_PASSWORD)?;
    let uri = format!("127.0.0.1:{}/lakehouse?sslmode=disable", server.port);
    let path = file.to_string_lossy().into_owned();
    let environment = [
        ("DATA_SOURCE_URI", uri.as_str()),
        ("DATA_SOURCE_USER", "monitor"),
        ("DATA_SOURCE_PASS_FILE", &path),
    ];
    let exporter = Exporter::start("postgres-exporter", &[], &environment)?;
    becomes(&exporter, 1.0)?;
    owner.batch_execute("ALTER ROLE monitor PASSWORD 'rotated'").await?;
    end_connections(&owner).await?;
    becomes(&exporter, 0.0)?;
    write("rotated\n")?;
    becomes(&exporter, 1.0)?;
    drop(exporter);
    probes(&server, &owner)
}

async fn lake(server: &Postgres) -> Result<Client> {
    let dsn =
        format!("host=127.0.0.1 port={} user=lake password=lake dbname=lakehouse", server.port);
    let (client, connection) = tokio_postgres::connect(&dsn, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// `/probe` with a module whose file is read again.
fn probes(server: &Postgres, _owner: &Client) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("postgres_exporter.yml");
    let module = |password: &str| {
        format!(
            "auth_modules:\n  main:\n    userpass: {{username: monitor, password: {password}}}\n    \
             options: {{sslmode: disable}}\n    targets: [127.0.0.1]\n"
        )
    };
    fs::write(&file, module("wrong"))?;
    let config = format!("--config.file={}", file.display());
    let exporter = Exporter::start("postgres-exporter", &[&config], &[])?;
    let path = format!("/probe?target=127.0.0.1:{}/lakehouse&auth_module=main", server.port);
    let page = scrape(&exporter, &path, 10)?;
    is(&page, "pg_up", &[], 0.0)?;
    fs::write(&file, module("rotated"))?;
    ensure!(Command::new("kill").args(["-HUP", &exporter.id().to_string()]).status()?.success());
    eventually("the new password is used", || {
        is(&scrape(&exporter, &path, 10)?, "pg_up", &[], 1.0)
    })?;
    let page = scrape(&exporter, &path, 10)?;
    ensure!(page.kind("pg_stat_database_xact_commit") == Some("counter"), "its collectors");
    ensure!(page.kind("postgres_exporter_build_info").is_none(), "nothing of the process");
    for (query, text) in [
        ("", "target is required\n"),
        (
            "?target=localhost&auth_module=main",
            "could not configure dsn for target: the host is not one of the module's targets\n",
        ),
        ("?target=127.0.0.1&auth_module=other", "auth_module other not found\n"),
    ] {
        let response = exporter.get(&format!("/probe{query}"))?;
        ensure!(response.status == 400 && response.body == text, "{response:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_is_promoted_is_followed() -> Result<()> {
    let primary = Postgres::start().await?;
    let standby = primary.standby(&[]).await?;
    let exporter = standby.exporter(&["--collector.stat_wal_receiver"])?;
    let follower = primary.exporter(&[])?;
    eventually("the standby is one", || {
        is(&scrape(&exporter, "/metrics", 10)?, "pg_replication_is_replica", &[], 1.0)
    })?;
    eventually("the primary sees it", || {
        let page = scrape(&follower, "/metrics", 10)?;
        let labels = [("slot_name", "standby"), ("state", "streaming")];
        ensure!(page.value("pg_stat_replication_pg_wal_lsn_diff", &labels).is_some());
        is(&page, "pg_replication_slots_slot_is_active", &[("slot_name", "standby")], 1.0)
    })?;
    let labels = [("slot_name", "standby"), ("status", "streaming")];
    let page = scrape(&exporter, "/metrics", 10)?;
    ensure!(page.value("pg_stat_wal_receiver_received_tli", &labels).is_some(), "a receiver");

    // The primary dies, and the standby takes its place.
    primary.container.stop_with_timeout(Some(0)).await?;
    becomes(&follower, 0.0)?;
    let page = scrape(&exporter, "/metrics", 10)?;
    is(&page, "pg_up", &[], 1.0)?;
    is(&page, "pg_replication_is_replica", &[], 1.0)?;
    let owner = standby.client().await?;
    owner.batch_execute("SELECT pg_promote()").await?;
    eventually("the promotion is seen", || {
        let page = scrape(&exporter, "/metrics", 10)?;
        is(&page, "pg_replication_is_replica", &[], 0.0)?;
        ensure!(page.all("pg_stat_wal_receiver_received_tli", &[]).next().is_none(), "no receiver");
        is(&page, "pg_exporter_last_scrape_error", &[], 0.0)
    })?;
    owner.batch_execute("CREATE TABLE afterwards (id int)").await?;
    eventually("its statistics go on", || {
        let table = [("relname", "afterwards")];
        is(&scrape(&exporter, "/metrics", 10)?, "pg_stat_user_tables_n_live_tup", &table, 0.0)
    })
}
