//! The five alerts, provoked and undone on the live platform, each with its specified `for`.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{eventually_within, get};

use crate::stack::{self, POSTGRES_EXPORTER, VALKEY_EXPORTER, container};

/// Alerts on what has filled up.
const SLOW: [&str; 3] = ["ValkeyMemoryHigh", "PostgresConnectionsHigh", "SeaweedFSDiskUsageHigh"];

/// Their `for`, two evaluations, a scrape, and time for a busy machine.
const SLOW_LIMIT: Duration = Duration::from_mins(8);

pub(crate) fn the_first_task_that_fails_alerts() -> Result<()> {
    let failures = stack::value("sum(airflow_ti_failures)")?;
    ensure!(failures == 0.0, "{failures} tasks have failed before");
    stack::run("fail-task")?;
    stack::wait_for_alert("AirflowTaskFailureHigh", Duration::from_mins(1))?;
    stack::wait_for_alert("AirflowDagRunFailed", Duration::from_mins(2))
}

pub(crate) fn memory_connections_and_disk_fill_up() -> Result<()> {
    fill_valkey()?;
    fill_postgres()?;
    fill_seaweedfs()?;
    for alert in SLOW {
        let pending = format!(r#"ALERTS{{alertname="{alert}",alertstate=~"pending|firing"}}"#);
        stack::wait_for(&pending, Duration::from_mins(1))?;
    }
    Ok(())
}

/// To 88 % of its memory: queued tasks still have room.
fn fill_valkey() -> Result<()> {
    let script = "local info = redis.call('INFO', 'memory') \
                  local used = tonumber(string.match(info, 'used_memory:(%d+)')) \
                  local max = tonumber(string.match(info, 'maxmemory:(%d+)')) \
                  local count = math.floor((max * 0.88 - used) / 100000) \
                  for i = 1, count do redis.call('SET', 'e2e:' .. i, string.rep('x', 98000)) end \
                  return count";
    let count: u32 = stack::exec("valkey", &["valkey-cli", "EVAL", script, "0"])?.parse()?;
    ensure!(count > 0, "it was full already");
    Ok(())
}

/// To 87 % of its connections, by sessions which sleep.
fn fill_postgres() -> Result<()> {
    let count = "SELECT ceil(0.87 * current_setting('max_connections')::int)::int \
                 - count(*) FROM pg_stat_activity WHERE datname IS NOT NULL";
    let count: u32 = stack::sql("postgres", count)?.parse()?;
    let sleep = "SELECT pg_sleep(1200)";
    let script = format!(
        "for i in $(seq {count}); do PGAPPNAME=e2e psql -XqtA -U postgres -c '{sleep}' >/dev/null 2>&1 & done; wait"
    );
    stack::docker(&["exec", "--detach", &container("postgres"), "sh", "-c", &script])?;
    Ok(())
}

/// To 86 % of the small disk which `compose.e2e.yaml` gives the volume server.
fn fill_seaweedfs() -> Result<()> {
    let script = "set -- $(df -k /data | tail -n 1); \
                  dd if=/dev/zero of=/data/e2e-filler bs=1024 count=$(($2 * 86 / 100 - $3)) 2>/dev/null";
    stack::exec("seaweedfs-volume", &["sh", "-c", script])?;
    Ok(())
}

pub(crate) fn what_filled_up_alerts_and_resolves() -> Result<()> {
    for alert in SLOW {
        stack::wait_for_alert(alert, SLOW_LIMIT)?;
    }
    let undo = "for i = 1, 1000 do redis.call('DEL', 'e2e:' .. i) end";
    stack::exec("valkey", &["valkey-cli", "EVAL", undo, "0"])?;
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'e2e'";
    stack::sql("postgres", end)?;
    stack::exec("seaweedfs-volume", &["rm", "/data/e2e-filler"])?;
    for alert in SLOW {
        stack::wait_for_silence(alert, Duration::from_mins(2))?;
    }
    Ok(())
}

pub(crate) fn a_postgres_that_is_down_alerts_and_resolves() -> Result<()> {
    let started = || stack::inspect("postgres-exporter", "{{.State.StartedAt}} {{.RestartCount}}");
    let before = started()?;
    stack::docker(&["stop", &container("postgres")])?;
    is_down("postgres-exporter", POSTGRES_EXPORTER, "pg_up 0")?;
    stack::wait_for_alert("ServiceDown", Duration::from_mins(3))?;
    // Which says the same: Alertmanager sends one of them.
    stack::wait_for_alert("PostgresDown", Duration::from_mins(1))?;
    stack::wait_for_inhibition("PostgresDown", Duration::from_mins(1))?;
    let state = stack::inspect("postgres-exporter", "{{.State.Health.Status}}")?;
    ensure!(state == "healthy", "the exporter itself is {state}");

    stack::docker(&["start", &container("postgres")])?;
    stack::wait_for(r#"up{job="postgres-exporter"} == 1"#, Duration::from_mins(2))?;
    stack::wait_for_silence("ServiceDown", Duration::from_mins(2))?;
    ensure!(started()? == before, "the exporter was restarted");
    Ok(())
}

pub(crate) fn a_valkey_that_is_down_is_seen_and_comes_back() -> Result<()> {
    stack::docker(&["stop", &container("valkey")])?;
    is_down("valkey-exporter", VALKEY_EXPORTER, "redis_up 0")?;
    stack::wait_for_alert("ValkeyDown", Duration::from_mins(2))?;
    stack::docker(&["start", &container("valkey")])?;
    stack::wait_for(r#"up{job="valkey-exporter"} == 1"#, Duration::from_mins(2))?;
    stack::wait_for_silence("ValkeyDown", Duration::from_mins(2))
}

/// The page is 503 with the gauge on it, and Prometheus has the target as down.
fn is_down(job: &str, exporter: &str, gauge: &str) -> Result<()> {
    eventually_within(Duration::from_secs(30), gauge, || {
        let answer = get(&format!("{exporter}/metrics"))?;
        ensure!(answer.status == 503, "{}", answer.status);
        ensure!(answer.body.contains(&format!("\n{gauge}\n")), "{}", answer.body);
        Ok(())
    })?;
    stack::wait_for(&format!("up{{job=\"{job}\"}} == bool 0"), Duration::from_mins(1))
}
