//! One pass: everything that is to be known of keys, asked of the servers which hold them.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::BuildHasher as _,
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{Cmd, Value};
use tokio::sync::watch;
use tracing::debug;

use super::{
    KeySpec, Keys,
    argument::KeyName,
    findings::{Findings, Key},
    groups::{self, Tally},
    lookup::{Lookup, about},
    pace::Debt,
    servers::Servers,
    streams,
};
use crate::{
    command::{Answer, Failure, items, text},
    limits::Limit,
    node::Node,
};

/// Keys looked up in one batch: a server does nothing else meanwhile.
const BATCH: usize = 100;

/// How far a pass is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// A scrape waits for it.
    Fast,
    /// It goes on in the background.
    Slow,
    /// Its findings are there.
    Done,
}

/// What a pass is to do.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) spec: KeySpec,
    /// Keys of each database that has some, if the server tells.
    pub(super) keyspace: BTreeMap<u32, u64>,
    /// Databases whose groups are shown.
    pub(super) databases: u32,
}

/// See the module.
pub(super) struct Pass {
    pub(super) plan: Plan,
    pub(super) keys: Arc<Keys>,
    /// Who was asked for the servers.
    pub(super) node: Arc<Node>,
    pub(super) servers: Servers,
    pub(super) phase: watch::Sender<Phase>,
    /// When it is no longer worth a scrape's while.
    pub(super) fast_until: Instant,
    /// Keys that scans have visited.
    pub(super) visited: u64,
    /// What the servers did not allow.
    pub(super) refused: u64,
    pub(super) debt: Debt,
}

/// Where a scan is.
struct Scan<'p> {
    database: u32,
    pattern: Option<&'p [u8]>,
    server: usize,
    cursor: Vec<u8>,
}

impl<'p> Scan<'p> {
    fn of(pattern: &'p KeyName) -> Self {
        Self { pattern: Some(&pattern.name), ..Self::whole(pattern.database) }
    }

    const fn whole(database: u32) -> Self {
        Self { database, pattern: None, server: 0, cursor: Vec::new() }
    }

    fn command(&self, count: i64) -> Cmd {
        let mut command = redis::cmd("SCAN");
        command.arg(if self.cursor.is_empty() { b"0" } else { self.cursor.as_slice() });
        if let Some(pattern) = self.pattern {
            command.arg("MATCH").arg(pattern);
        }
        command.arg("COUNT").arg(count);
        command
    }
}

/// Names which a scan has seen, as hashes: as many as are worth their memory.
struct Seen {
    hashes: HashSet<u64, foldhash::fast::RandomState>,
    hasher: foldhash::quality::RandomState,
    max: usize,
    full: bool,
}

impl Seen {
    fn new(max: usize) -> Self {
        Self {
            hashes: HashSet::default(),
            hasher: foldhash::quality::RandomState::default(),
            max,
            full: false,
        }
    }

    /// Whether this is the first time; always, once there are too many.
    fn is_new(&mut self, name: &[u8]) -> bool {
        let hash = self.hasher.hash_one(name);
        if self.hashes.len() >= self.max {
            self.full = true;
            return !self.hashes.contains(&hash);
        }
        self.hashes.insert(hash)
    }
}

fn clock() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a pass times what it asks")]
    Instant::now()
}

impl Pass {
    /// Does everything; what a server refuses is left out.
    ///
    /// # Errors
    ///
    /// A connection broke.
    pub(super) async fn run(&mut self) -> Result<Findings, Failure> {
        let mut findings = Findings::default();
        let spec = self.plan.spec.clone();
        let known: BTreeSet<_> = spec.known.iter().cloned().collect();
        self.look_up(&spec.keys, &mut findings).await?;
        let found = self.found(&spec.key_patterns, &known).await?;
        self.look_up(&found, &mut findings).await?;
        for pattern in &spec.counts {
            let counted = self.count(pattern).await;
            if let Some(count) = self.unless_refused(counted, "cannot count keys")? {
                findings.counts.push((pattern.clone(), count));
            }
        }
        self.read_streams(&spec.streams, &mut findings).await?;
        let found = self.found(&spec.stream_patterns, &known).await?;
        let found = self.streams_of(found).await?;
        self.read_streams(&found, &mut findings).await?;
        if spec.groups {
            findings.groups = self.all_groups().await?;
        }
        Ok(findings)
    }

    fn deadline(&self) -> Instant {
        clock() + self.keys.bounds.batch_time
    }

