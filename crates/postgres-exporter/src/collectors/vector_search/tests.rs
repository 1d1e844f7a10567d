//! Tests of `vector_search`: what a run of answers becomes.

use std::time::Duration;

use expect_test::expect;
use metrics_server::{Format, Page};
use tokio::time::Instant;

use super::{Searches, TEXTS_PERIOD, operators_query};
use crate::{instance::Facts, row::fixture::table};

const HEAD: &str = "userid | dbid | queryid | toplevel | datname | calls | seconds | rows\n";
const TEXTS: &str = "queryid | operator\n1 | <->\n2 | -\n3 | <=>\n4 | <->";
/// Databases without statements.
const NOTHING: &str = "- | - | - | - | app | - | - | -
                       - | - | - | - | b | - | - | -";

/// One answer, and who is asked for by its text then.
fn answer(searches: &mut Searches, rows: &str, now: Instant) -> Vec<String> {
    let rows = table(&format!("{HEAD}{rows}"));
    let unknown = searches.unknown(&rows, now).expect("all columns");
    if !unknown.is_empty() {
        searches.learn(unknown.clone(), &table(TEXTS)).expect("all columns");
    }
    searches.count(&rows, now, now).expect("all columns");
    unknown
}

fn seen(searches: &Searches) -> String {
    let mut page = Page::new();
    searches.write(&mut page);
    let text = page.into_text(Format::Text);
    let is_sum = |line: &&str| !line.starts_with('#') && !line.contains("_mean_");
    text.split_inclusive('\n').filter(is_sum).collect()
}

/// Calls by operator and database, as `<-> app 3`.
fn calls(searches: &Searches) -> Vec<String> {
    let sums = searches.sums.iter();
    sums.map(|((datname, operator), sums)| format!("{operator} {datname} {}", sums.counts[0]))
        .collect()
}

