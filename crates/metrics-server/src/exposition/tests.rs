use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{Desc, Format, HistogramState, Kind, Page, Refusal, SummaryState};

fn example() -> Page {
    let mut page = Page::new();
    page.family(Desc::gauge("up", "Whether it is up."))
        .sample(&[("job", "b")], 0.0)
        .sample(&[("job", "a")], 1.0);
    page.sample(Desc::counter("jobs_total", "A \\ and a\n\"line\"."), &[], 1_234_567.0);
    page.family(Desc::new("size_bytes", "Sizes.", Kind::Histogram)).histogram(
        &[("z", "1")],
        HistogramState { buckets: vec![(0.5, 1), (1.0, 2)], sum: 2.25, count: 1_000_000 },
    );
    page.family(Desc::new("wait_seconds", "Waits.", Kind::Summary)).summary(
        &[],
        SummaryState { quantiles: vec![(0.5, f64::NAN), (0.99, 3.0)], sum: 6.0, count: 2 },
    );
    page.sample(Desc::untyped("raw", ""), &[], f64::INFINITY);
    page.family(Desc::gauge("empty", "Leaves nothing."));
    page
}

fn check(page: Page, format: Format, expected: &Expect) {
    expected.assert_eq(&page.into_text(format));
}

#[test]
fn text_is_what_go_writes() {
    check(
        example(),
        Format::Text,
        &expect![[r#"
            # HELP jobs_total A \\ and a\n"line".
            # TYPE jobs_total counter
            jobs_total 1.234567e+06
            # HELP raw 
            # TYPE raw untyped
            raw +Inf
            # HELP size_bytes Sizes.
            # TYPE size_bytes histogram
            size_bytes_bucket{z="1",le="0.5"} 1
            size_bytes_bucket{z="1",le="1"} 2
            size_bytes_bucket{z="1",le="+Inf"} 1e+06
            size_bytes_sum{z="1"} 2.25
            size_bytes_count{z="1"} 1e+06
            # HELP up Whether it is up.
            # TYPE up gauge
            up{job="a"} 1
            up{job="b"} 0
            # HELP wait_seconds Waits.
            # TYPE wait_seconds summary
            wait_seconds{quantile="0.5"} NaN
            wait_seconds{quantile="0.99"} 3
            wait_seconds_sum 6
            wait_seconds_count 2
        "#]],
    );
}

#[test]
fn openmetrics_names_counters_and_ends() {
    check(
        example(),
        Format::OpenMetrics,
        &expect![[r#"
            # HELP jobs A \\ and a\n\"line\".
            # TYPE jobs counter
            jobs_total 1.234567e+06
            # HELP raw 
            # TYPE raw unknown
            raw +Inf
            # HELP size_bytes Sizes.
            # TYPE size_bytes histogram
            size_bytes_bucket{z="1",le="0.5"} 1
            size_bytes_bucket{z="1",le="1.0"} 2
            size_bytes_bucket{z="1",le="+Inf"} 1000000
            size_bytes_sum{z="1"} 2.25
            size_bytes_count{z="1"} 1000000
            # HELP up Whether it is up.
            # TYPE up gauge
            up{job="a"} 1.0
            up{job="b"} 0.0
            # HELP wait_seconds Waits.
            # TYPE wait_seconds summary
            wait_seconds{quantile="0.5"} NaN
            wait_seconds{quantile="0.99"} 3.0
            wait_seconds_sum 6.0
            wait_seconds_count 2
            # EOF
        "#]],
    );
}

#[test]
fn what_does_not_fit_is_left_out_and_counted() {
    let mut page = Page::new();
    page.family(Desc::gauge("a", "First."))
        .sample(&[("l", "1")], 1.0)
        .sample(&[("l", "1")], 2.0)
        .sample(&[("bad-name", "1")], 3.0);
    page.sample(Desc::gauge("a", "Second."), &[], 4.0);
    page.sample(Desc::counter("a", "First."), &[], 5.0);
    page.sample(Desc::gauge("not a name", ""), &[], 6.0);

    let refusals = page.seal();
    assert_eq!(
        refusals.iter().collect::<Vec<_>>(),
        Refusal::ALL.map(|refusal| (refusal, 1)),
        "one of each kind"
    );
    assert_eq!(refusals.first(), Some((Refusal::InvalidLabel, "a")));
    check(
        page,
        Format::Text,
        &expect![[r#"
            # HELP a First.
            # TYPE a gauge
            a 4
            a{l="1"} 1
        "#]],
    );
}

#[test]
fn own_telemetry_is_gathered() {
    let registry = prometheus::Registry::new();
    let counter = prometheus::IntCounter::new("c_total", "Counted.").expect("valid");
    registry.register(Box::new(counter.clone())).expect("new");
    counter.inc_by(3);
    let mut page = Page::new();
    page.gather(&registry);
    check(
        page,
        Format::Text,
        &expect![[r"
            # HELP c_total Counted.
            # TYPE c_total counter
            c_total 3
        "]],
    );
}

/// Reads one sample line back, as a parser of the text format would.
fn read_back(line: &str) -> (String, String, f64) {
    let (name, rest) = line.split_once("{l=\"").expect("a label");
    let (escaped, value) = rest.rsplit_once("\"} ").expect("a value");
    let mut label = String::new();
    let mut characters = escaped.chars();
    while let Some(character) = characters.next() {
        label.push(match (character, character == '\\') {
            (_, true) => match characters.next().expect("an escaped character") {
                'n' => '\n',
                other => other,
            },
            (other, false) => other,
        });
    }
    (name.to_owned(), label, value.replace("Inf", "inf").parse().expect("a float"))
}

proptest! {
    #[test]
    fn property_what_is_written_reads_back(label: String, bits: u64) {
        let value = f64::from_bits(bits);
        let mut page = Page::new();
        page.sample(Desc::gauge("m", ""), &[("l", &label)], value);
        let text = page.into_text(Format::Text);
        let line = text.split_once("gauge\n").expect("a header").1.trim_end_matches('\n');
        let (name, read, number) = read_back(line);
        prop_assert_eq!(name, "m");
        prop_assert_eq!(read, label);
        prop_assert!(number.to_bits() == bits || (number.is_nan() && value.is_nan()));
    }
}
