//! Servers, exporters and a Prometheus of a step's own beside the platform, whose Alertmanager hears of
//! what that Prometheus finds.

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{
    provoke,
    stack::{self, PREFIX},
    storage::{Container, prometheus_beside, readable, wait_until_ready},
};

/// What all of them begin with, behind [`PREFIX`].
pub(crate) const BESIDE: &str = "beside";

const TRINO_HEADERS: &str = "http_headers: {X-Trino-User: {values: [e2e]}}, ";

/// The servers of one step, which end with it.
pub(crate) struct Beside {
    folder: TempDir,
    /// In the order of their start. Those that are asked end before those that ask.
    containers: Vec<Container>,
}

impl Beside {
    pub(crate) fn new() -> Result<Self> {
        let own = Self { folder: tempfile::tempdir()?, containers: Vec::new() };
        fs::create_dir(own.path("input"))?;
        Ok(own)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file in `/input` of each of them that starts after this.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.input(name);
        fs::create_dir_all(path.parent().context("a folder")?)?;
        Ok(fs::write(path, text)?)
    }

    /// Where on this machine a file of `/input` is, or a folder.
    pub(crate) fn input(&self, name: &str) -> PathBuf {
        self.path("input").join(name)
    }

    /// Runs the image of a service of the platform under the name of [`host`].
    pub(crate) fn run(
        &mut self,
        service: &str,
        name: &str,
        options: &[&str],
        arguments: &[&str],
    ) -> Result<()> {
        let input = readable(&self.path("input"))?;
        let all = [&["--volume", &input], options, &["IMAGE"], arguments].concat();
        let name = format!("{BESIDE}-{name}");
        self.containers.push(Container::beside(&stack::image(service)?, &name, &all)?);
        Ok(())
    }

    /// Has these jobs, each of some addresses, watched by these files of rules, in which `shorter` is
    /// replaced before all else.
    pub(crate) fn watch(
        &mut self,
        rules: &[&str],
        shorter: &[(&str, &str)],
        jobs: &[(&str, &[String])],
    ) -> Result<()> {
        provoke::shorten_rules_to(&self.path("rules"), shorter)?;
        let files = rules.iter().map(|name| format!("/rules/{name}.yml")).collect::<Vec<_>>();
        let mut text = format!(
            "global: {{scrape_interval: 5s, evaluation_interval: 5s}}\n\
             rule_files: {files:?}\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['alertmanager:9093']}}]}}]}}\n\
             scrape_configs:\n"
        );
        for (job, targets) in jobs {
            // Trino wants to know who asks.
            let headers = if *job == "trino" { TRINO_HEADERS } else { "" };
            writeln!(
                text,
                "- {{job_name: {job}, {headers}static_configs: [{{targets: {targets:?}}}]}}"
            )?;
        }
        self.write("prometheus.yml", &text)?;
        let input = readable(&self.path("input"))?;
        let rules = format!("{}:/rules:ro", self.path("rules").display());
        let name = format!("{BESIDE}-prometheus");
        self.containers.push(prometheus_beside(&name, &[&input, &rules])?);
        wait_until_ready()
    }
}

/// A server's name on the platform's network.
pub(crate) fn host(name: &str) -> String {
    format!("{PREFIX}-{BESIDE}-{name}")
}

/// Where a server's metrics are.
pub(crate) fn at(name: &str, port: u16) -> String {
    format!("{}:{port}", host(name))
}

/// Runs a command in its container.
pub(crate) fn exec(name: &str, command: &[&str]) -> Result<String> {
    stack::exec(&format!("{BESIDE}-{name}"), command)
}

/// A script of the shell in its container, in the background.
pub(crate) fn in_background(name: &str, script: &str) -> Result<()> {
    let script = format!("exec >/dev/null 2>&1; {script}");
    stack::docker(&["exec", "--detach", &host(name), "sh", "-c", &script]).map(drop)
}
