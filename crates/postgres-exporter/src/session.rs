//! One connection to a server: opened within a time, asked with bounded queries, closed for good.

use std::{error::Error as StdError, fmt, pin::pin, time::Duration};

use futures_util::TryStreamExt as _;
use metrics_server::CollectError;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, oneshot},
    time::timeout,
};
use tokio_postgres::{
    Client, Config, Connection, SimpleQueryMessage, SimpleQueryRow, Socket, config, error::SqlState,
};
use tracing::debug;

use crate::{
    credentials::{CredentialsError, Login},
    dsn::{Dsn, SslMode},
    row::{RowError, Rows},
    tls::{self, Tls},
};

/// What the driver makes of a login.
type Connected = (Client, Connection<Socket, tls::Stream<Socket>>);

/// Rows of one answer; beyond it the query fails, so that a server cannot fill our memory.
const ROWS_MAX: usize = 200_000;
/// Time for a connection to end after nobody uses it any more, beyond the longest statement.
const CLOSE_MARGIN: Duration = Duration::from_secs(2);
/// Time after which the system gives up on a peer that acknowledges nothing.
const PEER_SILENCE_MAX: Duration = Duration::from_secs(15);

/// A database with encoding `SQL_ASCII` holds any bytes, and the server refuses an answer with bytes
/// that are not UTF-8 unless we take them as they are. The setting ends with the query.
const RAW: &str = "SET LOCAL client_encoding=SQL_ASCII;";

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first packet to a session which is logged in.
    pub connect: Duration,
    /// One statement, on the server.
    pub statement: Duration,
    /// Waiting for one lock, on the server.
    pub lock: Duration,
    /// Connections to one server, those included which are still closing.
    pub connections_max: usize,
}

/// Why there is no session. No secret is told.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ConnectError {
    /// The server does not answer.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The server, or the way to it, refuses.
    #[error("{0}")]
    Refused(String),
    /// As many connections as are allowed are open or still closing.
    #[error("all connections to the server are in use")]
    Full,
    /// Role or password cannot be had.
    #[error("{0}")]
    Credentials(#[from] CredentialsError),
    /// The files that `sslmode` asks for cannot be used.
    #[error("{0}")]
    Ssl(String),
}

/// Why a query has no answer.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The connection broke.
    #[error("the connection is gone: {0}")]
    Gone(String),
    /// The server refuses: its code and message.
    #[error("{message} (SQLSTATE {code})")]
    Server {
        /// Five characters, see the server's manual.
        code: String,
        /// One line.
        message: String,
    },
    /// There is no connection to ask on.
    #[error("cannot connect: {0}")]
    NoSession(ConnectError),
    /// See `ROWS_MAX`.
    #[error("the answer has more than {ROWS_MAX} rows")]
    TooManyRows,
}

impl QueryError {
    /// Whether a lock was not to be had in time.
    pub fn is_lock_timeout(&self) -> bool {
        matches!(self, Self::Server { code, .. } if code == "55P03")
    }
}

impl From<QueryError> for CollectError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Gone(_) | QueryError::NoSession(_) => Self::Unreachable(error.into()),
            QueryError::Server { .. } | QueryError::TooManyRows => Self::Malformed(error.into()),
        }
    }
}

impl From<RowError> for CollectError {
    fn from(error: RowError) -> Self {
        Self::Malformed(error.into())
    }
}

/// A connection which is logged in. Queries of several callers are pipelined: each is sent at once
/// and the server answers in order.
pub struct Session {
    client: Client,
    /// What stands before each query: see [`RAW`].
    prefix: &'static str,
    /// Dropped with the session, which tells the task behind it to end.
    _closing: oneshot::Sender<()>,
}

