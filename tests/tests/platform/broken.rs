//! The monitoring itself does not work: a job without targets, a receiver that refuses, files that cannot
//! be read; and what the platform has not, a replica. That is done to a second Prometheus, a second
//! Alertmanager and second exporters, beside those of the platform, whose Alertmanager hears of it.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use e2e::eventually_within;
use tempfile::TempDir;

use crate::{
    harm, provoke,
    stack::{self, PREFIX},
    storage::{ADDRESS, Container, prometheus_beside, readable, wait_until_ready},
};

const ALERTS: [&str; 10] = [
    "AlertmanagerConfigReloadFailed",
    "AlertmanagerNotificationsFailing",
    "PostgresExporterReloadFailed",
    "PrometheusConfigReloadFailed",
    "PrometheusJobMissing",
    "PrometheusNotificationsFailing",
    "PrometheusRuleFailures",
    "StatsdLimitReached",
    "StatsdMappingReloadFailed",
    "ValkeyReplicaLinkDown",
];

const LIMIT: Duration = Duration::from_mins(5);

/// After which all of them read their files again.
const AGAIN: Duration = Duration::from_secs(20);

/// No file of any of them.
const NONSENSE: &str = "mappings: [\n";

/// What each of them reads, as it should be.
const MAPPING: &str = "mappings:\n- match: \"e2e.*\"\n  name: \"e2e\"\n";
const MODULES: &str = "auth_modules: {}\n";

/// Of a server that is not there.
const REPLICA: [&str; 4] = ["valkey-server", "--replicaof", "127.0.0.1", "1"];

/// Several series on both sides.
const FAILING_RULE: &str =
    "groups: [{name: e2e, rules: [{record: e2e, expr: 'up + on() group_left() up'}]}]\n";

/// Of the second Prometheus. Broken, it has a job without targets, an Alertmanager that is not there,
/// and a rule that fails.
fn prometheus(broken: bool) -> Result<String> {
    let name = |service: &str, port: u16| format!("'{PREFIX}-broken-{service}:{port}'");
    let (mut alertmanagers, mut rules, mut valkey) = (
        format!("'alertmanager:9093', {}", name("alertmanager", 9093)),
        ["alertmanager", "postgres", "prometheus", "statsd", "valkey"]
            .map(|name| format!("/rules/{name}.yml"))
            .join(", "),
        "'valkey-exporter:9121'",
    );
    if broken {
        alertmanagers += ", '127.0.0.1:1'";
        rules += ", /input/failing.yml";
        valkey = "";
    }
    let mut text = format!(
        "global: {{scrape_interval: 5s, evaluation_interval: 5s}}\n\
         rule_files: [{rules}]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: [{alertmanagers}]}}]}}]}}\n\
         scrape_configs:\n"
    );
    for (job, targets) in [
        ("prometheus", "'localhost:9090'"),
        ("alertmanager", &name("alertmanager", 9093)),
        ("statsd-exporter", &name("statsd", 9102)),
        ("postgres-exporter", &name("postgres", 9187)),
        ("replica", &name("valkey-exporter", 9121)),
        ("seaweedfs-master", "'seaweedfs-master:9324'"),
        ("seaweedfs-volume", "'seaweedfs-volume:9325'"),
        ("valkey-exporter", valkey),
    ] {
        writeln!(text, "- {{job_name: {job}, static_configs: [{{targets: [{targets}]}}]}}")?;
    }
    Ok(text)
}

/// The files of all four, and the four.
struct Second {
    folder: TempDir,
    containers: Vec<Container>,
}

