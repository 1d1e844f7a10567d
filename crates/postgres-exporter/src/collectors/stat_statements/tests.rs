//! Tests of `stat_statements`.

use expect_test::expect;

use super::{super::tests::check, array, query, write};
use crate::{instance::Facts, reading::Statements};

const ANSWER: &str = "
    user    | datname | queryid | query    | calls | seconds | rows | read_seconds | write_seconds
    lake    | app     | 42      | SELECT 1 | 7     | 1500    | 7    | 20           | 0
    monitor | app     | 42      | SELECT 1 | 1     | 1       | 1    | -            | -
    -       | app     | -       | -        | 1     | 1       | 1    | 0            | 0";

#[test]
fn statements_are_counted_in_seconds() {
    check(
        ANSWER,
        |rows, out| write(rows, false, out),
        &expect![[r##"
        # HELP pg_stat_statements_block_read_seconds_total Total time the statement spent reading blocks, in seconds
        # TYPE pg_stat_statements_block_read_seconds_total counter
        pg_stat_statements_block_read_seconds_total{datname="app",queryid="42",user="lake"} 0.02
        pg_stat_statements_block_read_seconds_total{datname="app",queryid="42",user="monitor"} 0
        pg_stat_statements_block_read_seconds_total{datname="app",queryid="unknown",user="unknown"} 0
        # HELP pg_stat_statements_block_write_seconds_total Total time the statement spent writing blocks, in seconds
        # TYPE pg_stat_statements_block_write_seconds_total counter
        pg_stat_statements_block_write_seconds_total{datname="app",queryid="42",user="lake"} 0
        pg_stat_statements_block_write_seconds_total{datname="app",queryid="42",user="monitor"} 0
        pg_stat_statements_block_write_seconds_total{datname="app",queryid="unknown",user="unknown"} 0
        # HELP pg_stat_statements_calls_total Number of times executed
        # TYPE pg_stat_statements_calls_total counter
        pg_stat_statements_calls_total{datname="app",queryid="42",user="lake"} 7
        pg_stat_statements_calls_total{datname="app",queryid="42",user="monitor"} 1
        pg_stat_statements_calls_total{datname="app",queryid="unknown",user="unknown"} 1
        # HELP pg_stat_statements_rows_total Total number of rows retrieved or affected by the statement
        # TYPE pg_stat_statements_rows_total counter
        pg_stat_statements_rows_total{datname="app",queryid="42",user="lake"} 7
        pg_stat_statements_rows_total{datname="app",queryid="42",user="monitor"} 1
        pg_stat_statements_rows_total{datname="app",queryid="unknown",user="unknown"} 1
        # HELP pg_stat_statements_seconds_total Total time spent in the statement, in seconds
        # TYPE pg_stat_statements_seconds_total counter
        pg_stat_statements_seconds_total{datname="app",queryid="42",user="lake"} 1.5
        pg_stat_statements_seconds_total{datname="app",queryid="42",user="monitor"} 0.001
        pg_stat_statements_seconds_total{datname="app",queryid="unknown",user="unknown"} 0.001
    "##]],
    );
}

#[test]
fn a_text_is_shown_once() {
    let only_text =
        "user | datname | queryid | query\nlake | app | 42 | SELECT 1\nu | app | 42 | SELECT 1";
    check(
        only_text,
        |rows, out| write(rows, true, out),
        &expect![[r##"
        # HELP pg_stat_statements_query_id SQL Query to queryid mapping
        # TYPE pg_stat_statements_query_id counter
        pg_stat_statements_query_id{query="SELECT 1",queryid="42"} 1
    "##]],
    );
}

#[test]
fn the_query_is_that_of_the_version() {
    let extensions = [("pg_stat_statements".to_owned(), "ext".to_owned())];
    let facts =
        |version| Facts { version, extensions: extensions.clone().into(), ..Facts::default() };
    let statements = Statements {
        exclude_users: vec![r"o'ne\".to_owned(), "@limit@".to_owned()],
        ..Statements::default()
    };
    let old = query(&facts(130_000), &statements);
    let new = query(&facts(170_000), &Statements { include_query: true, ..statements });
    assert!(old.contains("sum(blk_read_time)") && old.contains("ext.pg_stat_statements(false)"));
    assert!(new.contains("sum(shared_blk_read_time)") && new.contains("(true)"), "{new}");
    assert!(new.contains("min(query)") && new.contains("left(s.query, 120)"), "{new}");
    let users = r"<> ALL (ARRAY[E'o''ne\\', E'\x40limit\x40']::name[])";
    assert!(old.contains(users) && old.contains("<> ALL (ARRAY[]::name[])"), "{old}");
    let without_comment = old.split_once("WITH").unwrap().1;
    assert!(!without_comment.contains('@'), "{old}");
    assert_eq!(array(&[]), "ARRAY[]::name[]");
}
