//! The files of the deployment say what the requirements say, field by field.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use e2e::repository;
use serde_yaml_ng::Value;

fn read(path: &str) -> Result<String> {
    fs::read_to_string(repository().join(path)).with_context(|| path.to_owned())
}

fn yaml(path: &str) -> Result<Value> {
    let mut value: Value = serde_yaml_ng::from_str(&read(path)?)?;
    // What is merged may merge something itself: once for each level.
    value.apply_merge()?;
    value.apply_merge()?;
    Ok(value)
}

fn service(name: &str) -> Result<Value> {
    let compose = yaml("deploy/compose.yaml")?;
    let service = compose["services"][name].clone();
    ensure!(service.is_mapping(), "no service {name}");
    Ok(service)
}

/// The texts of a list, or the words of a text.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Sequence(list) => {
            list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn the_five_containers_have_their_names_ports_and_health_checks() -> Result<()> {
    for (name, port) in [
        ("statsd-exporter", "9102"),
        ("prometheus", "9090"),
        ("grafana", "3000"),
        ("postgres-exporter", "9187"),
        ("valkey-exporter", "9121"),
    ] {
        let service = service(name)?;
        let container = service["container_name"].as_str().context("a name")?;
        ensure!(container == format!("${{LAKEHOUSE_PREFIX:-lakehouse}}-{name}"), "{container}");
        let ports = texts(&service["ports"]);
        let published = format!(":-{port}}}:{port}");
        ensure!(ports.len() == 1 && ports[0].ends_with(&published), "{name}: {ports:?}");
        ensure!(service["healthcheck"]["test"].is_sequence(), "{name} has no health check");
        ensure!(service["restart"] == "unless-stopped", "{name}: {:?}", service["restart"]);
    }
    Ok(())
}

#[test]
fn prometheus_has_its_flags_volume_mounts_and_health_check() -> Result<()> {
    let service = service("prometheus")?;
    let command = texts(&service["command"]);
    ensure!(command.contains(&"--storage.tsdb.retention.time=7d".to_owned()), "{command:?}");
    let volumes = texts(&service["volumes"]);
    for end in [
        "prometheus.yml:/etc/prometheus/prometheus.yml:ro",
        ":/etc/prometheus/alert_rules.yml:ro",
        "prometheus-data:/prometheus",
    ] {
        ensure!(volumes.iter().any(|volume| volume.ends_with(end)), "{end} is not in {volumes:?}");
    }
    let check = &service["healthcheck"];
    let expected = ["CMD", "wget", "--spider", "-q", "http://localhost:9090/-/healthy"];
    ensure!(texts(&check["test"]) == expected, "{check:?}");
    ensure!(
        check["interval"] == "10s" && check["timeout"] == "5s" && check["retries"] == 5,
        "{check:?}"
    );
    Ok(())
}

#[test]
fn services_start_in_the_specified_order() -> Result<()> {
    for (name, needs) in [
        ("postgres-exporter", &[("postgres", "service_healthy")][..]),
        ("valkey-exporter", &[("valkey", "service_healthy")]),
        ("statsd-exporter", &[]),
        (
            "prometheus",
            &[
                ("statsd-exporter", "service_started"),
                ("postgres-exporter", "service_started"),
                ("valkey-exporter", "service_started"),
            ],
        ),
        ("grafana", &[("prometheus", "service_healthy")]),
    ] {
        let depends = &service(name)?["depends_on"];
        let count = depends.as_mapping().map_or(0, serde_yaml_ng::Mapping::len);
        ensure!(count == needs.len(), "{name}: {depends:?}");
        for (other, condition) in needs {
            ensure!(depends[*other]["condition"] == *condition, "{name}: {depends:?}");
        }
    }
    Ok(())
}

#[test]
fn airflow_sends_to_the_exporter_from_every_process() -> Result<()> {
    let compose = yaml("deploy/compose.yaml")?;
    let services = compose["services"].as_mapping().context("services")?;
    let mut count = 0;
    for (name, service) in services {
        let name = name.as_str().context("a name")?;
        if !name.starts_with("airflow-") {
            continue;
        }
        count += 1;
        let environment = &service["environment"];
        for (variable, expected) in [
            ("AIRFLOW__METRICS__STATSD_ON", "True"),
            ("AIRFLOW__METRICS__STATSD_HOST", "statsd-exporter"),
            ("AIRFLOW__METRICS__STATSD_PORT", "8125"),
            ("AIRFLOW__METRICS__STATSD_PREFIX", "airflow"),
        ] {
            ensure!(environment[variable] == expected, "{name}: {variable}");
        }
        let needs = &service["depends_on"]["statsd-exporter"]["condition"];
        ensure!(needs == "service_started", "{name} does not wait for statsd-exporter");
    }
    ensure!(count >= 4, "{count} Airflow services");
    let address = &service("statsd-exporter")?["networks"]["default"]["ipv4_address"];
    ensure!(address.is_string(), "statsd-exporter has no fixed address");
    Ok(())
}

