//! Tags in the four ways clients write them.

use std::borrow::Cow;

use super::escape::escaped;

/// Which ways of writing tags are understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dialect {
    /// `name:1|c|#key:value,key:value`
    pub dogstatsd: bool,
    /// `name,key=value,key=value:1|c`
    pub influxdb: bool,
    /// `name#key=value,key=value:1|c`
    pub librato: bool,
    /// `name[key=value,key=value]:1|c`
    pub signalfx: bool,
    /// What becomes of a `DogStatsD` tag without a value.
    pub valueless: Valueless,
    /// Whether `DogStatsD`'s `c:` field becomes the label `container_id`.
    pub container_label: bool,
    /// Whether its `e:` field becomes the label `external_data`.
    pub external_label: bool,
    /// Whether its `card:` field becomes the label `cardinality`.
    pub cardinality_label: bool,
    /// How long a set gathers members; zero where sets are refused.
    pub set_window_ms: u64,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            dogstatsd: true,
            influxdb: true,
            librato: true,
            signalfx: true,
            valueless: Valueless::Refused,
            container_label: true,
            external_label: false,
            cardinality_label: false,
            set_window_ms: 0,
        }
    }
}

/// Room for labels which is made at once; most samples have fewer.
const LABELS_USUAL: usize = 8;

/// What becomes of a tag without a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Valueless {
    /// It is left out and counted.
    Refused,
    /// It becomes a label with this value.
    Label(&'static str),
}

/// What stands before a line's first colon: the name around its tags.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Section<'a> {
    /// The name before the tags.
    pub(super) before: &'a [u8],
    /// The name behind the tags; only brackets can stand in the middle.
    pub(super) after: &'a [u8],
    /// `key=value,key=value`.
    pub(super) tags: &'a [u8],
    /// One bracket without the other.
    pub(super) broken: bool,
}

/// Finds the tags in what stands before the first colon.
pub(super) fn split_section(section: &[u8], dialect: Dialect) -> Section<'_> {
    let whole = Section { before: section, ..Section::default() };
    if dialect.signalfx {
        let open = memchr::memchr(b'[', section);
        let close = memchr::memchr(b']', section);
        match (open, close) {
            (Some(open), Some(close)) if open < close => {
                return Section {
                    before: &section[..open],
                    after: &section[close + 1..],
                    tags: &section[open + 1..close],
                    broken: false,
                };
            }
            (None, None) => {}
            _ => return Section { broken: true, ..whole },
        }
    }
    let start = match (dialect.librato, dialect.influxdb) {
        (true, true) => memchr::memchr2(b'#', b',', section),
        (true, false) => memchr::memchr(b'#', section),
        (false, true) => memchr::memchr(b',', section),
        (false, false) => None,
    };
    match start {
        Some(start) => Section { before: &section[..start], tags: &section[start + 1..], ..whole },
        None => whole,
    }
}

/// The tags of a list as key and value. `None` stands for one that is not a pair.
///
/// A separator at the very end begins no further tag.
pub(super) fn pairs(
    list: &[u8],
    separator: u8,
    valueless: Valueless,
) -> impl Iterator<Item = Option<(&[u8], &[u8])>> + Clone {
    let empty = list.is_empty();
    let list = list.strip_suffix(b",").unwrap_or(list);
    list.split(|byte| *byte == b',').filter(move |_| !empty).map(move |tag| {
        // `#a:b,#c:d`: some clients mark each tag.
        let tag = if separator == b':' { tag.strip_prefix(b"#").unwrap_or(tag) } else { tag };
        let Some(at) = memchr::memchr(separator, tag) else {
            // An empty value stands for the one that was chosen.
            let label = valueless != Valueless::Refused && !tag.is_empty();
            return label.then_some((tag, &[][..]));
        };
        let (key, value) = (&tag[..at], &tag[at + 1..]);
        (!key.is_empty() && !value.is_empty()).then_some((key, value))
    })
}

/// A label's name and value.
pub type Label<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A sample's labels while its series is looked for: unique keys, the later value wins. What need not
/// be changed stays in the line, or in the rule, that it comes from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Labels<'a>(Vec<Label<'a>>);

impl<'a> Labels<'a> {
    /// Sets `key`, which is a label name already.
    pub fn set(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (key, value) = (key.into(), value.into());
        match self.find(&key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                if self.0.is_empty() {
                    self.0.reserve_exact(LABELS_USUAL);
                }
                self.0.insert(at, (key, value));
            }
        }
    }

    /// Whether `key` is there.
    pub fn contains(&self, key: &str) -> bool {
        self.find(key).is_ok()
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.find(key).ok()?;
        Some(&self.0[at].1)
    }

    /// Takes `key` out.
    pub fn take(&mut self, key: &str) -> Option<Cow<'a, str>> {
        let at = self.find(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// Leaves those whose key `stays`.
    pub fn retain(&mut self, stays: impl Fn(&str) -> bool) {
        self.0.retain(|(key, _)| stays(key));
    }

    /// Takes `key` out and says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        self.find(key).map(|at| self.0.remove(at)).is_ok()
    }

    /// Key and value, sorted by key.
    pub fn as_slice(&self) -> &[Label<'a>] {
        &self.0
    }

    /// Where `key` is, or belongs.
    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_ref().cmp(key))
    }

    /// Sets a key as a client wrote it. `false` where it would be a reserved name: those which
    /// begin with two underscores belong to Prometheus.
    pub(super) fn set_raw(&mut self, key: &'a [u8], value: &'a [u8]) -> bool {
        let name = escaped(text(key));
        if name.starts_with("__") {
            return false;
        }
        self.set(name, text(value));
        true
    }
}

/// Bytes of a line as text. A line was checked when it arrived, so nothing is replaced here.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
