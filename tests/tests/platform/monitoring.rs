//! What can happen to Prometheus, Alertmanager and exporters, done to some beside those of the platform
//! and watched by a second Prometheus.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::eventually_within;

use crate::{
    second::{self, Second, arrived_with},
    stack::{self, container},
    storage::ADDRESS,
};

const LIMIT: Duration = Duration::from_mins(6);

/// After which what is over by itself is done again.
const AGAIN: Duration = Duration::from_secs(20);

/// Something that can be done to them.
struct Harm {
    alerts: &'static [&'static str],
    provoke: fn(&Second) -> Result<()>,
    undo: Undo,
}

/// What ends it.
enum Undo {
    By(fn(&Second) -> Result<()>),
    /// It is over by itself, once it has left the window. Until all is seen, it is done again.
    Time,
}

const HARMS: &[Harm] = &[
    Harm {
        alerts: &[
            "PrometheusNotConnectedToAlertmanager",
            "PrometheusRuleEvaluationsMissed",
            "PrometheusSamplesRefused",
            "PrometheusTargetsRefused",
        ],
        provoke: misconfigure,
        undo: Undo::By(configure),
    },
    Harm {
        alerts: &["PrometheusNotIngesting", "PrometheusStorageFailing"],
        provoke: fill_the_disk,
        undo: Undo::By(free_the_disk),
    },
    Harm {
        alerts: &["ScrapeFlapping", "ProcessRestarting"],
        provoke: stop_and_start_thrice,
        undo: Undo::Time,
    },
    Harm {
        alerts: &["ScrapeSlow"],
        provoke: |_| stack::docker(&["pause", &container(VALKEY)]).map(drop),
        undo: Undo::By(|_| stack::docker(&["unpause", &container(VALKEY)]).map(drop)),
    },
    Harm {
        alerts: &["ExporterMemoryHigh"],
        provoke: send_many_names,
        undo: Undo::By(|_| stack::docker(&["restart", &container(STATSD)]).map(drop)),
    },
    Harm {
        alerts: &["ProcessFileDescriptorsHigh"],
        provoke: hold_connections,
        undo: Undo::By(|second| second.remove("held")),
    },
    Harm {
        alerts: &["AlertmanagerStateNotSaved"],
        provoke: |_| allow_saving("000"),
        undo: Undo::By(|_| allow_saving("755")),
    },
    Harm {
        alerts: &["AlertmanagerNotificationsSlow"],
        provoke: answer_slowly,
        undo: Undo::By(|second| second.remove("slow")),
    },
    Harm { alerts: &["AlertmanagerAlertsInvalid"], provoke: send_invalid_alerts, undo: Undo::Time },
];

const PROMETHEUS: &str = "sick-prometheus";
const FULL: &str = "sick-full";
const ALERTMANAGER: &str = "sick-alertmanager";
const PYTHON: &str = "sick-python";
const STATSD: &str = "sick-statsd";
const VALKEY: &str = "sick-valkey";
const VALKEY_EXPORTER: &str = "sick-valkey-exporter";
const FLAPPING: &str = "sick-flapping";

const NOTIFY: &str = "\
    route: {receiver: slow, group_by: ['...'], group_wait: 0s, group_interval: 30s}\n\
    receivers: [{name: slow, webhook_configs: [{url: 'http://RECEIVER:8000/'}]}]\n";

/// Takes 12 seconds to say yes, as long as there is a file.
const RECEIVER: &str = "\
import http.server, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        if os.path.exists('/input/slow'): time.sleep(12)
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(('', 8000), Handler).serve_forever()
";

/// Takes longer than from one evaluation to the next.
const LATE_RULE: &str = "groups: [{name: late, interval: 10ms, rules: \
    [{record: late, expr: 'count_over_time(vector(1)[1h:50ms])'}]}]\n";

/// All that its alerts ask for was scraped for a minute.
const KNOWN: &str = "\
    count(count_over_time(up[1m]) >= 5 and up == 1) >= 9 and on () redis_up == 1 \
    and on () process_max_fds{job=\"statsd-exporter\"} == 64 \
    and on () alertmanager_alerts_invalid_total and on () count(prometheus_tsdb_wal_writes_failed_total) == 2";

/// Of the one that is misconfigured; a series that it scrapes itself comes from another one as well, later.
fn sick(well: bool) -> Result<String> {
    let own = ("prometheus", "'localhost:9090'".to_owned(), "");
    let from_file = (
        "files",
        String::new(),
        ", file_sd_configs: [{files: [/input/targets.json], refresh_interval: 2s}]",
    );
    if well {
        return second::configuration("sick", &[], &["alertmanager:9093"], &[own, from_file]);
    }
    let federated = (
        "federated",
        "'prometheus:9090'".to_owned(),
        ", honor_labels: true, metrics_path: /federate, params: {'match[]': ['up{job=\"prometheus\"}']}",
    );
    second::configuration("sick", &["/input/late.yml"], &[], &[own, from_file, federated])
}

