//! Tests of what is decided without a server; the rest stands in `exporter/tests.rs`.

use std::{sync::Arc, time::Duration};

use super::{Target, prologue};
use crate::{dsn::Dsn, session::Limits};

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    statement: Duration::from_secs(5),
    lock: Duration::from_secs(1),
    connections_max: 3,
};

fn dsn(text: &str) -> Dsn {
    Dsn::parse(text, &|_| None).unwrap()
}

#[test]
fn a_query_has_its_bounds_unless_the_operator_has_others() {
    assert_eq!(
        prologue(&dsn("postgres://h/db"), LIMITS),
        "SET TRANSACTION READ ONLY;SET LOCAL statement_timeout=5000;SET LOCAL lock_timeout=1000;\
         SET LOCAL jit=off;SET LOCAL search_path=pg_catalog;"
    );
    assert_eq!(
        prologue(&dsn("postgres://h/db?statement_timeout=1&options=-c%20lock_timeout=2"), LIMITS),
        "SET TRANSACTION READ ONLY;SET LOCAL jit=off;SET LOCAL search_path=pg_catalog;"
    );
}

#[test]
fn a_target_shows_its_server_and_no_secret() {
    let target = Target::new(dsn("postgres://u:hunter2@h:1/db"), LIMITS, Arc::default());
    assert_eq!(target.server(), "h:1");
    assert!(!format!("{target:?}").contains("hunter2"));
}