#[test]
fn exporters_are_configured_by_one_variable_and_confined() -> Result<()> {
    let postgres = service("postgres-exporter")?;
    let dsn = postgres["environment"]["DATA_SOURCE_NAME"].as_str().context("a DSN")?;
    ensure!(dsn.starts_with("postgresql://") && dsn.contains("@postgres:5432/"), "{dsn}");
    ensure!(dsn.ends_with("?sslmode=disable"), "{dsn}");
    let valkey = service("valkey-exporter")?;
    ensure!(valkey["environment"]["REDIS_ADDR"] == "redis://valkey:6379", "{valkey:?}");
    let statsd = service("statsd-exporter")?;
    let command = texts(&statsd["command"]);
    for flag in ["--statsd.listen-udp=:8125", "--statsd.mapping-config=/tmp/statsd_mapping.yml"] {
        ensure!(command.iter().any(|word| word == flag), "{command:?}");
    }
    ensure!(texts(&statsd["volumes"])[0].ends_with(":/tmp/statsd_mapping.yml:ro"), "{statsd:?}");
    for service in [postgres, valkey, statsd] {
        ensure!(service["mem_limit"] == "64m", "{service:?}");
        ensure!(service["read_only"] == true, "{service:?}");
        ensure!(texts(&service["cap_drop"]) == ["ALL"], "{service:?}");
    }
    Ok(())
}

#[test]
fn prometheus_scrapes_the_specified_jobs() -> Result<()> {
    let config = yaml("deploy/prometheus/prometheus.yml")?;
    ensure!(config["global"]["scrape_interval"] == "15s", "{config:?}");
    ensure!(config["global"]["evaluation_interval"] == "15s", "{config:?}");
    let rule_files = texts(&config["rule_files"]);
    ensure!(rule_files[0] == "/etc/prometheus/alert_rules.yml", "{rule_files:?}");
    let jobs = config["scrape_configs"].as_sequence().context("jobs")?;
    for (index, (name, target)) in [
        ("statsd-exporter", "statsd-exporter:9102"),
        ("postgres-exporter", "postgres-exporter:9187"),
        ("valkey-exporter", "valkey-exporter:9121"),
        ("seaweedfs-master", "seaweedfs-master:9324"),
        ("seaweedfs-volume", "seaweedfs-volume:9325"),
    ]
    .into_iter()
    .enumerate()
    {
        ensure!(jobs[index]["job_name"] == name, "{:?}", jobs[index]);
        let targets = texts(&jobs[index]["static_configs"][0]["targets"]);
        ensure!(targets == [target], "{name}: {targets:?}");
    }
    Ok(())
}

#[test]
fn grafana_is_provisioned_from_files() -> Result<()> {
    let service = service("grafana")?;
    let volumes = texts(&service["volumes"]);
    for end in [
        ":/etc/grafana/provisioning/datasources/prometheus.yml:ro",
        ":/etc/grafana/provisioning/dashboards/dashboards.yml:ro",
        ":/var/lib/grafana/dashboards:ro",
        "grafana-data:/var/lib/grafana",
    ] {
        ensure!(volumes.iter().any(|volume| volume.ends_with(end)), "{end} is not in {volumes:?}");
    }
    let datasources = yaml("deploy/grafana/provisioning/datasources/prometheus.yml")?;
    ensure!(datasources["apiVersion"] == 1, "{datasources:?}");
    let list = datasources["datasources"].as_sequence().context("datasources")?;
    ensure!(list.len() == 1, "{list:?}");
    let source = &list[0];
    for (field, expected) in [
        ("name", Value::from("Prometheus")),
        ("type", Value::from("prometheus")),
        ("access", Value::from("proxy")),
        ("url", Value::from("http://prometheus:9090")),
        ("isDefault", Value::from(true)),
        ("editable", Value::from(false)),
    ] {
        ensure!(source[field] == expected, "{field}: {:?}", source[field]);
    }
    Ok(())
}

/// The dashboard from top to bottom: rows, and of each panel its kind, title and number of queries.
const OVERVIEW: [&str; 14] = [
    "row Platform Health",
    "stat Service Up/Down: 1",
    "stat Active Alerts: 1",
    "row Airflow",
    "timeseries Task Successes vs Failures: 2",
    "timeseries DAG Run Duration: 2",
    "stat Scheduler Heartbeat: 1",
    "row Database & Broker",
    "gauge PostgreSQL Connections: 1",
    "timeseries PostgreSQL Transactions/s: 1",
    "gauge Valkey Memory Usage: 1",
    "row Storage",
    "gauge SeaweedFS Disk Usage: 1",
    "timeseries SeaweedFS Read/Write Ops: 1",
];

