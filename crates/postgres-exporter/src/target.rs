//! A server to watch: the few connections kept to it, and their renewal.
//!
//! A holder of our own and not a pool crate: a pool lends a connection to one borrower at a time,
//! where collectors share one and pipeline; and its cap forgets a connection that it has dropped,
//! while the server is still busy with the last statement there.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};
use tracing::{debug, info, warn};

use crate::{
    dsn::Dsn,
    instance::{Facts, Instance},
    reading::Reading,
    session::{ConnectError, Limits, Session},
};

/// A login older than this is repeated at the next scrape, so that `pg_up` tells that logins work,
/// and no server process grows old with us.
const LOGIN_AGE_MAX: Duration = Duration::from_mins(1);
/// Time for connections to close when the exporter stops.
const CLOSE_LIMIT: Duration = Duration::from_millis(200);

/// One server. Its lock is held for a few instructions only, never across an `await`.
#[derive(Debug)]
pub struct Target {
    dsn: Dsn,
    limits: Limits,
    reading: Arc<Reading>,
    /// What stands before each query: see [`prologue`].
    prologue: String,
    /// One permit a connection, given back when it has really ended.
    places: Arc<Semaphore>,
    /// Held while somebody logs in for all: whoever comes meanwhile takes what that gave.
    renewal: tokio::sync::Mutex<()>,
    kept: Mutex<Kept>,
}

/// What outlives a scrape.
#[derive(Debug, Default)]
struct Kept {
    main: Option<Arc<Session>>,
    slow: Option<Arc<Session>>,
    /// When a login was last tried.
    login_tried: Option<Instant>,
    /// Why the last login failed, if it did.
    login_error: Option<ConnectError>,
}

impl Target {
    /// A server which nobody has connected to yet.
    pub fn new(dsn: Dsn, limits: Limits, reading: Arc<Reading>) -> Self {
        let prologue = prologue(&dsn, limits);
        let places = Arc::new(Semaphore::new(limits.connections_max));
        let renewal = tokio::sync::Mutex::default();
        Self { dsn, limits, reading, prologue, places, renewal, kept: Mutex::default() }
    }

    /// `host:port`, for labels and logs.
    pub fn server(&self) -> String {
        self.dsn.server()
    }

    /// What flags say of all servers.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// How many databases are visited at once: the connection for short queries stays.
    pub(crate) fn visits_max(&self) -> usize {
        self.limits.connections_max.saturating_sub(1).max(1)
    }

    /// The server as one scrape sees it: the kept connection if it answers, else a new one.
    ///
    /// # Errors
    ///
    /// There is no connection that works, and none to be had in time.
    pub async fn instance(self: &Arc<Self>, deadline: Instant) -> Result<Instance, ConnectError> {
        let found = self.kept_main(deadline).await;
        if let Some((session, facts)) = found {
            if self.may_go_on() {
                return Ok(Instance::new(Arc::clone(self), session, facts, None, deadline));
            }
            let _renewal = self.renewal(deadline).await?;
            return Ok(self.renewed(session, facts, deadline).await);
        }
        let began = Instant::now();
        let _renewal = self.renewal(deadline).await?;
        // Somebody else may have logged in meanwhile, or have failed to.
        if let Some(error) = self.failure_since(began) {
            return Err(error);
        }
        if let Some((session, facts)) = self.kept_main(deadline).await {
            return Ok(Instance::new(Arc::clone(self), session, facts, None, deadline));
        }
        self.kept().main = None;
        let opened = match self.login(deadline).await {
            Ok(session) => {
                let facts = self.facts(&session, deadline).await;
                facts
                    .map(|facts| (session, facts))
                    .ok_or(ConnectError::Timeout(self.limits.connect))
            }
            Err(error) => Err(error),
        };
        self.note(opened.as_ref().err());
        let (session, facts) = opened?;
        self.kept().main = Some(Arc::clone(&session));
        Ok(Instance::new(Arc::clone(self), session, facts, None, deadline))
    }

