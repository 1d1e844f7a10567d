//! A real Alertmanager with the platform's configuration: who hears of which alert, when, and what.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{eventually_within, get, repository, rules};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the specification of notifications promises.
const PROMISED: Duration = Duration::from_secs(30);

fn image(variable: &str) -> Result<String> {
    std::env::var(variable).with_context(|| format!("{variable} is not set: use tests/run.sh"))
}

/// Runs docker with a text on its standard input, and gives its output.
fn docker(args: &[&str], input: &str) -> Result<String> {
    let mut child = Command::new("docker")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("a pipe")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("docker {args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}

/// A configuration made by `deploy/alertmanager/configure` of some secrets and settings.
struct Configured {
    folder: TempDir,
}

impl Configured {
    fn new(secrets: &[(&str, &str)], settings: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let own = Self { folder };
        fs::create_dir(own.secrets())?;
        for (name, text) in secrets {
            fs::write(own.secrets().join(name), text)?;
        }
        let output = Command::new(repository().join("deploy/alertmanager/configure"))
            .args([own.secrets(), own.out()])
            .envs(settings.iter().copied())
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(own)
    }

    fn secrets(&self) -> PathBuf {
        self.folder.path().join("secrets")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn file(&self) -> PathBuf {
        self.out().join("alertmanager.yml")
    }

    /// `NAME: INTEGRATION…` of each receiver.
    fn receivers(&self) -> Result<Vec<String>> {
        let yaml: serde_yaml_ng::Value =
            serde_yaml_ng::from_str(&fs::read_to_string(self.file())?)?;
        let mut found = Vec::new();
        for receiver in yaml["receivers"].as_sequence().context("receivers")? {
            let mut words = vec![format!("{}:", receiver["name"].as_str().context("a name")?)];
            for (key, _) in receiver.as_mapping().context("a receiver")? {
                let key = key.as_str().context("a key")?;
                words.extend(key.strip_suffix("_configs").map(str::to_owned));
            }
            found.push(words.join(" "));
        }
        Ok(found)
    }

    fn check(&self) -> Result<()> {
        let out = format!("{}:/etc/alertmanager:ro", self.out().display());
        let image = image("ALERTMANAGER_TEST_IMAGE")?;
        let check = ["check-config", "/etc/alertmanager/alertmanager.yml"];
        docker(
            &[&["run", "--rm", "--volume", &out, "--entrypoint", "amtool", &image][..], &check]
                .concat(),
            "",
        )?;
        Ok(())
    }
}

const MAIL: [(&str, &str); 2] =
    [("ALERT_SMTP", "mail.example:587"), ("ALERT_EMAIL_TO", "ops@example")];

#[test]
fn a_receiver_without_its_secret_is_left_out() -> Result<()> {
    let slack = ("slack_url", "https://hooks.example/x");
    let pagerduty = ("pagerduty_key", "0123456789abcdef");
    let webhook = ("webhook_url", "http://127.0.0.1:1/");
    for (secrets, settings, critical, warning) in [
        (&[][..], &[][..], "critical:", "warning:"),
        (&[("slack_url", "")][..], &[][..], "critical:", "warning:"),
        (&[slack][..], &[][..], "critical: slack", "warning: slack"),
        (&[pagerduty][..], &[][..], "critical: pagerduty", "warning:"),
        (&[webhook][..], &[][..], "critical: webhook", "warning: webhook"),
        (&[][..], &MAIL[..], "critical: email", "warning: email"),
        (&[][..], &MAIL[..1], "critical:", "warning:"),
        (
            &[slack, pagerduty, webhook, ("smtp_password", "correct horse")][..],
            &[MAIL[0], MAIL[1], ("ALERT_SMTP_USER", "ops")][..],
            "critical: pagerduty slack email webhook",
            "warning: slack email webhook",
        ),
    ] {
        let configured = Configured::new(secrets, settings)?;
        let found = configured.receivers()?;
        ensure!(found[..2] == [critical, warning], "{secrets:?} {settings:?}: {found:?}");
        ensure!(found.len() == 4, "{found:?}");
        configured.check()?;
        let text = fs::read_to_string(configured.file())?;
        ensure!(
            !secrets.iter().any(|(_, secret)| !secret.is_empty() && text.contains(secret)),
            "a secret stands in it"
        );
        let login = text.contains("\n  smtp_auth_password_file");
        ensure!(login == (secrets.len() == 4), "{text}");
    }
    Ok(())
}

/// Alert and receiver, from `cases/routes.txt`.
fn routes() -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(repository().join("tests/cases/routes.txt"))?;
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (alert, receiver) = line.split_once(' ').with_context(|| line.to_owned())?;
        found.push((alert.to_owned(), receiver.trim().to_owned()));
    }
    Ok(found)
}

#[test]
fn each_alert_goes_to_its_receiver() -> Result<()> {
    let expected = routes()?;
    let mut script = String::new();
    for rule in rules::alerts()? {
        writeln!(
            script,
            "printf '%s ' {name}; amtool config routes test --config.file=/c/alertmanager.yml \
             alertname={name} severity={} service={}",
            rule.label("severity"),
            rule.label("service"),
            name = rule.name,
        )?;
    }
    let mount = format!("{}:/c:ro", repository().join("deploy/alertmanager").display());
    let image = image("ALERTMANAGER_TEST_IMAGE")?;
    let output = docker(
        &["run", "--rm", "-i", "--volume", &mount, "--entrypoint", "sh", &image, "-s"],
        &script,
    )?;
    let found: Vec<(String, String)> = output
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(alert, receiver)| (alert.to_owned(), receiver.trim().to_owned()))
        .collect();
    ensure!(
        found == expected,
        "tests/cases/routes.txt has not: {:?}",
        found.iter().filter(|pair| !expected.contains(pair)).collect::<Vec<_>>()
    );
    Ok(())
}

