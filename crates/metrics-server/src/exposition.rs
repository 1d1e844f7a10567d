//! Metric families and the text they become: [`Page`] gathers what one scrape found, [`Encoder`]
//! writes it in the agreed [`Format`].

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::{Arc, LazyLock},
};

mod encoder;
mod escaping;
mod labels;
mod native;
mod negotiate;
mod number;
mod protobuf;
mod registry;
mod text;

pub use encoder::{Encoder, Families, FamilyEncoder};
pub use escaping::Escaping;
pub use labels::LabelBlock;
pub use native::{NativeBuckets, Span};
pub use negotiate::{Compression, Negotiated, compression, negotiate};
pub use number::write_float;

/// The wire format agreed with one scraper.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// `text/plain; version=0.0.4`, what every Prometheus understands.
    #[default]
    Text,
    /// `text/plain; version=1.0.0`: the same lines, since all our names are of the older alphabet.
    Text1,
    /// `application/openmetrics-text; version=1.0.0`.
    OpenMetrics,
    /// Delimited `io.prometheus.client.MetricFamily`, the only format with native histograms.
    Protobuf,
}

/// What a family counts or measures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Only rises, or starts again at zero.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Observations counted in buckets.
    Histogram,
    /// Observations as quantiles of a sliding window.
    Summary,
    /// Not known; `unknown` in OpenMetrics.
    Untyped,
}

impl Kind {
    /// The word behind `# TYPE`.
    #[must_use]
    pub const fn as_str(self, format: Format) -> &'static str {
        match (self, format) {
            (Self::Counter, _) => "counter",
            (Self::Gauge, _) => "gauge",
            (Self::Histogram, _) => "histogram",
            (Self::Summary, _) => "summary",
            (Self::Untyped, Format::OpenMetrics) => "unknown",
            (Self::Untyped, _) => "untyped",
        }
    }
}

