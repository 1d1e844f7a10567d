//! What an operator fears, one thing after the other: done to the live platform, seen to alert in
//! Prometheus and to arrive in Alertmanager, undone, seen to resolve.
//!
//! The rules of the programs run as a copy with short windows, so that this takes minutes; the five of
//! the lakehouse are not touched (`alerts.rs`).

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{eventually_within, get, promql, rules};
use serde_json::Value;

use crate::{
    harm,
    stack::{self, PREFIX, PROMETHEUS},
};

/// What is written as the left is read as the right, in this order.
const SHORTER: [(&str, &str); 11] = [
    ("[2m]", "[1m]"),
    ("[5m]", "[1m]"),
    ("[10m]", "[1m]"),
    ("[15m]", "[1m]"),
    ("[30m]", "[2m]"),
    ("[1h]", "[2m]"),
    ("offset 10m", "offset 1m"),
    ("offset 15m", "offset 1m"),
    ("offset 1h", "offset 2m"),
    ("> 300\n", "> 20\n"),
    ("> 300000\n", "> 500\n"),
];

/// Where the copy stands.
pub(crate) fn rules_folder() -> PathBuf {
    std::env::temp_dir().join(format!("{PREFIX}-rules"))
}

/// Writes the copy of the programs' rules.
pub(crate) fn shorten_rules() -> Result<()> {
    shorten_rules_to(&rules_folder(), &[])
}

/// Writes a copy of them to another folder, where `own` comes before what all copies have.
pub(crate) fn shorten_rules_to(folder: &Path, own: &[(&str, &str)]) -> Result<()> {
    fs::create_dir_all(folder)?;
    for path in rules::files()? {
        let name = path.file_name().context("a name")?;
        if name == "lakehouse.yml" {
            continue;
        }
        let mut text = fs::read_to_string(&path)?;
        for (long, short) in own.iter().chain(&SHORTER) {
            text = text.replace(long, short);
        }
        if name == "trino.yml" {
            // It is scraped half as often.
            text = text.replace("[1m]", "[2m]");
        }
        let lines: Vec<&str> = text
            .lines()
            .map(|line| match line.trim_start().strip_prefix("for: ") {
                Some("0m") | None => line,
                Some(_) => "        for: 15s",
            })
            .collect();
        fs::write(folder.join(name), lines.join("\n") + "\n")?;
    }
    Ok(())
}

/// A scrape, two evaluations, a window of a minute, and time for a busy machine, twice.
const LIMIT: Duration = Duration::from_mins(5);

/// After which what is over by itself is done again.
const AGAIN: Duration = Duration::from_secs(45);

/// Something that can be done to the platform, or to what stands beside it, and undone.
pub(crate) struct Fear {
    alert: &'static str,
    /// None where the one before it provokes this one as well.
    provoke: Option<fn() -> Result<()>>,
    /// None where it is over by itself, once it has left the window.
    undo: Option<fn() -> Result<()>>,
}

/// Goes on until it is undone.
pub(crate) const fn lasting(
    alert: &'static str,
    provoke: fn() -> Result<()>,
    undo: fn() -> Result<()>,
) -> Fear {
    Fear { alert, provoke: Some(provoke), undo: Some(undo) }
}

/// Is over by itself.
pub(crate) const fn passing(alert: &'static str, provoke: fn() -> Result<()>) -> Fear {
    Fear { alert, provoke: Some(provoke), undo: None }
}

/// Comes with the one before it.
pub(crate) const fn as_well(alert: &'static str) -> Fear {
    Fear { alert, provoke: None, undo: None }
}

/// What lasts comes before what is over after a minute.
const AT_ONCE: &[Fear] = &[
    lasting("SeaweedFSNoHeartbeats", harm::cut_off_the_volume_server, harm::let_it_answer),
    as_well("ServiceDown"),
    lasting("PostgresLongTransaction", harm::run_long, harm::end_sessions),
    lasting("PostgresIdleInTransaction", harm::idle_in_transaction, harm::end_sessions),
    lasting("PostgresRollbackRatioHigh", harm::roll_back, harm::end_sessions),
    lasting("PostgresLockTableFillsUp", harm::take_many_locks, harm::end_sessions),
    lasting("PostgresDeadRowsHigh", harm::leave_dead_rows, harm::drop_dead_rows),
    lasting("PostgresReplicationSlotInactive", harm::make_a_slot, harm::drop_the_slot),
    lasting("ValkeyConnectionsHigh", harm::allow_few_clients, harm::allow_many_clients),
    lasting("ValkeySlowCommands", harm::log_every_command, harm::log_slow_commands),
    passing("ValkeyReplicaLost", harm::lose_a_replica),
    lasting("ValkeyPersistenceFailing", harm::forbid_saving, harm::allow_saving),
    passing("ValkeyConnectionsRejected", harm::come_in_vain),
    passing("ValkeyErrorRepliesHigh", harm::ask_for_nothing),
    passing("ValkeyHitRatioLow", harm::ask_for_nothing),
    passing("PostgresCheckpointsTooFrequent", harm::ask_for_checkpoints),
    passing("PostgresDeadlocks", harm::deadlock),
    passing("StatsdDatagramsDropped", harm::flood),
    passing("StatsdSamplesRefused", harm::send_nonsense),
    passing("StatsdTypeConflict", harm::send_two_types),
];

