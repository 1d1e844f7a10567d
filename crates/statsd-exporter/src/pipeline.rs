//! From bytes to series: what all ingest threads share, and what each does with a line. No sockets
//! and no clock in here, so tests feed it by hand.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    counts::{Counts, EventError, Limit},
    inspect::Inspect,
    line::{self, Dialect, Identity, Kind, Labels, Notice, Sample, Update},
    mapping::{Convert, Mapped, Mapping, Observer, Settings},
    relay::Relay,
    series::{
        Aliases, Draft, Flags, Kept, Key, Next, Origin, Refusal, Route, Rule, Series, Shape, Store,
        Target, Tick, Way,
    },
    telemetry::Telemetry,
};

/// Time between two looks for aliases of series which are gone.
const FORGET_EVERY_MS: u64 = 30_000;

/// What all ingest threads share.
#[derive(Debug)]
pub struct Pipeline {
    /// All series.
    pub store: Store,
    /// The rules.
    pub mappings: Mappings,
    /// Own metrics.
    pub telemetry: Telemetry,
    /// Which tags are understood.
    pub dialect: Dialect,
    /// What one sample may cost.
    pub limits: Limits,
    /// Where examples for people are kept, if they are.
    pub inspect: Option<Arc<Inspect>>,
}

/// What one sample may cost. Series are limited by [`Store`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "a limit says so in its name")]
pub struct Limits {
    /// Labels of one sample; one with more is refused.
    pub labels_max: usize,
    /// Bytes of a metric name; a longer one is refused.
    pub name_bytes_max: usize,
    /// Bytes of one line; a longer one is refused.
    pub line_bytes_max: usize,
    /// Bytes for the aliases of one thread; it forgets all rather than take more.
    pub alias_bytes_max: usize,
}

/// The current rules, and how often they have changed.
#[derive(Debug, Default)]
pub struct Mappings {
    current: RwLock<Arc<Mapping>>,
    generation: AtomicU64,
    /// Held while rules are replaced, and series follow them.
    changing: Mutex<()>,
}

impl Mappings {
    /// The first rules.
    pub fn new(mapping: Mapping) -> Self {
        Self { current: RwLock::new(Arc::new(mapping)), ..Self::default() }
    }

    /// The rules of now.
    pub fn current(&self) -> Arc<Mapping> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, mapping: Arc<Mapping>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = mapping;
        self.generation.fetch_add(1, Ordering::Release);
    }
}

impl Pipeline {
    /// Takes new rules. Series which are there keep their values; where the rule they follow says
    /// another time to live, or other buckets, they have them at once.
    pub fn replace_mapping(&self, mapping: Mapping, now: Tick) -> Kept {
        self.follow(&Arc::new(mapping), now)
    }

    fn follow(&self, mapping: &Arc<Mapping>, now: Tick) -> Kept {
        let _changing = self.mappings.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, older) = (generation(&self.mappings), self.mappings.current());
        let successors = mapping.successors(&older);
        self.mappings.replace(Arc::clone(mapping));
        let next = |rule, kind: Kind| {
            let rule = match rule {
                Rule::None => None,
                Rule::At(index) => Some(successors.get(index).copied().flatten()?),
                Rule::Gone => return None,
            };
            let settings = mapping.settings(rule);
            Some(Next {
                rule: rule.map_or(Rule::None, Rule::At),
                shape: shape(kind, settings, self.dialect),
                ttl_ms: millis(settings.ttls[kind as usize]),
            })
        };
        let kept = self.store.follow(from, generation(&self.mappings), next, now);
        self.start_mapping(now);
        kept
    }

    /// Drops the series of all names which `chosen` chooses, and says how many there were.
    pub fn clear(&self, chosen: impl Fn(&str) -> bool, now: Tick) -> u64 {
        let cleared = self.store.clear(chosen);
        // Names which were in conflict may not be any more: every thread looks again, by the same
        // rules.
        self.follow(&self.mappings.current(), now);
        self.start_mapping(now);
        cleared
    }

    /// Shows how many rules there are, and makes the series which are there from the start.
    pub fn start_mapping(&self, now: Tick) {
        let mapping = self.mappings.current();
        self.telemetry.loaded(mapping.rules_count());
        for initial in mapping.initial() {
            let shape = shape(initial.kind, initial.settings, self.dialect);
            let first = match initial.kind {
                Kind::Counter => Some(Update::Add(initial.value)),
                Kind::Gauge => Some(Update::Set(initial.value)),
                Kind::Observer | Kind::Set => None,
            };
            let draft = Draft {
                name: &initial.name,
                shape: &shape,
                help: &initial.settings.help,
                labels: initial.labels.as_slice(),
                // What is to be there from the start is to be there always.
                ttl: Duration::ZERO,
                origin: Origin {
                    generation: generation(&self.mappings),
                    rule: Rule::Gone,
                    provisional: false,
                },
                first,
            };
            let mut counts = Counts::default();
            match self.store.find_or_create(&draft, now) {
                Ok(_found) => {}
                Err(Refusal::Conflict) => {
                    self.telemetry.conflict(initial.kind, &Arc::from(initial.name.as_str()), 1);
                }
                Err(Refusal::Limit(limit)) => {
                    counts.refuse(limit);
                    self.telemetry.publish(&mut counts);
                }
            }
        }
    }
}

