//! Servers at their limits: no space, very many tables, a clock that is stepped.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{
    Exporter, Page, eventually, eventually_within,
    postgres::{becomes, connections, is, scrape, succeeded},
    repository,
    servers::{Postgres, Setup},
};
use testcontainers::core::Mount;
use tokio_postgres::{Client, error::SqlState};

/// Every collector that reads the clock is among these, or on by default.
const AGEING: [&str; 7] = [
    "--collector.archive_backlog",
    "--collector.blocking",
    "--collector.long_running_transactions",
    "--collector.prepared_transactions",
    "--collector.process_idle",
    "--collector.subscriptions",
    "--web.enable-lifecycle",
];
/// What is an age on the page of the server below.
const AGES: [&str; 10] = [
    "pg_archive_backlog_oldest_seconds",
    "pg_blocking_longest_wait_seconds",
    "pg_blocking_root_transaction_seconds",
    "pg_exporter_last_scrape_duration_seconds",
    "pg_long_running_transactions_oldest_timestamp_seconds",
    "pg_prepared_transactions_oldest_seconds",
    "pg_replication_lag_seconds",
    "pg_replication_last_replay_seconds",
    "pg_scrape_collector_duration_seconds",
    "pg_stat_activity_max_tx_duration",
];

/// Every collector that ran succeeded.
fn all_succeeded(page: &Page) -> Result<()> {
    is(page, "pg_up", &[], 1.0)?;
    let failed =
        page.samples.iter().find(|s| s.name == "pg_scrape_collector_success" && s.value < 1.0);
    ensure!(failed.is_none(), "{failed:?}");
    is(page, "pg_exporter_last_scrape_error", &[], 0.0)
}

