//! The statements which take most time now, and all others as one: `pg_top_statements_*`.
//!
//! The set of statements with series of their own is stable: one leaves it only for another that takes
//! clearly more time. What the others do is added up, scrape by scrape, so that the rate over all
//! series is that of all statements, and nothing falls but when the statistics are reset. Texts are
//! read for new members of the set alone.

use std::collections::{BTreeMap, BTreeSet};

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, Page};

use super::statements::{Column, Servers, counts, key, with_ids};
use crate::{
    instance::{Facts, Instance},
    reading::Statements,
    row::{RowError, Rows},
};

/// See the module.
pub(crate) const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "top_statements",
    help: "Statements that take most time now, and all others as one, from pg_stat_statements",
    enabled_by_default: false,
    build: || Box::new(TopStatements { servers: Servers::default() }),
};

const QUERY: &str = include_str!("top_statements.sql");
const TEXTS: &str = include_str!("top_statements_text.sql");
/// Statements with series of their own; `--collector.stat_statements.limit` where that is less.
const MEMBERS_MAX: usize = 50;
/// How much more time than a member another statement has to take to replace it.
const ADVANTAGE: f64 = 1.5;
/// What a scrape's share in a statement's score keeps at the next one.
const DECAY: f64 = 0.8;
/// In a label of the series of all others.
const OTHER: &str = "other";

/// What is counted of a statement; the second one is what it is ranked by.
const COUNTS: usize = 6;
const SECONDS: usize = 1;
const COLUMNS: [Column; COUNTS] = [
    ("calls", Desc::counter("pg_top_statements_calls_total", "Times executed")),
    ("seconds", Desc::counter("pg_top_statements_seconds_total", "Time spent executing")),
    ("rows", Desc::counter("pg_top_statements_rows_total", "Rows retrieved or affected")),
    (
        "blocks_hit",
        Desc::counter("pg_top_statements_blocks_hit_total", "Blocks found in shared buffers"),
    ),
    (
        "blocks_read",
        Desc::counter("pg_top_statements_blocks_read_total", "Blocks read into shared buffers"),
    ),
    (
        "temp_blocks_written",
        Desc::counter("pg_top_statements_temp_blocks_written_total", "Temporary blocks written"),
    ),
];
const INFO: Desc<'static> =
    Desc::gauge("pg_top_statements_query_info", "Text of a statement with series of its own");

/// User, database and `queryid`.
type Key = [String; 3];
type Counts = [f64; COUNTS];

struct TopStatements {
    servers: Servers<Ranking>,
}

/// What is known of one server's statements.
#[derive(Debug, Default)]
struct Ranking {
    /// All statements of the latest answer.
    known: BTreeMap<Key, Statement>,
    /// Those with series of their own.
    members: BTreeSet<Key>,
    /// What all others did.
    other: Counts,
    /// Texts of members, by `queryid`.
    texts: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Statement {
    counts: Counts,
    score: f64,
}

impl Ranking {
    /// Takes an answer: counts what happened since the one before, and chooses the members anew.
    fn update(&mut self, rows: &Rows, members_max: usize) -> Result<(), RowError> {
        let is_first = self.known.is_empty();
        let mut now = BTreeMap::new();
        for row in rows.iter() {
            let key: Key = key(&row, ["user", "datname", "queryid"])?;
            let counts: Counts = counts(&row, &COLUMNS)?;
            let before = self.known.get(&key).copied().unwrap_or_default();
            // Counts that fell begin again: the statement was forgotten in between.
            let fell = counts[SECONDS] < before.counts[SECONDS];
            let base = if fell { Counts::default() } else { before.counts };
            if !is_first && !self.members.contains(&key) {
                for ((other, count), base) in self.other.iter_mut().zip(counts).zip(base) {
                    *other += (count - base).max(0.0);
                }
            }
            let score = before.score * DECAY + (counts[SECONDS] - base[SECONDS]);
            now.insert(key, Statement { counts, score });
        }
        self.known = now;
        self.elect(members_max);
        if is_first {
            let others = self.known.iter().filter(|(key, _)| !self.members.contains(*key));
            for (_, statement) in others {
                for (other, count) in self.other.iter_mut().zip(statement.counts) {
                    *other += count;
                }
            }
        }
        Ok(())
    }

    fn elect(&mut self, members_max: usize) {
        let favour = |key: &Key| if self.members.contains(key) { ADVANTAGE } else { 1.0 };
        let mut ranked: Vec<(f64, &Key)> = self
            .known
            .iter()
            .map(|(key, statement)| (statement.score * favour(key), key))
            .collect();
        // Of equal ones the first by name, so that the choice is defined.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let members = ranked.into_iter().take(members_max).map(|(_, key)| key.clone()).collect();
        self.members = members;
        let members = &self.members;
        self.texts.retain(|id, _| members.iter().any(|[.., member]| member == id));
    }

    /// Members whose text is not known yet.
    fn without_text(&self) -> BTreeSet<&str> {
        let ids = self.members.iter().map(|[.., id]| id.as_str());
        ids.filter(|id| !self.texts.contains_key(*id)).collect()
    }

    /// Takes the texts of members.
    fn learn(&mut self, rows: &Rows) -> Result<(), RowError> {
        for row in rows.iter() {
            if let (Some(id), Some(text)) = (row.text("queryid")?, row.text("query")?) {
                self.texts.insert(id.to_owned(), text.to_owned());
            }
        }
        Ok(())
    }

    fn write(&self, out: &mut Page) {
        for (index, (_, desc)) in COLUMNS.iter().enumerate() {
            let mut family = out.family(desc.clone());
            for key in &self.members {
                if let Some(statement) = self.known.get(key) {
                    family.sample(&labels(key), statement.counts[index]);
                }
            }
            let other = [("user", ""), ("datname", ""), ("queryid", OTHER)];
            family.sample(&other, self.other[index]);
        }
        let mut info = out.family(INFO);
        for (id, text) in &self.texts {
            info.sample(&[("queryid", id), ("query", text)], 1.0);
        }
    }
}

fn labels(key: &Key) -> [(&str, &str); 3] {
    let [user, datname, queryid] = key;
    [("user", user), ("datname", datname), ("queryid", queryid)]
}

impl Collector<Instance> for TopStatements {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move {
            let statements = &instance.reading().statements;
            let members_max =
                usize::try_from(statements.limit).unwrap_or(MEMBERS_MAX).min(MEMBERS_MAX);
            let rows = instance.query_slow(&instance.facts.with_schemas(QUERY)).await?;
            let wanted: Vec<String> = self.servers.with(instance, |ranking| {
                ranking.update(&rows, members_max)?;
                let wanted = ranking.without_text().into_iter();
                Ok(wanted.filter(|_| statements.include_query).map(str::to_owned).collect())
            })?;
            if !wanted.is_empty() {
                let sql = texts_query(&instance.facts, statements, &wanted);
                let rows = instance.query_slow(&sql).await?;
                self.servers.with(instance, |ranking| ranking.learn(&rows))?;
            }
            self.servers.with(instance, |ranking| {
                ranking.write(out);
                Ok(())
            })?;
            Ok(())
        })
    }
}

fn texts_query(facts: &Facts, statements: &Statements, ids: &[String]) -> String {
    let length = statements.query_length.to_string();
    with_ids(&facts.with_schemas(TEXTS).replace("@length@", &length), ids)
}

#[cfg(test)]
mod tests;
