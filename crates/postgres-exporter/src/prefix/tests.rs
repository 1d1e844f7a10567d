//! Tests of the prefix: names in, names out.

use proptest::prelude::*;

use super::Prefix;

#[test]
fn the_first_pg_is_replaced() {
    for (prefix, name, expected) in [
        ("pg", "pg_stat_activity", "pg_stat_activity"),
        ("acme", "pg_stat_activity", "acme_stat_activity"),
        ("acme_pg", "pg_pg", "acme_pg_pg"),
        ("", "pg_locks", "_locks"),
        ("acme", "my_pg_pg", "my_acme_pg"),
        ("acme", "orders", "orders"),
    ] {
        let prefix: Prefix = prefix.parse().expect("a prefix");
        assert_eq!(prefix.apply(name), expected, "{prefix:?} {name}");
    }
    assert_eq!(Prefix::default().apply("pg_pg"), "pg_pg");
}

#[test]
fn what_no_name_can_begin_with_is_refused() {
    for text in ["my-prefix", "0x", "a b", "é"] {
        assert!(text.parse::<Prefix>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn a_name_stays_one(prefix in "\\PC{0,8}", rest in "[a-z_]{0,8}") {
        if let Ok(prefix) = prefix.parse::<Prefix>() {
            let name = format!("pg_{rest}");
            prop_assert!(metrics_server::exposition::is_metric_name(&prefix.apply(&name)));
        }
    }
}
