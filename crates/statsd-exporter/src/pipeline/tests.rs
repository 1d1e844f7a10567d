//! Datagrams in, the page out, without a socket. Most cases stand in `tests/cases/*.txt`; the
//! first of them explains the form.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
    sync::Arc,
};

use expect_test::{expect, expect_file};
use metrics_server::{Encoder, Families, Format, Page, exposition::NativeBuckets};
use prometheus::Registry;
use proptest::prelude::*;

use super::{Limits, Mappings, Pipeline, Worker};
use crate::{
    expose,
    line::{Dialect, Valueless},
    mapping::Mapping,
    series::{Bounds, Kept, Reading, Store, Tick},
    telemetry::{RESERVED_PREFIXES, Telemetry},
};

const LIMITS: Limits = Limits {
    labels_max: 64,
    name_bytes_max: 1_024,
    line_bytes_max: 65_535,
    alias_bytes_max: 1 << 20,
};

/// A pipeline with one worker and a clock that is moved by hand.
struct Exporter {
    registry: Registry,
    pipeline: Arc<Pipeline>,
    worker: Worker,
    now: Tick,
}

struct Shown(Arc<Pipeline>, Tick);

impl Families for Shown {
    fn names(&self) -> Vec<Arc<str>> {
        self.0.store.names()
    }

    fn write(&self, name: &str, out: &mut Encoder<'_>) -> io::Result<()> {
        expose::write(&self.0.store, name, self.1, out)
    }
}

impl Exporter {
    fn new(mapping: &str) -> Self {
        Self::with(mapping, Dialect::default(), LIMITS, 1_000)
    }

    fn with(mapping: &str, dialect: Dialect, limits: Limits, series_max: u64) -> Self {
        let bounds =
            Bounds { series_max, series_per_name_max: series_max, memory_bytes_max: 1 << 30 };
        Self::within(mapping, dialect, limits, bounds)
    }

    fn within(mapping: &str, dialect: Dialect, limits: Limits, bounds: Bounds) -> Self {
        let registry = Registry::new();
        let telemetry = Telemetry::register(&registry, true).expect("an empty registry");
        let mut reserved: BTreeSet<String> =
            ["process_start_time_seconds", "process_cpu_seconds_total"].map(str::to_owned).into();
        reserved.extend(registry.gather().iter().map(|family| family.name().to_owned()));
        let pipeline = Arc::new(Pipeline {
            store: Store::new(bounds, reserved, RESERVED_PREFIXES),
            mappings: Mappings::new(Mapping::parse(mapping).expect("a good mapping")),
            telemetry,
            dialect,
            limits,
            inspect: Some(Arc::default()),
        });
        let now = Tick(1_000);
        pipeline.start_mapping(now);
        let worker = Worker::new(Arc::clone(&pipeline), None);
        Self { registry, pipeline, worker, now }
    }

    fn send(&mut self, datagram: &[u8]) {
        self.worker.begin(self.now);
        self.worker.datagram(datagram, self.now);
        self.worker.finish();
    }

    fn wait_ms(&mut self, ms: u64) {
        self.now = Tick(self.now.0 + ms);
        self.pipeline.store.retire_idle(self.now);
    }

    fn reload(&self, mapping: &str) -> Kept {
        let mapping = Mapping::parse(mapping).expect("a good mapping");
        self.pipeline.replace_mapping(mapping, self.now)
    }

    fn page(&self) -> String {
        self.pipeline.telemetry.read(&self.pipeline.store);
        let mut page = Page::new();
        page.gather(&self.registry);
        let refused = page.seal();
        assert_eq!(refused.first(), None, "own telemetry is whole");
        let shown: Arc<dyn Families> = Arc::new(Shown(Arc::clone(&self.pipeline), self.now));
        let mut text = Vec::new();
        let encoder = Encoder::new(Format::Text, &mut text);
        let refused = encoder.write_page(&page, &[shown], &[]).expect("memory");
        assert_eq!(refused.first(), None, "no series takes a name of ours");
        String::from_utf8(text).expect("a page is UTF-8")
    }

