//! What a file of queries may say, how a mistake in it is told, and what becomes of answers.

use std::fmt::Write as _;

use expect_test::{expect, expect_file};
use metrics_server::{Format, Page};
use proptest::prelude::*;

use super::{Queries, QueriesError, Query, UnknownKeys};
use crate::{instance::Facts, prefix::Prefix, row::fixture::table};

fn parse(text: &str) -> Result<Queries, QueriesError> {
    let read = |path: &str| match path {
        "there.sql" => Ok("SELECT 1 AS there;\n".to_owned()),
        _ => Err("no such file".to_owned()),
    };
    Queries::parse("q.yaml", text, UnknownKeys::Refuse, &read)
}

/// Each case of a file: `=== title`, the file of queries, `--- rows` and an answer, and then what
/// the page is. `UPDATE_EXPECT=1` writes the pages.
fn check_cases(cases: &str, expected: &expect_test::ExpectFile) {
    let mut out = String::new();
    for case in cases.split("=== ").skip(1) {
        let (title, rest) = case.split_once('\n').expect("a title");
        let (yaml, rest) = rest.split_once("--- rows\n").expect("rows");
        let answer = rest.split_once("--- page\n").map_or(rest, |(answer, _)| answer);
        let page = match parse(yaml) {
            Ok(queries) => write(&queries, answer),
            Err(error) => format!("error: {error}\n"),
        };
        write!(out, "=== {title}\n{yaml}--- rows\n{answer}--- page\n{page}").expect("memory");
    }
    expected.assert_eq(&out);
}

fn write(queries: &Queries, answer: &str) -> String {
    let facts = Facts { version: 170_004, ..Facts::default() };
    let mut page = Page::new();
    let mut tallies = String::new();
    for query in &queries.queries {
        let tally = query.write(&table(answer), &facts, &[("datname", "app")], &mut page);
        for (reason, count) in tally.dropped() {
            writeln!(tallies, "# dropped {count}: {}", reason.as_str()).expect("memory");
        }
    }
    format!("{}{tallies}", page.into_text(Format::Text))
}

#[test]
fn answers_become_families_as_the_file_says() {
    check_cases(include_str!("cases/usages.txt"), &expect_file!["cases/usages.txt"]);
}

#[test]
fn files_of_other_programs_mean_here_what_they_mean_there() {
    check_cases(include_str!("cases/rivals.txt"), &expect_file!["cases/rivals.txt"]);
}

