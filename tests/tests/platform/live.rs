//! What is to be seen on a platform that runs.

use std::{
    collections::BTreeSet,
    fs,
    net::UdpSocket,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{Page, eventually, eventually_within, get, repository};
use serde_json::Value;

use crate::{
    provoke,
    stack::{
        self, FILER, POSTGRES_EXPORTER, PREFIX, STATSD_EXPORTER, VALKEY_EXPORTER, container,
        metrics,
    },
};

/// The five containers which watch; Grafana is left out where its image cannot be had.
const MONITORING: [&str; 4] =
    ["statsd-exporter", "postgres-exporter", "valkey-exporter", "prometheus"];

/// The five jobs of the specification, and the three which watch the monitoring.
const JOBS: [&str; 8] = [
    "alertmanager",
    "node-exporter",
    "postgres-exporter",
    "prometheus",
    "seaweedfs-master",
    "seaweedfs-volume",
    "statsd-exporter",
    "valkey-exporter",
];

const EXPORTER_JOBS: [&str; 3] = ["statsd-exporter", "postgres-exporter", "valkey-exporter"];

pub(crate) fn the_platform_comes_up() -> Result<()> {
    // What an earlier, interrupted run may have left.
    stack::remove();
    provoke::shorten_rules()?;
    stack::run("up")
}

pub(crate) fn exporters_tell_the_commit_they_are_built_from() -> Result<()> {
    for exporter in EXPORTER_JOBS {
        let label = "{{index .Config.Labels \"org.opencontainers.image.revision\"}}";
        let revision = stack::inspect(exporter, label)?;
        ensure!(revision.len() >= 12, "{exporter}'s image has the revision {revision:?}");
        let told = format!(
            "{{__name__=~\".+_build_info\", job=\"{exporter}\", revision=\"{revision}\"}} \
             or redis_exporter_build_info{{job=\"{exporter}\", commit_sha=\"{revision}\"}}"
        );
        // Fails unless there is just that series.
        stack::value(&told)?;
    }
    Ok(())
}

pub(crate) fn monitoring_is_healthy_within_60_seconds() -> Result<()> {
    for service in MONITORING {
        let state = stack::inspect(service, "{{.State.Health.Status}}")?;
        ensure!(state == "healthy", "{service} is {state}");
    }
    // From a container's start, which is after its sources are healthy, to the first good scrape of it.
    for job in MONITORING {
        let started = epoch(&stack::inspect(job, "{{.State.StartedAt}}")?)?;
        let first = format!("min_over_time(timestamp(up{{job=\"{job}\"}} == 1)[1h:5s])");
        let first = eventually("a good scrape", || stack::value(&first))?;
        let took = first - started as f64;
        ensure!(took <= 60.0, "{job} took {took} s");
    }
    Ok(())
}

/// Seconds since the epoch, by the `date` of a container which has one.
fn epoch(time: &str) -> Result<u64> {
    // Docker writes `2026-11-25T22:04:30.1Z` and `2026-11-25 22:04:30.1 +0000 UTC`.
    let time = time.split(" +").next().unwrap_or(time);
    Ok(stack::exec("postgres", &["date", "-u", "-d", time, "+%s"])?.parse()?)
}

pub(crate) fn every_target_is_up_without_errors() -> Result<()> {
    eventually_within(Duration::from_mins(1), "all targets are up", || {
        let targets = stack::api("targets?state=active")?;
        let targets = targets["activeTargets"].as_array().context("targets")?;
        let mut jobs = Vec::new();
        for target in targets {
            let job = target["labels"]["job"].as_str().context("a job")?;
            ensure!(target["health"] == "up" && target["lastError"] == "", "{job}: {target}");
            ensure!(target["scrapeInterval"] == "15s", "{job}: {target}");
            let address = target["scrapeUrl"].as_str().context("an address")?;
            ensure!(address.ends_with("/metrics"), "{address}");
            jobs.push(job.to_owned());
        }
        jobs.sort();
        ensure!(jobs == JOBS, "{jobs:?}");
        Ok(())
    })
}

pub(crate) fn every_target_is_scraped_each_15_seconds() -> Result<()> {
    // The count becomes right once the platform has run for as long as the window.
    eventually_within(Duration::from_mins(3), "four scrapes a minute", || {
        for job in JOBS {
            let count = stack::value(&format!("count_over_time(up{{job=\"{job}\"}}[2m])"))?;
            ensure!((7.0..=9.0).contains(&count), "{job}: {count} in two minutes");
        }
        Ok(())
    })
}

pub(crate) fn prometheus_runs_with_the_specified_flags() -> Result<()> {
    let flags = stack::api("status/flags")?;
    ensure!(
        flags["storage.tsdb.retention.time"] == "7d"
            || flags["storage.tsdb.retention.time"] == "1w",
        "{flags}"
    );
    ensure!(flags["storage.tsdb.path"] == "/prometheus", "{flags}");
    let config = stack::api("status/config")?;
    let config = config["yaml"].as_str().context("a configuration")?;
    ensure!(config.contains("/etc/prometheus/alert_rules.yml"), "{config}");
    Ok(())
}

/// The pages for people, where the image has pages at all, and what they are made of.
pub(crate) fn prometheus_shows_alerts_and_targets() -> Result<()> {
    let status =
        |path: &str| Ok::<_, anyhow::Error>(get(&format!("{}{path}", stack::PROMETHEUS))?.status);
    let pages = status("/query")? == 200;
    for page in ["/alerts", "/targets"] {
        ensure!(!pages || status(page)? == 200, "{page}");
    }
    ensure!(stack::api("alerts")?["alerts"].is_array(), "alerts");
    ensure!(stack::api("targets")?["activeTargets"].is_array(), "targets");
    Ok(())
}

pub(crate) fn the_alert_group_holds_exactly_the_five_alerts() -> Result<()> {
    let groups = stack::api("rules?type=alert")?;
    let groups = groups["groups"].as_array().context("groups")?;
    let group =
        groups.iter().find(|group| group["name"] == "lakehouse_alerts").context("a group")?;
    ensure!(group["interval"] == 15, "{group}");
    ensure!(group["file"] == "/etc/prometheus/alert_rules.yml", "{group}");
    let rules = group["rules"].as_array().context("rules")?;
    let found: Vec<_> = rules
        .iter()
        .map(|rule| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let seconds = rule["duration"].as_f64().unwrap_or(-1.0);
            (
                text(&rule["name"]),
                seconds,
                text(&rule["labels"]["severity"]),
                text(&rule["annotations"]["summary"]),
            )
        })
        .collect();
    let expected = [
        ("AirflowTaskFailureHigh", 0.0, "warning", "Airflow task failures detected"),
        ("SeaweedFSDiskUsageHigh", 300.0, "critical", "SeaweedFS disk usage exceeds 80%"),
        ("ValkeyMemoryHigh", 300.0, "warning", "Valkey memory usage exceeds 80%"),
        ("PostgresConnectionsHigh", 300.0, "warning", "PostgreSQL connection usage exceeds 80%"),
        ("ServiceDown", 60.0, "critical", "Scrape target {{ $labels.job }} is down"),
    ]
    .map(|(name, seconds, severity, summary)| {
        (name.to_owned(), seconds, severity.to_owned(), summary.to_owned())
    });
    ensure!(found == expected, "{found:#?}");
    ensure!(rules.iter().all(|rule| rule["health"] == "ok"), "{rules:#?}");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long an answer takes")]
pub(crate) fn a_datagram_to_8125_is_on_the_page_within_2_seconds() -> Result<()> {
    // Port 8125 is not published: the datagram comes from inside the network, as Airflow's do.
    let send = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\
                .sendto(b'e2e.hello:1|c', ('statsd-exporter', 8125))";
    stack::exec("airflow-worker", &["python", "-c", send])?;
    let start = Instant::now();
    eventually_within(Duration::from_secs(2), "the counter", || {
        let page = metrics(STATSD_EXPORTER)?;
        ensure!(page.value("e2e_hello", &[]) == Some(1.0), "not yet");
        Ok(())
    })?;
    ensure!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());

    // From outside nothing is reachable on it.
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.send_to(b"e2e.outside:1|c", "127.0.0.1:8125").context("UDP never refuses")?;
    ensure!(metrics(STATSD_EXPORTER)?.value("e2e_outside", &[]).is_none(), "8125 is published");
    Ok(())
}

