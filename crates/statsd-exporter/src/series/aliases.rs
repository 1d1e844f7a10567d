//! What the bytes on the wire led to, so that mapping, escaping and sorting happen once for each
//! series and not once for each sample. One table a thread, no lock.
//!
//! The bytes themselves are not kept, they would be most of the memory of a series: 128 bits of a
//! keyed hash (`SipHash` 1-3, the key random for each table) stand for them. Among a million
//! identities two have the same with a probability of 2^-89, and nobody who does not know the key can
//! look for such a pair.

use std::{
    hash::{BuildHasher as _, Hasher as _},
    sync::Arc,
};

use hashbrown::HashTable;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::Series;
use crate::{line::Identity, mapping::Convert};

/// What an alias costs, roughly: its place in a table with room to grow.
const ALIAS_BYTES: usize = 64;

/// Where samples of one identity go, and what to count on the way.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where they go.
    pub target: Target,
    /// Multiplies values.
    pub scale: f64,
    /// What the rule makes of the sample's kind.
    pub convert: Convert,
    /// Bad tags of each line, before its colon.
    pub section_errors: u64,
    /// Bad tags of each sample, behind its value.
    pub tag_errors: u64,
    /// Whether samples have a label.
    pub tagged: bool,
    /// Whether a rule was found.
    pub by_rule: bool,
}

/// Where samples of one identity go.
#[derive(Clone, Debug)]
pub enum Target {
    /// To a series.
    Series(Arc<Series>),
    /// Nowhere: a rule says so.
    Drop,
    /// Nowhere: nothing is left of the name.
    Nameless,
    /// Nowhere: this name has another type.
    Conflict(Arc<str>),
}

/// The routes which one thread knows.
#[derive(Debug)]
pub struct Aliases {
    hasher: SipHasher13,
    table: HashTable<Alias>,
    bytes: usize,
    bytes_max: usize,
}

/// Stands for an identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key {
    /// Also where the table looks.
    h1: u64,
    h2: u64,
}

/// One route, in 32 bytes.
#[derive(Debug)]
struct Alias {
    key: Key,
    way: Way,
}

/// What is counted on the way to a series.
#[derive(Clone, Copy, Debug)]
pub struct Flags {
    /// Whether samples have a label.
    pub tagged: bool,
    /// Whether a rule was found.
    pub by_rule: bool,
}

/// Where an alias leads.
#[derive(Debug)]
pub enum Way {
    /// Straight to a series: values as they are, no bad tags.
    Straight(Arc<Series>, Flags),
    /// Anywhere else.
    Other(Box<Route>),
}

impl From<Route> for Way {
    fn from(route: Route) -> Self {
        let plain = route.scale.to_bits() == 1.0_f64.to_bits()
            && route.convert == Convert::Nothing
            && route.section_errors == 0
            && route.tag_errors == 0;
        match route {
            Route { target: Target::Series(series), tagged, by_rule, .. } if plain => {
                Self::Straight(series, Flags { tagged, by_rule })
            }
            other => Self::Other(Box::new(other)),
        }
    }
}

impl Way {
    fn bytes(&self) -> usize {
        match self {
            Self::Straight(..) => ALIAS_BYTES,
            Self::Other(_) => ALIAS_BYTES + size_of::<Route>(),
        }
    }

    fn is_retired(&self) -> bool {
        match self {
            Self::Straight(series, _) => series.is_retired(),
            Self::Other(route) => {
                matches!(&route.target, Target::Series(series) if series.is_retired())
            }
        }
    }
}

impl Aliases {
    /// An empty table which forgets everything rather than take more than about `bytes_max`.
    #[expect(clippy::disallowed_types, reason = "for the system's random bits, not for a table")]
    pub fn new(bytes_max: usize) -> Self {
        let random = std::hash::RandomState::new();
        let hasher = SipHasher13::new_with_keys(random.hash_one(0), random.hash_one(1));
        Self { hasher, table: HashTable::new(), bytes: 0, bytes_max }
    }

    /// What stands for an identity in [`find`](Self::find) and [`insert`](Self::insert).
    pub fn key(&self, identity: &Identity<'_>) -> Key {
        let mut hasher = self.hasher;
        hasher.write(identity.section);
        hasher.write(identity.fields);
        // Where the one ends and the other begins, and the kind.
        hasher.write_u64((identity.section.len() as u64) << 8 | identity.kind as u64);
        let hash = hasher.finish128();
        Key { h1: hash.h1, h2: hash.h2 }
    }

