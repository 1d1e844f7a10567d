//! The second Compose project: its names, ports and tools.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{Page, eventually_within, get, repository, without_own_variables};
use serde_json::Value;

use crate::provoke;

/// Container names begin with it; it is the project's name as well.
pub(crate) const PREFIX: &str = "lakehouse-e2e";

/// What tells the project apart from one that may run, and makes it small enough to fill up.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("LAKEHOUSE_PREFIX", PREFIX),
    ("LAKEHOUSE_NET", "172.30.82"),
    ("LAKEHOUSE_BIND", "127.0.0.1"),
    ("LAKEHOUSE_FOR", "test"),
    ("PROMETHEUS_PORT", "19090"),
    ("ALERTMANAGER_PORT", "19093"),
    ("STATSD_EXPORTER_PORT", "19102"),
    ("POSTGRES_EXPORTER_PORT", "19187"),
    ("VALKEY_EXPORTER_PORT", "19121"),
    ("GRAFANA_PORT", "13000"),
    ("AIRFLOW_PORT", "18080"),
    ("SEAWEEDFS_MASTER_PORT", "19333"),
    ("SEAWEEDFS_FILER_PORT", "18888"),
    ("TRINO_PORT", "18081"),
    ("POSTGRES_MAX_CONNECTIONS", "60"),
    ("VALKEY_MAXMEMORY", "32mb"),
];

pub(crate) const PROMETHEUS: &str = "http://127.0.0.1:19090";
pub(crate) const ALERTMANAGER: &str = "http://127.0.0.1:19093";
pub(crate) const STATSD_EXPORTER: &str = "http://127.0.0.1:19102";
pub(crate) const POSTGRES_EXPORTER: &str = "http://127.0.0.1:19187";
pub(crate) const VALKEY_EXPORTER: &str = "http://127.0.0.1:19121";
pub(crate) const FILER: &str = "http://127.0.0.1:18888";

/// One series of an answer of Prometheus: labels and value.
pub(crate) type Series = (BTreeMap<String, String>, f64);

/// A script of `deploy/`, for this project.
pub(crate) fn script(name: &str) -> Command {
    let mut command = Command::new(repository().join("deploy").join(name));
    without_own_variables(&mut command);
    command.envs(ENVIRONMENT.iter().copied());
    command.env("COMPOSE_PROFILES", if has_grafana() { "grafana" } else { "" });
    command.env("LAKEHOUSE_OVERRIDE", repository().join("tests/compose.e2e.yaml"));
    command.env("PROMETHEUS_PROGRAM_RULES", provoke::rules_folder());
    command.stdin(Stdio::null());
    command
}

/// Whether `tests/run.sh` has found an image of Grafana. The tests never build one.
pub(crate) fn has_grafana() -> bool {
    std::env::var_os("E2E_GRAFANA").is_some()
}

/// Runs a script to its end.
pub(crate) fn run(name: &str) -> Result<()> {
    run_with(name, &[])
}

pub(crate) fn run_with(name: &str, arguments: &[&str]) -> Result<()> {
    let status = script(name).args(arguments).status().with_context(|| name.to_owned())?;
    ensure!(status.success(), "deploy/{name}: {status}");
    Ok(())
}

/// Removes containers, network and volumes, and nothing else.
#[expect(clippy::print_stderr, reason = "a test tells whoever runs it")]
pub(crate) fn remove() {
    let status = script("down").arg("--volumes").status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("cannot remove {PREFIX}");
    }
}

pub(crate) fn is_up() -> bool {
    get(&format!("{PROMETHEUS}/-/ready")).is_ok_and(|answer| answer.status == 200)
}

