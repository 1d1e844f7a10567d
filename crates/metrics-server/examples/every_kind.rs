//! One family of each kind, always the same: what tests scrape in every format.

use std::{process::ExitCode, sync::Arc, time::Instant};

use clap::Parser;
use metrics_server::{
    Desc, Exemplar, ExporterInfo, Extras, Health, HistogramState, Kind, LabelBlock, NativeBuckets,
    Page, Scrape, ScrapeRequest, Scraping, Server, Shutdown, SummaryState, Telemetry,
    args::{Dialect, LogArgs, LogFormat, LogLevel, WebArgs},
    cli, http,
};

const INFO: ExporterInfo = ExporterInfo {
    name: "every_kind_exporter",
    title: "Every Kind Exporter",
    description: "Exports one family of each kind.",
    version: env!("CARGO_PKG_VERSION"),
    documentation_url: "https://prometheus.io/docs/concepts/metric_types/",
};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    web: WebArgs,
    #[command(flatten)]
    log: LogArgs,
}

impl cli::ExporterArgs for Args {
    fn web(&self) -> &WebArgs {
        &self.web
    }
    fn log(&self) -> (LogLevel, LogFormat) {
        (self.log.level, self.log.format)
    }
}

struct EveryKind;

impl Scrape for EveryKind {
    fn scrape<'a>(&'a self, _request: &'a ScrapeRequest) -> Scraping<'a> {
        Box::pin(std::future::ready(Ok(page().into())))
    }
}

/// Values which formats write differently: whole, large, small, infinite, not a number.
const VALUES: [(&str, f64); 7] = [
    ("zero", 0.0),
    ("whole", 42.0),
    ("large", 12_345_678.0),
    ("small", 0.000_012_5),
    ("third", 1.0 / 3.0),
    ("infinite", f64::INFINITY),
    ("none", f64::NAN),
];

fn page() -> Page {
    let mut page = Page::new();
    let mut values =
        page.family(Desc::gauge("kind_value", "A gauge of \"values\" \\ with a\nline."));
    for (name, value) in VALUES {
        values.sample(&[("name", name), ("label", "a \\ \"b\"\nc ü")], value);
    }
    page.sample(Desc::untyped("kind_unknown", ""), &[], 7.5);
    page.family(Desc::counter("kind_events_total", "A counter.")).sample_with(
        &[("code", "200")],
        1_234_567.0,
        extras(3.0, None),
    );
    page.family(Desc::new("kind_wait_seconds", "A summary.", Kind::Summary)).summary(
        &[],
        SummaryState { quantiles: vec![(0.5, 1.25), (0.99, f64::NAN)], sum: 2.5, count: 2 },
    );
    page.family(Desc::new("kind_size_bytes", "A classic histogram.", Kind::Histogram))
        .histogram_with(
            &[("le_free", "yes")],
            HistogramState { buckets: vec![(1.0, 1), (1e6, 3)], sum: 12.5, count: 4 },
            extras(500.0, None),
        );
    let (positive_spans, positive_deltas) = NativeBuckets::pack([(-3, 1), (0, 2), (1, 5)]);
    let native = NativeBuckets {
        schema: 3,
        zero_threshold: 1e-9,
        zero_count: 2,
        positive_spans,
        positive_deltas,
        ..NativeBuckets::default()
    };
    page.family(Desc::new("kind_native_seconds", "A native histogram.", Kind::Histogram))
        .histogram_with(
            &[],
            HistogramState { buckets: Vec::new(), sum: 9.25, count: 10 },
            extras(1.0, Some(native)),
        );
    page
}

fn extras(value: f64, native: Option<NativeBuckets>) -> Extras {
    let labels = LabelBlock::new(&[("trace_id", "abc")]).expect("a label name");
    let exemplar = Exemplar { labels, value, timestamp_seconds: Some(1_700_000_000.5) };
    Extras { created_seconds: Some(1_600_000_000.0), exemplars: vec![exemplar], native }
}

fn main() -> ExitCode {
    let program = cli::Program {
        info: &INFO,
        dialect: Dialect::Kingpin,
        env_prefix: "EVERY_KIND_EXPORTER",
        listen_address: ":9998",
        usage_exit: 1,
        commands: &[],
    };
    cli::run(&program, |args: Args| metrics_server::block_on(serve(args))?)
}

#[expect(clippy::disallowed_methods, reason = "the process starts its clock")]
async fn serve(args: Args) -> std::io::Result<()> {
    let telemetry = Telemetry::new(INFO.name).map_err(std::io::Error::other)?;
    let bound = http::bind(&args.web).await?;
    let (stop, shutdown) = Shutdown::new();
    stop.request_on_signal()?;
    Server::new(&INFO, &args.web, telemetry, Health::new(Instant::now()))
        .metrics(Arc::new(EveryKind))
        .serve(bound, shutdown)
        .await
}
