//! Answers written as tables, for tests.

use super::Rows;

/// Reads `a | b` lines: the first one names the columns, `-` alone is NULL, `''` is empty.
pub(crate) fn table(text: &str) -> Rows {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());

    let header = lines.next().unwrap_or_default();
    let mut rows = Rows::new(header.split('|').map(|name| name.trim().to_owned()).collect());
    for line in lines {
        let values = line.split('|').map(str::trim).map(|value| match value {
            "-" => None,
            "''" => Some(""),
            value => Some(value),
        });
        rows.push(values);
    }
    rows
}
