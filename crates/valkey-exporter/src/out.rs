//! Where collectors write: a page, with the namespace and the role label put on.

use std::{borrow::Cow, sync::Arc};

use metrics_server::{Desc, Family, HistogramState, Kind, LabelBlock, Page, SummaryState};

use crate::{app::Options, compat::Compat, fields::default_help};

/// A family that a collector writes.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Without the namespace.
    pub name: &'static str,
    /// `None` for the help that `redis_exporter` makes from the name.
    pub help: Option<&'static str>,
    /// See [`Kind`].
    pub kind: Kind,
}

impl Metric {
    /// A gauge with a help text.
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, help: Some(help), kind: Kind::Gauge }
    }

    /// A counter with a help text.
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, help: Some(help), kind: Kind::Counter }
    }

    /// A gauge whose help is made from its name.
    pub const fn plain(name: &'static str) -> Self {
        Self { name, help: None, kind: Kind::Gauge }
    }

    /// The same family with another kind.
    #[must_use]
    pub const fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

/// A page under construction.
#[derive(Debug)]
pub struct Out<'a> {
    page: &'a mut Page,
    namespace: &'a str,
    compat: Compat,
    role: Option<&'a str>,
}

impl<'a> Out<'a> {
    /// `role` is the value of the label `instance_role`, where it is wanted.
    pub const fn new(page: &'a mut Page, namespace: &'a str, role: Option<&'a str>) -> Self {
        Self { page, namespace, compat: Compat::RedisExporter, role }
    }

    /// With the names that `options` ask for.
    pub const fn of(page: &'a mut Page, options: &'a Options, role: Option<&'a str>) -> Self {
        Self { page, namespace: options.namespace.as_str(), compat: options.compat, role }
    }

    /// Starts a family, or goes on with it.
    pub fn family(&mut self, metric: &Metric) -> Series<'_> {
        let help = metric.help.map_or_else(|| default_help(metric.name).into(), Cow::Borrowed);
        self.start(metric.name, help, metric.kind)
    }

    /// Starts a family whose name is known only now.
    pub fn start<'h>(
        &mut self,
        name: &str,
        help: impl Into<Cow<'h, str>>,
        kind: Kind,
    ) -> Series<'_> {
        let shown = self.compat.shown(name, kind);
        let name = full_name(self.namespace, &shown.name);
        Series {
            family: self.page.family(Desc {
                name: name.into(),
                help: help.into(),
                kind: shown.kind,
            }),
            role: self.role,
            divisor: shown.divisor,
            quantile_divisor: shown.quantile_divisor,
        }
    }

    /// Labels for several families, written once.
    pub fn labels(&self, labels: &[(&str, &str)]) -> Option<Arc<LabelBlock>> {
        let block = match self.role {
            None => LabelBlock::new(labels),
            Some(role) => LabelBlock::new(&with_role(labels, role)),
        };
        block.map(Arc::new)
    }

    /// Adds a family of one sample without labels.
    pub fn value(&mut self, metric: &Metric, value: f64) {
        self.family(metric).sample(&[], value);
    }
}

/// A family while samples are added to it.
#[derive(Debug)]
pub struct Series<'a> {
    family: Family<'a>,
    role: Option<&'a str>,
    divisor: f64,
    quantile_divisor: f64,
}

impl Series<'_> {
    /// Adds a sample.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        let value = value / self.divisor;
        match self.role {
            None => self.family.sample(labels, value),
            Some(role) => self.family.sample(&with_role(labels, role), value),
        };
    }

    /// Adds a sample with labels of [`Out::labels`].
    pub fn sample_of(&mut self, labels: &Arc<LabelBlock>, value: f64) {
        self.family.series(labels, value / self.divisor);
    }

    /// Adds a histogram.
    pub fn histogram(&mut self, labels: &[(&str, &str)], mut state: HistogramState) {
        for (bound, _count) in &mut state.buckets {
            *bound /= self.divisor;
        }
        state.sum /= self.divisor;
        match self.role {
            None => self.family.histogram(labels, state),
            Some(role) => self.family.histogram(&with_role(labels, role), state),
        };
    }

    /// Adds a summary.
    pub fn summary(&mut self, labels: &[(&str, &str)], mut state: SummaryState) {
        for (quantile, value) in &mut state.quantiles {
            *quantile /= self.quantile_divisor;
            *value /= self.divisor;
        }
        state.sum /= self.divisor;
        match self.role {
            None => self.family.summary(labels, state),
            Some(role) => self.family.summary(&with_role(labels, role), state),
        };
    }
}

fn with_role<'l>(labels: &[(&'l str, &'l str)], role: &'l str) -> Vec<(&'l str, &'l str)> {
    labels.iter().copied().chain([("instance_role", role)]).collect()
}

/// `redis_up`; an empty namespace leaves the name alone.
pub fn full_name(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { [namespace, "_", name].concat() }
}
