//! Tests of `vector_search`: what a run of answers becomes.

use std::time::Duration;

use expect_test::expect;
use metrics_server::{Format, Page};
use tokio::time::Instant;

use super::{Searches, TEXTS_PERIOD, operators_query};
use crate::{instance::Facts, row::fixture::table};

const HEAD: &str = "userid | datname | queryid | calls | seconds | rows\n";
const TEXTS: &str = "queryid | operator\n1 | <->\n2 | -\n3 | <=>\n4 | <->";

/// One answer, and who is asked for by its text then.
fn answer(searches: &mut Searches, rows: &str, now: Instant) -> Vec<String> {
    let rows = table(&format!("{HEAD}{rows}"));
    let unknown = searches.unknown(&rows, now).expect("all columns");
    if !unknown.is_empty() {
        searches.learn(unknown.clone(), &table(TEXTS), now).expect("all columns");
    }
    searches.count(&rows).expect("all columns");
    unknown
}

fn seen(searches: &Searches) -> String {
    let mut page = Page::new();
    searches.write(&mut page);
    let text = page.into_text(Format::Text);
    let is_sum = |line: &&str| !line.starts_with('#') && !line.contains("_mean_");
    text.split_inclusive('\n').filter(is_sum).collect()
}

#[test]
fn searches_are_added_up_by_operator_and_never_fall() {
    let (mut searches, now) = (Searches::default(), Instant::now());
    let first = "u | app | 1 | 10 | 1   | 50
                 v | app | 1 | 2  | 0.5 | 10
                 u | app | 2 | 99 | 9   | 99
                 u | b   | 3 | 1  | 1   | 1";
    assert_eq!(answer(&mut searches, first, now), ["1", "2", "3"]);
    // `u` does one more, the statement of `v` is forgotten.
    assert!(answer(&mut searches, "u | app | 1 | 11 | 1.25 | 55", now).is_empty());
    // It comes again and counts from 0; and all were reset.
    let reset = "v | app | 1 | 1 | 0.25 | 5\nu | app | 1 | 1 | 0.25 | 5";
    assert!(answer(&mut searches, reset, now).is_empty());
    expect![[r#"
        pg_vector_search_calls_total{datname="app",operator="<->"} 15
        pg_vector_search_calls_total{datname="b",operator="<=>"} 1
        pg_vector_search_rows_total{datname="app",operator="<->"} 75
        pg_vector_search_rows_total{datname="b",operator="<=>"} 1
        pg_vector_search_seconds_total{datname="app",operator="<->"} 2.25
        pg_vector_search_seconds_total{datname="b",operator="<=>"} 1
    "#]]
    .assert_eq(&seen(&searches));
}

#[test]
fn calls_are_counted_by_the_mean_of_their_statement_since_the_scrape_before() {
    let (mut searches, now) = (Searches::default(), Instant::now());
    // 5 ms each; then 20 of 0.9 ms, and one of another user which took a minute.
    answer(&mut searches, "u | app | 1 | 10 | 0.05 | 50", now);
    answer(&mut searches, "u | app | 1 | 30 | 0.068 | 50\nv | app | 1 | 1 | 60 | 5", now);
    answer(&mut searches, "u | app | 1 | 30 | 0.068 | 50\nv | app | 1 | 1 | 60 | 5", now);
    let mut page = Page::new();
    searches.write(&mut page);
    let text = page.into_text(Format::Text);
    let lines = text.split_inclusive('\n').filter_map(|line| line.split_once("operator=\"<->\""));
    let lines = lines.filter(|(name, _)| name.contains("_mean_")).map(|(_, rest)| rest);
    expect![[r#"
        ,le="0.001"} 20
        ,le="0.0025"} 20
        ,le="0.005"} 30
        ,le="0.01"} 30
        ,le="0.025"} 30
        ,le="0.05"} 30
        ,le="0.1"} 30
        ,le="0.25"} 30
        ,le="0.5"} 30
        ,le="1"} 30
        ,le="5"} 30
        ,le="30"} 30
        ,le="+Inf"} 31
        } 60.068
        } 31
    "#]]
    .assert_eq(&lines.collect::<String>());
}

#[test]
fn texts_are_looked_at_once_and_not_at_each_scrape() {
    let (mut searches, now) = (Searches::default(), Instant::now());
    let soon = now + Duration::from_secs(1);
    let later = now + TEXTS_PERIOD;
    assert_eq!(answer(&mut searches, "u | app | 1 | 1 | 1 | 1", now), ["1"]);
    let both = "u | app | 1 | 1 | 1 | 1\nu | app | 4 | 7 | 1 | 1";
    assert!(answer(&mut searches, both, soon).is_empty());
    assert!(seen(&searches).contains("calls_total{datname=\"app\",operator=\"<->\"} 1\n"));
    assert_eq!(answer(&mut searches, both, later), ["4"]);
    assert!(seen(&searches).contains("calls_total{datname=\"app\",operator=\"<->\"} 8\n"));
}

#[test]
fn only_numbers_are_put_into_sql() {
    let facts = Facts {
        extensions: [("pg_stat_statements".to_owned(), "s".to_owned())].into(),
        ..Facts::default()
    };
    let sql = |ids: &[&str]| {
        operators_query(&facts, &ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>())
    };
    assert!(sql(&["-5", "7", "1) OR (1=1"]).contains("IN (-5,7)"));
    assert!(sql(&["x"]).contains("FROM s.pg_stat_statements(true)\nWHERE queryid IN (NULL)"));
}
