//! Parts of the monitoring are taken away, and everything else goes on.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::{eventually_within, get};

use crate::{
    grafana,
    stack::{self, PREFIX, STATSD_EXPORTER, container, metrics},
};

pub(crate) fn airflow_works_while_statsd_exporter_is_down() -> Result<()> {
    let runs = || -> Result<u32> {
        // Of any DAG: a run that PostgreSQL's stop has caught holds its own DAG for five minutes.
        let count = "SELECT count(*) FROM dag_run WHERE state = 'success'";
        Ok(stack::sql("airflow", count)?.parse()?)
    };
    stack::docker(&["stop", &container("statsd-exporter")])?;
    stack::wait_for(r#"up{job="statsd-exporter"} == bool 0"#, Duration::from_mins(1))?;
    let before = runs()?;
    eventually_within(Duration::from_mins(6), "a DAG runs without it", || {
        ensure!(runs()? > before, "none yet");
        Ok(())
    })?;
    stack::wait_for_alert("ServiceDown", Duration::from_mins(3))?;
    stack::docker(&["start", &container("statsd-exporter")])?;
    stack::wait_for(r#"up{job="statsd-exporter"} == 1"#, Duration::from_mins(1))?;
    stack::wait_for_silence("ServiceDown", Duration::from_mins(1))?;
    eventually_within(Duration::from_mins(2), "Airflow's heartbeats arrive again", || {
        let beats = metrics(STATSD_EXPORTER)?.value("airflow_scheduler_heartbeat", &[]);
        ensure!(beats.is_some_and(|beats| beats > 0.0), "{beats:?}");
        Ok(())
    })
}

pub(crate) fn killing_prometheus_loses_no_sample() -> Result<()> {
    let time = stack::value("vector(time())")?;
    // All series as they were at that time; bits, since one that is not a number equals nothing.
    let stored = || -> Result<Vec<_>> {
        let series = stack::query(&format!("{{job=~\".+\"}} @ {time:.0}"))?;
        let mut series: Vec<_> =
            series.into_iter().map(|(labels, value)| (labels, value.to_bits())).collect();
        series.sort();
        Ok(series)
    };
    let before = stored()?;
    stack::docker(&["kill", &container("prometheus")])?;
    stack::docker(&["start", &container("prometheus")])?;
    eventually_within(Duration::from_mins(1), "Prometheus is back", || {
        ensure!(stack::is_up(), "not ready");
        Ok(())
    })?;
    let after = stored()?;
    ensure!(before.len() > 500, "only {} series", before.len());
    ensure!(before == after, "{} series before, {} after", before.len(), after.len());
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long a stop takes")]
pub(crate) fn exporters_end_within_two_seconds() -> Result<()> {
    for service in ["statsd-exporter", "postgres-exporter", "valkey-exporter"] {
        let start = Instant::now();
        stack::docker(&["kill", "--signal", "TERM", &container(service)])?;
        let code = stack::docker(&["wait", &container(service)])?;
        // Docker itself needs a moment to clean up behind the process.
        ensure!(start.elapsed() < Duration::from_secs(4), "{service}: {:?}", start.elapsed());
        ensure!(code == "0", "{service} ended with {code}");
        let times = stack::inspect(service, "{{.State.ExitCode}} {{.State.OOMKilled}}")?;
        ensure!(times == "0 false", "{service}: {times}");
        stack::docker(&["start", &container(service)])?;
    }
    Ok(())
}

pub(crate) fn the_platform_runs_without_its_monitoring() -> Result<()> {
    let mut monitoring =
        vec!["statsd-exporter", "postgres-exporter", "valkey-exporter", "prometheus"];
    if stack::has_grafana() {
        monitoring.push("grafana");
    }
    for service in &monitoring {
        stack::docker(&["stop", &container(service)])?;
    }
    let running = stack::docker(&[
        "ps",
        "--filter",
        &format!("name={PREFIX}-"),
        "--format",
        "{{.Names}} {{.Status}}",
    ])?;
    for service in
        ["postgres", "valkey", "seaweedfs-master", "seaweedfs-volume", "airflow-scheduler"]
    {
        let line = running.lines().find(|line| line.starts_with(&format!("{PREFIX}-{service} ")));
        let line = line.with_context(|| format!("{service} does not run:\n{running}"))?;
        ensure!(!line.contains("unhealthy"), "{line}");
    }
    ensure!(stack::exec("valkey", &["valkey-cli", "PING"])? == "PONG", "Valkey");
    stack::sql("lakehouse", "SELECT 1")?;
    ensure!(get(&format!("{}/", stack::FILER))?.status == 200, "SeaweedFS");
    for service in monitoring {
        stack::docker(&["start", &container(service)])?;
    }
    eventually_within(Duration::from_mins(2), "the monitoring is back", || {
        let down = stack::query("up == 0")?;
        ensure!(down.is_empty(), "{down:?}");
        ensure!(stack::query("up")?.len() == 8, "not all targets yet");
        Ok(())
    })
}

/// The specification's alerts.
const FIVE: &str = "AirflowTaskFailureHigh|SeaweedFSDiskUsageHigh|ValkeyMemoryHigh|PostgresConnectionsHigh|ServiceDown";

/// Longer than the five minutes that the alerts look back.
const OUTAGE: Duration = Duration::from_mins(6);

/// The exporters go on counting while Prometheus is away; afterwards there is a gap, and no alert takes
/// the jump for a failure.
#[expect(clippy::disallowed_methods, reason = "a test waits for an outage to be long enough")]
pub(crate) fn an_outage_of_prometheus_leaves_a_gap_and_no_false_alert() -> Result<()> {
    let heartbeats = || -> Result<f64> {
        let page = metrics(STATSD_EXPORTER)?;
        page.value("airflow_scheduler_heartbeat", &[]).context("heartbeats")
    };
    let quiet = || -> Result<()> {
        let alerts =
            stack::query(&format!("ALERTS{{alertname=~\"{FIVE}\",alertstate=\"firing\"}}"))?;
        ensure!(alerts.is_empty(), "{alerts:?}");
        Ok(())
    };
    eventually_within(Duration::from_mins(10), "nothing fires", quiet)?;
    let before = heartbeats()?;
    let stopped = stack::value("vector(time())")?;
    stack::docker(&["stop", &container("prometheus")])?;
    std::thread::sleep(OUTAGE);
    ensure!(heartbeats()? > before, "the exporter has not counted on");
    stack::docker(&["start", &container("prometheus")])?;
    stack::wait_for(r#"up{job="statsd-exporter"} == 1"#, Duration::from_mins(2))?;
    let stored = stack::value("airflow_scheduler_heartbeat")?;
    ensure!(stored > before, "{stored} stored after the outage, {before} before");
    let middle = stopped + OUTAGE.as_secs_f64() / 2.0;
    let within = stack::query(&format!("count_over_time(up[2m] @ {middle:.0})"))?;
    ensure!(within.is_empty(), "samples in the gap: {within:?}");
    for _ in 0..12 {
        std::thread::sleep(Duration::from_secs(15));
        quiet()?;
    }
    Ok(())
}

/// What was saved is there again, and what came after it is not: samples of Prometheus, users of Grafana.
pub(crate) fn what_was_saved_can_be_brought_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_str().context("a path")?;
    let saved = stack::value("vector(time())")?;
    let series = stack::query(&format!("up @ {saved:.0}"))?;
    let users = [format!("saved-{saved:.0}"), format!("late-{saved:.0}")];
    if stack::has_grafana() {
        grafana::add_user(&users[0])?;
    }
    stack::run_with("backup", &[path])?;
    if stack::has_grafana() {
        grafana::wait_until_ready()?;
        grafana::add_user(&users[1])?;
    }
    stack::wait_for(&format!("count(up) == {}", series.len()), Duration::from_mins(2))?;
    let again = stack::value("vector(time())")?;
    stack::wait_for(&format!("vector(time()) > {again} + 20"), Duration::from_mins(1))?;
    let later = stack::value("vector(time())")?;
    let between = format!("count_over_time(up[20s] @ {later:.0})");
    ensure!(!stack::query(&between)?.is_empty(), "no sample after the backup");

    stack::run_with("restore", &[path])?;
    eventually_within(Duration::from_mins(2), "Prometheus is back", || {
        ensure!(stack::is_up(), "not ready");
        Ok(())
    })?;
    ensure!(stack::query(&format!("up @ {saved:.0}"))? == series, "what was saved");
    let kept = stack::query(&between)?;
    ensure!(kept.is_empty(), "kept although it came after: {kept:?}");
    if stack::has_grafana() {
        grafana::wait_until_ready()?;
        ensure!(grafana::has_user(&users[0])?, "the user that was saved is gone");
        ensure!(!grafana::has_user(&users[1])?, "the user that came after is there");
    }
    Ok(())
}
