use proptest::prelude::*;

use super::{ArgumentError, KeyName, parse};

fn read(text: &str) -> Result<Vec<(u32, String)>, ArgumentError> {
    let names = parse(text)?;
    Ok(names
        .into_iter()
        .map(|name| (name.database, String::from_utf8_lossy(&name.name).into_owned()))
        .collect())
}

#[test]
fn lists_are_read_as_redis_exporter_reads_them() {
    for (text, expected) in [
        ("", &[][..]),
        ("my-key", &[(0, "my-key")]),
        ("db0=my-key", &[(0, "my-key")]),
        ("0=my-key", &[(0, "my-key")]),
        ("a, b ,c", &[(0, "a"), (0, "b"), (0, "c")]),
        ("db0=key1,db1=key1", &[(0, "key1"), (1, "key1")]),
        ("dbdbdb0=key1", &[(0, "key1")]),
        ("key1, db11 = key1", &[(0, "key1"), (11, "key1")]),
        ("=", &[]),
        (",,,my-key", &[(0, "my-key")]),
        ("=,=,,0=my-key", &[(0, "my-key")]),
        ("0=", &[]),
        ("=my-key", &[]),
        ("a%20b", &[(0, "a b")]),
        ("a+b%3Dc", &[(0, "a b=c")]),
        ("%ff", &[(0, "\u{fffd}")]),
    ] {
        let expected: Vec<_> =
            expected.iter().map(|(database, name)| (*database, (*name).to_owned())).collect();
        assert_eq!(read(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_list_is_told() {
    let own = str::to_owned;
    for (text, error) in [
        ("wrong=my-key", ArgumentError::Database(own("wrong=my-key"))),
        ("dbwrong=my-key", ArgumentError::Database(own("dbwrong=my-key"))),
        ("a,wrong=wrong=wrong", ArgumentError::Equals(own("wrong=wrong=wrong"))),
        ("db-1=my-key", ArgumentError::Database(own("db-1=my-key"))),
        ("a%zz", ArgumentError::Escape(own("a%zz"))),
        ("a%4", ArgumentError::Escape(own("a%4"))),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
}

#[test]
fn five_characters_make_a_pattern() {
    let is_pattern = |name: &str| KeyName { database: 0, name: name.into() }.is_pattern();
    assert!(["a?", "*", "[a", "a]", "^"].into_iter().all(is_pattern));
    assert!(!["a", r"\", "{a}", "a.b"].into_iter().any(is_pattern));
}

proptest! {
    #[test]
    fn property_no_text_panics(text in any::<String>()) {
        let _names = parse(&text);
    }

    #[test]
    fn property_an_escaped_name_comes_back(name in proptest::collection::vec(any::<u8>(), 1..20), database: u32) {
        let escaped = percent_encoding::percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
        let read = parse(&format!("db{database}={escaped}"));
        prop_assert_eq!(read, Ok(vec![KeyName { database, name }]));
    }
}
