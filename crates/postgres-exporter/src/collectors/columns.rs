//! Views whose columns are families: most of what the server counts.

use metrics_server::{Desc, LabelBlock, Page};

use crate::row::{Row, RowError, Rows};

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
}

impl Column {
    /// NULL becomes 0.
    pub(super) const fn new(name: &'static str, desc: Desc<'static>) -> Self {
        Self { name, desc, null: Some(0.0), divisor: 1.0 }
    }

    /// NULL is left out.
    pub(super) const fn or_absent(mut self) -> Self {
        self.null = None;
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
    let mut blocks = Vec::with_capacity(rows.len());
    for row in rows.iter() {
        blocks.push((row, block(row, labels)?));
    }
    // Once here, and each family of the page finds its samples in order.
    blocks.sort_by(|a, b| a.1.cmp(&b.1));
    for column in columns.iter().filter(|column| rows.has(column.name)) {
        let mut family = page.family(column.desc.clone());
        for (row, labels) in &blocks {
            if let Some(value) =
                row.number(column.name)?.map(|v| v / column.divisor).or(column.null)
            {
                family.series(labels, value);
            }
        }
    }
    Ok(())
}

fn block(row: Row<'_>, labels: &[&'static str]) -> Result<LabelBlock, RowError> {
    let mut pairs = Vec::with_capacity(labels.len());
    for name in labels {
        pairs.push((*name, row.text(name)?.unwrap_or(UNKNOWN)));
    }
    Ok(LabelBlock::new(&pairs).expect("label names are ours, distinct and valid"))
}
