//! Tests of names and globs; whole scrapes of several databases stand in `exporter::tests`.

use proptest::prelude::*;

use super::{Glob, Selection};

#[test]
fn a_glob_is_the_whole_name() {
    for (pattern, name, expected) in [
        ("app", "app", true),
        ("app", "apps", false),
        ("app*", "app", true),
        ("app*", "app_1", true),
        ("*app", "my_app", true),
        ("a*p*", "a_pp_b", true),
        ("a?p", "app", true),
        ("a?p", "ap", false),
        ("*", "", true),
        ("", "", true),
        ("", "a", false),
        ("*a*b", "aab_ab", true),
        ("ü?", "üß", true),
    ] {
        assert_eq!(Glob::new(pattern).matches(name), expected, "{pattern} {name}");
    }
}

#[test]
fn excluded_wins_over_included() {
    let selection = |include: &str, exclude: &str| Selection {
        discover: true,
        include: Glob::list(include),
        exclude: Glob::list(exclude),
    };
    assert!(selection("", "").takes("a"));
    assert!(selection("a, b*", "").takes("b1") && !selection("a,b*", "").takes("c"));
    assert!(!selection("a*", "a1").takes("a1"));
    assert!(!selection("", "rdsadmin").takes("rdsadmin"));
}

/// What a glob means, without care for time.
fn naive(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', rest @ ..] => (0..=name.len()).any(|taken| naive(rest, &name[taken..])),
        [first, rest @ ..] => {
            name.first().is_some_and(|c| first == &'?' || first == c) && naive(rest, &name[1..])
        }
    }
}

proptest! {
    #[test]
    fn property_globs_mean_what_the_naive_reading_says(pattern in "[ab*?]{0,8}", name in "[ab*]{0,8}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = naive(&chars(&pattern), &chars(&name));
        prop_assert_eq!(Glob::new(pattern).matches(&name), expected);
    }
}
