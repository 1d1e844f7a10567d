//! Families as text, in chunks: the only place which knows how a line looks.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    io::{self, Write},
    sync::Arc,
};

use super::{
    Desc, Format, HistogramState, Kind, LabelBlock, Page, Refusal, Refusals, Rows, SummaryState,
    Value, write_float,
};

/// A chunk is handed on as soon as it has this many bytes, between two samples.
const CHUNK_BYTES: usize = 64 * 1024;

/// Families which outlive one scrape and are too many to be copied into a [`Page`].
pub trait Families: Send + Sync {
    /// The names of all families, in any order.
    fn names(&self) -> Vec<Arc<str>>;

    /// Writes one family: `out.family(desc)`, then its samples in order.
    ///
    /// Handing a chunk on may wait for a slow reader, so no lock that others want may be held
    /// while [`FamilyEncoder::flush`] is called. A family which is gone by now writes nothing.
    ///
    /// # Errors
    ///
    /// The reader has gone.
    fn write(&self, name: &str, out: &mut Encoder<'_>) -> io::Result<()>;
}

/// Writes a page in one [`Format`], handing on a chunk whenever one is full.
pub struct Encoder<'a> {
    format: Format,
    buffer: Vec<u8>,
    sink: &'a mut dyn Write,
}

impl<'a> Encoder<'a> {
    /// An encoder which hands its chunks to `sink`.
    pub fn new(format: Format, sink: &'a mut dyn Write) -> Self {
        Self { format, buffer: Vec::new(), sink }
    }

    /// Writes the families of `page` and of all `sources` in the order of their names, and the end.
    ///
    /// `names` chooses families; an empty list takes all. Where two have the same name the page,
    /// then the earlier source, wins: the other one is left out and counted.
    ///
    /// # Errors
    ///
    /// The reader has gone.
    pub fn write_page(
        mut self,
        page: &Page,
        sources: &[Arc<dyn Families>],
        names: &[String],
    ) -> io::Result<Refusals> {
        let mut refusals = Refusals::default();
        for (name, origin) in order(page, sources, &mut refusals) {
            if !names.is_empty() && !names.iter().any(|wanted| **wanted == *name) {
                continue;
            }
            match origin {
                Origin::Page(rows) => self.write_rows(&name, rows)?,
                Origin::Source(source) => source.write(&name, &mut self)?,
            }
        }
        if self.format == Format::OpenMetrics {
            self.buffer.extend_from_slice(b"# EOF\n");
        }
        self.sink.write_all(&self.buffer)?;
        Ok(refusals)
    }

    /// Starts a family; its header is written with its first sample, so an empty one leaves nothing.
    pub fn family<'e>(&'e mut self, desc: Desc<'e>) -> FamilyEncoder<'e, 'a> {
        FamilyEncoder { encoder: self, desc, started: false }
    }

    fn write_rows(&mut self, name: &str, rows: &Rows) -> io::Result<()> {
        let desc = Desc::new(name, &rows.help, rows.kind);
        let mut family = FamilyEncoder { encoder: self, desc, started: false };
        for (labels, value) in &rows.samples {
            match value {
                Value::Number(number) => family.sample(labels, *number),
                Value::Histogram(state) => family.histogram(labels, state),
                Value::Summary(state) => family.summary(labels, state),
            }
            family.flush()?;
        }
        Ok(())
    }

    fn hand_on(&mut self) -> io::Result<()> {
        if self.buffer.len() >= CHUNK_BYTES {
            self.sink.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

impl fmt::Debug for Encoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("format", &self.format).finish_non_exhaustive()
    }
}

enum Origin<'p> {
    Page(&'p Rows),
    Source(&'p dyn Families),
}

fn order<'p>(
    page: &'p Page,
    sources: &'p [Arc<dyn Families>],
    refusals: &mut Refusals,
) -> BTreeMap<Arc<str>, Origin<'p>> {
    let mut order: BTreeMap<Arc<str>, Origin<'p>> = page
        .families
        .iter()
        .map(|(name, rows)| (Arc::from(name.as_str()), Origin::Page(rows)))
        .collect();
    for source in sources {
        for name in source.names() {
            match order.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(Origin::Source(source.as_ref()));
                }
                Entry::Occupied(taken) => refusals.add(Refusal::KindClash, taken.key()),
            }
        }
    }
    order
}

/// One family while its samples are written.
pub struct FamilyEncoder<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    desc: Desc<'e>,
    started: bool,
}

