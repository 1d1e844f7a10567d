//! The databases of a server: which are watched, and how each one is asked.
//!
//! A collector of what is in a database goes through [`Instance::each_database`], which asks the
//! connected database alone, or with `--auto-discover-databases` every one that the flags take.
//! Queries with databases of their own choice list them by [`Instance::databases`] and ask by
//! [`Database::query`]. Either way one connection serves all who ask the same database at the same
//! time and ends with the last of them; `--max-connections` bounds all connections together; and a
//! database which cannot be asked costs only itself, and is named by `pg_scrape_database_success`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use metrics_server::CollectError;
use tokio::sync::OnceCell;
use tracing::warn;

use crate::{
    instance::Instance,
    row::{RowError, Rows},
    session::{ConnectError, QueryError, Session},
};

/// A name in which `*` is any text and `?` any character.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Glob(String);

impl Glob {
    /// Every text is a glob.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// `a,b*` as globs, without blanks around them.
    pub fn list(text: &str) -> Vec<Self> {
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(Self::new).collect()
    }

    /// Whether `name` is meant, all of it.
    pub fn matches(&self, name: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut from) = (0, 0);
        // Where the last `*` stands, and up to where it has taken the name.
        let mut star = None;
        while from < name.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, from));
                    at += 1;
                }
                Some(c) if *c == '?' || name.get(from) == Some(c) => {
                    at += 1;
                    from += 1;
                }
                _ => match &mut star {
                    Some((position, taken)) => {
                        *taken += 1;
                        (at, from) = (*position + 1, *taken);
                    }
                    None => return false,
                },
            }
        }
        pattern.iter().skip(at).all(|c| *c == '*')
    }
}

/// Which databases the flags take.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// `--auto-discover-databases`: all, and not only the connected one.
    pub discover: bool,
    /// `--include-databases`: where there are any, a discovered database is one of these.
    pub include: Vec<Glob>,
    /// `--exclude-databases`: never these. The connected database is always asked.
    pub exclude: Vec<Glob>,
}

impl Selection {
    /// Whether `name` is not to be seen at all.
    pub fn excludes(&self, name: &str) -> bool {
        self.exclude.iter().any(|glob| glob.matches(name))
    }

    /// Whether a discovered database is one of those wanted.
    pub fn takes(&self, name: &str) -> bool {
        let included =
            self.include.is_empty() || self.include.iter().any(|glob| glob.matches(name));
        included && !self.excludes(name)
    }
}

/// A connection to another database during one scrape, shared by all who are there.
type Visit = OnceCell<Result<Session, ConnectError>>;

/// The visits of one scrape, and how they went. The locks are held for a few instructions only.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    open: Mutex<BTreeMap<String, Weak<Visit>>>,
    outcomes: Mutex<BTreeMap<String, bool>>,
}

impl Visits {
    fn enter(&self, database: &str) -> Arc<Visit> {
        let mut open = lock(&self.open);
        if let Some(visit) = open.get(database).and_then(Weak::upgrade) {
            return visit;
        }
        let visit = Arc::new(Visit::new());
        open.insert(database.to_owned(), Arc::downgrade(&visit));
        visit
    }

    fn note(&self, database: &str, succeeded: bool) {
        *lock(&self.outcomes).entry(database.to_owned()).or_insert(true) &= succeeded;
    }

    /// The databases which were asked, and whether all went well there.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, bool> {
        lock(&self.outcomes).clone()
    }
}

/// Plain values: a panic elsewhere leaves none half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One database of a server during one scrape.
#[derive(Clone, Copy, Debug)]
pub struct Database<'a> {
    instance: &'a Instance,
    name: &'a str,
}

impl<'a> Database<'a> {
    /// Its name.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Asks it, on a connection that is not the one for short queries.
    ///
    /// # Errors
    ///
    /// See [`QueryError`]: there may be no such database any more, or no connection to be had.
    pub async fn query(&self, sql: &str) -> Result<Rows, QueryError> {
        let instance = self.instance;
        if self.name == instance.facts.database && !instance.discovers() {
            instance.query_slow(sql).await
        } else {
            self.query_apart(sql).await
        }
    }

    /// Asks on a connection which lives as long as somebody asks this database.
    pub(crate) async fn query_apart(&self, sql: &str) -> Result<Rows, QueryError> {
        let instance = self.instance;
        let visit = instance.visits.enter(self.name);
        let session =
            visit.get_or_init(|| instance.target().visit(self.name, instance.deadline())).await;
        let outcome = match session {
            Ok(session) => session.query(&instance.target().bounded(sql)).await,
            Err(error) => Err(QueryError::NoSession(error.clone())),
        };
        instance.noted(outcome)
    }
}

/// What a collector does with one database.
pub type Asking<'a> = BoxFuture<'a, Result<Rows, QueryError>>;

impl Instance {
    /// Every database that may be connected to, the connected one first, whatever the flags take.
    ///
    /// # Errors
    ///
    /// See [`QueryError`].
    pub async fn databases(&self) -> Result<&[String], QueryError> {
        let names = self.names.get_or_try_init(|| async {
            let rows = self.query(include_str!("databases.sql")).await?;
            let names = rows.iter().filter_map(|row| row.text("datname").ok().flatten());
            Ok(names.map(str::to_owned).collect::<Vec<_>>())
        });
        Ok(names.await?.as_slice())
    }

    /// A database by its name.
    pub const fn database<'a>(&'a self, name: &'a str) -> Database<'a> {
        Database { instance: self, name }
    }

    /// Whether more databases than the connected one are watched.
    pub fn discovers(&self) -> bool {
        self.reading().databases.discover
    }

    /// Asks each watched database by `ask` and hands the answers to `take`, each as it comes in, so
    /// that they need not be in memory together. As many are asked at once as there may be
    /// connections besides the one for short queries.
    ///
    /// # Errors
    ///
    /// No database could be asked, or `take` refused an answer.
    pub async fn each_database<'a>(
        &'a self,
        ask: impl Fn(Database<'a>) -> Asking<'a> + Send + Sync,
        mut take: impl FnMut(&str, &Rows) -> Result<(), RowError> + Send,
    ) -> Result<(), CollectError> {
        if !self.discovers() {
            let database = self.database(&self.facts.database);
            return Ok(take(database.name, &ask(database).await?)?);
        }
        let selection = &self.reading().databases;
        let connected = self.facts.database.as_str();
        let names = self.databases().await?.iter().map(String::as_str);
        let mut asking = Vec::new();
        for name in names {
            if name == connected || selection.takes(name) {
                asking.push(ask(self.database(name)).map(move |answer| (name, answer)).boxed());
            }
        }
        let mut answers = stream::iter(asking).buffer_unordered(self.target().visits_max());
        let (mut succeeded, mut failure) = (false, None);
        while let Some((name, answer)) = answers.next().await {
            self.visits.note(name, answer.is_ok());
            match answer {
                Ok(rows) => {
                    take(name, &rows)?;
                    succeeded = true;
                }
                Err(error) => {
                    warn!(server = self.server(), database = name, %error, "left a database out");
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(error) if !succeeded => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
