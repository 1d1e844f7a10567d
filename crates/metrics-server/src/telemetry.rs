//! What every exporter tells about itself: build, process, scrapes, refused samples.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use crate::exposition::{Refusal, Refusals};

mod process;

pub use process::Process;

/// Identity of an exporter, shown by `--version`, the landing page and `<name>_build_info`.
#[derive(Clone, Copy, Debug)]
pub struct ExporterInfo {
    /// As in metric names, for example `statsd_exporter`.
    pub name: &'static str,
    /// For people, for example `StatsD Exporter`.
    pub title: &'static str,
    /// One sentence for the landing page.
    pub description: &'static str,
    /// Version of the crate.
    pub version: &'static str,
    /// Where its documentation is.
    pub documentation_url: &'static str,
}

impl ExporterInfo {
    /// The commit it was built from, or an empty text: set `BUILD_REVISION` when compiling.
    #[must_use]
    pub const fn revision() -> &'static str {
        match option_env!("BUILD_REVISION") {
            Some(revision) => revision,
            None => "",
        }
    }

    /// What `--version` prints, in the form of the Go exporters.
    #[must_use]
    pub fn version_text(&self) -> String {
        format!(
            "{}, version {} (branch: , revision: {})\n  platform:         {}/{}\n",
            self.name,
            self.version,
            Self::revision(),
            go_os(),
            go_arch(),
        )
    }
}

/// Upper bounds for the time of a page: up to the time-out of a default Prometheus.
const PAGE_SECONDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 10.0];
/// Upper bounds for the size of a page: from a small exporter to a million series.
const PAGE_BYTES: [f64; 6] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

/// Own telemetry of the HTTP side. The exporter registers its own families in
/// [`registry`](Self::registry) as well.
#[derive(Clone, Debug)]
pub struct Telemetry {
    registry: Registry,
    requests: IntCounterVec,
    pub(crate) in_flight: IntGauge,
    refused: IntCounterVec,
    durations: Histogram,
    sizes: Histogram,
    logged: Arc<[AtomicBool; Refusal::ALL.len()]>,
}

impl Telemetry {
    /// Registers the families which all exporters share; `name` begins ours.
    ///
    /// # Errors
    ///
    /// `name` does not give valid metric names.
    pub fn new(name: &str) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new(
                "promhttp_metric_handler_requests_total",
                "Total number of scrapes by HTTP status code.",
            ),
            &["code"],
        )?;
        for code in ["200", "500", "503"] {
            requests.with_label_values(&[code]);
        }
        let in_flight = IntGauge::new(
            "promhttp_metric_handler_requests_in_flight",
            "Current number of scrapes being served.",
        )?;
        let refused = IntCounterVec::new(
            Opts::new(
                format!("{name}_exposition_refused_total"),
                "Samples and texts left out of a page, by reason.",
            ),
            &["reason"],
        )?;
        let durations = Histogram::with_opts(
            HistogramOpts::new(
                format!("{name}_page_duration_seconds"),
                "Time from a scrape's request to the last byte of its page.",
            )
            .buckets(PAGE_SECONDS.to_vec()),
        )?;
        let sizes = Histogram::with_opts(
            HistogramOpts::new(
                format!("{name}_page_size_bytes"),
                "Size of a page as it was sent, compressed or not.",
            )
            .buckets(PAGE_BYTES.to_vec()),
        )?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(sizes.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        registry.register(Box::new(Process::new()?))?;
        Ok(Self {
            registry,
            requests,
            in_flight,
            refused,
            durations,
            sizes,
            logged: Arc::default(),
        })
    }

    /// Where an exporter registers its own families.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Registers `<name>_build_info` with the labels of the Go exporters; `goversion` names the
    /// compiler.
    ///
    /// # Errors
    ///
    /// It is registered already.
    pub fn register_build_info(&self, info: &ExporterInfo) -> Result<(), prometheus::Error> {
        let help = format!(
            "A metric with a constant '1' value labeled by version, revision, branch, goversion from which {} was built, and the goos and goarch for the build.",
            info.name
        );
        let opts = Opts::new(format!("{}_build_info", info.name), help)
            .const_label("branch", "")
            .const_label("goarch", go_arch())
            .const_label("goos", go_os())
            .const_label("goversion", concat!("rust", env!("CARGO_PKG_RUST_VERSION")))
            .const_label("revision", ExporterInfo::revision())
            .const_label("tags", "")
            .const_label("version", info.version);
        let gauge = Gauge::with_opts(opts)?;
        gauge.set(1.0);
        self.registry.register(Box::new(gauge))
    }

    /// Whether this is the first refusal for its reason, so that it is logged once.
    pub(crate) fn is_first(&self, refusal: Refusal) -> bool {
        let logged = &self.logged[refusal as usize];
        !logged.swap(true, Ordering::Relaxed)
    }

    /// Counts what was left out of a page.
    pub fn count_refusals(&self, refusals: &Refusals) {
        for (refusal, count) in refusals.iter() {
            self.refused.with_label_values(&[refusal.reason()]).inc_by(count);
        }
    }

    pub(crate) fn observe_page(&self, duration: Duration, bytes: u64) {
        self.durations.observe(duration.as_secs_f64());
        self.sizes.observe(bytes as f64);
    }

    pub(crate) fn request(&self, code: u16) -> IntCounter {
        self.requests.with_label_values(&[code.to_string().as_str()])
    }
}

/// The process collector reads `/proc` anew for each scrape.
impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.read();
        self.families()
    }
}

fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

const fn go_os() -> &'static str {
    std::env::consts::OS
}
