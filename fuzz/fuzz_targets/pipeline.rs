//! The whole way from a mapping and datagrams to the page: it is always a page, each series once.
//!
//! The input is a mapping file, then datagrams, a byte 0x1e before each; at
//! each of them time passes, and at some the series are dropped or the mapping is read again.
#![no_main]

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

use libfuzzer_sys::fuzz_target;
use metrics_server::{Desc, Encoder, Families, Format, Kind, Page, exposition::FamilyEncoder};
use prometheus::Registry;
use statsd_exporter::{
    line::Dialect,
    mapping::Mapping,
    pipeline::{Limits, Mappings, Pipeline, Worker},
    series::{Bounds, Reading, Store, Tick},
    telemetry::{RESERVED_PREFIXES, Telemetry},
};

struct Shown(Arc<Pipeline>, Tick);

impl Families for Shown {
    fn names(&self) -> Vec<Arc<str>> {
        self.0.store.names()
    }

    fn write(&self, name: &str, out: &mut Encoder<'_>) -> io::Result<()> {
        let Some(page) = self.0.store.family(name) else { return Ok(()) };
        let mut family: FamilyEncoder<'_, '_> = out.family(Desc::new(name, &page.help, page.kind));
        for series in page.series.iter() {
            match series.read(self.1) {
                Reading::Number(value) => family.sample(series.labels(), value),
                Reading::Histogram(state, _) => family.histogram(series.labels(), &state),
                Reading::Summary(state) => family.summary(series.labels(), &state),
            }
        }
        Ok(())
    }
}

fn pipeline(mapping: Mapping, registry: &Registry) -> Arc<Pipeline> {
    Arc::new(Pipeline {
        store: Store::new(
            Bounds { series_max: 200, series_per_name_max: 100, memory_bytes_max: 200_000 },
            BTreeSet::from(["process_cpu_seconds_total".to_owned()]),
            RESERVED_PREFIXES,
        ),
        mappings: Mappings::new(mapping),
        telemetry: Telemetry::register(registry, true).expect("an empty registry"),
        dialect: Dialect { set_window_ms: 1_000, ..Dialect::default() },
        limits: Limits {
            labels_max: 20,
            name_bytes_max: 200,
            line_bytes_max: 4_000,
            alias_bytes_max: 20_000,
        },
        inspect: Some(Arc::default()),
    })
}

fuzz_target!(|input: &[u8]| {
    let mut parts = input.split(|byte| *byte == b'\x1e');
    let text = parts.next().and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
    let registry = Registry::new();
    let pipeline = pipeline(Mapping::parse(text).unwrap_or_default(), &registry);
    let mut worker = Worker::new(Arc::clone(&pipeline), None);
    let mut now = Tick(0);
    for datagram in parts {
        now = Tick(now.0 + 300);
        pipeline.store.retire_idle(now);
        match datagram.first() {
            Some(0x01) => drop(pipeline.clear(|name| name.len() % 2 == 0, now)),
            Some(0x02) => {
                pipeline.replace_mapping(Mapping::parse(text).unwrap_or_default(), now);
            }
            _ => {}
        }
        worker.begin(now);
        worker.datagram(datagram, now);
        worker.finish();
    }
    check(pipeline, now);
});

/// The page as text: each family with one type, each series once, each value a number.
fn check(pipeline: Arc<Pipeline>, now: Tick) {
    let shown: Arc<dyn Families> = Arc::new(Shown(pipeline, now));
    let mut text = Vec::new();
    let encoder = Encoder::new(Format::Text, &mut text);
    encoder.write_page(&Page::new(), &[shown], &[]).expect("memory");
    let text = String::from_utf8(text).expect("UTF-8");
    let (mut seen, mut types) = (BTreeSet::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').expect("name and type");
            assert!(types.insert(name, kind).is_none(), "{name} twice");
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').expect("series and value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(seen.insert(series), "{series} twice");
        }
    }
    let kinds = [Kind::Counter, Kind::Gauge, Kind::Histogram, Kind::Summary];
    let known: Vec<&str> = kinds.iter().map(|kind| kind.as_str(Format::Text)).collect();
    assert!(types.values().all(|kind| known.contains(kind)));
}
