//! Tests of `database`.

use expect_test::expect;

use super::{super::tests::check, write};
use crate::databases::{Glob, Selection};

const ANSWER: &str = "
    datname   | connection_limit | size_bytes
    app       | -1               | 7765351
    rdsadmin  | 5                | -
    template0 | -1               | 7471619";

#[test]
fn a_database_that_we_may_not_measure_has_no_size() {
    check(
        ANSWER,
        |rows, out| write(rows, &Selection::default(), out),
        &expect![[r#"
            # HELP pg_database_connection_limit Connection limit set for the database
            # TYPE pg_database_connection_limit gauge
            pg_database_connection_limit{datname="app"} -1
            pg_database_connection_limit{datname="rdsadmin"} 5
            pg_database_connection_limit{datname="template0"} -1
            # HELP pg_database_size_bytes Disk space used by the database
            # TYPE pg_database_size_bytes gauge
            pg_database_size_bytes{datname="app"} 7.765351e+06
            pg_database_size_bytes{datname="template0"} 7.471619e+06
        "#]],
    );
}

#[test]
fn databases_can_be_left_out() {
    let excluded = Selection { exclude: Glob::list("rdsadmin,template?"), ..Selection::default() };
    check(
        ANSWER,
        |rows, out| write(rows, &excluded, out),
        &expect![[r#"
            # HELP pg_database_connection_limit Connection limit set for the database
            # TYPE pg_database_connection_limit gauge
            pg_database_connection_limit{datname="app"} -1
            # HELP pg_database_size_bytes Disk space used by the database
            # TYPE pg_database_size_bytes gauge
            pg_database_size_bytes{datname="app"} 7.765351e+06
        "#]],
    );
}
