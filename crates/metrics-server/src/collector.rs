//! Collectors, the table they stand in, and the runner which holds them to a deadline.

use std::{
    any::Any,
    error::Error as StdError,
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    time::{Duration, Instant},
};

use clap::{Arg, ArgAction, ArgMatches, Command};
use futures_util::{FutureExt as _, future::join_all};
use thiserror::Error;
use tracing::{Instrument as _, debug, info_span, warn};

use crate::{
    exposition::{Desc, Page},
    spans,
};

/// Any error, for the source of a [`CollectError`].
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What [`Collector::collect`] returns; boxed so that collectors fit in one table.
pub type Collecting<'a> = Pin<Box<dyn Future<Output = Result<(), CollectError>> + Send + 'a>>;

/// A named source of metric families, run once per scrape of a target.
///
/// `T` is what is being scraped: a PostgreSQL server, a Valkey node, or `()`.
pub trait Collector<T: ?Sized = ()>: Send + Sync + 'static {
    /// Adds this scrape's families to `out`.
    ///
    /// # Errors
    ///
    /// On an error, a panic or at the deadline the runner throws `out` away: a collector
    /// contributes all of its families or none of them.
    fn collect<'a>(&'a self, target: &'a T, out: &'a mut Page) -> Collecting<'a>;
}

/// A row of an exporter's collector table: from it come the flag, the help, the docs and the
/// `collector` label.
pub struct CollectorSpec<T: ?Sized + 'static = ()> {
    /// The noun: `--collector.<name>`, `collector="<name>"`, the file's name.
    pub name: &'static str,
    /// What it collects, for `--help`.
    pub help: &'static str,
    /// Whether it runs unless a flag says otherwise.
    pub enabled_by_default: bool,
    /// Makes the collector.
    pub build: fn() -> Box<dyn Collector<T>>,
}

impl<T: ?Sized + 'static> fmt::Debug for CollectorSpec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectorSpec").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a collector produced nothing. The runner branches on the variant; people read the source.
#[derive(Debug, Error)]
pub enum CollectError {
    /// The target does not have what this collector reads. Logged at debug level.
    #[error("nothing to collect")]
    NoData,
    /// The target did not answer, or not in time.
    #[error("the target did not answer: {0}")]
    Unreachable(#[source] BoxError),
    /// The target answered with an error, or with something else than expected.
    #[error("the answer could not be used: {0}")]
    Malformed(#[source] BoxError),
}

/// Which collectors the flags switch on: one boolean for each row of the table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CollectorChoice {
    enabled: Vec<(&'static str, bool)>,
}

impl CollectorChoice {
    /// Adds `--collector.<name>` (and by it `--no-collector.<name>`) for each row.
    pub fn augment<T: ?Sized>(command: Command, table: &[CollectorSpec<T>]) -> Command {
        table.iter().fold(command, |command, spec| {
            command.arg(
                Arg::new(flag(spec.name))
                    .long(flag(spec.name))
                    .help(spec.help)
                    .help_heading("Collectors")
                    .action(ArgAction::Set)
                    .value_parser(clap::value_parser!(bool))
                    .value_name("BOOL")
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("true")
                    .default_value(if spec.enabled_by_default { "true" } else { "false" }),
            )
        })
    }

    /// Reads what [`augment`](Self::augment) declared.
    pub fn from_matches<T: ?Sized>(matches: &ArgMatches, table: &[CollectorSpec<T>]) -> Self {
        let enabled = |spec: &CollectorSpec<T>| {
            matches.get_one(&flag(spec.name)).copied().unwrap_or(spec.enabled_by_default)
        };
        Self { enabled: table.iter().map(|spec| (spec.name, enabled(spec))).collect() }
    }

    /// Every row as its table's default.
    pub fn defaults<T: ?Sized>(table: &[CollectorSpec<T>]) -> Self {
        Self { enabled: table.iter().map(|spec| (spec.name, spec.enabled_by_default)).collect() }
    }

    /// Switches one collector on or off; an unknown name changes nothing.
    pub fn set(&mut self, name: &str, on: bool) {
        for (known, enabled) in &mut self.enabled {
            if *known == name {
                *enabled = on;
            }
        }
    }

    /// Whether the collector is switched on.
    pub fn is_enabled(&self, name: &str) -> bool {
        self.enabled.iter().any(|(known, enabled)| *known == name && *enabled)
    }
}

fn flag(name: &str) -> String {
    format!("collector.{name}")
}

/// A collector named in `collect[]` which does not exist or is switched off.
#[derive(Debug, Error, Eq, PartialEq)]
#[error("unknown or disabled collector: {0}")]
pub struct UnknownCollector(pub String);

/// The collectors chosen by flags, ready to run.
pub struct Collectors<T: ?Sized + 'static = ()> {
    namespace: &'static str,
    /// The program's name in help texts, where it is not `<namespace>_exporter`.
    program: Option<&'static str>,
    enabled: Vec<(&'static str, Box<dyn Collector<T>>)>,
}

impl<T: ?Sized + 'static> fmt::Debug for Collectors<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.enabled.iter().map(|(name, _)| name)).finish()
    }
}

