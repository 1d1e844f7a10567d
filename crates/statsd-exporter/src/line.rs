//! Bytes of a line become samples which borrow from it: pure, and without an allocation.
//!
//! The grammar is that of `statsd_exporter` 0.31, with its losses repaired: `DogStatsD`'s packed
//! counters and gauges, `c:` without tags, `e:` and `card:` fields, and `\r` at the end of a line.

use std::{borrow::Cow, hash::BuildHasher as _};

use foldhash::quality::FixedState;
use thiserror::Error;

mod escape;
mod quick;
mod tags;
mod value;

pub use escape::escape;
pub use quick::quick;
pub use tags::{Dialect, Label, Labels, Valueless};

use tags::{Section, pairs, split_section, text};

/// Parts between pipes of one sample, fields that carry no label aside.
const PARTS_MAX: usize = 6;
/// What a sampling rate can multiply one observation by.
const WEIGHT_MAX: f64 = u32::MAX as f64;
/// The label of `DogStatsD`'s `c:` field.
const CONTAINER_LABEL: &str = "container_id";
/// The label of its `e:` field.
const EXTERNAL_LABEL: &str = "external_data";
/// The label of its `card:` field.
const CARDINALITY_LABEL: &str = "cardinality";

/// What a sample does to its series.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// Adds.
    Counter,
    /// Sets or shifts.
    Gauge,
    /// Observes: timers, histograms and distributions.
    Observer,
    /// Counts distinct members.
    Set,
}

impl Kind {
    /// Every kind, in the order of the counters.
    pub const ALL: [Self; 4] = [Self::Counter, Self::Gauge, Self::Observer, Self::Set];

    /// The `type` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Observer => "observer",
            Self::Set => "set",
        }
    }
}

/// What names a series on the wire: equal identities lead to the same series.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity<'a> {
    /// What stands before the first colon: the name, and tags in three of the four dialects.
    pub section: &'a [u8],
    /// See [`Kind`].
    pub kind: Kind,
    /// The fields which carry labels, from the first to the last: `#a:b|c:id`.
    pub fields: &'a [u8],
}

/// A change of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    /// Adds to a counter.
    Add(f64),
    /// Sets a gauge.
    Set(f64),
    /// Adds to a gauge, which may be negative.
    Shift(f64),
    /// `weight` observations of `value`.
    Observe {
        /// Seconds for timers.
        value: f64,
        /// What the sampling rate stands for, at least 1.
        weight: u32,
    },
    /// A member of a set, by its hash.
    Member(u64),
}

impl Update {
    /// How many events this stands for.
    pub const fn weight(self) -> u64 {
        match self {
            Self::Observe { weight, .. } => weight as u64,
            _ => 1,
        }
    }

    /// The same in another unit.
    #[must_use]
    pub fn scaled(self, scale: f64) -> Self {
        match self {
            Self::Add(value) => Self::Add(value * scale),
            Self::Set(value) => Self::Set(value * scale),
            Self::Shift(value) => Self::Shift(value * scale),
            Self::Observe { value, weight } => Self::Observe { value: value * scale, weight },
            Self::Member(_) => self,
        }
    }
}

/// One sample, borrowing from the datagram it arrived in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// Which series.
    pub identity: Identity<'a>,
    /// What happens to it.
    pub update: Update,
}

/// Why a line, or one of its samples, was refused.
///
/// It carries nothing: on the hot path it is counted by reason, never shown.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Fault {
    /// Also an empty name, and bytes which are not UTF-8.
    #[error("no name before a colon")]
    MalformedLine,
    #[error("tags before the colon and behind the value")]
    MixedTaggingStyles,
    #[error("no type behind the value")]
    NotEnoughParts,
    #[error("a list of values of a type which cannot have one")]
    InvalidAggregateType,
    #[error("too few, too many or empty parts between pipes")]
    MalformedComponent,
    #[error("the value is not a number")]
    MalformedValue,
    /// The sample goes on where only its rate cannot be read.
    #[error("the sampling rate is not a number, or a field is not known")]
    InvalidSampleFactor,
    #[error("the container field is empty")]
    MalformedContainerId,
    #[error("the type is not known")]
    IllegalEvent,
}

