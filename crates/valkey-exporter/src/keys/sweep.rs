//! When passes are made, and what a scrape shows of them.
//!
//! A pass is a task. A scrape starts one and waits for it; if it needs more than a scrape has, it goes
//! on in the background at the pace that the flags set, and scrapes show what the last one found.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinHandle, time::timeout_at};
use tracing::{debug, warn};

use super::{
    Keys,
    findings::Findings,
    pace::Debt,
    pass::{Pass, Phase, Plan},
    servers::Servers,
};
use crate::{command::Failure, node::Node};

/// Servers and lists of keys that are remembered.
const SWEEPS_MAX: usize = 4_096;

/// How long one is that no scrape asks for: it holds a connection.
const UNUSED_MAX: Duration = Duration::from_mins(10);

/// The sweeps of all servers, by server and list of keys.
#[derive(Debug, Default)]
pub(super) struct Sweeps(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    sweeps: BTreeMap<String, Arc<Sweep>>,
    /// When those were dropped which no scrape asks for.
    cleared: Option<Instant>,
}

/// The passes over one list of keys of one server.
#[derive(Debug, Default)]
pub(super) struct Sweep(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The pass under way.
    running: Option<(JoinHandle<()>, watch::Receiver<Phase>)>,
    /// The connection of the last pass.
    servers: Option<Servers>,
    started: Option<Instant>,
    last: Option<Last>,
    /// The last pass was more than a scrape could wait for.
    slow: bool,
    passes: u64,
    failures: u64,
    /// The last pass came to no end.
    failing: bool,
    used: Option<Instant>,
}

/// The last pass that came to its end.
#[derive(Clone, Debug)]
struct Last {
    findings: Arc<Findings>,
    finished: Instant,
    took: Duration,
    visited: u64,
    refused: u64,
}

/// What a scrape shows.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) findings: Option<Arc<Findings>>,
    /// Since they were found.
    pub(super) age: Option<Duration>,
    pub(super) took: Option<Duration>,
    pub(super) visited: Option<u64>,
    pub(super) refused: Option<u64>,
    pub(super) running: bool,
    pub(super) passes: u64,
    pub(super) failures: u64,
}

impl Sweeps {
    /// The sweep of this name. Those which were not asked for longest make room.
    pub(super) fn get(&self, name: &str, now: Instant) -> Arc<Sweep> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.cleared.is_none_or(|cleared| now.saturating_duration_since(cleared) > UNUSED_MAX) {
            all.cleared = Some(now);
            all.sweeps.retain(|_, sweep| sweep.is_wanted(now));
        }
        let sweeps = &mut all.sweeps;
        if !sweeps.contains_key(name) && sweeps.len() >= SWEEPS_MAX {
            let oldest = sweeps.iter().min_by_key(|(_, sweep)| sweep.state().used);
            if let Some(name) = oldest.map(|(name, _)| name.clone())
                && let Some(sweep) = sweeps.remove(&name)
            {
                sweep.stop();
            }
        }
        let sweep = sweeps.entry(name.to_owned()).or_default();
        sweep.state().used = Some(now);
        Arc::clone(sweep)
    }
}

impl Sweep {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_wanted(&self, now: Instant) -> bool {
        let state = self.state();
        let used = state.used.is_some_and(|used| now.saturating_duration_since(used) <= UNUSED_MAX);
        used || state.running.is_some()
    }

    fn stop(&self) {
        if let Some((task, _)) = self.state().running.take() {
            task.abort();
        }
    }

    /// Starts a pass if one is due, and waits for it as long as a scrape can.
    pub(super) async fn visit(
        self: &Arc<Self>,
        plan: Plan,
        keys: &Arc<Keys>,
        node: &Arc<Node>,
        now: Instant,
        deadline: Instant,
    ) -> Report {
        let phase = self.start_if_due(plan, keys, node, now, deadline);
        if let Some(mut phase) = phase {
            // Out of time, or the task has ended: what is there is shown.
            let _waited =
                timeout_at(deadline.into(), phase.wait_for(|phase| *phase != Phase::Fast)).await;
        }
        self.report(now)
    }

