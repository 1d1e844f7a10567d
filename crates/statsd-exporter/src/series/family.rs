//! The series of one metric name.

use std::{
    hash::{BuildHasher as _, Hash as _, Hasher as _},
    sync::{Arc, Mutex},
};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use metrics_server::{Kind as Type, LabelBlock};

use super::{Series, Tick, lock};
use crate::{
    counts::Limit,
    mapping::{HistogramOptions, SummaryOptions},
};

/// Sets of label names which one family remembers in order to count them.
const LABEL_SETS_MAX: usize = 1_024;

/// What a series is, with all it takes to make one.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Observations in buckets.
    Histogram(Arc<HistogramOptions>),
    /// Observations as quantiles.
    Summary(Arc<SummaryOptions>),
    /// Distinct members of a window of so many milliseconds.
    Set(u64),
}

impl Shape {
    /// The family's type.
    pub const fn kind(&self) -> Type {
        match self {
            Self::Counter => Type::Counter,
            Self::Gauge | Self::Set(_) => Type::Gauge,
            Self::Histogram(_) => Type::Histogram,
            Self::Summary(_) => Type::Summary,
        }
    }
}

/// All series of one name; its type and help are those of the first one, for ever.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) kind: Type,
    pub(super) help: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    hasher: RandomState,
    index: HashTable<Arc<Series>>,
    /// In the order of the page; stale where `version` differs.
    page: Arc<[Arc<Series>]>,
    page_version: u64,
    version: u64,
    /// Hashes of the label names of each set, sorted.
    label_sets: Vec<u64>,
    /// Whether any series has a time to live.
    expires: bool,
}

/// Series which were taken out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Retired {
    pub(super) count: u64,
    /// Given back to [`Memory`](super::Memory) by the store.
    pub(super) bytes: u64,
}

/// What came of adding a series.
pub(super) struct Added {
    pub(super) series: Arc<Series>,
    pub(super) created: bool,
    /// No earlier series of the family had labels of these names.
    pub(super) label_set_is_new: bool,
}

impl Family {
    pub(super) fn new(kind: Type, help: Arc<str>) -> Self {
        Self { kind, help, state: Mutex::default() }
    }

    /// Finds the series of `labels` or adds what `make` makes, given their number so far.
    pub(super) fn find_or_add<'l>(
        &self,
        labels: LabelBlock,
        label_names: impl Iterator<Item = &'l str>,
        make: impl FnOnce(LabelBlock, u64) -> Result<Series, Limit>,
    ) -> Result<Added, Limit> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let hash = state.hasher.hash_one(labels.as_str());
        if let Some(series) = state.index.find(hash, |series| *series.labels() == labels) {
            let series = Arc::clone(series);
            return Ok(Added { series, created: false, label_set_is_new: false });
        }
        let series = Arc::new(make(labels, state.index.len() as u64)?);
        state.expires |= series.ttl_ms() > 0;
        let State { hasher, index, label_sets, .. } = state;
        index.insert_unique(hash, Arc::clone(&series), |series| {
            hasher.hash_one(series.labels().as_str())
        });
        let mut names = hasher.build_hasher();
        label_names.for_each(|name| name.hash(&mut names));
        let label_set = names.finish();
        let mut label_set_is_new = false;
        if let Err(at) = label_sets.binary_search(&label_set)
            && label_sets.len() < LABEL_SETS_MAX
        {
            label_sets.insert(at, label_set);
            label_set_is_new = true;
        }
        state.version += 1;
        Ok(Added { series, created: true, label_set_is_new })
    }

    /// The series in the order of the page. The lock is not held while they are sorted.
    pub(super) fn page(&self) -> Arc<[Arc<Series>]> {
        let (mut all, version) = {
            let state = lock(&self.state);
            if state.page_version == state.version {
                return Arc::clone(&state.page);
            }
            let mut all = Vec::with_capacity(state.index.len());
            for series in &state.index {
                all.push(Arc::clone(series));
            }
            (all, state.version)
        };
        all.sort_by_cached_key(|series| page_key(series.labels()));
        let page: Arc<[Arc<Series>]> = all.into();
        let mut state = lock(&self.state);
        if version > state.page_version {
            state.page = Arc::clone(&page);
            state.page_version = version;
        }
        page
    }

    /// Lets `change` change each series.
    pub(super) fn each(&self, mut change: impl FnMut(&Series)) {
        let mut state = lock(&self.state);
        let mut expires = false;
        for series in &state.index {
            change(series);
            expires |= series.ttl_ms() > 0;
        }
        state.expires |= expires;
    }

    /// Says that a series has a time to live now.
    pub(super) fn expires(&self) {
        lock(&self.state).expires = true;
    }

    /// Takes out everything, so that the family can go.
    pub(super) fn clear(&self) -> Retired {
        let mut state = lock(&self.state);
        let mut gone = Retired::default();
        for series in std::mem::take(&mut state.index) {
            series.retire();
            gone.count += 1;
            gone.bytes += series.bytes();
        }
        state.version += 1;
        state.page = Arc::default();
        gone
    }

    /// Takes out what was idle for too long; says how many those were and what they took.
    pub(super) fn retire_idle(&self, now: Tick) -> Retired {
        let mut state = lock(&self.state);
        if !state.expires {
            return Retired::default();
        }
        let mut gone = Retired::default();
        state.index.retain(|series| {
            let retired = series.retire_idle(now);
            if retired {
                gone.count += 1;
                gone.bytes += series.bytes();
            }
            !retired
        });
        let retired = gone.count;
        if retired > 0 {
            state.version += 1;
            state.page = Arc::default();
            // Give memory back, and look at nothing next time, once all are gone.
            if state.index.is_empty() {
                state.index = HashTable::new();
                state.expires = false;
            }
        }
        gone
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.state).index.is_empty()
    }
}