fn configure(second: &Second) -> Result<()> {
    second.write("targets.json", "[]")?;
    second.write("sick.yml", &sick(true)?)?;
    stack::docker(&["kill", "--signal", "HUP", &container(PROMETHEUS)]).map(drop)
}

fn misconfigure(second: &Second) -> Result<()> {
    second.write("targets.json", r#"[{"targets": ["no/host:1"]}]"#)?;
    second.write("sick.yml", &sick(false)?)?;
    stack::docker(&["kill", "--signal", "HUP", &container(PROMETHEUS)]).map(drop)
}

fn fill_the_disk(_: &Second) -> Result<()> {
    stack::exec(FULL, &["sh", "-c", "cat /dev/zero >/small/filler 2>/dev/null; true"]).map(drop)
}

fn free_the_disk(_: &Second) -> Result<()> {
    stack::exec(FULL, &["rm", "/small/filler"]).map(drop)
}

/// Each time, a scrape sees it.
fn stop_and_start_thrice(_: &Second) -> Result<()> {
    for (does, up) in [("stop", 0), ("start", 1)].repeat(3) {
        stack::docker(&[does, &container(FLAPPING)])?;
        eventually_within(LIMIT, does, || {
            let seen = stack::query_at(ADDRESS, &format!("up{{job=\"flapping\"}} == {up}"))?;
            ensure!(!seen.is_empty(), "not yet");
            Ok(())
        })?;
    }
    Ok(())
}

fn python(script: &str) -> Result<()> {
    stack::exec(PYTHON, &["python", "-c", script]).map(drop)
}

/// To one that has no limit of memory, as that of the platform has.
fn send_many_names(_: &Second) -> Result<()> {
    python(&format!(
        "import socket; s = socket.create_connection(('{}', 9125))\n\
         for i in range(120000): s.sendall(b'flood.%d.some.longer.name.of.a.series:1|c\\n' % i)",
        container(STATSD)
    ))
}

/// For as long as a file is there.
fn hold_connections(second: &Second) -> Result<()> {
    second.write("held", "")?;
    let hold = format!(
        "import os, socket, time\n\
         held = [socket.create_connection(('{}', 9125)) for _ in range(44)]\n\
         while os.path.exists('/input/held'): time.sleep(0.5)",
        container(STATSD)
    );
    let python = container(PYTHON);
    stack::docker(&["exec", "--detach", &python, "python", "-c", &hold]).map(drop)
}

fn allow_saving(mode: &str) -> Result<()> {
    let alertmanager = container(ALERTMANAGER);
    stack::docker(&["exec", "--user", "root", &alertmanager, "chmod", mode, "/alertmanager"])
        .map(drop)
}

/// Python that sends alerts, whatever is said of them.
fn send_alerts(alerts: &str) -> Result<()> {
    python(&format!(
        "import json, time, urllib.error, urllib.request\n\
         body = json.dumps({alerts}).encode()\n\
         ask = urllib.request.Request('http://{}:9093/api/v2/alerts', body, {{'Content-Type': 'application/json'}})\n\
         try: urllib.request.urlopen(ask)\n\
         except urllib.error.HTTPError as error: print(error)",
        container(ALERTMANAGER)
    ))
}

/// Each alert is a group, and so a notification of its own.
fn answer_slowly(second: &Second) -> Result<()> {
    second.write("slow", "")?;
    send_alerts("[{'labels': {'alertname': 'e2e', 'time': str(time.time())}}]")
}

fn send_invalid_alerts(_: &Second) -> Result<()> {
    send_alerts("[{'labels': {}}]")
}

/// The two Prometheus, the Alertmanager and whom it tells.
fn start_servers(second: &mut Second) -> Result<()> {
    let own = [("prometheus", "'localhost:9090'".to_owned(), "")];
    let keep = "  alert_relabel_configs: [{source_labels: [alertname], regex: PrometheusNotIngesting, action: keep}]";
    let full = second::configuration("full", &["prometheus"], &["alertmanager:9093"], &own)?
        .replace("alerting: {", &format!("alerting: {{{},", keep.trim_start()));
    for (file, text) in [
        ("full.yml", full.as_str()),
        ("late.yml", LATE_RULE),
        ("targets.json", "[]"),
        ("sick.yml", &sick(true)?),
        ("notify.yml", &NOTIFY.replace("RECEIVER", &container(PYTHON))),
        ("receiver.py", RECEIVER),
    ] {
        second.write(file, text)?;
    }
    let tsdb = ["--storage.tsdb.path=/small", "--storage.tsdb.wal-segment-size=10MB"];
    let small = ["--tmpfs", "/small:size=60m,mode=1777"];
    let half = ["--cpus", "0.5", "IMAGE", "--config.file=/input/sick.yml"];
    second.start("prometheus", PROMETHEUS, &[&small[..], &half, &tsdb].concat())?;
    // It forgets what it has sooner, as five minutes are long.
    let full = ["IMAGE", "--config.file=/input/full.yml", "--query.lookback-delta=20s"];
    second.start("prometheus", FULL, &[&small[..], &full, &tsdb].concat())?;
    let python = ["--entrypoint", "python", "IMAGE", "/input/receiver.py"];
    second.start("airflow-api-server", PYTHON, &python)?;
    let options = ["--config.file=/input/notify.yml", "--storage.path=/alertmanager"];
    let more = ["--cluster.listen-address=", "--data.maintenance-interval=5s"];
    second.start("alertmanager", ALERTMANAGER, &[&["IMAGE"], &options[..], &more].concat())
}

fn start(second: &mut Second) -> Result<()> {
    start_servers(second)?;
    second.start("statsd-exporter", STATSD, &["--ulimit", "nofile=64:64", "IMAGE"])?;
    second.start("statsd-exporter", FLAPPING, &["IMAGE"])?;
    second.start("valkey", VALKEY, &["IMAGE", "valkey-server"])?;
    let address = format!("REDIS_ADDR={}:6379", container(VALKEY));
    second.start("valkey-exporter", VALKEY_EXPORTER, &["--env", &address, "IMAGE"])?;
    let at = |service: &str, port: u16| format!("'{}:{port}'", container(service));
    // Names without end are no matter of whoever watches.
    let own = ", scrape_interval: 5s, scrape_timeout: 5s, metric_relabel_configs: \
               [{source_labels: [__name__], regex: 'flood.*', action: drop}]";
    second.watch(
        &["prometheus", "alertmanager"],
        &[
            ("prometheus", format!("{}, {}", at(PROMETHEUS, 9090), at(FULL, 9090)), ""),
            ("alertmanager", at(ALERTMANAGER, 9093), ""),
            ("statsd-exporter", at(STATSD, 9102), own),
            ("flapping", at(FLAPPING, 9102), ""),
            (
                "valkey-exporter",
                at(VALKEY_EXPORTER, 9121),
                ", scrape_interval: 10s, scrape_timeout: 10s",
            ),
            ("postgres-exporter", "'postgres-exporter:9187'".to_owned(), ""),
            ("seaweedfs-master", "'seaweedfs-master:9324'".to_owned(), ""),
            ("seaweedfs-volume", "'seaweedfs-volume:9325'".to_owned(), ""),
        ],
    )
}

#[expect(clippy::disallowed_methods, reason = "a test does again what is over after a while")]
pub(crate) fn what_happens_to_the_monitoring_alerts_and_resolves() -> Result<()> {
    let mut second = Second::new("monitoring")?;
    start(&mut second)?;
    second.wait_in_silence(KNOWN, || Ok(()))?;
    let alerts: Vec<&str> = HARMS.iter().flat_map(|harm| harm.alerts).copied().collect();
    let provoke = |harm: &Harm| {
        (harm.provoke)(&second).with_context(|| format!("cannot provoke {:?}", harm.alerts))
    };
    HARMS.iter().try_for_each(provoke)?;
    let mut last = Instant::now();
    second.wait_for(&alerts, || {
        if last.elapsed() > AGAIN {
            last = Instant::now();
            answer_slowly(&second)?;
            send_invalid_alerts(&second)?;
        }
        Ok(())
    })?;
    // Whoever cannot store does not learn it from what is stored.
    eventually_within(LIMIT, "the one whose disk is full says so itself", || {
        let arrived = arrived_with("full")?;
        ensure!(arrived.contains("PrometheusNotIngesting"), "{arrived:?}");
        Ok(())
    })?;

    for harm in HARMS {
        if let Undo::By(undo) = harm.undo {
            undo(&second).with_context(|| format!("cannot undo {:?}", harm.alerts))?;
        }
    }
    second.wait_until_resolved(&alerts, || Ok(()))?;
    eventually_within(LIMIT, "that one is silent as well", || {
        let arrived = arrived_with("full")?;
        ensure!(arrived.is_empty(), "{arrived:?}");
        Ok(())
    })
}
