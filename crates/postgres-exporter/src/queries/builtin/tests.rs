//! The files of our own collectors.

use std::collections::BTreeSet;

use super::{super::Usage, BUILTIN, skip_reason};
use crate::instance::Facts;

#[test]
fn every_file_can_be_read_and_every_column_has_its_place() {
    assert!(BUILTIN.is_sorted_by_key(|builtin| builtin.name));
    let mut namespaces = BTreeSet::new();
    for builtin in &BUILTIN {
        for query in builtin.queries() {
            let (name, sql) = (&query.name, &query.sql);
            assert!(query.builtin && query.namespace.starts_with("pg_"), "{name}");
            assert!(namespaces.insert(query.namespace.clone()), "{name} is there twice");
            let code = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
            assert!(code.clone().all(|line| !line.contains(';')), "{name}: one statement");
            for column in &query.columns {
                let words: Vec<_> = sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
                let known = words.contains(&column.name.as_str()) || sql.contains("SELECT *");
                assert!(known, "{name}: {} is not in the SQL", column.name);
                if let Usage::Number(number) = &column.usage {
                    assert!(number.help.len() > 5, "{name}: {} has no help", column.name);
                }
            }
        }
    }
}

#[test]
fn a_collector_without_its_view_is_skipped() {
    let facts = |version| Facts { version, ..Facts::default() };
    assert_eq!(skip_reason("stat_io", &facts(150_004)), Some("version"));
    assert_eq!(skip_reason("stat_io", &facts(160_000)), None);
    assert_eq!(skip_reason("subscriptions", &facts(140_000)), None, "one of two is there");
    let standby = Facts { in_recovery: true, ..facts(170_000) };
    assert_eq!(skip_reason("xmin_horizon", &standby), Some("role"));
    assert_eq!(skip_reason("locks", &facts(90_000)), None, "not one of these");
}