#[test]
fn every_query_of_a_runbook_parses() -> Result<()> {
    let mut queries = Vec::new();
    for entry in fs::read_dir(repository().join("docs/runbooks"))? {
        queries.extend(rules::blocks(&fs::read_to_string(entry?.path())?, "promql"));
    }
    ensure!(queries.len() > 60, "{} queries", queries.len());
    let list: Vec<_> = queries
        .iter()
        .enumerate()
        .map(|(index, query)| json!({"record": format!("q{index}"), "expr": query}))
        .collect();
    let file = json!({"groups": [{"name": "runbooks", "rules": list}]});
    let image = image("PROMETHEUS_TEST_IMAGE")?;
    docker(
        &["run", "--rm", "-i", "--entrypoint", "promtool", &image, "check", "rules"],
        &file.to_string(),
    )?;
    Ok(())
}

/// What arrived, and when.
type Arrived = Arc<Mutex<Vec<(Instant, String)>>>;

/// A receiver of what one connection after the other brings.
struct Sink {
    port: u16,
    arrived: Arrived,
}

impl Sink {
    #[expect(clippy::disallowed_methods, reason = "a test measures how long a delivery takes")]
    fn start(talk: fn(TcpStream) -> Result<Option<String>>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let sink = Self { port: listener.local_addr()?.port(), arrived: Arrived::default() };
        let arrived = Arc::clone(&sink.arrived);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A connection that ends early has brought nothing.
                if let Ok(Some(text)) = talk(stream) {
                    let mut arrived = arrived.lock().unwrap_or_else(PoisonError::into_inner);
                    arrived.push((Instant::now(), text));
                }
            }
        });
        Ok(sink)
    }

    fn all(&self) -> Vec<(Instant, String)> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads one request and answers it, as Slack does.
fn http(mut stream: TcpStream) -> Result<Option<String>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")?;
    Ok(Some(String::from_utf8(body)?))
}

