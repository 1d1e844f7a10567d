//! One scrape: from the servers to a page.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, join_all},
};
use metrics_server::{
    Check, CollectorChoice, Collectors, Desc, Page, Refused, Scrape, ScrapeRequest, Scraped,
    Scraping,
};
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use crate::{
    collectors::{self, NAMESPACE, TABLE},
    instance::Instance,
    queries::{Engine, builtin, pgbouncer},
    reading::Reading,
    session::ConnectError,
    target::Target,
};

/// What is kept back of a scrape's time for writing the page.
const RENDER_MARGIN: Duration = Duration::from_millis(250);

const UP: Desc<'static> = Desc::gauge(
    "pg_up",
    "Whether the last scrape of metrics from PostgreSQL was able to connect to the server (1 for yes, 0 for no).",
);
const DURATION: Desc<'static> = Desc::gauge(
    "pg_exporter_last_scrape_duration_seconds",
    "Duration of the last scrape of metrics from PostgreSQL.",
);
const ERROR: Desc<'static> = Desc::gauge(
    "pg_exporter_last_scrape_error",
    "Whether the last scrape of metrics from PostgreSQL resulted in an error (1 for error, 0 for success).",
);
const SCRAPES: Desc<'static> = Desc::counter(
    "pg_exporter_scrapes_total",
    "Total number of times PostgreSQL was scraped for metrics.",
);
const SUCCESS: Desc<'static> =
    Desc::gauge("pg_scrape_collector_success", "postgres_exporter: Whether a collector succeeded.");
const DATABASE: Desc<'static> = Desc::gauge(
    "pg_scrape_database_success",
    "Whether the collectors of what is in a database could ask this one.",
);
const SKIPPED: Desc<'static> = Desc::gauge(
    "pg_scrape_collector_skipped",
    "Collectors which this server has nothing for, by reason.",
);

/// What is on a page besides the collectors' families.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the collectors need to know.
    pub reading: Arc<Reading>,
    /// `--disable-default-metrics`.
    pub disable_default_metrics: bool,
    /// `--collection-timeout`.
    pub collection_timeout: Duration,
    /// Queries of files and of collectors that run in the background.
    pub queries: Option<Engine>,
    /// The server is one of `/probe`, and none of the environment.
    pub probed: bool,
}

/// The servers, and what is read from them. Cloning gives another handle on the same ones.
///
/// Scrapes which ask for the same collectors at the same time share one answer, so that any number
/// of scrapers is one scrape's load on the server.
#[derive(Clone)]
pub struct Exporter {
    inner: Arc<Inner>,
}

struct Inner {
    /// The first one is read by all collectors, the others only tell their version, as
    /// `postgres_exporter` has it.
    targets: Vec<Arc<Target>>,
    collectors: Collectors<Instance>,
    options: Options,
    health: Option<Check>,
    scrapes: AtomicU64,
    flights: Mutex<Vec<Flight>>,
}

/// A scrape under way: for which collectors, and its end.
struct Flight {
    collect: Vec<String>,
    landing: Shared<BoxFuture<'static, Arc<Outcome>>>,
}

#[derive(Debug, Default)]
struct Outcome {
    page: Page,
    down: bool,
}

impl Exporter {
    /// Nothing is connected to before the first scrape. `health` is told how each one went.
    pub fn new(
        targets: Vec<Arc<Target>>,
        choice: &CollectorChoice,
        options: Options,
        health: Option<Check>,
    ) -> Self {
        let collectors =
            Collectors::select(NAMESPACE, TABLE, choice).of_program("postgres_exporter");
        let scrapes = AtomicU64::new(0);
        let flights = Mutex::default();
        Self { inner: Arc::new(Inner { targets, collectors, options, health, scrapes, flights }) }
    }

    /// Closes all connections.
    pub async fn close(&self) {
        join_all(self.inner.targets.iter().map(|target| target.close())).await;
    }