pub(crate) fn every_panel_has_data_within_three_minutes() -> Result<()> {
    let text = fs::read_to_string(repository().join("dashboards/lakehouse-overview.json"))?;
    let dashboard: Value = serde_json::from_str(&text)?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    let mut queries = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap_or_default();
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push((title, target["expr"].as_str().context("an expression")?));
        }
    }
    ensure!(queries.len() >= 10, "{queries:?}");
    eventually_within(Duration::from_mins(3), "all panels have data", || {
        let mut empty = Vec::new();
        for (title, query) in &queries {
            let result = stack::query(query)?;
            if !result.iter().any(|(_, value)| value.is_finite()) {
                empty.push(*title);
            }
        }
        ensure!(empty.is_empty(), "without data: {empty:?}");
        Ok(())
    })
}

pub(crate) fn airflow_shows_what_it_does() -> Result<()> {
    eventually_within(Duration::from_mins(3), "Airflow's own metrics", || {
        let page = metrics(STATSD_EXPORTER)?;
        for name in [
            "airflow_scheduler_heartbeat",
            "airflow_ti_successes",
            "airflow_dag_processing_total_parse_time",
            "airflow_pool_open_slots_default_pool",
            "airflow_executor_queued_tasks",
        ] {
            ensure!(page.types.contains_key(name), "{name} is not there");
        }
        for dag in ["orders_ingest", "orders_to_lake"] {
            let runs = page.sum("airflow_dagrun_duration_success_count", &[("dag_id", dag)]);
            ensure!(runs > 0.0, "no run of {dag} has succeeded");
            let tasks = page.sum("airflow_dag_task_duration_count", &[("dag_id", dag)]);
            ensure!(tasks > 0.0, "no task of {dag} has a duration");
        }
        let errors = page.sum("statsd_exporter_sample_errors_total", &[]);
        ensure!(errors == 0.0, "{errors} of Airflow's samples were refused");
        Ok(())
    })?;
    let orders: f64 = stack::sql("lakehouse", "SELECT count(*) FROM lake.orders")?.parse()?;
    ensure!(orders > 0.0, "the DAGs move no data");
    Ok(())
}

