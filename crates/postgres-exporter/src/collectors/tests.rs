//! Tests of the table, and what collectors' tests share.

use expect_test::Expect;
use metrics_server::{Format, Page};

use super::{COMPATIBLE as TABLE, skip_reason};
use crate::{
    instance::Facts,
    row::{RowError, Rows, fixture::table},
};

/// Compares what `write` makes of an answer with `expected`.
pub(super) fn check(
    answer: &str,
    write: impl FnOnce(&Rows, &mut Page) -> Result<(), RowError>,
    expected: &Expect,
) {
    let mut page = Page::new();
    let text = match write(&table(answer), &mut page) {
        Ok(()) => page.into_text(Format::Text),
        Err(error) => format!("error: {error}\n"),
    };
    expected.assert_eq(&text);
}

#[test]
fn every_collector_of_postgres_exporter_is_there_once_with_the_default_of_0_20() {
    let expected = [
        ("buffercache_summary", false),
        ("database", true),
        ("database_wraparound", false),
        ("locks", true),
        ("long_running_transactions", false),
        ("postmaster", false),
        ("process_idle", false),
        ("replication", true),
        // The name of 0.19.
        ("replication_slot", true),
        ("replication_slots", true),
        ("roles", true),
        ("settings", true),
        ("stat_activity", true),
        ("stat_activity_autovacuum", false),
        ("stat_archiver", true),
        ("stat_bgwriter", true),
        // Off in postgres_exporter.
        ("stat_checkpointer", true),
        ("stat_database", true),
        ("stat_progress_vacuum", true),
        ("stat_replication", true),
        ("stat_statements", false),
        ("stat_user_tables", true),
        ("stat_wal_receiver", false),
        ("statio_user_indexes", false),
        ("statio_user_tables", true),
        ("wal", true),
        ("xlog_location", false),
    ];
    let ours: Vec<_> = TABLE.iter().map(|spec| (spec.name, spec.enabled_by_default)).collect();
    assert_eq!(ours, expected);
}

#[test]
fn a_collector_without_its_view_is_skipped() {
    let facts = |version| Facts { version, ..Facts::default() };
    assert_eq!(skip_reason("stat_checkpointer", &facts(160_004)), Some("version"));
    assert_eq!(skip_reason("stat_checkpointer", &facts(170_000)), None);
    assert_eq!(skip_reason("stat_database", &facts(130_000)), None);
    assert_eq!(skip_reason("buffercache_summary", &facts(150_000)), Some("version"));
    assert_eq!(skip_reason("buffercache_summary", &facts(160_000)), Some("extension"));
    assert_eq!(skip_reason("stat_statements", &facts(170_000)), Some("extension"));
    assert_eq!(skip_reason("wal", &facts(170_000)), Some("privilege"));
    assert_eq!(skip_reason("xlog_location", &facts(170_000)), Some("version"));
    let extensions = [("pg_stat_statements".to_owned(), "public".to_owned())].into();
    let facts = Facts { version: 170_000, extensions, may_list_wal: true, ..Facts::default() };
    assert_eq!(skip_reason("stat_statements", &facts), None);
    assert_eq!(skip_reason("wal", &facts), None);
}
