//! One series: what it is called, what it is worth, and how it is updated by many threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics_server::{
    HistogramState, Kind as Type, LabelBlock, SummaryState, exposition::NativeBuckets,
};

mod aliases;
mod family;
mod histogram;
mod lease;
mod memory;
mod native;
mod origin;
mod set;
mod sketch;
mod store;
mod summary;

pub use aliases::{Aliases, Flags, Key, Route, Target, Way};
pub use family::Shape;
pub use memory::Memory;
pub use origin::{Next, Origin, Rule};
pub use store::{Bounds, Draft, FamilyPage, Found, Kept, Refusal, Store};

use histogram::Histogram;
use lease::Lease;
use memory::Charge;
use origin::Changed;
use set::Set;
use summary::Summary;

use crate::line::{Kind, Update};

/// Atomics of the standard library; `tests/loom.rs` puts its own in their place.
mod atomic {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

use atomic::{AtomicU64, Ordering};

/// Milliseconds since the process started; the shell reads the clock and passes it down.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Tick(pub u64);

/// What any series takes beside its labels: itself with two counts of references, about 20 bytes in
/// the index of its family, 8 on the page, 24 while the page is sorted, and what an allocator adds.
const SERIES_BYTES: usize = size_of::<Series>() + 96;

/// One series. Ingest threads update it through a shared reference; counters and gauges take no
/// lock, histograms and summaries one of their own.
#[derive(Debug)]
pub struct Series {
    labels: LabelBlock,
    cell: Cell,
    /// Idle time after which it is retired; 0 is never.
    ttl_ms: AtomicU64,
    /// The rule it follows, packed.
    origin: AtomicU64,
    lease: Lease,
}

/// Boxed where large, so that counters do not pay for summaries.
#[derive(Debug)]
enum Cell {
    Counter(Number),
    Gauge(Number),
    Histogram(Box<Mutex<Histogram>>),
    Summary(Box<Mutex<Summary>>),
    Set(Box<Mutex<Set>>),
}

/// What a rule says of a series beside its shape.
#[derive(Clone, Copy, Debug)]
struct Terms {
    /// Idle time after which it is retired; 0 is never.
    ttl_ms: u64,
    /// The rule.
    origin: Origin,
}

/// What a series is worth at one moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// A counter or gauge.
    Number(f64),
    /// A histogram, and the same observations in exponential buckets.
    Histogram(HistogramState, Option<NativeBuckets>),
    /// A summary.
    Summary(SummaryState),
}

impl Series {
    fn new(
        labels: LabelBlock,
        shape: &Shape,
        terms: Terms,
        memory: &Arc<Memory>,
        now: Tick,
    ) -> Self {
        let cell = match shape {
            Shape::Counter => Cell::Counter(Number::default()),
            Shape::Gauge => Cell::Gauge(Number::default()),
            Shape::Histogram(options) => {
                let charge = Charge::new(Arc::clone(memory));
                Cell::Histogram(Box::new(Mutex::new(Histogram::new(Arc::clone(options), charge))))
            }
            Shape::Set(window_ms) => {
                let charge = Charge::new(Arc::clone(memory));
                Cell::Set(Box::new(Mutex::new(Set::new(*window_ms, charge, now))))
            }
            Shape::Summary(options) => {
                let charge = Charge::new(Arc::clone(memory));
                Cell::Summary(Box::new(Mutex::new(Summary::new(Arc::clone(options), charge, now))))
            }
        };
        Self {
            labels,
            cell,
            ttl_ms: AtomicU64::new(terms.ttl_ms),
            origin: AtomicU64::new(terms.origin.pack()),
            lease: Lease::new(now.0),
        }
    }

    /// The labels, sorted and escaped.
    pub const fn labels(&self) -> &LabelBlock {
        &self.labels
    }

    /// Whether nobody sees it any more.
    pub fn is_retired(&self) -> bool {
        self.lease.is_retired()
    }

    /// Applies one update.
    ///
    /// `false` says that the series has been retired: look for another one, and apply it there.
    #[must_use]
    pub fn apply(&self, update: Update, now: Tick) -> bool {
        self.change(update, now);
        if self.ttl_ms() == 0 { !self.is_retired() } else { self.lease.touch(now.0) }
    }

    /// What the series is worth.
    pub fn read(&self, now: Tick) -> Reading {
        match &self.cell {
            Cell::Counter(number) | Cell::Gauge(number) => Reading::Number(number.get()),
            Cell::Histogram(histogram) => {
                let (state, native) = lock(histogram).state();
                Reading::Histogram(state, native)
            }
            Cell::Set(set) => Reading::Number(lock(set).count(now)),
            Cell::Summary(summary) => Reading::Summary(lock(summary).state(now)),
        }
    }

