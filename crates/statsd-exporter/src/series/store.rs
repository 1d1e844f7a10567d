//! Every series by family: shared by all threads, off the way of known series.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics_server::{Kind as Type, LabelBlock};

use super::{Memory, Next, Origin, Rule, Series, Shape, Terms, Tick, family::Family};
use crate::{
    counts::Limit,
    line::{Kind, Label, Update},
};

/// Types in the order of the counters.
const TYPES: [Type; 4] = [Type::Counter, Type::Gauge, Type::Histogram, Type::Summary];

/// Every series by family.
///
/// Lock order: `families`, then one family's own. No caller holds either across another call.
pub struct Store {
    families: RwLock<BTreeMap<Arc<str>, Arc<Family>>>,
    reserved: BTreeSet<String>,
    reserved_prefixes: &'static [&'static str],
    bounds: Bounds,
    memory: Arc<Memory>,
    series_count: AtomicU64,
    retired_count: AtomicU64,
    /// What `retired_count` was when empty families were last taken out.
    swept_at: AtomicU64,
    /// Series there are now, by type.
    current: [AtomicI64; TYPES.len()],
    /// Names with a set of label names that there ever were, by type.
    ever: [AtomicI64; TYPES.len()],
}

/// How much a store may hold.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "a limit says so in its name")]
pub struct Bounds {
    /// Series of all names.
    pub series_max: u64,
    /// Series of one name.
    pub series_per_name_max: u64,
    /// Bytes of all series, as [`Memory`] counts them.
    pub memory_bytes_max: u64,
}

/// One family as it is exposed.
#[derive(Clone, Debug)]
pub struct FamilyPage {
    /// Its type.
    pub kind: Type,
    /// For people.
    pub help: Arc<str>,
    /// In the order of the page.
    pub series: Arc<[Arc<Series>]>,
}

/// A series that is wanted.
#[derive(Debug)]
pub struct Draft<'a> {
    /// A metric name.
    pub name: &'a str,
    /// What it is.
    pub shape: &'a Shape,
    /// For a family which is new.
    pub help: &'a Arc<str>,
    /// Label names and values, sorted.
    pub labels: &'a [Label<'a>],
    /// Zero is for ever.
    pub ttl: Duration,
    /// The rule which says so: a series which follows one of an older mapping adopts shape and time
    /// to live.
    pub origin: Origin,
    /// What the series gets before anybody sees it, should it be new.
    pub first: Option<Update>,
}

/// A series, and whether it was made for the draft, with its first update.
#[derive(Clone, Debug)]
pub struct Found {
    /// The series.
    pub series: Arc<Series>,
    /// Whether it was made.
    pub created: bool,
}

/// What a newer mapping left of the series.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Kept {
    /// All of them.
    pub series: u64,
    /// Those with another time to live.
    pub ttl: u64,
    /// Those with other buckets or quantiles.
    pub shape: u64,
}

/// Why there is no such series.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The name, or one it would be written under, has another type, or is the exporter's own.
    Conflict,
    /// There is as much as there may be.
    Limit(Limit),
}

