//! Keys, streams and groups of keys: which are looked at, how much of a server that may take, and
//! what is shown of them.
//!
//! What is looked up by name is asked in each scrape. What has to be scanned for is too, as long as a
//! server has few keys; else it is a [`sweep`] in the background.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use metrics_server::args::parse_duration;

use crate::{
    args::{DataArgs, Flags},
    collectors::{self, Snapshot},
    limits::Limits,
    node::Node,
    out::{Metric, Out},
    pattern::Pattern,
};

pub mod argument;
mod findings;
pub mod groups;
mod lookup;
mod pace;
mod pass;
mod servers;
pub mod streams;
mod sweep;

use argument::{ArgumentError, KeyName};
use pace::Pace;
use pass::Plan;
use sweep::{Report, Sweeps};

/// Largest COUNT of SCAN: a server does nothing else while it answers.
const BATCH_MAX: i64 = 100_000;

const AGE: Metric =
    Metric::gauge("exporter_keys_age_seconds", "Time since what is shown of keys was read");
const DURATION: Metric =
    Metric::gauge("exporter_keys_duration_seconds", "How long reading it took");
const VISITED: Metric =
    Metric::gauge("exporter_keys_visited", "Keys that were visited to read it, about");
const REFUSED: Metric = Metric::gauge(
    "exporter_keys_refused",
    "What the server did not allow of it: lists of keys, counts, groups",
);
const RUNNING: Metric = Metric::gauge(
    "exporter_keys_running",
    "Whether keys are being read in the background at the moment",
);
const PASSES: Metric =
    Metric::counter("exporter_keys_passes_total", "How often keys have been read");
const FAILURES: Metric =
    Metric::counter("exporter_keys_failures_total", "How often keys could not be read");

/// What the flags say of keys, and what is going on.
#[derive(Debug)]
pub struct Keys {
    texts: Texts,
    spec: KeySpec,
    groups: Vec<Pattern>,
    groups_shown_max: usize,
    bounds: Bounds,
    /// Whether a scrape never waits for a scan.
    background: bool,
    interval: Duration,
    cluster: bool,
    /// Whether values are shown.
    values: bool,
    /// Whether consumers of streams are shown.
    consumers: bool,
    skip_for_masters: bool,
    limits: Arc<Limits>,
    sweeps: Sweeps,
}

/// See the flags of the same names.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    batch: i64,
    /// Longest time for one batch.
    batch_time: Duration,
    scrape_max: u64,
    pace: Pace,
    found_max: usize,
    remembered_max: usize,
    groups_max: usize,
    steps_max: u32,
    value_bytes_max: u64,
    stream_groups_max: usize,
}

/// The lists of keys as they are written, which parameters of `/scrape` replace.
#[derive(Clone, Debug, Default)]
struct Texts {
    keys: String,
    single_keys: String,
    streams: String,
    single_streams: String,
    counts: String,
}

/// Which keys are looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeySpec {
    keys: Vec<KeyName>,
    key_patterns: Vec<KeyName>,
    counts: Vec<KeyName>,
    streams: Vec<KeyName>,
    stream_patterns: Vec<KeyName>,
    groups: bool,
    /// Keys and streams that are looked up anyway, and not again when a scan finds them.
    known: Vec<KeyName>,
}

impl KeySpec {
    fn parse(texts: &Texts, groups: bool) -> Result<Self, ArgumentError> {
        let split = |patterns: &str, single: &str| {
            let (found, named): (Vec<_>, Vec<_>) =
                argument::parse(patterns)?.into_iter().partition(KeyName::is_pattern);
            let mut named: Vec<_> = argument::parse(single)?.into_iter().chain(named).collect();
            named.sort();
            named.dedup();
            Ok((found, named))
        };
        let (key_patterns, keys) = split(&texts.keys, &texts.single_keys)?;
        let (stream_patterns, streams) = split(&texts.streams, &texts.single_streams)?;
        let counts = argument::parse(&texts.counts)?;
        Ok(Self { keys, key_patterns, counts, streams, stream_patterns, groups, known: Vec::new() })
    }

    /// What is looked up by name, and what is scanned for.
    fn parts(self) -> [Self; 2] {
        let Self { keys, key_patterns, counts, streams, stream_patterns, groups, .. } = self;
        let known = keys.iter().chain(&streams).cloned().collect();
        [
            Self { keys, streams, ..Self::default() },
            Self { key_patterns, counts, stream_patterns, groups, known, ..Self::default() },
        ]
    }

    /// Only what `redis_exporter` looks at on a primary where keys of primaries are left alone.
    fn groups_only(&self) -> Self {
        Self { groups: self.groups, ..Self::default() }
    }

    const fn scans(&self) -> bool {
        !self.key_patterns.is_empty()
            || !self.counts.is_empty()
            || !self.stream_patterns.is_empty()
            || self.groups
    }

    /// Whether no key is looked at.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.streams.is_empty() && !self.scans()
    }
}

