//! What connections to all servers share: passwords, certificates, limits, and those which wait for
//! the next scrape.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    credentials::Credentials,
    flights::Flights,
    framing::{Bounds, Excess},
    node::Session,
    tls::Tls,
};

/// A connection which nobody used for so long is closed.
const IDLE_MAX: Duration = Duration::from_mins(5);
/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_mins(1);
/// Servers whose state is remembered; beyond it the log may repeat itself.
const STATES_MAX: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub struct Access {
    /// Who we are.
    pub credentials: Arc<Credentials>,
    /// How TLS is spoken.
    pub tls: Arc<Tls>,
    /// What the replies to one batch may have.
    pub reply_bounds: Bounds,
    /// Batches whose replies had more.
    pub replies_refused: Arc<Refusals>,
    /// Whether servers are told our name.
    pub client_name: bool,
    /// Connections which wait.
    pub idle: Idle,
    /// Scrapes on their way.
    pub(crate) flights: Flights,
    /// Which servers answered the last time.
    pub states: States,
    places: Arc<Semaphore>,
    connections_max: usize,
    generation: AtomicU64,
}

impl Access {
    /// At most `connections_max` connections are open at once.
    pub fn new(
        credentials: Credentials,
        tls: Tls,
        client_name: bool,
        reply_bounds: Bounds,
        connections_max: usize,
    ) -> Self {
        Self {
            credentials: Arc::new(credentials),
            tls: Arc::new(tls),
            reply_bounds,
            replies_refused: Arc::default(),
            client_name,
            idle: Idle::default(),
            flights: Flights::default(),
            states: States::default(),
            places: Arc::new(Semaphore::new(connections_max)),
            connections_max,
            generation: AtomicU64::new(0),
        }
    }

    /// Connections which are open at the moment.
    pub fn connections(&self) -> usize {
        self.connections_max - self.places.available_permits()
    }

    /// A place for one more connection: where there is none, that of the connection which waited
    /// longest, or the next one that becomes free.
    pub async fn place(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return place;
        }
        self.idle.drop_oldest();
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.expect("the semaphore is never closed")
    }

    /// Which reading of the passwords is in force.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Reads the passwords again; connections which were made with the old ones are closed.
    ///
    /// # Errors
    ///
    /// A file cannot be used. No password is repeated.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.credentials.reload()?;
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.idle.clear();
        Ok(())
    }

    /// Closes connections which nobody uses, for ever.
    #[expect(clippy::infinite_loop, reason = "it ends with the process")]
    pub async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.idle.drop_unused(now());
        }
    }
}

/// How often replies were beyond a bound, by which one.
#[derive(Debug, Default)]
pub struct Refusals([AtomicU64; Excess::ALL.len()]);

impl Refusals {
    pub(crate) fn add(&self, excess: Excess) {
        if let Some(counter) = self.0.get(excess as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The count of one bound.
    pub fn count(&self, excess: Excess) -> u64 {
        self.0.get(excess as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

/// Connections that nobody uses at the moment, by server. Two scrapes at once have a connection
/// each, and the later one is kept.
#[derive(Default)]
pub struct Idle(Mutex<BTreeMap<String, (Instant, Session)>>);

impl Idle {
    pub(crate) fn take(&self, key: &str) -> Option<Session> {
        self.lock().remove(key).map(|(_since, session)| session)
    }

    pub(crate) fn keep(&self, key: &str, session: Session) {
        let former = self.lock().insert(key.to_owned(), (now(), session));
        // Closed when the lock is free again.
        drop(former);
    }

    fn drop_oldest(&self) {
        let mut sessions = self.lock();
        let oldest = sessions.iter().min_by_key(|(_key, (since, _session))| *since);
        let oldest = oldest.map(|(key, _)| key.clone());
        let dropped = oldest.and_then(|key| sessions.remove(&key));
        drop(sessions);
        drop(dropped);
    }

    fn drop_unused(&self, now: Instant) {
        self.lock()
            .retain(|_key, (since, _session)| now.saturating_duration_since(*since) < IDLE_MAX);
    }

    fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (Instant, Session)>> {
        // A session is whole or not there.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("count", &self.lock().len()).finish()
    }
}

/// Whether a server answered the last time, so that the log is told a change only.
#[derive(Debug, Default)]
pub struct States(Mutex<BTreeMap<String, bool>>);

impl States {
    /// What is known of the server.
    pub fn get(&self, key: &str) -> Option<bool> {
        self.lock().get(key).copied()
    }

    /// Notes whether it answers, and returns what was known before.
    pub fn replace(&self, key: &str, up: bool) -> Option<bool> {
        let mut states = self.lock();
        if let Some(state) = states.get_mut(key) {
            return Some(std::mem::replace(state, up));
        }
        if states.len() >= STATES_MAX {
            states.clear();
        }
        states.insert(key.to_owned(), up)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "connections wait for a while")]
fn now() -> Instant {
    Instant::now()
}