#[test]
fn a_prefix_is_for_names_that_begin_with_the_namespace() {
    let queries = parse(
        "\
pg_shop:
  query: SELECT 1
  metrics:
    - n: {usage: GAUGE, description: Things}
    - pg: {usage: GAUGE, description: Others}
    - whole: {usage: GAUGE, description: Own, family: pg_whole}
    - kind: {usage: INFO}
orders: {query: SELECT 1}
",
    )
    .expect("a file");
    let queries = queries.with_prefix(&Prefix::new("acme"));
    let page = write(&queries, "n | pg | whole | kind | more\n1 | 2 | 3 | x | 4");
    let samples = page.split_inclusive('\n').filter(|line| !line.starts_with('#'));
    expect![[r#"
        acme_shop_info{datname="app",kind="x"} 1
        acme_shop_more{datname="app"} 4
        acme_shop_n{datname="app"} 1
        acme_shop_pg{datname="app"} 2
        orders_more{datname="app"} 4
        orders_n{datname="app"} 1
        orders_pg{datname="app"} 2
        orders_whole{datname="app"} 3
        pg_whole{datname="app"} 3
    "#]]
    .assert_eq(&samples.collect::<String>());
    let names: Vec<_> = queries.queries.iter().map(|query| query.name.as_str()).collect();
    assert_eq!(names, ["pg_shop", "orders"], "what the file calls them, in pg_queries_*");
}

/// One mistake each.
const MISTAKES: &[&str] = &[
    "a: {query: SELECT 1, colour: red}",
    "a: {query: SELECT 1, metrics: [{x: {usage: GAUGE, hepl: y}}]}",
    "a: {query: SELECT 1}\na: {query: SELECT 2}",
    "a: {query: SELECT 1, query: SELECT 2}",
    "a: {query: SELECT 1, ttl: 1, cache_seconds: 2}",
    "a: {}",
    "a: {query: ' ; '}",
    "a: {query: [SELECT]}",
    "a: {query_file: gone.sql}",
    "a: {query: SELECT 1, query_file: there.sql}",
    "a: {query_ref: b}",
    "a-b: {query: SELECT 1}",
    "a: {query: SELECT 1, metrics: [{x: {usage: GUAGE}}]}",
    "a: {query: SELECT 1, metrics: [{x: {}}]}",
    "a: {query: SELECT 1, metrics: [{x: {usage: TIMESTAMP}}]}",
    "a: {query: SELECT 1, timestamp: x}",
    "a: {query: SELECT 1, metrics: [{'x-y': {usage: GAUGE}}]}",
    "a: {query: SELECT 1, metrics: [{'x-y': {usage: LABEL}}]}",
    "a: {query: SELECT 1, metrics: [{x: {usage: LABEL}}], labels: {x: y}}",
    "a: {query: SELECT 1, metrics: [{x: {usage: GAUGE}}, {x: {usage: LABEL}}]}",
    "a: {query: SELECT 1, metrics: [{x: {usage: GAUGE}}, {y: {usage: GAUGE, rename: x}}]}",
    "a: {query: SELECT 1, labels: {__name__: y}}",
    "a: {query: SELECT 1, metrics: [{x: {usage: LABEL, scale: 2}}]}",
    "a: {query: SELECT 1, metrics: [{x: {usage: GAUGE, scale: 0}}]}",
    "a: {query: SELECT 1, metrics: [{x: {usage: GAUGE, default: much}}]}",
    "a: {query: SELECT 1, metrics: [{x: {usage: MAPPEDMETRIC}}]}",
    "a: {query: SELECT 1, metrics: [{x: {usage: STATESET}}]}",
    "a: {query: SELECT 1, metrics: [{x: {usage: SUMMARY}}]}",
    "a: {query: SELECT 1, metrics: [{x: {usage: SUMMARY, quantiles: {99: y}}}]}",
    "a: {query: SELECT 1, metrics: [{x: {usage: HISTOGRAM, buckets: {slow: y}}}]}",
    "a: {query: SELECT 1, metrics: [{x: {usage: HISTOGRAM, buckets: {1: y, 1.0: z}}}]}",
    "a: {query: SELECT 1, runonserver: '~12'}",
    "a: {query: SELECT 1, min_version: new}",
    "a: {query: SELECT 1, min_version: 17, max_version: 14}",
    "a: {query: SELECT 1, tags: ['owner:me']}",
    "a: {query: SELECT 1, ttl: -1}",
    "a: {query: SELECT 1, timeout: soon}",
    "a: {query: SELECT 1, schedule: 1ms}",
    "a: {query: SELECT 1, accumulate: true}",
    "a: {query: SELECT 1, rows_max: 0}",
    "a: {query: SELECT 1, role: leader}",
    "a: {query: SELECT 1, health: {}}",
    "a: {query: SELECT 1, predicate_queries: [{name: x}]}",
    "- a",
    "a: *b",
];

#[test]
fn a_mistake_is_told_in_one_line_with_its_place() {
    let told: String = MISTAKES
        .iter()
        .map(|text| match parse(text) {
            Ok(_) => format!("ACCEPTED {text}\n"),
            Err(error) => format!("{error}\n"),
        })
        .collect();
    assert_eq!(told.lines().count(), MISTAKES.len(), "one line each");
    expect![[r#"
        q.yaml: unknown key a.colour: remove it or mend its spelling
        q.yaml: unknown key a.metrics.0.x.hepl: remove it or mend its spelling
        q.yaml: "a" is there twice
        q.yaml: a: duplicate field `query` at line 1 column 4
        q.yaml: a: duplicate field `ttl` at line 1 column 4
        q.yaml: query a: query: is missing, write the SQL there
        q.yaml: query a: query: is empty
        q.yaml: a.query: invalid type: sequence, expected a string at line 1 column 12
        q.yaml: query a: query_file gone.sql: no such file
        q.yaml: query a: query and query_file: write one of them
        q.yaml: query a: query_ref: there is no query "b" with SQL in this file
        q.yaml: query a-b: "a-b" cannot begin a metric's name: give it a name
        q.yaml: a.metrics[0].x.usage: usage "GUAGE" is unknown, write one of LABEL, GAUGE, COUNTER, UNTYPED, HISTOGRAM, SUMMARY, INFO, STATESET, DISCARD, MAPPEDMETRIC, DURATION at line 1 column 44
        q.yaml: query a: metrics.x: usage: is missing, write GAUGE, COUNTER or LABEL
        q.yaml: a.metrics[0].x.usage: series cannot have timestamps of their own: Prometheus would neither mark them stale nor join them with others; write the time as a value of its own, with usage: GAUGE at line 1 column 44
        q.yaml: query a: timestamp: series cannot have timestamps of their own: Prometheus would neither mark them stale nor join them with others; write the time as a value of its own, with usage: GAUGE
        q.yaml: query a: metrics.x-y: "a_x-y" is not a metric name: use rename
        q.yaml: query a: metrics.x-y: "x-y" is not a label name: rename it
        q.yaml: query a: metrics.x: label "x" is there twice, use rename
        q.yaml: a.metrics: column "x" is there twice at line 1 column 31
        q.yaml: query a: metrics.y: family "a_x" is there twice, use rename
        q.yaml: query a: labels: label "__name__" is reserved, it has two underscores in front: rename it
        q.yaml: query a: metrics.x: scale: has no meaning for this usage, remove it
        q.yaml: query a: metrics.x: scale: 0 is no factor
        q.yaml: a.metrics[0].x.default: "much" is not a number at line 1 column 60
        q.yaml: query a: metrics.x: metric_mapping: is missing, write the number of each word
        q.yaml: query a: metrics.x: states: is missing, list all that there are
        q.yaml: query a: metrics.x: quantiles: is missing, write {0.5: column, 0.99: column}
        q.yaml: query a: metrics.x: quantiles: 99 is not between 0 and 1
        q.yaml: query a: metrics.x: buckets: "slow" is not a number, write bound: column
        q.yaml: a.metrics[0].x.buckets: "1" is there twice at line 1 column 64
        q.yaml: query a: versions: "~12" is not a version range like ">=14.0.0 <17.0.0"
        q.yaml: a.min_version: "new" is not a version like 170000 or 17 at line 1 column 35
        q.yaml: query a: max_version: is the first version without the query, so above min_version
        q.yaml: query a: tags: "owner:me" is unknown, write dbname:, username:, extension:, schema: or not:
        q.yaml: a.ttl: "-1" is neither seconds nor a duration like 1m30s at line 1 column 27
        q.yaml: a.timeout: "soon" is neither seconds nor a duration like 1m30s at line 1 column 31
        q.yaml: query a: schedule: at least 0.5 s
        q.yaml: query a: accumulate: needs a schedule, since scrapes are not regular
        q.yaml: query a: rows_max: must be at least 1; use skip: true to switch a query off
        q.yaml: a.role: unknown variant `leader`, expected one of `any`, `master`, `primary`, `replica`, `slave`, `standby` at line 1 column 28
        q.yaml: query a: health.max_age: is missing
        q.yaml: query a: predicate_queries: predicate_query is missing in one
        q.yaml: invalid type: sequence, expected queries by name
        q.yaml: unknown anchor at line 1 column 4
    "#]].assert_eq(&told);
}

#[test]
fn limits_of_a_file_hold() {
    let many: String = (0..=super::QUERIES_MAX)
        .map(|n| format!("q{n}: {{query: SELECT 1}}"))
        .collect::<Vec<_>>()
        .join("\n");
    let large = format!("# {}\n", "x".repeat(super::FILE_BYTES_MAX));
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    let deep = format!("a: {{query: x, z: {open}{close}}}");
    let bomb = (1..40).fold("a:\n  query: x\n  x0: &x0 [y]\n".to_owned(), |text, n| {
        let less = n - 1;
        format!("{text}  x{n}: &x{n} [*x{less}, *x{less}, *x{less}, *x{less}]\n")
    });
    for (text, wrong) in
        [(many, "more than"), (large, "larger"), (deep, "recursion"), (bomb, "repetition")]
    {
        let error = parse(&text).expect_err("too much").to_string();
        assert!(error.contains(wrong), "{error}");
    }
}

#[test]
fn an_empty_file_has_no_queries() {
    for text in ["", "# nothing\n", "---\n", "{}"] {
        assert!(parse(text).expect("empty").queries.is_empty(), "{text:?}");
    }
}

#[test]
fn unknown_keys_are_warnings_where_postgres_exporter_ignores_them() {
    let text = "a: {query: SELECT 1, colour: red, metrics: [{x: {usage: GAUGE, hue: 1}}]}";
    let queries = Queries::parse("q.yaml", text, UnknownKeys::Warn, &|_| Err(String::new()));
    expect![[r#"
        unknown key a.colour: remove it or mend its spelling
        unknown key a.metrics.0.x.hue: remove it or mend its spelling"#]]
    .assert_eq(&queries.expect("taken").warnings.join("\n"));
}

fn only(text: &str) -> Query {
    let queries = parse(text).expect("valid").queries;
    Query::clone(queries.first().expect("one query"))
}

#[test]
fn a_query_has_nothing_to_do_on_some_servers() {
    let primary = Facts { version: 170_004, ..Facts::default() };
    let standby = Facts { in_recovery: true, ..primary.clone() };
    let tags = ["big".to_owned()];
    for (keys, on_primary, on_standby) in [
        ("", None, None),
        ("role: primary", None, Some("role")),
        ("primary: true", None, Some("role")),
        ("role: standby", Some("role"), None),
        ("tags: [replica]", Some("role"), None),
        ("tags: ['not:primary']", Some("role"), None),
        ("tags: [big]", None, None),
        ("tags: ['not:big']", Some("tag"), Some("tag")),
        ("tags: [small]", Some("tag"), Some("tag")),
        ("runonserver: '<17'", Some("version"), Some("version")),
        ("min_version: 170000", None, None),
        ("max_version: 17", Some("version"), Some("version")),
        ("min_version: '17.5'", Some("version"), Some("version")),
    ] {
        let query = only(&format!("a: {{query: SELECT 1, {keys}}}"));
        assert_eq!(query.refusal(&primary, &tags), on_primary, "{keys}");
        assert_eq!(query.refusal(&standby, &tags), on_standby, "{keys}");
    }
}

#[test]
fn databases_are_chosen_by_globs() {
    for (keys, taken) in [
        ("", "connected discovered"),
        ("master: true", "connected"),
        ("tags: [cluster]", "connected"),
        ("target_databases: ['*']", "connected discovered other"),
        ("databases: [d*, o*, '!other']", "discovered"),
        ("databases: ['!other']", "connected discovered"),
        ("databases: []", "connected"),
        ("tags: ['dbname:other']", "other"),
    ] {
        let databases = only(&format!("a: {{query: SELECT 1, {keys}}}")).gate.databases;
        let all =
            [("connected", true, false), ("discovered", false, true), ("other", false, false)];
        let kept = all.iter().filter(|(name, own, found)| databases.takes(name, *own, *found));
        let kept: Vec<_> = kept.map(|(name, ..)| *name).collect();
        assert_eq!(kept.join(" "), taken, "{keys}");
    }
}

#[test]
fn what_a_database_has_to_have_is_one_question() {
    let query = only("a: {query: x, extensions: it's, schemas: [s], tags: ['username:u']}");
    expect!["SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'it''s') AND EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 's') AND (current_user = 'u')"].assert_eq(&query.requirement().expect("there is one"));
    assert_eq!(only("a: {query: SELECT 1}").requirement(), None);
}

#[test]
fn sql_comes_from_the_query_a_file_or_another_query() {
    let text = "a: {query_file: there.sql}\nb: {query: SELECT 2}\nc: {query_ref: b}\nd: {query: x, skip: true}";
    let queries = parse(text).expect("valid").queries;
    let texts: Vec<_> = queries.iter().map(|query| &*query.sql).collect();
    assert_eq!(texts, ["SELECT 1 AS there", "SELECT 2", "SELECT 2"]);
}

/// Words which a file may be made of.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a",
        "b",
        ":",
        " ",
        "\n",
        "  ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "query",
        "SELECT 1",
        "metrics",
        "usage",
        "GAUGE",
        "LABEL",
        "HISTOGRAM",
        "SUMMARY",
        "STATESET",
        "INFO",
        "buckets",
        "quantiles",
        "states",
        "scale",
        "1",
        "0.5",
        "-1",
        ".inf",
        "name",
        "ttl",
        "10s",
        "&x",
        "*x",
        "<<",
        "\"",
        "'",
        "|",
        ">",
        "#",
        "tags",
        "databases",
        "*",
        "health",
        "max_age",
        "é",
        "\u{0}",
        "null",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn property_test_no_text_panics(text in "\\PC*") {
        drop(parse(&text));
    }

    #[test]
    fn property_test_what_is_taken_writes_any_answer(
        text in words(),
        cells in prop::collection::vec(prop::option::of("[-0-9.:ae{},tf ]{0,8}"), 0..30),
    ) {
        if let Ok(queries) = parse(&text) {
            let mut rows = crate::row::Rows::new(vec!["a".to_owned(), "b".to_owned(), "1".to_owned()]);
            for row in cells.chunks(3) {
                rows.push(row.iter().map(Option::as_deref));
            }
            for query in queries.queries {
                let mut query = Query::clone(&query);
                query.rows_max = Some(5);
                query.series_max = Some(7);
                let mut page = Page::new();
                let tally = query.write(&rows, &Facts::default(), &[], &mut page);
                prop_assert!(tally.rows <= 5 && tally.series <= 7);
                prop_assert!(page.samples_count() <= 7);
            }
        }
    }
}
