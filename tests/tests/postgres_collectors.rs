//! The collectors that `postgres_exporter` does not have, and queries from files, against one real
//! server on which there is something to see for each of them.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use e2e::{Exporter, Page, eventually, run_to_end, servers::Postgres};
use testcontainers::core::ExecCommand;
use tokio_postgres::{Client, NoTls};

/// Every collector that is off by default, reads the server, and is not one of `postgres_exporter`'s.
const COLLECTORS: [&str; 22] = [
    "archive_backlog",
    "bloat",
    "blocking",
    "indexes",
    "pending_restart",
    "pgvector",
    "prepared_transactions",
    "sequences",
    "stat_io",
    "stat_progress_analyze",
    "stat_progress_basebackup",
    "stat_progress_cluster",
    "stat_progress_copy",
    "stat_progress_create_index",
    "stat_slru",
    "stat_ssl",
    "stat_wal",
    "subscriptions",
    "top_statements",
    "vector_search",
    "wait_events",
    "xmin_horizon",
];

/// Some labels of a sample.
type Labels = &'static [(&'static str, &'static str)];

/// What there is to see: a sample which has to be there, and the least that it is.
const EXPECTED: &[(&str, Labels, f64)] = &[
    ("pg_archive_backlog_files", &[], 1.0),
    ("pg_bloat_table_estimated_bytes", &[("relname", "bloated")], 1e6),
    ("pg_bloat_index_estimated_bytes", &[("indexrelname", "bloated_pkey")], 1e6),
    ("pg_blocking_blocked_sessions", &[("datname", "lakehouse")], 2.0),
    ("pg_blocking_longest_wait_seconds", &[("datname", "lakehouse")], 0.001),
    ("pg_blocking_root_blocked_sessions", &[("application_name", "root")], 2.0),
    ("pg_blocking_root_transaction_seconds", &[("application_name", "root")], 0.001),
    ("pg_index_size_bytes", &[("indexrelname", "bloated_pkey")], 8192.0),
    ("pg_index_valid", &[("indexrelname", "bloated_pkey")], 1.0),
    ("pg_index_problem_indexes", &[("problem", "duplicate")], 1.0),
    ("pg_index_problem_indexes", &[("problem", "invalid")], 1.0),
    ("pg_index_problem_indexes", &[("problem", "unused")], 2.0),
    ("pg_pending_restart_setting", &[("name", "max_connections")], 1.0),
    ("pg_pending_restart_settings", &[], 1.0),
    ("pg_prepared_transactions_count", &[("datname", "lakehouse")], 1.0),
    ("pg_prepared_transactions_oldest_seconds", &[("datname", "lakehouse")], 0.001),
    ("pg_sequence_used_ratio", &[("sequencename", "ending_id_seq")], 0.99),
    ("pg_sequence_remaining_values", &[("sequencename", "ending_id_seq")], 600.0),
    ("pg_stat_progress_analyze_sample_blocks_total", &[], 100.0),
    ("pg_stat_progress_basebackup_streamed_bytes", &[], 1.0),
    ("pg_stat_progress_cluster_heap_blocks_total", &[("command", "VACUUM FULL")], 0.0),
    ("pg_stat_progress_copy_tuples_processed", &[("command", "COPY TO")], 0.0),
    ("pg_stat_progress_create_index_lockers_total", &[], 1.0),
    ("pg_stat_slru_blocks_hit_total", &[("name", "transaction")], 1.0),
    ("pg_stat_ssl_sessions", &[("version", "none"), ("datname", "lakehouse")], 3.0),
    ("pg_stat_wal_records_total", &[], 100.0),
    ("pg_subscription_workers", &[("subname", "sleeping")], 0.0),
    ("pg_subscription_workers", &[("subname", "working")], 1.0),
    ("pg_subscription_enabled", &[("subname", "sleeping")], 0.0),
    ("pg_subscription_enabled", &[("subname", "working")], 1.0),
    ("pg_subscription_last_message_age_seconds", &[("subname", "working")], 0.0),
    ("pg_subscription_last_message_delay_seconds", &[("subname", "working")], 0.0),
    ("pg_subscription_received_position_bytes", &[("subname", "working")], 1e6),
    ("pg_subscription_unreported_bytes", &[("subname", "working")], 0.0),
    ("pg_subscription_tables", &[("subname", "working"), ("state", "ready")], 1.0),
    ("pg_subscription_tables", &[("subname", "sleeping"), ("state", "copy")], 0.0),
    ("pg_subscription_apply_errors_total", &[("subname", "sleeping")], 0.0),
    ("pg_top_statements_calls_total", &[("queryid", "other")], 0.0),
    ("pg_vector_search_calls_total", &[("datname", "lakehouse"), ("operator", "<->")], 3.0),
    ("pg_vector_search_rows_total", &[("datname", "lakehouse"), ("operator", "<->")], 9.0),
    ("pg_vector_search_seconds_total", &[("datname", "lakehouse"), ("operator", "<->")], 1e-6),
    ("pg_vector_search_mean_seconds_bucket", &[("operator", "<->"), ("le", "30")], 3.0),
    ("pg_wait_events_samples_total", &[("wait_event", "PgSleep"), ("datname", "lakehouse")], 2.0),
    ("pg_xmin_horizon_age_transactions", &[("holder", "prepared_transaction")], 1.0),
    ("pg_xmin_horizon_age_transactions", &[("holder", "backend")], 1.0),
];

