//! Running queries: with scrapes, from a cache, or in the background; and new files in their place.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use metrics_server::{Check, Desc, Health, Page, Role};
use tokio::{
    runtime::Handle,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};
use tracing::{debug, error, info, warn};

use super::{
    Accumulator, Freshness, Query,
    ask::{Outcome, Run, ask},
    load::{Loaded, Paths, Set},
};
use crate::{instance::Instance, target::Target};

/// Time for one run in the background, however rare it is.
const BACKGROUND_LIMIT: Duration = Duration::from_mins(1);
/// Time for one run in the background, however frequent it is.
const BACKGROUND_LIMIT_MIN: Duration = Duration::from_secs(5);

const SUCCESS: Desc<'static> =
    Desc::gauge("pg_queries_success", "Whether the query's latest run succeeded in all databases.");
const DURATION: Desc<'static> =
    Desc::gauge("pg_queries_duration_seconds", "Duration of the query's latest run.");
const ROWS: Desc<'static> =
    Desc::gauge("pg_queries_rows", "Rows of the query's latest answer which were read.");
const SERIES: Desc<'static> =
    Desc::gauge("pg_queries_series", "Series which the query's latest answer became.");
const AGE: Desc<'static> = Desc::gauge(
    "pg_queries_age_seconds",
    "Age of the answer of a query which is cached or asked in the background.",
);
const SKIPPED: Desc<'static> =
    Desc::gauge("pg_queries_skipped", "Queries which this server has nothing for, by reason.");
const DROPPED: Desc<'static> = Desc::gauge(
    "pg_queries_dropped",
    "What the query's latest answer lost on the way to series, by reason.",
);
const LOADED: Desc<'static> =
    Desc::gauge("pg_queries_loaded", "Queries which were read from files.");
const RELOAD: Desc<'static> = Desc::gauge(
    "pg_queries_config_last_reload_successful",
    "Whether the files of queries could be used when they were last read.",
);
const RELOADED: Desc<'static> = Desc::gauge(
    "pg_queries_config_last_reload_success_timestamp_seconds",
    "When the files of queries were last read with success.",
);
const LOAD_ERROR: Desc<'static> = Desc::gauge(
    "pg_exporter_user_queries_load_error",
    "Whether the user queries file was loaded and parsed successfully (1 for error, 0 for success).",
);

/// A tag which every server that `/probe` asks has, and no other, since `--queries.tag` refuses it:
/// `tags: [probe]` and `tags: [not:probe]` of a query choose.
pub const PROBE_TAG: &str = "probe";

/// The queries of all files, at work. Cloning gives another handle on the same ones.
///
/// Its locks are held for a few instructions only, never across an `await`, and none within the other.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    /// What was asked of a server of `/probe`; `None` for those of the environment.
    probed: Option<Arc<Mutex<Probed>>>,
}

/// Answers of one probed server, for as long as that is remembered.
#[derive(Default)]
struct Probed {
    /// The queries that were asked.
    set: Arc<Set>,
    answers: BTreeMap<String, Kept>,
}

struct Inner {
    paths: Paths,
    /// Queries of collectors that run in the background, on the first server.
    ours: Vec<Loaded>,
    run: Run,
    /// The same for servers of `/probe`.
    run_probed: Run,
    targets: Vec<Arc<Target>>,
    health: Health,
    runtime: Handle,
    state: Mutex<State>,
}

/// What changes.
struct State {
    set: Arc<Set>,
    answers: BTreeMap<Key, Kept>,
    /// Background runs of the queries in `set`; they end with it.
    background: JoinSet<()>,
    checks: BTreeMap<String, Check>,
    reload_failed: bool,
    reloaded_seconds: f64,
}

/// A query's name and the index of a server.
type Key = (String, usize);

/// An answer which may be served again.
#[derive(Clone)]
struct Kept {
    at: Instant,
    outcome: Arc<Outcome>,
}

