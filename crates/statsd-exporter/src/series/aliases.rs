//! What the bytes on the wire led to, so that mapping, escaping and sorting happen once for each
//! series and not once for each sample. One table a thread, no lock.

use std::{
    hash::{BuildHasher as _, Hasher as _},
    sync::Arc,
};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::Series;
use crate::line::{Identity, Kind};

/// What an alias costs beside its bytes, roughly: its place in the table and an allocation.
const ALIAS_BYTES: usize = 112;

/// Where samples of one identity go, and what to count on the way.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where they go.
    pub target: Target,
    /// Multiplies values.
    pub scale: f64,
    /// Bad tags of each sample.
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
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Alias {
    /// The section, then the fields.
    key: Box<[u8]>,
    section_bytes: usize,
    kind: Kind,
    route: Route,
}

impl Alias {
    fn is(&self, identity: &Identity<'_>) -> bool {
        let (section, fields) = self.key.split_at(self.section_bytes);
        self.kind == identity.kind && section == identity.section && fields == identity.fields
    }

    fn identity(&self) -> Identity<'_> {
        let (section, fields) = self.key.split_at(self.section_bytes);
        Identity { section, kind: self.kind, fields }
    }
}

impl Aliases {
    /// An empty table which forgets everything rather than take more than about `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self { hasher: RandomState::default(), table: HashTable::new(), bytes: 0, bytes_max }
    }

    /// The hash by which [`find`](Self::find) and [`insert`](Self::insert) look.
    pub fn hash(&self, identity: &Identity<'_>) -> u64 {
        hash(&self.hasher, identity)
    }

    /// The hash finds the bucket; the bytes decide.
    pub fn find(&self, hash: u64, identity: &Identity<'_>) -> Option<&Route> {
        self.table.find(hash, |alias| alias.is(identity)).map(|alias| &alias.route)
    }

    /// Remembers a route, forgetting all others first where it would not fit.
    pub fn insert(&mut self, hash: u64, identity: &Identity<'_>, route: Route) {
        if let Some(alias) = self.table.find_mut(hash, |alias| alias.is(identity)) {
            alias.route = route;
            return;
        }
        let bytes = identity.section.len() + identity.fields.len() + ALIAS_BYTES;
        if self.bytes + bytes > self.bytes_max {
            self.clear();
        }
        self.bytes += bytes;
        let alias = Alias {
            key: [identity.section, identity.fields].concat().into(),
            section_bytes: identity.section.len(),
            kind: identity.kind,
            route,
        };
        let hasher = &self.hasher;
        self.table.insert_unique(hash, alias, |alias| self::hash(hasher, &alias.identity()));
    }

    /// Forgets everything: the rules have changed, or there is too much.
    pub fn clear(&mut self) {
        self.table = HashTable::new();
        self.bytes = 0;
    }

    /// Forgets the ways to series which nobody sees any more.
    pub fn forget_retired(&mut self) {
        let bytes = &mut self.bytes;
        self.table.retain(|alias| {
            let retired =
                matches!(&alias.route.target, Target::Series(series) if series.is_retired());
            if retired {
                *bytes -= alias.key.len() + ALIAS_BYTES;
            }
            !retired
        });
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

fn hash(hasher: &RandomState, identity: &Identity<'_>) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(identity.section);
    state.write(identity.fields);
    state.write_u8(identity.kind as u8);
    state.finish()
}
