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
        let prefix = Prefix::new(prefix);
        assert_eq!(prefix.apply(name), expected, "{prefix:?} {name}");
    }
    assert_eq!(Prefix::default().apply("pg_pg"), "pg_pg");
}

#[test]
fn what_cannot_be_in_a_name_is_an_underscore() {
    for (prefix, expected) in
        [("my-own", "my_own_up"), ("0x", "_0x_up"), ("a b", "a_b_up"), ("\u{e9}", "__up")]
    {
        let prefix = Prefix::new(prefix);
        assert_eq!(prefix.apply("pg_up"), expected);
    }
}

proptest! {
    #[test]
    fn property_a_name_stays_one(prefix in "\\PC{0,8}", rest in "[a-z_]{0,8}") {
        let prefix = Prefix::new(&prefix);
        let name = format!("pg_{rest}");
        prop_assert!(metrics_server::exposition::is_metric_name(&prefix.apply(&name)));
    }
}
