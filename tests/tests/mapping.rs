//! The StatsD names of Airflow become the metrics of the lakehouse: the deployed mapping file, seen
//! from outside.

use std::{fs, net::UdpSocket};

use anyhow::{Context as _, Result, ensure};
use e2e::{Exporter, Page, eventually, get_with, repository};

/// The specification's entries: what stands before the first comment behind them.
const OWN_ENTRIES: &str = "\n  # The names that Airflow really sends";

struct Statsd {
    exporter: Exporter,
    socket: UdpSocket,
    port: u16,
}

impl Statsd {
    fn start(mapping: &str) -> Result<Self> {
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let listen = format!("--statsd.listen-udp=127.0.0.1:{port}");
        let mapping = format!("--statsd.mapping-config={mapping}");
        let args = [listen.as_str(), "--statsd.listen-tcp=", mapping.as_str()];
        let exporter = Exporter::start("statsd-exporter", &args, &[])?;
        Ok(Self { exporter, socket: UdpSocket::bind("127.0.0.1:0")?, port })
    }

    fn deployed() -> Result<Self> {
        Self::start(&repository().join("deploy/statsd/lakehouse.yml").to_string_lossy())
    }

    /// Sends each line in a datagram, and waits until the last has arrived.
    fn send(&self, lines: &[&str]) -> Result<Page> {
        for line in lines.iter().chain(&["last:1|c"]) {
            self.socket.send_to(line.as_bytes(), ("127.0.0.1", self.port))?;
        }
        eventually("the last line arrives", || {
            let page = self.exporter.metrics()?;
            ensure!(page.value("last", &[]).is_some(), "not yet");
            Ok(page)
        })
    }
}

fn expect(page: &Page, name: &str, labels: &[(&str, &str)], value: f64) -> Result<()> {
    let found: Vec<_> = page.all(name, labels).map(|sample| sample.value).collect();
    ensure!(found == [value], "{name}{labels:?}: {found:?}, not {value}");
    Ok(())
}

#[test]
fn every_sample_of_the_specification_is_named_and_labelled() -> Result<()> {
    let page = Statsd::deployed()?.send(&[
        "airflow.dag.d1.t1.duration:250|ms",
        "airflow.dag.d1.grp.t1.duration:500|ms",
        "airflow.dagrun.duration.success.d1:1500|ms",
        "airflow.dagrun.duration.success:1500|ms",
        "airflow.dagrun.duration.failed.d1:2500|ms",
        "airflow.dagrun.duration.failed.sales.daily:3500|ms",
        "airflow.dagrun.duration.failed:2500|ms",
        "airflow.dag_processing.total_parse_time:7|g",
        "airflow.dag_processing.total_parse_time:1.25|g",
        "airflow.scheduler.heartbeat:1|c",
        "airflow.scheduler_heartbeat:1|c",
        "airflow.ti.failures:1|c",
        "airflow.ti_failures:1|c",
        "airflow.ti.successes:1|c",
        "airflow.ti_successes:1|c",
        "airflow.pool.open_slots.default_pool:128|g",
        "airflow.executor.queued_tasks:3|g",
    ])?;
    let task = |task| [("dag_id", "d1"), ("task_id", task)];
    expect(&page, "airflow_dag_task_duration_count", &task("t1"), 1.0)?;
    expect(&page, "airflow_dag_task_duration_sum", &task("t1"), 0.25)?;
    expect(&page, "airflow_dag_task_duration_sum", &task("grp.t1"), 0.5)?;
    expect(&page, "airflow_dagrun_duration_success_sum", &[], 1.5)?;
    expect(&page, "airflow_dagrun_duration_all_success_sum", &[], 1.5)?;
    expect(&page, "airflow_dagrun_duration_failed_sum", &[("dag_id", "d1")], 2.5)?;
    expect(&page, "airflow_dagrun_duration_failed_sum", &[("dag_id", "sales.daily")], 3.5)?;
    expect(&page, "airflow_dagrun_duration_all_failed_sum", &[], 2.5)?;
    for quantile in ["0.5", "0.9", "0.99"] {
        let labels = [("dag_id", "d1"), ("quantile", quantile)];
        expect(&page, "airflow_dagrun_duration_success", &labels, 1.5)?;
    }
    expect(&page, "airflow_dag_processing_total_parse_time", &[], 1.25)?;
    for counter in ["airflow_scheduler_heartbeat", "airflow_ti_failures", "airflow_ti_successes"] {
        expect(&page, counter, &[], 2.0)?;
        ensure!(page.kind(counter) == Some("counter"), "{counter}: {:?}", page.kind(counter));
    }
    expect(&page, "airflow_pool_open_slots_default_pool", &[], 128.0)?;
    expect(&page, "airflow_executor_queued_tasks", &[], 3.0)?;
    ensure!(page.kind("airflow_dag_processing_total_parse_time") == Some("gauge"), "a gauge");
    ensure!(page.kind("airflow_dag_task_duration") == Some("summary"), "a summary");
    Ok(())
}

#[test]
fn mapped_counters_are_zero_before_any_datagram() -> Result<()> {
    let page = Statsd::deployed()?.exporter.metrics()?;
    for counter in ["airflow_scheduler_heartbeat", "airflow_ti_failures", "airflow_ti_successes"] {
        expect(&page, counter, &[], 0.0)?;
    }
    Ok(())
}

#[test]
fn the_first_seven_entries_are_accepted_alone_and_a_family_holds_several_label_sets() -> Result<()>
{
    let mapping = fs::read_to_string(repository().join("deploy/statsd/lakehouse.yml"))?;
    let specified = mapping.split_once(OWN_ENTRIES).context("our own entries have a comment")?.0;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("specified.yml");
    fs::write(&path, specified)?;
    let page = Statsd::start(&path.to_string_lossy())?.send(&[
        "airflow.dagrun.duration.success.d1:1500|ms",
        "airflow.dagrun.duration.success:500|ms",
    ])?;
    let name = "airflow_dagrun_duration_success_sum";
    expect(&page, name, &[("dag_id", "d1")], 1.5)?;
    let unlabelled = page.all(name, &[]).filter(|sample| sample.labels.is_empty());
    ensure!(unlabelled.map(|sample| sample.value).eq([0.5]), "the untagged one beside it");
    Ok(())
}

#[test]
fn counters_keep_their_names_in_every_format_prometheus_asks_for() -> Result<()> {
    let statsd = Statsd::deployed()?;
    let address = format!("http://{}/metrics", statsd.exporter.address());
    for accept in [
        "text/plain;version=0.0.4",
        "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;q=0.4,*/*;q=0.2",
    ] {
        let page = get_with(&address, &[("Accept", accept)])?.body;
        ensure!(page.lines().any(|line| line == "airflow_ti_failures 0"), "{accept}: {page}");
        ensure!(!page.contains("airflow_ti_failures_total"), "{accept}: {page}");
    }
    Ok(())
}
