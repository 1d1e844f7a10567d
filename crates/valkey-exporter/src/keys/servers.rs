//! The servers which hold the keys: one, or every primary of a cluster. Where a cluster has moved keys
//! since it told its slots, nodes name each other: `MOVED` and `ASK` are followed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use redis::{Cmd, Value};
use tracing::debug;

use crate::{
    address::Place,
    command::{Answer, Command, Failure, items, text},
    node::{Node, Session},
};

/// Primaries of a cluster to connect to.
const PRIMARIES_MAX: usize = 1_000;
/// Slots of a cluster.
const SLOTS: u16 = 16_384;
/// How often the same command is sent on to another node.
const HOPS_MAX: usize = 5;

/// Connections for one pass.
#[derive(Debug)]
pub(super) struct Servers {
    all: Vec<Server>,
    /// Whether keys are spread over them by their slots.
    pub(super) cluster: bool,
    /// How many of them are scanned: those that had slots when the cluster told them.
    primaries: usize,
    /// Nodes that others named and that did not answer: they are not asked again.
    silent: BTreeSet<Place>,
}

/// A connection, and which database it is at.
#[derive(Debug)]
struct Server {
    place: Place,
    session: Session,
    database: Option<u32>,
    slots: Vec<(u16, u16)>,
}

/// Slots and the primary that has them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct SlotRange {
    first: u16,
    last: u16,
    /// `None` for the server that was asked.
    host: Option<String>,
    port: u16,
}

impl Servers {
    /// Connects to `node`, and with `cluster` to every primary that it knows.
    pub(super) async fn open(
        node: &Node,
        cluster: bool,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let first = Server {
            place: node.address().place.clone(),
            session: node.open(deadline).await?,
            database: Some(node.address().database),
            slots: vec![(0, SLOTS)],
        };
        let silent = BTreeSet::new();
        if !cluster {
            return Ok(Self { all: vec![first], cluster, primaries: 1, silent });
        }
        let slots = Command::new("CLUSTER SLOTS").pack();
        let answers = first.session.send(&[slots], deadline).await;
        let answer = answers.into_iter().next().unwrap_or(Err(Failure::Late))?;
        let mut servers = Self { all: Vec::new(), cluster, primaries: 0, silent };
        for range in read_slots(&answer) {
            let place = range.place(node.address().place.clone());
            let slots = (range.first, range.last);
            if let Some(index) = servers.at(node, place, deadline).await?
                && let Some(server) = servers.all.get_mut(index)
            {
                server.slots.push(slots);
            }
        }
        servers.primaries = servers.all.len();
        Ok(servers)
    }

    /// The server at `place`, connected to if it is not yet; `None` if there are too many.
    async fn at(
        &mut self,
        node: &Node,
        place: Place,
        deadline: Instant,
    ) -> Result<Option<usize>, Failure> {
        if let Some(known) = self.all.iter().position(|server| server.place == place) {
            return Ok(Some(known));
        }
        if self.all.len() >= PRIMARIES_MAX {
            return Ok(None);
        }
        let session = node.at(place.clone()).open(deadline).await?;
        self.all.push(Server { place, session, database: None, slots: Vec::new() });
        Ok(self.all.len().checked_sub(1))
    }

    /// Sends all `commands` to one server in one batch, and on to another one those which it says are
    /// to be asked there; an answer for each.
    ///
    /// # Errors
    ///
    /// A connection broke, or the database is refused.
    pub(super) async fn send(
        &mut self,
        node: &Node,
        index: usize,
        database: u32,
        commands: Vec<Cmd>,
        deadline: Instant,
    ) -> Result<Vec<Answer>, Failure> {
        let server = self.all.get_mut(index).ok_or(Failure::Late)?;
        if !self.cluster {
            return server.send(database, commands, deadline).await;
        }
        let mut places = vec![server.place.clone(); commands.len()];
        let mut answers = server.send(database, commands.clone(), deadline).await?;
        for _hop in 0..HOPS_MAX {
            let mut answered = false;
            for (to, indices) in redirections(&answers, &places) {
                let again = indices.iter().filter_map(|index| commands.get(*index).cloned());
                let again = again.collect();
                let received = self.send_on(node, &to, database, again, deadline).await;
                for (index, answer) in indices.into_iter().zip(received) {
                    if let (Some(old), Some(place)) =
                        (answers.get_mut(index), places.get_mut(index))
                    {
                        answered = true;
                        *old = answer;
                        place.clone_from(&to.place);
                    }
                }
            }
            if !answered {
                break;
            }
        }
        Ok(answers)
    }

    /// Nothing if the other node does not answer in half of the time that is left: what it would have
    /// said stays unknown, and the others have their time.
    async fn send_on(
        &mut self,
        node: &Node,
        to: &Redirection,
        database: u32,
        commands: Vec<Cmd>,
        deadline: Instant,
    ) -> Vec<Answer> {
        if self.silent.contains(&to.place) {
            return Vec::new();
        }
        #[expect(clippy::disallowed_methods, reason = "a node gets a part of the time")]
        let now = Instant::now();
        let until = now + deadline.saturating_duration_since(now) / 2;
        let sent = self.try_send_on(node, to, database, commands, until).await;
        sent.unwrap_or_else(|failure| {
            debug!(place = ?to.place, error = %failure, "a node that another one named fails");
            self.silent.insert(to.place.clone());
            Vec::new()
        })
    }

