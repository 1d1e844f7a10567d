//! Finding the glob rule of a name: a tree of segments, so that rules cost by depth, not by count.

use std::collections::BTreeMap;

use crate::line::Kind;

/// The globs of a mapping.
#[derive(Debug)]
pub(super) struct Globs {
    nodes: Vec<Node>,
    /// Of the rules that fit the first in the file wins; else the one that is fixed earlier.
    ordered: bool,
}

#[derive(Debug, Default)]
struct Node {
    fixed: BTreeMap<Box<str>, usize>,
    star: Option<usize>,
    /// The rule which ends here, by kind.
    rules: [Option<usize>; Kind::ALL.len()],
}

impl Globs {
    /// No rules yet.
    pub(super) fn new(ordered: bool) -> Self {
        Self { nodes: vec![Node::default()], ordered }
    }

    /// Adds the rule of this index for `kinds`; of two with the same pattern the first stays.
    pub(super) fn insert(&mut self, pattern: &str, kinds: &[Kind], rule: usize) {
        let mut at = 0;
        for segment in pattern.split('.') {
            let next = self.nodes.len();
            let node = &mut self.nodes[at];
            at = if segment == "*" {
                *node.star.get_or_insert(next)
            } else {
                *node.fixed.entry(segment.into()).or_insert(next)
            };
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        for kind in kinds {
            self.nodes[at].rules[*kind as usize].get_or_insert(rule);
        }
    }

    /// The rule for `name`.
    ///
    /// Each node is visited at most once, since one path leads to it: hostile names cost no more
    /// than the tree has nodes.
    pub(super) fn find(&self, name: &str, kind: Kind) -> Option<usize> {
        if self.nodes.len() == 1 {
            return None;
        }
        let segments: Vec<&str> = name.split('.').collect();
        let mut best = None;
        self.visit(0, &segments, kind, &mut best);
        best
    }

    /// Returns whether the search is over.
    fn visit(&self, at: usize, rest: &[&str], kind: Kind, best: &mut Option<usize>) -> bool {
        let node = &self.nodes[at];
        let Some((segment, rest)) = rest.split_first() else {
            if let Some(rule) = node.rules[kind as usize] {
                *best = Some(best.map_or(rule, |best| best.min(rule)));
                return !self.ordered;
            }
            return false;
        };
        let branches = [node.fixed.get(*segment).copied(), node.star];
        branches.into_iter().flatten().any(|next| self.visit(next, rest, kind, best))
    }
}

/// Whether stars stand for whole segments only and the rest are segments of a name.
pub(super) fn is_valid(pattern: &str) -> bool {
    let letter = |byte: u8, first: bool| {
        byte.is_ascii_alphabetic() || byte == b'_' || (!first && byte.is_ascii_digit())
    };
    pattern.split('.').enumerate().all(|(index, segment)| {
        let mut bytes = segment.bytes();
        segment == "*"
            || (bytes.next().is_some_and(|byte| letter(byte, index == 0))
                && bytes.all(|byte| letter(byte, false) || byte == b'-'))
    })
}

/// What each star of `pattern`, which fits `name`, stands for; the whole name first.
pub(super) fn stars<'a>(pattern: &str, name: &'a str) -> Vec<&'a str> {
    let pairs = pattern.split('.').zip(name.split('.'));
    let caught = pairs.filter(|(fixed, _)| *fixed == "*").map(|(_, segment)| segment);
    std::iter::once(name).chain(caught).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Globs, is_valid, stars};
    use crate::line::Kind;

    fn globs(ordered: bool, patterns: &[&str]) -> Globs {
        let mut globs = Globs::new(ordered);
        for (rule, pattern) in patterns.iter().enumerate() {
            globs.insert(pattern, &Kind::ALL, rule);
        }
        globs
    }

    fn fits(pattern: &str, name: &str) -> bool {
        let (pattern, name): (Vec<_>, Vec<_>) =
            (pattern.split('.').collect(), name.split('.').collect());
        pattern.len() == name.len()
            && pattern.iter().zip(name).all(|(fixed, segment)| *fixed == "*" || *fixed == segment)
    }

    /// Of all rules that fit: the first, or the one whose first star comes latest.
    fn naive(ordered: bool, patterns: &[&str], name: &str) -> Option<usize> {
        let fitting = patterns.iter().enumerate().filter(|(_, pattern)| fits(pattern, name));
        let key = |(rule, pattern): &(usize, &&str)| {
            let is_star: Vec<bool> = pattern.split('.').map(|segment| segment == "*").collect();
            (if ordered { Vec::new() } else { is_star }, *rule)
        };
        fitting.min_by_key(key).map(|(rule, _)| rule)
    }

    #[test]
    fn a_rule_inside_a_longer_one_is_found() {
        let globs = globs(true, &["a.*.c", "a.*", "a.b.c", "a.b"]);
        for (name, expected) in [("a.x.c", Some(0)), ("a.b", Some(1)), ("a", None), ("a.", Some(1))]
        {
            assert_eq!(globs.find(name, Kind::Counter), expected, "{name}");
        }
    }

    #[test]
    fn without_order_a_dead_end_is_left_again() {
        let globs = globs(false, &["a.*.c", "a.b.d", "a.*.*"]);
        assert_eq!(globs.find("a.b.c", Kind::Gauge), Some(0));
        assert_eq!(globs.find("a.b.d", Kind::Gauge), Some(1));
        assert_eq!(globs.find("a.b.e", Kind::Gauge), Some(2));
    }

    #[test]
    fn stars_stand_for_whole_segments() {
        for (pattern, expected) in [
            ("*", true),
            ("a.*.b-c", true),
            ("a.1.*", true),
            ("1a", false),
            ("a*", false),
            ("a..b", false),
            ("", false),
            ("a.", false),
            ("-a", false),
            ("a.-b", false),
            ("bad!!.*", false),
        ] {
            assert_eq!(is_valid(pattern), expected, "{pattern}");
        }
        assert_eq!(stars("a.*.c.*", "a.b.c."), ["a.b.c.", "b", ""]);
    }

    fn segments() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!["*", "a", "b", "c"]), 1..5)
            .prop_map(|segments| segments.join("."))
    }

    proptest! {
        #[test]
        fn property_the_tree_agrees_with_a_scan(
            patterns in prop::collection::vec(segments(), 0..12),
            names in prop::collection::vec("[abc]?(\\.[abc]?){0,4}", 1..8),
            ordered: bool,
        ) {
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let globs = globs(ordered, &patterns);
            for name in &names {
                prop_assert_eq!(
                    globs.find(name, Kind::Counter), naive(ordered, &patterns, name), "{}", name
                );
            }
        }
    }
}
