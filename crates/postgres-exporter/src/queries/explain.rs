//! `--queries.check` and `--queries.explain`: what files mean, without serving.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use metrics_server::Format;
use tokio::time::Instant;

use super::{
    Query,
    ask::{Run, ask},
    load::Set,
};
use crate::{instance::Instance, target::Target};

/// Time for looking at one query.
const LIMIT: Duration = Duration::from_secs(30);

/// What is in the files, a line a query.
///
/// # Errors
///
/// The file of `--extend.query-path` cannot be used; others are refused when they are read.
pub fn check(set: &Set) -> anyhow::Result<String> {
    if let Some(file) = set.extended.as_ref().filter(|file| file.failed) {
        return Err(anyhow!("{} cannot be used", file.filename));
    }
    let mut text = format!("{} queries in {} files\n", set.queries.len(), set.files);
    for loaded in &set.queries {
        let query = &loaded.query;
        let mut how = vec![format!("{} columns", query.columns.len())];
        if let Some(role) = query.gate.role {
            how.push(format!("on a {role}"));
        }
        match query.schedule {
            Some(every) => how.push(format!("every {every:?}")),
            None if query.ttl.is_zero() => {}
            None => how.push(format!("cached for {:?}", query.ttl)),
        }
        if let Some(check) = &query.freshness {
            how.push(format!("health check {:?} at {:?}", check.name, check.age_max));
        }
        writeln!(text, "  {}: {}", query.name, how.join(", ")).context("memory is full")?;
    }
    Ok(text)
}

/// The server's plan for the query `name`, and the page that comes of it.
///
/// # Errors
///
/// There is no such query, or the server does not answer.
pub async fn explain(
    set: &Set,
    name: &str,
    target: &Arc<Target>,
    run: &Run,
) -> anyhow::Result<String> {
    let loaded = set.queries.iter().find(|loaded| loaded.query.name == name);
    let loaded = loaded.with_context(|| {
        let names: Vec<_> = set.queries.iter().map(|known| known.query.name.as_str()).collect();
        format!("there is no query {name:?}, but {}", names.join(", "))
    })?;
    let query = &loaded.query;
    let end = Instant::now() + LIMIT;
    let instance = target.instance(end).await.context("cannot log in")?;
    let plan = plan(&instance, query).await;
    let server = instance.server();
    let labels = if loaded.server { vec![("server", server.as_str())] } else { Vec::new() };
    let asked = [(Arc::clone(query), None)];
    let outcome = ask(&instance, &asked, &labels, run, end).await.into_iter().next();
    let outcome = outcome.context("one query has one outcome")?;

    let mut text =
        format!("# query {name} on {server}, PostgreSQL {}\n", instance.facts.version_short());
    let mut line = |line: String| writeln!(text, "# {line}");
    for step in plan.lines() {
        line(format!("plan: {step}"))?;
    }
    if let Some(reason) = outcome.skipped {
        line(format!("not asked here: {reason}"))?;
    }
    if let Some(failure) = &outcome.failure {
        line(format!("failed: {failure}"))?;
    }
    line(format!(
        "{} rows, {} series in {} ms",
        outcome.tally.rows,
        outcome.tally.series,
        outcome.elapsed.as_millis()
    ))?;
    for (reason, count) in outcome.tally.dropped() {
        line(format!("dropped {count}: {}", reason.as_str()))?;
    }
    if let Some(age) = outcome.age_seconds {
        line(format!("age of the data: {age} s"))?;
    }
    text.push_str(&outcome.page.into_text(Format::Text));
    Ok(text)
}

/// `EXPLAIN`, or why there is no plan: `SHOW` has none.
async fn plan(instance: &Instance, query: &Query) -> String {
    let sql = format!("SET LOCAL search_path TO DEFAULT;EXPLAIN {}", query.sql);
    match instance.query(&sql).await {
        Ok(rows) => {
            let steps = rows.iter().filter_map(|row| row.cells().next().flatten());
            steps.collect::<Vec<_>>().join("\n")
        }
        Err(error) => format!("none: {error}"),
    }
}