/// Takes one message, as a mail server without TLS and passwords does.
fn smtp(mut stream: TcpStream) -> Result<Option<String>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut message = None;
    stream.write_all(b"220 sink\r\n")?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.starts_with("QUIT") {
            return Ok(message);
        }
        if line.starts_with("DATA") {
            stream.write_all(b"354 go on\r\n")?;
            let mut text = String::new();
            while !text.ends_with("\r\n.\r\n") {
                ensure!(reader.read_line(&mut text)? > 0, "it ends within a message");
            }
            message = Some(text.replace("=\r\n", "").replace("=3D", "="));
        }
        stream.write_all(b"250 ok\r\n")?;
    }
}

/// An Alertmanager on the loopback address, which ends with its handle.
struct Alertmanager {
    container: String,
    address: String,
}

impl Alertmanager {
    fn start(configured: &Configured) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mount = |path: &Path, at: &str| format!("{}:/etc/alertmanager{at}:ro", path.display());
        let image = image("ALERTMANAGER_TEST_IMAGE")?;
        let container = docker(
            &[
                "run",
                "--detach",
                "--rm",
                "--network",
                "host",
                "--volume",
                &mount(&configured.file(), "/alertmanager.yml"),
                "--volume",
                &mount(&configured.out().join("templates"), "/templates"),
                "--volume",
                &mount(&configured.secrets(), "/secrets"),
                &image,
                "--config.file=/etc/alertmanager/alertmanager.yml",
                "--storage.path=/alertmanager",
                "--cluster.listen-address=",
                &format!("--web.listen-address=127.0.0.1:{port}"),
                &format!("--web.external-url=http://127.0.0.1:{port}"),
            ],
            "",
        )?;
        let own = Self {
            container: container.trim().to_owned(),
            address: format!("http://127.0.0.1:{port}"),
        };
        eventually_within(Duration::from_mins(1), "Alertmanager is ready", || {
            ensure!(get(&format!("{}/-/ready", own.address))?.status == 200, "not yet");
            Ok(())
        })?;
        Ok(own)
    }

    fn post(&self, path: &str, body: &Value) -> Result<()> {
        let answer = ureq::post(format!("{}/api/v2/{path}", self.address))
            .header("Content-Type", "application/json")
            .send(body.to_string())
            .with_context(|| format!("POST {path}"))?;
        ensure!(answer.status() == 200, "{path}: {}", answer.status());
        Ok(())
    }

    fn fire(&self, alerts: &[&Alert]) -> Result<()> {
        self.post("alerts", &alerts.iter().map(|alert| alert.json()).collect())
    }

    /// Which alerts are held back, and by what: `inhibitedBy` or `silencedBy`.
    fn held_back(&self, alert: &Alert, by: &str) -> Result<bool> {
        let answer = get(&format!("{}/api/v2/alerts", self.address))?;
        let alerts: Vec<Value> = serde_json::from_str(&answer.body)?;
        let own = alerts.iter().find(|other| {
            other["labels"]["alertname"] == alert.name
                && other["labels"]["instance"] == alert.instance
        });
        let list = &own.context("the alert is not there")?["status"][by];
        Ok(list.as_array().is_some_and(|list| !list.is_empty()))
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        // A container that is gone already needs no removal.
        let _removed = docker(&["rm", "--force", "--volumes", &self.container], "");
    }
}

/// An alert as Prometheus sends it.
#[derive(Clone)]
struct Alert {
    name: &'static str,
    severity: &'static str,
    service: &'static str,
    job: &'static str,
    instance: &'static str,
    /// In the past for one that is over.
    ends: Option<&'static str>,
}

const OVER: Option<&str> = Some("2020-01-02T00:00:00Z");

impl Alert {
    const fn new(
        name: &'static str,
        severity: &'static str,
        service: &'static str,
        job: &'static str,
        instance: &'static str,
    ) -> Self {
        Self { name, severity, service, job, instance, ends: None }
    }

