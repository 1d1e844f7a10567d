//! One server: how it is reached, and how commands are sent to it.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisConnectionInfo, RedisError, Value,
    aio::MultiplexedConnection,
};
use tokio::{
    io::AsyncReadExt as _, sync::OwnedSemaphorePermit, task::JoinHandle, time::timeout_at,
};
use tracing::{debug, info, warn};

use crate::{
    access::Access,
    address::{Address, Place},
    command::{Answer, Answers, Command, Failure, authentication},
    credentials::{Login, Origin},
    dial::{Allowance, dial},
    facts::Facts,
};

/// Time for a server to say why it hangs up.
const OVERHEAR_MAX: Duration = Duration::from_millis(250);

/// A server, and who we are to it.
pub struct Node {
    address: Address,
    /// The address for which we have a password: that of the node by which a cluster was found.
    seed: Address,
    origin: Origin,
    /// In place of the name in the flags.
    server_name: Option<String>,
    access: Arc<Access>,
    key: String,
}

impl Node {
    /// `server_name` is looked for in the server's certificate in place of `--tls-server-name`.
    pub fn new(
        address: Address,
        origin: Origin,
        server_name: Option<String>,
        access: &Arc<Access>,
    ) -> Self {
        Self::with_seed(address.clone(), address, origin, server_name, access)
    }

    fn with_seed(
        address: Address,
        seed: Address,
        origin: Origin,
        server_name: Option<String>,
        access: &Arc<Access>,
    ) -> Self {
        let login = access.credentials.login(&seed, origin);
        // Who may do something on a connection is who opened it.
        let key = format!(
            "{} db {} by {} {origin:?} user {:?} name {server_name:?}",
            address.to_target(),
            address.database,
            seed.to_target(),
            login.user
        );
        Self { address, seed, origin, server_name, access: Arc::clone(access), key }
    }

    /// Where it is.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Another node of its cluster, to which we are the same.
    #[must_use]
    pub fn at(&self, place: Place) -> Self {
        let (tls, database) = (self.address.tls, 0);
        let address = Address { place, tls, database, user: None, password: None };
        let server_name = self.server_name.clone();
        Self::with_seed(address, self.seed.clone(), self.origin, server_name, &self.access)
    }

    /// Tells this server, as seen by us, from all others.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What all servers share.
    pub const fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// The connection of an earlier scrape, if there is one. It may have broken since.
    pub fn take(&self) -> Option<Session> {
        self.access.idle.take(&self.key)
    }

    /// Keeps a connection for the next scrape; one that the server did not let us into is closed.
    pub fn keep(&self, session: Session) {
        if session.is_greeted() && session.generation == self.access.generation() {
            self.access.idle.keep(&self.key, session);
        }
    }

    /// Tells the log when the server comes or goes, not at each scrape.
    pub(crate) fn log(&self, failure: Option<&Failure>) {
        let before = self.access.states.replace(&self.key, failure.is_none());
        let target = &self.address;
        match failure {
            None if before == Some(false) => info!(%target, "the server answers again"),
            Some(failure) if before != Some(false) => {
                warn!(%target, error = %failure, "the server cannot be scraped");
            }
            None => {}
            Some(failure) => debug!(%target, error = %failure, "the server cannot be scraped"),
        }
    }

