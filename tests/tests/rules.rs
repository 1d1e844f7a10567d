//! Rules, their tests and their runbooks keep their promises. What only a program can tell (`promtool`,
//! `amtool`, a platform that runs) is elsewhere: the stage `rules`, `alerting.rs`, `platform/series.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    promql, repository,
    rules::{self, Rule},
};
use serde_yaml_ng::Value;

/// Alerts with a page of their own though they only warn.
const OF_THE_LAKEHOUSE: [&str; 5] = [
    "AirflowTaskFailureHigh",
    "SeaweedFSDiskUsageHigh",
    "ValkeyMemoryHigh",
    "PostgresConnectionsHigh",
    "ServiceDown",
];

const SEVERITIES: [&str; 2] = ["critical", "warning"];

const SERVICES: [&str; 10] = [
    "airflow",
    "alertmanager",
    "node",
    "platform",
    "postgres",
    "prometheus",
    "seaweedfs",
    "statsd",
    "trino",
    "valkey",
];

/// A test of `promtool`, as far as it concerns one alert.
#[derive(Default)]
struct Tested {
    firing: usize,
    silent: usize,
    /// Whether some test has the alert fire and be silent again later.
    resolves: bool,
    labels: BTreeSet<String>,
    inputs: String,
}

/// What the test file of a rule file has of each alert.
fn tested(file: &str) -> Result<BTreeMap<String, Tested>> {
    let text = fs::read_to_string(repository().join(format!("rules/tests/{file}.yml")))
        .with_context(|| file.to_owned())?;
    let yaml: Value = serde_yaml_ng::from_str(&text)?;
    let mut found: BTreeMap<String, Tested> = BTreeMap::new();
    for test in yaml["tests"].as_sequence().context("tests")? {
        let inputs = serde_yaml_ng::to_string(&test["input_series"])?;
        let mut fired = BTreeSet::new();
        for case in test["alert_rule_test"].as_sequence().into_iter().flatten() {
            let name = case["alertname"].as_str().context("an alert's name")?.to_owned();
            let entry = found.entry(name.clone()).or_default();
            entry.inputs.push_str(&inputs);
            let alerts = case["exp_alerts"].as_sequence().context("expected alerts")?;
            if alerts.is_empty() {
                entry.silent += 1;
                entry.resolves |= fired.contains(&name);
            } else {
                entry.firing += 1;
                fired.insert(name);
            }
            for alert in alerts {
                let labels = alert["exp_labels"].as_mapping().into_iter().flatten();
                entry
                    .labels
                    .extend(labels.filter_map(|(name, _)| name.as_str().map(str::to_owned)));
            }
        }
    }
    Ok(found)
}

