//! What differs between two pages, and the list of what may.

use std::{collections::BTreeSet, fmt};

use anyhow::{Result, ensure};

use super::Lines;

/// One difference: what kind, and where.
#[derive(Debug)]
pub(crate) struct Difference {
    /// `ours`, `theirs`, `type`, `help` or `value`, as the table of the documentation has it.
    kind: &'static str,
    /// A family's name, or a series.
    subject: String,
    detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.kind, self.subject, self.detail)
    }
}

/// Compares a page of ours with two of theirs, between which it was made.
pub(crate) fn compare(before: &str, ours: &str, after: &str) -> Vec<Difference> {
    let (before, ours, after) = (read(before), read(ours), read(after));
    let mut differences = Vec::new();
    let mut add = |kind, subject: &str, detail: String| {
        differences.push(Difference { kind, subject: subject.to_owned(), detail });
    };
    for (name, header) in &ours.headers {
        match before.headers.get(name) {
            None => add("ours", name, String::new()),
            Some(theirs) => {
                for (index, kind) in ["type", "help"].into_iter().enumerate() {
                    if theirs[index] != header[index] {
                        add(kind, name, format!("{:?} {:?}", theirs[index], header[index]));
                    }
                }
            }
        }
    }
    for name in before.headers.keys().filter(|name| !ours.headers.contains_key(*name)) {
        add("theirs", name, String::new());
    }
    for (series, value) in &ours.series {
        match (before.series.get(series), after.series.get(series)) {
            (None, None) => add("ours", series, value.to_string()),
            (Some(before), Some(after)) => {
                if !within(*value, [*before, *after]) {
                    add("value", series, format!("theirs {before} and {after}, ours {value}"));
                }
            }
            // It came or went meanwhile.
            (Some(_), None) | (None, Some(_)) => {}
        }
    }
    for series in before.series.keys().filter(|series| after.series.contains_key(*series)) {
        if !ours.series.contains_key(series) {
            add("theirs", series, String::new());
        }
    }
    differences
}

/// Whether `value` lies between `ends`, rounding aside.
fn within(value: f64, ends: [f64; 2]) -> bool {
    if value.is_nan() {
        return ends.iter().any(|end| end.is_nan());
    }
    let (least, most) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
    let slack = 1e-9 * value.abs();
    value >= least - slack && value <= most + slack
}

/// What is about the process, and not about the server, is left out.
fn read(page: &str) -> Lines<'_> {
    let about_process = |name: &str| {
        ["go_", "process_", "promhttp_", "postgres_exporter_"]
            .iter()
            .any(|begin| name.starts_with(begin))
    };
    let mut lines = Lines::default();
    for line in page.lines().filter(|line| !line.is_empty()) {
        let (index, rest) = if let Some(rest) = line.strip_prefix("# TYPE ") {
            (0, rest)
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            (1, rest)
        } else {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            if let (false, Ok(value)) = (about_process(series), value.parse()) {
                lines.series.insert(series, value);
            }
            continue;
        };
        let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
        if !about_process(name) {
            lines.headers.entry(name).or_default()[index] = text;
        }
    }
    lines
}

/// The table of meant differences.
#[derive(Debug)]
pub(crate) struct Meant {
    rows: Vec<(String, String)>,
}

impl Meant {
    /// Reads the rows ``| `KIND` | `SUBJECT` | reason |`` below the heading "Meant differences".
    pub(crate) fn read(document: &str) -> Result<Self> {
        let part = document.split("## Meant differences").nth(1).unwrap_or_default();
        let part = part.split("\n## ").next().unwrap_or_default();
        let cell = |text: Option<&str>| {
            let text = text?.trim().strip_prefix('`')?.strip_suffix('`')?;
            Some(text.to_owned())
        };
        let rows: Vec<_> = part
            .lines()
            .filter_map(|line| {
                let mut cells = line.strip_prefix('|')?.split('|');
                Some((cell(cells.next())?, cell(cells.next())?))
            })
            .collect();
        ensure!(!rows.is_empty(), "no table of meant differences");
        Ok(Self { rows })
    }

    /// The row which allows a difference.
    pub(crate) fn find(&self, difference: &Difference) -> Option<usize> {
        self.rows.iter().position(|(kind, subject)| {
            kind == difference.kind && matches(subject, &difference.subject)
        })
    }

    /// Rows which nothing needed.
    pub(crate) fn unused(&self, used: &BTreeSet<usize>) -> impl Iterator<Item = String> {
        let rows = self.rows.iter().enumerate().filter(|(index, _)| !used.contains(index));
        rows.map(|(_, (kind, subject))| format!("{kind}: {subject}"))
    }
}

/// Whether `text` is `pattern`, where `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Meant, compare, matches};

    fn lines(before: &str, ours: &str, after: &str) -> Vec<String> {
        compare(before, ours, after).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_pages_do_not_differ() {
        let page = "# HELP a b\n# TYPE a gauge\na{x=\"y z\"} 1\na 2\nb NaN\ngo_info 1\n";
        assert_eq!(lines(page, page, page), Vec::<String>::new());
    }

    #[test]
    fn what_rises_is_between() {
        assert_eq!(lines("a 1", "a 2", "a 3"), Vec::<String>::new());
        assert_eq!(lines("a 1", "a 4", "a 3"), ["value: a theirs 1 and 3, ours 4"]);
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let theirs = "# HELP a b\n# TYPE a gauge\na 1\nc 1";
        let ours = "# HELP a d\n# TYPE a counter\na NaN\ne{f=\"g\"} 1";
        assert_eq!(
            lines(theirs, ours, theirs),
            [
                "type: a \"gauge\" \"counter\"",
                "help: a \"b\" \"d\"",
                "value: a theirs 1 and 1, ours NaN",
                "ours: e{f=\"g\"} 1",
                "theirs: c ",
            ]
        );
    }

    #[test]
    fn the_table_allows_what_it_names() {
        let text = "## Meant differences\n| kind | what | why |\n|---|---|---|\n| `ours` | `e{*}` | x |\n\n## Next\n| `ours` | `c` | x |\n";
        let meant = Meant::read(text).unwrap();
        let differences = compare("", "e{f=\"g\"} 1\nc 1", "");
        let found: Vec<_> = differences.iter().map(|d| meant.find(d).is_some()).collect();
        assert_eq!(found, [false, true]);
        assert!(Meant::read("nothing").is_err());
    }

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*c*", "abcd", true),
            ("a*d", "abcd", true),
            ("a*e", "abcd", false),
            ("a*b*", "acdb", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