#[test]
fn searches_are_added_up_by_operator_and_never_fall() {
    let (mut searches, now) = (Searches::default(), Instant::now());
    answer(&mut searches, NOTHING, now);
    let first = "u | 5 | 1 | t | app | 10 | 1   | 50
                 v | 5 | 1 | t | app | 2  | 0.5 | 10
                 u | 5 | 2 | t | app | 99 | 9   | 99
                 u | 6 | 3 | t | b   | 1  | 1   | 1";
    assert_eq!(answer(&mut searches, first, now), ["1", "2", "3"]);
    // `u` does one more, the statement of `v` is forgotten.
    let second = format!("u | 5 | 1 | t | app | 11 | 1.25 | 55\n{NOTHING}");
    assert!(answer(&mut searches, &second, now).is_empty());
    // It comes again and counts from 0; and all were reset.
    let reset = format!("v|5|1|t|app | 1 | 0.25 | 5\nu|5|1|t|app | 1 | 0.25 | 5\n{NOTHING}");
    assert!(answer(&mut searches, &reset, now).is_empty());
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
fn what_was_before_the_first_answer_is_not_added() {
    let (mut searches, now) = (Searches::default(), Instant::now());
    answer(&mut searches, "u | 5 | 1 | t | app | 1000 | 10 | 5000", now);
    assert_eq!(calls(&searches), ["<-> app 0"]);
    // Nor when texts are known only later; what is new by then is added as a whole.
    let both = "u | 5 | 1 | t | app | 1003 | 10 | 5000\nu | 5 | 4 | t | app | 2 | 1 | 1";
    answer(&mut searches, both, now);
    assert_eq!(calls(&searches), ["<-> app 3"]);

    let mut searches = Searches::default();
    let rows = |text: &str| table(&format!("{HEAD}{text}"));
    let first = rows("u | 5 | 1 | t | app | 1000 | 10 | 5000");
    let unknown = searches.unknown(&first, now).expect("all columns");
    searches.count(&first, now, now).expect("all columns");
    assert!(calls(&searches).is_empty());
    searches.count(&rows(both), now, now).expect("all columns");
    searches.learn(unknown, &table(TEXTS)).expect("all columns");
    answer(&mut searches, both, now + TEXTS_PERIOD);
    assert_eq!(calls(&searches), ["<-> app 5"]);
}

#[test]
fn a_statement_within_others_is_forgotten_by_itself() {
    let (mut searches, now) = (Searches::default(), Instant::now());
    let both = "u | 5 | 1 | t | app | 10 | 1 | 1\nu | 5 | 1 | f | app | 1000 | 1 | 1";
    answer(&mut searches, both, now);
    answer(&mut searches, "u | 5 | 1 | t | app | 12 | 1 | 1", now);
    assert_eq!(calls(&searches), ["<-> app 2"]);
    // Again from 0.
    let both = "u | 5 | 1 | t | app | 12 | 1 | 1\nu | 5 | 1 | f | app | 5 | 1 | 1";
    answer(&mut searches, both, now);
    assert_eq!(calls(&searches), ["<-> app 7"]);
}

#[test]
fn a_database_that_is_gone_takes_its_sums_along_and_adds_nothing() {
    let (mut searches, now) = (Searches::default(), Instant::now());
    let three = "u | 5 | 1 | t | app | 1   | 1 | 1
                 u | 6 | 1 | t | b   | 100 | 1 | 1
                 u | 7 | 1 | t | c   | 200 | 1 | 1";
    answer(&mut searches, three, now);
    assert_eq!(calls(&searches), ["<-> app 0", "<-> b 0", "<-> c 0"]);
    let dropped = "u | 5 | 1 | t | app | 2   | 1 | 1
                   u | 6 | 1 | t | -   | 101 | 1 | 1
                   u | 7 | 1 | t | -   | 201 | 1 | 1";
    answer(&mut searches, dropped, now);
    assert_eq!(calls(&searches), ["<-> app 1"]);
    // One of them is forgotten by the server, and a new database has the name of the other.
    let forgotten = "u | 5 | 1 | t | app | 2   | 1 | 1
                     u | 7 | 1 | t | -   | 201 | 1 | 1
                     u | 9 | 1 | t | c   | 3   | 1 | 1";
    answer(&mut searches, forgotten, now);
    assert_eq!(calls(&searches), ["<-> app 1", "<-> c 3"]);
    // A database keeps its sums when all its statements are forgotten.
    answer(&mut searches, "- | - | - | - | app | - | - | -", now);
    assert_eq!(calls(&searches), ["<-> app 1"]);
}

#[test]
fn an_answer_which_was_overtaken_is_not_counted() {
    let (mut searches, now) = (Searches::default(), Instant::now());
    let second = |seconds| now + Duration::from_secs(seconds);
    let rows = |calls: u32| table(&format!("{HEAD}u | 5 | 1 | t | app | {calls} | 1 | 1"));
    answer(&mut searches, "u | 5 | 1 | t | app | 1 | 1 | 1", now);
    let mut count = |calls, asked, came| {
        searches.count(&rows(calls), second(asked), second(came)).expect("all columns");
        searches.sums.values().map(|sums| sums.counts[0]).collect::<Vec<_>>()
    };
    assert_eq!(count(8, 2, 3), [7.0]);
    // Asked for before that one came: the server may have answered it before, or after.
    assert_eq!(count(5, 1, 4), [7.0]);
    assert_eq!(count(9, 2, 5), [7.0]);
    assert_eq!(count(10, 3, 6), [9.0]);
}

#[test]
fn calls_are_counted_by_the_mean_of_their_statement_since_the_scrape_before() {
    let (mut searches, now) = (Searches::default(), Instant::now());
    answer(&mut searches, NOTHING, now);
    // 5 ms each; then 20 of 0.9 ms, and one of another user which took a minute.
    answer(&mut searches, "u | 5 | 1 | t | app | 10 | 0.05 | 50", now);
    let later = "u | 5 | 1 | t | app | 30 | 0.068 | 50\nv | 5 | 1 | t | app | 1 | 60 | 5";
    answer(&mut searches, later, now);
    answer(&mut searches, later, now);
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
    answer(&mut searches, NOTHING, now);
    assert_eq!(answer(&mut searches, "u | 5 | 1 | t | app | 1 | 1 | 1", now), ["1"]);
    let both = "u | 5 | 1 | t | app | 1 | 1 | 1\nu | 5 | 4 | t | app | 7 | 1 | 1";
    assert!(answer(&mut searches, both, soon).is_empty());
    assert_eq!(calls(&searches), ["<-> app 1"]);
    assert_eq!(answer(&mut searches, both, later), ["4"]);
    assert_eq!(calls(&searches), ["<-> app 8"]);
}

#[test]
fn texts_that_cannot_be_read_are_not_asked_for_at_each_scrape() {
    let (mut searches, now) = (Searches::default(), Instant::now());
    let rows = table(&format!("{HEAD}u | 5 | 1 | t | app | 1 | 1 | 1"));
    let mut unknown = |now| searches.unknown(&rows, now).expect("all columns");
    assert_eq!(unknown(now), ["1"]);
    assert!(unknown(now + Duration::from_secs(1)).is_empty(), "nothing was learnt");
    assert_eq!(unknown(now + TEXTS_PERIOD), ["1"]);
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