    /// Connects. Who we are is said together with the first batch.
    ///
    /// # Errors
    ///
    /// The server cannot be reached.
    pub async fn open(&self, deadline: Instant) -> Result<Session, Failure> {
        let failed =
            |reason: &str| Failure::Broken(format!("cannot connect to {}: {reason}", self.address));
        let Ok(place) = timeout_at(deadline.into(), self.access.place()).await else {
            return Err(failed("all connections are in use: see --scrape.max-connections"));
        };
        match timeout_at(deadline.into(), self.connect(place)).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(failed(&io_reason(&error))),
            Err(_elapsed) => Err(failed("no answer in time")),
        }
    }

    async fn connect(&self, place: OwnedSemaphorePermit) -> Result<Session, RedisError> {
        let access = &self.access;
        let generation = access.generation();
        Arc::clone(&access.credentials).refresh().await;
        let allowance = Allowance::new(access.reply_bounds, Arc::clone(&access.replies_refused));
        let server_name = self.server_name.as_deref();
        let stream = dial(&self.address, server_name, &access.tls, Arc::clone(&allowance)).await?;
        // Nothing is sent by the driver itself: our greeting goes with the first batch.
        let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&settings, stream, config).await?;
        Ok(Session {
            connection,
            facts: Facts::default(),
            allowance,
            greeting: Mutex::new(Greeting::Pending(self.greeting())),
            generation,
            _driver: Driver(tokio::spawn(driver)),
            _place: place,
        })
    }

    /// What the server says to whoever connects, where it says something before it hangs up: that
    /// it is full, or protected. What was sent meanwhile may have cost its words the way.
    pub(crate) async fn overhear(&self, deadline: Instant) -> Option<String> {
        if self.address.tls {
            return None;
        }
        #[expect(clippy::disallowed_methods, reason = "it waits for a moment only")]
        let until = deadline.min(Instant::now() + OVERHEAR_MAX);
        let access = &self.access;
        let allowance = Allowance::new(access.reply_bounds, Arc::clone(&access.replies_refused));
        let listening = async {
            let mut stream = dial(&self.address, None, &access.tls, allowance).await?;
            let mut buffer = [0; 512];
            let count = stream.read(&mut buffer).await?;
            std::io::Result::Ok(buffer.get(..count).unwrap_or_default().to_vec())
        };
        let heard = timeout_at(until.into(), listening).await.ok()?.ok()?;
        let text = String::from_utf8_lossy(&heard);
        let (line, _rest) = text.split_once("\r\n")?;
        Some(line.strip_prefix('-')?.to_owned())
    }

    /// Password, database and client name; the last is not needed.
    fn greeting(&self) -> Words {
        let Login { user, password } = self.access.credentials.login(&self.seed, self.origin);
        let mut needed = Vec::new();
        if let Some(password) = &password {
            needed.push(authentication(user.as_deref(), password));
        }
        if self.address.database != 0 {
            needed.push(Command::new("SELECT").arg(self.address.database.to_string()).pack());
        }
        let needed_count = needed.len();
        if self.access.client_name {
            // Where an ACL forbids it, the server goes without our name.
            needed.push(Command::new("CLIENT SETNAME redis_exporter").pack());
        }
        Words { commands: needed, needed_count }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("address", &self.address).finish_non_exhaustive()
    }
}

/// An open connection, and what has been learnt on it.
pub struct Session {
    connection: MultiplexedConnection,
    /// See [`Facts`].
    pub facts: Facts,
    allowance: Arc<Allowance>,
    greeting: Mutex<Greeting>,
    /// Which reading of the passwords it was opened with.
    generation: u64,
    _driver: Driver,
    _place: OwnedSemaphorePermit,
}

/// Moves bytes for a connection, and ends with it.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is said once on a connection. The first `needed_count` have to be answered well.
struct Words {
    commands: Vec<Cmd>,
    needed_count: usize,
}

enum Greeting {
    Pending(Words),
    Done,
    /// The server does not let us in, for this reason.
    Failed(Failure),
}

impl Session {
    /// Sends all `commands` in one batch and adds the answers: as many as come before `deadline`.
    pub async fn ask(&self, commands: Vec<Command>, deadline: Instant, answers: &mut Answers) {
        let packed: Vec<_> = commands.iter().map(Command::pack).collect();
        let received = self.exchange(&packed, deadline).await;
        for (command, (answer, took)) in commands.into_iter().zip(received) {
            answers.insert_timed(command, answer, took);
        }
    }

    /// Sends `commands`, behind the greeting where there was none yet. Where the server does not
    /// let us in, its reason is the answer to each.
    async fn exchange(&self, commands: &[Cmd], deadline: Instant) -> Vec<(Answer, Duration)> {
        let pending = std::mem::replace(&mut *self.greeting(), Greeting::Done);
        let Words { commands: mut packed, needed_count } = match pending {
            Greeting::Pending(words) => words,
            Greeting::Done => return self.transmit(commands, deadline).await,
            Greeting::Failed(refusal) => {
                *self.greeting() = Greeting::Failed(refusal.clone());
                return commands.iter().map(|_| (Err(refusal.clone()), Duration::ZERO)).collect();
            }
        };
        let greeting_count = packed.len();
        packed.extend_from_slice(commands);
        let mut received = self.transmit(&packed, deadline).await;
        if self.allowance.reason().is_none() {
            explain(&mut received);
        }
        let mut own = received.split_off(greeting_count);
        let refusal = received.into_iter().enumerate().find_map(|(index, (answer, _took))| {
            answer.err().filter(|failure| index < needed_count || !failure.spares_connection())
        });
        if let Some(refusal) = refusal {
            *self.greeting() = Greeting::Failed(refusal.clone());
            for (answer, _took) in &mut own {
                *answer = Err(refusal.clone());
            }
        }
        own
    }

