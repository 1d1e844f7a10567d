//! One server: its connection, which is kept between scrapes, and how commands are sent on it.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use futures_util::future::join_all;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisConnectionInfo, RedisError, Value,
    aio::MultiplexedConnection, io::tcp::TcpSettings,
};
use tokio::time::timeout_at;

use crate::{
    address::{Address, Place},
    command::{Answer, Answers, Command, Failure, authentication},
    facts::Facts,
    secret::Secret,
};

/// A server, and who we are to it.
pub struct Node {
    address: Address,
    user: Option<String>,
    password: Option<Secret>,
    client_name: bool,
    /// A connection nobody uses at the moment. Held for a few instructions, never across an
    /// `await`: two scrapes at once have a connection each, and the later one is kept.
    idle: Mutex<Option<Session>>,
}

/// An open connection, and what has been learnt on it.
pub struct Session {
    connection: MultiplexedConnection,
    /// See [`Facts`].
    pub facts: Facts,
}

impl Node {
    /// `client_name` says whether to tell the server our name.
    pub const fn new(
        address: Address,
        user: Option<String>,
        password: Option<Secret>,
        client_name: bool,
    ) -> Self {
        Self { address, user, password, client_name, idle: Mutex::new(None) }
    }

    /// Where it is.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Where it is and who we are to it, without the password.
    pub fn identity(&self) -> String {
        let user = self.user.as_deref().unwrap_or_default();
        format!("{user}@{}/{}", self.address, self.address.database)
    }

    /// Another node of its cluster, to which we are the same.
    #[must_use]
    pub fn at(&self, place: Place) -> Self {
        let address = Address { place, database: 0, user: None, password: None };
        Self::new(address, self.user.clone(), self.password.clone(), self.client_name)
    }

    /// Who we are to it.
    #[cfg(test)]
    pub fn credentials(&self) -> (Option<&str>, Option<&Secret>) {
        (self.user.as_deref(), self.password.as_ref())
    }

    /// The connection of an earlier scrape, if there is one. It may have broken since.
    pub fn take(&self) -> Option<Session> {
        self.idle().take()
    }

    /// Keeps a connection for the next scrape.
    pub fn keep(&self, session: Session) {
        *self.idle() = Some(session);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Option<Session>> {
        // A session is whole or not there.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects, and says who we are.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or does not take our password or database.
    pub async fn open(&self, deadline: Instant) -> Result<Session, Failure> {
        let connecting = timeout_at(deadline.into(), self.connect()).await;
        let connection = match connecting {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                let reason = io_reason(&error);
                return Err(Failure::Broken(format!(
                    "cannot connect to {}: {reason}",
                    self.address
                )));
            }
            Err(_elapsed) => {
                return Err(Failure::Broken(format!(
                    "cannot connect to {}: no answer in time",
                    self.address
                )));
            }
        };
        let session = Session { connection, facts: Facts::default() };
        self.greet(&session, deadline).await?;
        Ok(session)
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        // A batch must not wait for the acknowledgement of the one before it.
        let tcp = TcpSettings::default().set_nodelay(true);
        let info = self.address.connection_info()?;
        let info = info.set_redis_settings(settings).set_tcp_settings(tcp);
        // Our own deadline is for the whole scrape; the driver's would be for each step.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Password, database and client name, in one batch: whoever has none of them waits for nothing.
    async fn greet(&self, session: &Session, deadline: Instant) -> Result<(), Failure> {
        let mut needed = Vec::new();
        if let Some(password) = &self.password {
            needed.push(authentication(self.user.as_deref(), password));
        }
        if self.address.database != 0 {
            needed.push(Command::new("SELECT").arg(self.address.database.to_string()).pack());
        }
        let needed_count = needed.len();
        if self.client_name {
            // Where an ACL forbids it, the server goes without our name.
            needed.push(Command::new("CLIENT SETNAME redis_exporter").pack());
        }
        let answers = session.send(&needed, deadline).await;
        for (index, answer) in answers.into_iter().enumerate() {
            match answer {
                Err(failure) if index < needed_count || !failure.spares_connection() => {
                    return Err(failure);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Session {
    /// Sends all `commands` in one batch and adds the answers: as many as come before `deadline`.
    pub async fn ask(&self, commands: Vec<Command>, deadline: Instant, answers: &mut Answers) {
        let packed: Vec<_> = commands.iter().map(Command::pack).collect();
        let received = self.send(&packed, deadline).await;
        for (command, answer) in commands.into_iter().zip(received) {
            answers.insert(command, answer);
        }
    }

    /// One write for all, an answer for each: a slow command does not cost those in front of it.
    pub async fn send(&self, commands: &[Cmd], deadline: Instant) -> Vec<Answer> {
        let sending = commands.iter().map(|command| {
            let mut connection = self.connection.clone();
            async move {
                match timeout_at(deadline.into(), connection.send_packed_command(command)).await {
                    Ok(received) => read(received),
                    Err(_elapsed) => Err(Failure::Late),
                }
            }
        });
        join_all(sending).await
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("facts", &self.facts).finish_non_exhaustive()
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