impl Fault {
    /// Every fault, in the order of the counters.
    pub const ALL: [Self; 9] = [
        Self::MalformedLine,
        Self::MixedTaggingStyles,
        Self::NotEnoughParts,
        Self::InvalidAggregateType,
        Self::MalformedComponent,
        Self::MalformedValue,
        Self::InvalidSampleFactor,
        Self::MalformedContainerId,
        Self::IllegalEvent,
    ];

    /// The `reason` label.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::MalformedLine => "malformed_line",
            Self::MixedTaggingStyles => "mixed_tagging_styles",
            Self::NotEnoughParts => "not_enough_parts_after_colon",
            Self::InvalidAggregateType => "invalid_extended_aggregate_type",
            Self::MalformedComponent => "malformed_component",
            Self::MalformedValue => "malformed_value",
            Self::InvalidSampleFactor => "invalid_sample_factor",
            Self::MalformedContainerId => "malformed_container_id",
            Self::IllegalEvent => "illegal_event",
        }
    }
}

/// What a line adds to the counters beside its samples.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Samples, good or bad.
    pub samples: u64,
    /// Tags which are not pairs, where no sample tells.
    pub tag_errors: u64,
    /// Refused samples which have a label all the same.
    pub tagged: u64,
    /// Rates which cannot be read; their samples go on.
    pub rate_errors: u64,
}

/// What `DogStatsD` sends beside metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Notice {
    /// `_e{5,4}:title|text`
    Event,
    /// `_sc|name|0`
    ServiceCheck,
}

impl Notice {
    /// Both, in the order of the counters.
    pub const ALL: [Self; 2] = [Self::Event, Self::ServiceCheck];

    /// The `type` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::ServiceCheck => "service_check",
        }
    }

    /// Whether a line is one, and which.
    pub fn of(line: &[u8]) -> Option<Self> {
        if line.starts_with(b"_e{") {
            return Some(Self::Event);
        }
        line.starts_with(b"_sc|").then_some(Self::ServiceCheck)
    }
}

/// The lines of a datagram, empty ones too, without their line ends.
pub fn lines(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(datagram);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let (line, after) = match split_once(bytes, b'\n') {
            Some((line, after)) => (line, Some(after)),
            None => (bytes, None),
        };
        rest = after;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    })
}

/// The samples of one line: `a:1:2|ms` has two.
pub fn parse(line: &[u8], dialect: Dialect) -> Samples<'_> {
    let mut samples = Samples {
        dialect,
        section: &[],
        named: false,
        rest: Rest::Nothing,
        tally: Tally::default(),
    };
    if !line.is_empty()
        && let Err(fault) = samples.open(line)
    {
        samples.rest = Rest::Fault(fault);
    }
    samples
}

/// Iterator over a line's samples; [`tally`](Self::tally) tells the rest once it is at its end.
#[derive(Clone, Debug)]
pub struct Samples<'a> {
    dialect: Dialect,
    section: &'a [u8],
    /// Whether the section has a label.
    named: bool,
    rest: Rest<'a>,
    tally: Tally,
}

