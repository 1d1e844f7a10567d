//! Health: what is checked, and what `/health`, `/health/live` and `/health/ready` say of it.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde::Serialize;

/// What depends on a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The process cannot do its job while this fails: `/health/live` is 503.
    Liveness,
    /// `/health/ready` is 503 until this has succeeded once.
    Readiness,
    /// Nothing but `/health` itself: what is watched is not well, the process is.
    Report,
}

/// All checks of a process. Cloning gives another handle on the same checks.
///
/// Its lock is held for a few instructions only, never across an `await`.
#[derive(Clone)]
pub struct Health {
    started: Instant,
    checks: Arc<Mutex<Checks>>,
}

#[derive(Debug, Default)]
struct Checks {
    /// By number, which is the order of registration. A number is given once, so that the handle of a
    /// check which was withdrawn reaches no other.
    states: BTreeMap<u64, State>,
    next: u64,
}

#[derive(Clone, Debug)]
struct State {
    name: Cow<'static, str>,
    role: Role,
    ok: bool,
    latency: Duration,
    reason: Option<String>,
    last_success: Option<SystemTime>,
}

/// The handle by which an exporter reports the outcome of one check.
#[derive(Clone)]
pub struct Check {
    number: u64,
    checks: Arc<Mutex<Checks>>,
}

/// The body of `/health`.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `ok`, or `failing` where a check fails.
    pub status: &'static str,
    /// The exporter's version.
    pub version: &'static str,
    /// Seconds since the process started.
    pub uptime_seconds: f64,
    /// One entry a check, in the order of registration.
    pub checks: Vec<CheckReport>,
}

/// One check of a [`Report`].
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// The check's noun, for example `postgres`.
    pub name: Cow<'static, str>,
    /// `ok`, `failing`, or `pending` before the first outcome.
    pub status: &'static str,
    /// How long the last attempt took.
    pub latency_seconds: f64,
    /// Why it fails; no secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Unix time of the last success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success_seconds: Option<f64>,
}

impl Health {
    /// No checks yet; `started` is when the process began.
    #[must_use]
    pub fn new(started: Instant) -> Self {
        Self { started, checks: Arc::default() }
    }

    /// Registers a check, which is pending until its first outcome.
    #[must_use]
    pub fn check(&self, name: impl Into<Cow<'static, str>>, role: Role) -> Check {
        let state = State {
            name: name.into(),
            role,
            ok: false,
            latency: Duration::ZERO,
            reason: None,
            last_success: None,
        };
        let mut checks = lock(&self.checks);
        let number = checks.next;
        checks.next += 1;
        checks.states.insert(number, state);
        Check { number, checks: Arc::clone(&self.checks) }
    }

    /// Whether no liveness check has failed.
    #[must_use]
    pub fn is_live(&self) -> bool {
        lock(&self.checks)
            .states
            .values()
            .filter(|check| check.role == Role::Liveness)
            .all(|check| check.ok || check.is_pending())
    }

    /// Whether every check has succeeded once, but for those that are only reported.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let checks = lock(&self.checks);
        let mut wanted = checks.states.values().filter(|check| check.role != Role::Report);
        wanted.all(|check| check.last_success.is_some())
    }

    /// Everything, for people and for `/health`.
    #[must_use]
    pub fn report(&self, version: &'static str, now: Instant) -> Report {
        let checks: Vec<_> = lock(&self.checks).states.values().map(State::report).collect();
        let failing = checks.iter().any(|check| check.status == "failing");
        Report {
            status: if failing { "failing" } else { "ok" },
            version,
            uptime_seconds: now.saturating_duration_since(self.started).as_secs_f64(),
            checks,
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(lock(&self.checks).states.values()).finish()
    }
}

impl State {
    fn is_pending(&self) -> bool {
        self.last_success.is_none() && self.reason.is_none()
    }