    async fn try_send_on(
        &mut self,
        node: &Node,
        to: &Redirection,
        database: u32,
        commands: Vec<Cmd>,
        deadline: Instant,
    ) -> Result<Vec<Answer>, Failure> {
        let index = self.at(node, to.place.clone(), deadline).await?;
        let server = index.and_then(|index| self.all.get_mut(index)).ok_or(Failure::Late)?;
        if !to.asking {
            return server.send(database, commands, deadline).await;
        }
        let asking = commands.into_iter().flat_map(|command| [redis::cmd("ASKING"), command]);
        let answers = server.send(database, asking.collect(), deadline).await?;
        Ok(answers.into_iter().skip(1).step_by(2).collect())
    }

    pub(super) const fn count(&self) -> usize {
        self.primaries
    }

    /// The server that has `key`.
    pub(super) fn of_key(&self, key: &[u8]) -> Option<usize> {
        if !self.cluster {
            return Some(0);
        }
        let slot = slot(key);
        let has = |server: &Server| {
            server.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
        };
        self.all.iter().position(has)
    }
}

impl Server {
    /// Sends all `commands` to `database` in one batch; an answer for each.
    ///
    /// # Errors
    ///
    /// The connection broke, or the database is refused.
    async fn send(
        &mut self,
        database: u32,
        mut commands: Vec<Cmd>,
        deadline: Instant,
    ) -> Result<Vec<Answer>, Failure> {
        let select = self.database != Some(database);
        if select {
            // Not known until it is answered.
            self.database = None;
            commands.insert(0, Command::new("SELECT").arg(database.to_string()).pack());
        }
        let mut answers = self.session.send_together(commands, deadline).await;
        let broken = answers.iter().find_map(|answer| match answer {
            Err(failure) if !failure.spares_connection() => Some(failure.clone()),
            _ => None,
        });
        if let Some(failure) = broken {
            return Err(failure);
        }
        if select {
            answers.remove(0)?;
            self.database = Some(database);
        }
        Ok(answers)
    }
}

/// Where a node says that a key is.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Redirection {
    place: Place,
    /// Whether the other node answers only who says that it was sent.
    asking: bool,
}

/// Reads `MOVED 3999 10.0.0.1:6381` or `ASK …`, said by the server at `here`.
pub(super) fn read_redirection(reason: &str, here: &Place) -> Option<Redirection> {
    let mut words = reason.split(' ');
    let asking = match words.next()? {
        "MOVED" => false,
        "ASK" => true,
        _ => return None,
    };
    words.next()?.parse::<u16>().ok().filter(|slot| *slot < SLOTS)?;
    let (host, port) = words.next()?.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = match (host, here) {
        ("" | "?", Place::Tcp { host, .. }) => host.clone(),
        ("" | "?", Place::Unix(_)) => return None,
        (host, _) => host.to_owned(),
    };
    Some(Redirection { place: Place::Tcp { host, port }, asking })
}

/// Which commands are to be sent where; they were answered by the servers at `places`.
fn redirections(answers: &[Answer], places: &[Place]) -> BTreeMap<Redirection, Vec<usize>> {
    let mut redirected = BTreeMap::<_, Vec<usize>>::new();
    for (index, (answer, here)) in answers.iter().zip(places).enumerate() {
        if let Err(Failure::Refused(reason)) = answer
            && let Some(redirection) = read_redirection(reason, here)
        {
            redirected.entry(redirection).or_default().push(index);
        }
    }
    redirected
}

impl SlotRange {
    fn place(&self, asked: Place) -> Place {
        match (&self.host, asked) {
            (Some(host), _) => Place::Tcp { host: host.clone(), port: self.port },
            (None, Place::Tcp { host, .. }) => Place::Tcp { host, port: self.port },
            (None, socket @ Place::Unix(_)) => socket,
        }
    }
}

/// Reads `CLUSTER SLOTS`: `[[first, last, [host, port, …], replicas…], …]`.
pub(super) fn read_slots(answer: &Value) -> Vec<SlotRange> {
    let whole = |value: &Value| text(value)?.parse::<u16>().ok();
    items(answer)
        .iter()
        .filter_map(|range| {
            let [first, last, primary, ..] = items(range) else { return None };
            let [host, port, ..] = items(primary) else { return None };
            let host = text(host).filter(|host| !host.is_empty() && host != "?");
            Some(SlotRange {
                first: whole(first)?,
                last: whole(last)?,
                host: host.map(std::borrow::Cow::into_owned),
                port: whole(port)?,
            })
        })
        .collect()
}

/// The slot of a key: of what stands in its first `{}`, if something does.
fn slot(key: &[u8]) -> u16 {
    let tag = || {
        let start = key.iter().position(|byte| *byte == b'{')?.checked_add(1)?;
        let rest = key.get(start..)?;
        let end = rest.iter().position(|byte| *byte == b'}').filter(|end| *end > 0)?;
        rest.get(..end)
    };
    crc16(tag().unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let mut crc = crc ^ (u16::from(*byte) << 8);
        for _bit in 0..8 {
            let carry = crc & 0x8000 != 0;
            crc = (crc << 1) ^ if carry { 0x1021 } else { 0 };
        }
        crc
    })
}

#[cfg(test)]
mod tests;