impl Session {
    /// Logs in. `place` is given back when the connection has ended, not before.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`]; the caller bounds the time.
    pub async fn open(
        dsn: &Dsn,
        limits: Limits,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, ConnectError> {
        let (client, connection) = connect(dsn).await?;
        let raw = connection.parameter("server_encoding") == Some("SQL_ASCII");
        let (closing, closed) = oneshot::channel();
        tokio::spawn(drive(connection, closed, limits.statement + CLOSE_MARGIN, place));
        Ok(Self { client, prefix: if raw { RAW } else { "" }, _closing: closing })
    }

    /// Whether the connection is there, as far as is known without asking.
    pub fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    /// Sends `sql`, which may be several statements, and reads the rows of the last one.
    ///
    /// # Errors
    ///
    /// See [`QueryError`]; the caller bounds the time.
    pub async fn query(&self, sql: &str) -> Result<Rows, QueryError> {
        let sql = format!("{}{sql}", self.prefix);
        let mut messages =
            pin!(self.client.simple_query_raw(&sql).await.map_err(|error| classify(&error))?);
        let mut rows = Rows::default();
        while let Some(message) = messages.try_next().await.map_err(|error| classify(&error))? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    rows =
                        Rows::new(columns.iter().map(|column| column.name().to_owned()).collect());
                }
                SimpleQueryMessage::Row(row) => {
                    if rows.len() >= ROWS_MAX {
                        return Err(QueryError::TooManyRows);
                    }
                    rows.push((0..row.len()).map(|index| cell(&row, index)));
                }
                _ => {}
            }
        }
        Ok(rows)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("open", &self.is_open()).finish_non_exhaustive()
    }
}

/// A value as text. Bytes which are not UTF-8, as a database with encoding `SQL_ASCII` may hold,
/// become one replacement character.
fn cell(row: &SimpleQueryRow, index: usize) -> Option<&str> {
    row.try_get(index).unwrap_or(Some("\u{fffd}"))
}

/// Moves bytes until the peer closes, or until nobody asks any more and the last answer is in. A
/// server that goes on with a statement keeps its place among the connections until then.
async fn drive<S, T>(
    connection: Connection<S, T>,
    closed: oneshot::Receiver<()>,
    close_limit: Duration,
    place: OwnedSemaphorePermit,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        _dropped = closed => timeout(close_limit, &mut connection).await.ok(),
    };
    match ended {
        Some(Ok(())) => debug!("connection closed"),
        Some(Err(error)) => debug!(error = describe(&error), "connection broke"),
        None => debug!("connection abandoned, the server does not answer"),
    }
    drop(place);
}

/// Tries encrypted and plain in the order that `sslmode` has for them.
async fn connect(dsn: &Dsn) -> Result<Connected, ConnectError> {
    let attempts: &[config::SslMode] = match dsn.ssl.mode {
        SslMode::Disable => &[config::SslMode::Disable],
        SslMode::Allow => &[config::SslMode::Disable, config::SslMode::Require],
        SslMode::Prefer => &[config::SslMode::Prefer, config::SslMode::Disable],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[config::SslMode::Require],
    };
    let tls = Tls::new(&dsn.ssl).map_err(|error| ConnectError::Ssl(error.to_string()))?;
    let mut config = config(dsn, &dsn.login().await?);
    let mut refused = ConnectError::Full;
    for mode in attempts {
        match config.ssl_mode(*mode).connect(tls.clone()).await {
            Ok(connected) => return Ok(connected),
            Err(error) => {
                refused = ConnectError::Refused(describe(&error));
                if !may_differ(&error) {
                    break;
                }
            }
        }
    }
    Err(refused)
}

/// Whether the other kind of connection could succeed where this one failed: the server may want
/// it (`pg_hba.conf`), or the handshake broke.
fn may_differ(error: &tokio_postgres::Error) -> bool {
    let wanted = SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
    error.code().map_or_else(|| error.to_string().contains("TLS"), |code| *code == wanted)
}

fn config(dsn: &Dsn, login: &Login) -> Config {
    let mut config = Config::new();
    config
        .host(&dsn.host)
        .port(dsn.port)
        .user(&login.user)
        .dbname(&dsn.database)
        .application_name(&dsn.application_name)
        .tcp_user_timeout(PEER_SILENCE_MAX)
        .keepalives_idle(PEER_SILENCE_MAX);
    if let Some(password) = &login.password {
        config.password(password.reveal());
    }
    if let Some(options) = dsn.startup_options() {
        config.options(options);
    }
    config
}

fn classify(error: &tokio_postgres::Error) -> QueryError {
    match error.as_db_error() {
        Some(server) => QueryError::Server {
            code: server.code().code().to_owned(),
            message: one_line(server.message()),
        },
        None => QueryError::Gone(describe(error)),
    }
}

/// An error with its causes, on one line.
fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", one_line(server.message()), server.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    one_line(&text)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