    /// Looks at the first server if nobody has for `age` or it was down, so that `/health` is fresh.
    pub async fn check(&self, age: Duration, limit: Duration) {
        let Some(target) = self.inner.targets.first() else { return };
        if target.is_stale(age) {
            let start = Instant::now();
            let instance = target.instance(start + limit).await;
            self.inner.report(instance.as_ref(), start);
        }
    }

    /// The scrape under way for `collect`, or a new one.
    fn board(
        &self,
        collect: &[String],
        deadline: Instant,
    ) -> Shared<BoxFuture<'static, Arc<Outcome>>> {
        let mut flights = self.inner.flights();
        flights.retain(|flight| flight.landing.peek().is_none());
        if let Some(flight) = flights.iter().find(|flight| flight.collect == collect) {
            return flight.landing.clone();
        }
        let inner = Arc::clone(&self.inner);
        let only = collect.to_vec();
        // A task of its own: a scraper that goes away does not take the others' answer along.
        let task = tokio::spawn(async move {
            let gathering = AssertUnwindSafe(inner.gather(&only, deadline)).catch_unwind();
            gathering.await.unwrap_or_else(|_panic| {
                error!("a scrape panicked");
                Outcome { page: Page::new(), down: true }
            })
        });
        let landing = async { Arc::new(task.await.unwrap_or_default()) }.boxed().shared();
        flights.push(Flight { collect: collect.to_vec(), landing: landing.clone() });
        landing
    }
}

impl Inner {
    async fn gather(&self, only: &[String], deadline: Instant) -> Outcome {
        let start = Instant::now();
        let end = deadline.min(start + self.options.collection_timeout);
        let margin = RENDER_MARGIN.min(end.saturating_duration_since(start) / 10);
        let end = end.checked_sub(margin).unwrap_or(end);

        let mut page = Page::new();
        let mut failed = false;
        let mut reached = 0;
        let mut logged_in = 0;
        let first = 0;
        let instances = join_all(self.targets.iter().map(|target| target.instance(end))).await;
        for (index, instance) in instances.iter().enumerate() {
            if index == first {
                self.report(instance.as_ref(), start);
            }
            let Ok(instance) = instance else {
                failed = true;
                continue;
            };
            reached += 1;
            logged_in += usize::from(instance.login_error.is_none());
            let found = async {
                tokio::join!(
                    self.defaults(instance, end),
                    async {
                        if index == first {
                            self.collect(instance, only, end).await
                        } else {
                            Page::new()
                        }
                    },
                    self.queries(index, instance, only, end)
                )
            };
            let (defaults, collected, asked) = found.await;
            page.merge(defaults);
            page.merge(collected);
            page.merge(asked);
            failed |= instance.has_failed() || instance.login_error.is_some();
        }
        if instances.first().is_some_and(Result::is_err) {
            self.write_failures(only, &mut page);
        }
        if let Some(engine) = &self.options.queries {
            engine.write_files(&mut page);
        }
        self.write_own(logged_in > 0, failed, start.elapsed(), &mut page);
        Outcome { page, down: reached == 0 && !self.targets.is_empty() }
    }

