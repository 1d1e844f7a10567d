//! A server as one scrape sees it: what it is, and the connections to ask it on.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::OnceCell, time::Instant};

use crate::{
    databases::Visits,
    reading::{Compat, Reading},
    row::{RowError, Rows},
    session::{ConnectError, QueryError, Session},
    target::Target,
};

/// What a server tells about itself, asked anew for each scrape: a standby may have become the
/// primary, a minor update may have come.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// As `server_version_num`: 150018 is 15.18.
    pub version: u32,
    /// The whole sentence of `version()`.
    pub version_text: String,
    /// Whether it is a standby.
    pub in_recovery: bool,
    /// The database that the data source names.
    pub database: String,
    /// Whether the files of the write-ahead log may be listed.
    pub may_list_wal: bool,
    /// The extensions in it, and the schema of each, quoted where it has to be.
    pub extensions: BTreeMap<String, String>,
}

impl Facts {
    pub(crate) const QUERY: &str = include_str!("facts.sql");

    /// Reads the answer to the facts query.
    ///
    /// # Errors
    ///
    /// A column is missing or is no number.
    pub fn read(rows: &Rows) -> Result<Self, RowError> {
        let row = rows.iter().next().ok_or_else(|| RowError::NoColumn("version_num".to_owned()))?;
        let version = row.text("version_num")?.and_then(|text| text.parse().ok());
        Ok(Self {
            version: version.ok_or_else(|| RowError::NotANumber("version_num".to_owned()))?,
            version_text: row.text("version")?.unwrap_or_default().to_owned(),
            in_recovery: row.number("in_recovery")? == Some(1.0),
            database: row.text("database")?.unwrap_or_default().to_owned(),
            may_list_wal: row.number("may_list_wal")? == Some(1.0),
            extensions: extensions(row.text("extensions")?.unwrap_or_default()),
        })
    }

    /// The major version, for example 17.
    pub const fn major(&self) -> u32 {
        self.version / 10_000
    }

    /// `sql` with the schemas of the extensions in it, `@schema:NAME@`. Names are qualified since
    /// the search path of our queries is `pg_catalog` alone.
    pub fn with_schemas<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        let mut sql = Cow::Borrowed(sql);
        for (name, schema) in &self.extensions {
            let mark = format!("@schema:{name}@");
            if sql.contains(&mark) {
                sql = Cow::Owned(sql.replace(&mark, schema));
            }
        }
        sql
    }

    /// The version as three numbers: `15.18.0`, and `9.6.24` in the old scheme.
    pub fn version_short(&self) -> String {
        let (major, rest) = (self.version / 10_000, self.version % 10_000);
        if major >= 10 {
            format!("{major}.{rest}.0")
        } else {
            format!("{major}.{}.{}", rest / 100, rest % 100)
        }
    }
}

/// Reads `name=schema` lines.
fn extensions(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, schema)| (name.to_owned(), schema.to_owned())).collect()
}

/// One server during one scrape.
#[derive(Debug)]
pub struct Instance {
    /// See [`Facts`].
    pub facts: Facts,
    /// Why a new login failed although this older connection works.
    pub login_error: Option<ConnectError>,
    target: Arc<Target>,
    main: Arc<Session>,
    slow: OnceCell<Arc<Session>>,
    deadline: Instant,
    failed: AtomicBool,
    pub(crate) visits: Visits,
    pub(crate) names: OnceCell<Vec<String>>,
}

impl Instance {
    pub(crate) fn new(
        target: Arc<Target>,
        main: Arc<Session>,
        facts: Facts,
        login_error: Option<ConnectError>,
        deadline: Instant,
    ) -> Self {
        let failed = AtomicBool::new(false);
        Self {
            facts,
            login_error,
            target,
            main,
            slow: OnceCell::new(),
            deadline,
            failed,
            visits: Visits::default(),
            names: OnceCell::new(),
        }
    }

    /// `host:port`.
    pub fn server(&self) -> String {
        self.target.server()
    }

    /// What flags say of all servers.
    pub fn reading(&self) -> &Reading {
        self.target.reading()
    }

    /// The labels that 0.19 has on what is no collector's there, if 0.19 is written.
    pub fn legacy_labels(&self) -> Option<Vec<(String, String)>> {
        let reading = self.reading();
        let server = || ("server".to_owned(), self.server());
        (reading.compat == Compat::V0_19)
            .then(|| std::iter::once(server()).chain(reading.constant_labels.clone()).collect())
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Asks on the connection for short queries, which all collectors share.
    ///
    /// # Errors
    ///
    /// See [`QueryError`].
    pub async fn query(&self, sql: &str) -> Result<Rows, QueryError> {
        self.noted(self.main.query(&self.target.bounded(sql)).await)
    }

    /// Asks on a connection of its own, for queries which walk files or may wait for locks, so that
    /// the others do not queue behind them. Where there is none to be had, the shared one serves.
    ///
    /// # Errors
    ///
    /// See [`QueryError`].
    pub async fn query_slow(&self, sql: &str) -> Result<Rows, QueryError> {
        if self.discovers() {
            return self.database(&self.facts.database).query_apart(sql).await;
        }
        let own = self.slow.get_or_try_init(|| self.target.slow(self.deadline)).await;
        let session = own.unwrap_or(&self.main);
        self.noted(session.query(&self.target.bounded(sql)).await)
    }

    /// Whether a query has failed during this scrape.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Time until the scrape has to be complete.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    pub(crate) fn noted(&self, outcome: Result<Rows, QueryError>) -> Result<Rows, QueryError> {
        if outcome.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

#[cfg(test)]
mod tests;
