//! Grafana's dashboards as code: what is drawn stands in one module a program, how it is drawn in
//! [`panel`] and [`dashboard`].
//!
//! The result is classic JSON of schema version 38, which Grafana 10 to 13 provision as it is. It is
//! kept in the folder `dashboards/`; `make dashboards` writes it, and a test compares.

mod airflow;
mod dashboard;
mod hosts;
mod overview;
mod panel;
mod postgres;
mod prometheus;
mod seaweedfs;
mod statsd;
mod trino;
mod valkey;

use serde_json::Value;

/// Every dashboard; the file of each is called by its `uid`.
#[must_use]
pub fn all() -> Vec<Value> {
    [
        overview::dashboard(),
        airflow::dashboard(),
        postgres::dashboard(),
        valkey::dashboard(),
        seaweedfs::dashboard(),
        trino::dashboard(),
        statsd::dashboard(),
        prometheus::dashboard(),
        hosts::dashboard(),
    ]
    .iter()
    .map(dashboard::Dashboard::json)
    .collect()
}

/// The text of a dashboard's file.
///
/// # Errors
///
/// It holds a number that JSON has no form for.
pub fn text(dashboard: &Value) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(dashboard)? + "\n")
}