/// `$labels.NAME` of a template.
fn template_labels(rule: &Rule) -> BTreeSet<String> {
    let text = format!("{}{}", rule.annotation("summary"), rule.annotation("description"));
    text.split("$labels.")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn each_alert_has_its_labels_and_annotations() -> Result<()> {
    let mut names = BTreeSet::new();
    for rule in rules::alerts()? {
        let name = &rule.name;
        ensure!(names.insert(name.clone()), "two alerts are called {name}");
        ensure!(SEVERITIES.contains(&rule.label("severity")), "{name}: its severity");
        ensure!(SERVICES.contains(&rule.label("service")), "{name}: its service");
        ensure!(rule.yaml["for"].is_string(), "{name} does not say for how long");
        for annotation in ["summary", "description", "runbook_url", "dashboard_url"] {
            ensure!(!rule.annotation(annotation).is_empty(), "{name} has no {annotation}");
        }
        ensure!(!rule.annotation("summary").ends_with('.'), "{name}: a summary is no sentence");
    }
    Ok(())
}

#[test]
fn each_alert_fires_is_silent_and_resolves_in_a_test() -> Result<()> {
    let mut files: BTreeMap<String, BTreeMap<String, Tested>> = BTreeMap::new();
    for rule in rules::alerts()? {
        if !files.contains_key(&rule.file) {
            files.insert(rule.file.clone(), tested(&rule.file)?);
        }
        let name = &rule.name;
        let test = files[&rule.file].get(name).with_context(|| format!("{name} has no test"))?;
        ensure!(test.firing > 0, "{name} fires in no test");
        ensure!(test.silent > 0, "{name} is silent in no test");
        ensure!(test.resolves, "{name} resolves in no test");
        // promtool compares all labels, so that one that is there is one that the alert really has.
        for label in template_labels(&rule) {
            ensure!(
                test.labels.contains(&label),
                "{name}: its text shows {label}, which it has not"
            );
        }
    }
    Ok(())
}

#[test]
fn each_series_of_an_alert_is_in_its_test() -> Result<()> {
    let recordings: BTreeMap<String, String> = rules::all()?
        .into_iter()
        .filter(|rule| !rule.alert)
        .map(|rule| (rule.name, rule.expression))
        .collect();
    for rule in rules::alerts()? {
        let tests = tested(&rule.file)?;
        let inputs = &tests.get(&rule.name).with_context(|| rule.name.clone())?.inputs;
        let mut wanted: Vec<String> = promql::series(&rule.expression)?.into_iter().collect();
        while let Some(name) = wanted.pop() {
            if let Some(expression) = recordings.get(&name) {
                wanted.extend(promql::series(expression)?);
                continue;
            }
            ensure!(inputs.contains(&name), "{}: no test has {name}", rule.name);
        }
    }
    Ok(())
}

#[test]
fn recordings_are_named_level_metric_operation() -> Result<()> {
    for rule in rules::all()?.iter().filter(|rule| !rule.alert) {
        let specified = rule.name.starts_with("seaweedfs_disk_") && rule.file == "lakehouse";
        ensure!(specified || rule.name.split(':').count() == 3, "{}", rule.name);
        ensure!(rule.group.ends_with("_recordings"), "{} stands in {}", rule.name, rule.group);
    }
    for rule in rules::alerts()? {
        ensure!(rule.group == format!("{}_alerts", rule.file), "{}: {}", rule.name, rule.group);
    }
    Ok(())
}

/// A mistake that no program reports.
#[test]
fn expressions_have_none_of_the_usual_traps() -> Result<()> {
    for rule in rules::all()? {
        let (name, expression) = (&rule.name, &rule.expression);
        for counter in promql::counters(expression)? {
            let known = ["_ratio", "_current", "_info"];
            let gauge = known.iter().any(|ending| counter.ends_with(ending));
            ensure!(!gauge, "{name} takes the rate of {counter}, which looks like a gauge");
        }
        if expression.contains("histogram_quantile") {
            ensure!(expression.contains("le)") || expression.contains("le,"), "{name}: no `le`");
        }
    }
    Ok(())
}

#[test]
fn prometheus_loads_every_file_of_rules() -> Result<()> {
    let config = fs::read_to_string(repository().join("deploy/prometheus/prometheus.yml"))?;
    let config: Value = serde_yaml_ng::from_str(&config)?;
    let mut loaded = Vec::new();
    for path in config["rule_files"].as_sequence().context("rule_files")? {
        loaded.push(path.as_str().context("a path")?.to_owned());
    }
    let expected: BTreeSet<String> = rules::files()?
        .iter()
        .filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
        .map(|name| match name.as_str() {
            "lakehouse.yml" => "/etc/prometheus/alert_rules.yml".to_owned(),
            name => format!("/etc/prometheus/rules/{name}"),
        })
        .collect();
    ensure!(loaded.len() == expected.len(), "{loaded:?}");
    ensure!(loaded.into_iter().collect::<BTreeSet<_>>() == expected, "{expected:?}");
    Ok(())
}

#[test]
fn each_alert_links_to_a_runbook_that_is_there() -> Result<()> {
    for rule in rules::alerts()? {
        let (name, url) = (&rule.name, rule.annotation("runbook_url"));
        let pages =
            rule.label("severity") == "critical" || OF_THE_LAKEHOUSE.contains(&name.as_str());
        if pages {
            ensure!(url == format!("docs/runbooks/{name}.md"), "{name}: {url}");
            let text = fs::read_to_string(repository().join(url)).context(url.to_owned())?;
            ensure!(text.starts_with(&format!("# {name}\n")), "{url}: its title");
            for section in ["Meaning", "Impact", "Look", "Fix", "Prevent", "Escalate"] {
                ensure!(text.contains(&format!("\n## {section}\n")), "{url} has no {section}");
            }
        } else {
            let (page, anchor) = url.split_once('#').with_context(|| format!("{name}: {url}"))?;
            let text = fs::read_to_string(repository().join(page)).context(page.to_owned())?;
            let heading = text.lines().find(|line| line.to_lowercase() == format!("## {anchor}"));
            ensure!(heading == Some(format!("## {name}").as_str()), "{url}: {heading:?}");
        }
    }
    Ok(())
}

#[test]
fn each_alert_links_to_a_dashboard_that_is_there() -> Result<()> {
    let mut uids = BTreeSet::new();
    for entry in fs::read_dir(repository().join("dashboards"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let dashboard: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
            uids.insert(dashboard["uid"].as_str().context("a uid")?.to_owned());
        }
    }
    for rule in rules::alerts()? {
        let url = rule.annotation("dashboard_url");
        let uid = url.strip_prefix("http://localhost:3000/d/").context(url.to_owned())?;
        ensure!(uids.contains(uid), "{}: no dashboard {uid}", rule.name);
    }
    Ok(())
}

/// In a step of the end-to-end tests, or in the table of those that are not, with a reason.
#[test]
fn each_alert_is_provoked_or_said_not_to_be() -> Result<()> {
    let mut steps = String::new();
    for entry in fs::read_dir(repository().join("tests/tests/platform"))? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name != "series.rs") {
            steps.push_str(&fs::read_to_string(path)?);
        }
    }
    let page = fs::read_to_string(repository().join("docs/TESTING.md"))?;
    let (_, table) =
        page.split_once("## Alerts that no live program was made to raise\n").context("a table")?;
    let listed: BTreeMap<&str, &str> = table
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .collect();
    let alerts = rules::alerts()?;
    for rule in &alerts {
        let name = rule.name.as_str();
        let provoked = steps.contains(&format!("\"{name}\""));
        let said = listed.contains_key(name);
        ensure!(provoked || said, "{name}: no step provokes it, and the page does not say why");
        ensure!(
            !(provoked && said),
            "{name}: a step provokes it, and the page says that none does"
        );
    }
    for name in listed.keys() {
        ensure!(alerts.iter().any(|rule| rule.name == *name), "{name} is no alert");
    }
    Ok(())
}

#[test]
fn every_command_of_a_runbook_parses() -> Result<()> {
    let mut count = 0;
    for entry in fs::read_dir(repository().join("docs/runbooks"))? {
        let path = entry?.path();
        for command in rules::blocks(&fs::read_to_string(&path)?, "sh") {
            let mut bash = Command::new("bash")
                .arg("-n")
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            bash.stdin.take().context("a pipe")?.write_all(command.as_bytes())?;
            let output = bash.wait_with_output()?;
            let error = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "{}: {error}\n{command}", path.display());
            count += 1;
        }
    }
    ensure!(count > 80, "{count} commands");
    Ok(())
}
