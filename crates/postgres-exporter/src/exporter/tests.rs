//! Tests of whole scrapes, against servers that misbehave.

use std::{sync::Arc, time::Duration};

use metrics_server::{
    CollectorChoice, Format, Health, Refused, Role, Scrape as _, ScrapeRequest, Scraped,
    http::Query,
};
use tokio::time::Instant;

use self::fake::{Fake, Manner, REFUSED, Reply};
use super::{Exporter, Options};
use crate::{
    collectors::TABLE,
    databases::{Glob, Selection},
    dsn::Dsn,
    prefix::Prefix,
    queries::{Engine, ask::Run, load::Paths},
    reading::Reading,
    session::Limits,
    target::Target,
};

mod fake;

/// Long enough for everything that works, short enough to wait for what does not.
const DEADLINE: Duration = Duration::from_millis(600);
const LIMITS: Limits = Limits {
    connect: Duration::from_millis(150),
    statement: Duration::from_millis(200),
    lock: Duration::from_millis(50),
    connections_max: 3,
};

fn target(address: impl std::fmt::Display) -> Arc<Target> {
    let text = format!("postgres://u:hunter2@{address}/db?sslmode=disable");
    let dsn = Dsn::parse(&text, &|_| None).unwrap();
    Arc::new(Target::new(dsn, LIMITS, Arc::default()))
}

fn exporter(addresses: &[std::net::SocketAddr]) -> Exporter {
    let mut choice = CollectorChoice::defaults(TABLE);
    for spec in TABLE {
        choice.set(spec.name, matches!(spec.name, "locks" | "replication" | "stat_checkpointer"));
    }
    let targets = addresses.iter().map(target).collect();
    let options = Options { collection_timeout: Duration::from_mins(1), ..Options::default() };
    Exporter::new(targets, &choice, options, None)
}

async fn ask(exporter: &Exporter, collect: &[&str]) -> Result<Scraped, Refused> {
    let request = ScrapeRequest {
        query: Query::default(),
        collect: collect.iter().map(|name| (*name).to_owned()).collect(),
        deadline: (Instant::now() + DEADLINE).into_std(),
    };
    let start = Instant::now();
    let scraped = exporter.scrape(&request).await;
    assert!(start.elapsed() < DEADLINE + Duration::from_millis(100), "a scrape took too long");
    scraped
}

/// Whether the server is down, and the samples without what varies.
async fn scrape(exporter: &Exporter) -> (bool, Vec<String>) {
    let scraped = ask(exporter, &[]).await.unwrap();
    let text = scraped.page.into_text(Format::Text);
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.contains("duration"));
    (scraped.down, samples.map(str::to_owned).collect())
}

fn has(samples: &[String], sample: &str) -> bool {
    samples.iter().any(|line| line == sample)
}

const FACTS: &str = "in_recovery | version_num | version | database | may_list_wal | extensions\nf | 150018 | PostgreSQL 15.18 | db | t | -";

fn healthy(sql: &str) -> Reply {
    match sql {
        sql if sql.contains("server_version_num") => Reply::Table(FACTS),
        sql if sql.contains("pg_locks") => {
            Reply::Table("datname | mode | count\napp | sharelock | 3")
        }
        sql if sql.contains("pg_last_wal") => {
            Reply::Table("is_replica | lag_seconds | last_replay_seconds\nf | 0 | 0")
        }
        sql if sql.contains("conflicts") => {
            Reply::Table("datid | datname | confl_lock\n5 | app | 0")
        }
        _ => Reply::Error("42P01"),
    }
}