/// What of a line has not been read.
#[derive(Clone, Copy, Debug)]
enum Rest<'a> {
    Nothing,
    Fault(Fault),
    /// `1:2:3|ms|#a:b`: one suffix for all values.
    Values {
        values: &'a [u8],
        suffix: &'a [u8],
    },
    /// `1|c|#a:b`: colons belong to tags.
    One(&'a [u8]),
    /// `1|c:2|g`: a sample each.
    Many(&'a [u8]),
}

impl<'a> Samples<'a> {
    /// What to count beside the samples.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Reads what all samples of the line share.
    fn open(&mut self, line: &'a [u8]) -> Result<(), Fault> {
        let (section, rest) = split_once(line, b':').ok_or(Fault::MalformedLine)?;
        if section.is_empty() || (!line.is_ascii() && std::str::from_utf8(line).is_err()) {
            return Err(Fault::MalformedLine);
        }
        self.section = section;
        self.count_section();
        let tagged = memchr::memmem::find(rest, b"|#").is_some();
        if tagged && self.named {
            return Err(Fault::MixedTaggingStyles);
        }
        let (values, suffix) = split_once(rest, b'|').ok_or(Fault::NotEnoughParts)?;
        self.rest = if memchr::memchr(b':', values).is_some() {
            let kind = first_part(suffix);
            let set = kind == b"s" && self.dialect.set_window_ms > 0;
            if !set && !matches!(kind, b"ms" | b"h" | b"d" | b"c" | b"g") {
                return Err(Fault::InvalidAggregateType);
            }
            Rest::Values { values, suffix }
        } else if tagged {
            Rest::One(rest)
        } else {
            Rest::Many(rest)
        };
        Ok(())
    }

    fn count_section(&mut self) {
        let section = split_section(self.section, self.dialect);
        self.tally.tag_errors += u64::from(section.broken);
        for pair in pairs(section.tags, b'=', Valueless::Refused) {
            match pair {
                Some((key, _)) if !is_reserved(key) => self.named = true,
                _ => self.tally.tag_errors += 1,
            }
        }
    }

    fn sample(&mut self, value: &'a [u8], suffix: Option<&'a [u8]>) -> Result<Sample<'a>, Fault> {
        self.tally.samples += 1;
        let suffix = suffix.ok_or(Fault::MalformedComponent)?;
        let (kind, fields) =
            split_once(suffix, b'|').map_or((suffix, None), |(kind, rest)| (kind, Some(rest)));
        if fields.is_some_and(|fields| labelling_parts(fields) > PARTS_MAX - 2) {
            return Err(Fault::MalformedComponent);
        }
        let relative = matches!(value.first(), Some(b'+' | b'-'));
        let set = kind == b"s" && self.dialect.set_window_ms > 0;
        let number = match value::parse(value) {
            Some(number) => number,
            None if set && !value.is_empty() => 0.0,
            None => return Err(Fault::MalformedValue),
        };
        let fields = match fields {
            Some(fields) => self.fields(kind, fields)?,
            None => Fields::default(),
        };
        let (kind, update) = match kind {
            b"c" => (Kind::Counter, Update::Add(number / fields.divisor)),
            b"g" if relative => (Kind::Gauge, Update::Shift(number)),
            b"g" => (Kind::Gauge, Update::Set(number)),
            b"ms" => {
                (Kind::Observer, Update::Observe { value: number / 1000.0, weight: fields.weight })
            }
            b"h" | b"d" => {
                (Kind::Observer, Update::Observe { value: number, weight: fields.weight })
            }
            b"s" if set => (Kind::Set, Update::Member(FixedState::default().hash_one(value))),
            _ => {
                let labels = label_fields(fields.labels, self.dialect);
                self.tally.tag_errors += labels.errors;
                self.tally.tagged += u64::from(self.named || labels.count > 0);
                return Err(Fault::IllegalEvent);
            }
        };
        let identity = Identity { section: self.section, kind, fields: fields.labels };
        Ok(Sample { identity, update })
    }

    /// Reads `@0.1|#a:b|c:id|T1656581400`.
    fn fields(&mut self, kind: &[u8], fields: &'a [u8]) -> Result<Fields<'a>, Fault> {
        if fields.split(|byte| *byte == b'|').any(<[u8]>::is_empty) {
            return Err(Fault::MalformedComponent);
        }
        let mut read = Fields::default();
        let mut range: Option<(usize, usize)> = None;
        let mut at = 0;
        while let Some(field) = fields.get(at..).map(first_part) {
            let end = at + field.len();
            match self.field(kind, field, &mut read) {
                Ok(true) => range = Some((range.map_or(at, |(start, _)| start), end)),
                Ok(false) => {}
                Err(fault) => {
                    let (start, end) = range.unwrap_or_default();
                    self.tally.tag_errors += label_fields(&fields[start..end], self.dialect).errors;
                    return Err(fault);
                }
            }
            at = end + 1;
        }
        let (start, end) = range.unwrap_or_default();
        read.labels = &fields[start..end];
        Ok(read)
    }

    /// Reads one field and says whether it carries labels.
    fn field(&mut self, kind: &[u8], field: &[u8], read: &mut Fields<'_>) -> Result<bool, Fault> {
        match field {
            [b'@', rate @ ..] => {
                let rate = value::parse(rate);
                self.tally.rate_errors += u64::from(rate.is_none());
                // As in `statsd_exporter`, what cannot be read is no rate.
                read.rate(kind, rate.unwrap_or(0.0));
                Ok(false)
            }
            [b'#', ..] => Ok(self.dialect.dogstatsd),
            [b'c', b':', _, ..] => Ok(self.dialect.container_label),
            [b'e', b':', _, ..] => Ok(self.dialect.external_label),
            [b'c', b'a', b'r', b'd', b':', _, ..] => Ok(self.dialect.cardinality_label),
            // The time is now.
            [b'e', b':'] | [b'c', b'a', b'r', b'd', b':'] | [b'T', ..] => Ok(false),
            [b'c', ..] => Err(Fault::MalformedContainerId),
            _ => Err(Fault::InvalidSampleFactor),
        }
    }
}

impl<'a> Iterator for Samples<'a> {
    type Item = Result<Sample<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let (value, suffix, rest) = match self.rest {
            Rest::Nothing => return None,
            Rest::Fault(fault) => {
                self.rest = Rest::Nothing;
                return Some(Err(fault));
            }
            Rest::Values { values, suffix } => match split_once(values, b':') {
                Some((value, values)) => (value, Some(suffix), Rest::Values { values, suffix }),
                None => (values, Some(suffix), Rest::Nothing),
            },
            Rest::One(sample) => {
                let (value, suffix) = split_sample(sample);
                (value, suffix, Rest::Nothing)
            }
            Rest::Many(samples) => {
                let (sample, rest) = split_many(samples);
                let (value, suffix) = split_sample(sample);
                (value, suffix, rest.map_or(Rest::Nothing, Rest::Many))
            }
        };
        self.rest = rest;
        Some(self.sample(value, suffix))
    }
}

