//! Groups of keys: which one a key belongs to, how many each has, and which are shown.

use std::{borrow::Cow, collections::BTreeMap};

use anyhow::{Context as _, bail};

use crate::pattern::{Outcome, Pattern};

/// The group of keys that no pattern matches.
const UNCLASSIFIED: &[u8] = b"unclassified";

/// Reads `--check-key-groups`: one line of comma-separated values, each a Lua pattern.
///
/// # Errors
///
/// The pattern which is none, or a quote that is in the wrong place.
pub fn parse(text: &str) -> anyhow::Result<Vec<Pattern>> {
    let values = separated(text)?;
    let values = values.iter().map(|value| value.trim()).filter(|value| !value.is_empty());
    values
        .map(|value| {
            Pattern::parse(value.as_bytes()).with_context(|| format!("{value:?} is no Lua pattern"))
        })
        .collect()
}

/// The values of the first line which is not empty. A value in quotes may hold commas; `""` in it is
/// a quote.
fn separated(text: &str) -> anyhow::Result<Vec<String>> {
    let mut values = Vec::new();
    let mut rest = text.trim_start_matches(['\r', '\n']);
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find([',', '\n']).unwrap_or(rest.len());
            let (value, tail) = rest.split_at(end);
            if value.contains('"') {
                bail!("{value:?} has a quote, and does not begin with one");
            }
            values.push(value.to_owned());
            match tail.strip_prefix(',') {
                Some(tail) => rest = tail,
                None => return Ok(values),
            }
            continue;
        };
        let (value, tail) = unquoted(quoted).context("a value is not closed by a quote")?;
        values.push(value);
        match tail.strip_prefix(',') {
            Some(tail) => rest = tail,
            None if tail.is_empty() || tail.starts_with(['\r', '\n']) => return Ok(values),
            None => bail!("a closing quote is followed by {tail:?}"),
        }
    }
}

/// A value and what stands behind its closing quote.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, tail) = rest.split_once('"')?;
        value.push_str(part);
        match tail.strip_prefix('"') {
            Some(tail) => {
                value.push('"');
                rest = tail;
            }
            None => return Some((value, tail)),
        }
    }
}

/// The group of a key: the captures of the first pattern which matches. The second says whether a
/// pattern was given up after `steps_max` steps; it then counts as one that does not match.
pub fn of_key(patterns: &[Pattern], key: &[u8], steps_max: u32) -> (Cow<'static, [u8]>, bool) {
    let mut given_up = false;
    for pattern in patterns {
        match pattern.find(key, steps_max) {
            Outcome::Match(captures) => return (Cow::Owned(captures), given_up),
            Outcome::NoMatch => {}
            Outcome::Exhausted => given_up = true,
        }
    }
    (Cow::Borrowed(UNCLASSIFIED), given_up)
}

/// What a group has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Group {
    /// Keys.
    pub keys: u64,
    /// Memory of all of them.
    pub bytes: u64,
}

impl Group {
    fn add(&mut self, other: Self) {
        self.keys = self.keys.saturating_add(other.keys);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// The groups of one database while its keys are counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    groups: BTreeMap<Vec<u8>, Group>,
    /// Keys of groups that came when there were too many.
    beyond: Option<Group>,
}

impl Tally {
    /// Counts a key. `false` if its group is not kept apart, since there are `groups_max` already.
    pub fn add(&mut self, group: &[u8], bytes: u64, groups_max: usize) -> bool {
        let key = Group { keys: 1, bytes };
        if let Some(known) = self.groups.get_mut(group) {
            known.add(key);
        } else if self.groups.len() < groups_max {
            self.groups.insert(group.to_owned(), key);
        } else {
            self.beyond.get_or_insert_default().add(key);
            return false;
        }
        true
    }

    /// How many groups there are; at least, if there were too many.
    pub fn distinct(&self) -> usize {
        self.groups.len()
    }

    /// The `shown_max` groups with the most memory, and the others as `overflow`.
    pub fn shown(&self, shown_max: usize) -> Vec<(Cow<'_, str>, Group)> {
        let mut all: Vec<_> = self.groups.iter().map(|(name, group)| (name, *group)).collect();
        let mut overflow = self.beyond;
        if all.len() > shown_max {
            // Equal ones in the order of redis_exporter.
            all.sort_by(|(a_name, a), (b_name, b)| {
                b.bytes.cmp(&a.bytes).then(a.keys.cmp(&b.keys)).then_with(|| a_name.cmp(b_name))
            });
            for (_, group) in all.split_off(shown_max) {
                overflow.get_or_insert_default().add(group);
            }
        }
        let shown = all.into_iter().map(|(name, group)| (String::from_utf8_lossy(name), group));
        shown.chain(overflow.map(|group| (Cow::Borrowed("overflow"), group))).collect()
    }
}

#[cfg(test)]
mod tests;