pub(crate) fn seaweedfs_counts_what_is_written() -> Result<()> {
    let requests = r#"sum(SeaweedFS_volumeServer_request_total{job="seaweedfs-volume"})"#;
    let before = stack::value(requests)?;
    for number in 0..20 {
        let address = format!("{FILER}/e2e/file-{number}");
        ureq::put(&address).send("written by a test").context("PUT")?;
        ensure!(get(&address)?.body == "written by a test", "{address}");
    }
    stack::wait_for(&format!("{requests} > {before} + 19"), Duration::from_mins(1))?;
    let master = stack::query(r#"{job="seaweedfs-master",__name__=~"SeaweedFS_master_.*"}"#)?;
    ensure!(!master.is_empty(), "the master's families");
    for name in ["seaweedfs_disk_used_bytes", "seaweedfs_disk_total_bytes"] {
        ensure!(stack::value(&format!("sum({name})"))? > 0.0, "{name}");
    }
    Ok(())
}

/// The names of the specification's tables, as a default Prometheus 3 stores them.
const SPECIFIED_NAMES: &[&str] = &[
    "airflow_ti_failures",
    "airflow_ti_successes",
    "airflow_dag_task_duration",
    "airflow_dag_task_duration_sum",
    "airflow_dag_task_duration_count",
    "airflow_dagrun_duration_success",
    "airflow_dagrun_duration_success_sum",
    "airflow_dagrun_duration_success_count",
    "airflow_scheduler_heartbeat",
    "airflow_dag_processing_total_parse_time",
    "pg_up",
    "pg_stat_activity_count",
    "pg_stat_database_tup_inserted",
    "pg_stat_database_tup_updated",
    "pg_stat_database_tup_deleted",
    "pg_stat_database_xact_commit",
    "pg_stat_database_xact_rollback",
    "pg_settings_max_connections",
    "redis_memory_used_bytes",
    "redis_memory_max_bytes",
    "redis_connected_clients",
    "redis_commands_processed_total",
    "redis_keyspace_hits_total",
    "redis_keyspace_misses_total",
    "redis_up",
    "seaweedfs_disk_used_bytes",
    "seaweedfs_disk_total_bytes",
];

pub(crate) fn prometheus_stores_the_specified_names() -> Result<()> {
    let names = stack::api("label/__name__/values")?;
    let names: BTreeSet<&str> =
        names.as_array().context("names")?.iter().filter_map(Value::as_str).collect();
    let missing: Vec<_> = SPECIFIED_NAMES.iter().filter(|name| !names.contains(*name)).collect();
    ensure!(missing.is_empty(), "not stored: {missing:?}");
    // No suffix was put on by a format that renames counters.
    let renamed: Vec<_> = SPECIFIED_NAMES
        .iter()
        .map(|name| format!("{name}_total"))
        .filter(|name| names.contains(name.as_str()))
        .collect();
    ensure!(renamed.is_empty(), "stored under another name: {renamed:?}");
    Ok(())
}

/// The dashboards' series, but for those of which `series.txt` says that something has to happen first,
/// or that another version or profile is needed.
pub(crate) fn dashboards_ask_for_what_is_stored() -> Result<()> {
    let file = repository().join("crates/dashboards/series.txt");
    let text = fs::read_to_string(file)?;
    let mut expected = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.contains(',')) {
        let name = line.split(' ').next().context("a name")?;
        if !name.starts_with("trino_") && name != "ALERTS" {
            expected.push(name);
        }
    }
    ensure!(expected.len() > 150, "only {} series", expected.len());
    eventually_within(Duration::from_mins(2), "what the dashboards ask for", || {
        let names = stack::api("label/__name__/values")?;
        let names: BTreeSet<&str> =
            names.as_array().context("names")?.iter().filter_map(Value::as_str).collect();
        let missing: Vec<_> = expected.iter().filter(|name| !names.contains(*name)).collect();
        ensure!(missing.is_empty(), "not stored: {missing:?}");
        Ok(())
    })
}

