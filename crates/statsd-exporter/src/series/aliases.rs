//! What the bytes on the wire led to, so that mapping, escaping and sorting happen once for each
//! series and not once for each sample. One table a thread, no lock.

use std::{hash::BuildHasher as _, hash::Hasher as _, sync::Arc};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::Series;
use crate::{
    line::{Identity, Kind},
    mapping::Convert,
};

/// What an alias costs beside its bytes, roughly: its place in a table with room to grow.
const ALIAS_BYTES: usize = 64;
/// Keys are kept in blocks of this size, so that a place in a block fits 16 bits.
const BLOCK_BYTES: usize = 1 << 16;

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
    hasher: RandomState,
    table: HashTable<Alias>,
    keys: Keys,
    bytes: usize,
    bytes_max: usize,
}

/// One route, in 32 bytes: most of the memory of a known identity is its key.
#[derive(Debug)]
struct Alias {
    way: Way,
    /// Where the key begins: the section, then the fields.
    key_at: u32,
    hash: u32,
    section_bytes: u16,
    fields_bytes: u16,
    kind: Kind,
    flags: Flags,
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
    Straight(Arc<Series>),
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
            Route { target: Target::Series(series), .. } if plain => Self::Straight(series),
            other => Self::Other(Box::new(other)),
        }
    }
}

