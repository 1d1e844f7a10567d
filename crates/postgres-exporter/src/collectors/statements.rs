//! What collectors of `pg_stat_statements` share: memories of servers, and how statements are named.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use metrics_server::{CollectError, Desc};

use crate::{
    instance::Instance,
    row::{Row, RowError},
};

/// Servers and databases of which one collector knows statements.
const SERVERS_MAX: usize = 100;

/// A column of counts and its family.
pub(super) type Column = (&'static str, Desc<'static>);

/// What a collector remembers, by server and database. The lock is held while one answer is counted.
#[derive(Debug, Default)]
pub(super) struct Servers<T>(Mutex<BTreeMap<String, T>>);

impl<T: Default> Servers<T> {
    /// Does something with what is known of one server.
    pub(super) fn with<U>(
        &self,
        instance: &Instance,
        act: impl FnOnce(&mut T) -> Result<U, RowError>,
    ) -> Result<U, CollectError> {
        let place = format!("{}/{}", instance.server(), instance.facts.database);
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.len() >= SERVERS_MAX && !servers.contains_key(&place) {
            return Err(CollectError::Malformed("too many servers for one collector".into()));
        }
        Ok(act(servers.entry(place).or_default())?)
    }
}

/// What tells a statement from others: the texts of these columns, NULL as an empty one.
pub(super) fn key<const N: usize>(
    row: &Row<'_>,
    columns: [&str; N],
) -> Result<[String; N], RowError> {
    let mut key = [const { String::new() }; N];
    for (text, column) in key.iter_mut().zip(columns) {
        row.text(column)?.unwrap_or_default().clone_into(text);
    }
    Ok(key)
}

/// What the server counted of a statement, by column.
pub(super) fn counts<const N: usize>(
    row: &Row<'_>,
    columns: &[Column; N],
) -> Result<[f64; N], RowError> {
    let mut counts = [0.0; N];
    for (count, (column, _)) in counts.iter_mut().zip(columns) {
        *count = row.number(column)?.unwrap_or_default();
    }
    Ok(counts)
}

/// `sql` with these `queryid`s in place of `@ids@`. They came from the server as numbers; nothing else is
/// put into SQL.
pub(super) fn with_ids(sql: &str, ids: &[String]) -> String {
    let ids = ids.iter().filter_map(|id| id.parse::<i64>().ok());
    let ids = ids.map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    sql.replace("@ids@", if ids.is_empty() { "NULL" } else { &ids })
}
