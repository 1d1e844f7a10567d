//! Tests of what stands outside the collectors.

use expect_test::expect;

use super::{super::tests::check, common, write_conflicts, write_static};
use crate::{instance::Facts, prefix::Prefix};

#[test]
fn the_version_is_a_series() {
    let facts = Facts {
        version: 150_018,
        version_text: "PostgreSQL 15.18 on x86_64-pc-linux-gnu".to_owned(),
        in_recovery: false,
        ..Facts::default()
    };
    let constant = [("cluster".to_owned(), "c1".to_owned())];
    check(
        "x",
        |_, out| {
            write_static(&facts, &common("db:5432", &constant), out);
            Ok(())
        },
        &expect![[r##"
            # HELP pg_static Version string as reported by postgres
            # TYPE pg_static untyped
            pg_static{cluster="c1",server="db:5432",short_version="15.18.0",version="PostgreSQL 15.18 on x86_64-pc-linux-gnu"} 1
        "##]],
    );
}

#[test]
fn conflicts_of_version_16_are_passed_through() {
    check(
        "datid | datname | confl_tablespace | confl_lock | confl_snapshot | confl_bufferpin | confl_deadlock | confl_active_logicalslot
         5 | postgres | 0 | 1 | 2 | 3 | 4 | 5",
        |rows, out| write_conflicts(rows, &common("db:5432", &[]), &Prefix::default(), out),
        &expect![[r##"
            # HELP pg_stat_database_conflicts_confl_active_logicalslot Unknown metric from pg_stat_database_conflicts
            # TYPE pg_stat_database_conflicts_confl_active_logicalslot untyped
            pg_stat_database_conflicts_confl_active_logicalslot{datid="5",datname="postgres",server="db:5432"} 5
            # HELP pg_stat_database_conflicts_confl_bufferpin Number of queries in this database that have been canceled due to pinned buffers
            # TYPE pg_stat_database_conflicts_confl_bufferpin counter
            pg_stat_database_conflicts_confl_bufferpin{datid="5",datname="postgres",server="db:5432"} 3
            # HELP pg_stat_database_conflicts_confl_deadlock Number of queries in this database that have been canceled due to deadlocks
            # TYPE pg_stat_database_conflicts_confl_deadlock counter
            pg_stat_database_conflicts_confl_deadlock{datid="5",datname="postgres",server="db:5432"} 4
            # HELP pg_stat_database_conflicts_confl_lock Number of queries in this database that have been canceled due to lock timeouts
            # TYPE pg_stat_database_conflicts_confl_lock counter
            pg_stat_database_conflicts_confl_lock{datid="5",datname="postgres",server="db:5432"} 1
            # HELP pg_stat_database_conflicts_confl_snapshot Number of queries in this database that have been canceled due to old snapshots
            # TYPE pg_stat_database_conflicts_confl_snapshot counter
            pg_stat_database_conflicts_confl_snapshot{datid="5",datname="postgres",server="db:5432"} 2
            # HELP pg_stat_database_conflicts_confl_tablespace Number of queries in this database that have been canceled due to dropped tablespaces
            # TYPE pg_stat_database_conflicts_confl_tablespace counter
            pg_stat_database_conflicts_confl_tablespace{datid="5",datname="postgres",server="db:5432"} 0
        "##]],
    );
}

#[test]
fn a_constant_label_that_is_taken_leaves_the_series_out() {
    let constant = [("datname".to_owned(), "x".to_owned())];
    check(
        "datid | datname | confl_lock\n5 | postgres | 0",
        |rows, out| write_conflicts(rows, &common("db:5432", &constant), &Prefix::default(), out),
        &expect![""],
    );
}

#[test]
fn a_prefix_is_for_the_conflicts() {
    let prefix = Prefix::new("acme");
    check(
        "datid | datname | confl_lock
         5 | postgres | 1",
        |rows, out| write_conflicts(rows, &common("db:5432", &[]), &prefix, out),
        &expect![[r##"
            # HELP acme_stat_database_conflicts_confl_lock Number of queries in this database that have been canceled due to lock timeouts
            # TYPE acme_stat_database_conflicts_confl_lock counter
            acme_stat_database_conflicts_confl_lock{datid="5",datname="postgres",server="db:5432"} 1
        "##]],
    );
}