/// Runs docker and gives its output.
pub(crate) fn docker(args: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(args).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs docker and gives its output and what it wrote to standard error.
pub(crate) fn docker_all(args: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(args).stdin(Stdio::null()).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Runs a command in a service's container.
pub(crate) fn exec(service: &str, command: &[&str]) -> Result<String> {
    let container = container(service);
    let args: Vec<_> = ["exec", &container].iter().chain(command).copied().collect();
    docker(&args)
}

/// A template of `docker inspect`, for a service's container.
pub(crate) fn inspect(service: &str, template: &str) -> Result<String> {
    docker(&["inspect", "--format", template, &container(service)])
}

pub(crate) fn sql(database: &str, statement: &str) -> Result<String> {
    let user = ["psql", "-XqtA", "-U", "postgres", "-d", database, "-c", statement];
    exec("postgres", &user)
}

/// The `data` of an answer of Prometheus' API.
pub(crate) fn api(path: &str) -> Result<Value> {
    let answer = get(&format!("{PROMETHEUS}/api/v1/{path}"))?;
    ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
    let mut json: Value = serde_json::from_str(&answer.body)?;
    Ok(json["data"].take())
}

/// An instant query.
pub(crate) fn query(expression: &str) -> Result<Vec<Series>> {
    query_at(PROMETHEUS, expression)
}

/// An instant query, of another Prometheus than the platform's.
pub(crate) fn query_at(prometheus: &str, expression: &str) -> Result<Vec<Series>> {
    let mut answer = ureq::get(format!("{prometheus}/api/v1/query"))
        .query("query", expression)
        .config()
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .call()
        .with_context(|| expression.to_owned())?;
    let json: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
    let result = json["data"]["result"].as_array().context("a vector")?;
    result.iter().map(series).collect()
}

/// A dashboard's query, with a value for each of its variables.
pub(crate) fn without_variables(expression: &str) -> String {
    let mut filled = expression.replace("$__rate_interval", "1m");
    for name in ["job", "instance", "datname", "dag_id"] {
        filled = filled.replace(&format!("\"${name}\""), "\".+\"");
    }
    filled
}

/// The value of a query which has one series.
pub(crate) fn value(expression: &str) -> Result<f64> {
    let result = query(expression)?;
    ensure!(result.len() == 1, "{expression}: {result:?}");
    Ok(result[0].1)
}

/// Waits until a query has a series with a value other than zero.
pub(crate) fn wait_for(expression: &str, limit: Duration) -> Result<()> {
    eventually_within(limit, expression, || {
        let result = query(expression)?;
        ensure!(result.iter().any(|(_, value)| *value != 0.0), "{result:?}");
        Ok(())
    })
}

/// Waits until no alert of this name is in `state`.
pub(crate) fn wait_for_silence(alert: &str, limit: Duration) -> Result<()> {
    wait_for_silence_at(PROMETHEUS, alert, limit)
}

/// The same, in another Prometheus than the platform's.
pub(crate) fn wait_for_silence_at(prometheus: &str, alert: &str, limit: Duration) -> Result<()> {
    let expression = format!(r#"ALERTS{{alertname="{alert}"}}"#);
    eventually_within(limit, &format!("{alert} resolves"), || {
        let result = query_at(prometheus, &expression)?;
        ensure!(result.is_empty(), "{result:?}");
        Ok(())
    })
}

/// The names of the alerts which Alertmanager has as active.
pub(crate) fn alertmanager() -> Result<Vec<String>> {
    let answer = get(&format!("{ALERTMANAGER}/api/v2/alerts?active=true"))?;
    let json: Value = serde_json::from_str(&answer.body)?;
    let alerts = json.as_array().context("a list of alerts")?;
    let name = |alert: &Value| alert["labels"]["alertname"].as_str().map(str::to_owned);
    Ok(alerts.iter().filter_map(name).collect())
}

/// Waits until an alert fires in Prometheus and has arrived in Alertmanager.
pub(crate) fn wait_for_alert(alert: &str, limit: Duration) -> Result<()> {
    wait_for(&format!(r#"ALERTS{{alertname="{alert}",alertstate="firing"}}"#), limit)?;
    eventually_within(Duration::from_mins(1), &format!("{alert} arrives"), || {
        let active = alertmanager()?;
        ensure!(active.iter().any(|name| name == alert), "{active:?}");
        Ok(())
    })
}

/// Waits until Alertmanager holds an alert back for another one.
pub(crate) fn wait_for_inhibition(alert: &str, limit: Duration) -> Result<()> {
    eventually_within(limit, &format!("{alert} is inhibited"), || {
        let answer = get(&format!("{ALERTMANAGER}/api/v2/alerts?active=false&inhibited=true"))?;
        let json: Value = serde_json::from_str(&answer.body)?;
        let alerts = json.as_array().context("a list of alerts")?;
        let own = alerts.iter().any(|other| other["labels"]["alertname"] == alert);
        ensure!(own, "{}", answer.body);
        Ok(())
    })
}

pub(crate) fn container(service: &str) -> String {
    format!("{PREFIX}-{service}")
}

/// The network of the platform.
pub(crate) fn network() -> String {
    format!("{PREFIX}_default")
}

/// The image of a service.
pub(crate) fn image(service: &str) -> Result<String> {
    inspect(service, "{{.Config.Image}}")
}

/// `/metrics` of an exporter, which has to answer 200.
pub(crate) fn metrics(exporter: &str) -> Result<Page> {
    let answer = get(&format!("{exporter}/metrics"))?;
    ensure!(answer.status == 200, "{exporter}: {}", answer.status);
    Ok(Page::parse(&answer.body))
}

fn series(json: &Value) -> Result<Series> {
    let labels = json["metric"].as_object().context("labels")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let labels = labels.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let value = json["value"][1].as_str().context("a value")?;
    Ok((labels, value.replace("Inf", "inf").parse()?))
}
