//! What Prometheus does with old samples and with a full disk.
//!
//! Each step runs a Prometheus of its own, with the platform's image and flags.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{eventually_within, get};
use serde_json::Value;

use crate::stack;

/// Where the Prometheus of these steps is published.
pub(crate) const ADDRESS: &str = "http://127.0.0.1:19091";

const DAY_SECONDS: u64 = 86_400;

/// A container which ends with its handle.
pub(crate) struct Container(String);

impl Container {
    /// Of the platform's image, which `IMAGE` stands for among the arguments.
    fn run(name: &str, arguments: &[&str]) -> Result<Self> {
        Self::of(&stack::image("prometheus")?, name, arguments)
    }

    /// Published at [`ADDRESS`].
    pub(crate) fn of(image: &str, name: &str, arguments: &[&str]) -> Result<Self> {
        Self::start(image, name, &["--publish", "127.0.0.1:19091:9090"], arguments)
    }

    /// On the platform's network, under the name of the container.
    pub(crate) fn beside(image: &str, name: &str, arguments: &[&str]) -> Result<Self> {
        Self::start(image, name, &["--network", &stack::network()], arguments)
    }

    fn start(image: &str, name: &str, options: &[&str], arguments: &[&str]) -> Result<Self> {
        let own = Self(stack::container(name));
        // What an interrupted run may have left.
        own.remove();
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| if *argument == "IMAGE" { image } else { *argument })
            .collect();
        let fixed = ["run", "--detach", "--name", &own.0];
        stack::docker(&[&fixed[..], options, arguments.as_slice()].concat())?;
        Ok(own)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    fn remove(&self) {
        // A container that is gone already needs no removal.
        let _removed = stack::docker(&["rm", "--force", "--volumes", &self.0]);
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A Prometheus on the platform's network, at [`ADDRESS`] as well, by `/input/prometheus.yml`.
pub(crate) fn prometheus_beside(name: &str, mounts: &[&str]) -> Result<Container> {
    let network = stack::network();
    let mut arguments = vec!["--network", &network];
    arguments.extend(mounts.iter().flat_map(|mount| ["--volume", mount]));
    arguments.extend([
        "IMAGE",
        "--config.file=/input/prometheus.yml",
        "--storage.tsdb.path=/prometheus",
    ]);
    Container::run(name, &arguments)
}

/// The values of a range query which looks back over `days`.
fn samples(metric: &str, now: u64, days: u64) -> Result<usize> {
    let answer = get(&format!(
        "{ADDRESS}/api/v1/query?query=count_over_time({metric}[1d])&time={}",
        now - days * DAY_SECONDS + DAY_SECONDS / 2
    ))?;
    let json: Value = serde_json::from_str(&answer.body)?;
    Ok(json["data"]["result"].as_array().context("a vector")?.len())
}

/// A mount of `folder`, which the unprivileged user of the image may read.
pub(crate) fn readable(folder: &Path) -> Result<String> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    Ok(format!("{}:/input:ro", folder.display()))
}

fn now_seconds() -> Result<u64> {
    Ok(stack::exec("postgres", &["date", "+%s"])?.parse()?)
}

pub(crate) fn wait_until_ready() -> Result<()> {
    eventually_within(Duration::from_mins(1), "Prometheus is ready", || {
        ensure!(get(&format!("{ADDRESS}/-/ready"))?.status == 200, "not yet");
        Ok(())
    })
}

/// Samples of 6, 8 and 9 days ago are filled in; only the first is within the retention of 7 days,
/// which is counted from the newest block, of 3 hours ago.
pub(crate) fn samples_older_than_the_retention_are_removed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let now = now_seconds()?;
    let mut text = String::from("# TYPE backfilled gauge\n");
    let starts = [9, 8, 6].map(|days| now - days * DAY_SECONDS).into_iter().chain([now - 10_800]);
    for start in starts {
        for minute in 0..60 {
            writeln!(text, "backfilled 1 {}", start + minute * 60)?;
        }
    }
    text.push_str("# EOF\n");
    fs::write(folder.path().join("samples.txt"), text)?;
    fs::write(folder.path().join("prometheus.yml"), "scrape_configs: []\n")?;
    let mount = readable(folder.path())?;

    let fill = "promtool tsdb create-blocks-from openmetrics /input/samples.txt /prometheus && \
                exec prometheus --config.file=/input/prometheus.yml --storage.tsdb.path=/prometheus \
                --storage.tsdb.retention.time=7d";
    let _prometheus = Container::run(
        "retention",
        &["--volume", &mount, "--entrypoint", "sh", "IMAGE", "-c", fill],
    )?;
    wait_until_ready()?;
    eventually_within(Duration::from_mins(3), "old blocks are removed", || {
        ensure!(samples("backfilled", now, 6)? == 1, "6 days ago is within the retention");
        ensure!(samples("backfilled", now, 8)? == 0, "8 days ago still answers");
        ensure!(samples("backfilled", now, 9)? == 0, "9 days ago still answers");
        Ok(())
    })
}

/// A disk of a few megabytes fills up: new samples are refused and logged, old ones still answer.
pub(crate) fn a_full_disk_refuses_samples_and_answers_queries() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = "global: {scrape_interval: 1s}\n\
                  scrape_configs:\n- job_name: self\n  static_configs: [{targets: ['localhost:9090']}]\n";
    fs::write(folder.path().join("prometheus.yml"), config)?;
    let mount = readable(folder.path())?;
    let prometheus = Container::run(
        "full-disk",
        &[
            "--volume",
            &mount,
            "--tmpfs",
            "/small:size=60m,mode=1777",
            "IMAGE",
            "--config.file=/input/prometheus.yml",
            "--storage.tsdb.path=/small",
            "--storage.tsdb.wal-segment-size=10MB",
        ],
    )?;
    wait_until_ready()?;
    let up = || -> Result<f64> {
        let answer = get(&format!("{ADDRESS}/api/v1/query?query=count_over_time(up[1h])"))?;
        let json: Value = serde_json::from_str(&answer.body)?;
        let value = json["data"]["result"][0]["value"][1].as_str().context("a value")?;
        Ok(value.parse()?)
    };
    eventually_within(Duration::from_secs(30), "some samples", || {
        ensure!(up()? > 3.0, "too few");
        Ok(())
    })?;
    let fill = "cat /dev/zero >/small/filler 2>/dev/null; true";
    stack::docker(&["exec", &prometheus.0, "sh", "-c", fill])?;
    eventually_within(Duration::from_mins(2), "the log says so", || {
        let log = stack::docker_all(&["logs", &prometheus.0])?;
        ensure!(log.contains("no space left on device"), "not yet");
        Ok(())
    })?;
    let stored = up()?;
    ensure!(stored > 3.0, "old samples still answer");
    stack::docker(&["exec", &prometheus.0, "rm", "/small/filler"])?;
    eventually_within(Duration::from_mins(2), "samples are taken again", || {
        ensure!(up()? > stored + 3.0, "not yet");
        Ok(())
    })
}