impl Kept {
    /// A failure is told to the log, so no lock may be held here.
    fn new(query: &Query, server: &str, at: Instant, outcome: Outcome) -> Self {
        if let Some(failure) = &outcome.failure {
            warn!(query = query.name, target = server, error = failure, "query failed");
        }
        Self { at, outcome: Arc::new(outcome) }
    }
}

/// What a scrape does about a query.
enum Plan {
    /// This answer is shown.
    Serve(Kept),
    /// The server is asked. The query took this long when it failed last, else none: where one
    /// connection has to answer several, those that may take all its time come last.
    Ask(Duration),
    /// Nothing is shown.
    Leave,
}

impl Query {
    /// How long this outcome on a probed server is served again. A failure is as well where the query
    /// has a `schedule`: it would not be asked more often in the background.
    fn kept_probed_for(&self, outcome: &Outcome) -> Duration {
        let ttl = if outcome.failure.is_none() { self.ttl } else { Duration::ZERO };
        ttl.max(self.schedule.unwrap_or_default())
    }
}

impl Probed {
    /// The answers to the queries of `set`; those to others are forgotten.
    fn of(&mut self, set: &Arc<Set>) -> &mut BTreeMap<String, Kept> {
        if !Arc::ptr_eq(&self.set, set) {
            self.set = Arc::clone(set);
            self.answers.clear();
        }
        &mut self.answers
    }

    fn kept(&mut self, set: &Arc<Set>, query: &str) -> Option<Kept> {
        self.of(set).get(query).cloned()
    }

    /// Remembers an answer if it may be served again.
    fn keep(&mut self, set: &Arc<Set>, query: &Query, kept: &Kept) {
        if !query.kept_probed_for(&kept.outcome).is_zero() {
            self.of(set).insert(query.name.clone(), kept.clone());
        }
    }
}

impl Engine {
    /// Reads the files and begins background runs, those of `ours` as well; `None` where there is
    /// neither. Has to be called within a runtime.
    ///
    /// # Errors
    ///
    /// A file cannot be used.
    pub fn start(
        paths: Paths,
        ours: Vec<Loaded>,
        run: Run,
        targets: Vec<Arc<Target>>,
        health: Health,
    ) -> anyhow::Result<Option<Self>> {
        if paths.is_empty() && ours.is_empty() {
            return Ok(None);
        }
        let set = paths.load()?;
        info!(queries = set.queries.len(), files = set.files, "queries loaded");
        let state = State {
            set: Arc::default(),
            answers: BTreeMap::new(),
            background: JoinSet::new(),
            checks: BTreeMap::new(),
            reload_failed: false,
            reloaded_seconds: 0.0,
        };
        let (runtime, state) = (Handle::current(), Mutex::new(state));
        let mut run_probed = run.clone();
        run_probed.tags.push(PROBE_TAG.to_owned());
        let inner = Inner { paths, ours, run, run_probed, targets, health, runtime, state };
        let inner = Arc::new(inner);
        let engine = Self { inner, probed: None };
        engine.replace(set);
        Ok(Some(engine))
    }

