use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{
    Desc, Encoder, Escaping, Exemplar, Extras, Format, HistogramState, Kind, LabelBlock,
    NativeBuckets, Page, Refusal, SummaryState,
};

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
fn text_1_0_0_has_the_same_lines() {
    assert_eq!(example().into_text(Format::Text1), example().into_text(Format::Text));
}

fn exemplar(trace: &str, value: f64, timestamp_seconds: Option<f64>) -> Exemplar {
    let labels = LabelBlock::new(&[("trace_id", trace)]).expect("valid labels");
    Exemplar { labels, value, timestamp_seconds }
}

/// A counter and a histogram with all that may stand beside a value.
fn rich() -> Page {
    let created_seconds = Some(1_700_000_000.25);
    let exemplars = vec![exemplar("a", 1.0, Some(1_700_000_001.5))];
    let mut page = Page::new();
    page.family(Desc::counter("jobs_total", "Jobs.")).sample_with(
        &[],
        3.0,
        Extras { created_seconds, exemplars, native: None },
    );
    let (positive_spans, positive_deltas) = NativeBuckets::pack([(0, 1), (2, 4)]);
    let native = Some(NativeBuckets {
        schema: 3,
        zero_threshold: 0.5,
        zero_count: 2,
        positive_spans,
        positive_deltas,
        ..NativeBuckets::default()
    });
    page.family(Desc::new("wait_seconds", "Waits.", Kind::Histogram)).histogram_with(
        &[("dag", "\"a\"\n")],
        HistogramState { buckets: vec![(0.5, 1), (1.0, 2)], sum: 9.5, count: 7 },
        Extras {
            created_seconds,
            exemplars: vec![exemplar("b", 0.75, None), exemplar("c", 8.0, Some(1_700_000_002.0))],
            native,
        },
    );
    page
}