/// What one ingest thread keeps: aliases, counts, and the rules by which the aliases were made.
#[derive(Debug)]
pub struct Worker {
    pipeline: Arc<Pipeline>,
    relay: Option<Relay>,
    mapping: Arc<Mapping>,
    generation: u64,
    aliases: Aliases,
    aliases_published: usize,
    retired_seen: u64,
    forgotten: Tick,
    counts: Counts,
}

impl Worker {
    /// A worker which knows nothing yet.
    pub fn new(pipeline: Arc<Pipeline>, relay: Option<Relay>) -> Self {
        Self {
            relay,
            mapping: pipeline.mappings.current(),
            generation: pipeline.mappings.generation.load(Ordering::Acquire),
            aliases: Aliases::new(pipeline.limits.alias_bytes_max),
            aliases_published: 0,
            retired_seen: 0,
            forgotten: Tick(0),
            counts: Counts::default(),
            pipeline,
        }
    }

    /// What has been counted since [`finish`](Self::finish).
    pub const fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    /// Begins a batch: takes new rules, if there are any.
    pub fn begin(&mut self, now: Tick) {
        let generation = self.pipeline.mappings.generation.load(Ordering::Acquire);
        if generation != self.generation {
            self.generation = generation;
            self.mapping = self.pipeline.mappings.current();
            self.aliases.clear();
        }
        let retired = self.pipeline.store.retired_count();
        // Not for a few: it takes a look at every alias.
        let many = retired.saturating_sub(self.retired_seen) > self.aliases.len() as u64 / 8;
        if many && now.0 >= self.forgotten.0 + FORGET_EVERY_MS {
            self.retired_seen = retired;
            self.forgotten = now;
            self.aliases.forget_retired();
        }
    }

    /// Ends a batch: tells everybody what was counted.
    pub fn finish(&mut self) {
        let count = |length| i64::try_from(length).unwrap_or(i64::MAX);
        let gained = count(self.aliases.len()) - count(self.aliases_published);
        self.aliases_published = self.aliases.len();
        self.counts.aliases_gained = gained;
        self.pipeline.telemetry.publish(&mut self.counts);
        if let Some(relay) = &mut self.relay {
            relay.flush();
        }
    }

    /// Takes a datagram, or as many whole lines of a stream without the last line end.
    pub fn datagram(&mut self, datagram: &[u8], now: Tick) {
        for line in line::lines(datagram) {
            self.line(line, now);
        }
    }

    /// Takes one line.
    pub fn line(&mut self, line: &[u8], now: Tick) {
        self.counts.lines += 1;
        if line.len() > self.pipeline.limits.line_bytes_max {
            self.counts.refuse(Limit::LineBytes);
            return;
        }
        if let Some(relay) = &mut self.relay {
            relay.take(line);
            if relay.is_only() {
                return;
            }
        }
        if let Some(sample) = line::quick(line, self.pipeline.dialect) {
            let key = self.aliases.key(&sample.identity);
            if self.apply_known(key, &sample, true, now) {
                self.counts.samples += 1;
                return;
            }
        }
        self.whole_line(line, now);
    }

    /// Takes a line of any form, or whose identity is new.
    fn whole_line(&mut self, line: &[u8], now: Tick) {
        if self.pipeline.dialect.dogstatsd
            && let Some(notice) = Notice::of(line)
        {
            self.counts.notices[notice as usize] += 1;
            return;
        }
        let mut samples = line::parse(line, self.pipeline.dialect);
        for sample in &mut samples {
            match sample {
                Ok(sample) => self.apply(&sample, line, now),
                Err(fault) => {
                    self.counts.fault(fault);
                    if let Some(inspect) = &self.pipeline.inspect {
                        inspect.bad_line(fault.reason(), line);
                    }
                }
            }
        }
        self.counts.line(samples.tally());
    }

    fn apply(&mut self, sample: &Sample<'_>, line: &[u8], now: Tick) {
        let key = self.aliases.key(&sample.identity);
        if !self.apply_known(key, sample, false, now) {
            self.counts.alias_gets += 1;
            self.apply_unknown(key, sample, line, now);
        }
    }