/// What there is to see besides where the image has pgvector.
const EXPECTED_OF_VECTORS: &[(&str, Labels, f64)] = &[
    ("pg_vector_index_size_bytes", &[("indexrelname", "items_hnsw"), ("method", "hnsw")], 8192.0),
    ("pg_vector_index_tuples", &[("indexrelname", "items_hnsw")], 2000.0),
    ("pg_vector_index_scans_total", &[("indexrelname", "items_hnsw")], 1.0),
    ("pg_vector_index_entries_read_total", &[("indexrelname", "items_hnsw")], 5.0),
    ("pg_vector_index_valid", &[("indexrelname", "items_ivf"), ("method", "ivfflat")], 1.0),
    ("pg_vector_index_scans_total", &[("indexrelname", "items_ivf")], 1.0),
    ("pg_vector_index_build_tuples_done", &[("method", "hnsw")], 0.0),
    ("pg_vector_search_calls_total", &[("operator", "<=>")], 1.0),
    ("pg_vector_search_seconds_total", &[("operator", "<=>")], 1e-6),
];

/// Searches of vectors.
const SEARCHES_OF_VECTORS: &[&str] = &[
    "SELECT id FROM items ORDER BY embedding <-> '[1,2,1]' LIMIT 5",
    "SELECT id FROM items ORDER BY embedding <=> '[1,2,1]' LIMIT 5",
];

/// Vectors, an index of each method, and a search on it.
const SETUP_OF_VECTORS: &[&str] = &[
    "CREATE EXTENSION vector",
    "CREATE TABLE items (id int, embedding vector(3))",
    "INSERT INTO items SELECT n, format('[%s,%s,1]', n % 97, n % 89)::vector FROM generate_series(1, 2000) AS n",
    "CREATE INDEX items_hnsw ON items USING hnsw (embedding vector_l2_ops)",
    "CREATE INDEX items_ivf ON items USING ivfflat (embedding vector_cosine_ops) WITH (lists = 10)",
    "SET enable_seqscan = off",
    SEARCHES_OF_VECTORS[0],
    SEARCHES_OF_VECTORS[1],
    "CREATE TABLE slow_items (id int)",
    "INSERT INTO slow_items SELECT generate_series(1, 50)",
    "CREATE FUNCTION slow_vector(int) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS \
     'BEGIN PERFORM pg_sleep(2); RETURN ''[1,2,3]''; END'",
];

/// It takes two minutes to build, in one transaction.
const BUILD_OF_VECTORS: &[&str] = &[
    "CREATE INDEX slow_vectors ON slow_items USING hnsw ((slow_vector(id)::vector(3)) vector_l2_ops)",
];

/// A table of another database of the server, as a subscription would have it.
const PUBLISHER: &[&str] = &[
    "CREATE TABLE orders (id int PRIMARY KEY)",
    "CREATE PUBLICATION orders FOR TABLE orders",
    "SELECT pg_create_logical_replication_slot('working', 'pgoutput')",
];

/// A search without vectors, and how often it is done while the exporter looks.
const SEARCH: &str =
    "SELECT n FROM generate_series(1, 9) AS n ORDER BY point(n, 1) <-> point(2, 3) LIMIT 3";
const SEARCHES: usize = 3;