    /// The page without what the exporter tells about itself.
    fn series(&self) -> String {
        let own = |line: &&str| {
            let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
            !RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        };
        joined(self.page().lines().filter(own))
    }
}

fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// One case of a file in `tests/cases`.
#[derive(Debug, Default)]
struct Case {
    title: String,
    off: String,
    on: String,
    mapping: String,
    datagrams: Vec<Vec<u8>>,
    shown: Vec<String>,
    absent: Vec<String>,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            cases.push(Case { title: title.to_owned(), ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if let Some(off) = line.strip_prefix("off| ") {
            off.clone_into(&mut case.off);
        } else if let Some(on) = line.strip_prefix("on| ") {
            on.clone_into(&mut case.on);
        } else if let Some(yaml) = line.strip_prefix("yaml| ") {
            case.mapping += yaml;
            case.mapping.push('\n');
        } else if let Some(shown) = line.strip_prefix("=> ") {
            case.shown.push(shown.to_owned());
        } else if let Some(absent) = line.strip_prefix("=! ") {
            case.absent.push(absent.to_owned());
        } else if !line.is_empty() {
            case.datagrams.push(unescape(line));
        }
    }
    cases
}

fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let (value, behind) = match (byte, behind) {
            (b'\\', []) => (None, behind),
            (b'\\', [b'n', behind @ ..]) => (Some(b'\n'), behind),
            (b'\\', [b'r', behind @ ..]) => (Some(b'\r'), behind),
            (b'\\', [b'x', high, low, behind @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("two digits");
                (Some(u8::from_str_radix(digits, 16).expect("two digits")), behind)
            }
            (b'\\', [protected, behind @ ..]) => (Some(*protected), behind),
            _ => (Some(byte), behind),
        };
        bytes.extend(value);
        rest = behind;
    }
    bytes
}

/// Series of a page and their values.
fn samples(page: &str) -> BTreeMap<&str, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("series and value");
            (series, value.parse().expect("a number"))
        })
        .collect()
}

fn same(a: f64, b: f64) -> bool {
    a.is_nan() && b.is_nan()
        || a.total_cmp(&b).is_eq()
        || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

fn check(case: &Case) -> Vec<String> {
    let dialect = Dialect {
        dogstatsd: !case.off.contains("dogstatsd"),
        influxdb: !case.off.contains("influxdb"),
        librato: !case.off.contains("librato"),
        signalfx: !case.off.contains("signalfx"),
        container_label: !case.off.contains("container"),
        external_label: case.on.contains("external"),
        cardinality_label: case.on.contains("cardinality"),
        valueless: match case.on.as_str() {
            "valueless" => Valueless::Label(""),
            "valueless-true" => Valueless::Label("true"),
            _ => Valueless::Refused,
        },
        set_window_ms: if case.on.contains("sets") { 60_000 } else { 0 },
    };
    let mut exporter = Exporter::with(&case.mapping, dialect, LIMITS, 1_000);
    for datagram in &case.datagrams {
        exporter.send(datagram);
    }
    let page = exporter.page();
    let samples = samples(&page);
    let mut wrong = Vec::new();
    for shown in &case.shown {
        let found = if shown.starts_with('#') {
            page.lines().any(|line| line == shown)
        } else {
            let (series, value) = shown.rsplit_once(' ').expect("series and value");
            let value: f64 = value.parse().expect("a number");
            samples.get(series).is_some_and(|found| same(*found, value))
        };
        if !found {
            wrong.push(format!("missing {shown}"));
        }
    }
    for absent in &case.absent {
        let begins = |series: &&&str| {
            let rest = series.strip_prefix(absent.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['{', '_']))
        };
        wrong.extend(samples.keys().find(begins).map(|found| format!("there is {found}")));
    }
    wrong
}

/// Runs the cases of a file and says how many there were.
fn check_file(name: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name);
    let text = fs::read_to_string(path).expect("a file of cases");
    let cases = cases(&text);
    let wrong: Vec<String> = cases
        .iter()
        .map(|case| (case, check(case)))
        .filter(|(_, wrong)| !wrong.is_empty())
        .map(|(case, wrong)| format!("{}: {}", case.title, wrong.join(", ")))
        .collect();
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    cases.len()
}

