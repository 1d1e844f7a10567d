//! As much of `PromQL` as it takes to see which series an expression asks for, and what of.

use std::collections::BTreeSet;

/// Words which are no series.
const KEYWORDS: [&str; 16] = [
    "and",
    "or",
    "unless",
    "offset",
    "bool",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "inf",
    "nan",
    "start",
    "end",
    "atan2",
];

/// Words which a list of labels follows.
const LABEL_LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Functions which only make sense of a counter.
const OF_COUNTERS: [&str; 3] = ["rate", "increase", "irate"];

/// What an expression is made of.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Open,
    Close,
    Other,
}

/// The names of all series that an expression asks for.
#[must_use]
pub fn series(expression: &str) -> BTreeSet<String> {
    walk(expression).into_iter().map(|(name, _of_counter)| name).collect()
}

/// The names of those of which it takes a rate or an increase.
#[must_use]
pub fn counters(expression: &str) -> BTreeSet<String> {
    walk(expression).into_iter().filter(|(_, counter)| *counter).map(|(name, _)| name).collect()
}

/// Each name, and whether it stands within a function of counters.
fn walk(expression: &str) -> Vec<(String, bool)> {
    let tokens = tokens(expression);
    let mut found = Vec::new();
    // One entry for each parenthesis that is open: the function before it, if there is one.
    let mut open: Vec<String> = Vec::new();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let next = tokens.get(index + 1);
        match token {
            Token::Word(word)
                if LABEL_LISTS.contains(&word.as_str()) && next == Some(&Token::Open) =>
            {
                while tokens.get(index).is_some_and(|token| *token != Token::Close) {
                    index += 1;
                }
            }
            Token::Word(word)
                if next == Some(&Token::Open) && !KEYWORDS.contains(&word.as_str()) =>
            {
                open.push(word.clone());
                index += 1;
            }
            // `sum by (job) (…)`: the function's list stands before its parenthesis.
            Token::Word(word) if KEYWORDS.contains(&word.to_lowercase().as_str()) => {}
            Token::Word(word) if is_aggregation(word) => {}
            Token::Word(word) => {
                let counter = open.iter().any(|function| OF_COUNTERS.contains(&function.as_str()));
                found.push((word.clone(), counter));
            }
            Token::Open => open.push(String::new()),
            Token::Close => drop(open.pop()),
            Token::Other => {}
        }
        index += 1;
    }
    found
}

/// Operators whose list of labels may stand between them and their parenthesis.
fn is_aggregation(word: &str) -> bool {
    matches!(
        word,
        "sum"
            | "min"
            | "max"
            | "avg"
            | "count"
            | "group"
            | "topk"
            | "bottomk"
            | "quantile"
            | "stddev"
            | "stdvar"
            | "count_values"
    )
}

/// Texts, selectors, ranges and numbers are left out.
fn tokens(expression: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut characters = expression.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '(' => found.push(Token::Open),
            ')' => found.push(Token::Close),
            '{' => skip_to('}', &mut characters),
            '[' => skip_to(']', &mut characters),
            '"' | '\'' => skip_to(character, &mut characters),
            _ if character.is_ascii_digit() => {
                while characters.next_if(|c| c.is_ascii_alphanumeric() || *c == '.').is_some() {}
            }
            _ if character.is_ascii_alphabetic() || matches!(character, '_' | ':') => {
                let mut word = String::from(character);
                while let Some(c) =
                    characters.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
                {
                    word.push(c);
                }
                found.push(Token::Word(word));
            }
            _ if character.is_whitespace() => {}
            _ => found.push(Token::Other),
        }
    }
    found
}

/// Goes on behind `end`; texts in a selector may hold it.
fn skip_to(end: char, characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            _ if character == end => return,
            '"' | '\'' if end != '"' && end != '\'' => skip_to(character, characters),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{counters, series};

    fn names(expression: &str) -> String {
        series(expression).into_iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn series_are_told_from_labels_functions_and_numbers() {
        for (expression, expected) in [
            ("up == 0", "up"),
            ("100 * sum by (job, instance) (a{b=\"}x\"}) / max by (job) (c) > 80", "a c"),
            ("a offset 5m and on (job, instance) (up offset 5m == 1)", "a up"),
            (
                "histogram_quantile(0.99, sum by (le) (rate(h_bucket{type=~\"GET|PUT\"}[5m])))",
                "h_bucket",
            ),
            ("time() - x > 1.5e9 or vector(0)", "x"),
            ("instance:a:ratio / on (job) group_left () (b > 0)", "b instance:a:ratio"),
            ("topk(5, sum by (a) (b)) unless absent(up{job=\"x\"})", "b up"),
            ("predict_linear(r{type=\"free\"}[6h], 86400) < 0", "r"),
            ("sum(rate(a[5m])) by (job)", "a"),
        ] {
            assert_eq!(names(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_a_rate_is_taken_of_is_known() {
        let expression =
            "sum by (job) (rate(a_total[5m])) / (increase(b_total[1h]) > 0) + delta(c[5m]) + d";
        assert_eq!(counters(expression).into_iter().collect::<Vec<_>>(), ["a_total", "b_total"]);
    }
}
