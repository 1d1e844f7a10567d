//! The platform as a whole: brought up by `deploy/up` beside one that may run, provoked, and removed.
//!
//! The steps run in the order of [`STEPS`], each on what the ones before it left. `E2E_KEEP=1` leaves
//! the platform running afterwards.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use libtest_mimic::{Arguments, Failed, Trial};

mod alerts;
mod faults;
mod live;
mod provoke;
mod series;
mod stack;
mod storage;

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
    alerts::the_first_task_that_fails_alerts,
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
    series::every_series_of_a_dashboard_is_there_or_said_to_be_missing,
    series::rates_are_taken_of_counters,
    series::the_runbooks_of_the_five_can_be_followed,
    provoke::what_an_operator_fears_alerts_and_resolves,
    faults::airflow_works_while_statsd_exporter_is_down,
    faults::killing_prometheus_loses_no_sample,
    faults::exporters_end_within_two_seconds,
    faults::the_platform_runs_without_its_monitoring,
    storage::samples_older_than_the_retention_are_removed,
    storage::a_full_disk_refuses_samples_and_answers_queries,
];

/// What `E2E_FULL=1` adds: it takes longer, and needs 4 GB more.
const FULL: &[Step] = steps![
    provoke::what_takes_longer_alerts_and_resolves,
    live::trino_is_scraped_where_its_profile_is_on,
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let full = std::env::var_os("E2E_FULL").map_or(&[][..], |_set| FULL);
    let trials = STEPS
        .iter()
        .chain(full)
        .map(|(name, step)| Trial::test(*name, || run(name, *step)))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list && std::env::var_os("E2E_KEEP").is_none() {
        stack::remove();
    }
    conclusion.exit_code()
}

/// The first step has to succeed before another one is worth trying.
fn run(name: &str, step: fn() -> Result<()>) -> Result<(), Failed> {
    let ready = || -> Result<()> {
        ensure!(name == STEPS[0].0 || stack::is_up(), "the platform is not up");
        Ok(())
    };
    ready().and_then(|()| step()).map_err(|error| Failed::from(format!("{error:#}")))
}