    /// The same queries for one more server, which `/probe` asks. Nothing runs on it in the background:
    /// there an answer is kept for as long as the `schedule` of its query says.
    #[must_use]
    pub fn probing(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), probed: Some(Arc::default()) }
    }

    /// Reads the files again. Where one is wrong, the old queries stay.
    ///
    /// # Errors
    ///
    /// What is wrong with the files, in one line.
    pub fn reload(&self) -> Result<(), String> {
        match self.inner.paths.load() {
            Ok(set) => {
                info!(queries = set.queries.len(), files = set.files, "queries loaded again");
                self.replace(set);
                Ok(())
            }
            Err(error) => {
                let reason = format!("{error:#}");
                error!(error = reason, "queries were not loaded again");
                self.inner.state().reload_failed = true;
                Err(reason)
            }
        }
    }

    /// Ends background runs.
    pub fn stop(&self) {
        self.inner.state().background.abort_all();
    }

    fn replace(&self, mut set: Set) {
        set.queries.extend(self.inner.ours.iter().cloned());
        let set = Arc::new(set);
        let mut state = self.inner.state();
        state.checks(&set, &self.inner.health);
        state.set = Arc::clone(&set);
        state.answers.clear();
        state.reload_failed = set.extended.as_ref().is_some_and(|file| file.failed);
        if !state.reload_failed {
            state.reloaded_seconds = unix_seconds();
        }
        // The old set's runs are aborted with their owner.
        state.background = JoinSet::new();
        for (index, target) in self.inner.targets.iter().enumerate() {
            for loaded in &set.queries {
                let Some(every) = loaded.query.schedule else { continue };
                if loaded.query.builtin && index > 0 {
                    continue;
                }
                let (inner, target) = (Arc::clone(&self.inner), Arc::clone(target));
                let loaded = loaded.clone();
                let at_work = async move { background(inner, target, index, loaded, every).await };
                state.background.spawn_on(at_work, &self.inner.runtime);
            }
        }
    }

    /// What one scrape sees of all queries on the server `index`.
    pub async fn collect(&self, index: usize, instance: &Instance, end: Instant) -> Page {
        let inner = &self.inner;
        let set = Arc::clone(&inner.state().set);
        let now = Instant::now();
        let mut answers: BTreeMap<usize, Kept> = BTreeMap::new();
        let mut due = Vec::new();
        for (place, loaded) in set.queries.iter().enumerate() {
            let query = &loaded.query;
            match self.plan(&set, query, index, now) {
                Plan::Serve(kept) => {
                    answers.insert(place, kept);
                }
                Plan::Ask(took) => due.push((took, place, loaded)),
                Plan::Leave => {}
            }
        }
        due.sort_by_key(|(took, ..)| *took);
        let asked: Vec<_> = due.iter().map(|(.., loaded)| *loaded).collect();
        let outcomes = inner.ask(instance, &asked, self.is_probing(), end).await;
        let (at, server) = (Instant::now(), instance.server());
        for ((_, place, loaded), outcome) in due.into_iter().zip(outcomes) {
            let kept = Kept::new(&loaded.query, &server, at, outcome);
            match &self.probed {
                None => inner.keep(&loaded.query, index, &kept),
                Some(probed) => lock(probed).keep(&set, &loaded.query, &kept),
            }
            answers.insert(place, kept);
        }
        self.page(&set, &answers, &server, at)
    }

    /// What a scrape does about a query.
    fn plan(&self, set: &Arc<Set>, query: &Query, index: usize, now: Instant) -> Plan {
        let is_fresh =
            |kept: &Kept| kept.outcome.failure.is_none() && now.duration_since(kept.at) < query.ttl;
        let Some(probed) = &self.probed else {
            return match self.inner.kept(&query.name, index) {
                Some(kept) if query.schedule.is_some() || is_fresh(&kept) => Plan::Serve(kept),
                _ if query.schedule.is_none() => Plan::Ask(Duration::ZERO),
                // Its first run has not ended yet.
                _ => Plan::Leave,
            };
        };
        if query.builtin {
            return Plan::Leave;
        }
        if query.accumulate {
            // Samples are taken in the background.
            let skipped = Outcome { skipped: Some("schedule"), ..Outcome::default() };
            return Plan::Serve(Kept { at: now, outcome: Arc::new(skipped) });
        }
        match lock(probed).kept(set, &query.name) {
            Some(kept) if now.duration_since(kept.at) < query.kept_probed_for(&kept.outcome) => {
                Plan::Serve(kept)
            }
            Some(kept) if kept.outcome.failure.is_some() => Plan::Ask(kept.outcome.elapsed),
            _ => Plan::Ask(Duration::ZERO),
        }
    }

    const fn is_probing(&self) -> bool {
        self.probed.is_some()
    }

    /// The families of all answers, and what became of each query. One which is fatal and has failed
    /// takes all families along.
    fn page(&self, set: &Set, answers: &BTreeMap<usize, Kept>, server: &str, at: Instant) -> Page {
        let mut page = Page::new();
        let mut fatal = false;
        for (place, loaded) in set.queries.iter().enumerate() {
            let Some(kept) = answers.get(&place) else { continue };
            let query = &loaded.query;
            fatal |= query.fatal && kept.outcome.failure.is_some();
            let labels = self.inner.labels(loaded, server, self.is_probing());
            let cached = query.schedule.is_some() || !query.ttl.is_zero();
            let age = cached.then(|| at.saturating_duration_since(kept.at));
            report(query, &kept.outcome, age, &labels, &mut page);
        }
        if !fatal {
            for kept in answers.values() {
                page.merge(kept.outcome.page.clone());
            }
        }
        page
    }

    /// What is known of the files, once a page; `/probe` tells of the old flag's alone, as
    /// `postgres_exporter` does.
    pub fn write_files(&self, page: &mut Page) {
        if self.inner.paths.is_empty() {
            return;
        }
        let state = self.inner.state();
        if !self.is_probing() {
            let loaded = state.set.queries.len() - self.inner.ours.len();
            page.sample(LOADED, &[], loaded as f64);
            page.sample(RELOAD, &[], f64::from(u8::from(!state.reload_failed)));
            page.sample(RELOADED, &[], state.reloaded_seconds);
        }
        if let Some(file) = &state.set.extended {
            let labels = [("filename", file.filename.as_str()), ("hashsum", file.hashsum.as_str())];
            page.sample(LOAD_ERROR, &labels, f64::from(u8::from(file.failed)));
        }
    }
}