    /// Sends a batch, and lets the server be for a while once the scrape is not waiting any more.
    async fn ask(
        &mut self,
        server: usize,
        database: u32,
        commands: Vec<Cmd>,
        keys: u64,
    ) -> Result<Vec<Answer>, Failure> {
        let start = clock();
        let deadline = self.deadline();
        let answers = self.servers.send(&self.node, server, database, commands, deadline).await?;
        self.rest(keys, start.elapsed()).await;
        Ok(answers)
    }

    fn is_fast(&self) -> bool {
        *self.phase.borrow() == Phase::Fast
    }

    async fn rest(&mut self, keys: u64, took: Duration) {
        self.visited = self.visited.saturating_add(keys);
        if self.is_fast() {
            if self.visited <= self.keys.bounds.scrape_max && clock() < self.fast_until {
                return;
            }
            self.keys.limits.reached(Limit::KeysScrape);
            self.phase.send_replace(Phase::Slow);
        }
        if let Some(owed) = self.debt.add(self.keys.bounds.pace.pause(keys, took)) {
            let start = clock();
            tokio::time::sleep(owed).await;
            self.debt.slept(owed, start.elapsed());
        }
    }

    /// The next keys of a scan, and where they are; `None` at its end.
    async fn page(
        &mut self,
        scan: &mut Scan<'_>,
    ) -> Result<Option<(usize, Vec<Vec<u8>>)>, Failure> {
        if scan.server >= self.servers.count() {
            return Ok(None);
        }
        let mut batch = self.keys.bounds.batch;
        if !self.is_fast() {
            batch = batch.min(i64::from(self.keys.bounds.pace.step()));
        }
        let here = scan.server;
        // A small database is visited in less than a batch.
        let all = self.plan.keyspace.get(&scan.database).copied().filter(|_| !self.servers.cluster);
        let visited = all.unwrap_or(u64::MAX).min(batch.unsigned_abs());
        let command = scan.command(batch);
        let mut answers = self.ask(here, scan.database, vec![command], visited).await?;
        let answer = answers.pop().unwrap_or(Err(Failure::Late))?;
        let [cursor, names] = items(&answer) else {
            return Err(Failure::Refused("SCAN was answered by something else".to_owned()));
        };
        scan.cursor = text(cursor).unwrap_or_default().into_owned().into_bytes();
        if scan.cursor.is_empty() || scan.cursor == b"0" {
            scan.cursor = Vec::new();
            scan.server = scan.server.saturating_add(1);
        }
        let names = items(names).iter().filter_map(|name| match name {
            Value::BulkString(bytes) => Some(bytes.clone()),
            other => Some(text(other)?.into_owned().into_bytes()),
        });
        let names: Vec<_> = names.collect();
        // A step ends where a bucket of the server's ends, which is beyond what was asked for.
        let beyond = (names.len() as u64).saturating_sub(visited);
        if beyond > 0 {
            self.rest(beyond, Duration::ZERO).await;
        }
        Ok(Some((here, names)))
    }

