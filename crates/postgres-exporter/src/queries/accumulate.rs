//! Answers added up: counters made of samples, as of what sessions wait for.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{Query, ROWS_MAX, Usage, value};
use crate::row::Rows;

/// The columns which are no numbers, and those which are.
type Key = Vec<Option<String>>;

/// What one query has found so far on one server. Its lock is held while one answer is added.
#[derive(Debug, Default)]
pub struct Accumulator {
    databases: Mutex<BTreeMap<String, BTreeMap<Key, Vec<f64>>>>,
}

impl Accumulator {
    /// Adds an answer and gives the sums so far, in the same columns. When there are as many rows as
    /// there may be, new ones are left out and known ones go on.
    pub fn add(&self, query: &Query, database: &str, rows: &Rows) -> Rows {
        let names: Vec<&str> = rows.columns().collect();
        let sums: Vec<bool> = names.iter().map(|name| query.sums(name)).collect();
        let rows_max = query.rows_max.unwrap_or(ROWS_MAX) as usize;
        let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        let totals = databases.entry(database.to_owned()).or_default();
        for row in rows.iter() {
            let cells: Vec<_> = row.cells().zip(&sums).collect();
            let key: Key = cells
                .iter()
                .map(|(cell, sum)| cell.filter(|_| !**sum).map(str::to_owned))
                .collect();
            if totals.len() >= rows_max && !totals.contains_key(&key) {
                continue;
            }
            let total = totals.entry(key).or_insert_with(|| vec![0.0; names.len()]);
            for (total, (cell, sum)) in total.iter_mut().zip(cells) {
                if *sum {
                    *total += cell.and_then(value::number).unwrap_or_default();
                }
            }
        }
        let mut answer = Rows::new(names.iter().map(|name| (*name).to_owned()).collect());
        for (key, total) in totals {
            let texts: Vec<Option<String>> = key
                .iter()
                .zip(total)
                .zip(&sums)
                .map(
                    |((text, total), sum)| {
                        if *sum { Some(total.to_string()) } else { text.clone() }
                    },
                )
                .collect();
            answer.push(texts.iter().map(Option::as_deref));
        }
        answer
    }
}

impl Query {
    /// Whether a column is added up.
    fn sums(&self, name: &str) -> bool {
        let column = self.columns.iter().find(|column| column.name == name);
        column.is_some_and(|column| matches!(column.usage, Usage::Number(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::Accumulator;
    use crate::{
        queries::{Queries, UnknownKeys},
        row::fixture::table,
    };

    #[test]
    fn samples_are_added_up_by_their_labels() {
        let text = "w: {query: x, accumulate: true, schedule: 1, rows_max: 3, unmapped: ignore, \
                    metrics: [{event: {usage: LABEL}}, {n: {usage: COUNTER}}]}";
        let queries = Queries::parse("q", text, UnknownKeys::Refuse, &|_| Err(String::new()));
        let queries = queries.expect("valid").queries;
        let query = queries.first().expect("one");
        let sums = Accumulator::default();
        let first = "event | n\nLock | 2\n- | 1";
        assert_eq!(sums.add(query, "app", &table(first)), table("event | n\n- | 1\nLock | 2"));
        let second = "event | n\nIO | 1\nLock | 3\nnew | 9";
        let expected = "event | n\n- | 1\nIO | 1\nLock | 5";
        assert_eq!(sums.add(query, "app", &table(second)), table(expected), "three rows at most");
        let other = sums.add(query, "other", &table(first));
        assert_eq!(other, table("event | n\n- | 1\nLock | 2"), "each database for itself");
    }
}
