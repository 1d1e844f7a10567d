//! Trino, once its profile is on: its rules ask for what it shows, and queries that fail alert.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{eventually_within, get_with, promql, rules};
use serde_json::Value;

use crate::stack;

const TRINO: &str = "http://127.0.0.1:18081";

/// Much to count, and nothing to read.
const LONG: &str = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) AS a(x) \
                    CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y) \
                    CROSS JOIN UNNEST(sequence(1, 1000)) AS c(z) WHERE x * y + z < 0";

pub(crate) fn its_rules_ask_for_what_it_shows() -> Result<()> {
    let mut asked = BTreeSet::new();
    for rule in rules::all()?.iter().filter(|rule| rule.file == "trino") {
        asked.extend(promql::series(&rule.expression)?);
    }
    asked.retain(|name| name.starts_with("trino_"));
    ensure!(asked.len() > 8, "only {asked:?}");
    // 476 and 483 name this one differently.
    let (nodes, asked): (BTreeSet<String>, BTreeSet<String>) =
        asked.into_iter().partition(|name| name.ends_with("_ActiveNodeCount"));
    eventually_within(Duration::from_mins(2), "what the rules ask for", || {
        let names = stack::api("label/__name__/values")?;
        let names: BTreeSet<String> = names
            .as_array()
            .context("names")?
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let missing: Vec<_> = asked.difference(&names).collect();
        ensure!(missing.is_empty(), "not stored: {missing:?}");
        ensure!(nodes.intersection(&names).count() == 1, "none or both of {nodes:?}");
        Ok(())
    })
}

/// Runs a query that may take a second; the name of the error it ends with.
fn error_of(statement: &str) -> Result<Option<String>> {
    let mut answer = ureq::post(format!("{TRINO}/v1/statement"))
        .header("X-Trino-User", "e2e")
        .header("X-Trino-Session", "query_max_execution_time=1s")
        .send(statement)?;
    let mut answer: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
    // Each of them waits for a second by itself.
    for _ in 0..120 {
        let Some(next) = answer["nextUri"].as_str() else {
            return Ok(answer["error"]["errorName"].as_str().map(str::to_owned));
        };
        answer = serde_json::from_str(&get_with(next, &[("X-Trino-User", "e2e")])?.body)?;
    }
    bail!("it does not end: {answer}")
}

/// A query that is given up for taking too long is no fault of who asks.
pub(crate) fn queries_that_fail_alert_and_resolve() -> Result<()> {
    let firing = |alert: &str| {
        stack::query(&format!(r#"ALERTS{{alertname="{alert}",alertstate="firing"}}"#))
    };
    eventually_within(Duration::from_mins(6), "failures alert", || {
        let error = error_of(LONG)?;
        ensure!(error.as_deref() == Some("EXCEEDED_TIME_LIMIT"), "{error:?}");
        for alert in ["TrinoFailureRatioHigh", "TrinoQueriesSlow"] {
            ensure!(!firing(alert)?.is_empty(), "{alert} does not fire");
        }
        Ok(())
    })?;
    stack::wait_for_alert("TrinoFailureRatioHigh", Duration::from_mins(1))?;
    stack::wait_for_silence("TrinoFailureRatioHigh", Duration::from_mins(5))
}
