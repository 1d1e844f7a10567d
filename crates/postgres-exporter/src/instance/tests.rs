//! Tests of what a server tells about itself.

use super::Facts;
use crate::row::{RowError, fixture::table};

#[test]
fn facts_are_read() {
    let rows = table(
        "in_recovery | version_num | version | database | may_list_wal | extensions
         t | 170012 | PostgreSQL 17.12 | app | t | vector=\"my schema\"",
    );
    let facts = Facts::read(&rows).unwrap();
    assert_eq!(
        facts,
        Facts {
            version: 170_012,
            version_text: "PostgreSQL 17.12".to_owned(),
            in_recovery: true,
            database: "app".to_owned(),
            may_list_wal: true,
            extensions: [("vector".to_owned(), "\"my schema\"".to_owned())].into(),
        }
    );
    assert_eq!(facts.major(), 17);
}

#[test]
fn an_answer_which_is_none_is_an_error() {
    for answer in ["in_recovery | version_num | version", "version_num\n-", "version_num\nx"] {
        assert!(Facts::read(&table(answer)).is_err(), "{answer}");
    }
    let error = Facts::read(&table("in_recovery | version_num\nf | 150000")).unwrap_err();
    assert_eq!(error, RowError::NoColumn("version".to_owned()));
}

#[test]
fn versions_are_three_numbers() {
    for (version, short) in
        [(150_018, "15.18.0"), (180_000, "18.0.0"), (90_624, "9.6.24"), (130_023, "13.23.0")]
    {
        assert_eq!(Facts { version, ..Facts::default() }.version_short(), short);
    }
}