    /// Applies a sample whose identity is known, or says that it is not. A `whole` line has no other
    /// sample, and nobody else counts the bad tags before its colon.
    fn apply_known(&mut self, key: Key, sample: &Sample<'_>, whole: bool, now: Tick) -> bool {
        let Some(way) = self.aliases.find(key) else { return false };
        self.counts.alias_gets += 1;
        self.counts.alias_hits += 1;
        match way {
            Way::Straight(series, flags) => {
                let weight = sample.update.weight();
                self.counts.way(*flags, weight);
                let Some(update) = checked(sample.update, weight, &mut self.counts) else {
                    return true;
                };
                if series.apply(update, now) {
                    self.counts.events[sample.identity.kind as usize] += weight;
                } else {
                    self.apply_retired(key, sample, update, now);
                }
            }
            Way::Other(route) => {
                if whole {
                    self.counts.tag_errors += route.section_errors;
                }
                let Some(update) = account(route, sample, &mut self.counts) else { return true };
                match &route.target {
                    Target::Series(series) if series.apply(update, now) => {
                        self.counts.events[sample.identity.kind as usize] += update.weight();
                    }
                    Target::Series(_) => self.apply_retired(key, sample, update, now),
                    Target::Conflict(name) => {
                        let telemetry = &self.pipeline.telemetry;
                        telemetry.conflict(sample.identity.kind, name, update.weight());
                    }
                    Target::Drop | Target::Nameless => {}
                }
            }
        }
        true
    }

    /// The first sample of an identity: read, map, escape, sort, then find or make its series.
    #[cold]
    fn apply_unknown(&mut self, key: Key, sample: &Sample<'_>, line: &[u8], now: Tick) {
        let mapping = Arc::clone(&self.mapping);
        let plan = plan(&mapping, &sample.identity, self.pipeline.dialect);
        let mut route = plan.route;
        let Some(wanted) = plan.wanted else {
            account(&route, sample, &mut self.counts);
            self.aliases.insert(key, route);
            return;
        };
        if !route.by_rule
            && let Some(inspect) = &self.pipeline.inspect
        {
            let name = sample.identity.read(self.pipeline.dialect).name;
            inspect.unmapped(&name, line);
        }
        let Some(update) = account(&route, sample, &mut self.counts) else { return };
        if wanted.labels.as_slice().len() > self.pipeline.limits.labels_max {
            self.counts.refuse(Limit::Labels);
            return;
        }
        if wanted.name.len() > self.pipeline.limits.name_bytes_max {
            self.counts.refuse(Limit::NameBytes);
            return;
        }
        let kind = sample.identity.kind;
        match self.deliver(&wanted, update, now) {
            Ok(series) => {
                self.counts.events[kind as usize] += update.weight();
                route.target = Target::Series(series);
            }
            Err(Refusal::Conflict) => {
                let name: Arc<str> = Arc::from(wanted.name.as_str());
                self.pipeline.telemetry.conflict(kind, &name, update.weight());
                route.target = Target::Conflict(name);
            }
            Err(Refusal::Limit(limit)) => {
                self.counts.refuse(limit);
                return;
            }
        }
        self.aliases.insert(key, route);
    }

    /// The series of an alias is gone, and `update` with it.
    #[cold]
    fn apply_retired(&mut self, key: Key, sample: &Sample<'_>, update: Update, now: Tick) {
        let mapping = Arc::clone(&self.mapping);
        let plan = plan(&mapping, &sample.identity, self.pipeline.dialect);
        let Some(wanted) = plan.wanted else { return };
        match self.deliver(&wanted, update, now) {
            Ok(series) => {
                self.counts.events[sample.identity.kind as usize] += update.weight();
                let route = Route { target: Target::Series(series), ..plan.route };
                self.aliases.insert(key, route);
            }
            Err(Refusal::Conflict) => {
                let name: Arc<str> = Arc::from(wanted.name.as_str());
                self.pipeline.telemetry.conflict(sample.identity.kind, &name, update.weight());
            }
            Err(Refusal::Limit(limit)) => self.counts.refuse(limit),
        }
    }

    /// Finds or makes a series which lives, and applies `update` to it.
    fn deliver(
        &self,
        wanted: &Wanted<'_>,
        update: Update,
        now: Tick,
    ) -> Result<Arc<Series>, Refusal> {
        loop {
            let found =
                self.pipeline.store.find_or_create(&wanted.draft(update, self.generation), now)?;
            if found.created || found.series.apply(update, now) {
                return Ok(found.series);
            }
            // It has just been retired. The next look finds another one.
        }
    }
}