impl Inner {
    async fn ask(
        &self,
        instance: &Instance,
        due: &[&Loaded],
        probing: bool,
        end: Instant,
    ) -> Vec<Outcome> {
        let server = instance.server();
        let run = if probing { &self.run_probed } else { &self.run };
        // Those whose series have the labels of the old flag, and the others, are asked together.
        let mut outcomes: Vec<Option<Outcome>> = due.iter().map(|_| None).collect();
        for old in [false, true] {
            let places: Vec<usize> =
                (0..due.len()).filter(|place| due[*place].server == old).collect();
            let Some(first) = places.first() else { continue };
            let labels = self.series_labels(due[*first], &server, instance, probing);
            let asked: Vec<_> =
                places.iter().map(|place| (Arc::clone(&due[*place].query), None)).collect();
            let answered = ask(instance, &asked, &labels, run, end).await;
            for (place, outcome) in places.into_iter().zip(answered) {
                outcomes[place] = Some(outcome);
            }
        }
        outcomes.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// The label which tells servers apart, where that is needed.
    fn labels<'a>(
        &self,
        loaded: &Loaded,
        server: &'a str,
        probing: bool,
    ) -> Vec<(&'a str, &'a str)> {
        let several = self.targets.len() > 1 && !loaded.query.builtin && !probing;
        if loaded.server || several { vec![("server", server)] } else { Vec::new() }
    }

