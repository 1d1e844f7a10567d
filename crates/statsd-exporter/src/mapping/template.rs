//! Names and label values built from what a rule's wildcards or groups caught.

use regex::Captures;

/// What a rule's match caught.
#[derive(Debug)]
pub(super) enum Caught<'a> {
    /// The whole name, then what each star took.
    Glob(Vec<&'a str>),
    /// The groups of a regular expression.
    Regex(Captures<'a>),
}

/// Text with references: `job_$1`, `${2}_total`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Template {
    /// Nothing to replace.
    Fixed(String),
    /// References to the stars of a glob.
    Glob(Vec<Part>),
    /// References to the groups of a regular expression, as that crate reads them.
    Regex(String),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Part {
    Text(String),
    /// 0 is the whole name; a star that is not there gives nothing.
    Star(usize),
}

impl Template {
    /// A template of a glob rule. A reference is `$` and the longest word behind it, in braces or
    /// not; a word which is not a number gives nothing, so `$1_x` is empty and `${1}_x` is not.
    pub(super) fn glob(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut fixed = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('$') {
            fixed.push_str(before);
            let (word, after) = reference(behind);
            if word.is_empty() {
                fixed.push('$');
                rest = behind;
                continue;
            }
            if !fixed.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut fixed)));
            }
            if let Ok(number) = word.parse() {
                parts.push(Part::Star(number));
            }
            rest = after;
        }
        fixed.push_str(rest);
        if rest.len() == text.len() {
            return Self::Fixed(fixed);
        }
        if !fixed.is_empty() {
            parts.push(Part::Text(fixed));
        }
        Self::Glob(parts)
    }

    /// A template of a regex rule: `$name`, `${name}`, `$$` for a dollar sign.
    pub(super) fn regex(text: &str) -> Self {
        if text.contains('$') { Self::Regex(text.to_owned()) } else { Self::Fixed(text.to_owned()) }
    }

    /// The text for one match.
    pub(super) fn expand(&self, caught: &Caught<'_>) -> String {
        match (self, caught) {
            (Self::Fixed(text), _) => text.clone(),
            (Self::Glob(parts), Caught::Glob(stars)) => {
                let text = |part: &Part| match part {
                    Part::Text(text) => text.clone(),
                    Part::Star(number) => stars.get(*number).copied().unwrap_or("").to_owned(),
                };
                parts.iter().map(text).collect()
            }
            (Self::Regex(template), Caught::Regex(captures)) => {
                let mut text = String::new();
                captures.expand(template, &mut text);
                text
            }
            // A rule's templates are of its own kind.
            (Self::Glob(_), Caught::Regex(_)) | (Self::Regex(_), Caught::Glob(_)) => String::new(),
        }
    }
}

/// The word behind a dollar sign and what follows it; a closing brace belongs to the word even
/// where none was opened, as in `statsd_exporter`.
fn reference(behind: &str) -> (&str, &str) {
    let inner = behind.strip_prefix('{').unwrap_or(behind);
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (word, after) = inner.split_at(end);
    (word, after.strip_prefix('}').unwrap_or(after))
}

#[cfg(test)]
mod tests {
    use super::{Caught, Template};

    #[test]
    fn references_take_the_longest_word() {
        let stars = || Caught::Glob(vec!["all", "a", "b", "", "", "", "", "", "", "", "j", "k"]);
        for (template, expected) in [
            ("fixed", "fixed"),
            ("", ""),
            ("$1", "a"),
            ("${1}_x", "a_x"),
            ("$1_x", ""),
            ("$2$1", "ba"),
            ("$1-$11", "a-k"),
            ("${10}", "j"),
            ("$0", "all"),
            ("$99", ""),
            ("$x", ""),
            ("100%$1 %d", "100%a %d"),
            ("cost: $", "cost: $"),
            ("$ $1", "$ a"),
            ("a$1}b", "aab"),
        ] {
            assert_eq!(Template::glob(template).expand(&stars()), expected, "{template}");
        }
    }
}