pub(crate) fn scrapes_are_quick() -> Result<()> {
    // The goal is 100 ms on a quiet machine; a test on a shared one allows five times that.
    for job in EXPORTER_JOBS {
        let query =
            format!("quantile_over_time(0.5, scrape_duration_seconds{{job=\"{job}\"}}[5m])");
        let median = stack::value(&query)?;
        ensure!(median < 0.5, "{job}: {median} s");
        let now = metrics(match job {
            "statsd-exporter" => STATSD_EXPORTER,
            "postgres-exporter" => POSTGRES_EXPORTER,
            _ => VALKEY_EXPORTER,
        })?;
        ensure!(now.value("process_resident_memory_bytes", &[]).is_some(), "{job}");
    }
    Ok(())
}

pub(crate) fn exporters_stay_small() -> Result<()> {
    for job in EXPORTER_JOBS {
        let selector = format!("{{job=\"{job}\"}}");
        let bytes = stack::value(&format!("process_resident_memory_bytes{selector}"))?;
        ensure!(bytes < 16.0 * 1024.0 * 1024.0, "{job}: {bytes} bytes resident");
        // The goal is 1 % of a core; five times that is allowed on a shared machine.
        let cpu = stack::value(&format!("rate(process_cpu_seconds_total{selector}[3m])"))?;
        ensure!(cpu < 0.05, "{job}: {cpu} of a core");
        let image = stack::inspect(job, "{{.Image}}")?;
        let size: u64 = stack::docker(&["inspect", "--format", "{{.Size}}", &image])?.parse()?;
        ensure!(size < 10_000_000, "{job}: an image of {size} bytes");
        let user = stack::inspect(job, "{{.Config.User}}")?;
        ensure!(
            !user.is_empty() && !user.starts_with('0') && user != "root",
            "{job} runs as {user:?}"
        );
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long a command takes")]
pub(crate) fn up_again_changes_nothing() -> Result<()> {
    let started =
        || stack::docker(&["ps", "--filter", &format!("name={PREFIX}-"), "--format", "{{.ID}}"]);
    let before = started()?;
    let start = Instant::now();
    stack::run("up")?;
    ensure!(start.elapsed() < Duration::from_mins(1), "{:?}", start.elapsed());
    ensure!(started()? == before, "a container was replaced");
    let page: Page = metrics(STATSD_EXPORTER)?;
    ensure!(
        page.value("e2e_hello", &[]) == Some(1.0),
        "{} restarted",
        container("statsd-exporter")
    );
    Ok(())
}

pub(crate) fn trino_is_scraped_where_its_profile_is_on() -> Result<()> {
    let profiles = if stack::has_grafana() { "grafana,trino" } else { "trino" };
    let status = stack::script("up").env("COMPOSE_PROFILES", profiles).status()?;
    ensure!(status.success(), "deploy/up with the profile trino: {status}");
    stack::wait_for(r#"up{job="trino"} == 1"#, Duration::from_mins(3))?;
    // 476 and 483 name the count of nodes differently.
    let nodes =
        r#"{__name__=~"trino_.*(DiscoveryNodeManager|CoordinatorNodeManager)_ActiveNodeCount"}"#;
    stack::wait_for(nodes, Duration::from_mins(1))
}
