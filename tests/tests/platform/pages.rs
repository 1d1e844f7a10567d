//! Prometheus' own pages, in Chromium. The image that the other steps use may have none: `tests/run.sh`
//! names one that has.

use std::{env, fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{Browser, eventually_within, get, repository};

use crate::storage::{ADDRESS, Container, readable, wait_until_ready};

const IMAGE: &str = "PROMETHEUS_PAGES_IMAGE";

pub(crate) fn is_there() -> bool {
    env::var_os(IMAGE).is_some()
}

pub(crate) fn targets_and_alerts_can_be_looked_at() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::copy(repository().join("rules/lakehouse.yml"), folder.path().join("rules.yml"))?;
    let config = "rule_files: [/input/rules.yml]\n\
                  scrape_configs:\n- job_name: itself\n  scrape_interval: 1s\n  \
                  static_configs: [{targets: ['localhost:9090']}]\n";
    fs::write(folder.path().join("prometheus.yml"), config)?;
    let mount = readable(folder.path())?;
    let _prometheus = Container::of(
        &env::var(IMAGE)?,
        "pages",
        &["--volume", &mount, "IMAGE", "--config.file=/input/prometheus.yml"],
    )?;
    wait_until_ready()?;
    // The pages do not look again by themselves, and Prometheus takes up its targets seconds after its start.
    eventually_within(Duration::from_mins(1), "a target is up", || {
        let targets = get(&format!("{ADDRESS}/api/v1/targets?state=active"))?.body;
        ensure!(targets.contains(r#""health":"up""#), "{targets}");
        Ok(())
    })?;
    let browser = Browser::start()?;
    browser.resize(1_366, 768)?;
    for (page, words) in [
        ("targets", &["itself", "http://localhost:9090/metrics", "UP"][..]),
        ("alerts", &["lakehouse_alerts", "ServiceDown", "AirflowTaskFailureHigh"]),
    ] {
        browser.open(&format!("{ADDRESS}/{page}"))?;
        eventually_within(Duration::from_mins(1), page, || {
            let text = browser.script("return document.body.innerText")?;
            let text = text.as_str().context("a text")?;
            for word in words {
                ensure!(text.contains(word), "{word} is not on the page: {text}");
            }
            Ok(())
        })?;
    }
    Ok(())
}