    /// The way of an identity, if it is known.
    pub fn find(&self, key: Key) -> Option<&Way> {
        self.table.find(key.h1, |alias| alias.key == key).map(|alias| &alias.way)
    }

    /// Remembers a route, forgetting all others first where it would not fit.
    pub fn insert(&mut self, key: Key, route: Route) {
        let way = Way::from(route);
        let bytes = way.bytes();
        if let Some(alias) = self.table.find_mut(key.h1, |alias| alias.key == key) {
            self.bytes = self.bytes - alias.way.bytes() + bytes;
            alias.way = way;
            return;
        }
        if self.bytes + bytes > self.bytes_max {
            self.clear();
        }
        self.bytes += bytes;
        self.table.insert_unique(key.h1, Alias { key, way }, |alias| alias.key.h1);
    }

    /// Forgets everything: the rules have changed, or there is too much.
    pub fn clear(&mut self) {
        self.table = HashTable::new();
        self.bytes = 0;
    }

    /// Forgets the ways to series which nobody sees any more.
    pub fn forget_retired(&mut self) {
        let mut bytes = 0;
        self.table.retain(|alias| {
            let retired = alias.way.is_retired();
            bytes += if retired { 0 } else { alias.way.bytes() };
            !retired
        });
        self.bytes = bytes;
        self.table.shrink_to_fit(|alias| alias.key.h1);
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Number of routes.
    pub fn len(&self) -> usize {
        self.table.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Alias, Aliases, Route, Target, Way};
    use crate::{
        line::{Identity, Kind},
        mapping::Convert,
    };

    fn identity<'a>(section: &'a [u8], fields: &'a [u8]) -> Identity<'a> {
        Identity { section, kind: Kind::Counter, fields }
    }

    fn route(tag_errors: u64) -> Route {
        let (target, convert) = (Target::Drop, Convert::Nothing);
        Route {
            target,
            scale: 1.0,
            convert,
            section_errors: 0,
            tag_errors,
            tagged: false,
            by_rule: true,
        }
    }

    fn found(aliases: &Aliases, identity: &Identity<'_>) -> Option<u64> {
        match aliases.find(aliases.key(identity))? {
            Way::Other(route) => Some(route.tag_errors),
            Way::Straight(..) => None,
        }
    }

    #[test]
    fn each_identity_has_its_own_route() {
        let mut aliases = Aliases::new(1 << 20);
        let keys = [("ab", ""), ("a", "b"), ("", "ab"), ("a", "c")];
        for (number, (section, fields)) in (0..).zip(keys) {
            let identity = identity(section.as_bytes(), fields.as_bytes());
            aliases.insert(aliases.key(&identity), route(number));
        }
        for (number, (section, fields)) in (0..).zip(keys) {
            let identity = identity(section.as_bytes(), fields.as_bytes());
            assert_eq!(found(&aliases, &identity), Some(number));
            let gauge = Identity { kind: Kind::Gauge, ..identity };
            assert_eq!(found(&aliases, &gauge), None);
        }
        aliases.forget_retired();
        assert_eq!(found(&aliases, &identity(b"a", b"b")), Some(1));
        assert_eq!(aliases.len(), 4);
    }

    #[test]
    fn each_table_has_a_key_of_its_own() {
        let identity = identity(b"a", b"b");
        let (one, other) = (Aliases::new(1 << 20), Aliases::new(1 << 20));
        assert_ne!(one.key(&identity), other.key(&identity));
        assert_eq!(one.key(&identity), one.key(&identity));
    }

    #[test]
    fn a_full_table_forgets_all() {
        let mut aliases = Aliases::new(1_000);
        for number in 0..100_u8 {
            let key = [number];
            let identity = identity(&key, b"");
            aliases.insert(aliases.key(&identity), route(number.into()));
            assert_eq!(found(&aliases, &identity), Some(number.into()));
            assert!(aliases.len() <= 10, "{}", aliases.len());
        }
    }

    #[test]
    fn an_alias_is_small() {
        assert!(size_of::<Alias>() <= 32, "{}", size_of::<Alias>());
    }
}
