use proptest::prelude::*;

use super::{Info, Line, index, items, number, text};

#[test]
fn lines_are_read_by_section_whatever_ends_them() {
    let info = Info::parse(
        "a:1\r\n# Server\r\nredis_version:7.2.4\n\r\n# Cluster Info\nno colon\nx:\nurl:a:b\n#y:1\n",
    );
    let lines: Vec<_> = info.lines().map(|line| (line.section, line.field, line.value)).collect();
    assert_eq!(
        lines,
        [
            ("", "a", "1"),
            ("Server", "redis_version", "7.2.4"),
            ("Cluster Info", "x", ""),
            ("Cluster Info", "url", "a:b"),
            ("Cluster Info", "#y", "1"),
        ]
    );
    assert!(info.has_section("Cluster Info") && !info.has_section("Cluster"));
    assert_eq!(info.get("url"), Some("a:b"));
    assert_eq!(info.section("Server").collect::<Vec<_>>(), [("redis_version", "7.2.4")]);
}

#[test]
fn values_are_numbers_or_words_for_yes_and_no() {
    for (value, expected) in [
        ("12", Some(12.0)),
        ("-0.5", Some(-0.5)),
        ("1e3", Some(1_000.0)),
        ("inf", Some(f64::INFINITY)),
        ("ok", Some(1.0)),
        ("true", Some(1.0)),
        ("err", Some(0.0)),
        ("fail", Some(0.0)),
        ("false", Some(0.0)),
        ("12.5%", None),
        ("1.00M", None),
        ("1 ", None),
        ("", None),
        ("OK", None),
    ] {
        assert_eq!(number(value), expected, "{value:?}");
    }
}

#[test]
fn items_are_found_by_name() {
    let read = items("keys=1,expires=two,x=").expect("well formed");
    assert_eq!(read.number("keys"), Some(1.0));
    assert_eq!((read.get("expires"), read.number("expires")), (Some("two"), None));
    assert_eq!(read.get("x"), Some(""));
    assert_eq!(read.get("y"), None);
    for malformed in ["", "xxx", "a=1,", "a=1,b", "ip=a=b,c=1"] {
        assert_eq!(items(malformed), None, "{malformed:?}");
    }
}

#[test]
fn an_index_is_digits_and_nothing_else() {
    assert_eq!(index("slave12", "slave"), Some(12));
    assert_eq!(index("db0", "db"), Some(0));
    for field in ["slave", "slaveA", "slave1x", "slave-1", "slave+1", "other1", "slave99999999999"]
    {
        assert_eq!(index(field, "slave"), None, "{field}");
    }
}

/// What [`Info::parse`] promises, in the plainest words.
fn naive(text: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let line = line.trim();
        if line.starts_with("# ") {
            section = line.chars().skip(2).collect();
        } else if line.contains(':') {
            let field: String = line.chars().take_while(|c| *c != ':').collect();
            let value = line.chars().skip_while(|c| *c != ':').skip(1).collect();
            lines.push((section.clone(), field, value));
        }
    }
    lines
}

proptest! {
    #[test]
    fn property_any_bytes_are_read(bytes: Vec<u8>) {
        let text = text(&bytes);
        let info = Info::parse(&text);
        for Line { field, value, .. } in info.lines() {
            let _number = number(value);
            let _items = items(value);
            let _index = index(field, "db");
        }
    }

    #[test]
    fn property_lines_are_those_of_the_plain_reader(text in "([a-z# :=,\r\n0-9]{0,12}\n){0,8}") {
        let info = Info::parse(&text);
        let lines: Vec<_> = info
            .lines()
            .map(|line| (line.section.to_owned(), line.field.to_owned(), line.value.to_owned()))
            .collect();
        prop_assert_eq!(lines, naive(&text));
    }
}
