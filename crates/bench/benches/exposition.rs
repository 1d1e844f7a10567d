//! The exposition writer beside the two crates that Rust programs use, on the same families.
//!
//! `cargo bench --package bench --bench exposition`. Throughput is in samples; each format's bytes
//! are printed once, so that MB/s can be had from the time.

use std::{
    hint::black_box,
    io::{self, Write as _},
    sync::{Arc, atomic::AtomicU64},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use metrics_server::{Desc, Encoder, Families, Format, HistogramState, Kind, LabelBlock, Page};
use prometheus::Encoder as _;

/// Series of the counter and of the gauge family.
const SERIES: usize = 10_000;
/// Series of the histogram family.
const HISTOGRAMS: usize = 1_000;
/// Upper bounds of a histogram, as client libraries have them.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Lines of a page: a histogram has its buckets, `+Inf`, sum and count.
const SAMPLES: usize = 2 * SERIES + HISTOGRAMS * (BOUNDS.len() + 3);

/// The labels of series `number`: five, as an orchestrator's metrics have.
fn labels(number: usize) -> [(&'static str, String); 5] {
    [
        ("dag_id", format!("dag_{}", number % 100)),
        ("operator", "PythonOperator".to_owned()),
        ("pool", format!("pool_{}", number % 10)),
        ("state", if number.is_multiple_of(7) { "failed" } else { "success" }.to_owned()),
        ("task_id", format!("task_{number}")),
    ]
}

/// A value with a few digits, as sums of seconds are.
fn value(number: usize) -> f64 {
    number as f64 * 1.37
}

// --- ours ---------------------------------------------------------------------------------------

/// Series whose labels were escaped when they were created.
struct Known {
    numbers: Vec<(LabelBlock, f64)>,
    histograms: Vec<(LabelBlock, HistogramState)>,
}

impl Known {
    fn new() -> Self {
        let block = |number| {
            let labels = labels(number);
            let labels = labels.each_ref().map(|(name, value)| (*name, value.as_str()));
            LabelBlock::new(&labels).expect("valid labels")
        };
        let state = |number: usize| HistogramState {
            buckets: BOUNDS.iter().zip(1..).map(|(bound, count)| (*bound, count * 3)).collect(),
            sum: value(number),
            count: 40,
        };
        Self {
            numbers: (0..SERIES).map(|number| (block(number), value(number))).collect(),
            histograms: (0..HISTOGRAMS).map(|number| (block(number), state(number))).collect(),
        }
    }
}

impl Families for Known {
    fn names(&self) -> Vec<Arc<str>> {
        ["a_total", "b", "c_seconds"].map(Arc::from).to_vec()
    }

    fn write(&self, name: &str, out: &mut Encoder<'_>) -> io::Result<()> {
        let kind = match name {
            "a_total" => Kind::Counter,
            "b" => Kind::Gauge,
            _ => Kind::Histogram,
        };
        let mut family = out.family(Desc::new(name, "Of a benchmark.", kind));
        if kind == Kind::Histogram {
            for (labels, state) in &self.histograms {
                family.histogram(labels, state);
                family.flush()?;
            }
        } else {
            for (labels, value) in &self.numbers {
                family.sample(labels, *value);
                family.flush()?;
            }
        }
        Ok(())
    }
}

fn ours(known: &Arc<dyn Families>, format: Format, out: &mut Vec<u8>) {
    out.clear();
    let sources = std::slice::from_ref(known);
    Encoder::new(format, out).write_page(&Page::new(), sources, &[]).expect("memory");
}

// --- the prometheus crate -----------------------------------------------------------------------

fn prometheus_registry() -> prometheus::Registry {
    let registry = prometheus::Registry::new();
    let names = labels(0).map(|(name, _)| name);
    let opts = |name: &str| prometheus::Opts::new(name, "Of a benchmark.");
    let counters = prometheus::CounterVec::new(opts("a_total"), &names).expect("valid");
    let gauges = prometheus::GaugeVec::new(opts("b"), &names).expect("valid");
    let histogram_opts =
        prometheus::HistogramOpts::new("c_seconds", "Of a benchmark.").buckets(BOUNDS.to_vec());
    let histograms = prometheus::HistogramVec::new(histogram_opts, &names).expect("valid");
    for number in 0..SERIES {
        let labels = labels(number).map(|(_, value)| value);
        counters.with_label_values(&labels).inc_by(value(number));
        gauges.with_label_values(&labels).set(value(number));
        if number < HISTOGRAMS {
            for bound in BOUNDS {
                histograms.with_label_values(&labels).observe(bound);
            }
        }
    }
    registry.register(Box::new(counters)).expect("new");
    registry.register(Box::new(gauges)).expect("new");
    registry.register(Box::new(histograms)).expect("new");
    registry
}

// --- prometheus-client --------------------------------------------------------------------------

type Labels = Vec<(&'static str, String)>;

fn client_registry() -> prometheus_client::registry::Registry {
    use prometheus_client::metrics::{
        counter::Counter, family::Family, gauge::Gauge, histogram::Histogram,
    };
    let counters = Family::<Labels, Counter<f64, AtomicU64>>::default();
    let gauges = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    let histograms = Family::<Labels, Histogram>::new_with_constructor(|| Histogram::new(BOUNDS));
    for number in 0..SERIES {
        let labels = labels(number).to_vec();
        counters.get_or_create(&labels).inc_by(value(number));
        gauges.get_or_create(&labels).set(value(number));
        if number < HISTOGRAMS {
            for bound in BOUNDS {
                histograms.get_or_create(&labels).observe(bound);
            }
        }
    }
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register("a", "Of a benchmark", counters);
    registry.register("b", "Of a benchmark", gauges);
    registry.register("c_seconds", "Of a benchmark", histograms);
    registry
}

fn exposition(criterion: &mut Criterion) {
    let known: Arc<dyn Families> = Arc::new(Known::new());
    let registry = prometheus_registry();
    let client = client_registry();
    let mut out = Vec::new();
    for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
        ours(&known, format, &mut out);
        let line = format!("{format:?}: {} bytes, {SAMPLES} samples\n", out.len());
        io::stdout().write_all(line.as_bytes()).expect("a terminal or a file");
    }

    let mut group = criterion.benchmark_group("exposition");
    group.throughput(Throughput::Elements(SAMPLES as u64));
    for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
        group.bench_function(format!("{format:?}/metrics-server"), |bencher| {
            bencher.iter(|| ours(black_box(&known), format, &mut out));
        });
    }
    group.bench_function("Text/prometheus", |bencher| {
        bencher.iter(|| {
            out.clear();
            let families = black_box(&registry).gather();
            prometheus::TextEncoder::new().encode(&families, &mut out).expect("memory");
        });
    });
    let mut text = String::new();
    group.bench_function("OpenMetrics/prometheus-client", |bencher| {
        bencher.iter(|| {
            text.clear();
            prometheus_client::encoding::text::encode(&mut text, black_box(&client))
                .expect("memory");
        });
    });
    group.finish();
}

criterion_group!(benches, exposition);
criterion_main!(benches);