impl Keys {
    /// Checks what the flags say.
    ///
    /// # Errors
    ///
    /// Names the flag which cannot be used.
    pub fn new(flags: &Flags, limits: Arc<Limits>) -> anyhow::Result<Self> {
        let data = &flags.data;
        let duration = |text: &str, flag: &str| {
            parse_duration(text)
                .map_err(anyhow::Error::msg)
                .with_context(|| format!("cannot use --{flag}"))
        };
        let groups =
            groups::parse(&data.check_key_groups).context("cannot use --check-key-groups")?;
        let texts = Texts {
            keys: data.check_keys.clone(),
            single_keys: data.check_single_keys.clone(),
            streams: data.check_streams.clone(),
            single_streams: data.check_single_streams.clone(),
            counts: data.count_keys.clone(),
        };
        let spec = KeySpec::parse(&texts, !groups.is_empty())
            .context("cannot use the list of keys in a flag")?;
        Ok(Self {
            texts,
            spec,
            groups,
            groups_shown_max: usize::try_from(data.max_distinct_key_groups).unwrap_or_default(),
            bounds: bounds(data, duration(&flags.connection_timeout, "connection-timeout")?),
            background: data.keys_background,
            interval: duration(&data.keys_interval, "keys.interval")?,
            cluster: flags.cluster.is_cluster,
            values: !data.disable_exporting_key_values,
            consumers: !data.streams_exclude_consumer_metrics,
            skip_for_masters: data.skip_checkkeys_for_role_master,
            limits,
            sweeps: Sweeps::default(),
        })
    }

    /// Whether keys are put into groups.
    pub const fn has_groups(&self) -> bool {
        self.spec.groups
    }

    /// The lists of the flags, with those replaced which parameters of a request give.
    ///
    /// # Errors
    ///
    /// A parameter which is no list of keys.
    pub fn for_request<'q>(
        &self,
        get: impl Fn(&str) -> Option<&'q str>,
    ) -> Result<KeySpec, ArgumentError> {
        let mut texts = self.texts.clone();
        for (name, text) in [
            ("check-keys", &mut texts.keys),
            ("check-single-keys", &mut texts.single_keys),
            ("check-streams", &mut texts.streams),
            ("check-single-streams", &mut texts.single_streams),
            ("count-keys", &mut texts.counts),
        ] {
            if let Some(given) = get(name).filter(|given| !given.is_empty()) {
                given.clone_into(text);
            }
        }
        KeySpec::parse(&texts, !self.groups.is_empty())
    }

    /// The lists of the flags.
    pub fn spec(&self) -> KeySpec {
        self.spec.clone()
    }

    /// Looks at the keys of `spec` and gives what is to be shown of them.
    pub async fn visit(
        self: &Arc<Self>,
        spec: &KeySpec,
        node: &Arc<Node>,
        snapshot: &Snapshot<'_>,
        deadline: Instant,
    ) -> Shown {
        let mut shown = Shown(Vec::new());
        let is_replica = snapshot.info.get("role") == Some("slave");
        let spec = match () {
            () if snapshot.facts.sentinel => return shown,
            () if self.skip_for_masters && !is_replica => spec.groups_only(),
            () => spec.clone(),
        };
        for (part, spec) in ["named", "scanned"].into_iter().zip(spec.parts()) {
            if spec.is_empty() {
                continue;
            }
            #[expect(clippy::disallowed_methods, reason = "passes are due by the clock")]
            let now = Instant::now();
            // Enough is left to write the page.
            let deadline = now + deadline.saturating_duration_since(now) * 9 / 10;
            let name = format!("{:?} {spec:?}", node.key());
            let sweep = self.sweeps.get(&name, now);
            let plan = Plan {
                spec,
                keyspace: keyspace(snapshot),
                databases: collectors::databases(snapshot),
            };
            let report = sweep.visit(plan, self, node, now, deadline).await;
            shown.0.push((part, report));
        }
        shown
    }
}

/// Keys by database.
fn keyspace(snapshot: &Snapshot<'_>) -> BTreeMap<u32, u64> {
    let section = snapshot.info.section("Keyspace");
    section
        .filter_map(|(name, value)| {
            let keys = crate::info::items(value)?.get("keys")?.parse().ok()?;
            Some((crate::info::index(name, "db")?, keys))
        })
        .collect()
}

fn bounds(data: &DataArgs, batch_time: Duration) -> Bounds {
    Bounds {
        batch: data.check_keys_batch_size.clamp(1, BATCH_MAX),
        batch_time,
        scrape_max: data.keys_scrape_max,
        pace: Pace { keys_per_second: data.keys_rate, percent: data.keys_server_time_percent },
        found_max: data.keys_found_max,
        remembered_max: data.keys_remembered_max,
        groups_max: data.keys_groups_max,
        steps_max: data.keys_pattern_steps_max,
        value_bytes_max: data.keys_value_bytes_max,
        stream_groups_max: data.streams_groups_max,
    }
}

/// What was found of keys.
#[derive(Debug)]
pub struct Shown(Vec<(&'static str, Report)>);

impl Shown {
    /// Writes it, and how old it is.
    pub fn write(&self, keys: &Keys, out: &mut Out<'_>) {
        for (part, report) in &self.0 {
            if let Some(findings) = &report.findings {
                findings.write(keys.groups_shown_max, out);
            }
            let seconds =
                |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
            for (metric, value) in [
                (&AGE, seconds(report.age)),
                (&DURATION, seconds(report.took)),
                (&VISITED, report.visited.map(|count| count as f64)),
                (&REFUSED, report.refused.map(|count| count as f64)),
                (&RUNNING, Some(f64::from(u8::from(report.running)))),
                (&PASSES, Some(report.passes as f64)),
                (&FAILURES, Some(report.failures as f64)),
            ] {
                if let Some(value) = value {
                    out.family(metric).sample(&[("part", part)], value);
                }
            }
        }
    }
}
