use proptest::prelude::*;

use super::{Group, Tally, of_key, parse, separated};

fn group(patterns: &str, key: &str) -> String {
    let patterns = parse(patterns).expect("patterns");
    let (name, given_up) = of_key(&patterns, key.as_bytes(), 10_000);
    assert!(!given_up);
    String::from_utf8(name.into_owned()).expect("of a str")
}

#[test]
fn values_are_separated_as_in_a_table() {
    for (text, expected) in [
        ("a,b", &["a", "b"][..]),
        ("a,,b\nc", &["a", "", "b"]),
        ("\n\na", &["a"]),
        (r#""a,b",c"#, &["a,b", "c"]),
        (r#""a""b""#, &["a\"b"]),
        ("", &[""]),
    ] {
        assert_eq!(separated(text).expect("valid"), expected, "{text}");
    }
    for text in [r#"a"b"#, r#""a"#, r#""a"b"#] {
        assert!(separated(text).is_err(), "{text}");
    }
    assert!(parse("^a,(b").is_err());
    assert!(parse(" , ").expect("valid").is_empty());
}

#[test]
fn the_first_pattern_which_matches_names_the_group() {
    let patterns = "^(.*)_[^_]+$,^([^:]+):[0-9]+:(%a+)";
    assert_eq!(group(patterns, "user_1"), "user");
    assert_eq!(group(patterns, "cart:12:items"), "cartitems");
    assert_eq!(group(patterns, "cart_12:items"), "cart");
    assert_eq!(group(patterns, "other"), "unclassified");
    assert_eq!(group("^plain", "plain:1"), "", "no capture, no name");
}

#[test]
fn groups_beyond_the_limit_overflow() {
    let mut tally = Tally::default();
    for (name, bytes) in [("a", 10), ("b", 30), ("c", 20), ("a", 5), ("d", 1)] {
        assert!(tally.add(name.as_bytes(), bytes, 4));
    }
    assert!(!tally.add(b"e", 100, 4), "the fifth is not kept apart");
    assert_eq!(tally.distinct(), 4);
    let shown: Vec<_> =
        tally.shown(2).into_iter().map(|(name, group)| (name.into_owned(), group)).collect();
    let expected = [("b", 1, 30), ("c", 1, 20), ("overflow", 4, 116)]
        .map(|(name, keys, bytes)| (name.to_owned(), Group { keys, bytes }));
    assert_eq!(shown, expected);
    assert_eq!(tally.shown(4).len(), 5);
    assert_eq!(tally.shown(0).len(), 1);
}

proptest! {
    #[test]
    fn property_no_text_panics(text: String) {
        let _patterns = parse(&text);
    }

    #[test]
    fn property_no_key_is_lost(
        keys in proptest::collection::vec(("[a-h]", 0_u64..1_000), 0..60),
        groups_max in 0_usize..10,
        shown_max in 0_usize..10,
    ) {
        let mut tally = Tally::default();
        for (name, bytes) in &keys {
            tally.add(name.as_bytes(), *bytes, groups_max);
        }
        let shown = tally.shown(shown_max);
        let sums = shown.iter().fold((0, 0), |(count, bytes), (_, group)| {
            (count + group.keys, bytes + group.bytes)
        });
        prop_assert_eq!(sums, (keys.len() as u64, keys.iter().map(|(_, bytes)| bytes).sum()));
        prop_assert!(shown.len() <= shown_max + 1);
    }
}