    /// The keys which patterns find, each once, without those that are `known` anyway.
    async fn found(
        &mut self,
        patterns: &[KeyName],
        known: &BTreeSet<KeyName>,
    ) -> Result<Vec<KeyName>, Failure> {
        let mut found = BTreeSet::new();
        for pattern in patterns {
            let mut scan = Scan::of(pattern);
            while let Some((_, names)) = self.next_found(&mut scan).await? {
                for name in names {
                    let key = KeyName { database: pattern.database, name };
                    if found.len() < self.keys.bounds.found_max {
                        if !known.contains(&key) {
                            found.insert(key);
                        }
                    } else if !found.contains(&key) && !known.contains(&key) {
                        self.keys.limits.reached(Limit::KeysFound);
                    }
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    async fn next_found(
        &mut self,
        scan: &mut Scan<'_>,
    ) -> Result<Option<(usize, Vec<Vec<u8>>)>, Failure> {
        let page = self.page(scan).await;
        Ok(self.unless_refused(page, "cannot scan for keys")?.flatten())
    }

    /// What a server refuses costs what was asked, not the pass.
    fn unless_refused<T>(
        &mut self,
        outcome: Result<T, Failure>,
        what: &str,
    ) -> Result<Option<T>, Failure> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(failure) if failure.spares_connection() => {
                debug!(error = %failure, "{what}");
                self.refused = self.refused.saturating_add(1);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn count(&mut self, pattern: &KeyName) -> Result<u64, Failure> {
        let mut seen = Seen::new(self.keys.bounds.remembered_max);
        let mut count = 0_u64;
        let mut scan = Scan::of(pattern);
        while let Some((_, names)) = self.page(&mut scan).await? {
            let new = names.iter().filter(|name| seen.is_new(name)).count();
            count = count.saturating_add(new as u64);
        }
        self.tell_if_full(&seen);
        Ok(count)
    }

    fn tell_if_full(&self, seen: &Seen) {
        if seen.full {
            self.keys.limits.reached(Limit::KeysRemembered);
        }
    }

    /// Keys in batches, each of one server and database.
    fn batches(&self, keys: &[KeyName]) -> Vec<(usize, u32, Vec<KeyName>)> {
        let mut places = BTreeMap::<_, Vec<KeyName>>::new();
        for key in keys {
            if let Some(server) = self.servers.of_key(&key.name) {
                places.entry((server, key.database)).or_default().push(key.clone());
            }
        }
        let batches = places.iter().flat_map(|((server, database), keys)| {
            keys.chunks(BATCH).map(|keys| (*server, *database, keys.to_vec()))
        });
        batches.collect()
    }

    async fn look_up(&mut self, keys: &[KeyName], findings: &mut Findings) -> Result<(), Failure> {
        for (server, database, keys) in self.batches(keys) {
            let looked_up = self.look_up_batch(server, database, &keys).await;
            let looked_up = self.unless_refused(looked_up, "cannot look up keys")?;
            findings.keys.extend(looked_up.unwrap_or_default());
        }
        Ok(())
    }

    /// Type and memory of all, then sizes, then values: three round trips at most.
    async fn look_up_batch(
        &mut self,
        server: usize,
        database: u32,
        keys: &[KeyName],
    ) -> Result<Vec<Key>, Failure> {
        let first = keys.iter().flat_map(|key| {
            let mut memory = redis::cmd("MEMORY");
            memory.arg("USAGE").arg(&key.name[..]);
            [about("TYPE", key), memory]
        });
        let count = keys.len() as u64;
        let answers = self.ask(server, database, first.collect(), count).await?;
        let mut lookups: Vec<_> = keys.iter().map(Lookup::new).collect();
        let mut answers = answers.into_iter();
        for lookup in &mut lookups {
            if let (Some(kind), Some(memory)) = (answers.next(), answers.next()) {
                lookup.learn_kind(kind, memory, self.servers.cluster);
            }
        }
        for step in [Lookup::ask_size, Lookup::ask_value] {
            let asked: Vec<_> = lookups.iter().map(|lookup| step(lookup, &self.keys)).collect();
            let commands: Vec<_> = asked.iter().flatten().cloned().collect();
            if commands.is_empty() {
                continue;
            }
            let mut answers = self.ask(server, database, commands, 0).await?.into_iter();
            for (lookup, asked) in lookups.iter_mut().zip(&asked) {
                lookup.learn(answers.by_ref().take(asked.len()).collect());
            }
        }
        Ok(lookups.into_iter().filter_map(|lookup| lookup.into_key(&self.keys)).collect())
    }

    /// Those keys which are streams.
    async fn streams_of(&mut self, keys: Vec<KeyName>) -> Result<Vec<KeyName>, Failure> {
        let mut streams = Vec::new();
        for (server, database, keys) in self.batches(&keys) {
            let commands = keys.iter().map(|key| about("TYPE", key)).collect();
            let kinds = self.ask(server, database, commands, keys.len() as u64).await;
            let kinds = self.unless_refused(kinds, "cannot look up keys")?.unwrap_or_default();
            streams.extend(keys.into_iter().zip(kinds).filter_map(|(key, kind)| {
                let kind = kind.ok()?;
                (text(&kind)? == "stream").then_some(key)
            }));
        }
        Ok(streams)
    }

    async fn read_streams(
        &mut self,
        keys: &[KeyName],
        findings: &mut Findings,
    ) -> Result<(), Failure> {
        for (server, database, keys) in self.batches(keys) {
            let commands = keys.iter().flat_map(|key| [xinfo("STREAM", key), xinfo("GROUPS", key)]);
            let answers = self.ask(server, database, commands.collect(), keys.len() as u64).await;
            let answers =
                self.unless_refused(answers, "cannot look up streams")?.unwrap_or_default();
            let mut answers = answers.into_iter();
            for key in keys {
                let (Some(stream), Some(groups)) = (answers.next(), answers.next()) else { break };
                let stream = stream.ok().and_then(|stream| streams::read_stream(key, &stream));
                let Some(mut stream) = stream else { continue };
                stream.groups =
                    groups.map(|groups| streams::read_groups(&groups)).unwrap_or_default();
                self.bound(&mut stream.groups, findings);
                if self.keys.consumers {
                    self.read_consumers(server, &mut stream, findings).await?;
                }
                findings.streams.push(stream);
            }
        }
        Ok(())
    }

    async fn read_consumers(
        &mut self,
        server: usize,
        stream: &mut streams::Stream,
        findings: &Findings,
    ) -> Result<(), Failure> {
        let commands = stream.groups.iter().map(|group| {
            let mut command = xinfo("CONSUMERS", &stream.key);
            command.arg(&group.name_bytes[..]);
            command
        });
        let commands: Vec<_> = commands.collect();
        if commands.is_empty() {
            return Ok(());
        }
        let database = stream.key.database;
        let answers = self.ask(server, database, commands, stream.groups.len() as u64).await?;
        let mut shown = stream.groups.len();
        for (group, answer) in stream.groups.iter_mut().zip(answers) {
            if let Ok(answer) = answer {
                group.consumers = streams::read_consumers(&answer);
                let left =
                    self.keys.bounds.stream_groups_max.saturating_sub(count_of(findings) + shown);
                let beyond = group.consumers.len().saturating_sub(left);
                group.consumers.truncate(left);
                self.keys.limits.left_out(Limit::StreamsGroups, beyond);
                shown = shown.saturating_add(group.consumers.len());
            }
        }
        Ok(())
    }

    fn bound(&self, groups: &mut Vec<streams::Group>, findings: &Findings) {
        let left = self.keys.bounds.stream_groups_max.saturating_sub(count_of(findings));
        self.keys.limits.left_out(Limit::StreamsGroups, groups.len().saturating_sub(left));
        groups.truncate(left);
    }

    async fn all_groups(&mut self) -> Result<Option<(BTreeMap<u32, Tally>, Duration)>, Failure> {
        let start = clock();
        // A database without keys has no groups, which is worth a zero.
        let mut databases: BTreeMap<_, _> =
            (0..self.plan.databases).map(|database| (database, Tally::default())).collect();
        // Other nodes of a cluster may have keys where the one that was asked has none.
        let others = if self.servers.cluster { self.plan.databases.max(1) } else { 0 };
        let with_keys: BTreeSet<u32> =
            self.plan.keyspace.keys().copied().chain(0..others).collect();
        for database in with_keys {
            let tally = self.groups_of(database).await;
            let tally = self.unless_refused(tally, "cannot group keys")?;
            match tally {
                Some(tally) => databases.insert(database, tally),
                None => databases.remove(&database),
            };
        }
        Ok(Some((databases, start.elapsed())))
    }

    async fn groups_of(&mut self, database: u32) -> Result<Tally, Failure> {
        let keys = Arc::clone(&self.keys);
        let (bounds, limits) = (&keys.bounds, &keys.limits);
        let mut tally = Tally::default();
        let mut seen = Seen::new(bounds.remembered_max);
        let mut scan = Scan::whole(database);
        while let Some((server, mut names)) = self.page(&mut scan).await? {
            names.retain(|name| seen.is_new(name));
            let step = if self.is_fast() { BATCH } else { usize::from(bounds.pace.step()) };
            for names in names.chunks(step) {
                let commands = names.iter().map(|name| {
                    let mut memory = redis::cmd("MEMORY");
                    memory.arg("USAGE").arg(&name[..]);
                    memory
                });
                // The scan has counted them already.
                let answers = self.ask(server, database, commands.collect(), 0).await?;
                for (name, answer) in names.iter().zip(answers) {
                    // A key which has gone meanwhile has none.
                    let Value::Int(bytes) = answer? else { continue };
                    let bytes = u64::try_from(bytes).unwrap_or_default();
                    let (group, given_up) = groups::of_key(&keys.groups, name, bounds.steps_max);
                    if given_up {
                        limits.reached(Limit::KeysPatternSteps);
                    }
                    let kept = tally.add(&group, bytes, bounds.groups_max);
                    limits.left_out(Limit::KeysGroups, usize::from(!kept));
                }
            }
        }
        self.tell_if_full(&seen);
        Ok(tally)
    }
}

/// Groups and consumers found so far.
fn count_of(findings: &Findings) -> usize {
    let groups = findings.streams.iter().flat_map(|stream| &stream.groups);
    groups.map(|group| group.consumers.len().saturating_add(1)).sum()
}

fn xinfo(what: &str, key: &KeyName) -> Cmd {
    let mut command = redis::cmd("XINFO");
    command.arg(what).arg(&key.name[..]);
    command
}