/// Bytes which are ordered as [`LabelBlock`]s are: by the number of labels, then by value and value,
/// then by everything. Comparing blocks themselves reads them anew each time, which made the first
/// page of 100,000 series take seconds.
fn page_key(labels: &LabelBlock) -> Vec<u8> {
    let text = labels.as_str();
    let mut key = vec![0; size_of::<u32>()];
    key.reserve(2 * text.len());
    let mut count = 0_u32;
    let mut rest = text;
    while let Some((_name, behind)) = rest.split_once("=\"") {
        count += 1;
        rest = push_value(behind, &mut key);
    }
    key[..size_of::<u32>()].copy_from_slice(&count.to_be_bytes());
    key.extend_from_slice(text.as_bytes());
    key
}

/// Adds a value as it was before it was escaped, so that a shorter value comes before those which
/// begin with it; returns what is behind its quote.
fn push_value<'t>(escaped: &'t str, key: &mut Vec<u8>) -> &'t str {
    let mut characters = escaped.char_indices();
    let mut end = escaped.len();
    while let Some((at, character)) = characters.next() {
        let raw = match character {
            '"' => {
                end = at + 1;
                break;
            }
            '\\' => match characters.next() {
                Some((_, 'n')) => '\n',
                Some((_, other)) => other,
                None => break,
            },
            other => other,
        };
        key.extend_from_slice(raw.encode_utf8(&mut [0; 4]).as_bytes());
        if raw == '\0' {
            key.push(u8::MAX);
        }
    }
    key.extend_from_slice(&[0, 0]);
    escaped.get(end..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use metrics_server::LabelBlock;
    use proptest::prelude::*;

    use super::page_key;

    fn block() -> impl Strategy<Value = LabelBlock> {
        let value = "[ab\"\\\\\n\0=,é]{0,4}";
        prop::collection::btree_map("[a-c]", value, 0..4).prop_map(|labels| {
            let pairs: Vec<_> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            LabelBlock::new(&pairs).expect("valid names")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn property_keys_are_ordered_as_blocks_are(a in block(), b in block()) {
            prop_assert_eq!(page_key(&a).cmp(&page_key(&b)), a.cmp(&b));
        }
    }
}
