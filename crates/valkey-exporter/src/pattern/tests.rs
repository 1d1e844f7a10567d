use proptest::prelude::*;

use super::{Outcome, PATTERN_BYTES_MAX, Pattern, PatternError};

const STEPS: u32 = 100_000;

fn find(pattern: &str, subject: &str) -> Option<String> {
    let pattern = Pattern::parse(pattern.as_bytes()).expect("a pattern");
    match pattern.find(subject.as_bytes(), STEPS) {
        Outcome::Match(captures) => Some(String::from_utf8(captures).expect("of a str")),
        Outcome::NoMatch => None,
        Outcome::Exhausted => panic!("too many steps"),
    }
}

/// The cases of `tests/lua-patterns.tsv`: pattern, subject, and the captures, or `-` for no
/// match. They were answered by the Lua 5.1 of a Valkey server.
#[test]
fn patterns_find_what_lua_finds() {
    let table = include_str!("../../tests/lua-patterns.tsv");
    let mut count = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [pattern, subject, expected] =
            line.split('\t').collect::<Vec<_>>().try_into().expect("three columns");
        let expected = (expected != "-").then(|| expected.trim_matches('"').to_owned());
        assert_eq!(find(pattern, subject), expected, "{pattern} in {subject}");
        count += 1;
    }
    assert!(count > 60, "only {count} cases");
}

#[test]
fn what_is_no_pattern_is_told() {
    for (text, error) in [
        ("abc%", PatternError::EndsWithPercent),
        ("[abc", PatternError::OpenSet),
        ("[%", PatternError::OpenSet),
        ("[^]", PatternError::OpenSet),
        ("(abc", PatternError::Parentheses),
        ("abc)", PatternError::Parentheses),
        ("%b(", PatternError::Balance),
        ("%fa", PatternError::Frontier),
        ("%1", PatternError::BackReference),
        ("(a%1)", PatternError::BackReference),
        ("()%1", PatternError::BackReference),
        ("%0", PatternError::BackReference),
    ] {
        assert_eq!(Pattern::parse(text.as_bytes()), Err(error), "{text}");
    }
    assert_eq!(Pattern::parse("()".repeat(33).as_bytes()), Err(PatternError::Captures));
    assert_eq!(Pattern::parse(&vec![b'a'; PATTERN_BYTES_MAX + 1]), Err(PatternError::Long));
}

#[test]
fn a_pattern_that_would_take_for_ever_is_given_up() {
    let pattern = Pattern::parse(
        "a*".repeat(30).as_bytes().iter().chain(b"b").copied().collect::<Vec<_>>().as_slice(),
    );
    let found = pattern.expect("a pattern").find(&[b'a'; 200], STEPS);
    assert_eq!(found, Outcome::Exhausted);
}

/// A slow twin for patterns without captures: `.`, letters and `*`, by hand.
fn twin(pattern: &[u8], subject: &[u8]) -> bool {
    fn here(pattern: &[u8], subject: &[u8]) -> bool {
        match pattern {
            [] => true,
            [b'$'] => subject.is_empty(),
            [class, b'*', rest @ ..] => (0..=subject.len())
                .map(|count| subject.split_at(count))
                .take_while(|(front, _)| front.iter().all(|byte| *class == b'.' || class == byte))
                .any(|(_, subject)| here(rest, subject)),
            [class, rest @ ..] => subject.split_first().is_some_and(|(byte, subject)| {
                (*class == b'.' || class == byte) && here(rest, subject)
            }),
        }
    }
    match pattern {
        [b'^', rest @ ..] => here(rest, subject),
        _ => (0..=subject.len()).any(|start| here(pattern, subject.split_at(start).1)),
    }
}

proptest! {
    #[test]
    fn property_no_bytes_panic(pattern: Vec<u8>, subject: Vec<u8>) {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            let _outcome = pattern.find(&subject, 10_000);
        }
    }

    #[test]
    fn property_no_likely_pattern_panics(
        pattern in r"\^?([ab:.()\[\]^$*+?-]|%[abdwbf1-9(\[]){0,12}",
        subject in "[ab:()]{0,20}",
    ) {
        if let Ok(pattern) = Pattern::parse(pattern.as_bytes()) {
            let _outcome = pattern.find(subject.as_bytes(), 10_000);
        }
    }

    #[test]
    fn property_a_plain_text_finds_itself(before in "[a-z]{0,5}", text in "[a-z0-9:]{1,9}", after in "[a-z]{0,5}") {
        let subject = format!("{before}{text}{after}");
        prop_assert_eq!(find(&format!("({text})"), &subject), Some(text));
    }

    #[test]
    fn property_agrees_with_a_slow_twin(
        pattern in r"\^?([ab.]\*?){0,5}\$?", subject in "[abc]{0,8}",
    ) {
        let found = Pattern::parse(pattern.as_bytes()).expect("valid").find(subject.as_bytes(), 1_000_000);
        prop_assert_eq!(found != Outcome::NoMatch, twin(pattern.as_bytes(), subject.as_bytes()));
    }
}