impl FamilyEncoder<'_, '_> {
    /// Writes a counter, gauge or untyped sample.
    pub fn sample(&mut self, labels: &LabelBlock, value: f64) {
        let suffix = match (self.encoder.format, self.desc.kind) {
            (Format::OpenMetrics, Kind::Counter) => "_total",
            _ => "",
        };
        self.line(suffix, labels, None, |format, out| write_value(format, value, out));
    }

    /// Writes the lines of a histogram; a missing `+Inf` bucket is added.
    pub fn histogram(&mut self, labels: &LabelBlock, state: &HistogramState) {
        let last = state.buckets.last().is_some_and(|(bound, _)| *bound == f64::INFINITY);
        let infinity = (!last).then_some((f64::INFINITY, state.count));
        for (bound, count) in state.buckets.iter().copied().chain(infinity) {
            self.line("_bucket", labels, Some(("le", bound)), |format, out| {
                write_count(format, count, out);
            });
        }
        self.sum_and_count(labels, state.sum, state.count);
    }

    /// Writes the lines of a summary.
    pub fn summary(&mut self, labels: &LabelBlock, state: &SummaryState) {
        for &(quantile, value) in &state.quantiles {
            self.line("", labels, Some(("quantile", quantile)), |format, out| {
                write_value(format, value, out);
            });
        }
        self.sum_and_count(labels, state.sum, state.count);
    }

    /// Hands the chunk on if it is full, which may wait for the reader: hold no lock.
    ///
    /// # Errors
    ///
    /// The reader has gone.
    pub fn flush(&mut self) -> io::Result<()> {
        self.encoder.hand_on()
    }

    fn sum_and_count(&mut self, labels: &LabelBlock, sum: f64, count: u64) {
        self.line("_sum", labels, None, |format, out| write_value(format, sum, out));
        self.line("_count", labels, None, |format, out| write_count(format, count, out));
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &LabelBlock,
        extra: Option<(&str, f64)>,
        value: impl FnOnce(Format, &mut Vec<u8>),
    ) {
        if !self.started {
            self.header();
        }
        let name = self.base_name().len();
        let format = self.encoder.format;
        let out = &mut self.encoder.buffer;
        out.extend_from_slice(&self.desc.name.as_bytes()[..name]);
        out.extend_from_slice(suffix.as_bytes());
        write_labels(format, labels, extra, out);
        out.push(b' ');
        value(format, out);
        out.push(b'\n');
    }

    /// The name in the header: OpenMetrics knows a counter by its name without `_total`.
    fn base_name(&self) -> &str {
        match (self.encoder.format, self.desc.kind) {
            (Format::OpenMetrics, Kind::Counter) => {
                self.desc.name.strip_suffix("_total").unwrap_or(&self.desc.name)
            }
            _ => &self.desc.name,
        }
    }

    fn header(&mut self) {
        self.started = true;
        let format = self.encoder.format;
        let name = self.base_name().to_owned();
        let out = &mut self.encoder.buffer;
        out.extend_from_slice(b"# HELP ");
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        write_help(format, &self.desc.help, out);
        out.extend_from_slice(b"\n# TYPE ");
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.desc.kind.as_str(format).as_bytes());
        out.push(b'\n');
    }
}

impl fmt::Debug for FamilyEncoder<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FamilyEncoder").field("desc", &self.desc).finish_non_exhaustive()
    }
}

fn write_labels(
    format: Format,
    labels: &LabelBlock,
    extra: Option<(&str, f64)>,
    out: &mut Vec<u8>,
) {
    if labels.as_str().is_empty() && extra.is_none() {
        return;
    }
    out.push(b'{');
    out.extend_from_slice(labels.as_str().as_bytes());
    if let Some((name, bound)) = extra {
        if !labels.as_str().is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        write_value(format, bound, out);
        out.push(b'"');
    }
    out.push(b'}');
}

/// Text has Go's floats; OpenMetrics wants a point or an exponent in each.
fn write_value(format: Format, value: f64, out: &mut Vec<u8>) {
    let start = out.len();
    write_float(value, out);
    let whole = out[start..].iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    if format == Format::OpenMetrics && whole {
        out.extend_from_slice(b".0");
    }
}

/// Text writes a count as any float (`1e+06`), OpenMetrics as a whole number.
fn write_count(format: Format, count: u64, out: &mut Vec<u8>) {
    match format {
        Format::Text => write_float(count as f64, out),
        Format::OpenMetrics => out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes()),
    }
}

fn write_help(format: Format, help: &str, out: &mut Vec<u8>) {
    for byte in help.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' if format == Format::OpenMetrics => out.extend_from_slice(b"\\\""),
            _ => out.push(byte),
        }
    }
}