#[tokio::test]
async fn a_server_that_answers_is_up() {
    let server = Fake::start(Manner::Answering(healthy)).await;
    let exporter = exporter(&[server.address]);
    let (down, samples) = scrape(&exporter).await;
    assert!(!down);
    let version = format!(
        "pg_static{{server=\"{}\",short_version=\"15.18.0\",version=\"PostgreSQL 15.18\"}} 1",
        server.address
    );
    for sample in [
        "pg_up 1",
        "pg_exporter_last_scrape_error 0",
        "pg_exporter_scrapes_total 1",
        "pg_locks_count{datname=\"app\",mode=\"sharelock\"} 3",
        "pg_replication_lag_seconds 0",
        "pg_scrape_collector_success{collector=\"locks\"} 1",
        "pg_scrape_collector_skipped{collector=\"stat_checkpointer\",reason=\"version\"} 1",
        &version,
    ] {
        assert!(has(&samples, sample), "{sample}: {samples:#?}");
    }
    // The connection is kept, and every query has its bounds.
    scrape(&exporter).await;
    assert_eq!(server.connections(), (1, 1));
    let bounds = "SET TRANSACTION READ ONLY;SET LOCAL statement_timeout=200;SET LOCAL lock_timeout=50;\
                  SET LOCAL jit=off;SET LOCAL search_path=pg_catalog;";
    assert_eq!(server.count(bounds), server.count(""));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_down_within_the_deadline() {
    let server = Fake::start(Manner::Silent).await;
    let exporter = exporter(&[server.address]);
    for _ in 0..3 {
        let (down, samples) = scrape(&exporter).await;
        assert!(down);
        assert!(has(&samples, "pg_up 0"));
        assert!(has(&samples, "pg_exporter_last_scrape_error 1"));
        assert!(has(&samples, "pg_scrape_collector_success{collector=\"locks\"} 0"));
    }
    assert!(server.connections().1 <= LIMITS.connections_max);
}

#[tokio::test]
async fn a_server_that_closes_is_down() {
    let server = Fake::start(Manner::Closing).await;
    let (down, samples) = scrape(&exporter(&[server.address])).await;
    assert!(down && has(&samples, "pg_up 0"));
}

#[tokio::test]
async fn a_server_that_comes_back_is_up_without_a_restart() {
    let server = Fake::start(Manner::Answering(healthy)).await;
    let address = server.address;
    let exporter = exporter(&[address]);
    assert!(!scrape(&exporter).await.0);
    server.stop().await;
    let (down, samples) = scrape(&exporter).await;
    assert!(down && has(&samples, "pg_up 0"));
    let _server = Fake::start_at(&address.to_string(), Manner::Answering(healthy)).await;
    let (down, samples) = scrape(&exporter).await;
    assert!(!down && has(&samples, "pg_up 1"));
}

#[tokio::test]
async fn a_server_that_falls_silent_after_the_login_keeps_its_connections_bounded() {
    let server = Fake::start(Manner::Answering(|_| Reply::Silence)).await;
    let exporter = exporter(&[server.address]);
    for _ in 0..6 {
        let (down, samples) = scrape(&exporter).await;
        assert!(down && has(&samples, "pg_up 0"));
    }
    assert!(server.connections().1 <= LIMITS.connections_max);
}

#[tokio::test]
async fn a_collector_fails_alone() {
    let server = Fake::start(Manner::Answering(|sql| match sql {
        sql if sql.contains("pg_locks") => Reply::Error("42501"),
        sql => healthy(sql),
    }))
    .await;
    let (down, samples) = scrape(&exporter(&[server.address])).await;
    assert!(!down);
    for sample in [
        "pg_up 1",
        "pg_exporter_last_scrape_error 1",
        "pg_scrape_collector_success{collector=\"locks\"} 0",
        "pg_scrape_collector_success{collector=\"replication\"} 1",
        "pg_replication_is_replica 0",
    ] {
        assert!(has(&samples, sample), "{sample}: {samples:#?}");
    }
    assert!(!samples.iter().any(|line| line.starts_with("pg_locks")));
}

#[tokio::test]
async fn a_query_without_an_answer_costs_what_stands_behind_it() {
    let server = Fake::start(Manner::Answering(|sql| match sql {
        sql if sql.contains("pg_last_wal") => Reply::Silence,
        sql => healthy(sql),
    }))
    .await;
    let (down, samples) = scrape(&exporter(&[server.address])).await;
    assert!(!down && has(&samples, "pg_up 1"), "{samples:#?}");
    assert!(has(&samples, "pg_scrape_collector_success{collector=\"locks\"} 1"));
    assert!(has(&samples, "pg_scrape_collector_success{collector=\"replication\"} 0"));
}

#[tokio::test]
async fn a_connection_that_breaks_in_a_query_is_made_anew() {
    let server = Fake::start(Manner::Answering(|sql| match sql {
        sql if sql.contains("pg_locks") => Reply::HangUp,
        sql => healthy(sql),
    }))
    .await;
    let exporter = exporter(&[server.address]);
    for _ in 0..3 {
        let (down, samples) = scrape(&exporter).await;
        assert!(!down && has(&samples, "pg_up 1"));
        assert!(has(&samples, "pg_scrape_collector_success{collector=\"locks\"} 0"));
    }
}

#[tokio::test]
async fn scrapes_at_the_same_time_are_one_for_the_server() {
    let server = Fake::start(Manner::Answering(healthy)).await;
    let exporter = exporter(&[server.address]);
    let scrapes = (0..20).map(|_| scrape(&exporter));
    let answers = futures_util::future::join_all(scrapes).await;
    assert!(answers.iter().all(|(down, samples)| !down && has(samples, "pg_up 1")));
    assert_eq!(server.count("server_version_num"), 1);
    assert_eq!(server.count("pg_locks"), 1);
    assert_eq!(server.connections().1, 1);
}

#[tokio::test]
async fn collectors_can_be_chosen_for_one_scrape() {
    let server = Fake::start(Manner::Answering(healthy)).await;
    let exporter = exporter(&[server.address]);
    let text = ask(&exporter, &["replication"]).await.unwrap().page.into_text(Format::Text);
    assert!(text.contains("pg_replication_is_replica") && !text.contains("pg_locks_count"));
    // What this server has nothing for is not everything.
    let text = ask(&exporter, &["stat_checkpointer"]).await.unwrap().page.into_text(Format::Text);
    assert!(!text.contains("pg_replication_is_replica") && !text.contains("pg_locks_count"));

    let refused = ask(&exporter, &["locks", "settings"]).await.unwrap_err();
    assert_eq!(refused, Refused::bad_request("unknown or disabled collector: settings"));
}

#[tokio::test]
async fn several_servers_tell_their_versions_and_the_first_one_everything() {
    let (first, second) = (
        Fake::start(Manner::Answering(healthy)).await,
        Fake::start(Manner::Answering(healthy)).await,
    );
    let both = exporter(&[first.address, second.address]);
    let (down, samples) = scrape(&both).await;
    assert!(!down && has(&samples, "pg_exporter_last_scrape_error 0"));
    assert_eq!(samples.iter().filter(|line| line.starts_with("pg_static{")).count(), 2);
    assert_eq!(second.count("pg_locks"), 0);

    first.stop().await;
    let (down, samples) = scrape(&both).await;
    assert!(!down && has(&samples, "pg_up 1"), "one of them is up");
    assert!(has(&samples, "pg_exporter_last_scrape_error 1"));
}

#[tokio::test]
async fn every_database_is_asked_within_the_bound_and_one_that_is_gone_costs_itself() {
    let server = Fake::start(Manner::Answering(|sql| match sql {
        sql if sql.contains("datallowconn") => Reply::Table("datname\ndb\none\ntwo\nx1\ngone\nsix"),
        sql if sql.contains("pg_stat_user_tables") => {
            Reply::Table("datname | relname | schemaname | seq_scan\ndb | t | s | 1")
        }
        sql => healthy(sql),
    }))
    .await;
    let reading = Reading {
        databases: Selection { discover: true, include: Vec::new(), exclude: Glob::list("x*") },
        ..Reading::default()
    };
    let text = format!("postgres://u:hunter2@{}/db?sslmode=disable", server.address);
    let dsn = Dsn::parse(&text, &|_| None).unwrap();
    let target = Arc::new(Target::new(dsn, LIMITS, Arc::new(reading)));
    let mut choice = CollectorChoice::defaults(TABLE);
    for spec in TABLE {
        choice.set(spec.name, matches!(spec.name, "locks" | "stat_user_tables"));
    }
    let options = Options { collection_timeout: Duration::from_mins(1), ..Options::default() };
    let exporter = Exporter::new(vec![target], &choice, options, None);
    for _ in 0..2 {
        let (down, samples) = scrape(&exporter).await;
        assert!(!down);
        for sample in [
            "pg_scrape_collector_success{collector=\"stat_user_tables\"} 1",
            "pg_scrape_database_success{datname=\"db\"} 1",
            "pg_scrape_database_success{datname=\"six\"} 1",
            "pg_scrape_database_success{datname=\"gone\"} 0",
        ] {
            assert!(has(&samples, sample), "{sample}: {samples:#?}");
        }
        assert!(!samples.iter().any(|line| line.contains("x1")), "{samples:#?}");
    }
    for (database, queries) in [("one", 2), ("two", 2), ("six", 2), ("x1", 0), (REFUSED, 0)] {
        assert_eq!(server.count(&format!("{database}: SET")), queries, "{database}");
    }
    assert!(server.connections().1 <= LIMITS.connections_max);
}

#[tokio::test]
async fn without_a_server_nothing_is_up_and_nothing_is_down() {
    let (down, samples) = scrape(&exporter(&[])).await;
    assert!(!down);
    assert!(has(&samples, "pg_up 0"));
    assert!(has(&samples, "pg_exporter_last_scrape_error 0"));
}

#[tokio::test]
async fn health_tells_why_and_no_secret() {
    let server = Fake::start(Manner::Silent).await;
    let health = Health::new(Instant::now().into_std());
    let check = health.check("postgres", Role::Readiness);
    let choice = CollectorChoice::defaults(TABLE);
    let options = Options { collection_timeout: Duration::from_mins(1), ..Options::default() };
    let exporter = Exporter::new(vec![target(server.address)], &choice, options, Some(check));
    let page = ask(&exporter, &[]).await.unwrap().page.into_text(Format::Text);
    let report = health.report("1", Instant::now().into_std());
    assert_eq!(report.checks[0].status, "failing");
    assert_eq!(report.checks[0].reason.as_deref(), Some("no answer within 150 ms"));
    for text in [page, format!("{exporter:?}"), format!("{health:?}"), format!("{report:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

/// Each of these queries has its name in its SQL.
const PROBED: &str = "\
plain: {query: SELECT plain}
kept: {query: SELECT kept, ttl: 1h}
often: {query: SELECT often, schedule: 1h}
failing: {query: SELECT failing, schedule: 1h, ttl: 1h}
sampled: {query: SELECT sampled, schedule: 1h, accumulate: true}
elsewhere: {query: SELECT elsewhere, tags: ['not:probe']}
here: {query: SELECT here, tags: [probe]}
broken: {query: SELECT broken}
";

/// An exporter for a server as `/probe` makes one, with the queries of files.
fn probing(engine: &Engine, server: &Fake) -> Exporter {
    let mut choice = CollectorChoice::defaults(TABLE);
    for spec in TABLE {
        choice.set(spec.name, matches!(spec.name, "locks" | "wait_events" | "pgbouncer"));
    }
    let options = Options {
        collection_timeout: Duration::from_mins(1),
        queries: Some(engine.probing()),
        probed: true,
        ..Options::default()
    };
    Exporter::new(vec![target(server.address)], &choice, options, None)
}

#[tokio::test]
async fn queries_of_files_are_asked_on_probed_servers_and_nothing_runs_behind() {
    let answer = |sql: &str| match sql {
        sql if ["broken", "failing"].iter().any(|name| sql.contains(&format!("SELECT {name}"))) => {
            Reply::Error("42P01")
        }
        sql if PROBED.lines().any(|line| {
            line.split(':').next().is_some_and(|name| sql.contains(&format!("SELECT {name}")))
        }) =>
        {
            Reply::Table("n\n1")
        }
        sql => healthy(sql),
    };
    let server = Fake::start(Manner::Answering(answer)).await;
    let other = Fake::start(Manner::Answering(answer)).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, old) = (folder.path().join("q.yml"), folder.path().join("old.yml"));
    std::fs::write(&file, PROBED).unwrap();
    std::fs::write(&old, "pg_old: {query: SELECT plain}").unwrap();
    let paths = Paths {
        files: vec![file.display().to_string()],
        extend: Some(old),
        prefix: Prefix::new("acme"),
    };
    let health = Health::new(Instant::now().into_std());
    let started = Engine::start(paths, Vec::new(), Run::default(), Vec::new(), health);
    let engine = started.unwrap().unwrap();
    let exporter = probing(&engine, &server);
    for _ in 0..2 {
        let (_, samples) = scrape(&exporter).await;
        let label = format!("{{server=\"{}\"}}", server.address);
        for sample in [
            "plain_n 1",
            "kept_n 1",
            "often_n 1",
            "here_n 1",
            &format!("acme_old_n{label} 1"),
            "pg_queries_success{query=\"broken\"} 0",
            "pg_queries_success{query=\"failing\"} 0",
            "pg_queries_skipped{query=\"sampled\",reason=\"schedule\"} 1",
            "pg_queries_skipped{query=\"elsewhere\",reason=\"tag\"} 1",
            "pg_scrape_collector_success{collector=\"locks\"} 1",
            "pg_scrape_collector_skipped{collector=\"wait_events\",reason=\"probe\"} 1",
            "pg_scrape_collector_skipped{collector=\"pgbouncer\",reason=\"probe\"} 1",
        ] {
            assert!(has(&samples, sample), "{sample}: {samples:#?}");
        }
        let of_files = |name| samples.iter().filter(|line| line.starts_with(name)).count();
        assert_eq!(of_files("pg_queries_loaded"), 0, "of the exporter, on /metrics");
        assert_eq!(of_files("pg_exporter_user_queries_load_error"), 1);
    }
    let asked = |server: &Fake, name: &str| server.count(&format!("SELECT {name}"));
    for (name, times) in [
        ("plain", 4),
        ("kept", 1),
        ("often", 1),
        ("failing", 1),
        ("broken", 2),
        ("sampled", 0),
        ("elsewhere", 0),
        ("here", 2),
    ] {
        assert_eq!(asked(&server, name), times, "{name}");
    }
    // Another server has answers of its own, and new files have no answers yet.
    scrape(&probing(&engine, &other)).await;
    assert_eq!(asked(&other, "kept"), 1);
    engine.reload().unwrap();
    scrape(&exporter).await;
    assert_eq!((asked(&server, "kept"), asked(&server, "often")), (2, 2));
    assert_eq!(asked(&server, "failing"), 2);
    assert!(server.connections().1 <= LIMITS.connections_max);
}

#[tokio::test]
async fn a_slow_query_of_a_probed_server_costs_others_one_scrape() {
    let server = Fake::start(Manner::Answering(|sql| match sql {
        sql if sql.contains("SELECT slow") => Reply::Silence,
        sql if sql.contains("SELECT quick") => Reply::Table("n\n1"),
        sql => healthy(sql),
    }))
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("q.yml");
    std::fs::write(
        &file,
        "slow: {query: SELECT slow, schedule: 0.5}\nquick: {query: SELECT quick, schedule: 0.5}\n",
    )
    .unwrap();
    let paths = Paths { files: vec![file.display().to_string()], ..Paths::default() };
    let health = Health::new(Instant::now().into_std());
    let started = Engine::start(paths, Vec::new(), Run::default(), Vec::new(), health);
    let exporter = probing(&started.unwrap().unwrap(), &server);
    let success = |samples: &[String], name: &str| {
        let start = format!("pg_queries_success{{query=\"{name}\"}} ");
        samples.iter().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    };
    // It stands before the other one in the file, and behind it once it is known.
    let (_, samples) = scrape(&exporter).await;
    assert_eq!(success(&samples, "slow").as_deref(), Some("0"));
    let mended = async {
        loop {
            let (_, samples) = scrape(&exporter).await;
            if success(&samples, "quick").as_deref() == Some("1") {
                assert_eq!(success(&samples, "slow").as_deref(), Some("0"));
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), mended).await.expect("the other one is asked");
}

#[tokio::test]
async fn searches_are_counted_while_texts_cannot_be_read() {
    let server = Fake::start(Manner::Answering(|sql| match sql {
        sql if sql.contains("server_version_num") => Reply::Table(
            "in_recovery | version_num | version | database | may_list_wal | extensions\n\
             f | 150018 | PostgreSQL 15.18 | db | t | pg_stat_statements=public",
        ),
        sql if sql.contains("pg_stat_statements(false)") => Reply::Table(
            "userid | dbid | queryid | toplevel | datname | calls | seconds | rows\n\
             10 | 5 | 1 | t | db | 1 | 1 | 1",
        ),
        sql => healthy(sql),
    }))
    .await;
    let mut choice = CollectorChoice::defaults(TABLE);
    for spec in TABLE {
        choice.set(spec.name, spec.name == "vector_search");
    }
    let options = Options { collection_timeout: Duration::from_mins(1), ..Options::default() };
    let exporter = Exporter::new(vec![target(server.address)], &choice, options, None);
    for _ in 0..2 {
        let (_, samples) = scrape(&exporter).await;
        let success = "pg_scrape_collector_success{collector=\"vector_search\"} 1";
        assert!(has(&samples, success), "{samples:#?}");
    }
    let asked = |what| server.count(&format!("pg_stat_statements({what})"));
    assert_eq!((asked("false"), asked("true")), (2, 1));
}
