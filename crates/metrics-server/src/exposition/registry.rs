//! The families of a `prometheus::Registry`, where an exporter keeps its own telemetry.

use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::{Desc, HistogramState, Kind, Page, SummaryState};

impl Page {
    /// Adds everything registered in `registry`.
    pub fn gather(&mut self, registry: &prometheus::Registry) {
        for family in registry.gather() {
            self.gather_family(&family);
        }
    }

    fn gather_family(&mut self, family: &MetricFamily) {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => Kind::Counter,
            MetricType::GAUGE => Kind::Gauge,
            MetricType::HISTOGRAM => Kind::Histogram,
            MetricType::SUMMARY => Kind::Summary,
            MetricType::UNTYPED => Kind::Untyped,
        };
        let mut out = self.family(Desc::new(family.name(), family.help(), kind));
        for metric in family.get_metric() {
            let labels: Vec<_> =
                metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
            match kind {
                Kind::Counter => out.sample(&labels, metric.get_counter().get_value()),
                Kind::Gauge | Kind::Untyped => out.sample(&labels, metric.get_gauge().get_value()),
                Kind::Histogram => out.histogram(&labels, histogram(metric)),
                Kind::Summary => out.summary(&labels, summary(metric)),
            };
        }
    }
}

fn histogram(metric: &Metric) -> HistogramState {
    let state = metric.get_histogram();
    HistogramState {
        buckets: state
            .get_bucket()
            .iter()
            .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()))
            .collect(),
        sum: state.get_sample_sum(),
        count: state.get_sample_count(),
    }
}

fn summary(metric: &Metric) -> SummaryState {
    let state = metric.get_summary();
    SummaryState {
        quantiles: state
            .get_quantile()
            .iter()
            .map(|quantile| (quantile.quantile(), quantile.value()))
            .collect(),
        sum: state.sample_sum(),
        count: state.sample_count(),
    }
}
