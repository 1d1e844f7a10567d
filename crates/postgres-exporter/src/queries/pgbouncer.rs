//! What `PgBouncer` tells of itself: `pgbouncer_*`, from the answers of its console.
//!
//! The console knows no SQL but `SHOW`, so that none of what is asked of a server works there; it is
//! a data source of its own, `PGBOUNCER_DATA_SOURCE_NAME`.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use metrics_server::{CollectError, Collecting, Collector, CollectorSpec, Page};
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, timeout_at},
};

use super::{Queries, Query, UnknownKeys};
use crate::{
    dsn::{Dsn, DsnError},
    instance::{Facts, Instance},
    session::{Limits, Session},
};

/// See the module.
pub(crate) const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "pgbouncer",
    help: "Pools, traffic and databases of the PgBouncer of PGBOUNCER_DATA_SOURCE_NAME",
    enabled_by_default: false,
    build: || Box::new(PgBouncer),
};

/// Environment variable with the data source.
const VARIABLE: &str = "PGBOUNCER_DATA_SOURCE_NAME";
/// Time for a login.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// The console of one `PgBouncer`, and the one connection to it. The lock is held while it is asked,
/// for no longer than a scrape: whoever else asks meanwhile waits.
#[derive(Debug)]
pub struct Console {
    dsn: Dsn,
    limits: Limits,
    places: Arc<Semaphore>,
    session: Mutex<Option<Session>>,
}

impl Console {
    /// The console that the environment names, if it names one.
    ///
    /// # Errors
    ///
    /// What it names is no data source.
    pub fn from_environment(
        get: &dyn Fn(&str) -> Option<String>,
        limits: Limits,
    ) -> Result<Option<Arc<Self>>, DsnError> {
        let Some(text) = get(VARIABLE).filter(|text| !text.is_empty()) else { return Ok(None) };
        let dsn = Dsn::parse(&text, get)?;
        let places = Arc::new(Semaphore::new(1));
        Ok(Some(Arc::new(Self { dsn, limits, places, session: Mutex::default() })))
    }

    /// Asks all `SHOW`s; a connection that fails is not used again.
    async fn collect(&self, end: Instant, out: &mut Page) -> Result<(), CollectError> {
        let asking = async {
            let mut kept = self.session.lock().await;
            let session = match kept.take().filter(Session::is_open) {
                Some(session) => session,
                None => self.open().await?,
            };
            for query in shows() {
                let rows = session.query(&query.sql).await?;
                query.write(&rows, &Facts::default(), &[], out);
            }
            *kept = Some(session);
            Ok(())
        };
        let asked = timeout_at(end, asking).await;
        asked.map_err(|_late| CollectError::Unreachable("deadline exceeded".into()))?
    }

    async fn open(&self) -> Result<Session, CollectError> {
        let opening = async {
            let place = Arc::clone(&self.places).acquire_owned().await;
            let place = place.map_err(|closed| CollectError::Unreachable(closed.into()))?;
            let opened = Session::open(&self.dsn, self.limits, place).await;
            opened.map_err(|error| CollectError::Unreachable(error.into()))
        };
        let opened = timeout_at(Instant::now() + CONNECT_LIMIT, opening).await;
        opened.map_err(|_late| CollectError::Unreachable("no login in time".into()))?
    }
}

pub(super) fn shows() -> &'static [Arc<Query>] {
    static READ: OnceLock<Vec<Arc<Query>>> = OnceLock::new();
    READ.get_or_init(|| {
        let text = include_str!("pgbouncer.yml");
        let read = Queries::parse("pgbouncer", text, UnknownKeys::Refuse, &|_| Err(String::new()));
        read.expect("a test reads it").queries
    })
}

struct PgBouncer;

impl Collector<Instance> for PgBouncer {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move {
            let console = instance.reading().pgbouncer.clone();
            let missing = || CollectError::Malformed(format!("{VARIABLE} is not set").into());
            console.ok_or_else(missing)?.collect(instance.deadline(), out).await
        })
    }
}

#[cfg(test)]
mod tests;