#[test]
fn the_overview_has_the_specified_rows_and_panels() -> Result<()> {
    let dashboard: Value = serde_yaml_ng::from_str(&read("dashboards/lakehouse-overview.json")?)?;
    ensure!(dashboard["title"] == "Lakehouse Platform Overview", "{:?}", dashboard["title"]);
    ensure!(dashboard["uid"] == "lakehouse-overview", "{:?}", dashboard["uid"]);
    let panels = dashboard["panels"].as_sequence().context("panels")?;
    let found: Vec<_> = panels
        .iter()
        .map(|panel| {
            let text = |field: &str| panel[field].as_str().unwrap_or_default();
            let queries =
                panel["targets"].as_sequence().map(|targets| format!(": {}", targets.len()));
            format!("{} {}{}", text("type"), text("title"), queries.unwrap_or_default())
        })
        .collect();
    ensure!(found == OVERVIEW, "{found:#?}");
    Ok(())
}

#[test]
fn the_five_alerts_stand_in_a_group_of_their_own() -> Result<()> {
    let rules = yaml("rules/lakehouse.yml")?;
    let groups = rules["groups"].as_sequence().context("groups")?;
    let alerts: Vec<_> = groups
        .iter()
        .filter(|group| group["name"] == "lakehouse_alerts")
        .flat_map(|group| group["rules"].as_sequence().into_iter().flatten())
        .filter_map(|rule| rule["alert"].as_str())
        .collect();
    let expected = [
        "AirflowTaskFailureHigh",
        "SeaweedFSDiskUsageHigh",
        "ValkeyMemoryHigh",
        "PostgresConnectionsHigh",
        "ServiceDown",
    ];
    ensure!(alerts == expected, "{alerts:?}");
    let others = groups.iter().filter(|group| group["name"] != "lakehouse_alerts");
    for rule in others.flat_map(|group| group["rules"].as_sequence().into_iter().flatten()) {
        ensure!(rule["record"].is_string(), "not a recording rule: {rule:?}");
    }
    Ok(())
}

#[test]
fn alerts_say_what_the_specification_says() -> Result<()> {
    let rules = read("rules/lakehouse.yml")?;
    for text in [
        r#"{{ printf "%.0f" $value }} task failure(s) in the last 5 minutes."#,
        r#"Disk usage is at {{ printf "%.1f" $value }}%. Free space or add volume servers."#,
        r#"Memory usage is at {{ printf "%.1f" $value }}%. Increase maxmemory or investigate queue depth."#,
        r#"{{ printf "%.1f" $value }}% of max connections in use. Check for connection leaks."#,
        "Scrape target {{ $labels.job }} is down",
        "Prometheus cannot reach {{ $labels.instance }} for more than 1 minute.",
    ] {
        ensure!(rules.contains(text), "{text} is not in rules/lakehouse.yml");
    }
    Ok(())
}

/// Pattern, name, labels.
type Mapping = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// The seven entries of the specification.
const MAPPINGS: [Mapping; 7] = [
    (
        "airflow.dag.*.*.duration",
        "airflow_dag_task_duration",
        &[("dag_id", "$1"), ("task_id", "$2")],
    ),
    ("airflow.dagrun.duration.success.*", "airflow_dagrun_duration_success", &[("dag_id", "$1")]),
    ("airflow.dagrun.duration.failed.*", "airflow_dagrun_duration_failed", &[("dag_id", "$1")]),
    ("airflow.dag_processing.total_parse_time", "airflow_dag_processing_total_parse_time", &[]),
    ("airflow.scheduler.heartbeat", "airflow_scheduler_heartbeat", &[]),
    ("airflow.ti.failures", "airflow_ti_failures", &[]),
    ("airflow.ti.successes", "airflow_ti_successes", &[]),
];

#[test]
fn the_mapping_begins_with_the_seven_entries_unchanged() -> Result<()> {
    let mapping = yaml("deploy/statsd/lakehouse.yml")?;
    let rules = mapping["mappings"].as_sequence().context("mappings")?;
    for (pattern, name, labels) in MAPPINGS {
        let rule = rules.iter().find(|rule| rule["match"] == pattern).context(pattern)?;
        ensure!(rule["name"] == name, "{rule:?}");
        let count = rule["labels"].as_mapping().map_or(0, serde_yaml_ng::Mapping::len);
        ensure!(count == labels.len(), "{rule:?}");
        for (label, value) in labels {
            ensure!(rule["labels"][*label] == *value, "{rule:?}");
        }
    }
    for name in ["airflow.scheduler_heartbeat", "airflow.ti_failures", "airflow.ti_successes"] {
        let rule = rules.iter().find(|rule| rule["match"] == name).context(name)?;
        ensure!(rule["initialize"] == 0, "{rule:?}");
    }
    Ok(())
}