    fn json(&self) -> Value {
        let mut alert = json!({
            "labels": {
                "alertname": self.name, "severity": self.severity, "service": self.service,
                "job": self.job, "instance": self.instance,
            },
            "annotations": {
                "summary": format!("{} is so", self.name),
                "description": "What is wrong & where.",
                "runbook_url": format!("docs/runbooks/{}.md", self.name),
                "dashboard_url": "http://localhost:3000/d/lakehouse-overview",
            },
            "generatorURL": "http://localhost:9090/graph?g0.expr=up",
        });
        if let Some(ends) = self.ends {
            alert["startsAt"] = json!("2020-01-01T00:00:00Z");
            alert["endsAt"] = json!(ends);
        }
        alert
    }
}

/// The notifications of a webhook that hold an alert in this state.
fn with(sink: &Sink, alert: &Alert, status: &str) -> Result<Vec<(Instant, Value)>> {
    let mut found = Vec::new();
    for (when, text) in sink.all() {
        let message: Value = serde_json::from_str(&text)?;
        let alerts = message["alerts"].as_array().context("alerts")?;
        let has = alerts.iter().any(|other| {
            other["labels"]["alertname"] == alert.name
                && other["labels"]["instance"] == alert.instance
                && other["status"] == status
        });
        if has {
            found.push((when, message));
        }
    }
    Ok(found)
}

fn wait_for(sink: &Sink, alert: &Alert, status: &str) -> Result<(Instant, Value)> {
    eventually_within(PROMISED, &format!("{} is {status}", alert.name), || {
        with(sink, alert, status)?.into_iter().next().context("nothing yet")
    })
}

/// The platform's configuration, with a webhook and mail, and short intervals between messages. How
/// long a first message waits is left as it is.
fn quick(webhook: &Sink, mail: &Sink, settings: &[(&str, &str)]) -> Result<Configured> {
    let smtp = format!("127.0.0.1:{}", mail.port);
    let settings = [
        &[
            ("ALERT_SMTP", smtp.as_str()),
            ("ALERT_SMTP_TLS", "false"),
            ("ALERT_EMAIL_TO", "ops@localhost"),
            ("RUNBOOKS_URL", "https://git.example/lakehouse/"),
        ],
        settings,
    ]
    .concat();
    let url = format!("http://127.0.0.1:{}/", webhook.port);
    let configured = Configured::new(&[("webhook_url", &url)], &settings)?;
    let text = fs::read_to_string(configured.file())?
        .replace("group_interval: 1m", "group_interval: 5s")
        .replace("repeat_interval: 4h", "repeat_interval: 15s")
        .replace("start_time: \"22:00\"", "start_time: \"00:00\"");
    fs::write(configured.file(), text)?;
    Ok(configured)
}

const SLOW_A: Alert =
    Alert::new("ValkeySlowCommands", "warning", "valkey", "valkey-exporter", "a:9121");
const SLOW_B: Alert =
    Alert::new("ValkeySlowCommands", "warning", "valkey", "valkey-exporter", "b:9121");
const DOWN: Alert =
    Alert::new("ServiceDown", "critical", "platform", "postgres-exporter", "p:9187");
const DEADLOCKS: Alert =
    Alert::new("PostgresDeadlocks", "warning", "postgres", "postgres-exporter", "p:9187");
const TASKS: Alert =
    Alert::new("AirflowTaskFailureHigh", "warning", "airflow", "statsd-exporter", "s:9102");
const QUIET: Alert = Alert::new("HostLoadHigh", "warning", "node", "node-exporter", "n:9100");
const BUSY: Alert = Alert::new("HostCPUHigh", "warning", "node", "node-exporter", "n:9100");

