//! Tests of the maps' text.

use expect_test::expect;

use super::dump;
use crate::reading::Compat;

#[test]
fn the_map_of_0_20_is_told() {
    expect![[r#"
        pg_stat_database_conflicts
        SELECT * FROM pg_stat_database_conflicts
          datid                                    LABEL
          datname                                  LABEL
          confl_tablespace                         COUNTER Number of queries in this database that have been canceled due to dropped tablespaces
          confl_lock                               COUNTER Number of queries in this database that have been canceled due to lock timeouts
          confl_snapshot                           COUNTER Number of queries in this database that have been canceled due to old snapshots
          confl_bufferpin                          COUNTER Number of queries in this database that have been canceled due to pinned buffers
          confl_deadlock                           COUNTER Number of queries in this database that have been canceled due to deadlocks
          confl_active_logicalslot                 UNTYPED Unknown metric from pg_stat_database_conflicts

    "#]].assert_eq(&dump(Compat::V0_20));
}

#[test]
fn the_maps_of_0_19_are_told_by_name() {
    let text = dump(Compat::V0_19);
    let names: Vec<_> = text.lines().filter(|line| line.starts_with("pg_")).collect();
    assert_eq!(
        names,
        [
            "pg_replication_slots",
            "pg_stat_activity",
            "pg_stat_archiver",
            "pg_stat_replication",
            "pg_stat_database_conflicts",
        ]
    );
    for line in [
        "  slot_name                                LABEL",
        "  pg_wal_lsn_diff                          GAUGE Replication lag in bytes",
        "  archived_count                           COUNTER Number of WAL files that have been successfully archived",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}: {text}");
    }
    assert!(!text.contains("safe_wal_size_bytes"), "a collector's in 0.19: {text}");
}