#[test]
fn lines_mean_what_they_mean_to_statsd_exporter() {
    assert!(check_file("lines.txt") > 80);
}

#[test]
fn ways_of_writing_tags_can_be_switched_off() {
    assert!(check_file("dialects.txt") > 5);
}

#[test]
fn rules_do_what_they_do_in_statsd_exporter() {
    assert!(check_file("mapping.txt") > 30);
}

#[test]
fn observations_are_kept_as_rules_say() {
    assert!(check_file("observers.txt") > 5);
}

#[test]
fn a_name_has_one_type() {
    assert!(check_file("conflicts.txt") > 10);
}

#[test]
fn hostile_input_leaves_the_page_whole() {
    assert!(check_file("hostile.txt") > 10);
}

#[test]
fn what_statsd_exporter_loses_is_kept() {
    assert!(check_file("repaired.txt") > 10);
}

#[test]
fn the_page_is_sorted_as_go_sorts_it() {
    let mut exporter = Exporter::new("defaults: {observer_type: histogram}");
    exporter.send(b"b:1|c|#x:2\nb:1|c|#x:10\nb:1|c|#a:1,x:0\nb:1|c\na:7|g\nc:0.2|h|@0.5");
    expect![[r#"
        # HELP a Metric autogenerated by statsd_exporter.
        # TYPE a gauge
        a 7
        # HELP b Metric autogenerated by statsd_exporter.
        # TYPE b counter
        b 1
        b{x="10"} 1
        b{x="2"} 1
        b{a="1",x="0"} 1
        # HELP c Metric autogenerated by statsd_exporter.
        # TYPE c histogram
        c_bucket{le="0.005"} 0
        c_bucket{le="0.01"} 0
        c_bucket{le="0.025"} 0
        c_bucket{le="0.05"} 0
        c_bucket{le="0.1"} 0
        c_bucket{le="0.25"} 2
        c_bucket{le="0.5"} 2
        c_bucket{le="1"} 2
        c_bucket{le="2.5"} 2
        c_bucket{le="5"} 2
        c_bucket{le="10"} 2
        c_bucket{le="+Inf"} 2
        c_sum 0.4
        c_count 2
    "#]]
    .assert_eq(&exporter.series());
}

#[test]
fn own_metrics_are_those_of_statsd_exporter() {
    let mut exporter = Exporter::new("mappings: [{match: d, action: drop}]");
    exporter.send(b"a:1|c\na:1|g\na:x|c\na:-1|c\nb:1|g|#a:b,c\nc:1|ms\nd:1|c");
    exporter.send(b"a:1|c\nd:1|c");
    let page = exporter.page();
    let own = joined(
        page.lines()
            .filter(|line| line.contains("statsd_exporter_") || line.contains("statsd_metric"))
            .filter(|line| !line.ends_with("Metric autogenerated by statsd_exporter."))
            // Sizes of structs are not an interface.
            .filter(|line| !line.starts_with("statsd_exporter_series_memory_bytes ")),
    );
    expect_file!["../../tests/golden/own_metrics.prom"].assert_eq(&own);
}

#[test]
fn a_quiet_exporter_shows_what_is_not_lazy() {
    let page = Exporter::new("").page();
    let names: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
    expect![[r#"
        statsd_exporter_event_queue_flushed_total 0
        statsd_exporter_events_unmapped_total 0
        statsd_exporter_lines_total 0
        statsd_exporter_loaded_mappings 0
        statsd_exporter_metrics_current{type="counter"} 0
        statsd_exporter_metrics_current{type="gauge"} 0
        statsd_exporter_metrics_current{type="histogram"} 0
        statsd_exporter_metrics_current{type="summary"} 0
        statsd_exporter_samples_total 0
        statsd_exporter_series_memory_bytes 0
        statsd_exporter_tag_errors_total 0
        statsd_exporter_tags_total 0
        statsd_exporter_tcp_connection_errors_total 0
        statsd_exporter_tcp_connections_total 0
        statsd_exporter_tcp_too_long_lines_total 0
        statsd_exporter_udp_packet_drops_total 0
        statsd_exporter_udp_packets_total 0
        statsd_exporter_unix_connections_total 0
        statsd_exporter_unix_packets_total 0
        statsd_exporter_unixgram_packets_total 0
        statsd_metric_mapper_cache_gets_total 0
        statsd_metric_mapper_cache_hits_total 0
        statsd_metric_mapper_cache_length 0"#]]
    .assert_eq(&names.join("\n"));
}

#[test]
fn series_expire_after_their_own_time_to_live() {
    let mut exporter = Exporter::new(
        "defaults: {ttl: 1s}\nmappings: [{match: b.*, name: b, ttl: 3s}, {match: z, name: z, initialize: 0}]",
    );
    exporter.send(b"a:200|g\nb.x:42000|ms\nz:1|c");
    exporter.wait_ms(900);
    exporter.send(b"a:+1|g");
    exporter.wait_ms(900);
    assert!(exporter.series().contains("\na 201\n"), "an update renews");
    exporter.wait_ms(200);
    let series = exporter.series();
    assert!(!series.contains("\na 201\n") && series.contains("b_sum 42"), "{series}");
    exporter.wait_ms(1_100);
    expect![[r"
        # HELP z Metric autogenerated by statsd_exporter.
        # TYPE z counter
        z 1
    "]]
    .assert_eq(&exporter.series());

    exporter.send(b"a:+5|g\na:+5|g\nb.x:1|c");
    let page = exporter.page();
    assert!(page.contains("\na 10\n"), "a returning series starts from zero");
    assert!(page.contains(r#"conflict_total{metric_name="b",type="counter"} 1"#), "{page}");
    assert!(page.contains("statsd_exporter_metrics_current{type=\"gauge\"} 1\n"), "{page}");
}

#[test]
fn new_rules_apply_to_known_names_and_old_series_stay() {
    let mut exporter = Exporter::new("mappings: [{match: a, name: m1, help: old}]");
    exporter.send(b"a:1|c\nc:1|c");
    exporter.reload("mappings: [{match: a, name: m2}, {match: b, name: m3, initialize: 0}]");
    exporter.send(b"a:1|c\na:1|c\nc:1|c");
    expect![[r"
        # HELP c Metric autogenerated by statsd_exporter.
        # TYPE c counter
        c 2
        # HELP m1 old
        # TYPE m1 counter
        m1 1
        # HELP m2 Metric autogenerated by statsd_exporter.
        # TYPE m2 counter
        m2 2
        # HELP m3 Metric autogenerated by statsd_exporter.
        # TYPE m3 counter
        m3 0
    "]]
    .assert_eq(&exporter.series());
    exporter.send(b"b:3|c");
    exporter.reload("mappings: [{match: b, name: m3, initialize: 0}]");
    assert!(exporter.series().contains("\nm3 3\n"), "a reload sets nothing back");
}

#[test]
fn limits_refuse_and_count() {
    let limits = Limits { labels_max: 1, name_bytes_max: 8, line_bytes_max: 20, ..LIMITS };
    let mut exporter = Exporter::with("", Dialect::default(), limits, 2);
    exporter.send(b"a:1|c\nb:1|c|#x:1\nc:1|c|#x:1\na:1|c\nd:1|h");
    exporter.send(b"a:1|c|#x:1,y:2\na_name_far_too_long:1|c\nnine_name:1|c");
    let page = exporter.page();
    assert!(page.contains("\na 2\n") && page.contains("\nb{x=\"1\"} 1\n"), "{page}");
    assert!(!page.contains("\nc{") && !page.contains("\nd_"), "{page}");
    for (limit, count) in [("series", 2), ("labels", 1), ("name_length", 1), ("line_length", 1)] {
        let line = format!("statsd_exporter_limit_refusals_total{{limit=\"{limit}\"}} {count}\n");
        assert!(page.contains(&line), "{line}{page}");
    }
}

#[test]
fn one_name_leaves_room_for_others() {
    let bounds = Bounds { series_max: 5, series_per_name_max: 2, memory_bytes_max: 1 << 20 };
    let mut exporter = Exporter::within("", Dialect::default(), LIMITS, bounds);
    exporter.send(b"a:1|c|#x:1\na:1|c|#x:2\na:1|c|#x:3\na:1|c|#x:1\nb:1|c");
    let page = exporter.page();
    assert!(page.contains("\na{x=\"1\"} 2\n") && page.contains("\nb 1\n"), "{page}");
    assert!(!page.contains("x=\"3\""), "{page}");
    assert!(page.contains("limit_refusals_total{limit=\"series_per_name\"} 1\n"), "{page}");
}

/// A flood of names, labels and observations: what is counted as memory stays within its bound, and
/// comes back to zero when all has expired.
#[test]
fn memory_is_bounded_and_comes_back() {
    let memory_bytes_max = 100_000;
    let bounds = Bounds { series_max: 1 << 20, series_per_name_max: 1 << 20, memory_bytes_max };
    let limits = Limits { alias_bytes_max: 10_000, ..LIMITS };
    let rules = "defaults: {ttl: 1s}\nmappings: [{match: h.*, name: h, labels: {n: $1}, observer_type: histogram}]";
    let mut exporter = Exporter::within(rules, Dialect::default(), limits, bounds);
    for number in 0..1_000 {
        let value = number % 7;
        let datagram = format!("c{number}:1|c\nt:{value}|ms|#n:{}\nh.{number}:1|ms", number % 40);
        exporter.send(datagram.as_bytes());
        let used = exporter.pipeline.store.memory().used();
        assert!(used <= memory_bytes_max + 64 * 40, "{used}");
    }
    for number in 0..400 {
        exporter.send(format!("t:{number}|ms|#n:1").as_bytes());
    }
    let page = exporter.page();
    let refused = samples(&page)["statsd_exporter_limit_refusals_total{limit=\"memory\"}"];
    assert!(refused > 1_000.0, "{refused}");
    assert!(page.contains("\nt_count{n=\"1\"} 425\n"), "what is there goes on: {page}");
    exporter.wait_ms(5_000);
    exporter.worker.begin(Tick(exporter.now.0 + 60_000));
    let left = exporter.pipeline.store.memory().used();
    let names = exporter.pipeline.store.names().len() as u64;
    assert!(left < names * 700, "only empty names are left: {left} of {names}");
}

#[test]
fn room_comes_back_when_series_expire() {
    let mut exporter = Exporter::with("defaults: {ttl: 1s}", Dialect::default(), LIMITS, 2);
    exporter.send(b"a:1|c\nb:1|c\nc:1|c");
    exporter.wait_ms(2_000);
    exporter.send(b"c:2|c\nd:2|c\ne:2|c");
    expect![[r"
        # HELP c Metric autogenerated by statsd_exporter.
        # TYPE c counter
        c 2
        # HELP d Metric autogenerated by statsd_exporter.
        # TYPE d counter
        d 2
    "]]
    .assert_eq(&exporter.series());
}

#[test]
fn a_small_alias_table_forgets_but_loses_nothing() {
    let limits = Limits { alias_bytes_max: 200, ..LIMITS };
    let mut exporter = Exporter::with("", Dialect::default(), limits, 1_000);
    for _ in 0..3 {
        exporter.send(b"a:1|c\nb:1|c\nc:1|c\nd:1|c");
    }
    let series = exporter.series();
    for name in ["a", "b", "c", "d"] {
        assert!(series.contains(&format!("\n{name} 3\n")), "{series}");
    }
}

#[test]
fn conflicts_are_kept_apart_up_to_a_bound() {
    let mut exporter = Exporter::new("");
    for name in 0..1_100 {
        exporter.send(format!("statsd_exporter_{name}:1|c").as_bytes());
    }
    let page = exporter.page();
    assert_eq!(page.matches("statsd_exporter_events_conflict_total{").count(), 1_001);
    assert!(page.contains(r#"conflict_total{metric_name="_other",type="counter"} 100"#));
}

/// What a real Airflow 3.3.2 sends, in both of its forms, through the rules of the lakehouse.
#[test]
fn airflow_becomes_the_metrics_of_the_lakehouse() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = root.join("../../deploy/statsd/lakehouse.yml");
    let rules = fs::read_to_string(rules).expect("the mapping of the lakehouse");
    for (fixture, golden) in [
        ("airflow-plain.txt", expect_file!["../../tests/golden/airflow-plain.prom"]),
        ("airflow-influx.txt", expect_file!["../../tests/golden/airflow-influx.prom"]),
    ] {
        let mut exporter = Exporter::new(&rules);
        let lines = fs::read(root.join("tests/fixtures").join(fixture)).expect("a fixture");
        exporter.send(&lines);
        let page = exporter.page();
        assert!(!page.contains("statsd_exporter_sample_errors_total{"), "{page}");
        assert!(page.contains("statsd_exporter_tag_errors_total 0\n"), "{page}");
        golden.assert_eq(&exporter.series());
    }
}

fn hostile_datagram() -> impl Strategy<Value = Vec<u8>> {
    let reserved = prop::sample::select(vec![
        "statsd_exporter_lines_total:1|c",
        "process_start_time_seconds:1|g",
        "a:1|h|#le:1,quantile:2,__name__:x",
        "a_sum:1|g",
        "a_count:1|c",
        "a_bucket:1|ms",
        "a:1|c",
        "[x=y]:1|c",
        "]x[:1|c",
        ",:1|g",
    ]);
    prop_oneof![
        reserved.prop_map(|line| line.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..80),
        "[a_.:|#,\\[\\]=@cghmsdT+\\-0-9NaIif\n]{0,60}".prop_map(String::into_bytes),
        "[ab]{0,2}([#,]?[a-c_]{0,2}=[a-c]{0,2}){0,3}:[-+]?[0-9]{1,3}(:[0-9])?\\|(c|g|ms|h|d|s)(\\|@-?0?[0-9.]{1,3})?(\\|#[a-c_]{0,3}:[a-c]{0,2}(,[a-c_]{0,3}:?[a-c]?){0,3})?(\\|(c:?[a-z]?|T1|e:x|card:low))?"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn property_no_datagram_breaks_the_page(
        datagrams in prop::collection::vec(hostile_datagram(), 1..40),
        histogram: bool,
    ) {
        let mapping = if histogram { "defaults: {observer_type: histogram, ttl: 1s}" } else { "" };
        let mut exporter = Exporter::new(mapping);
        for datagram in &datagrams {
            exporter.send(datagram);
            exporter.wait_ms(100);
        }
        let page = exporter.page();
        let mut seen = BTreeSet::new();
        let mut typed = BTreeSet::new();
        for line in page.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                prop_assert!(typed.insert(family.split(' ').next()), "{} twice", line);
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').expect("series and value");
                prop_assert!(value.parse::<f64>().is_ok(), "{}", line);
                prop_assert!(seen.insert(series), "{} twice", series);
            }
        }
    }

    /// The table of aliases is an optimisation: without it the page is the same.
    #[test]
    fn property_aliases_change_nothing(
        datagrams in prop::collection::vec(hostile_datagram(), 1..40),
    ) {
        let forgetful = Limits { alias_bytes_max: 0, ..LIMITS };
        let mut with = Exporter::new("");
        let mut without = Exporter::with("", Dialect::default(), forgetful, 1_000);
        for datagram in datagrams.iter().chain(&datagrams) {
            with.send(datagram);
            without.send(datagram);
        }
        let page = |exporter: &Exporter| -> String {
            let page = exporter.page();
            joined(page.lines().filter(|line| !line.contains("_cache_")))
        };
        prop_assert_eq!(page(&with), page(&without));
    }
}

#[test]
fn rules_go_beyond_those_of_statsd_exporter() {
    assert!(check_file("beyond.txt") > 8);
}

/// The histogram of `name`: its sum, and its exponential buckets.
fn histogram(exporter: &Exporter, name: &str) -> (f64, Option<NativeBuckets>) {
    let page = exporter.pipeline.store.family(name).expect("a family");
    match page.series[0].read(exporter.now) {
        Reading::Histogram(state, native) => (state.sum, native),
        other => panic!("{other:?}"),
    }
}

#[test]
fn histograms_are_native_too_and_protobuf_shows_it() {
    let mut exporter = Exporter::new(
        "defaults: {observer_type: histogram}
mappings:
- {match: fine, name: fine, histogram_options: {native_histogram_bucket_factor: 1.002}}
- {match: few, name: few, histogram_options: {native_histogram_max_buckets: 2}}
",
    );
    exporter.send(b"h:1|h\nh:2:2|h\nfine:1|h\nfew:1:2:4:8|h");
    let (_, native) = histogram(&exporter, "h");
    let native = native.expect("on by default");
    assert_eq!((native.schema, &native.positive_deltas[..]), (3, &[1, 1][..]));
    assert_eq!(histogram(&exporter, "fine").1.map(|native| native.schema), Some(8));
    assert_eq!(histogram(&exporter, "few").1.map(|native| native.schema), Some(-2));

    let shown: Arc<dyn Families> = Arc::new(Shown(Arc::clone(&exporter.pipeline), exporter.now));
    let mut bytes = Vec::new();
    let encoder = Encoder::new(Format::Protobuf, &mut bytes);
    encoder.write_page(&Page::new(), &[shown], &["h".to_owned()]).expect("memory");
    // Field 5, `schema`, with 3 as a `sint32`; then field 6, `zero_threshold`.
    assert!(bytes.windows(3).any(|three| three == [5 << 3, 6, 6 << 3 | 1]), "{bytes:?}");

    let mut exporter = Exporter::new(
        "defaults: {observer_type: histogram, histogram_options: {native_histogram_bucket_factor: 1}}",
    );
    exporter.send(b"h:1|h");
    assert_eq!(histogram(&exporter, "h").1, None);
}

#[test]
fn a_reload_gives_live_series_what_changed() {
    let rules = |ttl: &str, buckets: &str, max_age: &str| {
        format!(
            "defaults: {{ttl: 10s}}
mappings:
- {{match: h, name: h, observer_type: histogram, histogram_options: {{buckets: [{buckets}]}}}}
- {{match: same, name: same, observer_type: histogram}}
- {{match: s, name: s, summary_options: {{max_age: {max_age}}}}}
- {{match: c, name: c, ttl: {ttl}}}
"
        )
    };
    let send = b"h:1|h\nsame:1|h\ns:1|h\nc:1|c";
    let mut exporter = Exporter::new(&rules("10s", "1", "1m"));
    exporter.send(send);
    let kept = exporter.reload(&rules("1s", "1, 2", "2m"));
    assert_eq!(kept, Kept { series: 4, ttl: 1, shape: 2 });
    let series = exporter.series();
    assert!(series.contains("h_bucket{le=\"2\"} 0\n"), "other buckets begin anew: {series}");
    assert!(series.contains("same_count 1\n") && series.contains("s_count 1\n"), "{series}");
    exporter.send(send);
    let series = exporter.series();
    assert!(series.contains("h_bucket{le=\"2\"} 1\n"), "{series}");
    assert!(series.contains("same_count 2\n") && series.contains("s_count 2\n"), "{series}");
    assert!(series.contains("\nc 2\n"), "{series}");
    exporter.wait_ms(2_000);
    let series = exporter.series();
    assert!(!series.contains("\nc 2\n"), "its new time to live: {series}");
    assert!(series.contains("same_count 2\n"), "{series}");
    let kept = exporter.reload(&rules("1s", "1, 2", "2m"));
    assert_eq!(kept, Kept { series: 3, ttl: 0, shape: 0 }, "the same rules change nothing");
}

/// A series nobody sends to any more is the one which a new time to live is written for.
#[test]
fn a_reload_reaches_series_that_are_idle() {
    let mut exporter = Exporter::new("mappings: [{match: a.*, name: a, labels: {x: $1}}]");
    exporter.send(b"a.b:1|g\nother:1|g");
    // Another rule before it moves its place; a second reload meets series without a sample between.
    for ttl in ["9s", "1s"] {
        let rules = format!(
            "mappings: [{{match: c, name: c}}, {{match: a.*, name: a, labels: {{x: $1}}, ttl: {ttl}}}]"
        );
        assert_eq!(exporter.reload(&rules), Kept { series: 2, ttl: 1, shape: 0 }, "{ttl}");
    }
    exporter.wait_ms(2_000);
    let series = exporter.series();
    assert!(!series.contains("\na{") && series.contains("\nother 1\n"), "{series}");
}

#[test]
fn a_series_whose_rule_is_gone_stays_as_it_is() {
    let mut exporter = Exporter::new("mappings: [{match: a, name: a, ttl: 1h}]");
    exporter.send(b"a:1|g");
    assert_eq!(exporter.reload("defaults: {ttl: 1s}"), Kept { series: 1, ttl: 0, shape: 0 });
    exporter.reload("defaults: {ttl: 2s}");
    exporter.wait_ms(60_000);
    assert!(exporter.series().contains("\na 1\n"));
    exporter.send(b"a:1|g");
    exporter.wait_ms(3_000);
    assert_eq!(exporter.series(), "", "with its next sample it follows what takes its name now");
}

#[test]
fn each_type_can_have_a_time_to_live() {
    let mut exporter = Exporter::new("defaults: {ttl: 10s, type_ttl: {gauge: 1s}}");
    exporter.send(b"a:1|c\nb:1|g\nc:1|ms");
    exporter.wait_ms(2_000);
    let series = exporter.series();
    assert!(series.contains("\na 1\n") && series.contains("c_count 1\n"), "{series}");
    assert!(!series.contains("\nb 1\n"), "{series}");
}

#[test]
fn series_can_be_dropped_by_name() {
    let mut exporter = Exporter::new("mappings: [{match: zero, name: zero, initialize: 0}]");
    exporter.send(b"a:1|c\na:1|c|#x:y\nb:1|c\nzero:5|c\na:1|g");
    assert_eq!(exporter.pipeline.clear(|name| name == "a" || name == "zero", exporter.now), 3);
    let series = exporter.series();
    assert!(!series.contains("\na") && series.contains("\nb 1\n"), "{series}");
    assert!(series.contains("\nzero 0\n"), "what is there from the start is there again: {series}");
    exporter.send(b"a:7|g\nb:1|c\nzero:1|c");
    let page = exporter.page();
    assert!(page.contains("\na 7\n"), "its type is forgotten, too: {page}");
    assert!(page.contains("\nb 2\n") && page.contains("\nzero 1\n"), "{page}");
    assert!(page.contains("statsd_exporter_metrics_current{type=\"counter\"} 2\n"), "{page}");
    assert_eq!(exporter.pipeline.clear(|_| true, exporter.now), 3);
    exporter.pipeline.replace_mapping(Mapping::default(), exporter.now);
    exporter.pipeline.clear(|_| true, exporter.now);
    assert_eq!(exporter.pipeline.store.memory().used(), 0);
}

#[test]
fn examples_are_kept_for_people() {
    let mut exporter = Exporter::new("mappings: [{match: known, name: known}]");
    exporter
        .send(b"known:1|c\nnew.one:1|c|#a:b\nnew.one:1|c|#a:c\nnew.one:2|c|#a:b\nbad:x|c\nworse");
    let inspect = exporter.pipeline.inspect.as_ref().expect("in tests");
    expect![[r"
        new.one: 2 series
            new.one:1|c|#a:b
            new.one:1|c|#a:c
    "]]
    .assert_eq(&inspect.unmapped_text());
    expect![[r"
        malformed_line: 1 samples
            worse
        malformed_value: 1 samples
            bad:x|c
    "]]
    .assert_eq(&inspect.bad_lines_text());
}

/// A flood of names beyond the memory costs each line the same, however many names there are: looking
/// at all of them for each refusal would take minutes here.
#[test]
fn refusing_names_does_not_cost_by_the_number_of_names() {
    let bounds =
        Bounds { series_max: 1 << 20, series_per_name_max: 1 << 20, memory_bytes_max: 20_000_000 };
    let mut exporter = Exporter::within("", Dialect::default(), LIMITS, bounds);
    #[expect(clippy::disallowed_methods, reason = "a bound of minutes against seconds")]
    let start = std::time::Instant::now();
    for number in 0..120_000 {
        exporter.send(format!("flood{number}:1|c").as_bytes());
    }
    let names = exporter.pipeline.store.names().len();
    assert!((10_000..60_000).contains(&names), "{names}");
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