/// What stops Airflow, piece by piece. Its tasks are stuck only as long as its scheduler queues some and
/// says so, and it does nothing without connections: that order, and back in the other one.
const AIRFLOW_STOPS: &[Fear] = &[
    lasting("AirflowTasksStuckInQueue", harm::pause_the_worker, harm::start_the_worker),
    lasting("AirflowSchedulerDown", harm::pause_the_scheduler, harm::start_the_scheduler),
    lasting("AirflowDagProcessorDown", harm::pause_the_processor, harm::start_the_processor),
    lasting(
        "PostgresConnectionsExhausted",
        harm::take_all_connections,
        harm::give_connections_back,
    ),
    as_well("StatsdSilent"),
    lasting("SeaweedFSVolumesReadOnlyDiskFull", harm::fill_the_disk, harm::free_the_disk),
    lasting("ValkeyMemoryCritical", harm::allow_little_memory, harm::allow_more_memory),
];

/// What has fired in a Prometheus and what has arrived since the first look.
struct Seen<'a> {
    prometheus: &'a str,
    firing: BTreeSet<String>,
    arrived: BTreeSet<String>,
}

impl<'a> Seen<'a> {
    const fn of(prometheus: &'a str) -> Self {
        Self { prometheus, firing: BTreeSet::new(), arrived: BTreeSet::new() }
    }

    fn look(&mut self) -> Result<()> {
        let firing = r#"ALERTS{alertstate="firing"}"#;
        for (mut labels, _) in stack::query_at(self.prometheus, firing)? {
            self.firing.extend(labels.remove("alertname"));
        }
        self.arrived.extend(stack::alertmanager()?);
        Ok(())
    }

    fn missing<'b>(&self, fears: &'b [Fear]) -> Vec<&'b Fear> {
        let both = |alert: &str| self.firing.contains(alert) && self.arrived.contains(alert);
        fears.iter().filter(|fear| !both(fear.alert)).collect()
    }

    /// What keeps this from being the whole list.
    fn why(&self, fear: &Fear) -> Result<String> {
        let what =
            if self.firing.contains(fear.alert) { "has not arrived" } else { "does not fire" };
        let rules = rules::alerts()?;
        let rule = rules.iter().find(|rule| rule.name == fear.alert).context("a rule")?;
        let mut known = Vec::new();
        for name in promql::series(&rule.expression)? {
            let values = stack::query_at(self.prometheus, &name)?
                .into_iter()
                .map(|(_, value)| value)
                .take(8);
            known.push(format!("{name} {:?}", values.collect::<Vec<_>>()));
        }
        Ok(format!("{} {what}: {}", fear.alert, known.join(", ")))
    }
}

/// Nothing of what an earlier step has done is left.
fn wait_until_whole(prometheus: &str, fears: &[Fear]) -> Result<()> {
    eventually_within(LIMIT, "all targets are up", || {
        let targets = get(&format!("{prometheus}/api/v1/targets?state=active"))?.body;
        let targets: Value = serde_json::from_str(&targets)?;
        let targets = targets["data"]["activeTargets"].as_array().context("targets")?;
        let down = targets.iter().filter(|target| target["health"] != "up").count();
        ensure!(!targets.is_empty() && down == 0, "{down} of {} are down", targets.len());
        Ok(())
    })?;
    wait_until_silent(prometheus, fears)
}

fn wait_until_silent(prometheus: &str, fears: &[Fear]) -> Result<()> {
    let silent = |fear: &Fear| stack::wait_for_silence_at(prometheus, fear.alert, LIMIT);
    fears.iter().try_for_each(silent)
}

fn provoke(fear: &Fear) -> Result<()> {
    let Some(provoke) = fear.provoke else { return Ok(()) };
    provoke().with_context(|| format!("cannot provoke {}", fear.alert))
}

/// All at once: some are over before others begin. What does not come is done again.
#[expect(clippy::disallowed_methods, reason = "a test does again what is over after a while")]
fn provoke_all(prometheus: &str, fears: &[Fear]) -> Result<()> {
    let mut seen = Seen::of(prometheus);
    for fear in fears {
        provoke(fear)?;
        seen.look()?;
    }
    let mut last = Instant::now();
    let all = eventually_within(LIMIT, "all of them fire and arrive", || {
        seen.look()?;
        let missing = seen.missing(fears);
        if missing.is_empty() {
            return Ok(());
        }
        if last.elapsed() > AGAIN {
            last = Instant::now();
            missing.iter().try_for_each(|fear| provoke(fear))?;
        }
        bail!("{} are missing", missing.len())
    });
    if all.is_err() {
        let why: Vec<String> =
            seen.missing(fears).into_iter().map(|fear| seen.why(fear)).collect::<Result<_>>()?;
        return all.context(why.join("; "));
    }
    all
}

/// Asks `prometheus`, which sends to the platform's Alertmanager.
pub(crate) fn provoke_and_undo(prometheus: &str, fears: &[Fear]) -> Result<()> {
    wait_until_whole(prometheus, fears)?;
    let seen = provoke_all(prometheus, fears);
    // All of it, whatever was seen: the steps after this one need a whole platform.
    let mut undone = Ok(());
    for fear in fears.iter().rev() {
        if let Some(undo) = fear.undo {
            undone = undone.and(undo().with_context(|| format!("cannot undo {}", fear.alert)));
        }
    }
    seen.and(undone)?;
    wait_until_silent(prometheus, fears)
}

pub(crate) fn what_an_operator_fears_alerts_and_resolves() -> Result<()> {
    provoke_and_undo(PROMETHEUS, AT_ONCE)
}

pub(crate) fn what_stops_airflow_alerts_and_resolves() -> Result<()> {
    provoke_and_undo(PROMETHEUS, AIRFLOW_STOPS)
}