/// Tables with something to see, and settings which wait.
const SETUP: &[&str] = &[
    "GRANT pg_read_all_data TO monitor",
    "CREATE TABLE bloated (id int PRIMARY KEY, text text) WITH (autovacuum_enabled = off)",
    "INSERT INTO bloated SELECT n, repeat('x', 100) FROM generate_series(1, 100000) AS n",
    "DELETE FROM bloated WHERE id % 10 <> 0",
    "VACUUM ANALYZE bloated",
    "CREATE INDEX first ON bloated (text)",
    "CREATE INDEX second ON bloated (text)",
    "CREATE TABLE whole (id bigint, text text, few int)",
    "INSERT INTO whole SELECT n, 'Text ' || md5(n::text), n % 100 FROM generate_series(1, 50000) AS n",
    "CREATE INDEX whole_text ON whole (text)",
    "CREATE INDEX whole_two ON whole (few, id)",
    "CREATE INDEX whole_lower ON whole (lower(text)) WITH (fillfactor = 90)",
    "VACUUM ANALYZE whole",
    "CREATE TABLE ending (id serial)",
    "SELECT setval('ending_id_seq', 2147483000)",
    "ALTER SYSTEM SET max_connections = 77",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "CREATE SUBSCRIPTION sleeping CONNECTION 'host=127.0.0.1 dbname=lakehouse' PUBLICATION none \
     WITH (connect = false, enabled = false, slot_name = NONE)",
    "CREATE TABLE orders (id int PRIMARY KEY)",
    "CREATE SUBSCRIPTION working CONNECTION \
     'host=/var/run/postgresql user=postgres password=owner dbname=airflow' \
     PUBLICATION orders WITH (create_slot = false, slot_name = 'working')",
    "CREATE TABLE waiting (id int)",
    "CREATE TABLE slow (id int)",
    "INSERT INTO slow SELECT generate_series(1, 50)",
    "CREATE FUNCTION slowly(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \
     'BEGIN IF current_setting(''slow.enabled'', true) = ''1'' THEN PERFORM pg_sleep(2); END IF; RETURN $1; END'",
    "CREATE INDEX slow_index ON slow (slowly(id))",
    "CREATE EXTENSION pg_stat_statements",
    SEARCH,
    // Tables are copied first, which waits for all transactions that write.
    "DO $$ BEGIN \
       FOR i IN 1..600 LOOP \
         IF EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate = 'r') THEN RETURN; END IF; \
         PERFORM pg_sleep(0.1); \
       END LOOP; \
       RAISE 'the subscription does not get ready'; \
     END $$",
];

/// Indexes, and how near the estimate of what each needs is to what pgstattuple says.
const INDEXES: &[&str] = &["bloated_pkey", "whole_text", "whole_two", "whole_lower"];
const ESTIMATE: std::ops::RangeInclusive<f64> = 0.9..=1.1;

/// Sessions which stay in the middle of what they do.
const SESSIONS: &[&[&str]] = &[
    // Two wait, the second one for the first.
    &["SET application_name = root", "BEGIN", "LOCK TABLE waiting IN ACCESS EXCLUSIVE MODE"],
    &["BEGIN", "SELECT * FROM waiting"],
    &["BEGIN", "LOCK TABLE waiting IN ACCESS EXCLUSIVE MODE"],
    &["BEGIN", "INSERT INTO ending DEFAULT VALUES", "PREPARE TRANSACTION 'forgotten'"],
    // A writer keeps the building of an index waiting.
    &["BEGIN", "INSERT INTO ending DEFAULT VALUES"],
    &["CREATE INDEX CONCURRENTLY later ON ending (id)"],
    &["COPY (SELECT pg_sleep(120)) TO STDOUT"],
    &["SET vacuum_cost_delay = 100", "SET vacuum_cost_limit = 1", "ANALYZE bloated"],
    &["SET slow.enabled = '1'", "VACUUM FULL slow"],
    &["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT pg_sleep(120) FROM pg_class LIMIT 1"],
];