    /// And those of `--constantLabels`, where `postgres_exporter` has them.
    fn series_labels<'a>(
        &self,
        loaded: &Loaded,
        server: &'a str,
        instance: &'a Instance,
        probing: bool,
    ) -> Vec<(&'a str, &'a str)> {
        let mut labels = self.labels(loaded, server, probing);
        if loaded.server {
            let constant = &instance.reading().constant_labels;
            labels.extend(constant.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        }
        labels
    }

    fn kept(&self, query: &str, index: usize) -> Option<Kept> {
        self.state().answers.get(&(query.to_owned(), index)).cloned()
    }

    /// Remembers an answer if it may be served again.
    fn keep(&self, query: &Query, index: usize, kept: &Kept) {
        if query.schedule.is_some() || !query.ttl.is_zero() {
            self.state().answers.insert((query.name.clone(), index), kept.clone());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Plain values: a panic elsewhere leaves none half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// A check for each freshness of `set`; those of queries which are gone are withdrawn.
    fn checks(&mut self, set: &Set, health: &Health) {
        let wanted: Vec<&Freshness> =
            set.queries.iter().filter_map(|loaded| loaded.query.freshness.as_ref()).collect();
        self.checks.retain(|name, check| {
            let stays = wanted.iter().any(|freshness| freshness.name == *name);
            if !stays {
                check.withdraw();
            }
            stays
        });
        for freshness in wanted {
            let name = freshness.name.clone();
            self.checks.entry(name.clone()).or_insert_with(|| health.check(name, Role::Report));
        }
    }
}

/// Runs a query again and again on one server, until its set is replaced.
async fn background(
    inner: Arc<Inner>,
    target: Arc<Target>,
    index: usize,
    loaded: Loaded,
    every: Duration,
) -> ! {
    let query = &loaded.query;
    let sums = query.accumulate.then(Accumulator::default);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let start = Instant::now();
        let end = start + every.clamp(BACKGROUND_LIMIT_MIN, BACKGROUND_LIMIT);
        let outcome = match target.instance(end).await {
            Ok(instance) => {
                let server = instance.server();
                let labels = inner.series_labels(&loaded, &server, &instance, false);
                let asked = [(Arc::clone(query), sums.as_ref())];
                let outcomes = ask(&instance, &asked, &labels, &inner.run, end).await;
                outcomes.into_iter().next().unwrap_or_default()
            }
            Err(error) => Outcome { failure: Some(error.to_string()), ..Outcome::default() },
        };
        debug!(query = query.name, elapsed_ms = start.elapsed().as_millis(), "asked");
        if let Some(freshness) = &query.freshness {
            let check = inner.state().checks.get(&freshness.name).cloned();
            if let Some(check) = check {
                judge(freshness, &outcome, &check);
            }
        }
        inner.keep(query, index, &Kept::new(query, &target.server(), start, outcome));
    }
}

/// Tells `/health` what a run means for a freshness check.
#[expect(clippy::disallowed_methods, reason = "a health check is stamped when it ends")]
fn judge(freshness: &Freshness, outcome: &Outcome, check: &Check) {
    let limit = freshness.age_max.as_secs_f64();
    let reason = match (&outcome.failure, outcome.skipped, outcome.age_seconds) {
        (Some(failure), ..) => failure.clone(),
        (None, Some(reason), _) => format!("the query does not run here: {reason}"),
        (None, None, Some(age)) if age <= limit => {
            return check.succeeded(SystemTime::now(), outcome.elapsed);
        }
        (None, None, Some(age)) if age.is_finite() => {
            format!("the newest data is {age:.0} s old, {limit:.0} s are allowed")
        }
        (None, None, _) => "there is no data".to_owned(),
    };
    check.failed(reason, outcome.elapsed);
}

fn report(
    query: &Query,
    outcome: &Outcome,
    age: Option<Duration>,
    labels: &[(&str, &str)],
    page: &mut Page,
) {
    let own = [("query", query.name.as_str())];
    let labels = [&own[..], labels].concat();
    if let Some(reason) = outcome.skipped {
        page.sample(SKIPPED, &[&labels[..], &[("reason", reason)]].concat(), 1.0);
        return;
    }
    page.sample(SUCCESS, &labels, f64::from(u8::from(outcome.failure.is_none())));
    page.sample(DURATION, &labels, outcome.elapsed.as_secs_f64());
    page.sample(ROWS, &labels, outcome.tally.rows as f64);
    page.sample(SERIES, &labels, outcome.tally.series as f64);
    if let Some(age) = age {
        page.sample(AGE, &labels, age.as_secs_f64());
    }
    for (reason, count) in outcome.tally.dropped() {
        let labels = [&labels[..], &[("reason", reason.as_str())]].concat();
        page.sample(DROPPED, &labels, count as f64);
    }
}

#[expect(clippy::disallowed_methods, reason = "files are stamped when they were read")]
fn unix_seconds() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("paths", &self.inner.paths).finish_non_exhaustive()
    }
}
