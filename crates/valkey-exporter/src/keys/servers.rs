//! The servers which hold the keys: one, or every primary of a cluster.

use std::time::Instant;

use redis::{Cmd, Value};

use crate::{
    address::Place,
    command::{Answer, Command, Failure, items, text},
    node::{Node, Session},
};

/// Primaries of a cluster to connect to.
const PRIMARIES_MAX: usize = 1_000;
/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// Connections for one pass.
#[derive(Debug)]
pub(super) struct Servers {
    all: Vec<Server>,
    /// Whether keys are spread over them by their slots.
    pub(super) cluster: bool,
}

/// A connection, and which database it is at.
#[derive(Debug)]
pub(super) struct Server {
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
            session: node.open(deadline).await?,
            database: Some(node.address().database),
            slots: vec![(0, SLOTS)],
        };
        if !cluster {
            return Ok(Self { all: vec![first], cluster });
        }
        let slots = Command::new("CLUSTER SLOTS").pack();
        let answers = first.session.send(&[slots], deadline).await;
        let answer = answers.into_iter().next().unwrap_or(Err(Failure::Late))?;
        let mut all = Vec::<(Place, Server)>::new();
        for range in read_slots(&answer) {
            let place = range.place(node.address().place.clone());
            let slots = (range.first, range.last);
            if let Some((_, known)) = all.iter_mut().find(|(known, _)| *known == place) {
                known.slots.push(slots);
            } else if all.len() < PRIMARIES_MAX {
                let session = node.at(place.clone()).open(deadline).await?;
                all.push((place, Server { session, database: None, slots: vec![slots] }));
            }
        }
        Ok(Self { all: all.into_iter().map(|(_, server)| server).collect(), cluster })
    }

    pub(super) const fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&mut self, index: usize) -> Option<&mut Server> {
        self.all.get_mut(index)
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
    pub(super) async fn send(
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
        let mut answers = self.session.send(&commands, deadline).await;
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
