//! Real Prometheus servers scrape one page in every format and store the same series.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{Exporter, eventually_within, example, get_with, repository, servers::Prometheus};
use serde_json::Value;

/// Job, and the protocols it prefers.
type Job = (&'static str, &'static [&'static str]);

const JOBS_2: [Job; 3] = [
    ("text", &["PrometheusText0.0.4"]),
    ("openmetrics", &["OpenMetricsText1.0.0"]),
    ("protobuf", &["PrometheusProto"]),
];

const JOBS_3: [Job; 4] = [
    ("text", &["PrometheusText0.0.4"]),
    ("text1", &["PrometheusText1.0.0"]),
    ("openmetrics", &["OpenMetricsText1.0.0"]),
    ("protobuf", &["PrometheusProto"]),
];

/// Series by their text, without the job, and the values they have.
type Stored = BTreeMap<String, String>;

fn start() -> Result<Exporter> {
    Exporter::start_program(&example("every_kind"), &["--web.enable-openmetrics"], &[])
}

fn config(folder: &Path, target: &str, jobs: &[Job]) -> Result<PathBuf> {
    let mut text =
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for (job, protocols) in jobs {
        write!(
            text,
            "- job_name: {job}\n  scrape_protocols: {protocols:?}\n  \
             static_configs: [{{targets: [\"{target}\"]}}]\n"
        )?;
    }
    let path = folder.join("prometheus.yml");
    fs::write(&path, text)?;
    Ok(path)
}

fn query(server: &Prometheus, expression: &str) -> Result<Vec<Value>> {
    let mut answer = ureq::get(format!("{}/api/v1/query", server.address))
        .query("query", expression)
        .call()
        .with_context(|| expression.to_owned())?;
    let json: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
    Ok(json["data"]["result"].as_array().context("a vector")?.clone())
}

/// What a job has stored of the page's own families.
fn stored(server: &Prometheus, job: &str) -> Result<Stored> {
    let selector = format!("{{job=\"{job}\",__name__=~\"kind_.*\",__name__!~\".*_created\"}}");
    let mut series = Stored::new();
    for result in query(server, &selector)? {
        let labels = result["metric"].as_object().context("labels")?;
        let text: Vec<_> = labels
            .iter()
            .filter(|(name, _)| *name != "job" && *name != "instance")
            .map(|(name, value)| format!("{name}={}", bound(name, value)))
            .collect();
        let value = if result["histogram"].is_null() {
            result["value"][1].to_string()
        } else {
            result["histogram"][1].to_string()
        };
        ensure!(series.insert(text.join(","), value).is_none(), "{labels:?} is there twice");
    }
    Ok(series)
}

/// Prometheus 2 stores bounds as they were written: `1` in text, `1.0` in OpenMetrics.
fn bound(name: &str, value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    match (name, text.parse::<f64>()) {
        ("le" | "quantile", Ok(number)) => format!("{number:?}"),
        _ => text.to_owned(),
    }
}

/// Waits until each job has been scraped, then compares all with the first.
fn compare(server: &Prometheus, jobs: &[Job]) -> Result<Stored> {
    eventually_within(Duration::from_mins(1), "all jobs are scraped", || {
        let up = query(server, "up == 1")?;
        ensure!(up.len() == jobs.len(), "{up:?}");
        Ok(())
    })?;
    // The native histogram has a place in protobuf alone; elsewhere it is one with no buckets.
    let classic = |stored: Stored| -> Stored {
        stored.into_iter().filter(|(series, _)| !series.contains("kind_native")).collect()
    };
    let first = classic(stored(server, jobs[0].0)?);
    ensure!(first.len() >= 17, "only {first:#?}");
    for (job, _) in jobs {
        let other = classic(stored(server, job)?);
        ensure!(other == first, "{job} differs from {}:\n{other:#?}\n{first:#?}", jobs[0].0);
    }
    Ok(first)
}

/// From 3.8 on it is a setting, which earlier versions refuse, and no longer a feature flag.
fn ask_for_native_histograms(server: &Prometheus, config: &Path) -> Result<()> {
    let info = get_with(&format!("{}/api/v1/status/buildinfo", server.address), &[])?.body;
    let info: Value = serde_json::from_str(&info)?;
    let version = info["data"]["version"].as_str().context("a version")?;
    let numbers: Vec<u32> = version.split('.').filter_map(|number| number.parse().ok()).collect();
    if numbers >= vec![3, 8] {
        let text = fs::read_to_string(config)?;
        let asking = text.replacen("global: {", "global: {scrape_native_histograms: true, ", 1);
        fs::write(config, asking)?;
        ureq::post(format!("{}/-/reload", server.address)).send_empty()?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_3_stores_the_same_series_in_every_format() -> Result<()> {
    let exporter = start()?;
    let folder = tempfile::tempdir()?;
    let config = config(folder.path(), exporter.address(), &JOBS_3)?;
    // Not created-timestamp-zero-ingestion, which ends Prometheus 3.5.3 at the first histogram.
    let flags = ["--enable-feature=native-histograms,exemplar-storage", "--web.enable-lifecycle"];
    let server =
        Prometheus::start("PROMETHEUS_TEST_IMAGE", "prom/prometheus:v3.13.2", &config, &flags)
            .await?;
    ask_for_native_histograms(&server, &config)?;
    compare(&server, &JOBS_3)?;

    let native = |expression: &str| -> Result<f64> {
        let result =
            query(&server, &format!("{expression}(kind_native_seconds{{job=\"protobuf\"}})"))?;
        let value = result.first().context("the native histogram")?["value"][1].as_str();
        Ok(value.context("a value")?.parse()?)
    };
    ensure!((native("histogram_count")? - 10.0).abs() < 1e-9, "count");
    ensure!((native("histogram_sum")? - 9.25).abs() < 1e-9, "sum");
    let exemplars = ureq::get(format!("{}/api/v1/query_exemplars", server.address))
        .query("query", "kind_events_total{job=\"openmetrics\"}")
        .query("start", "1699999999")
        .query("end", "1700000002")
        .call()?
        .body_mut()
        .read_to_string()?;
    ensure!(exemplars.contains("\"trace_id\":\"abc\""), "{exemplars}");
    Ok(())
}

/// Timers that are kept in exponential buckets alone, and beside classic ones.
const STATSD_MAPPING: &str = "defaults: {observer_type: histogram}
mappings:
- match: native.*
  name: native_seconds
  labels: {part: $1}
  histogram_options: {native_histogram_only: true}
- match: both.*
  name: both_seconds
  labels: {part: $1}
  histogram_options: {buckets: [0.02, 0.05]}
";

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_3_stores_native_histograms_of_statsd() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mapping = folder.path().join("mapping.yml");
    fs::write(&mapping, STATSD_MAPPING)?;
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let (mapping, udp) = (
        format!("--statsd.mapping-config={}", mapping.display()),
        format!("--statsd.listen-udp=127.0.0.1:{port}"),
    );
    let args = [mapping.as_str(), udp.as_str(), "--statsd.listen-tcp="];
    let exporter = Exporter::start("statsd-exporter", &args, &[])?;
    // 1 to 100 milliseconds, each twice: once as it is, once for two by its rate.
    let lines: Vec<String> = (1..=100)
        .flat_map(|ms| {
            ["native", "both"].map(|name| format!("{name}.a:{ms}|ms\n{name}.a:{ms}|ms|@0.5"))
        })
        .collect();
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    for lines in lines.chunks(20) {
        socket.send_to(lines.join("\n").as_bytes(), ("127.0.0.1", port))?;
    }
    let config = folder.path().join("prometheus.yml");
    fs::write(
        &config,
        format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
             - job_name: statsd\n  scrape_protocols: [PrometheusProto]\n  \
             always_scrape_classic_histograms: true\n  \
             static_configs: [{{targets: [\"{}\"]}}]\n",
            exporter.address(),
        ),
    )?;
    let flags = ["--enable-feature=native-histograms", "--web.enable-lifecycle"];
    let server =
        Prometheus::start("PROMETHEUS_TEST_IMAGE", "prom/prometheus:v3.13.2", &config, &flags)
            .await?;
    ask_for_native_histograms(&server, &config)?;
    let value = |expression: &str| -> Result<f64> {
        let result = query(&server, expression)?;
        let value = result.first().with_context(|| expression.to_owned())?["value"][1].as_str();
        Ok(value.context("a value")?.parse()?)
    };
    for name in ["native_seconds", "both_seconds"] {
        eventually_within(Duration::from_mins(1), "all observations are stored", || {
            let count = value(&format!("histogram_count({name}{{part=\"a\"}})"))?;
            ensure!((count - 300.0).abs() < 1e-9, "{name}: {count}");
            Ok(())
        })?;
        let sum = value(&format!("histogram_sum({name})"))?;
        ensure!((sum - 3.0 * 5.05).abs() < 1e-9, "{name}: {sum}");
        // Buckets are wider by a tenth each.
        for (quantile, exact) in [(0.5, 0.05), (0.9, 0.09)] {
            let found = value(&format!("histogram_quantile({quantile}, {name})"))?;
            ensure!((found / exact - 1.0).abs() < 0.1, "{name}: {quantile} is {found}");
        }
    }
    for (bound, count) in [("0.02", 60.0), ("0.05", 150.0), ("+Inf", 300.0)] {
        let found = value(&format!("both_seconds_bucket{{le=\"{bound}\"}}"))?;
        ensure!((found - count).abs() < 1e-9, "{bound}: {found}");
    }
    let classic = query(&server, "native_seconds_bucket{le!=\"+Inf\"}")?;
    ensure!(classic.is_empty(), "{classic:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_2_stores_the_same_series_in_every_format() -> Result<()> {
    let exporter = start()?;
    let folder = tempfile::tempdir()?;
    let config = config(folder.path(), exporter.address(), &JOBS_2)?;
    let flags = ["--enable-feature=native-histograms"];
    let variable = "PROMETHEUS_2_TEST_IMAGE";
    let server = Prometheus::start(variable, "prom/prometheus:v2.53.5", &config, &flags).await?;
    compare(&server, &JOBS_2)?;
    Ok(())
}

/// promtool reads a page from standard input. Status 3 is an opinion on names, which are the
/// replaced exporters'; any other failure is a page it cannot read.
fn check_metrics(page: &str) -> Result<String> {
    let image =
        std::env::var("PROMETHEUS_TEST_IMAGE").unwrap_or("prom/prometheus:v3.13.2".to_owned());
    let mut promtool = Command::new("docker")
        .args(["run", "--rm", "--interactive", "--entrypoint", "promtool"])
        .args([&image, "check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    std::io::Write::write_all(&mut promtool.stdin.take().context("a pipe")?, page.as_bytes())?;
    let output = promtool.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(matches!(output.status.code(), Some(0 | 3)), "{}: {text}", output.status);
    Ok(text)
}

#[test]
fn promtool_reads_every_golden_page() -> Result<()> {
    let mut pages = 0;
    for folder in ["crates/statsd-exporter/tests/golden", "crates/valkey-exporter/tests/captures"] {
        for entry in fs::read_dir(repository().join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "prom") {
                check_metrics(&fs::read_to_string(&path)?)
                    .with_context(|| path.display().to_string())?;
                pages += 1;
            }
        }
    }
    ensure!(pages >= 6, "only {pages} pages");
    Ok(())
}

#[test]
fn promtool_has_nothing_to_say_of_our_own_names() -> Result<()> {
    let exporter = start()?;
    let page = get_with(&format!("http://{}/metrics", exporter.address()), &[])?.body;
    let complaints = check_metrics(&page)?;
    let about_ours: Vec<_> =
        complaints.lines().filter(|line| line.contains("every_kind_exporter_")).collect();
    ensure!(about_ours.is_empty(), "{about_ours:?}");
    Ok(())
}
