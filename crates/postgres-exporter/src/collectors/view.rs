//! A collector which is a query and a list of its columns.

use futures_util::FutureExt as _;
use metrics_server::{Collecting, Collector, Page};

use super::columns::{self, Column};
use crate::{
    instance::Instance,
    prefix::Prefix,
    reading::Compat,
    row::{RowError, Rows},
};

/// A query, and the families which its columns become.
pub(super) struct View {
    /// One statement. `@schema:NAME@` in it becomes the schema of that extension.
    pub(super) query: &'static str,
    /// Where and on which connection it is asked.
    pub(super) reach: Reach,
    /// Families by the labels that they have.
    pub(super) parts: &'static [Part],
}

/// Where a query is asked.
#[derive(Clone, Copy)]
pub(super) enum Reach {
    /// On the connection of short queries.
    Short,
    /// On a connection of its own: it may take long or wait.
    Slow,
    /// In every watched database.
    EachDatabase,
}

/// Families with the same labels.
pub(super) struct Part {
    /// Columns which become labels of the same name.
    pub(super) labels: &'static [&'static str],
    /// What stands in a label where the server has NULL.
    pub(super) null_label: &'static str,
    /// Whether 0.19 wrote these outside its collectors: see [`Old`]; NULL is NaN.
    pub(super) legacy: bool,
    /// Columns which become families.
    pub(super) columns: &'static [Column],
}

/// What 0.19 does with what it writes outside its collectors.
pub(super) struct Old<'a> {
    /// `server`, and those of `--constantLabels`.
    pub(super) labels: &'a [(&'a str, &'a str)],
    /// `--metric-prefix`.
    pub(super) prefix: &'a Prefix,
}

impl View {
    /// Adds all families; `old` is there where 0.19 is written.
    pub(super) fn write(
        &self,
        rows: &Rows,
        old: Option<&Old<'_>>,
        out: &mut Page,
    ) -> Result<(), RowError> {
        for part in self.parts {
            let old = old.filter(|_| part.legacy);
            let style = columns::Style {
                labels: part.labels,
                null_label: part.null_label,
                more: old.map(|old| old.labels).unwrap_or_default(),
                null: old.map(|_| f64::NAN),
                prefix: old.map(|old| old.prefix),
            };
            columns::write_styled(rows, &style, part.columns, out)?;
        }
        Ok(())
    }
}

impl Collector<Instance> for &'static View {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move {
            let query = instance.facts.with_schemas(self.query);
            let old = instance.legacy_labels();
            let old: Option<Vec<_>> = old.as_ref().map(|labels| {
                labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
            });
            let prefix = &instance.reading().metric_prefix;
            let old = old.as_deref().map(|labels| Old { labels, prefix });
            let mut write = |rows: &Rows| self.write(rows, old.as_ref(), out);
            match self.reach {
                Reach::Short => write(&instance.query(&query).await?)?,
                Reach::Slow => write(&instance.query_slow(&query).await?)?,
                Reach::EachDatabase => {
                    let query = query.as_ref();
                    let ask = |database| ask(database, query).boxed();
                    instance.each_database(ask, |_name, rows| write(rows)).await?;
                }
            }
            Ok(())
        })
    }
}

async fn ask(
    database: crate::databases::Database<'_>,
    query: &str,
) -> Result<Rows, crate::session::QueryError> {
    database.query(query).await
}

/// A collector which the versions of `postgres_exporter` write differently.
pub(super) struct ByCompat {
    pub(super) v0_19: &'static View,
    pub(super) v0_20: &'static View,
}

impl Collector<Instance> for ByCompat {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        match instance.reading().compat {
            Compat::V0_19 => self.v0_19.collect(instance, out),
            Compat::V0_20 => self.v0_20.collect(instance, out),
        }
    }
}

/// A collector whose series need one more label where there are several databases.
pub(super) struct ByDatabases {
    pub(super) one: &'static View,
    pub(super) all: &'static View,
}

impl Collector<Instance> for ByDatabases {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        if instance.discovers() {
            self.all.collect(instance, out)
        } else {
            self.one.collect(instance, out)
        }
    }
}
