//! A second Prometheus beside the platform's, for what cannot be done to the platform: it evaluates the
//! copy of the rules with short windows, and the platform's Alertmanager hears of it.
//!
//! Its alerts carry a label in Alertmanager, so that they are not taken for the platform's own.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{eventually_within, get};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    provoke, stack,
    storage::{ADDRESS, Container, prometheus_beside, readable, wait_until_ready},
};

/// A window of a minute or two, twice, on a busy machine.
const LIMIT: Duration = Duration::from_mins(6);

/// Containers, and the folder that all of them see as `/input`.
pub(crate) struct Second {
    /// The value of the label.
    name: &'static str,
    containers: Vec<Container>,
    folder: TempDir,
    mount: String,
}

impl Second {
    pub(crate) fn new(name: &'static str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        provoke::shorten_rules_to(&folder.path().join("rules"), &[])?;
        let mount = readable(folder.path())?;
        Ok(Self { name, containers: Vec::new(), folder, mount })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Whoever reads it meanwhile gets the whole of the one or of the other.
    pub(crate) fn write(&self, file: &str, text: &str) -> Result<()> {
        let (path, new) = (self.path(file), self.path("new"));
        fs::create_dir_all(path.parent().context("a folder")?)?;
        fs::write(&new, text)?;
        fs::rename(&new, &path).with_context(|| path.display().to_string())
    }

    pub(crate) fn remove(&self, file: &str) -> Result<()> {
        fs::remove_file(self.path(file)).with_context(|| file.to_owned())
    }

    /// Starts a container of the image of a service; `arguments` as [`Container::beside`] takes them.
    pub(crate) fn start(&mut self, service: &str, name: &str, arguments: &[&str]) -> Result<()> {
        let arguments = [&["--volume", &self.mount], arguments].concat();
        let image = stack::image(service)?;
        self.containers.push(Container::beside(&image, name, &arguments)?);
        Ok(())
    }

    /// Starts the second Prometheus, at [`ADDRESS`]. A job is a name, its targets, and what else its
    /// configuration has.
    pub(crate) fn watch(&mut self, rules: &[&str], jobs: &[(&str, String, &str)]) -> Result<()> {
        self.write(
            "prometheus.yml",
            &configuration(self.name, rules, &["alertmanager:9093"], jobs)?,
        )?;
        self.containers.push(prometheus_beside(&format!("{}-watch", self.name), &[&self.mount])?);
        wait_until_ready()
    }

    /// The alerts that fire in the second Prometheus.
    fn firing() -> Result<BTreeSet<String>> {
        let all = stack::query_at(ADDRESS, r#"ALERTS{alertstate="firing"}"#)?;
        Ok(all.into_iter().filter_map(|(mut labels, _)| labels.remove("alertname")).collect())
    }

    /// No alert fires before `is_known` has an answer, and none is even pending then.
    pub(crate) fn wait_in_silence(
        &self,
        is_known: &str,
        mut meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let mut heard = BTreeSet::new();
        eventually_within(LIMIT, is_known, || {
            meanwhile()?;
            let known = !stack::query_at(ADDRESS, is_known)?.is_empty();
            // What is pending before the first scrape is over with it.
            let alerts = if known { "ALERTS" } else { "ALERTS{alertstate=\"firing\"}" };
            let all = stack::query_at(ADDRESS, alerts)?;
            heard.extend(all.into_iter().map(|(labels, _)| labels));
            ensure!(known, "{:?}", stack::query_at(ADDRESS, "up")?);
            Ok(())
        })?;
        ensure!(heard.is_empty(), "{}: healthy, it alerts: {heard:?}", self.name);
        Ok(())
    }

    /// Waits until each alert has fired and has arrived.
    pub(crate) fn wait_for(
        &self,
        alerts: &[&str],
        mut meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let (mut fired, mut arrived) = (BTreeSet::new(), BTreeSet::new());
        eventually_within(LIMIT, "all fire and arrive", || {
            meanwhile()?;
            fired.extend(Self::firing()?);
            arrived.extend(arrived_with(self.name)?);
            let missing = |seen: &BTreeSet<String>| -> Vec<String> {
                let unseen = alerts.iter().filter(|alert| !seen.contains(**alert));
                unseen.map(|alert| (*alert).to_owned()).collect()
            };
            let (silent, lost) = (missing(&fired), missing(&arrived));
            ensure!(silent.is_empty(), "{silent:?} did not fire, {fired:?} did");
            ensure!(lost.is_empty(), "{lost:?} did not arrive");
            Ok(())
        })
    }

    /// Waits until none of the alerts fires, and Alertmanager knows it.
    pub(crate) fn wait_until_resolved(
        &self,
        alerts: &[&str],
        mut meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        eventually_within(LIMIT, "all resolve", || {
            meanwhile()?;
            for left in [Self::firing()?, arrived_with(self.name)?] {
                let left: Vec<_> =
                    left.iter().filter(|name| alerts.contains(&name.as_str())).collect();
                ensure!(left.is_empty(), "{left:?}");
            }
            Ok(())
        })
    }
}

/// The alerts of a second Prometheus that Alertmanager has as active, inhibited or not.
pub(crate) fn arrived_with(name: &str) -> Result<BTreeSet<String>> {
    let filter = format!("filter=second=%22{name}%22");
    let answer = get(&format!("{}/api/v2/alerts?{filter}", stack::ALERTMANAGER))?;
    let json: Value = serde_json::from_str(&answer.body)?;
    let alerts = json.as_array().with_context(|| answer.body.clone())?;
    let name = |alert: &Value| alert["labels"]["alertname"].as_str().map(str::to_owned);
    Ok(alerts.iter().filter_map(name).collect())
}

/// What a second Prometheus reads: files of rules, Alertmanagers, and jobs as [`Second::watch`] takes them.
pub(crate) fn configuration(
    name: &str,
    rules: &[&str],
    alertmanagers: &[&str],
    jobs: &[(&str, String, &str)],
) -> Result<String> {
    let rules: Vec<_> = rules
        .iter()
        .map(|rules| match rules.strip_prefix('/') {
            Some(_absolute) => (*rules).to_owned(),
            None => format!("/input/rules/{rules}.yml"),
        })
        .collect();
    let mut text = format!(
        "global: {{scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 2s, \
         external_labels: {{second: {name}}}}}\n\
         rule_files: [{}]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: [{}]}}]}}]}}\n\
         scrape_configs:\n",
        rules.join(", "),
        quoted(alertmanagers),
    );
    for (job, targets, more) in jobs {
        let fixed = format!("static_configs: [{{targets: [{targets}]}}]");
        writeln!(text, "- {{job_name: {job}, {fixed}{more}}}")?;
    }
    Ok(text)
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}