/// The code with which a statement fails.
async fn refused(client: &Client, statement: &str) -> Result<SqlState> {
    match client.batch_execute(statement).await {
        Ok(()) => bail!("{statement} succeeds"),
        Err(error) => error.code().cloned().with_context(|| format!("{statement}: {error}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_no_page() -> Result<()> {
    // The server is started again when it ends, as an orchestrator does it: its data stay.
    let server = Postgres::start_as(Setup {
        script: Some("while :; do docker-entrypoint.sh postgres \"$@\"; sleep 0.2; done"),
        // No checkpoint but the one below gives back what the log takes.
        arguments: &["-c", "checkpoint_timeout=1h", "-c", "min_wal_size=32MB"],
        mounts: vec![Mount::tmpfs_mount("/var/lib/postgresql").with_size_bytes(256 << 20)],
        ..Setup::default()
    })
    .await?;
    let owner = server.client().await?;
    owner.batch_execute("CREATE TABLE growing (text text)").await?;
    let exporter = server.exporter(&["--auto-discover-databases"])?;
    becomes(&exporter, 1.0)?;

    // Nothing can be written any more, but for what has its place already; reading goes on.
    for statement in ["SELECT pg_switch_wal()", "CHECKPOINT"] {
        owner.batch_execute(statement).await?;
    }
    let fill = "dd if=/dev/zero of=/var/lib/postgresql/filling bs=64k 2>/dev/null || true";
    server.run(fill, &[]).await?;
    let grow = "INSERT INTO growing SELECT md5(n::text) FROM generate_series(1, 3000) AS n";
    ensure!(refused(&owner, grow).await? == SqlState::DISK_FULL, "the disk is full");
    for _ in 0..3 {
        all_succeeded(&scrape(&exporter, "/metrics", 10)?)?;
    }

    // Where the log cannot be continued, the server ends all sessions and begins anew.
    let message = "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))";
    let mut ended = false;
    for _ in 0..200 {
        ended = ended || owner.batch_execute(message).await.is_err();
        if ended {
            break;
        }
    }
    ensure!(ended, "the log grows although the disk is full");
    for _ in 0..3 {
        scrape(&exporter, "/metrics", 10)?;
    }

    server.run("rm /var/lib/postgresql/filling", &[]).await?;
    eventually_within(Duration::from_mins(1), "the server is whole again", || {
        all_succeeded(&scrape(&exporter, "/metrics", 10)?)
    })?;
    server.client().await?.batch_execute(grow).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tables_are_a_page_within_bounds() -> Result<()> {
    const TABLES: usize = 10_000;
    let server = Postgres::start_with(&["-c", "fsync=off", "-c", "full_page_writes=off"]).await?;
    let owner = server.client().await?;
    owner
        .batch_execute(&format!(
            "DO $$ BEGIN FOR n IN 1..{TABLES} LOOP EXECUTE format('CREATE TABLE many_%s (id int)', n); \
             IF n % 1000 = 0 THEN COMMIT; END IF; END LOOP; END $$"
        ))
        .await?;
    let exporter = server.exporter(&[])?;
    for _ in 0..3 {
        let page = scrape(&exporter, "/metrics", 25)?;
        all_succeeded(&page).with_context(|| exporter.log())?;
        for name in
            ["pg_stat_user_tables_table_size_bytes", "pg_statio_user_tables_heap_blocks_hit"]
        {
            let tables = page.all(name, &[]).filter(|s| s.labels["relname"].starts_with("many_"));
            let count = tables.count();
            ensure!(count == TABLES, "{name}: {count} tables");
        }
        let connections = connections(&owner).await?;
        ensure!(connections <= 3, "{connections} connections");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", exporter.id()))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse()?;
    ensure!(peak < 256 * 1024, "{peak} kB at most in memory");
    Ok(())
}

/// The library which steps a clock, and the file with the step for programs of this machine.
struct Clock {
    folder: tempfile::TempDir,
}

impl Clock {
    fn new() -> Result<Self> {
        let clock = Self { folder: tempfile::tempdir()? };
        let source = repository().join("tests/preload/clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(clock.library()).arg(source);
        ensure!(compiler.status().context("cc runs")?.success(), "cc fails");
        clock.step(0)?;
        Ok(clock)
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("clock.so")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("step")
    }

    fn step(&self, seconds: i64) -> Result<()> {
        Ok(fs::write(self.file(), seconds.to_string())?)
    }
}

#[expect(clippy::disallowed_methods, reason = "a test compares clocks")]
fn now() -> Result<f64> {
    Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64())
}

/// Something of each age: a transaction, who waits for it, one that is prepared, a file to archive.
async fn ages(server: &Postgres) -> Result<Vec<Client>> {
    let mut sessions = Vec::new();
    for statements in [
        "SELECT pg_switch_wal()",
        "CREATE TABLE waiting (id int)",
        "BEGIN; LOCK TABLE waiting IN ACCESS EXCLUSIVE MODE",
        "BEGIN; CREATE TABLE prepared (id int); PREPARE TRANSACTION 'forgotten'",
    ] {
        let session = server.client().await?;
        session.batch_execute(statements).await.context(statements)?;
        sessions.push(session);
    }
    let waiting = server.client().await?;
    let patience = Duration::from_millis(300);
    drop(tokio::time::timeout(patience, waiting.batch_execute("TABLE waiting")).await);
    sessions.push(waiting);
    Ok(sessions)
}

/// Every age on the page is there, none is negative, none is more than `most` seconds.
fn ages_are_sane(exporter: &Exporter, most: f64) -> Result<()> {
    let page = scrape(exporter, "/metrics", 10)?;
    all_succeeded(&page)?;
    for name in AGES {
        ensure!(page.all(name, &[]).next().is_some(), "no {name}");
        let wrong = page.all(name, &[]).find(|sample| !(0.0..=most).contains(&sample.value));
        ensure!(wrong.is_none(), "{wrong:?}");
    }
    // A sum of the ages of many sessions.
    let idle = |part: &str| page.sum(&format!("pg_process_idle_seconds_{part}"), &[]);
    let (sum, count) = (idle("sum"), idle("count"));
    ensure!(count > 0.0 && (0.0..=most * count).contains(&sum), "{count} idle for {sum} s");
    let archived = page.value("pg_stat_archiver_last_archive_age", &[]);
    ensure!(archived.is_none_or(|age| age.is_nan() || (0.0..=most).contains(&age)), "{archived:?}");
    ensure!(page.value("pg_blocking_blocked_sessions", &[("datname", "lakehouse")]) == Some(1.0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_stepped_makes_no_age_negative_or_huge() -> Result<()> {
    const HOUR: i64 = 3600;
    let clock = Clock::new()?;
    let server = Postgres::start_as(Setup {
        arguments: &[
            "-c",
            "max_prepared_transactions=5",
            "-c",
            "archive_mode=on",
            "-c",
            "archive_command=false",
        ],
        environment: &[("LD_PRELOAD", "/clock/clock.so"), ("CLOCK_STEP_FILE", "/clock/step")],
        files: vec![
            ("/clock/clock.so", fs::read(clock.library())?),
            ("/clock/step", b"0".to_vec()),
        ],
        ..Setup::default()
    })
    .await?;
    let _sessions = ages(&server).await?;
    let owner = server.client().await?;
    let (library, file) = (clock.library(), clock.file());
    let environment = [
        ("DATA_SOURCE_NAME", server.dsn()),
        ("LD_PRELOAD", library.to_string_lossy().into_owned()),
        ("CLOCK_STEP_FILE", file.to_string_lossy().into_owned()),
    ];
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let queries = clock.folder.path().join("queries.yml");
    fs::write(&queries, "one: {query: SELECT 1 AS n}\n")?;
    let queries = format!("--queries.file={}", queries.display());
    let args: Vec<_> = AGEING.into_iter().chain([queries.as_str()]).collect();
    let exporter = Exporter::start("postgres-exporter", &args, &environment)?;
    let minutes = 600.0;
    eventually("everything has an age", || ages_are_sane(&exporter, minutes))?;

    for (server_step, own_step) in [(-HOUR, 0), (0, -HOUR), (24 * HOUR, HOUR), (0, 0)] {
        server.run("printf %s \"$1\" >/clock/step", &[&server_step.to_string()]).await?;
        clock.step(own_step)?;
        let server_time = "SELECT extract(epoch FROM clock_timestamp())::float8";
        let server_time: f64 = owner.query_one(server_time, &[]).await?.get(0);
        let stepped = server_time - now()?;
        ensure!((stepped - server_step as f64).abs() < 300.0, "the server's clock: {stepped}");
        ensure!(e2e::post(&format!("http://{}/-/reload", exporter.address()))?.status == 200);
        let read = exporter
            .metrics()?
            .value("pg_queries_config_last_reload_success_timestamp_seconds", &[]);
        let stepped = read.context("when files were read")? - now()?;
        ensure!((stepped - own_step as f64).abs() < 300.0, "the exporter's clock: {stepped}");
        for _ in 0..2 {
            ages_are_sane(&exporter, server_step.max(0) as f64 + minutes)
                .with_context(|| format!("steps of {server_step} s and {own_step} s"))?;
        }
        let health = exporter.get("/health")?;
        ensure!(health.status == 200, "{}", health.body);
    }
    succeeded(&scrape(&exporter, "/metrics", 10)?, "stat_activity", 1.0)
}
