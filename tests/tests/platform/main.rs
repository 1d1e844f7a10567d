//! The platform as a whole: brought up by `deploy/up` beside one that may run, provoked, and removed.
//!
//! The steps run in the order of [`STEPS`], each on what the ones before it left. `E2E_KEEP=1` leaves
//! the platform running afterwards.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use e2e::Browser;
use libtest_mimic::{Arguments, Failed, Trial};

mod airflow;
mod alerts;
mod beside;
mod broken;
mod databases;
mod faults;
mod grafana;
mod harm;
mod hosts;
mod live;
mod monitoring;
mod pages;
mod provoke;
mod seaweedfs;
mod second;
mod secured;
mod series;
mod stack;
mod storage;
mod trino;

type Step = (&'static str, fn() -> Result<()>);

/// A step's name is its function's.
macro_rules! steps {
    ($($module:ident::$name:ident),* $(,)?) => { &[$((stringify!($name), $module::$name)),*] };
}

const STEPS: &[Step] = steps![
    live::the_platform_comes_up,
    live::monitoring_is_healthy_within_60_seconds,
    live::every_target_is_up_without_errors,
    live::exporters_tell_the_commit_they_are_built_from,
    live::prometheus_runs_with_the_specified_flags,
    live::the_alert_group_holds_exactly_the_five_alerts,
    live::prometheus_shows_alerts_and_targets,
    live::a_datagram_to_8125_is_on_the_page_within_2_seconds,
    live::every_panel_has_data_within_three_minutes,
    live::airflow_shows_what_it_does,
    live::seaweedfs_counts_what_is_written,
    live::prometheus_stores_the_specified_names,
    live::dashboards_ask_for_what_is_stored,
    grafana::everything_is_there_from_the_first_start,
    grafana::the_overview_answers_through_it,
    grafana::each_dashboard_shows_data_in_a_browser,
    alerts::the_first_task_that_fails_alerts,
    grafana::it_shows_the_alert_that_fires,
    alerts::memory_connections_and_disk_fill_up,
    live::every_target_is_scraped_each_15_seconds,
    live::scrapes_are_quick,
    live::exporters_stay_small,
    live::up_again_changes_nothing,
    alerts::what_filled_up_alerts_and_resolves,
    alerts::a_postgres_that_is_down_alerts_and_resolves,
    alerts::a_valkey_that_is_down_is_seen_and_comes_back,
    series::every_rule_evaluates_without_error,
    series::every_series_of_a_rule_is_there_or_said_to_be_missing,
    series::rates_are_taken_of_counters,
    series::the_runbooks_of_the_five_can_be_followed,
    faults::airflow_works_while_statsd_exporter_is_down,
    faults::killing_prometheus_loses_no_sample,
    grafana::its_state_survives_a_new_container,
    faults::exporters_end_within_two_seconds,
    faults::the_platform_runs_without_its_monitoring,
    storage::samples_older_than_the_retention_are_removed,
    storage::a_full_disk_refuses_samples_and_answers_queries,
    pages::targets_and_alerts_can_be_looked_at,
];

/// What `E2E_FULL=1` adds: it takes half an hour, and 4 GB more for Trino.
const FULL: &[Step] = steps![
    provoke::what_an_operator_fears_alerts_and_resolves,
    provoke::what_stops_airflow_alerts_and_resolves,
    airflow::what_airflow_suffers_from_alerts_and_resolves,
    broken::monitoring_that_does_not_work_alerts_and_resolves,
    databases::what_databases_do_rarely_alerts_and_resolves,
    seaweedfs::what_a_larger_seaweedfs_fears_alerts_and_resolves,
    hosts::what_happens_to_a_host_alerts_and_resolves,
    monitoring::what_happens_to_the_monitoring_alerts_and_resolves,
    secured::prometheus_scrapes_exporters_over_tls,
    faults::an_outage_of_prometheus_leaves_a_gap_and_no_false_alert,
    faults::what_was_saved_can_be_brought_back,
    live::trino_is_scraped_where_its_profile_is_on,
    trino::its_rules_ask_for_what_it_shows,
    trino::queries_that_fail_alert_and_resolve,
    trino::a_trino_of_two_that_admits_nobody_alerts_and_resolves,
    grafana::the_trino_dashboard_shows_data_in_a_browser,
];

const OF_GRAFANA: [&str; 6] = [
    "everything_is_there_from_the_first_start",
    "the_overview_answers_through_it",
    "each_dashboard_shows_data_in_a_browser",
    "it_shows_the_alert_that_fires",
    "its_state_survives_a_new_container",
    "the_trino_dashboard_shows_data_in_a_browser",
];

const IN_A_BROWSER: [&str; 4] = [
    "each_dashboard_shows_data_in_a_browser",
    "it_shows_the_alert_that_fires",
    "the_trino_dashboard_shows_data_in_a_browser",
    "targets_and_alerts_can_be_looked_at",
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let full = std::env::var_os("E2E_FULL").map_or(&[][..], |_set| FULL);
    let trials = STEPS
        .iter()
        .chain(full)
        .map(|(name, step)| {
            Trial::test(*name, || run(name, *step)).with_ignored_flag(!can_run(name))
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list && std::env::var_os("E2E_KEEP").is_none() {
        stack::remove();
    }
    conclusion.exit_code()
}

/// Without an image of Grafana, a browser, or a Prometheus with pages, the steps which need it are counted
/// as ignored.
fn can_run(name: &str) -> bool {
    let grafana = !OF_GRAFANA.contains(&name) || stack::has_grafana();
    let browser = !IN_A_BROWSER.contains(&name) || Browser::is_there();
    let pages = name != "targets_and_alerts_can_be_looked_at" || pages::is_there();
    grafana && browser && pages
}

/// The first step has to succeed before another one is worth trying.
fn run(name: &str, step: fn() -> Result<()>) -> Result<(), Failed> {
    let ready = || -> Result<()> {
        ensure!(name == STEPS[0].0 || stack::is_up(), "the platform is not up");
        Ok(())
    };
    ready().and_then(|()| step()).map_err(|error| Failed::from(format!("{error:#}")))
}