    fn report(&self) -> CheckReport {
        let status = match (self.ok, self.is_pending()) {
            (true, _) => "ok",
            (false, true) => "pending",
            (false, false) => "failing",
        };
        let since_epoch = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        CheckReport {
            name: self.name.clone(),
            status,
            latency_seconds: self.latency.as_secs_f64(),
            reason: self.reason.clone(),
            last_success_seconds: self
                .last_success
                .and_then(since_epoch)
                .map(|since| since.as_secs_f64()),
        }
    }
}

impl Check {
    /// The check succeeded at `now`, after `latency`.
    pub fn succeeded(&self, now: SystemTime, latency: Duration) {
        self.update(|state| {
            state.ok = true;
            state.latency = latency;
            state.reason = None;
            state.last_success = Some(now);
        });
    }

    /// The check failed; `reason` is shown to whoever asks and must hold no secret.
    pub fn failed(&self, reason: impl Into<String>, latency: Duration) {
        let reason = reason.into();
        self.update(|state| {
            state.ok = false;
            state.latency = latency;
            state.reason = Some(reason);
        });
    }

    /// Nobody checks this any more, and nobody is told of it.
    pub fn withdraw(&self) {
        lock(&self.checks).states.remove(&self.number);
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        if let Some(state) = lock(&self.checks).states.get_mut(&self.number) {
            change(state);
        }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&lock(&self.checks).states.get(&self.number)).finish()
    }
}

/// Checks are plain values: a panic elsewhere leaves none half written.
fn lock(checks: &Mutex<Checks>) -> MutexGuard<'_, Checks> {
    checks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    use super::{Health, Role};

    #[expect(clippy::disallowed_methods, reason = "a test starts its own clock")]
    fn health() -> (Health, Instant) {
        let now = Instant::now();
        (Health::new(now), now)
    }

    #[test]
    fn a_reported_check_touches_the_report_alone_and_can_be_withdrawn() {
        let (health, now) = health();
        let orders = health.check(String::from("orders"), Role::Report);
        assert!(health.is_ready() && health.is_live());
        orders.failed("the newest data is 9 s old", Duration::ZERO);
        assert!(health.is_ready() && health.is_live());
        assert_eq!(health.report("1", now).status, "failing");
        orders.withdraw();
        let report = health.report("1", now);
        assert_eq!((report.status, report.checks.len()), ("ok", 0));
        // Whoever still checks it reaches no other check.
        let later = health.check("later", Role::Report);
        orders.failed("late", Duration::ZERO);
        later.succeeded(SystemTime::UNIX_EPOCH, Duration::ZERO);
        assert_eq!(health.report("1", now).status, "ok");
    }

    #[test]
    fn ready_is_a_latch_and_live_follows_its_checks() {
        let (health, now) = health();
        let database = health.check("postgres", Role::Readiness);
        let ingest = health.check("ingest", Role::Liveness);
        assert!(health.is_live(), "pending is not dead");
        assert!(!health.is_ready());

        database.succeeded(SystemTime::UNIX_EPOCH, Duration::from_millis(2));
        ingest.succeeded(SystemTime::UNIX_EPOCH, Duration::ZERO);
        assert!(health.is_ready());

        database.failed("connection refused", Duration::from_millis(1));
        assert!(health.is_ready(), "ready never becomes unready");
        assert!(health.is_live(), "a database that is down does not kill its exporter");

        ingest.failed("thread died", Duration::ZERO);
        assert!(!health.is_live());

        let report = health.report("1.2.3", now + Duration::from_secs(3));
        let json = serde_json::to_string(&report).expect("plain values");
        assert_eq!(
            json,
            r#"{"status":"failing","version":"1.2.3","uptime_seconds":3.0,"checks":[{"name":"postgres","status":"failing","latency_seconds":0.001,"reason":"connection refused","last_success_seconds":0.0},{"name":"ingest","status":"failing","latency_seconds":0.0,"reason":"thread died","last_success_seconds":0.0}]}"#
        );
    }
}