impl Second {
    fn start() -> Result<Self> {
        let mut own = Self { folder: tempfile::tempdir()?, containers: Vec::new() };
        fs::create_dir(own.path("input"))?;
        fs::create_dir(own.path("secrets"))?;
        // Something that is there refuses what it is sent, at once and for good.
        fs::write(own.path("secrets/webhook_url"), "http://prometheus:9090/e2e/nobody")?;
        own.write_configurations(true)?;
        fs::write(own.path("input/failing.yml"), FAILING_RULE)?;
        let input = readable(&own.path("input"))?;
        own.start_alertmanager()?;
        let replica = stack::container("broken-valkey");
        for (service, name, variable, options) in [
            (
                "statsd-exporter",
                "broken-statsd",
                "E2E=1",
                &["--statsd.mapping-config=/input/mapping.yml", "--statsd.max-series=2"][..],
            ),
            (
                "postgres-exporter",
                "broken-postgres",
                "DATA_SOURCE_URI=postgres:5432/lakehouse?sslmode=disable",
                &["--config.file=/input/modules.yml"][..],
            ),
            ("valkey", "broken-valkey", "E2E=1", &REPLICA[..]),
            (
                "valkey-exporter",
                "broken-valkey-exporter",
                &format!("REDIS_ADDR={replica}:6379"),
                &[],
            ),
        ] {
            let start = ["--volume", &input, "--env", variable, "IMAGE"];
            let arguments = [&start[..], options].concat();
            own.containers.push(Container::beside(&stack::image(service)?, name, &arguments)?);
        }
        own.start_prometheus(&input)?;
        Ok(own)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// In place: a file that is mounted alone stays the one that it was.
    fn write_configurations(&self, broken: bool) -> Result<()> {
        fs::write(self.path("input/prometheus.yml"), prometheus(broken)?)?;
        fs::write(self.path("input/mapping.yml"), MAPPING)?;
        fs::write(self.path("input/modules.yml"), MODULES)?;
        let out = self.path("out");
        let mut configure = stack::script("alertmanager/configure");
        let status = configure.arg(self.path("secrets")).arg(&out).status()?;
        ensure!(status.success(), "configure: {status}");
        let text = fs::read_to_string(self.alertmanager())?;
        Ok(fs::write(
            self.alertmanager(),
            text.replace("group_interval: 1m", "group_interval: 10s"),
        )?)
    }

    fn alertmanager(&self) -> PathBuf {
        self.path("out/alertmanager.yml")
    }

    fn start_alertmanager(&mut self) -> Result<()> {
        let mount = |path: &Path, at: &str| format!("{}:/etc/alertmanager/{at}:ro", path.display());
        self.containers.push(Container::beside(
            &stack::image("alertmanager")?,
            "broken-alertmanager",
            &[
                "--volume",
                &mount(&self.alertmanager(), "alertmanager.yml"),
                "--volume",
                &mount(&self.path("out/templates"), "templates"),
                "--volume",
                &mount(&self.path("secrets"), "secrets"),
                "IMAGE",
                "--config.file=/etc/alertmanager/alertmanager.yml",
                "--storage.path=/alertmanager",
                "--cluster.listen-address=",
            ],
        )?);
        Ok(())
    }

    fn start_prometheus(&mut self, input: &str) -> Result<()> {
        let rules = format!("{}:/rules:ro", provoke::rules_folder().display());
        self.containers.push(prometheus_beside("broken-prometheus", &[input, &rules])?);
        wait_until_ready()
    }

    fn write_nonsense(&self) -> Result<()> {
        for file in ["input/mapping.yml", "input/modules.yml", "input/prometheus.yml"] {
            fs::write(self.path(file), NONSENSE)?;
        }
        Ok(fs::write(self.alertmanager(), NONSENSE)?)
    }

    /// Valkey takes the signal for the end of its terminal.
    fn read_again(&self) -> Result<()> {
        for container in self.containers.iter().filter(|own| !own.name().contains("valkey")) {
            stack::docker(&["kill", "--signal", "HUP", container.name()])?;
        }
        Ok(())
    }
}

/// Those of [`ALERTS`] that fire in the second Prometheus.
fn firing() -> Result<Vec<String>> {
    let all = stack::query_at(ADDRESS, r#"ALERTS{alertstate="firing"}"#)?;
    let names = all.into_iter().filter_map(|(mut labels, _)| labels.remove("alertname"));
    Ok(names.filter(|name| ALERTS.contains(&name.as_str())).collect())
}

#[expect(clippy::disallowed_methods, reason = "a test does again what is over after a while")]
pub(crate) fn monitoring_that_does_not_work_alerts_and_resolves() -> Result<()> {
    let second = Second::start()?;
    // With what it has read: a file that was never read says nothing of the next.
    let read = "up{job=\"statsd-exporter\"} == 1 and on () up{job=\"postgres-exporter\"} == 1 \
                and on () up{job=\"alertmanager\"} == 1 and on () up{job=\"replica\"} == 1";
    eventually_within(LIMIT, "all of them are scraped", || {
        let up = stack::query_at(ADDRESS, "up")?;
        ensure!(!stack::query_at(ADDRESS, read)?.is_empty(), "{up:?}");
        Ok(())
    })?;
    second.write_nonsense()?;
    let mut last: Option<Instant> = None;
    eventually_within(LIMIT, "all fire and arrive", || {
        // The first failure or refusal of statsd-exporter makes its counter, the second one adds to it.
        if last.is_none_or(|last| last.elapsed() > AGAIN) {
            last = Some(Instant::now());
            second.read_again()?;
            harm::send_many_names(&stack::container("broken-statsd"))?;
        }
        let (firing, arrived) = (firing()?, stack::alertmanager()?);
        for alert in ALERTS {
            ensure!(firing.iter().any(|name| name == alert), "{alert} does not fire: {firing:?}");
            ensure!(arrived.iter().any(|name| name == alert), "{alert} has not arrived");
        }
        Ok(())
    })?;

    fs::remove_file(second.path("secrets/webhook_url"))?;
    second.write_configurations(false)?;
    second.read_again()?;
    stack::exec("broken-valkey", &["valkey-cli", "-e", "REPLICAOF", "NO", "ONE"])?;
    eventually_within(LIMIT, "all resolve", || {
        let firing = firing()?;
        ensure!(firing.is_empty(), "{firing:?}");
        Ok(())
    })
}
