//! Families in one format, handed on in chunks.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    io::{self, Write},
    sync::Arc,
};

use super::{
    Desc, Escaping, Extras, Format, HistogramState, LabelBlock, Page, Refusal, Refusals, Rows,
    SummaryState, Value, protobuf, text::Lines,
};

/// A chunk is handed on as soon as it has this many bytes, between two samples.
const CHUNK_BYTES: usize = 64 * 1024;

const NOTHING: &Extras = &Extras { created_seconds: None, exemplars: Vec::new(), native: None };

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
    escaping: Escaping,
    /// Complete lines or messages.
    buffer: Vec<u8>,
    /// Metrics of a protobuf family, whose length has to be known before they are written.
    metrics: Vec<u8>,
    sink: &'a mut dyn Write,
}

impl<'a> Encoder<'a> {
    /// An encoder which hands its chunks to `sink`.
    pub fn new(format: Format, sink: &'a mut dyn Write) -> Self {
        let escaping = Escaping::default();
        Self { format, escaping, buffer: Vec::new(), metrics: Vec::new(), sink }
    }

    /// Escapes names as the scraper wants it.
    #[must_use]
    pub fn escaping(mut self, escaping: Escaping) -> Self {
        self.escaping = escaping;
        self
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
        let mut family = self.family(Desc::new(name, &rows.help, rows.kind));
        for (labels, value, extras) in &rows.samples {
            let extras = extras.as_deref().unwrap_or(NOTHING);
            match value {
                Value::Number(number) => family.sample_with(labels, *number, extras),
                Value::Histogram(state) => family.histogram_with(labels, state, extras),
                Value::Summary(state) => family.summary_with(labels, state, extras),
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
    let mut order: BTreeMap<Arc<str>, Origin<'p>> =
        page.families.iter().map(|(name, rows)| (Arc::clone(name), Origin::Page(rows))).collect();
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
        self.sample_with(labels, value, NOTHING);
    }

    /// The same, with what else is known of the series.
    pub fn sample_with(&mut self, labels: &LabelBlock, value: f64, extras: &Extras) {
        let (kind, escaping) = (self.desc.kind, self.encoder.escaping);
        self.write(
            |lines, out| lines.number(labels, value, extras, out),
            |out| protobuf::write_number(kind, escaping, labels, value, extras, out),
        );
    }

    /// Writes a histogram; a missing `+Inf` bucket is added.
    pub fn histogram(&mut self, labels: &LabelBlock, state: &HistogramState) {
        self.histogram_with(labels, state, NOTHING);
    }

    /// The same, with what else is known of the series.
    pub fn histogram_with(&mut self, labels: &LabelBlock, state: &HistogramState, extras: &Extras) {
        let escaping = self.encoder.escaping;
        self.write(
            |lines, out| lines.histogram(labels, state, extras, out),
            |out| protobuf::write_histogram(escaping, labels, state, extras, out),
        );
    }

    /// Writes a summary.
    pub fn summary(&mut self, labels: &LabelBlock, state: &SummaryState) {
        self.summary_with(labels, state, NOTHING);
    }

    /// The same, with what else is known of the series.
    pub fn summary_with(&mut self, labels: &LabelBlock, state: &SummaryState, extras: &Extras) {
        let escaping = self.encoder.escaping;
        self.write(
            |lines, out| lines.summary(labels, state, extras, out),
            |out| protobuf::write_summary(escaping, labels, state, extras, out),
        );
    }

    /// Hands the chunk on if it is full, which may wait for the reader: hold no lock.
    ///
    /// # Errors
    ///
    /// The reader has gone.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.encoder.metrics.len() >= CHUNK_BYTES {
            self.finish_message();
        }
        self.encoder.hand_on()
    }

    fn write(
        &mut self,
        text: impl FnOnce(&Lines<'_>, &mut Vec<u8>),
        protobuf: impl FnOnce(&mut Vec<u8>),
    ) {
        if self.encoder.format == Format::Protobuf {
            protobuf(&mut self.encoder.metrics);
            return;
        }
        let Encoder { format, escaping, ref mut buffer, .. } = *self.encoder;
        let lines = Lines { format, escaping, desc: &self.desc };
        if !self.started {
            self.started = true;
            lines.header(buffer);
        }
        text(&lines, buffer);
    }

    fn finish_message(&mut self) {
        let Encoder { escaping, ref mut buffer, ref mut metrics, .. } = *self.encoder;
        if !metrics.is_empty() {
            protobuf::write_family(&self.desc, escaping, metrics, buffer);
            metrics.clear();
        }
    }
}

/// A protobuf family is complete when nobody adds to it any more.
impl Drop for FamilyEncoder<'_, '_> {
    fn drop(&mut self) {
        self.finish_message();
    }
}

impl fmt::Debug for FamilyEncoder<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FamilyEncoder").field("desc", &self.desc).finish_non_exhaustive()
    }
}
