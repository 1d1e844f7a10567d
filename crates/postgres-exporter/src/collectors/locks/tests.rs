//! Tests of `locks`.

use expect_test::expect;

use super::{super::tests::check, write};

#[test]
fn each_mode_of_each_database_has_a_series() {
    check(
        "datname | mode            | count
         app     | accesssharelock | 12
         app     | exclusivelock   | 0
         -       | sireadlock      | 1",
        write,
        &expect![[r#"
            # HELP pg_locks_count Number of locks
            # TYPE pg_locks_count gauge
            pg_locks_count{datname="app",mode="accesssharelock"} 12
            pg_locks_count{datname="app",mode="exclusivelock"} 0
            pg_locks_count{datname="unknown",mode="sireadlock"} 1
        "#]],
    );
}

#[test]
fn an_answer_without_its_labels_is_an_error() {
    check(
        "mode | count\nx | 1",
        write,
        &expect![[r#"
        error: the answer has no column datname
    "#]],
    );
}