impl Store {
    /// An empty store within `bounds`, in which `reserved` names, and those which
    /// begin with one of `reserved_prefixes`, are taken.
    pub fn new(
        bounds: Bounds,
        reserved: BTreeSet<String>,
        reserved_prefixes: &'static [&'static str],
    ) -> Self {
        Self {
            families: RwLock::default(),
            reserved,
            reserved_prefixes,
            bounds,
            memory: Arc::new(Memory::new(bounds.memory_bytes_max)),
            series_count: AtomicU64::new(0),
            retired_count: AtomicU64::new(0),
            swept_at: AtomicU64::new(0),
            current: Default::default(),
            ever: Default::default(),
        }
    }

    /// Finds or creates a series.
    ///
    /// # Errors
    ///
    /// See [`Refusal`].
    pub fn find_or_create(&self, draft: &Draft<'_>, now: Tick) -> Result<Found, Refusal> {
        let pairs = draft.labels.iter().map(|(name, value)| (&**name, &**value));
        let labels = LabelBlock::of_sorted(pairs).ok_or(Refusal::Conflict)?;
        // The outer lock is held until the series is in its family, so that an empty family is not
        // taken away in between.
        let families = self.read();
        if let Some(family) = families.get(draft.name) {
            return self.add(family, labels, draft, now);
        }
        drop(families);
        let mut families = self.write();
        if !families.contains_key(draft.name) {
            if self.is_taken(&families, draft.name, draft.shape.kind()) {
                return Err(Refusal::Conflict);
            }
            if self.series_count.load(Ordering::Relaxed) >= self.bounds.series_max {
                return Err(Refusal::Limit(Limit::Series));
            }
            self.make_room(&mut families, draft.name)?;
            let family = Family::new(draft.shape.kind(), Arc::clone(draft.help));
            families.insert(Arc::from(draft.name), Arc::new(family));
        }
        let family = Arc::clone(&families[draft.name]);
        self.add(&family, labels, draft, now)
    }

    /// The names of all families.
    pub fn names(&self) -> Vec<Arc<str>> {
        self.read().keys().map(Arc::clone).collect()
    }

    /// A family's type, help, and series in the order of the page.
    pub fn family(&self, name: &str) -> Option<FamilyPage> {
        let family = self.read().get(name).map(Arc::clone)?;
        let (kind, help) = (family.kind, Arc::clone(&family.help));
        Some(FamilyPage { kind, help, series: family.page() })
    }

    /// Gives each series of mapping `from` what its rule says in mapping `to`, as `next` knows it.
    pub fn follow(
        &self,
        from: u32,
        to: u32,
        next: impl Fn(Rule, Kind) -> Option<Next>,
        now: Tick,
    ) -> Kept {
        let families: Vec<Arc<Family>> = self.read().values().map(Arc::clone).collect();
        let mut kept = Kept::default();
        for family in families {
            family.each(|series| {
                let changed = series.follow(from, to, &next, now);
                kept.series += 1;
                kept.ttl += u64::from(changed.ttl);
                kept.shape += u64::from(changed.shape);
            });
        }
        kept
    }

    /// Takes out every series which was idle for longer than its time to live.
    pub fn retire_idle(&self, now: Tick) -> u64 {
        let families: Vec<Arc<Family>> = self.read().values().map(Arc::clone).collect();
        let mut total = 0;
        for family in families {
            let retired = family.retire_idle(now);
            if retired.count > 0 {
                total += retired.count;
                self.memory.give_back(retired.bytes);
                let retired = i64::try_from(retired.count).unwrap_or(i64::MAX);
                self.current[index(family.kind)].fetch_sub(retired, Ordering::Relaxed);
            }
        }
        self.series_count.fetch_sub(total, Ordering::Relaxed);
        self.retired_count.fetch_add(total, Ordering::Relaxed);
        total
    }

    /// Takes out the series of all names which `chosen` chooses, and forgets the types of these
    /// names; says how many series there were.
    pub fn clear(&self, chosen: impl Fn(&str) -> bool) -> u64 {
        let mut total = 0;
        self.write().retain(|name, family| {
            if !chosen(name) {
                return true;
            }
            let gone = family.clear();
            total += gone.count;
            self.memory.give_back(gone.bytes + family_bytes(name));
            let count = i64::try_from(gone.count).unwrap_or(i64::MAX);
            self.current[index(family.kind)].fetch_sub(count, Ordering::Relaxed);
            false
        });
        self.series_count.fetch_sub(total, Ordering::Relaxed);
        self.retired_count.fetch_add(total, Ordering::Relaxed);
        total
    }

    /// Series retired since the start: where this has grown, aliases may lead to nowhere.
    pub fn retired_count(&self) -> u64 {
        self.retired_count.load(Ordering::Relaxed)
    }

    /// What all series take.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Series there are now, by type.
    pub fn current(&self) -> impl Iterator<Item = (&'static str, i64)> {
        count(&self.current)
    }

    /// Names with a set of label names that there ever were, by type.
    pub fn ever(&self) -> impl Iterator<Item = (&'static str, i64)> {
        count(&self.ever)
    }

    /// Takes the memory of a family, of empty ones if need be.
    fn make_room(
        &self,
        families: &mut BTreeMap<Arc<str>, Arc<Family>>,
        name: &str,
    ) -> Result<(), Refusal> {
        if self.memory.take(family_bytes(name)) {
            return Ok(());
        }
        // Only where there may be empty ones: a look at all for each refusal would let a flood of
        // names stall the listeners.
        let retired = self.retired_count();
        if self.swept_at.swap(retired, Ordering::Relaxed) == retired {
            return Err(Refusal::Limit(Limit::Memory));
        }
        families.retain(|name, family| {
            let empty = family.is_empty();
            if empty {
                self.memory.give_back(family_bytes(name));
            }
            !empty
        });
        let room = self.memory.take(family_bytes(name));
        if room { Ok(()) } else { Err(Refusal::Limit(Limit::Memory)) }
    }

    fn add(
        &self,
        family: &Family,
        labels: LabelBlock,
        draft: &Draft<'_>,
        now: Tick,
    ) -> Result<Found, Refusal> {
        if family.kind != draft.shape.kind() {
            return Err(Refusal::Conflict);
        }
        let ttl_ms = u64::try_from(draft.ttl.as_millis()).unwrap_or(u64::MAX);
        let terms = Terms { ttl_ms, origin: draft.origin };
        let make = |labels, others| {
            if others >= self.bounds.series_per_name_max {
                return Err(Limit::SeriesPerName);
            }
            let place = self.series_count.fetch_add(1, Ordering::Relaxed);
            if place >= self.bounds.series_max {
                self.series_count.fetch_sub(1, Ordering::Relaxed);
                return Err(Limit::Series);
            }
            let series = Series::new(labels, draft.shape, terms, &self.memory, now);
            if !self.memory.take(series.bytes()) {
                self.series_count.fetch_sub(1, Ordering::Relaxed);
                return Err(Limit::Memory);
            }
            if let Some(first) = draft.first {
                series.change(first, now);
            }
            Ok(series)
        };
        let names = draft.labels.iter().map(|(name, _)| &**name);
        let added = family.find_or_add(labels, names, make).map_err(Refusal::Limit)?;
        if !added.created {
            added.series.adopt(draft.shape, terms, now);
            if ttl_ms > 0 {
                family.expires();
            }
        }
        if added.created {
            self.current[index(family.kind)].fetch_add(1, Ordering::Relaxed);
        }
        if added.label_set_is_new {
            self.ever[index(family.kind)].fetch_add(1, Ordering::Relaxed);
        }
        Ok(Found { series: added.series, created: added.created })
    }

    /// Whether a new family would write lines under a name that is another's, or another under its.
    fn is_taken(&self, families: &BTreeMap<Arc<str>, Arc<Family>>, name: &str, kind: Type) -> bool {
        if self.reserved_prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            return true;
        }
        let taken = |name: &str| self.reserved.contains(name) || families.contains_key(name);
        let ours = suffixes(kind).iter().any(|suffix| taken(&format!("{name}{suffix}")));
        let theirs = suffixes(Type::Histogram).iter().any(|suffix| {
            let base = name.strip_suffix(suffix).and_then(|base| families.get(base));
            base.is_some_and(|family| suffixes(family.kind).contains(suffix))
        });
        ours || theirs || self.reserved.contains(name)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Arc<str>, Arc<Family>>> {
        self.families.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Arc<str>, Arc<Family>>> {
        self.families.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("series", &self.series_count).finish_non_exhaustive()
    }
}

/// What a family takes: its name twice, itself, its tables of a few entries, its place in the tree.
const fn family_bytes(name: &str) -> u64 {
    (2 * name.len() + size_of::<Family>() + 256) as u64
}

/// Names which a family of this type writes beside its own.
const fn suffixes(kind: Type) -> &'static [&'static str] {
    match kind {
        Type::Histogram => &["_sum", "_count", "_bucket"],
        Type::Summary => &["_sum", "_count"],
        Type::Counter | Type::Gauge | Type::Untyped => &[],
    }
}

fn index(kind: Type) -> usize {
    TYPES.iter().position(|known| *known == kind).unwrap_or_default()
}

fn count(counts: &[AtomicI64; TYPES.len()]) -> impl Iterator<Item = (&'static str, i64)> {
    TYPES
        .iter()
        .map(|kind| super::type_name(*kind))
        .zip(counts.iter().map(|count| count.load(Ordering::Relaxed)))
}
