//! Tests of `top_statements`: what a run of answers becomes.

use expect_test::{Expect, expect};
use metrics_server::{Format, Page};

use super::Ranking;
use crate::row::fixture::table;

/// Seconds of statements `1`, `2`, `3`, one answer after the other; `-` is no row.
fn check(members_max: usize, answers: &[[&str; 3]], expected: &Expect) {
    let mut ranking = Ranking::default();
    let mut seen = String::new();
    for answer in answers {
        let mut text = "user|datname|queryid|calls|seconds|rows|blocks_hit|blocks_read|\
                        temp_blocks_written\n"
            .to_owned();
        for (id, seconds) in answer.iter().enumerate().filter(|(_, seconds)| **seconds != "-") {
            text = format!("{text}u|d|{}|1|{seconds}|0|0|0|0\n", id + 1);
        }
        ranking.update(&table(&text), members_max).expect("all columns");
        let mut page = Page::new();
        ranking.write(&mut page);
        let page = page.into_text(Format::Text);
        let lines = page.lines().filter_map(|line| line.strip_prefix("pg_top_statements_seconds"));
        let lines: Vec<_> = lines
            .filter_map(|line| line.split_once("queryid=\""))
            .map(|(_, rest)| {
                rest.split("\",").next().unwrap_or_default().to_owned()
                    + rest.rsplit('}').next().unwrap_or_default()
            })
            .collect();
        seen = format!("{seen}{}\n", lines.join("; "));
    }
    expected.assert_eq(&seen);
}

#[test]
fn a_member_stays_until_another_takes_clearly_more_time() {
    check(
        1,
        &[["10", "9", "0"], ["11", "10.2", "0"], ["12", "11.4", "0"], ["13", "40", "0"]],
        &expect![[r#"
            other 9; 1 10
            other 10.2; 1 11
            other 11.4; 1 12
            other 40; 2 40
        "#]],
    );
}

#[test]
fn others_are_added_up_and_never_fall() {
    check(
        1,
        &[
            ["10", "1", "1"],
            ["11", "2", "2"],
            ["12", "3", "-"],
            ["13", "4", "1"],
            ["0", "0.5", "2"],
        ],
        &expect![[r#"
            other 2; 1 10
            other 4; 1 11
            other 5; 1 12
            other 7; 1 13
            other 8.5; 1 0
        "#]],
    );
}