    /// What it takes, its place in its family, on the page and in the sorting of the page included.
    /// Buckets of histograms and windows of summaries come on top.
    fn bytes(&self) -> u64 {
        let cell = match &self.cell {
            Cell::Counter(_) | Cell::Gauge(_) => 0,
            Cell::Histogram(_) => size_of::<Mutex<Histogram>>(),
            Cell::Summary(_) => size_of::<Mutex<Summary>>(),
            Cell::Set(_) => size_of::<Mutex<Set>>(),
        };
        (SERIES_BYTES + 2 * self.labels.as_str().len() + cell) as u64
    }

    fn ttl_ms(&self) -> u64 {
        self.ttl_ms.load(Ordering::Relaxed)
    }

    /// Takes what a rule of a newer mapping says: another time to live at once, other buckets or
    /// quantiles by beginning anew. Rules which say the same change nothing.
    fn adopt(&self, shape: &Shape, terms: Terms, now: Tick) {
        let origin = Origin::unpack(self.origin.load(Ordering::Relaxed));
        if origin.generation != terms.origin.generation || origin.provisional {
            self.origin.store(terms.origin.pack(), Ordering::Relaxed);
            self.keep(shape, terms.ttl_ms, now);
        }
    }

    /// Takes what its rule says in a newer mapping, as `next` knows it, without waiting for a sample.
    /// The next sample may still show that another rule takes it now.
    fn follow(
        &self,
        from: u32,
        to: u32,
        next: impl FnOnce(Rule, Kind) -> Option<Next>,
        now: Tick,
    ) -> Changed {
        let origin = Origin::unpack(self.origin.load(Ordering::Relaxed));
        if origin.generation != from {
            // A thread which has the newer mapping came first, or one which still has an older one.
            return Changed::default();
        }
        let next = next(origin.rule, self.kind());
        let rule = next.as_ref().map_or(Rule::Gone, |next| next.rule);
        let followed = Origin { generation: to, rule, provisional: true };
        self.origin.store(followed.pack(), Ordering::Relaxed);
        next.map_or(Changed::default(), |next| self.keep(&next.shape, next.ttl_ms, now))
    }

    /// Takes another time to live and other buckets or quantiles, and says which were others.
    fn keep(&self, shape: &Shape, ttl_ms: u64, now: Tick) -> Changed {
        let ttl = self.ttl_ms.swap(ttl_ms, Ordering::Relaxed) != ttl_ms;
        // Idle time counts from here, so that a series which had for ever is not gone at once.
        if ttl && ttl_ms > 0 {
            let _alive = self.lease.touch(now.0);
        }
        let shape = match (&self.cell, shape) {
            (Cell::Histogram(histogram), Shape::Histogram(options)) => {
                lock(histogram).adopt(options)
            }
            (Cell::Summary(summary), Shape::Summary(options)) => lock(summary).adopt(options, now),
            _ => false,
        };
        Changed { ttl, shape }
    }

    /// The kind of samples it takes.
    const fn kind(&self) -> Kind {
        match self.cell {
            Cell::Counter(_) => Kind::Counter,
            Cell::Gauge(_) => Kind::Gauge,
            Cell::Histogram(_) | Cell::Summary(_) => Kind::Observer,
            Cell::Set(_) => Kind::Set,
        }
    }

    /// Retires the series, whatever its age.
    fn retire(&self) {
        self.lease.retire();
    }

    /// Retires the series if it was idle for longer than its time to live.
    fn retire_idle(&self, now: Tick) -> bool {
        let ttl_ms = self.ttl_ms();
        ttl_ms > 0 && self.lease.retire_idle(ttl_ms, now.0)
    }

    /// A shape takes the updates of its kind only; others change nothing.
    fn change(&self, update: Update, now: Tick) {
        match (&self.cell, update) {
            (Cell::Counter(number), Update::Add(value)) => {
                // A counter stays a number, whatever is added to it.
                number.update(|old| (old + value).min(f64::MAX));
            }
            (Cell::Counter(number) | Cell::Gauge(number), Update::Set(value)) => number.set(value),
            (Cell::Gauge(number), Update::Shift(value)) => number.update(|old| old + value),
            (Cell::Set(set), Update::Member(member)) => lock(set).insert(member, now),
            (Cell::Histogram(histogram), Update::Observe { value, weight }) => {
                lock(histogram).observe(value, weight);
            }
            (Cell::Summary(summary), Update::Observe { value, weight }) => {
                lock(summary).observe(value, weight, now);
            }
            _ => {}
        }
    }
}

/// An `f64` which threads share.
#[derive(Debug, Default)]
struct Number(AtomicU64);

impl Number {
    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    fn update(&self, change: impl Fn(f64) -> f64) {
        let mut old = self.0.load(Ordering::Relaxed);
        loop {
            let new = change(f64::from_bits(old)).to_bits();
            match self.0.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(changed) => old = changed,
            }
        }
    }
}

/// The words behind `# TYPE` and in labels.
const fn type_name(kind: Type) -> &'static str {
    kind.as_str(metrics_server::Format::Text)
}

/// What these locks protect is whole after each statement, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