#[tokio::test(flavor = "multi_thread")]
async fn every_collector_sees_what_it_is_for() -> Result<()> {
    let server = Postgres::start_with(&[
        "-c",
        "max_prepared_transactions=5",
        "-c",
        "wal_level=logical",
        "-c",
        "archive_mode=on",
        "-c",
        "archive_command=false",
        "-c",
        "shared_preload_libraries=pg_stat_statements",
    ])
    .await?;
    let owner = server.client().await?;
    run_all(&client_of(&server, "airflow").await?, PUBLISHER).await?;
    run_all(&owner, SETUP).await?;
    let has_vectors = has_vectors(&owner).await?;
    if has_vectors {
        run_all(&owner, SETUP_OF_VECTORS).await?;
    }
    // Fails, since texts are there twice, and leaves an index which is not valid.
    let failed = owner.batch_execute("CREATE UNIQUE INDEX CONCURRENTLY wrong ON bloated (text)");
    ensure!(failed.await.is_err(), "texts are there twice");

    let switches: Vec<String> =
        COLLECTORS.iter().map(|name| format!("--collector.{name}")).collect();
    let mut args: Vec<&str> = switches.iter().map(String::as_str).collect();
    let folder = tempfile::tempdir()?;
    let file = queries_file(folder.path())?;
    args.push(&file);
    args.push("--web.enable-lifecycle");
    let exporter = server.exporter(&args)?;
    searches_are_counted_from_now_on(&owner, &exporter, has_vectors).await?;
    let _busy = sessions(&server, has_vectors).await?;
    let backup = [
        "pg_basebackup",
        "-U",
        "postgres",
        "-D",
        "-",
        "-Ft",
        "-X",
        "none",
        "-r",
        "32",
        "-c",
        "fast",
    ];
    let backup = format!("{} >/dev/null 2>&1 &", backup.join(" "));
    server.container.exec(ExecCommand::new(["sh", "-c", &backup])).await?;

    eventually("there is something for every collector", || seen(&exporter, has_vectors))?;
    an_estimate_is_near_the_truth(&owner, &exporter).await?;
    queries_are_asked(&exporter)?;
    queries_are_asked_on_probes(&exporter, &server)?;
    a_prefix_is_for_maps_and_old_queries(&server, folder.path())?;
    a_wrong_file_changes_nothing(&exporter, folder.path())?;
    a_query_is_explained(&server, &file)
}

/// The image from packages has pgvector, the official one has not: its indexes are not looked at there.
async fn has_vectors(owner: &Client) -> Result<bool> {
    let known = "SELECT FROM pg_available_extensions WHERE name = 'vector'";
    Ok(owner.query_opt(known, &[]).await?.is_some())
}