    /// `pg_static` and what else is no collector's.
    async fn defaults(&self, instance: &Instance, end: Instant) -> Page {
        let mut page = Page::new();
        if self.options.disable_default_metrics {
            return page;
        }
        let collecting = collectors::legacy::collect(instance, &mut page);
        match timeout_at(end, collecting).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(server = instance.server(), %error, "default metrics failed"),
            Err(_elapsed) => warn!(server = instance.server(), "default metrics took too long"),
        }
        page
    }

    /// What the files of queries make of one server. They are no collectors: whoever asks for some of
    /// these does not get them.
    async fn queries(
        &self,
        index: usize,
        instance: &Instance,
        only: &[String],
        end: Instant,
    ) -> Page {
        match &self.options.queries {
            Some(engine) if only.is_empty() => engine.collect(index, instance, end).await,
            _ => Page::new(),
        }
    }

    async fn collect(&self, instance: &Instance, only: &[String], end: Instant) -> Page {
        let mut page = Page::new();
        let mut names = Vec::new();
        for name in self.chosen(only) {
            let skip =
                collectors::skip_reason(name, &instance.facts).or_else(|| self.not_probed(name));
            match skip {
                Some(reason) => {
                    page.sample(SKIPPED, &[("collector", name), ("reason", reason)], 1.0);
                }
                None => names.push(name.to_owned()),
            }
        }
        // No names would mean all of them.
        if !names.is_empty() {
            match self.collectors.scrape(instance, &names, end.into_std()).await {
                Ok(collected) => page.merge(collected),
                Err(error) => error!(%error, "cannot happen: the names come from the table"),
            }
        }
        for (database, succeeded) in instance.visits.outcomes() {
            page.sample(DATABASE, &[("datname", &database)], f64::from(u8::from(succeeded)));
        }
        page
    }

    /// Nothing runs in the background on a server of `/probe`, and the environment's `PgBouncer` is
    /// before other servers.
    fn not_probed(&self, collector: &str) -> Option<&'static str> {
        let elsewhere = collector == pgbouncer::SPEC.name || builtin::runs_in_background(collector);
        (self.options.probed && elsewhere).then_some("probe")
    }

    fn chosen<'a>(&'a self, only: &'a [String]) -> impl Iterator<Item = &'static str> + 'a {
        let wanted = |name: &&str| only.is_empty() || only.iter().any(|wanted| wanted == name);
        self.collectors.names().filter(wanted)
    }

    /// A collector that did not run because there is no connection has not succeeded.
    fn write_failures(&self, only: &[String], page: &mut Page) {
        let mut success = page.family(SUCCESS);
        for name in self.chosen(only) {
            success.sample(&[("collector", name)], 0.0);
        }
    }

    fn write_own(&self, up: bool, failed: bool, elapsed: Duration, page: &mut Page) {
        let constant = &self.options.reading.constant_labels;
        let labels: Vec<_> =
            constant.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let scrapes = self.scrapes.fetch_add(1, Ordering::Relaxed) + 1;
        page.sample(UP, &labels, f64::from(u8::from(up)));
        page.sample(DURATION, &labels, elapsed.as_secs_f64());
        page.sample(ERROR, &labels, f64::from(u8::from(failed)));
        page.sample(SCRAPES, &labels, scrapes as f64);
    }

    #[expect(clippy::disallowed_methods, reason = "a health check is stamped when it ends")]
    fn report(&self, instance: Result<&Instance, &ConnectError>, start: Instant) {
        let Some(health) = &self.health else { return };
        match instance.map(|instance| &instance.login_error) {
            Ok(None) => health.succeeded(SystemTime::now(), start.elapsed()),
            Ok(Some(error)) | Err(error) => health.failed(error.to_string(), start.elapsed()),
        }
    }

    /// Plain values: a panic elsewhere leaves none half written.
    fn flights(&self) -> MutexGuard<'_, Vec<Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scrape for Exporter {
    fn scrape<'a>(&'a self, request: &'a ScrapeRequest) -> Scraping<'a> {
        Box::pin(async move {
            let unknown =
                |name: &&String| self.inner.collectors.names().all(|known| known != *name);
            if let Some(name) = request.collect.iter().find(unknown) {
                let message = format!("unknown or disabled collector: {name}");
                return Err(Refused::bad_request(message));
            }
            let landing = self.board(&request.collect, request.deadline.into());
            let outcome = timeout_at(request.deadline.into(), landing).await;
            self.inner.flights().retain(|flight| flight.landing.peek().is_none());
            match outcome {
                Ok(outcome) => {
                    let down = outcome.down;
                    // Copied only if others have come for it, too.
                    let page = Arc::try_unwrap(outcome)
                        .map_or_else(|shared| shared.page.clone(), |alone| alone.page);
                    Ok(Scraped { page, down, ..Scraped::default() })
                }
                // Somebody else's scrape, which may take longer than this one may.
                Err(_elapsed) => {
                    let mut page = Page::new();
                    self.inner.write_own(false, true, Duration::ZERO, &mut page);
                    Ok(Scraped { page, down: true, ..Scraped::default() })
                }
            }
        })
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter")
            .field("targets", &self.inner.targets)
            .field("collectors", &self.inner.collectors)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