    fn start_if_due(
        self: &Arc<Self>,
        plan: Plan,
        keys: &Arc<Keys>,
        node: &Arc<Node>,
        now: Instant,
        deadline: Instant,
    ) -> Option<watch::Receiver<Phase>> {
        let mut state = self.state();
        if let Some((_, phase)) = &state.running {
            return Some(phase.clone());
        }
        let background = plan.spec.scans() && (keys.background || state.slow);
        let rested = state.started.is_none_or(|start| now.duration_since(start) >= keys.interval);
        if background && !rested {
            return None;
        }
        state.started = Some(now);
        let first = if background { Phase::Slow } else { Phase::Fast };
        let (sender, receiver) = watch::channel(first);
        let run = Run {
            sweep: Arc::clone(self),
            keys: Arc::clone(keys),
            node: Arc::clone(node),
            plan,
            servers: state.servers.take(),
            phase: sender,
            start: now,
            fast_until: deadline,
        };
        let task = tokio::spawn(run.run());
        state.running = Some((task, receiver.clone()));
        Some(receiver)
    }

    fn finish(&self, last: Result<(Last, Servers), Failure>, slow: bool, keys: &Keys) {
        let mut state = self.state();
        state.running = None;
        match last {
            Ok((last, servers)) => {
                // Where keys have become few again, scrapes wait for them again.
                state.slow = slow && last.visited > keys.bounds.scrape_max;
                state.passes += 1;
                state.failing = false;
                state.servers = (!servers.cluster).then_some(servers);
                state.last = Some(last);
            }
            Err(failure) => {
                // Told once, until it works again.
                if state.failing {
                    debug!(error = %failure, "cannot look at keys");
                } else {
                    warn!(error = %failure, "cannot look at keys");
                }
                state.failing = true;
                state.failures += 1;
                if !slow {
                    // What a scrape shows is of this scrape.
                    state.last = None;
                }
            }
        }
    }

    fn report(&self, now: Instant) -> Report {
        let state = self.state();
        let last = state.last.as_ref();
        Report {
            findings: last.map(|last| Arc::clone(&last.findings)),
            age: last.map(|last| now.saturating_duration_since(last.finished)),
            took: last.map(|last| last.took),
            visited: last.map(|last| last.visited),
            refused: last.map(|last| last.refused),
            running: state.running.is_some(),
            passes: state.passes,
            failures: state.failures,
        }
    }
}

/// A pass as a task.
struct Run {
    sweep: Arc<Sweep>,
    keys: Arc<Keys>,
    node: Arc<Node>,
    plan: Plan,
    servers: Option<Servers>,
    phase: watch::Sender<Phase>,
    start: Instant,
    fast_until: Instant,
}

impl Run {
    async fn run(self) {
        let Self { sweep, keys, node, plan, servers, phase, start, fast_until } = self;
        let mut servers = servers;
        let outcome = loop {
            // A kept connection may have broken since: then once more on a new one.
            let again = servers.is_some();
            let outcome =
                pass(&keys, &node, plan.clone(), servers.take(), phase.clone(), fast_until).await;
            if !(again && matches!(outcome, Err(Failure::Broken(_)))) {
                break outcome;
            }
        };
        let slow = *phase.borrow() == Phase::Slow;
        let outcome = outcome.map(|(findings, pass)| {
            #[expect(clippy::disallowed_methods, reason = "a pass is stamped")]
            let finished = Instant::now();
            let took = finished.saturating_duration_since(start);
            let Pass { visited, refused, servers, .. } = pass;
            let findings = Arc::new(findings);
            (Last { findings, finished, took, visited, refused }, servers)
        });
        sweep.finish(outcome, slow, &keys);
        phase.send_replace(Phase::Done);
    }
}

/// What a pass found, and the pass at its end.
async fn pass(
    keys: &Arc<Keys>,
    node: &Arc<Node>,
    plan: Plan,
    servers: Option<Servers>,
    phase: watch::Sender<Phase>,
    fast_until: Instant,
) -> Result<(Findings, Pass), Failure> {
    let servers = if let Some(servers) = servers {
        servers
    } else {
        #[expect(clippy::disallowed_methods, reason = "connecting has a deadline")]
        let deadline = Instant::now() + keys.bounds.batch_time;
        Servers::open(node, keys.cluster, deadline).await?
    };
    let (keys, node) = (Arc::clone(keys), Arc::clone(node));
    let debt = Debt::default();
    let mut pass =
        Pass { plan, keys, node, servers, phase, fast_until, visited: 0, refused: 0, debt };
    let findings = pass.run().await?;
    Ok((findings, pass))
}