/// A session of the owner in another database.
async fn client_of(server: &Postgres, database: &str) -> Result<Client> {
    let dsn = format!(
        "host=127.0.0.1 port={} user=postgres password=owner dbname={database} connect_timeout=2",
        server.port
    );
    let (client, connection) = tokio_postgres::connect(&dsn, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn run_all(client: &Client, statements: &[&str]) -> Result<()> {
    for statement in statements {
        client.batch_execute(statement).await.with_context(|| (*statement).to_owned())?;
    }
    Ok(())
}

async fn sessions(server: &Postgres, with_vectors: bool) -> Result<Vec<Client>> {
    let mut busy = Vec::new();
    let more = with_vectors.then_some(BUILD_OF_VECTORS);
    for statements in SESSIONS.iter().copied().chain(more) {
        let client = server.client().await?;
        let (last, first) = statements.split_last().context("a session says something")?;
        for statement in first {
            client.batch_execute(statement).await.with_context(|| (*statement).to_owned())?;
        }
        // Sent at the first poll; the server goes on with it although nobody waits here.
        let sending = client.simple_query(last);
        let patience = std::time::Duration::from_millis(300);
        drop(tokio::time::timeout(patience, sending).await);
        busy.push(client);
    }
    Ok(busy)
}

/// What was done before the first scrape is not counted; what is done then is there for [`seen`].
async fn searches_are_counted_from_now_on(
    owner: &Client,
    exporter: &Exporter,
    with_vectors: bool,
) -> Result<()> {
    eventually("counting begins at 0", || {
        let page = exporter.metrics()?;
        let calls = page.value("pg_vector_search_calls_total", &[("operator", "<->")]);
        ensure!(calls == Some(0.0), "{calls:?}\n{}", exporter.log());
        Ok(())
    })?;
    run_all(owner, &[SEARCH; SEARCHES]).await?;
    let more = if with_vectors { SEARCHES_OF_VECTORS } else { &[] };
    run_all(owner, more).await
}

fn seen(exporter: &Exporter, with_vectors: bool) -> Result<()> {
    let page = exporter.metrics()?;
    for name in COLLECTORS {
        let success = page.value("pg_scrape_collector_success", &[("collector", name)]);
        ensure!(success == Some(1.0), "{name}: {success:?}\n{}", exporter.log());
    }
    let mut missing = Vec::new();
    let more = if with_vectors { EXPECTED_OF_VECTORS } else { &[] };
    for (name, labels, least) in EXPECTED.iter().chain(more) {
        let value = page.all(name, labels).map(|sample| sample.value).reduce(f64::max);
        if value.is_none_or(|value| value < *least) {
            missing.push(format!("{name}{labels:?} is {value:?}"));
        }
    }
    ensure!(missing.is_empty(), "{}", missing.join("; "));
    let io = page.sum("pg_stat_io_hits_total", &[("backend_type", "client backend")]);
    ensure!(io > 100.0, "stat_io: {io}");
    Ok(())
}

/// What pgstattuple measures by reading all pages of an index.
async fn an_estimate_is_near_the_truth(owner: &Client, exporter: &Exporter) -> Result<()> {
    owner.batch_execute("CREATE EXTENSION IF NOT EXISTS pgstattuple").await?;
    let page = exporter.metrics()?;
    for index in INDEXES {
        let labels = [("indexrelname", *index)];
        let value =
            |name: &str| page.value(name, &labels).with_context(|| format!("{name} {index}"));
        let size = value("pg_bloat_index_size_bytes")?;
        let needed = size - value("pg_bloat_index_estimated_bytes")?;
        let measure = "SELECT avg_leaf_density / 90 * index_size FROM pgstatindex($1::text)";
        let full: f64 = owner.query_one(measure, &[index]).await?.get(0);
        let ratio = needed / full;
        ensure!(
            ESTIMATE.contains(&ratio),
            "{index}: {needed} of {size} bytes are said to be needed, {full} are"
        );
    }
    Ok(())
}

/// A file with something for each way in which a query may go, and the flag for it.
fn queries_file(folder: &Path) -> Result<String> {
    let path = folder.join("queries.yml");
    fs::write(
        &path,
        "\
shop:
  query: SELECT name, n, 'x' AS text FROM (VALUES ('a', 1), ('b', NULL)) AS v (name, n)
  metrics:
    - name: {usage: LABEL}
    - n: {usage: GAUGE, description: Things, nulls: absent}
dice:
  query: |
    SELECT array_agg(le ORDER BY le) AS eyes, array_agg(n ORDER BY le) AS eyes_bucket,
           21 AS eyes_sum, 6 AS eyes_count, array_agg(le) AS half, 'many' AS half_count
    FROM (SELECT le, count(*) AS n FROM unnest(ARRAY[2, 4]) AS le
          JOIN generate_series(1, 6) AS eye ON eye <= le GROUP BY le) AS counted
  metrics:
    - eyes: {usage: HISTOGRAM, description: Eyes of a die}
    - half: {usage: HISTOGRAM, description: Without counts}
broken: {query: SELECT 1 / 0 AS n}
cached: {query: 'SELECT extract(epoch FROM clock_timestamp()) AS at', ttl: 1h}
often: {query: 'SELECT extract(epoch FROM clock_timestamp()) AS at', schedule: 0.5}
slow: {query: SELECT pg_sleep(30), timeout: 200ms}
elsewhere: {query: SELECT 1 AS n, role: standby}
unprobed: {query: SELECT 1 AS n, tags: ['not:probe']}
never: {query: SELECT 1 AS n, predicate_query: SELECT false}
needs: {query: SELECT 1 AS n, extensions: [no_such_extension]}
everywhere: {query: SELECT 1 AS n, databases: ['*', '!airflow']}
written: {query: CREATE TABLE forbidden (id int)}
fresh:
  query: SELECT now() - interval '5 seconds' AS newest
  schedule: 0.5
  health: {name: orders, max_age: 1m}
stale:
  query: SELECT 100 AS age
  schedule: 0.5
  health: {name: payments, max_age: 1m}
",
    )?;
    Ok(format!("--queries.file={}", path.display()))
}

fn queries_are_asked(exporter: &Exporter) -> Result<()> {
    let page = exporter.metrics()?;
    ensure!(page.value("shop_n", &[("name", "a")]) == Some(1.0), "shop_n");
    ensure!(page.all("shop_n", &[]).count() == 1, "NULL is absent");
    for (name, labels, expected) in [
        ("dice_eyes_bucket", &[("le", "2")][..], 2.0),
        ("dice_eyes_bucket", &[("le", "4")], 4.0),
        ("dice_eyes_bucket", &[("le", "+Inf")], 6.0),
        ("dice_eyes_sum", &[], 21.0),
        ("pg_queries_dropped", &[("query", "dice"), ("reason", "buckets")], 1.0),
    ] {
        let value = page.value(name, labels);
        ensure!(value == Some(expected), "{name}{labels:?} is {value:?}");
    }
    ensure!(page.kind("dice_eyes") == Some("histogram"), "{:?}", page.kind("dice_eyes"));
    for query in ["shop", "cached", "everywhere", "often", "unprobed"] {
        let success = page.value("pg_queries_success", &[("query", query)]);
        ensure!(success == Some(1.0), "{query}: {success:?}\n{}", exporter.log());
    }
    for query in ["broken", "slow", "written"] {
        let success = page.value("pg_queries_success", &[("query", query)]);
        ensure!(success == Some(0.0), "{query}: {success:?}");
    }
    let took = page.value("pg_queries_duration_seconds", &[("query", "slow")]);
    ensure!(took.is_some_and(|seconds| seconds < 3.0), "its own time-out: {took:?}");
    for (query, reason) in [("elsewhere", "role"), ("never", "predicate"), ("needs", "requirement")]
    {
        let labels = [("query", query), ("reason", reason)];
        ensure!(page.value("pg_queries_skipped", &labels) == Some(1.0), "{query}");
    }
    for database in ["lakehouse", "postgres"] {
        let value = page.value("everywhere_n", &[("datname", database)]);
        ensure!(value == Some(1.0), "{database}: {value:?}");
    }
    ensure!(page.value("everywhere_n", &[("datname", "airflow")]).is_none(), "excluded");
    let at = |page: &Page, name: &str| page.value(name, &[]).context(name.to_owned());
    eventually("the background goes on, the cache stands still", || {
        let later = exporter.metrics()?;
        let (cached, often) = (at(&later, "cached_at")?, at(&later, "often_at")?);
        ensure!((cached - at(&page, "cached_at")?).abs() < f64::EPSILON, "asked again");
        ensure!(often > at(&page, "often_at")?, "not asked again");
        Ok(())
    })?;
    let health = exporter.get("/health")?;
    ensure!(health.status == 503, "{}", health.body);
    let report: serde_json::Value = serde_json::from_str(&health.body)?;
    let checks = report["checks"].as_array().context("checks")?;
    let status = |name: &str| {
        let check = checks.iter().find(|check| check["name"] == name);
        check.map(|check| (check["status"].clone(), check["reason"].clone()))
    };
    let (orders, _) = status("orders").context("orders")?;
    ensure!(orders == "ok", "{}", health.body);
    let (payments, reason) = status("payments").context("payments")?;
    ensure!(payments == "failing", "{}", health.body);
    ensure!(reason == "the newest data is 100 s old, 60 s are allowed", "{reason}");
    ensure!(exporter.get("/health/ready")?.status == 200, "old data is no reason to restart");
    Ok(())
}

/// Of each query that failed, and nothing of how to log in there.
fn the_log_names_the_server(log: &str, server: &Postgres) -> Result<()> {
    let target = format!("target=127.0.0.1:{}", server.port);
    let mut failed = log.lines().filter(|line| line.contains("query failed")).peekable();
    ensure!(failed.peek().is_some(), "{log}");
    let dsn = server.dsn();
    let login = dsn.split_once("//").and_then(|(_, rest)| rest.split_once('@'));
    let (_, password) = login.and_then(|(login, _)| login.split_once(':')).context("a password")?;
    ensure!(failed.all(|line| line.contains(&target) && !line.contains(password)), "{log}");
    Ok(())
}

/// The same server, named by the scraper: what ran in the background there is asked with the scrape.
fn queries_are_asked_on_probes(exporter: &Exporter, server: &Postgres) -> Result<()> {
    let target =
        server.dsn().bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
    let probe = || {
        let answer = exporter.get(&format!("/probe?target={target}"))?;
        ensure!(answer.status == 200, "{}", answer.body);
        Ok(Page::parse(&answer.body))
    };
    let page = probe()?;
    the_log_names_the_server(&exporter.log(), server)?;
    ensure!(page.value("shop_n", &[("name", "a")]) == Some(1.0), "shop_n");
    for query in ["shop", "dice", "cached", "often", "everywhere"] {
        let success = page.value("pg_queries_success", &[("query", query)]);
        ensure!(success == Some(1.0), "{query}: {success:?}\n{}", exporter.log());
    }
    let elsewhere = [("query", "unprobed"), ("reason", "tag")];
    ensure!(page.value("pg_queries_skipped", &elsewhere) == Some(1.0), "not:probe");
    let behind = [("collector", "wait_events"), ("reason", "probe")];
    ensure!(page.value("pg_scrape_collector_skipped", &behind) == Some(1.0), "wait_events");
    let cached = |page: &Page| page.value("cached_at", &[]).context("cached_at");
    ensure!((cached(&probe()?)? - cached(&page)?).abs() < f64::EPSILON, "asked again");
    ensure!(page.value("pg_up", &[]) == Some(1.0), "pg_up");
    Ok(())
}

fn a_prefix_is_for_maps_and_old_queries(server: &Postgres, folder: &Path) -> Result<()> {
    let path = folder.join("old.yaml");
    fs::write(&path, "pg_things: {query: SELECT 1 AS n}\n")?;
    let file = format!("--extend.query-path={}", path.display());
    for (flags, names) in [
        (
            &["--compat=0.20"][..],
            &["acme_stat_database_conflicts_confl_lock", "pg_stat_activity_count"],
        ),
        (&["--compat=0.19"], &["acme_stat_activity_count", "pg_replication_slot_slot_is_active"]),
    ] {
        let args: Vec<&str> = [flags, &[file.as_str(), "--metric-prefix=acme"]].concat();
        let page = server.exporter(&args)?.metrics()?;
        let always = ["acme_things_n", "pg_up", "pg_static", "pg_settings_max_connections"];
        for name in always.iter().chain(names) {
            ensure!(page.all(name, &[]).count() > 0, "{flags:?}: {name} is not there");
        }
        for name in ["pg_things_n", "pg_stat_database_conflicts_confl_lock"] {
            ensure!(page.all(name, &[]).count() == 0, "{flags:?}: {name}");
        }
    }
    Ok(())
}

fn a_wrong_file_changes_nothing(exporter: &Exporter, folder: &Path) -> Result<()> {
    let path = folder.join("queries.yml");
    let reload = || e2e::post(&format!("http://{}/-/reload", exporter.address()));
    fs::write(&path, "shop: {query: SELECT 1 AS n, colour: red}\n")?;
    let answer = reload()?;
    ensure!(answer.status == 500, "{}", answer.status);
    ensure!(answer.body.contains("queries.yml: unknown key shop.colour"), "{}", answer.body);
    let page = exporter.metrics()?;
    ensure!(page.value("shop_n", &[("name", "a")]) == Some(1.0), "the old query goes on");
    let successful = "pg_queries_config_last_reload_successful";
    ensure!(page.value(successful, &[]) == Some(0.0), "told");

    fs::write(&path, "shop: {query: SELECT 2 AS n}\n")?;
    ensure!(reload()?.status == 200, "mended");
    let page = exporter.metrics()?;
    ensure!(page.value("shop_n", &[]) == Some(2.0), "the new query is asked");
    ensure!(page.value(successful, &[]) == Some(1.0), "told");
    ensure!(page.all("cached_at", &[]).count() == 0, "the others are gone");
    ensure!(!exporter.get("/health")?.body.contains("payments"), "and their checks");
    Ok(())
}

fn a_query_is_explained(server: &Postgres, file: &str) -> Result<()> {
    let dsn = server.dsn();
    let run = |args: &[&str]| run_to_end("postgres-exporter", args, &[("DATA_SOURCE_NAME", &dsn)]);
    let (code, text, log) = run(&[file, "--queries.explain=shop"])?;
    ensure!(code == Some(0), "{code:?} {log}");
    for part in ["plan: Result", "1 rows, 1 series", "shop_n 2\n"] {
        ensure!(text.contains(part), "{part}: {text}");
    }
    let (code, _, log) = run(&[file, "--queries.explain=none"])?;
    ensure!(code == Some(1) && log.contains("there is no query"), "{code:?} {log}");
    Ok(())
}
