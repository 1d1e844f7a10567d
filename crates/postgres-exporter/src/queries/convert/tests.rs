//! Golden files: what `convert` makes of collectors of `sql_exporter`.

use expect_test::{expect, expect_file};

use super::convert;

#[test]
fn collectors_become_queries() {
    let converted = convert(include_str!("freshness.collector.yml")).expect("valid");
    expect_file!["freshness.queries.yml"].assert_eq(&converted);
    let converted = convert(include_str!("whole.yml")).expect("valid");
    expect_file!["whole.queries.yml"].assert_eq(&converted);
}

#[test]
fn what_cannot_be_converted_is_told() {
    let told: String = [
        "a: b",
        "collector_name: x\nmetrics: [{metric_name: m, type: gauge}]",
        "collector_name: x\nmetrics: [{metric_name: m, type: gauge, query_ref: q}]",
        "collector_name: x\nmetrics: [{metric_name: m, type: gauge, query: s}]",
        "collector_name: x\nmetrics: [{metric_name: m, type: histogram, values: [a], query: s}]",
        "collector_name: x\nmetrics: [{metric_name: m, type: gauge, values: [a, b], query: s}]",
        "collector_name: x\nmetrics: [{metric_name: m-n, type: gauge, values: [a], query: s}]",
    ]
    .iter()
    .map(|text| match convert(text) {
        Ok(_) => format!("ACCEPTED {text}\n"),
        Err(error) => format!("{error:#}\n"),
    })
    .collect();
    expect![[r#"
        there is no collector in it: expected collector_name and metrics, or collectors
        metric m: needs query or query_ref
        metric m: there is no query "q" in the collector
        metric m: needs values or static_value
        metric m: type "histogram" is neither counter nor gauge
        metric m: several values need a value_label
        the result: query m-n: "m-n" cannot begin a metric's name: give it a name
    "#]]
    .assert_eq(&told);
}