    fn is_greeted(&self) -> bool {
        matches!(*self.greeting(), Greeting::Done)
    }

    fn greeting(&self) -> std::sync::MutexGuard<'_, Greeting> {
        self.greeting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One write for all, an answer for each: a slow command does not cost those in front of it.
    pub async fn send(&self, commands: &[Cmd], deadline: Instant) -> Vec<Answer> {
        let answers = self.exchange(commands, deadline).await;
        answers.into_iter().map(|(answer, _took)| answer).collect()
    }

    /// The same for many small commands: one request of the driver, for half of the work. They are
    /// answered together or not at all.
    pub async fn send_together(&self, commands: Vec<Cmd>, deadline: Instant) -> Vec<Answer> {
        if !self.is_greeted() {
            return self.send(&commands, deadline).await;
        }
        self.allowance.refill();
        let count = commands.len();
        let mut pipeline = Pipeline::with_capacity(count);
        for command in commands {
            pipeline.add_command(command);
        }
        let mut connection = self.connection.clone();
        let sent = connection.send_packed_commands(&pipeline, 0, count);
        match timeout_at(deadline.into(), sent).await {
            Ok(Ok(values)) => values.into_iter().map(|value| read(Ok(value))).collect(),
            Ok(Err(error)) => {
                let mut answer = read(Err(error));
                self.explain_break(&mut answer);
                vec![answer; count]
            }
            Err(_elapsed) => vec![Err(Failure::Late); count],
        }
    }

    /// The driver only tells those who wait that the connection is gone; why it was given up is known here.
    fn explain_break(&self, answer: &mut Answer) {
        if let Err(Failure::Broken(told)) = answer
            && let Some(reason) = self.allowance.reason()
        {
            *told = reason;
        }
    }

    /// The same with how long each answer took, and without a greeting.
    #[expect(clippy::disallowed_methods, reason = "answers are timed")]
    async fn transmit(&self, commands: &[Cmd], deadline: Instant) -> Vec<(Answer, Duration)> {
        self.allowance.refill();
        let start = Instant::now();
        let received: Vec<_> = commands.iter().map(|_| OnceLock::new()).collect();
        let sending = commands.iter().zip(&received).map(|(command, place)| {
            let mut connection = self.connection.clone();
            async move {
                let answer = read(connection.send_packed_command(command).await);
                place.get_or_init(|| (answer, start.elapsed()));
            }
        });
        // One clock for all of them: each one more would wake the thread on its own.
        drop(timeout_at(deadline.into(), join_all(sending)).await);
        let took = start.elapsed();
        let received = received.into_iter().map(OnceLock::into_inner);
        let mut received: Vec<_> =
            received.map(|answer| answer.unwrap_or((Err(Failure::Late), took))).collect();
        for (answer, _took) in &mut received {
            self.explain_break(answer);
        }
        received
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// A server which is full, or protected, says so and hangs up: its words are the reason of all.
fn explain(received: &mut [(Answer, Duration)]) {
    let Some(((Err(Failure::Refused(first)), _), rest)) = received.split_first() else { return };
    let hung_up = |(answer, _): &(Answer, Duration)| matches!(answer, Err(Failure::Broken(_)));
    if rest.is_empty() || !rest.iter().all(hung_up) {
        return;
    }
    let reason = first.clone();
    for (answer, _took) in received {
        *answer = Err(Failure::Broken(reason.clone()));
    }
}

fn read(received: Result<Value, RedisError>) -> Answer {
    let error = match received {
        Ok(Value::ServerError(error)) => RedisError::from(error),
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match error.code() {
        Some(code) => {
            let detail = error.detail().unwrap_or_default();
            Err(Failure::Refused(format!("{code} {detail}").trim_end().to_owned()))
        }
        None => Err(Failure::Broken(io_reason(&error))),
    }
}

/// The system's words without its number: `connection refused`.
fn io_reason(error: &RedisError) -> String {
    if matches!(error.kind(), ErrorKind::Parse | ErrorKind::UnexpectedReturnType) {
        return "the answer is not in the protocol of Valkey and Redis".to_owned();
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.strip_suffix(" - ").unwrap_or(text).to_lowercase()
}
