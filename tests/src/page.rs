//! A page of metrics, read back.

use std::collections::BTreeMap;

/// One line of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The sample's name, with `_sum`, `_bucket` and the like.
    pub name: String,
    /// Its labels, unescaped.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// A page in text 0.0.4.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Every sample, in the order of the page.
    pub samples: Vec<Sample>,
    /// The kind of each family.
    pub types: BTreeMap<String, String>,
}

impl Page {
    /// Reads a page.
    ///
    /// # Panics
    ///
    /// A line is not in the format, which is a failure of whoever wrote it.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut page = Self::default();
        for line in text.lines() {
            if let Some(header) = line.strip_prefix("# TYPE ") {
                let (name, kind) = header.split_once(' ').expect("a kind");
                let before = page.types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} has two headers");
            } else if !line.starts_with('#') {
                page.samples.push(sample(line));
            }
        }
        page
    }

    /// The samples called `name` whose labels include all of `labels`.
    pub fn all<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
        })
    }

    /// The value of the only sample with this name and these labels, if there is one.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.all(name, labels);
        let value = found.next()?.value;
        assert!(found.next().is_none(), "several samples {name}{labels:?}");
        Some(value)
    }

    /// The sum of all samples with this name and these labels.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.all(name, labels).map(|sample| sample.value).sum()
    }

    /// The kind of a family, if it is there.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&str> {
        self.types.get(name).map(String::as_str)
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let value = value.replace("Inf", "inf").parse().unwrap_or_else(|_| panic!("no float: {line}"));
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, parse_labels(labels.strip_suffix('}').expect("a brace"))),
        None => (series, BTreeMap::new()),
    };
    Sample { name: name.to_owned(), labels, value }
}

fn parse_labels(mut rest: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    while let Some((name, quoted)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        let end = loop {
            match characters.next().expect("a closing quote") {
                (index, '"') => break index,
                (_, '\\') => match characters.next().expect("an escaped character").1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.to_owned(), value);
        rest = quoted.get(end + 1..).unwrap_or_default().trim_start_matches(',');
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn a_page_is_read() {
        let page =
            Page::parse("# HELP a b c\n# TYPE a gauge\na{x=\"1,\\\"\",y=\"z\"} 2\na 3e+06\n");
        assert_eq!(page.value("a", &[("x", "1,\"")]), Some(2.0));
        assert_eq!(page.kind("a"), Some("gauge"));
        assert!((page.sum("a", &[]) - 3_000_002.0).abs() < f64::EPSILON);
    }
}