/// What the fields of a sample say.
#[derive(Clone, Copy, Debug)]
struct Fields<'a> {
    labels: &'a [u8],
    divisor: f64,
    weight: u32,
}

impl Default for Fields<'_> {
    fn default() -> Self {
        Self { labels: &[], divisor: 1.0, weight: 1 }
    }
}

impl Fields<'_> {
    /// Counters are divided by each rate; observations have the weight of the last.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what a u32 holds"
    )]
    fn rate(&mut self, kind: &[u8], rate: f64) {
        if rate == 0.0 {
            self.weight = 1;
        } else if kind == b"c" {
            self.divisor *= rate;
        } else {
            // NaN and what is below 1 become 1: a sample is never lost to its rate.
            let weight = (1.0 / rate).round();
            self.weight = if weight >= 1.0 { weight.min(WEIGHT_MAX) as u32 } else { 1 };
        }
    }
}

/// A sample's name and labels, read from its identity once for each series.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Named<'a> {
    /// The name without tags, as the client wrote it.
    pub name: Cow<'a, str>,
    /// Keys are label names, values are as the client wrote them.
    pub labels: Labels<'a>,
    /// Tags before the colon which had to be left out; the tally of a line has them, too.
    pub section_errors: u64,
    /// Tags behind the value which had to be left out.
    pub tag_errors: u64,
}

