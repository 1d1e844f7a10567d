//! Tests of `replication`.

use expect_test::expect;

use super::{super::tests::check, write};

#[test]
fn a_primary_is_not_behind() {
    check(
        "is_replica | lag_seconds | last_replay_seconds
         f          | 0           | 0",
        write,
        &expect![[r#"
            # HELP pg_replication_is_replica Indicates if the server is a replica
            # TYPE pg_replication_is_replica gauge
            pg_replication_is_replica 0
            # HELP pg_replication_lag_seconds Replication lag behind master in seconds
            # TYPE pg_replication_lag_seconds gauge
            pg_replication_lag_seconds 0
            # HELP pg_replication_last_replay_seconds Age of last replay in seconds
            # TYPE pg_replication_last_replay_seconds gauge
            pg_replication_last_replay_seconds 0
        "#]],
    );
}

#[test]
fn a_standby_tells_how_far_it_is_behind() {
    check(
        "is_replica | lag_seconds | last_replay_seconds
         t          | 12.345678   | 12.345678",
        write,
        &expect![[r#"
            # HELP pg_replication_is_replica Indicates if the server is a replica
            # TYPE pg_replication_is_replica gauge
            pg_replication_is_replica 1
            # HELP pg_replication_lag_seconds Replication lag behind master in seconds
            # TYPE pg_replication_lag_seconds gauge
            pg_replication_lag_seconds 12.345678
            # HELP pg_replication_last_replay_seconds Age of last replay in seconds
            # TYPE pg_replication_last_replay_seconds gauge
            pg_replication_last_replay_seconds 12.345678
        "#]],
    );
}