#[test]
#[expect(clippy::disallowed_methods, reason = "a test measures how long a delivery takes")]
fn alerts_are_grouped_held_back_repeated_and_resolved() -> Result<()> {
    let (webhook, mail) = (Sink::start(http)?, Sink::start(smtp)?);
    let configured = quick(&webhook, &mail, &[])?;
    let alertmanager = Alertmanager::start(&configured)?;
    let silence = json!({
        "matchers": [{"name": "alertname", "value": QUIET.name, "isRegex": false, "isEqual": true}],
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "a test", "comment": "it is known",
    });
    alertmanager.post("silences", &silence)?;

    let start = Instant::now();
    alertmanager.fire(&[&DOWN])?;
    alertmanager.fire(&[&SLOW_A, &SLOW_B, &DEADLOCKS, &TASKS, &QUIET, &BUSY])?;

    // One message for the two of a kind, a critical one before that, all in time.
    let (first, _) = wait_for(&webhook, &DOWN, "firing")?;
    let (second, message) = wait_for(&webhook, &SLOW_A, "firing")?;
    ensure!(first < second && second - start < PROMISED, "{:?}", second - start);
    ensure!(message["alerts"].as_array().map(Vec::len) == Some(2), "not grouped: {message}");
    wait_for(&webhook, &BUSY, "firing")?;

    // By then what is held back would have come as well.
    for (alert, by) in
        [(&DEADLOCKS, "inhibitedBy"), (&TASKS, "inhibitedBy"), (&QUIET, "silencedBy")]
    {
        ensure!(alertmanager.held_back(alert, by)?, "{} is not held back", alert.name);
        ensure!(with(&webhook, alert, "firing")?.is_empty(), "{} was sent", alert.name);
    }
    ensure!(!alertmanager.held_back(&SLOW_A, "inhibitedBy")?, "{}", SLOW_A.name);

    // Again after the interval, since it goes on.
    eventually_within(Duration::from_secs(45), "a repetition", || {
        let sent = with(&webhook, &SLOW_A, "firing")?;
        ensure!(sent.len() >= 2, "only once");
        ensure!(sent[1].0 - sent[0].0 > Duration::from_secs(14), "too early");
        Ok(())
    })?;

    // And that it is over. What was held back by it now comes.
    alertmanager.fire(&[&Alert { ends: OVER, ..SLOW_A }, &Alert { ends: OVER, ..SLOW_B }])?;
    alertmanager.fire(&[&Alert { ends: OVER, ..DOWN }])?;
    wait_for(&webhook, &SLOW_A, "resolved")?;
    wait_for(&webhook, &DOWN, "resolved")?;
    wait_for(&webhook, &DEADLOCKS, "firing")?;
    mail_says_what_it_should(&mail, &alertmanager)
}

fn mail_says_what_it_should(mail: &Sink, alertmanager: &Alertmanager) -> Result<()> {
    let texts: Vec<String> = mail.all().into_iter().map(|(_, text)| text).collect();
    let message = texts
        .iter()
        .find(|text| text.contains("Subject: [FIRING:2] warning: ValkeySlowCommands is so"))
        .with_context(|| format!("no mail of the group: {texts:#?}"))?;
    for part in [
        "Runbook: https://git.example/lakehouse/docs/runbooks/ValkeySlowCommands.md",
        "Dashboard: http://localhost:3000/d/lakehouse-overview",
        "Query: http://localhost:9090/graph?g0.expr=up",
        "What is wrong & where.",
        "href=\"https://git.example/lakehouse/docs/runbooks/ValkeySlowCommands.md\"",
        &format!(
            "Silence: {}/#/silences/new?filter=%7Balertname%3D%22ValkeySlowCommands%22%2C%20",
            alertmanager.address
        ),
    ] {
        ensure!(message.contains(part), "{part} is not in:\n{message}");
    }
    let resolved =
        |text: &String| text.contains("Subject: [RESOLVED] warning: ValkeySlowCommands is so");
    ensure!(texts.iter().any(resolved), "no mail that it is over: {texts:#?}");
    Ok(())
}

