//! What tests of postgres-exporter against real servers share: pages within a time, and what is on them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio_postgres::Client;

use crate::{Exporter, Page, eventually_within, get_with};

/// A page as Prometheus gets it that waits `seconds`.
///
/// # Errors
///
/// It takes longer, or its status is not 200.
#[expect(clippy::disallowed_methods, reason = "a test measures time")]
pub fn scrape(exporter: &Exporter, path: &str, seconds: u64) -> Result<Page> {
    let start = Instant::now();
    let timeout = seconds.to_string();
    let headers = [("X-Prometheus-Scrape-Timeout-Seconds", timeout.as_str())];
    let response = get_with(&format!("http://{}{path}", exporter.address()), &headers)?;
    let elapsed = start.elapsed();
    ensure!(response.status == 200, "{}: {}", response.status, response.body);
    ensure!(elapsed < Duration::from_secs(seconds), "a scrape took {elapsed:?}");
    Ok(Page::parse(&response.body))
}

/// Whether the only sample with this name and these labels is `expected`.
///
/// # Errors
///
/// It is not.
pub fn is(page: &Page, name: &str, labels: &[(&str, &str)], expected: f64) -> Result<()> {
    let value = page.value(name, labels);
    ensure!(
        value.is_some_and(|value| (value - expected).abs() < f64::EPSILON),
        "{name}{labels:?} is {value:?}, not {expected}"
    );
    Ok(())
}

/// Whether a collector's success is `expected`.
///
/// # Errors
///
/// It is not.
pub fn succeeded(page: &Page, collector: &str, expected: f64) -> Result<()> {
    is(page, "pg_scrape_collector_success", &[("collector", collector)], expected)
}

/// Waits until `pg_up` is `up`; every page meanwhile comes within ten seconds.
///
/// # Errors
///
/// It does not within a minute.
pub fn becomes(exporter: &Exporter, up: f64) -> Result<()> {
    eventually_within(Duration::from_mins(1), "pg_up follows", || {
        is(&scrape(exporter, "/metrics", 10)?, "pg_up", &[], up)
    })
}

/// How many connections of the exporter the server has.
///
/// # Errors
///
/// The server does not answer.
pub async fn connections(owner: &Client) -> Result<i64> {
    let count =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postgres-exporter'";
    Ok(owner.query_one(count, &[]).await?.get(0))
}
