//! Trino, once its profile is on: its rules ask for what it shows, and queries that fail alert.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{eventually_within, get_with, promql, rules};
use serde_json::Value;

use crate::{
    beside::{Beside, at, host},
    harm,
    provoke::{self, Fear, lasting},
    stack,
    storage::ADDRESS,
};

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

/// A coordinator that admits no query, and a worker: small, and beside the platform's.
fn start_two() -> Result<Beside> {
    let mut own = Beside::new()?;
    let uri = format!("http://{}:8080", host("coordinator"));
    let coordinator = "coordinator=true\nnode-scheduler.include-coordinator=true\n";
    for (name, config) in [("coordinator", coordinator), ("worker", "coordinator=false\n")] {
        let config = format!("{config}http-server.http.port=8080\ndiscovery.uri={uri}\n");
        let node = format!("node.environment=e2e\nnode.id={name}\nnode.data-dir=/tmp/trino\n");
        for (file, text) in [
            ("config.properties", config.as_str()),
            ("node.properties", &node),
            ("jvm.config", "-server\n-Xmx768M\n-Djdk.attach.allowAttachSelf=true\n"),
            ("log.properties", "io.trino=WARN\n"),
        ] {
            own.write(&format!("{name}/{file}"), text)?;
        }
    }
    for (file, text) in [("resource-groups.properties", GROUPS), ("groups.json", NOBODY)] {
        own.write(&format!("coordinator/{file}"), text)?;
    }
    for name in ["coordinator", "worker"] {
        let etc = format!("{}:/etc/trino:ro", own.input(name).display());
        own.run("trino", name, &["--volume", &etc], &[])?;
    }
    own.watch(&["trino"], &[], &[("trino", &[at("coordinator", 8080)])])?;
    Ok(own)
}

const GROUPS: &str = "resource-groups.configuration-manager=file\n\
                      resource-groups.config-file=/etc/trino/groups.json\n";

const NOBODY: &str = r#"{"rootGroups": [{"name": "nobody", "softMemoryLimit": "80%",
    "hardConcurrencyLimit": 0, "maxQueued": 100}], "selectors": [{"group": "nobody"}]}"#;

pub(crate) fn a_trino_of_two_that_admits_nobody_alerts_and_resolves() -> Result<()> {
    let _servers = start_two()?;
    let nodes = "trino_node_name_CoordinatorNodeManager_ActiveNodeCount == 2 \
                 or trino_metadata_name_DiscoveryNodeManager_ActiveNodeCount == 2";
    eventually_within(Duration::from_mins(3), "there are two nodes", || {
        ensure!(!stack::query_at(ADDRESS, nodes)?.is_empty(), "not yet");
        Ok(())
    })?;
    provoke::provoke_and_undo(
        ADDRESS,
        &[
            lasting("TrinoNodeLost", stop_the_worker, start_the_worker),
            lasting("TrinoQueriesQueued", ask_in_vain, give_up),
        ] as &[Fear],
    )
}

fn stop_the_worker() -> Result<()> {
    stack::docker(&["stop", "--time", "2", &host("worker")]).map(drop)
}

fn start_the_worker() -> Result<()> {
    stack::docker(&["start", &host("worker")]).map(drop)
}

/// Asks the coordinator, by lines of Python in which `ask(method, address, body)` gives what it says.
fn ask(lines: &str) -> Result<()> {
    harm::python(&format!(
        "import json, urllib.request\n\
         base = 'http://{}:8080'\n\
         def ask(method, address, body=None):\n \
         question = urllib.request.Request(address, body, {{'X-Trino-User': 'e2e'}}, method=method)\n \
         return urllib.request.urlopen(question, timeout=30).read()\n\
         {lines}",
        host("coordinator")
    ))
}

/// A query waits in the group once its answer was asked for.
fn ask_in_vain() -> Result<()> {
    ask(
        "for _ in range(12): ask('GET', json.loads(ask('POST', base + '/v1/statement', b'SELECT 1'))['nextUri'])",
    )
}

fn give_up() -> Result<()> {
    ask("for query in json.loads(ask('GET', base + '/v1/query')):\n \
         if query['state'] == 'QUEUED': ask('DELETE', base + '/v1/query/' + query['queryId'])")
}