    /// The kept connection, if it answers.
    async fn kept_main(&self, deadline: Instant) -> Option<(Arc<Session>, Facts)> {
        let session = self.kept().main.clone()?;
        let facts = self.facts(&session, deadline).await?;
        Some((session, facts))
    }

    /// Whether the kept connection needs no new login now: the last one is young, or there is no
    /// place for another because we use all of them ourselves, for a while.
    fn may_go_on(&self) -> bool {
        let full = self.places.available_permits() == 0 && self.kept().login_error.is_none();
        !self.is_stale(LOGIN_AGE_MAX) || (full && !self.is_stale(LOGIN_AGE_MAX * 3))
    }

    /// Why a login failed that ended after `began`.
    fn failure_since(&self, began: Instant) -> Option<ConnectError> {
        let kept = self.kept();
        kept.login_error.clone().filter(|_| kept.login_tried.is_some_and(|tried| tried > began))
    }

    /// The turn to log in for all.
    async fn renewal(
        &self,
        deadline: Instant,
    ) -> Result<tokio::sync::MutexGuard<'_, ()>, ConnectError> {
        let turn = timeout_at(deadline, self.renewal.lock()).await;
        turn.map_err(|_elapsed| ConnectError::Timeout(self.limits.connect))
    }

    /// The connection for queries which may take long or wait for locks.
    ///
    /// # Errors
    ///
    /// There is none, and none to be had now.
    pub async fn slow(&self, deadline: Instant) -> Result<Arc<Session>, ConnectError> {
        let slow = self.kept().slow.clone();
        if let Some(session) = slow
            && self.answers(&session, deadline).await
        {
            return Ok(session);
        }
        let _renewal = self.renewal(deadline).await?;
        let slow = self.kept().slow.clone();
        if let Some(session) = slow
            && self.answers(&session, deadline).await
        {
            return Ok(session);
        }
        self.kept().slow = None;
        let session = self.login(deadline).await?;
        self.kept().slow = Some(Arc::clone(&session));
        Ok(session)
    }

    /// A connection to another database of the server, which ends when it is dropped. It waits for a
    /// place as long as there is time.
    ///
    /// # Errors
    ///
    /// There is none to be had in time.
    pub async fn visit(&self, database: &str, deadline: Instant) -> Result<Session, ConnectError> {
        // The slow connection's place is the one that is needed.
        self.kept().slow = None;
        let dsn = Dsn { database: database.to_owned(), ..self.dsn.clone() };
        let place = timeout_at(deadline, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(ConnectError::Full) };
        let limit = self.connect_limit(deadline);
        let opened = timeout(limit, Session::open(&dsn, self.limits, place)).await;
        opened.unwrap_or(Err(ConnectError::Timeout(limit)))
    }

    /// `sql` behind the settings that hold for it alone.
    pub fn bounded(&self, sql: &str) -> String {
        format!("{}{sql}", self.prologue)
    }

    /// Whether nobody has logged in for `age`, or the last one could not.
    pub fn is_stale(&self, age: Duration) -> bool {
        let kept = self.kept();
        let old = kept.login_tried.is_none_or(|tried| tried.elapsed() >= age);
        old || kept.login_error.is_some()
    }

    /// Closes all connections and waits a moment for them.
    pub async fn close(&self) {
        *self.kept() = Kept::default();
        let all = u32::try_from(self.limits.connections_max).unwrap_or(u32::MAX);
        if timeout(CLOSE_LIMIT, self.places.acquire_many(all)).await.is_err() {
            debug!(server = self.server(), "did not wait for connections to close");
        }
    }

    /// `session`, or a new one in its place where its login is old. If the new login fails the old
    /// connection goes on serving, and the failure is shown.
    async fn renewed(
        self: &Arc<Self>,
        session: Arc<Session>,
        facts: Facts,
        deadline: Instant,
    ) -> Instance {
        if self.may_go_on() {
            return Instance::new(Arc::clone(self), session, facts, None, deadline);
        }
        // Its login would soon be old as well, and its place may be the one that is needed.
        self.kept().slow = None;
        let login = self.login(deadline).await;
        self.note(login.as_ref().err());
        match login {
            Ok(new) => {
                self.kept().main = Some(Arc::clone(&new));
                Instance::new(Arc::clone(self), new, facts, None, deadline)
            }
            Err(error) => Instance::new(Arc::clone(self), session, facts, Some(error), deadline),
        }
    }

    async fn login(&self, deadline: Instant) -> Result<Arc<Session>, ConnectError> {
        let limit = self.connect_limit(deadline);
        let opening = async {
            let places = Arc::clone(&self.places);
            let place = places.acquire_owned().await.map_err(|_closed| ConnectError::Full)?;
            Session::open(&self.dsn, self.limits, place).await
        };
        let opened = timeout(limit, opening).await;
        let full = self.places.available_permits() == 0;
        match opened {
            Ok(opened) => opened.map(Arc::new),
            Err(_elapsed) if full => Err(ConnectError::Full),
            Err(_elapsed) => Err(ConnectError::Timeout(limit)),
        }
    }

    fn connect_limit(&self, deadline: Instant) -> Duration {
        let ours = self.limits.connect;
        budget(deadline, self.dsn.connect_timeout.map_or(ours, |theirs| theirs.min(ours)))
    }

    async fn facts(&self, session: &Session, deadline: Instant) -> Option<Facts> {
        if !session.is_open() {
            return None;
        }
        let limit = budget(deadline, self.limits.connect);
        let asked = timeout(limit, session.query(&self.bounded(Facts::QUERY))).await;
        match asked {
            Ok(Ok(rows)) => Facts::read(&rows).ok(),
            Ok(Err(error)) => {
                debug!(server = self.server(), %error, "the kept connection is of no use");
                None
            }
            Err(_elapsed) => None,
        }
    }

    async fn answers(&self, session: &Session, deadline: Instant) -> bool {
        let limit = budget(deadline, self.limits.lock * 2);
        session.is_open() && matches!(timeout(limit, session.query("SELECT 1")).await, Ok(Ok(_)))
    }

    /// Remembers how a login went, and tells the log when that changes.
    fn note(&self, error: Option<&ConnectError>) {
        let mut kept = self.kept();
        let before = std::mem::replace(&mut kept.login_error, error.cloned());
        let first = kept.login_tried.replace(Instant::now()).is_none();
        drop(kept);
        match error {
            Some(error) if before.is_none() => {
                warn!(server = self.server(), %error, "cannot log in");
            }
            None if first || before.is_some() => info!(server = self.server(), "logged in"),
            _ => {}
        }
    }

    /// Plain values: a panic elsewhere leaves none half written.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At most half of what is left, so that whoever comes next has time as well.
fn budget(deadline: Instant, limit: Duration) -> Duration {
    limit.min(deadline.saturating_duration_since(Instant::now()) / 2)
}

/// Settings of a query: they and the query are one message, so one implicit transaction, and end
/// with it. Nothing is left behind on the server, which matters where a pooler lends its process
/// to others next, and `pg_settings` keeps telling what the operator configured.
///
/// What the data source sets itself is left alone.
fn prologue(dsn: &Dsn, limits: Limits) -> String {
    let settings = [
        ("statement_timeout", limits.statement.as_millis().to_string()),
        ("lock_timeout", limits.lock.as_millis().to_string()),
        ("jit", "off".to_owned()),
        ("search_path", "pg_catalog".to_owned()),
    ];
    settings
        .into_iter()
        .filter(|(name, _)| !dsn.sets(name))
        .fold("SET TRANSACTION READ ONLY;".to_owned(), |prologue, (name, value)| {
            format!("{prologue}SET LOCAL {name}={value};")
        })
}

#[cfg(test)]
mod tests;
