//! Tests of the table, and what collectors' tests share.

use std::collections::BTreeSet;

use expect_test::Expect;
use metrics_server::{CollectorChoice, Format, Page};

use super::{PLANNED, TABLE, skip_reason};
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
fn every_collector_of_postgres_exporter_has_its_flag_once() {
    let names: BTreeSet<_> = TABLE.iter().map(|spec| spec.name).chain(PLANNED).collect();
    assert_eq!(names.len(), 26);
    assert_eq!(names.len(), TABLE.len() + PLANNED.len());
    assert!(TABLE.is_sorted_by_key(|spec| spec.name));
}

#[test]
fn defaults_are_those_of_postgres_exporter_but_for_the_checkpointer() {
    let choice = CollectorChoice::defaults(TABLE);
    let off: Vec<_> =
        TABLE.iter().map(|spec| spec.name).filter(|name| !choice.is_enabled(name)).collect();
    assert_eq!(off, Vec::<&str>::new());
}

#[test]
fn a_collector_without_its_view_is_skipped() {
    let facts = |version| Facts { version, ..Facts::default() };
    assert_eq!(skip_reason("stat_checkpointer", &facts(160_004)), Some("version"));
    assert_eq!(skip_reason("stat_checkpointer", &facts(170_000)), None);
    assert_eq!(skip_reason("stat_database", &facts(130_000)), None);
}
