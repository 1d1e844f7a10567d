//! What a mapping file may say, and how a mistake in it is told.

use expect_test::expect;
use proptest::prelude::*;

use super::{Mapped, Mapping};
use crate::line::{Kind, Labels};

/// One mistake each.
const MISTAKES: &[&str] = &[
    "mappings:\n- {match: a, name: m, colour: red}",
    "mappings:\n- {match: a, name: m}\nmapping: []",
    "mappings:\n- {match: a, name: m, match: b}",
    "mappings:\n- {match: a, name: m, labels: {x: 1, x: 2}}",
    "mappings:\n- {match: a, name: [m]}",
    "mappings:\n- match: *.test.*\n  name: m",
    "mappings:\n- match: \"a\\.b\"\n  name: m",
    "mappings:\n- {name: m}",
    "mappings:\n- {match: a}",
    "mappings:\n- {match: ok, name: ok}\n- {match: a, name: a-b}",
    "mappings:\n- {match: a, name: 0}",
    "mappings:\n- {match: a, name: '$x'}",
    "mappings:\n- {match: 'foo*', name: m}",
    "mappings:\n- {match: 'a(', match_type: regex, name: m}",
    "mappings:\n- {match: a, name: m, match_type: pcre}",
    "mappings:\n- {match: a, name: m, action: keep}",
    "mappings:\n- {match: a, name: m, observer_type: wrong}",
    "mappings:\n- {match: a, name: m, match_metric_type: sets}",
    "mappings:\n- {match: a, name: m, labels: {my-label: x}}",
    "mappings:\n- {match: a, name: m, labels: {__x: y}}",
    "mappings:\n- {match: a, name: m, match_metric_type: observer, labels: {quantile: y}}",
    "mappings:\n- {match: a, name: m, ttl: 1d}",
    "mappings:\n- {match: a, name: m, ttl: -1s}",
    "mappings:\n- {match: a, name: m, ttl: -1}",
    "mappings:\n- {match: a, name: m, scale: much}",
    "mappings:\n- {match: a, name: m, observer_type: histogram, summary_options: {max_age: 1s}}",
    "mappings:\n- {match: a, name: m, observer_type: '', histogram_options: {buckets: [1]}}",
    "defaults: {histogram_options: {buckets: [2, 1]}}",
    "defaults: {histogram_options: {buckets: [1, 1]}}",
    "defaults: {histogram_options: {buckets: [.nan]}}",
    "defaults: {summary_options: {quantiles: [{quantile: 99, error: 1}]}}",
    "defaults: {summary_options: {quantiles: [{quantile: 0.9, error: -1}]}}",
    "defaults: {summary_options: {age_buckets: 1000000}}",
    "mappings:\n- {match: 'a.*', name: m, initialize: 0}",
    "mappings:\n- {match: a, match_type: regex, name: m, initialize: 0}",
    "mappings:\n- {match: a, name: m, labels: {x: $1}, initialize: 0}",
    "mappings:\n- {match: a, action: drop, initialize: 0}",
    "mappings:\n- {match: a, name: m, initialize: -1}",
];

