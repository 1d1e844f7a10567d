//! The lakehouse at a glance: the rows, panels and queries that the specification names.

use crate::{
    dashboard::Dashboard,
    panel::{FILLING, NONE_IS_GOOD, Panel, gauge, stat, time_series},
};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard::new(
        "lakehouse-overview",
        "Lakehouse Platform Overview",
        "The lakehouse at a glance: what is up, what alerts, Airflow, PostgreSQL, Valkey and SeaweedFS.",
    )
    .missing("Prometheus has no series of this")
    .row("Platform Health", health())
    .row("Airflow", airflow())
    .row("Database & Broker", database_and_broker())
    .row("Storage", storage())
}

fn health() -> Vec<Panel> {
    vec![
        stat("Service Up/Down", "none")
            .query("up", "{{job}}")
            .about("Whether Prometheus could scrape each target. The exporters count as down when what they watch is down.")
            .missing("Prometheus scrapes nothing")
            .up_or_down()
            .background()
            .runbook("ServiceDown")
            .wide(18, 5),
        stat("Active Alerts", "short")
            .query("count(ALERTS{alertstate=\"firing\"}) or vector(0)", "alerts")
            .about("How many alerts fire now.")
            .missing("Prometheus does not answer")
            .steps(NONE_IS_GOOD)
            .background()
            .wide(6, 5),
    ]
}

fn airflow() -> Vec<Panel> {
    vec![
        time_series("Task Successes vs Failures", "ops")
            .query("sum(rate(airflow_ti_successes[5m]))", "successes")
            .query("sum(rate(airflow_ti_failures[5m]))", "failures")
            .about("Task instances that ended, by second, over five minutes.")
            .missing("No counter of Airflow's tasks: statsd-exporter is down")
            .colour("successes", "green")
            .colour("failures", "red")
            .runbook("AirflowTaskFailureHigh")
            .wide(9, 8),
        time_series("DAG Run Duration", "s")
            .query(
                "airflow_dagrun_duration_success{dag_id!=\"\",quantile=\"0.99\"}",
                "{{dag_id}} p99",
            )
            .query(
                "sum by (dag_id) (rate(airflow_dagrun_duration_success_sum{dag_id!=\"\"}[30m])) / sum by (dag_id) (rate(airflow_dagrun_duration_success_count{dag_id!=\"\"}[30m]))",
                "{{dag_id}} mean",
            )
            .about("Successful runs by DAG: the 99th percentile of the last ten minutes, and the mean of the last thirty, which goes on while nothing runs.")
            .missing("No DAG has had a successful run yet")
            .wide(9, 8),
        stat("Scheduler Heartbeat", "cps")
            .query("sum(rate(airflow_scheduler_heartbeat[1m]))", "heartbeats")
            .about("Heartbeats by second, over one minute. Zero: the scheduler does not schedule.")
            .missing("No heartbeat counter: statsd-exporter is down")
            .steps(&[("red", None), ("green", Some(0.01))])
            .graph()
            .wide(6, 8),
    ]
}

fn database_and_broker() -> Vec<Panel> {
    vec![
        gauge(
            "PostgreSQL Connections",
            "100 * sum by (job, instance) (pg_stat_activity_count) / max by (job, instance) (pg_settings_max_connections)",
            "{{instance}}",
        )
        .about("Connections of all databases and states, in percent of max_connections.")
        .missing("PostgreSQL or its exporter is down")
        .steps(FILLING)
        .runbook("PostgresConnectionsHigh"),
        time_series("PostgreSQL Transactions/s", "ops")
            .query(
                "sum by (datname) (rate(pg_stat_database_xact_commit{datname!=\"\"}[5m]))",
                "{{datname}}",
            )
            .about("Commits by database.")
            .missing("PostgreSQL or its exporter is down"),
        gauge(
            "Valkey Memory Usage",
            "100 * redis_memory_used_bytes / (redis_memory_max_bytes > 0)",
            "{{instance}}",
        )
        .about("Memory used, in percent of maxmemory. Empty without a limit.")
        .missing("Valkey has no maxmemory, or is down")
        .steps(FILLING)
        .runbook("ValkeyMemoryHigh"),
    ]
}

fn storage() -> Vec<Panel> {
    vec![
        gauge(
            "SeaweedFS Disk Usage",
            "100 * seaweedfs_disk_used_bytes / (seaweedfs_disk_total_bytes > 0)",
            "{{instance}} {{name}}",
        )
        .about("The file system of each volume folder, what others keep there included.")
        .missing("No volume server reports its disk")
        .steps(FILLING)
        .runbook("SeaweedFSDiskUsageHigh"),
        time_series("SeaweedFS Read/Write Ops", "reqps")
            .query("sum by (type) (rate(SeaweedFS_volumeServer_request_total[5m]))", "{{type}}")
            .about("Requests to the volume servers, by kind.")
            .missing("No request has reached a volume server yet")
            .wide(18, 8),
    ]
}