#[test]
fn nights_are_quiet_where_that_is_asked_for() -> Result<()> {
    let (webhook, mail) = (Sink::start(http)?, Sink::start(smtp)?);
    // `quick` has the night begin at midnight and end at midnight.
    let configured = quick(&webhook, &mail, &[("ALERT_QUIET_NIGHTS", "1")])?;
    let alertmanager = Alertmanager::start(&configured)?;
    alertmanager.fire(&[&SLOW_A, &TASKS])?;
    alertmanager.fire(&[&DOWN])?;
    wait_for(&webhook, &DOWN, "firing")?;
    eventually_within(PROMISED, "the others are muted", || {
        let answer = get(&format!("{}/metrics", alertmanager.address))?.body;
        let muted = answer.lines().any(|line| {
            line.starts_with("alertmanager_notifications_suppressed_total")
                && line.contains("mute_time_interval")
                && !line.ends_with(" 0")
        });
        ensure!(
            muted,
            "{}",
            answer.lines().filter(|line| line.contains("suppressed")).collect::<String>()
        );
        Ok(())
    })?;
    ensure!(with(&webhook, &SLOW_A, "firing")?.is_empty(), "a warning was sent at night");
    ensure!(with(&webhook, &TASKS, "firing")?.is_empty(), "a warning was sent at night");
    Ok(())
}

/// The message that has all of these in it.
fn told(sink: &Sink, parts: &[&str]) -> Result<String> {
    eventually_within(PROMISED, &parts.join(" and "), || {
        let texts: Vec<String> = sink.all().into_iter().map(|(_, text)| text).collect();
        let found = texts.iter().find(|text| parts.iter().all(|part| text.contains(part)));
        Ok(found.with_context(|| format!("{texts:#?}"))?.clone())
    })
}

/// By Alertmanager's own integrations, whose addresses lead to sinks.
#[test]
fn slack_and_pagerduty_are_told() -> Result<()> {
    let (slack, pagerduty) = (Sink::start(http)?, Sink::start(http)?);
    let slack_url = format!("http://127.0.0.1:{}/services/x", slack.port);
    let key = "0123456789abcdef0123456789abcdef";
    let configured = Configured::new(
        &[("slack_url", &slack_url), ("pagerduty_key", key)],
        &[("RUNBOOKS_URL", "https://git.example/lakehouse/")],
    )?;
    let key_file = "routing_key_file: /etc/alertmanager/secrets/pagerduty_key";
    let text = fs::read_to_string(configured.file())?
        .replace("group_interval: 1m", "group_interval: 5s")
        .replace(
            key_file,
            &format!("{key_file}\n        url: http://127.0.0.1:{}/", pagerduty.port),
        );
    fs::write(configured.file(), text)?;
    let alertmanager = Alertmanager::start(&configured)?;

    alertmanager.fire(&[&DOWN, &SLOW_A])?;
    let title = "[FIRING:1] critical: ServiceDown is so";
    let runbook = "https://git.example/lakehouse/docs/runbooks/ServiceDown.md";
    told(&slack, &["\"channel\":\"#alerts-critical\"", title, runbook])?;
    let routing = format!("\"routing_key\":\"{key}\"");
    told(&pagerduty, &[&routing, "\"event_action\":\"trigger\"", title, runbook])?;
    let warning = "[FIRING:1] warning: ValkeySlowCommands is so";
    told(&slack, &["\"channel\":\"#alerts\"", warning])?;
    let woken = pagerduty.all().iter().any(|(_, text)| text.contains(SLOW_A.name));
    ensure!(!woken, "PagerDuty was told of a warning");

    alertmanager.fire(&[&Alert { ends: OVER, ..DOWN }])?;
    told(&slack, &["[RESOLVED] critical: ServiceDown is so"])?;
    told(&pagerduty, &[&routing, "\"event_action\":\"resolve\""]).map(drop)
}
