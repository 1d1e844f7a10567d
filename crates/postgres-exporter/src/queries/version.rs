//! Ranges of server versions as `runonserver` writes them: `>=10.0.0 <12.0.0 || >=14`.

use thiserror::Error;

use crate::instance::Facts;

/// Three numbers, as [`Facts::version_short`] has them.
type Triple = [u32; 3];

/// A text which is no range.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0:?} is not a version range like \">=14.0.0 <17.0.0\"")]
pub struct RangeError(String);

/// A server's version fits if it fits all conditions of one alternative.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Range(Vec<Vec<Condition>>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Condition {
    AtLeast(Triple),
    Below(Triple),
    /// Below the first or at least the second.
    Outside(Triple, Triple),
}

impl Range {
    /// Reads a range.
    ///
    /// # Errors
    ///
    /// The text is none.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let wrong = || RangeError(text.to_owned());
        let mut alternatives = Vec::new();
        for alternative in text.split("||") {
            // An operator may stand apart from its version.
            let joined =
                ["<", ">", "=", "!"].iter().fold(alternative.to_owned(), |text, operator| {
                    let mut text = text;
                    while text.contains(&format!("{operator} ")) {
                        text = text.replace(&format!("{operator} "), operator);
                    }
                    text
                });
            let mut conditions = Vec::new();
            for word in joined.split_whitespace() {
                conditions.extend(condition(word).ok_or_else(wrong)?);
            }
            if conditions.is_empty() {
                return Err(wrong());
            }
            alternatives.push(conditions);
        }
        Ok(Self(alternatives))
    }

    /// From `min` on and below `max`, both as `server_version_num`.
    pub(super) fn between(min: Option<u32>, max: Option<u32>) -> Option<Self> {
        let conditions: Vec<_> = min
            .map(|number| Condition::AtLeast(triple(number)))
            .into_iter()
            .chain(max.map(|number| Condition::Below(triple(number))))
            .collect();
        (!conditions.is_empty()).then(|| Self(vec![conditions]))
    }

    /// Whether a server of this version is meant.
    pub fn contains(&self, facts: &Facts) -> bool {
        let version = triple(facts.version);
        self.0.iter().any(|conditions| conditions.iter().all(|c| c.holds(version)))
    }
}

impl Condition {
    fn holds(self, version: Triple) -> bool {
        match self {
            Self::AtLeast(bound) => version >= bound,
            Self::Below(bound) => version < bound,
            Self::Outside(low, high) => version < low || version >= high,
        }
    }
}

/// One word: an operator and a version, which stands for all that begin with it.
fn condition(word: &str) -> Option<Vec<Condition>> {
    let end = word.find(|c: char| c.is_ascii_digit())?;
    let (operator, version) = word.split_at_checked(end)?;
    let (low, high) = versions(version)?;
    Some(match operator {
        ">=" => vec![Condition::AtLeast(low)],
        ">" => vec![Condition::AtLeast(high)],
        "<" => vec![Condition::Below(low)],
        "<=" => vec![Condition::Below(high)],
        "" | "=" | "==" => vec![Condition::AtLeast(low), Condition::Below(high)],
        "!" | "!=" => vec![Condition::Outside(low, high)],
        _ => return None,
    })
}

/// The first version which begins with `text`, and the first one after those.
fn versions(text: &str) -> Option<(Triple, Triple)> {
    let mut parts = Vec::new();
    for part in text.split('.') {
        if matches!(part, "x" | "X" | "*") {
            break;
        }
        parts.push(part.parse::<u32>().ok().filter(|part| *part < 1_000_000)?);
    }
    let mut low = [0; 3];
    for (slot, part) in low.iter_mut().zip(&parts) {
        *slot = *part;
    }
    let mut high = low;
    *high.get_mut(parts.len().checked_sub(1)?)? += 1;
    Some((low, high))
}

fn triple(number: u32) -> Triple {
    let (major, rest) = (number / 10_000, number % 10_000);
    if major >= 10 { [major, rest, 0] } else { [major, rest / 100, rest % 100] }
}

#[cfg(test)]
mod tests {
    use super::Range;
    use crate::instance::Facts;

    #[test]
    fn ranges_are_read_as_postgres_exporter_reads_them() {
        for (text, version, expected) in [
            (">=10.0.0", 90_624, false),
            (">=10.0.0", 100_000, true),
            (">=10.0.0 <12.0.0", 120_000, false),
            (">= 10.0.0 < 12.0.0", 110_022, true),
            (">=14 <16 || >=17.0.0", 160_004, false),
            (">=14 <16 || >=17.0.0", 170_010, true),
            ("<9.6", 90_524, true),
            ("9.6.x", 90_624, true),
            ("=15.2.0", 150_002, true),
            ("=15.2.0", 150_003, false),
            (">15", 150_003, false),
            (">15", 160_000, true),
            ("<=15", 150_003, true),
            ("!=15", 150_003, false),
            ("!15", 160_000, true),
        ] {
            let facts = Facts { version, ..Facts::default() };
            assert_eq!(
                Range::parse(text).map(|range| range.contains(&facts)),
                Ok(expected),
                "{text}"
            );
        }
        for text in ["", "x", ">", "ten", "~1.2.3", ">=1.a", "||", "1 ||"] {
            assert!(Range::parse(text).is_err(), "{text:?}");
        }
    }
}