impl Aliases {
    /// An empty table which forgets everything rather than take more than about `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            hasher: RandomState::default(),
            table: HashTable::new(),
            keys: Keys::default(),
            bytes: 0,
            bytes_max,
        }
    }

    /// The hash by which [`find`](Self::find) and [`insert`](Self::insert) look.
    pub fn hash(&self, identity: &Identity<'_>) -> u32 {
        let mut state = self.hasher.build_hasher();
        state.write(identity.section);
        state.write(identity.fields);
        state.write_u8(identity.kind as u8);
        let hash = state.finish();
        low_bits(hash ^ (hash >> 32))
    }

    /// The hash finds the bucket; the bytes decide.
    pub fn find(&self, hash: u32, identity: &Identity<'_>) -> Option<(&Way, Flags)> {
        let found = self.table.find(spread(hash), |alias| self.keys.is(alias, hash, identity));
        found.map(|alias| (&alias.way, alias.flags))
    }

    /// Remembers a route, forgetting all others first where it would not fit. A key which is longer
    /// than any datagram is not remembered.
    pub fn insert(&mut self, hash: u32, identity: &Identity<'_>, route: Route) {
        let flags = Flags { tagged: route.tagged, by_rule: route.by_rule };
        let keys = &self.keys;
        let known = self.table.find_mut(spread(hash), |alias| keys.is(alias, hash, identity));
        if let Some(alias) = known {
            (alias.way, alias.flags) = (route.into(), flags);
            return;
        }
        let lengths = (u16::try_from(identity.section.len()), u16::try_from(identity.fields.len()));
        let (Ok(section_bytes), Ok(fields_bytes)) = lengths else { return };
        let length = identity.section.len() + identity.fields.len();
        if length > BLOCK_BYTES {
            return;
        }
        let bytes = length + ALIAS_BYTES;
        if self.bytes + bytes > self.bytes_max {
            self.clear();
        }
        self.bytes += bytes;
        let key_at = self.keys.push(identity.section, identity.fields);
        let kind = identity.kind;
        let way = route.into();
        let alias = Alias { way, key_at, hash, section_bytes, fields_bytes, kind, flags };
        self.table.insert_unique(spread(hash), alias, |alias| spread(alias.hash));
    }

    /// Forgets everything: the rules have changed, or there is too much.
    pub fn clear(&mut self) {
        self.table = HashTable::new();
        self.keys = Keys::default();
        self.bytes = 0;
    }

    /// Forgets the ways to series which nobody sees any more.
    pub fn forget_retired(&mut self) {
        let retired = |series: &Arc<Series>| series.is_retired();
        self.table.retain(|alias| match &alias.way {
            Way::Straight(series) => !retired(series),
            Way::Other(route) => {
                !matches!(&route.target, Target::Series(series) if retired(series))
            }
        });
        let old = std::mem::take(&mut self.keys);
        self.bytes = 0;
        for alias in &mut self.table {
            let (section, fields) = old.get(alias);
            self.bytes += section.len() + fields.len() + ALIAS_BYTES;
            alias.key_at = self.keys.push(section, fields);
        }
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

/// The bytes of all keys, one behind the other.
#[derive(Debug, Default)]
struct Keys {
    blocks: Vec<Vec<u8>>,
}

impl Keys {
    fn push(&mut self, section: &[u8], fields: &[u8]) -> u32 {
        let length = section.len() + fields.len();
        let fits = self.blocks.last().is_some_and(|last| last.len() + length <= BLOCK_BYTES);
        if !fits {
            self.blocks.push(Vec::with_capacity(BLOCK_BYTES));
        }
        let index = self.blocks.len() - 1;
        let block = &mut self.blocks[index];
        let at = index * BLOCK_BYTES + block.len();
        block.extend_from_slice(section);
        block.extend_from_slice(fields);
        u32::try_from(at).expect("aliases are bounded far below 4 GiB")
    }

    fn get(&self, alias: &Alias) -> (&[u8], &[u8]) {
        let (block, at) =
            (alias.key_at as usize / BLOCK_BYTES, alias.key_at as usize % BLOCK_BYTES);
        let (section, fields) = (alias.section_bytes.into(), usize::from(alias.fields_bytes));
        self.blocks[block][at..at + section + fields].split_at(section)
    }

    fn is(&self, alias: &Alias, hash: u32, identity: &Identity<'_>) -> bool {
        alias.hash == hash
            && alias.kind == identity.kind
            && self.get(alias) == (identity.section, identity.fields)
    }
}

/// The table wants a hash of 64 bits whose upper ones are as good as its lower ones.
const fn spread(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[expect(clippy::cast_possible_truncation, reason = "the upper half was folded in")]
const fn low_bits(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests {
    use super::{Alias, Aliases, BLOCK_BYTES, Route, Target, Way};
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
        match aliases.find(aliases.hash(identity), identity)?.0 {
            Way::Other(route) => Some(route.tag_errors),
            Way::Straight(_) => None,
        }
    }

    #[test]
    fn each_identity_has_its_own_route() {
        let mut aliases = Aliases::new(1 << 20);
        let keys = [("ab", ""), ("a", "b"), ("", "ab"), ("a", "c")];
        for (number, (section, fields)) in (0..).zip(keys) {
            let identity = identity(section.as_bytes(), fields.as_bytes());
            aliases.insert(aliases.hash(&identity), &identity, route(number));
        }
        for (number, (section, fields)) in (0..).zip(keys) {
            let identity = identity(section.as_bytes(), fields.as_bytes());
            assert_eq!(found(&aliases, &identity), Some(number));
            let gauge = Identity { kind: Kind::Gauge, ..identity };
            assert_eq!(found(&aliases, &gauge), None);
        }
        aliases.forget_retired();
        assert_eq!(found(&aliases, &identity(b"a", b"b")), Some(1), "keys moved, routes stay");
        assert_eq!(aliases.len(), 4);
    }

    #[test]
    fn long_keys_fill_blocks_and_longer_ones_are_not_kept() {
        let mut aliases = Aliases::new(1 << 20);
        let long = vec![b'x'; BLOCK_BYTES / 2 + 1];
        for first in [b'a', b'b', b'c'] {
            let key = [&[first][..], &long].concat();
            let identity = identity(&key, b"");
            aliases.insert(aliases.hash(&identity), &identity, route(first.into()));
            assert_eq!(found(&aliases, &identity), Some(first.into()));
        }
        let longer = vec![b'x'; BLOCK_BYTES + 1];
        let identity = identity(&longer, b"");
        aliases.insert(aliases.hash(&identity), &identity, route(1));
        assert_eq!(found(&aliases, &identity), None);
        assert_eq!(aliases.len(), 3);
    }

    #[test]
    fn an_alias_is_small() {
        assert!(size_of::<Alias>() <= 32, "{}", size_of::<Alias>());
    }
}