#[test]
fn openmetrics_has_created_times_and_exemplars() {
    check(
        rich(),
        Format::OpenMetrics,
        &expect![[r#"
            # HELP jobs Jobs.
            # TYPE jobs counter
            jobs_total 3.0 # {trace_id="a"} 1.0 1.7000000015e+09
            jobs_created 1.70000000025e+09
            # HELP wait_seconds Waits.
            # TYPE wait_seconds histogram
            wait_seconds_bucket{dag="\"a\"\n",le="0.5"} 1
            wait_seconds_bucket{dag="\"a\"\n",le="1.0"} 2 # {trace_id="b"} 0.75
            wait_seconds_bucket{dag="\"a\"\n",le="+Inf"} 7 # {trace_id="c"} 8.0 1.700000002e+09
            wait_seconds_sum{dag="\"a\"\n"} 9.5
            wait_seconds_count{dag="\"a\"\n"} 7
            wait_seconds_created{dag="\"a\"\n"} 1.70000000025e+09
            # EOF
        "#]],
    );
}

#[test]
fn text_leaves_out_what_it_has_no_place_for() {
    check(
        rich(),
        Format::Text,
        &expect![[r#"
            # HELP jobs_total Jobs.
            # TYPE jobs_total counter
            jobs_total 3
            # HELP wait_seconds Waits.
            # TYPE wait_seconds histogram
            wait_seconds_bucket{dag="\"a\"\n",le="0.5"} 1
            wait_seconds_bucket{dag="\"a\"\n",le="1"} 2
            wait_seconds_bucket{dag="\"a\"\n",le="+Inf"} 7
            wait_seconds_sum{dag="\"a\"\n"} 9.5
            wait_seconds_count{dag="\"a\"\n"} 7
        "#]],
    );
}

#[test]
fn names_are_escaped_by_the_scheme_asked_for() {
    let mut page = Page::new();
    page.sample(Desc::gauge("a_b", ""), &[("c_d", "e_f")], 1.0);
    page.seal();
    for (escaping, line) in [
        (Escaping::AllowUtf8, "a_b{c_d=\"e_f\"} 1\n"),
        (Escaping::Underscores, "a_b{c_d=\"e_f\"} 1\n"),
        (Escaping::Dots, "a__b{c__d=\"e_f\"} 1\n"),
        (Escaping::Values, "a_b{c_d=\"e_f\"} 1\n"),
    ] {
        let mut text = Vec::new();
        let encoder = Encoder::new(Format::Text, &mut text).escaping(escaping);
        encoder.write_page(&page, &[], &[]).expect("memory");
        let text = String::from_utf8(text).expect("text");
        assert!(text.ends_with(line), "{escaping:?}: {text}");
    }
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

mod wire {
    //! Reads protobuf back, field by field, as `number: value` lines.

    use std::fmt::Write as _;

    /// Which fields of a message are messages: number and the kind of message.
    const FAMILY: &[(u64, &Message)] = &[(4, METRIC)];
    const METRIC: &Message = &Message(&[
        (1, EMPTY),
        (2, EMPTY),
        (3, &Message(&[(2, EXEMPLAR), (3, EMPTY)])),
        (4, &Message(&[(3, EMPTY), (4, EMPTY)])),
        (5, EMPTY),
        (7, HISTOGRAM),
    ]);
    const HISTOGRAM: &Message = &Message(&[
        (3, &Message(&[(3, EXEMPLAR)])),
        (9, EMPTY),
        (12, EMPTY),
        (15, EMPTY),
        (16, EXEMPLAR),
    ]);
    const EXEMPLAR: &Message = &Message(&[(1, EMPTY), (3, EMPTY)]);
    const EMPTY: &Message = &Message(&[]);

    struct Message(&'static [(u64, &'static Self)]);

    /// All delimited families of a page.
    pub(super) fn dump(mut bytes: &[u8]) -> String {
        let mut out = String::new();
        while !bytes.is_empty() {
            let length = usize::try_from(varint(&mut bytes)).expect("a length");
            let (family, rest) = bytes.split_at(length);
            out.push_str("family\n");
            message(family, FAMILY, 1, &mut out);
            bytes = rest;
        }
        out
    }

    fn message(mut bytes: &[u8], nested: &[(u64, &Message)], depth: usize, out: &mut String) {
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let (field, indent) = (tag >> 3, "  ".repeat(depth));
            match tag & 7 {
                0 => writeln!(out, "{indent}{field}: {}", varint(&mut bytes)),
                1 => {
                    let (double, rest) = bytes.split_first_chunk().expect("eight bytes");
                    bytes = rest;
                    writeln!(out, "{indent}{field}: {:?}", f64::from_le_bytes(*double))
                }
                2 => {
                    let length = usize::try_from(varint(&mut bytes)).expect("a length");
                    let (inner, rest) = bytes.split_at(length);
                    bytes = rest;
                    if let Some((_, kind)) = nested.iter().find(|(number, _)| *number == field) {
                        writeln!(out, "{indent}{field}:").expect("memory");
                        message(inner, kind.0, depth + 1, out);
                        Ok(())
                    } else {
                        let text = std::str::from_utf8(inner).expect("text");
                        writeln!(out, "{indent}{field}: {text:?}")
                    }
                }
                other => panic!("wire type {other}"),
            }
            .expect("memory");
        }
    }

    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = bytes.split_first().expect("a byte");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
}

#[test]
fn protobuf_carries_everything() {
    expect![[r#"
        family
          1: "jobs_total"
          2: "Jobs."
          3: 0
          4:
            3:
              1: 3.0
              2:
                1:
                  1: "trace_id"
                  2: "a"
                2: 1.0
                3:
                  1: 1700000001
                  2: 500000000
              3:
                1: 1700000000
                2: 250000000
        family
          1: "wait_seconds"
          2: "Waits."
          3: 4
          4:
            1:
              1: "dag"
              2: "\"a\"\n"
            7:
              1: 7
              2: 9.5
              3:
                1: 1
                2: 0.5
              3:
                1: 2
                2: 1.0
                3:
                  1:
                    1: "trace_id"
                    2: "b"
                  2: 0.75
              5: 6
              6: 0.5
              7: 2
              12:
                1: 0
                2: 1
              12:
                1: 2
                2: 1
              13: 2
              13: 6
              16:
                1:
                  1: "trace_id"
                  2: "c"
                2: 8.0
                3:
                  1: 1700000002
                  2: 0
              15:
                1: 1700000000
                2: 250000000
    "#]]
    .assert_eq(&wire::dump(&rich().into_bytes(Format::Protobuf)));
}

#[test]
fn protobuf_has_each_kind() {
    expect![[r#"
        family
          1: "jobs_total"
          2: "A \\ and a\n\"line\"."
          3: 0
          4:
            3:
              1: 1234567.0
        family
          1: "raw"
          2: ""
          3: 3
          4:
            5:
              1: inf
        family
          1: "size_bytes"
          2: "Sizes."
          3: 4
          4:
            1:
              1: "z"
              2: "1"
            7:
              1: 1000000
              2: 2.25
              3:
                1: 1
                2: 0.5
              3:
                1: 2
                2: 1.0
        family
          1: "up"
          2: "Whether it is up."
          3: 1
          4:
            1:
              1: "job"
              2: "a"
            2:
              1: 1.0
          4:
            1:
              1: "job"
              2: "b"
            2:
              1: 0.0
        family
          1: "wait_seconds"
          2: "Waits."
          3: 2
          4:
            4:
              1: 2
              2: 6.0
              3:
                1: 0.5
                2: NaN
              3:
                1: 0.99
                2: 3.0
    "#]]
    .assert_eq(&wire::dump(&example().into_bytes(Format::Protobuf)));
}

#[test]
fn an_empty_native_histogram_still_shows_that_it_is_one() {
    let mut page = Page::new();
    page.family(Desc::new("n", "", Kind::Histogram)).histogram_with(
        &[],
        HistogramState::default(),
        Extras { native: Some(NativeBuckets::default()), ..Extras::default() },
    );
    expect![[r#"
        family
          1: "n"
          2: ""
          3: 4
          4:
            7:
              1: 0
              2: 0.0
              5: 0
              6: 0.0
              7: 0
              12:
                1: 0
                2: 0
    "#]]
    .assert_eq(&wire::dump(&page.into_bytes(Format::Protobuf)));
}

#[test]
fn a_large_protobuf_family_is_several_messages() {
    let mut page = Page::new();
    let mut family = page.family(Desc::gauge("large", "Large."));
    for number in 0..10_000 {
        family.sample(&[("n", &format!("{number:05}"))], f64::from(number));
    }
    let text = wire::dump(&page.into_bytes(Format::Protobuf));
    assert!(text.matches("family\n").count() > 1);
    assert_eq!(text.matches("1: \"large\"").count(), text.matches("family\n").count());
    assert_eq!(text.matches("    2:\n").count(), 10_000);
}

/// A million series which exist nowhere but in the loop that writes them.
struct Million;

impl super::Families for Million {
    fn names(&self) -> Vec<std::sync::Arc<str>> {
        vec![std::sync::Arc::from("million")]
    }

    fn write(&self, name: &str, out: &mut Encoder<'_>) -> std::io::Result<()> {
        let labels = LabelBlock::new(&[("dag_id", "a"), ("task_id", "b")]).expect("valid labels");
        let mut family = out.family(Desc::gauge(name, ""));
        for number in 0..1_000_000 {
            family.sample(&labels, f64::from(number));
            family.flush()?;
        }
        Ok(())
    }
}

/// Remembers how much it was given, and how much at once.
#[derive(Default)]
struct Sizes {
    largest: usize,
    total: usize,
}

impl std::io::Write for Sizes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.largest = self.largest.max(bytes.len());
        self.total += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_million_series_need_one_chunk_of_memory() {
    for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
        let mut sizes = Sizes::default();
        let sources: [std::sync::Arc<dyn super::Families>; 1] = [std::sync::Arc::new(Million)];
        let encoder = Encoder::new(format, &mut sizes);
        encoder.write_page(&Page::new(), &sources, &[]).expect("it takes every byte");
        assert!(sizes.total > 30_000_000, "{format:?}: {} bytes", sizes.total);
        // A chunk, and the sample which filled it; protobuf holds a second one until it is full.
        assert!(sizes.largest < 2 * 64 * 1_024 + 1_024, "{format:?}: {}", sizes.largest);
    }
}

proptest! {
    #[test]
    fn property_protobuf_reads_back(label: String, bits: u64, count: u64) {
        let value = f64::from_bits(bits);
        let mut page = Page::new();
        page.sample(Desc::gauge("m", ""), &[("l", &label)], value);
        page.family(Desc::new("h", "", Kind::Histogram)).histogram(
            &[],
            HistogramState { buckets: vec![(1.0, count)], sum: 0.0, count },
        );
        let text = wire::dump(&page.into_bytes(Format::Protobuf));
        let label = format!("2: {label:?}\n");
        prop_assert!(text.contains(&label), "{}", text);
        let value = format!("      1: {value:?}\n");
        prop_assert!(text.contains(&value), "{}", text);
        let count = format!("      1: {count}\n");
        prop_assert!(text.contains(&count), "{}", text);
    }
}
