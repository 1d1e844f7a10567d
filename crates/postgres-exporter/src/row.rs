//! What a query answered: rows of texts, as the server wrote them.
//!
//! Queries go through the simple protocol, whose values are texts. So a value of any type can be
//! read, a recorded answer is a fixture as it is, and a pooler between us and the server has no
//! prepared statement to lose.

use std::ops::Range;

use thiserror::Error;

/// Why a value could not be read. The value itself is not told: it may be anything.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum RowError {
    /// The answer has no such column.
    #[error("the answer has no column {0}")]
    NoColumn(String),
    /// The value is no number.
    #[error("column {0} is not a number")]
    NotANumber(String),
}

/// An answer: column names, and rows of values which may be NULL.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rows {
    columns: Vec<String>,
    /// All values one after the other, so that an answer costs three allocations and not one a
    /// value.
    text: String,
    cells: Vec<Option<Range<usize>>>,
}

impl Rows {
    /// An answer without rows yet.
    pub fn new(columns: Vec<String>) -> Self {
        Self { columns, text: String::new(), cells: Vec::new() }
    }

    /// Adds a row. Values beyond the columns are left out, missing ones are NULL.
    pub fn push<'a>(&mut self, values: impl IntoIterator<Item = Option<&'a str>>) {
        let mut values = values.into_iter();
        for _ in 0..self.columns.len() {
            let cell = values.next().flatten().map(|value| {
                let start = self.text.len();
                self.text.push_str(value);
                start..self.text.len()
            });
            self.cells.push(cell);
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.cells.len().checked_div(self.columns.len()).unwrap_or_default()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// All rows, in the server's order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(|index| Row { rows: self, start: index * self.columns.len() })
    }

    /// The same answer without the rows whose `column` is one of those that `excludes` names.
    ///
    /// # Errors
    ///
    /// There is no such column.
    pub fn without(&self, column: &str, excludes: impl Fn(&str) -> bool) -> Result<Self, RowError> {
        let mut kept = Self::new(self.columns.clone());
        for row in self.iter() {
            if !row.text(column)?.is_some_and(&excludes) {
                kept.push(row.cells());
            }
        }
        Ok(kept)
    }

    /// The names of the columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }

    /// Whether the answer has a column of this name.
    pub fn has(&self, name: &str) -> bool {
        self.columns().any(|column| column == name)
    }

    fn column(&self, name: &str) -> Result<usize, RowError> {
        let found = self.columns.iter().position(|column| column == name);
        found.ok_or_else(|| RowError::NoColumn(name.to_owned()))
    }
}

/// One row of [`Rows`].
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    rows: &'a Rows,
    start: usize,
}

impl<'a> Row<'a> {
    /// A value as text; `None` is NULL.
    ///
    /// # Errors
    ///
    /// There is no such column.
    pub fn text(&self, column: &str) -> Result<Option<&'a str>, RowError> {
        let cell = self.rows.cells.get(self.start + self.rows.column(column)?);
        Ok(cell.and_then(Clone::clone).and_then(|range| self.rows.text.get(range)))
    }

    /// All values of the row.
    pub fn cells(self) -> impl Iterator<Item = Option<&'a str>> {
        let end = self.start + self.rows.columns.len();
        let cells = self.rows.cells.get(self.start..end).unwrap_or_default();
        cells.iter().map(|cell| self.rows.text.get(cell.clone()?))
    }

    /// A value as number; `None` is NULL, and booleans are 1 and 0.
    ///
    /// # Errors
    ///
    /// There is no such column, or it holds no number.
    pub fn number(&self, column: &str) -> Result<Option<f64>, RowError> {
        let not_a_number = || RowError::NotANumber(column.to_owned());
        self.text(column)?.map(|text| parse_number(text).ok_or_else(not_a_number)).transpose()
    }
}

/// A number as PostgreSQL writes it.
fn parse_number(text: &str) -> Option<f64> {
    match text {
        "t" => Some(1.0),
        "f" => Some(0.0),
        text => text.parse().ok(),
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