/// A metric family's name, help and kind.
///
/// Collectors keep theirs in a `const`, next to the query which fills it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Desc<'a> {
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`, complete: nothing is appended to it in text 0.0.4.
    pub name: Cow<'a, str>,
    /// One line for people; escaped when written.
    pub help: Cow<'a, str>,
    /// See [`Kind`].
    pub kind: Kind,
}

impl<'a> Desc<'a> {
    /// A family whose names are known when it is compiled.
    #[must_use]
    pub const fn new(name: &'a str, help: &'a str, kind: Kind) -> Self {
        Self { name: Cow::Borrowed(name), help: Cow::Borrowed(help), kind }
    }

    /// A counter.
    #[must_use]
    pub const fn counter(name: &'a str, help: &'a str) -> Self {
        Self::new(name, help, Kind::Counter)
    }

    /// A gauge.
    #[must_use]
    pub const fn gauge(name: &'a str, help: &'a str) -> Self {
        Self::new(name, help, Kind::Gauge)
    }

    /// A family of unknown kind.
    #[must_use]
    pub const fn untyped(name: &'a str, help: &'a str) -> Self {
        Self::new(name, help, Kind::Untyped)
    }
}

/// The state of one histogram series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramState {
    /// Upper bound and **cumulative** count, ascending. `+Inf` may be left out: it is `count`.
    pub buckets: Vec<(f64, u64)>,
    /// Sum of all observations.
    pub sum: f64,
    /// Number of all observations.
    pub count: u64,
}

/// The state of one summary series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SummaryState {
    /// Quantile (0 to 1) and its value, ascending; `NaN` where the window is empty.
    pub quantiles: Vec<(f64, f64)>,
    /// Sum of all observations.
    pub sum: f64,
    /// Number of all observations.
    pub count: u64,
}

/// What a series may have beside its value; formats without a place for it leave it out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extras {
    /// When the series began, in seconds since the epoch: `_created`, or the start time stamp.
    pub created_seconds: Option<f64>,
    /// Single observations with a trace: one for a counter, one a bucket for a histogram.
    pub exemplars: Vec<Exemplar>,
    /// The same observations as a native histogram; in protobuf alone.
    pub native: Option<NativeBuckets>,
}

/// One observation, and what led to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Mostly a `trace_id`; OpenMetrics allows 128 characters of names and values together.
    pub labels: LabelBlock,
    /// The observed value; in a histogram it tells the bucket.
    pub value: f64,
    /// When it was observed, in seconds since the epoch. Protobuf leaves out those without.
    pub timestamp_seconds: Option<f64>,
}

/// Why a sample was left out of a page, in the order of [`Refusal::ALL`].
///
/// One bad sample never costs the page: it is left out, and counted by reason.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Another sample of the family has the same labels; the first one stays.
    Duplicate,
    /// The family is already on the page with another kind.
    KindClash,
    /// The family is already on the page with another help text; its samples stay.
    HelpClash,
    /// The family's name is not a metric name.
    InvalidName,
    /// A label's name is not a label name, or is there twice.
    InvalidLabel,
}

impl Refusal {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 5] =
        [Self::Duplicate, Self::KindClash, Self::HelpClash, Self::InvalidName, Self::InvalidLabel];

    /// The `reason` label.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::KindClash => "type_clash",
            Self::HelpClash => "help_clash",
            Self::InvalidName => "invalid_name",
            Self::InvalidLabel => "invalid_label",
        }
    }
}

/// What was left out of a page: the count of each reason, and one example for the log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Refusals {
    counts: [u64; Refusal::ALL.len()],
    first: Option<(Refusal, String)>,
}

impl Refusals {
    fn add(&mut self, refusal: Refusal, family: &str) {
        self.counts[refusal as usize] += 1;
        if self.first.is_none() {
            self.first = Some((refusal, family.to_owned()));
        }
    }

    fn merge(&mut self, other: Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        if self.first.is_none() {
            self.first = other.first;
        }
    }

    /// The reasons which occurred, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Refusal, u64)> {
        Refusal::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    /// The first refusal and the family it concerns.
    #[must_use]
    pub fn first(&self) -> Option<(Refusal, &str)> {
        self.first.as_ref().map(|(refusal, family)| (*refusal, family.as_str()))
    }
}

/// The families found by one scrape, in memory.
///
/// # Invariants
///
/// A family is on the page once: whoever adds to it again adds samples, and where kind or help
/// differ the first one stays. Output order is defined: families by name, samples as Go sorts them.
#[derive(Clone, Debug, Default)]
pub struct Page {
    families: BTreeMap<Arc<str>, Rows>,
    refusals: Refusals,
}

#[derive(Clone, Debug)]
struct Rows {
    help: String,
    kind: Kind,
    samples: Vec<(Arc<LabelBlock>, Value, Option<Box<Extras>>)>,
}

/// What most families of a page of single numbers have.
static NO_LABELS: LazyLock<Arc<LabelBlock>> = LazyLock::new(Arc::default);

/// Boxed where large: most of a large page is numbers.
#[derive(Clone, Debug)]
enum Value {
    Number(f64),
    Histogram(Box<HistogramState>),
    Summary(Box<SummaryState>),
}

impl Value {
    fn lines_count(&self) -> usize {
        match self {
            Self::Number(_) => 1,
            Self::Histogram(state) => state.buckets.len() + 3,
            Self::Summary(state) => state.quantiles.len() + 2,
        }
    }
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a family, or goes on with it. A family without samples leaves nothing.
    pub fn family(&mut self, desc: Desc<'_>) -> Family<'_> {
        if !is_metric_name(&desc.name) {
            self.refusals.add(Refusal::InvalidName, &desc.name);
            return Family { rows: None, name: Arc::from(desc.name), refusals: &mut self.refusals };
        }
        let name: Arc<str> = Arc::from(desc.name);
        let rows = match self.families.entry(Arc::clone(&name)) {
            Entry::Vacant(place) => {
                let (help, kind) = (desc.help.into_owned(), desc.kind);
                Some(place.insert(Rows { help, kind, samples: Vec::new() }))
            }
            Entry::Occupied(known) if known.get().kind != desc.kind => {
                self.refusals.add(Refusal::KindClash, &name);
                None
            }
            Entry::Occupied(known) => {
                if known.get().help != desc.help {
                    self.refusals.add(Refusal::HelpClash, &name);
                }
                Some(known.into_mut())
            }
        };
        Family { rows, name, refusals: &mut self.refusals }
    }

    /// Adds a family of one sample.
    pub fn sample(&mut self, desc: Desc<'_>, labels: &[(&str, &str)], value: f64) {
        self.family(desc).sample(labels, value);
    }

    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: Self) {
        self.refusals.merge(other.refusals);
        for (name, theirs) in other.families {
            match self.families.get_mut(&name) {
                None => {
                    self.families.insert(name, theirs);
                }
                Some(ours) if ours.kind == theirs.kind => {
                    if ours.help != theirs.help {
                        self.refusals.add(Refusal::HelpClash, &name);
                    }
                    ours.samples.extend(theirs.samples);
                }
                Some(_) => self.refusals.add(Refusal::KindClash, &name),
            }
        }
    }

    /// Keeps only the families whose name is in `names`; an empty list keeps all.
    pub fn retain(&mut self, names: &[String]) {
        if !names.is_empty() {
            self.families.retain(|name, _| names.iter().any(|wanted| **wanted == **name));
        }
    }

    /// Sorts, leaves out duplicates, and tells what was left out since the page was begun.
    pub fn seal(&mut self) -> Refusals {
        for (name, family) in &mut self.families {
            // A stable sort, so that of two equal samples the first one stays.
            family.samples.sort_by(|a, b| a.0.cmp(&b.0));
            let before = family.samples.len();
            family.samples.dedup_by(|b, a| a.0 == b.0);
            for _ in family.samples.len()..before {
                self.refusals.add(Refusal::Duplicate, name);
            }
        }
        std::mem::take(&mut self.refusals)
    }

    /// Number of lines, about: those of help and type are not counted.
    pub(crate) fn lines_count(&self) -> usize {
        let samples = self.families.values().flat_map(|family| &family.samples);
        samples.map(|(_, value, _)| value.lines_count()).sum()
    }

    /// Number of samples; a histogram or summary counts once.
    #[must_use]
    pub fn samples_count(&self) -> usize {
        self.families.values().map(|family| family.samples.len()).sum()
    }

    /// The whole page in memory.
    #[must_use]
    pub fn into_bytes(mut self, format: Format) -> Vec<u8> {
        self.seal();
        let mut bytes = Vec::new();
        let written = Encoder::new(format, &mut bytes).write_page(&self, &[], &[]);
        written.expect("memory takes every byte");
        bytes
    }

    /// The whole page as text: what tests compare.
    ///
    /// # Panics
    ///
    /// `format` is not a text.
    #[must_use]
    pub fn into_text(self, format: Format) -> String {
        String::from_utf8(self.into_bytes(format)).expect("a text format")
    }
}

/// One family of a [`Page`] while samples are added to it.
pub struct Family<'a> {
    rows: Option<&'a mut Rows>,
    name: Arc<str>,
    refusals: &'a mut Refusals,
}

impl Family<'_> {
    /// Adds a sample; `labels` in any order.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        self.row(labels, Value::Number(value), None)
    }

    /// Adds a sample with what else is known of its series.
    pub fn sample_with(
        &mut self,
        labels: &[(&str, &str)],
        value: f64,
        extras: Extras,
    ) -> &mut Self {
        self.row(labels, Value::Number(value), Some(extras))
    }

    /// Adds a sample whose labels were escaped before, and are shared with other families.
    pub fn series(&mut self, labels: &Arc<LabelBlock>, value: f64) -> &mut Self {
        if let Some(family) = &mut self.rows {
            family.samples.push((Arc::clone(labels), Value::Number(value), None));
        }
        self
    }

    /// Adds a histogram series.
    pub fn histogram(&mut self, labels: &[(&str, &str)], state: HistogramState) -> &mut Self {
        self.row(labels, Value::Histogram(Box::new(state)), None)
    }

    /// Adds a histogram series with what else is known of it.
    pub fn histogram_with(
        &mut self,
        labels: &[(&str, &str)],
        state: HistogramState,
        extras: Extras,
    ) -> &mut Self {
        self.row(labels, Value::Histogram(Box::new(state)), Some(extras))
    }

    /// Adds a summary series.
    pub fn summary(&mut self, labels: &[(&str, &str)], state: SummaryState) -> &mut Self {
        self.row(labels, Value::Summary(Box::new(state)), None)
    }

    /// Adds a summary series with what else is known of it.
    pub fn summary_with(
        &mut self,
        labels: &[(&str, &str)],
        state: SummaryState,
        extras: Extras,
    ) -> &mut Self {
        self.row(labels, Value::Summary(Box::new(state)), Some(extras))
    }

    fn row(&mut self, labels: &[(&str, &str)], value: Value, extras: Option<Extras>) -> &mut Self {
        let Some(family) = &mut self.rows else { return self };
        let labels = match labels {
            [] => Some(Arc::clone(&NO_LABELS)),
            labels => LabelBlock::new(labels).map(Arc::new),
        };
        match labels {
            Some(labels) => family.samples.push((labels, value, extras.map(Box::new))),
            None => self.refusals.add(Refusal::InvalidLabel, &self.name),
        }
        self
    }
}

impl fmt::Debug for Family<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether `name` is `[a-zA-Z_:][a-zA-Z0-9_:]*`.
#[must_use]
pub fn is_metric_name(name: &str) -> bool {
    is_name(name, |byte| byte == b':')
}

/// Whether `name` is `[a-zA-Z_][a-zA-Z0-9_]*`.
#[must_use]
pub fn is_label_name(name: &str) -> bool {
    is_name(name, |_| false)
}

fn is_name(name: &str, also: impl Fn(u8) -> bool) -> bool {
    let mut bytes = name.bytes();
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || also(byte);
    bytes.next().is_some_and(letter) && bytes.all(|byte| letter(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