#[test]
fn a_mistake_is_told_in_one_line_with_its_place() {
    let told: String = MISTAKES
        .iter()
        .map(|text| match Mapping::parse(text) {
            Ok(_) => format!("ACCEPTED {text}\n"),
            Err(error) => format!("{error}\n"),
        })
        .collect();
    assert_eq!(told.lines().count(), MISTAKES.len(), "one line each");
    expect![[r#"
        unknown key mappings.0.colour
        unknown key mapping
        mappings[0]: duplicate field `match` at line 2 column 3
        mappings[0].labels: label "x" is there twice at line 2 column 31
        mappings[0].name: invalid type: sequence, expected a string at line 2 column 20
        did not find expected alphabetic or numeric character at line 2 column 11, while scanning an alias at line 2 column 10
        found unknown escape character at line 2 column 12, while parsing a quoted scalar at line 2 column 10
        mapping 1: match is missing
        mapping 1 (match "a"): name is missing
        mapping 2 (match "a"): name "a-b" is not a metric name
        mapping 1 (match "a"): name "0" is not a metric name
        mapping 1 (match "a"): name "$x" is not a metric name
        mapping 1 (match "foo*"): match is not a glob: a star stands for a whole segment, other segments are letters, digits, _ and -
        mapping 1 (match "a("): match is not a regular expression: unclosed group
        mapping 1 (match "a"): match_type "pcre" is neither glob nor regex
        mapping 1 (match "a"): action "keep" is neither map nor drop
        mapping 1 (match "a"): observer_type "wrong" is neither histogram nor summary
        mapping 1 (match "a"): match_metric_type "sets" is not counter, gauge, observer or set
        mapping 1 (match "a"): label "my-label" is not a label name
        mapping 1 (match "a"): label "__x" is reserved: two underscores in front
        mapping 1 (match "a"): label "quantile" is the exporter's own here
        mappings[0].ttl: invalid duration "1d": expected a form like 300ms, 1m30s or 2h at line 2 column 28
        mappings[0].ttl: invalid duration "-1s": it cannot be negative at line 2 column 28
        mappings[0].ttl: a duration cannot be negative at line 2 column 28
        mappings[0].scale: invalid type: string "much", expected f64 at line 2 column 30
        mapping 1 (match "a"): summary_options on a rule for histograms
        mapping 1 (match "a"): histogram_options on a rule for summaries
        defaults: buckets must ascend, but 2 stands before 1
        defaults: buckets must ascend, but 1 stands before 1
        defaults: bucket NaN is not a finite number
        defaults: quantile 99 is not between 0 and 1
        defaults: error -1 of quantile 0.9 is not between 0 and 1
        defaults: age_buckets 1000000 is above 100
        mapping 1 (match "a.*"): initialize needs a match without wildcards
        mapping 1 (match "a"): initialize needs a match without wildcards
        mapping 1 (match "a"): initialize needs a name and labels without $
        mapping 1 (match "a"): initialize on a rule which drops
        mapping 1 (match "a"): initialize cannot be -1 here
    "#]].assert_eq(&told);
}

#[test]
fn old_keys_and_native_histograms_are_taken_with_a_warning() {
    let text = "\
defaults: {timer_type: histogram, buckets: [1], quantiles: [{quantile: 0.5, error: 0.1}]}
mappings:
- {match: a, name: m, timer_type: summary, quantiles: [{quantile: 0.5, error: 0.1}]}
- {match: b, name: m, match_metric_type: timer, buckets: [1]}
- {match: c, name: m, histogram_options: {native_histogram_bucket_factor: 1.1}}
";
    let mapping = Mapping::parse(text).expect("old, not wrong");
    expect![[r#"
        defaults: timer_type is old, write observer_type
        defaults: buckets is old, write histogram_options.buckets
        defaults: quantiles is old, write summary_options.quantiles
        mapping 1 (match "a"): timer_type is old, write observer_type
        mapping 1 (match "a"): quantiles is old, write summary_options.quantiles
        mapping 2 (match "b"): match_metric_type: timer is old, write match_metric_type: observer
        mapping 2 (match "b"): buckets is old, write histogram_options.buckets"#]]
    .assert_eq(&mapping.warnings().join("\n"));
}

#[test]
fn an_empty_file_has_no_rules() {
    for text in ["", "# nothing\n", "---\n", "mappings:\n", "defaults:\nmappings: []\n"] {
        assert_eq!(Mapping::parse(text).expect("empty").rules_count(), 0, "{text:?}");
    }
}

fn name(mapping: &Mapping, name: &str, kind: Kind) -> String {
    match mapping.apply(name, kind, Labels::default()) {
        Mapped::Drop => "dropped".to_owned(),
        Mapped::Series { name, .. } => name,
    }
}

#[test]
fn kinds_globs_and_expressions_are_asked_in_order() {
    let text = "\
mappings:
- {match: 'a\\..*', match_type: regex, name: expression}
- {match: a.*, name: counters, match_metric_type: counter}
- {match: a.*, name: second_counters, match_metric_type: counter}
- {match: a.b, name: gauges, match_metric_type: gauge}
- {match: '(?i)QUIET', match_type: regex, action: drop}
";
    let mapping = Mapping::parse(text).expect("good");
    for (input, kind, expected) in [
        ("a.b", Kind::Counter, "counters"),
        ("a.b", Kind::Gauge, "gauges"),
        ("a.c", Kind::Gauge, "expression"),
        ("a.b.c", Kind::Counter, "expression"),
        ("quiet", Kind::Observer, "dropped"),
        ("b-c", Kind::Observer, "b_c"),
    ] {
        assert_eq!(name(&mapping, input, kind), expected, "{input} {kind:?}");
    }
}

proptest! {
    #[test]
    fn property_any_text_is_read_or_refused(
        text in "(mappings|defaults)?:?[\n -]{0,3}([a-z_]{1,9}: ?[a-z0-9.*$\\[\\]{}'\"&-]{0,9}\n? ?){0,5}",
    ) {
        if let Err(error) = Mapping::parse(&text) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }
}

#[test]
fn unknown_keys_can_be_warnings() {
    let text = "defaults: {colour: red}\nmappings: [{match: a, name: m, labels: {x: y}, shape: {round: 1}}]";
    let mapping = Mapping::parse_with(text, super::UnknownKeys::Warn).expect("warnings only");
    expect![[r"
        unknown key defaults.colour
        unknown key mappings.0.shape"]]
    .assert_eq(&mapping.warnings().join("\n"));
    assert_eq!(mapping.rules_count(), 1);
}

#[test]
fn rules_which_can_never_match_are_told() {
    let text = "
defaults: {partial_globs: true}
mappings:
- {match: a.*, name: m1}
- {match: a.b, name: m2}
- {match: b.x, name: m3, match_metric_type: counter}
- {match: b.x, name: m4}
- {match: c.*, name: m5, match_tags: {env: prod}}
- {match: c.*, name: m6}
- {match: c.*, name: m7, match_tags: {env: test}}
- {match: d_*, name: m8}
- {match: d_e_*, name: m9}
- {match: 'a\\..*', match_type: regex, name: m10}
- {match: '^a\\.(\\w+)$', match_type: regex, name: m11}
- {match: 'b\\.x', match_type: regex, name: m12, match_metric_type: gauge}
- {match: 'b\\.x', match_type: regex, name: m13}
- {match: '.*', match_type: regex, name: m14}
- {match: 'x', match_type: regex, name: m15}
- {match: e.*, name: m16}
";
    let mapping = Mapping::parse(text).expect("a good file");
    expect![[r#"
        mapping 2 (match "a.b") can never match: mapping 1 (match "a.*") takes all that it would
        mapping 7 (match "c.*") can never match: mapping 6 (match "c.*") takes all that it would
        mapping 9 (match "d_e_*") can never match: mapping 8 (match "d_*") takes all that it would
        mapping 11 (match "^a\\.(\\w+)$") can never match: mapping 1 (match "a.*") takes all that it would
        mapping 15 (match "x") can never match: mapping 14 (match ".*") takes all that it would
        mapping 16 (match "e.*") goes before mapping 14 (match ".*"), which stands earlier and would take the same names: globs go first"#]]
    .assert_eq(&mapping.warnings().join("\n"));
    let unordered = text.replace("true", "true, glob_disable_ordering: true");
    let mapping = Mapping::parse(&unordered).expect("a good file");
    let warnings = mapping.warnings();
    assert_eq!(warnings.len(), 4, "of globs only the same pattern: {warnings:?}");
}

#[test]
fn a_mapping_explains_itself() {
    let mapping = Mapping::parse(
        "mappings:
- {match: a.*.c, name: m1}
- {match: a.*, name: m2, match_metric_type: gauge}
- {match: a.*, name: m3, match_tags: {env: 'prod*'}}
- {match: a.b, name: m4}
- {match: a.*, name: m5, action: drop}
- {match: '^b', name: m6, match_type: regex}
",
    )
    .expect("a good file");
    let mut labels = Labels::default();
    labels.set("env", "test");
    expect![[r#"
        a.b (counter): mapping 4 maps it
        mapping 1 (match "a.*.c"): has 3 segments, the name 2
        mapping 2 (match "a.*"): is not for a counter
        mapping 3 (match "a.*"): tag env is "test", not "prod*"
        mapping 4 (match "a.b"): matches
        mapping 5 (match "a.*"): matches, but mapping 4 is looked at before
        mapping 6 (match "^b"): its expression does not match
    "#]]
    .assert_eq(&mapping.explain("a.b", Kind::Counter, &labels));
    assert!(
        mapping.explain("x", Kind::Gauge, &labels).starts_with("x (gauge): no mapping matches\n")
    );
}
