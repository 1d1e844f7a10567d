//! `CLUSTER NODES`: who is in a cluster. Pure: any bytes are read, and none makes it panic.

use crate::address::{Address, Place};

/// A node, as another one sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterNode<'a> {
    /// Its name, 40 hexadecimal digits.
    pub id: &'a str,
    /// IP address, without brackets.
    pub ip: &'a str,
    /// Port of its clients; never 0.
    pub port: u16,
    /// What it calls itself.
    pub hostname: Option<&'a str>,
    /// `availability-zone` where it tells one.
    pub zone: Option<&'a str>,
    /// `master`, `slave`, `fail`, `fail?`, `handshake`, `noaddr` and so on, `myself` left out.
    pub flags: Vec<&'a str>,
    /// Whether it is the node that was asked.
    pub myself: bool,
    /// The primary of a replica.
    pub primary: Option<&'a str>,
    /// Whether the node that was asked has a connection to it.
    pub connected: bool,
    /// Slots that it serves.
    pub slots: u32,
}

/// Reads all lines; those which are no node, or a node without an address, are left out.
pub fn parse(text: &str) -> Vec<ClusterNode<'_>> {
    text.lines().filter_map(ClusterNode::parse).collect()
}

impl<'a> ClusterNode<'a> {
    /// `id ip:port@bus[,hostname[,name=value…]] flags primary ping pong epoch link slot…`.
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (id, place, flags, primary) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        let link = words.by_ref().nth(3)?;
        let mut parts = place.split(',');
        let (address, _bus) = parts.next()?.split_once('@')?;
        let (ip, port) = address.rsplit_once(':')?;
        let ip = ip.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|port| *port > 0)?;
        let hostname = parts.next().filter(|name| !name.is_empty() && !name.contains('='));
        let zone = place.split(',').find_map(|part| part.strip_prefix("availability-zone="));
        let myself = flags.split(',').any(|flag| flag == "myself");
        (!ip.is_empty()).then_some(Self {
            id,
            ip,
            port,
            hostname,
            zone: zone.filter(|zone| !zone.is_empty()),
            flags: flags.split(',').filter(|flag| *flag != "myself").collect(),
            myself,
            primary: Some(primary).filter(|primary| *primary != "-"),
            connected: link == "connected",
            slots: words.filter_map(slots).fold(0, u32::saturating_add),
        })
    }

    /// Whether it copies another node.
    pub fn is_replica(&self) -> bool {
        self.flags.contains(&"slave") || self.flags.contains(&"replica")
    }

    /// Whether it is well, in the eyes of the node that was asked.
    pub fn is_healthy(&self) -> bool {
        let ill = ["fail", "fail?", "handshake", "noaddr"];
        (self.connected || self.myself) && !self.flags.iter().any(|flag| ill.contains(flag))
    }

    /// Where its clients reach it: by `hostname` where it has one and that is wanted.
    pub fn address(&self, by_hostname: bool, tls: bool) -> Address {
        let host = self.hostname.filter(|_| by_hostname).unwrap_or(self.ip).to_owned();
        let place = Place::Tcp { host, port: self.port };
        Address { place, tls, database: 0, user: None, password: None }
    }
}

/// `0-5460` or `7`; `[93-<-id]` is a slot which moves, and counted where it is.
fn slots(word: &str) -> Option<u32> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
    Some(u32::from(last.checked_sub(first)?).saturating_add(1))
}

#[cfg(test)]
mod tests;