/// Counts a sample by its route, and gives the update if it can be applied.
fn account(route: &Route, sample: &Sample<'_>, counts: &mut Counts) -> Option<Update> {
    counts.tag_errors += route.tag_errors;
    let weight = sample.update.weight();
    match route.target {
        Target::Drop | Target::Nameless => {
            counts.tags += u64::from(route.tagged);
            match route.target {
                Target::Drop => counts.dropped += weight,
                _ => counts.error(EventError::EmptyName, weight),
            }
            None
        }
        Target::Series(_) | Target::Conflict(_) => {
            counts.way(Flags { tagged: route.tagged, by_rule: route.by_rule }, weight);
            let scaled = sample.update.scaled(route.scale);
            match (route.convert, route.convert.update(scaled)) {
                // A running total of a counter is as good as what a counter adds.
                (Convert::Total, Update::Set(value)) => {
                    checked(Update::Add(value), weight, counts).map(|_| Update::Set(value))
                }
                (_, update) => checked(update, weight, counts),
            }
        }
    }
}

/// Refuses what no counter, sum or quantile would recover from.
fn checked(update: Update, weight: u64, counts: &mut Counts) -> Option<Update> {
    match update {
        Update::Add(value) if value < 0.0 => counts.error(EventError::NegativeCounter, weight),
        Update::Add(value) | Update::Observe { value, .. } if !value.is_finite() => {
            counts.error(EventError::NotFinite, weight);
        }
        _ => return Some(update),
    }
    None
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The number of the rules of now.
fn generation(mappings: &Mappings) -> u32 {
    low_bits(mappings.generation.load(Ordering::Acquire))
}

#[expect(clippy::cast_possible_truncation, reason = "only told from its neighbours")]
const fn low_bits(generation: u64) -> u32 {
    generation as u32
}

/// What is to become of an identity.
struct Plan<'m> {
    /// Complete where no series is wanted.
    route: Route,
    wanted: Option<Wanted<'m>>,
}

/// The series which an identity asks for.
struct Wanted<'m> {
    name: String,
    labels: Labels<'m>,
    shape: Shape,
    settings: &'m Settings,
    kind: Kind,
    rule: Rule,
}

impl Wanted<'_> {
    fn draft(&self, first: Update, generation: u64) -> Draft<'_> {
        Draft {
            name: &self.name,
            shape: &self.shape,
            help: &self.settings.help,
            labels: self.labels.as_slice(),
            ttl: self.settings.ttls[self.kind as usize],
            origin: Origin {
                generation: low_bits(generation),
                rule: self.rule,
                provisional: false,
            },
            first: Some(first),
        }
    }
}

fn plan<'m>(mapping: &'m Mapping, identity: &Identity<'m>, dialect: Dialect) -> Plan<'m> {
    let named = identity.read(dialect);
    let tagged = !named.labels.as_slice().is_empty();
    let mut route = Route {
        target: Target::Drop,
        scale: 1.0,
        convert: Convert::Nothing,
        section_errors: named.section_errors,
        tag_errors: named.tag_errors,
        tagged,
        by_rule: true,
    };
    let Mapped::Series { name, mut labels, scale, convert, rule, settings } =
        mapping.apply(&named.name, identity.kind, named.labels)
    else {
        return Plan { route, wanted: None };
    };
    if name.is_empty() {
        route.target = Target::Nameless;
        return Plan { route, wanted: None };
    }
    let kind = convert.kind(identity.kind);
    let shape = shape(kind, settings, dialect);
    // The exporter writes these labels itself.
    let taken = match shape {
        Shape::Histogram(_) => labels.remove("le"),
        Shape::Summary(_) => labels.remove("quantile"),
        Shape::Counter | Shape::Gauge | Shape::Set(_) => false,
    };
    route.tag_errors += u64::from(taken);
    route.scale = scale;
    route.convert = if kind == Kind::Set { Convert::Nothing } else { convert };
    route.by_rule = rule.is_some();
    let rule = rule.map_or(Rule::None, Rule::At);
    // A conflict until there is a series.
    route.target = Target::Conflict(Arc::from(""));
    Plan { route, wanted: Some(Wanted { name, labels, shape, settings, kind, rule }) }
}

fn shape(kind: Kind, settings: &Settings, dialect: Dialect) -> Shape {
    match (kind, &settings.observer) {
        (Kind::Counter, _) => Shape::Counter,
        (Kind::Gauge, _) => Shape::Gauge,
        (Kind::Set, _) => Shape::Set(dialect.set_window_ms),
        (Kind::Observer, Observer::Histogram(options)) => Shape::Histogram(Arc::clone(options)),
        (Kind::Observer, Observer::Summary(options)) => Shape::Summary(Arc::clone(options)),
    }
}

#[cfg(test)]
mod tests;
