//! Views whose columns are families: most of what the server counts.

use std::sync::Arc;

use metrics_server::{Desc, LabelBlock, Page};

use crate::{
    prefix::Prefix,
    row::{Row, RowError, Rows},
};

/// What stands in a label where the server has NULL.
pub(super) const UNKNOWN: &str = "unknown";

/// A column of a view and the family it becomes.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) desc: Desc<'static>,
    /// What is written for NULL; `None` leaves the sample out.
    pub(super) null: Option<f64>,
    /// How many of the column's units are one of the family's.
    pub(super) divisor: f64,
    /// A label which this column has besides those of its row.
    pub(super) label: Option<(&'static str, &'static str)>,
}

impl Column {
    /// NULL becomes 0.
    pub(super) const fn new(name: &'static str, desc: Desc<'static>) -> Self {
        Self { name, desc, null: Some(0.0), divisor: 1.0, label: None }
    }

    /// NULL is left out.
    pub(super) const fn or_absent(mut self) -> Self {
        self.null = None;
        self
    }

    /// One of several columns of a family, told apart by a label.
    pub(super) const fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.label = Some((name, value));
        self
    }

    /// Milliseconds become seconds.
    pub(super) const fn in_ms(mut self) -> Self {
        self.divisor = 1_000.0;
        self
    }
}

/// Adds a family for each of `columns` which the answer has, labelled by the columns `labels`.
/// Columns come and go with the server's version; one which is not there has no family.
pub(super) fn write(
    rows: &Rows,
    labels: &[&'static str],
    columns: &[Column],
    page: &mut Page,
) -> Result<(), RowError> {
    let style = Style { labels, null_label: UNKNOWN, more: &[], null: None, prefix: None };
    write_styled(rows, &style, columns, page)
}

/// How rows become series.
pub(super) struct Style<'a> {
    /// Columns which become labels.
    pub(super) labels: &'a [&'static str],
    /// What stands in a label where the server has NULL.
    pub(super) null_label: &'a str,
    /// Labels of every series.
    pub(super) more: &'a [(&'a str, &'a str)],
    /// What is written for NULL, whatever the column says.
    pub(super) null: Option<f64>,
    /// What its families' names begin with.
    pub(super) prefix: Option<&'a Prefix>,
}

/// As [`write`], in the style of a version.
pub(super) fn write_styled(
    rows: &Rows,
    style: &Style<'_>,
    columns: &[Column],
    page: &mut Page,
) -> Result<(), RowError> {
    let mut blocks = Vec::with_capacity(rows.len());
    for row in rows.iter() {
        blocks.push((row, block(row, style, None)?));
    }
    // Once here, and each family of the page finds its samples in order.
    blocks.sort_by(|a, b| a.1.cmp(&b.1));
    for column in columns.iter().filter(|column| rows.has(column.name)) {
        let desc = &column.desc;
        let desc = style.prefix.map_or_else(|| desc.clone(), |prefix| prefix.rename(desc));
        let mut family = page.family(desc);
        for (row, labels) in &blocks {
            let number = row.number(column.name)?.map(|number| number / column.divisor);
            let Some(value) = number.or(style.null).or(column.null) else { continue };
            match column.label {
                None => family.series(labels, value),
                more => family.series(&block(*row, style, more)?, value),
            };
        }
    }
    Ok(())
}

fn block(
    row: Row<'_>,
    style: &Style<'_>,
    more: Option<(&str, &str)>,
) -> Result<Arc<LabelBlock>, RowError> {
    let mut pairs = Vec::with_capacity(style.labels.len() + style.more.len() + 1);
    for name in style.labels {
        pairs.push((*name, row.text(name)?.unwrap_or(style.null_label)));
    }
    pairs.extend(style.more.iter().copied().chain(more));
    let block = LabelBlock::new(&pairs).expect("label names are ours, distinct and valid");
    Ok(Arc::new(block))
}
