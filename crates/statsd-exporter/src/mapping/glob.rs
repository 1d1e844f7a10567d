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
    /// Segments with a star within, in the order of the file.
    partial: Vec<(Box<str>, usize)>,
    star: Option<usize>,
    /// The rules which end here, by kind, in the order of the file.
    rules: [Vec<usize>; Kind::ALL.len()],
}

impl Globs {
    /// No rules yet.
    pub(super) fn new(ordered: bool) -> Self {
        Self { nodes: vec![Node::default()], ordered }
    }

    /// Adds the rule of this index for `kinds`; of two with the same pattern the first goes first.
    pub(super) fn insert(&mut self, pattern: &str, kinds: &[Kind], rule: usize) {
        let mut at = 0;
        for segment in pattern.split('.') {
            let next = self.nodes.len();
            let node = &mut self.nodes[at];
            at = if segment == "*" {
                *node.star.get_or_insert(next)
            } else if segment.contains('*') {
                let known = node.partial.iter().find(|(known, _)| **known == *segment);
                let known = known.map(|(_, at)| *at);
                known.unwrap_or_else(|| {
                    node.partial.push((segment.into(), next));
                    next
                })
            } else {
                *node.fixed.entry(segment.into()).or_insert(next)
            };
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        for kind in kinds {
            self.nodes[at].rules[*kind as usize].push(rule);
        }
    }

    /// The rule for `name` among those which `accept` takes.
    ///
    /// Each node is visited at most once, since one path leads to it: hostile names cost no more
    /// than the tree has nodes.
    pub(super) fn find(
        &self,
        name: &str,
        kind: Kind,
        accept: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        if self.nodes.len() == 1 {
            return None;
        }
        let segments: Vec<&str> = name.split('.').collect();
        let mut search = Search { kind, accept, best: None };
        self.visit(0, &segments, &mut search);
        search.best
    }

    /// Returns whether the search is over.
    fn visit(&self, at: usize, rest: &[&str], search: &mut Search<'_>) -> bool {
        let node = &self.nodes[at];
        let Some((segment, rest)) = rest.split_first() else {
            let mut rules = node.rules[search.kind as usize].iter();
            if let Some(&rule) = rules.find(|rule| (search.accept)(**rule)) {
                search.best = Some(search.best.map_or(rule, |best| best.min(rule)));
                return !self.ordered;
            }
            return false;
        };
        let partial = node.partial.iter().filter(|(glob, _)| text_fits(glob, segment));
        let branches = node.fixed.get(*segment).into_iter();
        let mut branches = branches.chain(partial.map(|(_, next)| next)).chain(&node.star);
        branches.any(|next| self.visit(*next, rest, search))
    }
}

/// What is looked for, and what has been found.
struct Search<'a> {
    kind: Kind,
    accept: &'a dyn Fn(usize) -> bool,
    best: Option<usize>,
}

/// Whether the segments are stars and parts of names; a star `within` a segment only where allowed.
pub(super) fn is_valid(pattern: &str, within: bool) -> bool {
    let letter = |byte: u8, first: bool| {
        byte.is_ascii_alphabetic()
            || byte == b'_'
            || (!first && byte.is_ascii_digit())
            || (within && byte == b'*')
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
    let mut caught = vec![name];
    for (glob, segment) in pattern.split('.').zip(name.split('.')) {
        if glob.contains('*') {
            fit(glob, segment, &mut caught);
        }
    }
    caught
}

/// Whether a text fits a glob, in which stars stand for anything.
pub(super) fn text_fits(glob: &str, text: &str) -> bool {
    fit(glob, text, &mut Vec::new())
}

/// Adds what each star of `glob` takes of `text`: each as little as it can, the last one the rest.
fn fit<'a>(glob: &str, text: &'a str, caught: &mut Vec<&'a str>) -> bool {
    let Some((start, rest)) = glob.split_once('*') else { return glob == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut rest = rest;
    while let Some((between, behind)) = rest.split_once('*') {
        let Some(at) = text.find(between) else { return false };
        let (taken, left) = text.split_at(at);
        caught.push(taken);
        text = left.get(between.len()..).unwrap_or_default();
        rest = behind;
    }
    match text.strip_suffix(rest) {
        Some(taken) => {
            caught.push(taken);
            true
        }
        None => false,
    }
}

/// Whether each name that fits `narrow` fits `wide`.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    let mut narrow = narrow.split('.');
    let mut segments = wide.split('.');
    segments.all(|wide| narrow.next().is_some_and(|narrow| wide == "*" || text_fits(wide, narrow)))
        && narrow.next().is_none()
}

/// Why a name does not fit a pattern.
pub(super) fn objection(pattern: &str, name: &str) -> Option<String> {
    let (wanted, found) = (pattern.split('.').count(), name.split('.').count());
    if wanted != found {
        return Some(format!("has {wanted} segments, the name {found}"));
    }
    let mut pairs = pattern.split('.').zip(name.split('.'));
    let (glob, segment) = pairs.find(|(glob, segment)| !text_fits(glob, segment))?;
    Some(format!("segment {segment:?} does not fit {glob:?}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Globs, fit, is_valid, stars};
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
            assert_eq!(globs.find(name, Kind::Counter, &|_| true), expected, "{name}");
        }
    }

    #[test]
    fn without_order_a_dead_end_is_left_again() {
        let globs = globs(false, &["a.*.c", "a.b.d", "a.*.*"]);
        assert_eq!(globs.find("a.b.c", Kind::Gauge, &|_| true), Some(0));
        assert_eq!(globs.find("a.b.d", Kind::Gauge, &|_| true), Some(1));
        assert_eq!(globs.find("a.b.e", Kind::Gauge, &|_| true), Some(2));
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
            assert_eq!(is_valid(pattern, false), expected, "{pattern}");
        }
        assert_eq!(stars("a.*.c.*", "a.b.c."), ["a.b.c.", "b", ""]);
    }

    #[test]
    fn stars_within_segments_take_as_little_as_they_can() {
        assert!(is_valid("a.pre_*.*_post", true) && !is_valid("a.pre_*", false));
        for (glob, text, expected) in [
            ("pre_*", "pre_x", Some(vec!["x"])),
            ("pre_*", "pre_", Some(vec![""])),
            ("*_post", "a_post_post", Some(vec!["a_post"])),
            ("a*b*c", "a1b2b3c", Some(vec!["1", "2b3"])),
            ("a*a", "a", None),
            ("x*", "y", None),
            ("**", "ab", Some(vec!["", "ab"])),
        ] {
            let mut caught = Vec::new();
            let fits = fit(glob, text, &mut caught);
            assert_eq!(fits.then_some(caught), expected, "{glob} {text}");
        }
        let globs = globs(false, &["a.*", "a.b*", "a.bc"]);
        for (name, expected) in [("a.bc", 2), ("a.bx", 1), ("a.x", 0)] {
            assert_eq!(globs.find(name, Kind::Counter, &|_| true), Some(expected), "{name}");
        }
    }

    #[test]
    fn rules_which_are_not_accepted_are_passed_over() {
        let globs = globs(true, &["a.*", "a.*", "*.b"]);
        assert_eq!(globs.find("a.b", Kind::Counter, &|rule| rule > 0), Some(1));
        assert_eq!(globs.find("a.b", Kind::Counter, &|rule| rule > 1), Some(2));
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
                    globs.find(name, Kind::Counter, &|_| true), naive(ordered, &patterns, name), "{}", name
                );
            }
        }
    }
}