impl<T: Sync + ?Sized> Collectors<T> {
    /// Builds the collectors which `choice` switches on. `namespace` begins the runner's own two
    /// families: `<namespace>_scrape_collector_{duration_seconds,success}`.
    pub fn select(
        namespace: &'static str,
        table: &[CollectorSpec<T>],
        choice: &CollectorChoice,
    ) -> Self {
        let chosen = table.iter().filter(|spec| choice.is_enabled(spec.name));
        let enabled = chosen.map(|spec| (spec.name, (spec.build)())).collect();
        Self { namespace, program: None, enabled }
    }

    /// Names the program in the runner's help texts; `<namespace>_exporter` stands there otherwise.
    #[must_use]
    pub const fn of_program(mut self, program: &'static str) -> Self {
        self.program = Some(program);
        self
    }

    /// The names of all collectors which are switched on.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.enabled.iter().map(|(name, _)| *name)
    }

    /// Runs every collector named in `only` (all, where it is empty) side by side, each to its end
    /// or to `deadline`, and adds how long each took and whether it succeeded.
    ///
    /// # Errors
    ///
    /// The first name in `only` which is unknown or switched off.
    pub async fn scrape(
        &self,
        target: &T,
        only: &[String],
        deadline: Instant,
    ) -> Result<Page, UnknownCollector> {
        if let Some(unknown) = only.iter().find(|name| self.names().all(|known| known != *name)) {
            return Err(UnknownCollector(unknown.clone()));
        }
        let chosen = self
            .enabled
            .iter()
            .filter(|(name, _)| only.is_empty() || only.iter().any(|wanted| wanted == name));
        let runs = chosen.map(|(name, collector)| run(name, collector.as_ref(), target, deadline));

        let program =
            self.program.map_or_else(|| format!("{}_exporter", self.namespace), str::to_owned);
        let mut page = Page::new();
        for run in join_all(runs).await {
            let labels = [("collector", run.name)];
            page.sample(
                Desc::gauge(
                    &format!("{}_scrape_collector_duration_seconds", self.namespace),
                    &format!("{program}: Duration of a collector scrape."),
                ),
                &labels,
                run.elapsed.as_secs_f64(),
            );
            page.sample(
                Desc::gauge(
                    &format!("{}_scrape_collector_success", self.namespace),
                    &format!("{program}: Whether a collector succeeded."),
                ),
                &labels,
                f64::from(u8::from(run.page.is_some())),
            );
            if let Some(collected) = run.page {
                page.merge(collected);
            }
        }
        Ok(page)
    }
}

struct Run {
    name: &'static str,
    elapsed: Duration,
    /// `None` if the collector failed.
    page: Option<Page>,
}

#[expect(clippy::disallowed_methods, reason = "the runner is a shell: it times collectors")]
async fn run<T: Sync + ?Sized + 'static>(
    name: &'static str,
    collector: &dyn Collector<T>,
    target: &T,
    deadline: Instant,
) -> Run {
    let start = Instant::now();
    let mut page = Page::new();
    let outcome = {
        let span = info_span!(target: spans::TARGET, "collector", collector = name);
        let collecting = collector.collect(target, &mut page).instrument(span);
        let collecting = AssertUnwindSafe(collecting).catch_unwind();
        tokio::time::timeout_at(deadline.into(), collecting).await
    };
    let elapsed = start.elapsed();
    let elapsed_ms = elapsed.as_millis();
    let succeeded = match outcome {
        Ok(Ok(Ok(()))) => {
            debug!(collector = name, elapsed_ms, "collector succeeded");
            true
        }
        Ok(Ok(Err(CollectError::NoData))) => {
            debug!(collector = name, elapsed_ms, "collector returned no data");
            false
        }
        Ok(Ok(Err(error))) => {
            warn!(collector = name, elapsed_ms, %error, "collector failed");
            false
        }
        Ok(Err(panic)) => {
            warn!(collector = name, elapsed_ms, error = panic_message(&*panic), "collector failed");
            false
        }
        Err(_elapsed) => {
            warn!(collector = name, elapsed_ms, error = "deadline exceeded", "collector failed");
            false
        }
    };
    Run { name, elapsed, page: succeeded.then_some(page) }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panic")
}

#[cfg(test)]
mod tests;
