//! Every series that a rule asks for is there, or it is said what brings it.

use std::{collections::BTreeSet, fs, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{eventually_within, get, promql, repository, rules};

use crate::stack;

/// Every name that Prometheus has stored.
fn names() -> Result<BTreeSet<String>> {
    let names = stack::api("label/__name__/values")?;
    let names = names.as_array().context("names")?;
    Ok(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

pub(crate) fn every_series_of_a_rule_is_there_or_said_to_be_missing() -> Result<()> {
    let required = rules::required()?;
    let all = rules::all()?;
    // A recording exists where what it is made of does.
    let recorded: BTreeSet<&str> =
        all.iter().filter(|rule| !rule.alert).map(|rule| rule.name.as_str()).collect();
    eventually_within(Duration::from_mins(2), "all series", || {
        let names = names()?;
        let mut missing = Vec::new();
        for rule in &all {
            for name in promql::series(&rule.expression)? {
                let known = names.contains(&name)
                    || recorded.contains(name.as_str())
                    || rules::is_required(&name, &required);
                if !known {
                    missing.push(format!("{}: {name}", rule.name));
                }
            }
        }
        ensure!(missing.is_empty(), "not stored: {missing:#?}");
        Ok(())
    })
}

pub(crate) fn rates_are_taken_of_counters() -> Result<()> {
    let metadata = stack::api("metadata")?;
    let mut wrong = Vec::new();
    for rule in rules::all()? {
        for name in promql::counters(&rule.expression)? {
            let base = ["_count", "_sum", "_bucket"].iter().find_map(|end| name.strip_suffix(end));
            let kinds = [Some(name.as_str()), base].into_iter().flatten();
            let kinds: Vec<&str> = kinds
                .flat_map(|name| metadata[name].as_array().into_iter().flatten())
                .filter_map(|entry| entry["type"].as_str())
                .collect();
            if kinds.contains(&"gauge") {
                wrong.push(format!("{}: {name}", rule.name));
            }
        }
    }
    ensure!(wrong.is_empty(), "gauges: {wrong:#?}");
    Ok(())
}

pub(crate) fn every_rule_evaluates_without_error() -> Result<()> {
    let groups = stack::api("rules")?;
    let mut count = 0;
    for group in groups["groups"].as_array().context("groups")? {
        for rule in group["rules"].as_array().context("rules")? {
            ensure!(rule["health"] == "ok", "{rule}");
            count += 1;
        }
    }
    ensure!(count == rules::all()?.len(), "{count} rules are loaded");
    Ok(())
}

/// The pages of the lakehouse's five: each command and query of the part that looks.
const RUNBOOKS: [&str; 5] = [
    "ServiceDown",
    "AirflowTaskFailureHigh",
    "SeaweedFSDiskUsageHigh",
    "ValkeyMemoryHigh",
    "PostgresConnectionsHigh",
];

/// As the page has it, for this project instead of the one of `make up`.
fn here(command: &str) -> String {
    let mut command = command.replace("lakehouse-", &format!("{}-", stack::PREFIX));
    for (port, ours) in
        [(":9090", ":19090"), (":9187", ":19187"), (":9121", ":19121"), (":9333", ":19333")]
    {
        command = command.replace(port, ours);
    }
    command
}

pub(crate) fn the_runbooks_of_the_five_can_be_followed() -> Result<()> {
    for name in RUNBOOKS {
        let text = fs::read_to_string(repository().join(format!("docs/runbooks/{name}.md")))?;
        let look =
            text.split("\n## ").find(|section| section.starts_with("Look")).context("Look")?;
        for command in rules::blocks(look, "sh") {
            let output =
                std::process::Command::new("bash").args(["-euc", &here(&command)]).output()?;
            if !output.status.success() {
                bail!("{name}: {command}{}", String::from_utf8_lossy(&output.stderr));
            }
            ensure!(!output.stdout.is_empty(), "{name} shows nothing: {command}");
        }
        for query in rules::blocks(look, "promql") {
            stack::query(&query).with_context(|| format!("{name}: {query}"))?;
        }
    }
    // The part on SeaweedFS asks a port that has to be published.
    ensure!(get("http://127.0.0.1:19333/cluster/status")?.status == 200, "the master's port");
    Ok(())
}
