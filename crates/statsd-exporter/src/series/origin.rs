//! Which rule a series follows: one word, so that reading and writing it needs no lock.

use super::Shape;

/// The rule which says how a series is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The mapping it is of.
    pub generation: u32,
    /// Its place there.
    pub rule: Rule,
    /// No sample has shown yet that it is still the one: the mapping is newer than the last sample.
    pub provisional: bool,
}

/// A place in a mapping.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// No rule took the name, so the defaults say.
    None,
    /// The rule at this place.
    At(usize),
    /// None of this mapping, and not its defaults either.
    Gone,
}

/// What a newer mapping says of a series.
#[derive(Clone, Debug)]
pub struct Next {
    /// Where its rule stands there.
    pub rule: Rule,
    /// Its buckets or quantiles.
    pub shape: Shape,
    /// Idle time after which it is retired; 0 is never.
    pub ttl_ms: u64,
}

/// What was another before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Changed {
    pub(super) ttl: bool,
    /// Buckets or quantiles, which begin anew.
    pub(super) shape: bool,
}

/// Stands for [`Rule::Gone`]; no file has as many rules.
const GONE: u32 = u32::MAX >> 1;

impl Origin {
    pub(super) fn pack(self) -> u64 {
        let rule = match self.rule {
            Rule::None => 0,
            Rule::At(index) => u32::try_from(index + 1).map_or(GONE, |place| place.min(GONE)),
            Rule::Gone => GONE,
        };
        u64::from(self.generation) << 32 | u64::from(rule) << 1 | u64::from(self.provisional)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the halves of a word")]
    pub(super) const fn unpack(word: u64) -> Self {
        let rule = match (word as u32) >> 1 {
            0 => Rule::None,
            GONE => Rule::Gone,
            place => Rule::At(place as usize - 1),
        };
        Self { generation: (word >> 32) as u32, rule, provisional: word & 1 == 1 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Origin, Rule};

    proptest! {
        #[test]
        fn property_what_is_packed_can_be_unpacked(
            generation: u32,
            rule in prop_oneof![
                Just(Rule::None),
                Just(Rule::Gone),
                (0..1_000_000_usize).prop_map(Rule::At),
            ],
            provisional: bool,
        ) {
            let origin = Origin { generation, rule, provisional };
            prop_assert_eq!(Origin::unpack(origin.pack()), origin);
        }
    }
}