impl<'a> Identity<'a> {
    /// Reads name and labels. The cold path: it allocates.
    pub fn read(&self, dialect: Dialect) -> Named<'a> {
        let Section { before, after, tags, broken } = split_section(self.section, dialect);
        let mut named =
            Named { name: text(before), section_errors: u64::from(broken), ..Named::default() };
        if !after.is_empty() {
            named.name.to_mut().push_str(&text(after));
        }
        for pair in pairs(tags, b'=', Valueless::Refused) {
            let set = pair.is_some_and(|(key, value)| named.labels.set_raw(key, value));
            named.section_errors += u64::from(!set);
        }
        for field in self.fields.split(|byte| *byte == b'|') {
            match field {
                [b'#', list @ ..] => {
                    for pair in pairs(list, b':', dialect.valueless) {
                        let set = pair.is_some_and(|(key, value)| match dialect.valueless {
                            Valueless::Label(chosen) if value.is_empty() => {
                                named.labels.set_raw(key, chosen.as_bytes())
                            }
                            _ => named.labels.set_raw(key, value),
                        });
                        named.tag_errors += u64::from(!set);
                    }
                }
                field => {
                    if let Some((label, value)) = origin(field, dialect) {
                        named.labels.set(label, text(value));
                    }
                }
            }
        }
        named
    }
}

/// The label of a field which tells where a sample comes from, where it is wanted.
fn origin(field: &[u8], dialect: Dialect) -> Option<(&'static str, &[u8])> {
    let (label, wanted, value) = if let Some(value) = field.strip_prefix(b"c:") {
        (CONTAINER_LABEL, dialect.container_label, value)
    } else if let Some(value) = field.strip_prefix(b"e:") {
        (EXTERNAL_LABEL, dialect.external_label, value)
    } else {
        (CARDINALITY_LABEL, dialect.cardinality_label, field.strip_prefix(b"card:")?)
    };
    (wanted && !value.is_empty()).then_some((label, value))
}

#[derive(Clone, Copy, Debug, Default)]
struct LabelFields {
    count: u64,
    errors: u64,
}

/// Counts labels and bad tags without keeping them.
fn label_fields(fields: &[u8], dialect: Dialect) -> LabelFields {
    let mut counted = LabelFields::default();
    for field in fields.split(|byte| *byte == b'|') {
        match field {
            [b'#', list @ ..] => {
                for pair in pairs(list, b':', dialect.valueless) {
                    match pair {
                        Some((key, _)) if !is_reserved(key) => counted.count += 1,
                        _ => counted.errors += 1,
                    }
                }
            }
            field => counted.count += u64::from(origin(field, dialect).is_some()),
        }
    }
    counted
}

/// Whether a key becomes a name which belongs to Prometheus: two underscores in front.
fn is_reserved(key: &[u8]) -> bool {
    let mut name = String::new();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    if key.first().is_some_and(plain) || key.get(1).is_some_and(plain) {
        return false;
    }
    escape(&text(key), &mut name);
    name.starts_with("__")
}

/// Parts other than those which `DogStatsD` added without labels in mind.
fn labelling_parts(fields: &[u8]) -> usize {
    let added = |field: &[u8]| field.starts_with(b"e:") || field.starts_with(b"card:");
    fields.split(|byte| *byte == b'|').filter(|field| !added(field)).count()
}

fn first_part(bytes: &[u8]) -> &[u8] {
    memchr::memchr(b'|', bytes).map_or(bytes, |end| &bytes[..end])
}

fn split_sample(sample: &[u8]) -> (&[u8], Option<&[u8]>) {
    split_once(sample, b'|').map_or((sample, None), |(value, suffix)| (value, Some(suffix)))
}

/// Takes the first of several samples. A colon parts them unless it belongs to a field which has
/// one: `1|c|c:id` is one sample, `1|c:2|c` are two.
fn split_many(samples: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut part = 0;
    let mut start = 0;
    let mut in_field = false;
    for at in memchr::memchr2_iter(b'|', b':', samples) {
        if samples[at] == b'|' {
            part += 1;
            start = at + 1;
            in_field = false;
        } else if part >= 2 && matches!(&samples[start..at], b"c" | b"e" | b"card") {
            in_field = true;
        } else if !in_field {
            return (&samples[..at], Some(&samples[at + 1..]));
        }
    }
    (samples, None)
}

fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests;
